//! Times in the commands of a log, made absolute and shifted: pure.
//!
//! Servers from 7.0 on write expiries into their logs as times; 6.2 writes them as the client sent them,
//! relative to a moment that only the receiver noted.

use std::borrow::Cow;

use super::fields;

/// A word of a command.
pub(super) type Word<'a> = Cow<'a, [u8]>;

/// How a time is written.
#[derive(Clone, Copy)]
pub(super) enum Time {
    /// Seconds from then.
    Seconds,
    /// Milliseconds from then.
    Millis,
    /// Seconds since 1970.
    AtSeconds,
    /// Milliseconds since 1970.
    AtMillis,
}

/// The command with every expiry of its key, or of fields of it, as a time, so many ms later; `came_ms` is when the command
/// was received.
pub(super) fn shifted<'a>(words: &[&'a [u8]], came_ms: i64, by_ms: i64) -> Vec<Word<'a>> {
    let name = words.first().map(|name| name.to_ascii_lowercase());
    let mut out: Vec<Word<'a>> = words.iter().map(|word| Cow::Borrowed(*word)).collect();
    let at = |time: Time, word: &[u8]| -> Option<Word<'a>> {
        let number: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
        let ms = match time {
            Time::Seconds => came_ms.checked_add(number.checked_mul(1000)?)?,
            Time::Millis => came_ms.checked_add(number)?,
            Time::AtSeconds => number.checked_mul(1000)?,
            Time::AtMillis => number,
        };
        Some(Cow::Owned(ms.checked_add(by_ms)?.to_string().into_bytes()))
    };
    match name.as_deref().unwrap_or_default() {
        b"expire" => renamed(&mut out, b"PEXPIREAT", 2, |word| at(Time::Seconds, word)),
        b"pexpire" => renamed(&mut out, b"PEXPIREAT", 2, |word| at(Time::Millis, word)),
        b"expireat" => renamed(&mut out, b"PEXPIREAT", 2, |word| at(Time::AtSeconds, word)),
        b"pexpireat" => renamed(&mut out, b"PEXPIREAT", 2, |word| at(Time::AtMillis, word)),
        b"setex" | b"psetex" if out.len() == 4 => {
            let is_seconds = name.as_deref() == Some(b"setex");
            let time = if is_seconds {
                Time::Seconds
            } else {
                Time::Millis
            };
            if let Some(ms) = at(time, &out[2].clone()) {
                let (key, value) = (out[1].clone(), out[3].clone());
                out = vec![b"SET"[..].into(), key, value, b"PXAT"[..].into(), ms];
            }
        }
        b"set" | b"getex" | b"msetex" => option(&mut out, 2, at),
        b"restore" | b"restore-asking" => restore(&mut out, at),
        name => drop(fields::shifted(name, &mut out, at)),
    }
    out
}

fn renamed<'a>(
    out: &mut [Word<'a>],
    name: &'static [u8],
    place: usize,
    at: impl Fn(&[u8]) -> Option<Word<'a>>,
) {
    if let Some(ms) = out.get(place).and_then(|word| at(word)) {
        out[0] = name.into();
        out[place] = ms;
    }
}

/// The option that says when, behind the key and what is set.
fn option<'a>(out: &mut [Word<'a>], first: usize, at: impl Fn(Time, &[u8]) -> Option<Word<'a>>) {
    // From behind: a value may be called like an option.
    for n in (first..out.len().saturating_sub(1)).rev() {
        let time = match out[n].to_ascii_lowercase().as_slice() {
            b"ex" => Time::Seconds,
            b"px" => Time::Millis,
            b"exat" => Time::AtSeconds,
            b"pxat" => Time::AtMillis,
            _ => continue,
        };
        if let Some(ms) = at(time, &out[n + 1].clone()) {
            out[n] = b"PXAT"[..].into();
            out[n + 1] = ms;
        }
        return;
    }
}

/// `RESTORE key ttl payload ...`: nothing expires at 0.
fn restore<'a>(out: &mut Vec<Word<'a>>, at: impl Fn(Time, &[u8]) -> Option<Word<'a>>) {
    // A key that moves between shards is there already, where all of them are played into one place.
    let has = |word: &[u8]| out.iter().skip(4).any(|own| own.eq_ignore_ascii_case(word));
    if out[0].eq_ignore_ascii_case(b"RESTORE-ASKING") && !has(b"REPLACE") && out.len() >= 4 {
        out.push(b"REPLACE"[..].into());
    }
    out[0] = b"RESTORE"[..].into();
    let is_time = out
        .iter()
        .skip(4)
        .any(|word| word.eq_ignore_ascii_case(b"ABSTTL"));
    let Some(ttl) = out.get(2).filter(|ttl| ttl.as_ref() != b"0").cloned() else {
        return;
    };
    let time = if is_time {
        Time::AtMillis
    } else {
        Time::Millis
    };
    if let Some(ms) = at(time, &ttl) {
        out[2] = ms;
        if !is_time {
            out.push(b"ABSTTL"[..].into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expiry_becomes_a_time_that_is_so_much_later() {
        for (line, expected) in [
            ("EXPIRE k 5", "PEXPIREAT k 6100"),
            ("PEXPIRE k 5", "PEXPIREAT k 1105"),
            ("EXPIREAT k 50", "PEXPIREAT k 50100"),
            ("PEXPIREAT k 50000 GT", "PEXPIREAT k 50100 GT"),
            ("SETEX k 5 v", "SET k v PXAT 6100"),
            ("PSETEX k 5 v", "SET k v PXAT 1105"),
            ("SET k v", "SET k v"),
            ("SET k ex PX 5", "SET k ex PXAT 1105"),
            ("SET k v NX EX 5 GET", "SET k v NX PXAT 6100 GET"),
            ("SET k v KEEPTTL", "SET k v KEEPTTL"),
            ("SET k v PXAT 9000", "SET k v PXAT 9100"),
            ("GETEX k EX 5", "GETEX k PXAT 6100"),
            ("MSETEX 1 k v PXAT 7", "MSETEX 1 k v PXAT 107"),
            ("RESTORE k 0 p", "RESTORE k 0 p"),
            ("RESTORE k 5 p", "RESTORE k 1105 p ABSTTL"),
            (
                "restore-asking k 9 p REPLACE ABSTTL",
                "RESTORE k 109 p REPLACE ABSTTL",
            ),
            ("EXPIRE k x", "EXPIRE k x"),
            ("HEXPIRE k 5 FIELDS 1 f", "HPEXPIREAT k 6100 FIELDS 1 f"),
            (
                "HPEXPIRE k 5 NX FIELDS 1 f",
                "HPEXPIREAT k 1105 NX FIELDS 1 f",
            ),
            ("HEXPIREAT k 50 FIELDS 1 f", "HPEXPIREAT k 50100 FIELDS 1 f"),
            ("HPEXPIREAT k 50 FIELDS 1 f", "HPEXPIREAT k 150 FIELDS 1 f"),
            (
                "HSETEX k EX 5 FIELDS 1 f v",
                "HSETEX k PXAT 6100 FIELDS 1 f v",
            ),
            (
                "HSETEX k FIELDS 1 px 7 PXAT 9",
                "HSETEX k FIELDS 1 px 7 PXAT 109",
            ),
            (
                "HSETEX k FNX KEEPTTL FIELDS 1 ex 7",
                "HSETEX k FNX KEEPTTL FIELDS 1 ex 7",
            ),
            (
                "HGETEX k PX 5 FIELDS 2 f g",
                "HGETEX k PXAT 1105 FIELDS 2 f g",
            ),
            (
                "HGETEX k PERSIST FIELDS 2 ex 5",
                "HGETEX k PERSIST FIELDS 2 ex 5",
            ),
            ("HPERSIST k FIELDS 1 f", "HPERSIST k FIELDS 1 f"),
            ("HSET k f 5", "HSET k f 5"),
        ] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let found = shifted(&words, 1000, 100);
            let found: Vec<String> = found
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            assert_eq!(found.join(" "), expected);
        }
    }
}
