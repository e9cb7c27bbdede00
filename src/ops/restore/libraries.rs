//! The function libraries of a moment: those of the snapshot, and what the logs did to them since. Pure.
//!
//! FUNCTION commands are not played into the target: it may have libraries of its own, which a FLUSH in a log
//! was never about. What they come to is loaded as the snapshot's libraries are.

use crate::rdb::{Item, Reader, Step, function_payload, preamble};

/// The end of what FUNCTION DUMP gives: the version and a checksum.
const FOOTER: usize = 10;
/// The magic of the first files that hold functions.
const FUNCTIONS_SINCE: &str = "REDIS0010";

/// Libraries by their sources, each with another name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Libraries(Vec<Vec<u8>>);

impl Libraries {
    /// What FUNCTION DUMP gave: records of an RDB, then the footer.
    pub(super) fn of(payload: &[u8]) -> Libraries {
        let mut libraries = Libraries::default();
        libraries.restore(payload);
        libraries
    }

    /// What a FUNCTION command does to them.
    pub(super) fn note(&mut self, words: &[&[u8]]) {
        let is = |n: usize, word: &str| {
            let has = words.get(n);
            has.is_some_and(|has| has.eq_ignore_ascii_case(word.as_bytes()))
        };
        match words {
            [_, _, .., source] if is(1, "load") => self.load(source),
            [_, _, name, ..] if is(1, "delete") => self.delete(name),
            [_, _, ..] if is(1, "flush") => self.0.clear(),
            [_, _, payload, ..] if is(1, "restore") => {
                if is(3, "flush") {
                    self.0.clear();
                }
                self.restore(payload);
            }
            _ => {}
        }
    }

    /// What FUNCTION RESTORE takes; nothing where there are none.
    pub(super) fn payload(&self) -> Option<Vec<u8>> {
        let sources = self.0.iter().map(Vec::as_slice);
        (!self.0.is_empty()).then(|| function_payload(sources))
    }

    /// Their sources.
    pub(super) fn sources(&self) -> &[Vec<u8>] {
        &self.0
    }

    fn load(&mut self, source: &[u8]) {
        self.delete(name(source).as_bytes());
        self.0.push(source.to_vec());
    }

    fn delete(&mut self, gone: &[u8]) {
        self.0.retain(|source| name(source).as_bytes() != gone);
    }

    fn restore(&mut self, payload: &[u8]) {
        let mut reader = Reader::new();
        reader.push(&preamble(FUNCTIONS_SINCE, 0));
        reader.push(&payload[..payload.len().saturating_sub(FOOTER)]);
        while let Ok(Step::Item(item)) = reader.step() {
            if let Item::Function(source) = item {
                self.load(source);
            }
        }
    }
}

/// The name in a source's first line: `#!lua name=lib`.
pub(super) fn name(source: &[u8]) -> String {
    let first = source.split(|byte| *byte == b'\n').next().unwrap_or(source);
    let words = String::from_utf8_lossy(first).into_owned();
    let name = words
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("name="));
    name.unwrap_or("one without a name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"#!lua name=one\nreturn 1";
    const TWO: &[u8] = b"#!lua name=two\n";

    #[test]
    fn libraries_are_told_apart() {
        let payload = function_payload([ONE, TWO]);
        let read = Libraries::of(&payload);
        assert_eq!(read.sources(), [ONE, TWO]);
        assert_eq!((name(ONE).as_str(), name(TWO).as_str()), ("one", "two"));
        assert_eq!(read.payload(), Some(payload));
        assert_eq!(Libraries::of(b"").payload(), None);
    }

    #[test]
    fn the_logs_change_them_as_the_servers_did() {
        let (other, three) = (function_payload([TWO]), b"#!lua name=one\nreturn 3");
        let mut libraries = Libraries::of(&function_payload([ONE]));
        let mut after = |words: &[&[u8]]| {
            libraries.note(words);
            libraries.sources().to_vec()
        };
        assert_eq!(after(&[b"FUNCTION", b"LOAD", TWO]), [ONE, TWO]);
        let replaced = after(&[b"function", b"load", b"REPLACE", three]);
        assert_eq!(replaced, [TWO, &three[..]]);
        assert_eq!(after(&[b"FUNCTION", b"DELETE", b"two"]), [&three[..]]);
        let flushed = after(&[b"FUNCTION", b"RESTORE", &other, b"FLUSH"]);
        assert_eq!(flushed, [TWO]);
        assert_eq!(after(&[b"FUNCTION", b"KILL"]), [TWO]);
        assert_eq!(after(&[b"FUNCTION", b"FLUSH", b"ASYNC"]), [b""; 0]);
    }
}
