//! What a master's refusal of a command means for the whole: pure.

use serde::Serialize;

use crate::model::NodeAddr;

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The key is there already.
    Busy,
    /// The command is about a key, or a field, that is not there. None should be, for keys are kept until the
    /// log was played.
    Overtaken,
    /// Another master owns the slot.
    Moved,
    /// The slot is on its way; this key goes there.
    Ask(NodeAddr),
    /// It may be taken in a moment.
    Later,
    /// Nothing will be taken any more.
    Fatal,
    /// This one is not taken.
    Refused,
}

/// A command that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its name.
    pub command: String,
    /// Its key.
    pub key: String,
    /// The server's words.
    pub said: String,
}

impl Refusal {
    pub(super) fn of(words: &str) -> Refusal {
        let (code, rest) = words.split_once(' ').unwrap_or((words, ""));
        match code {
            "BUSYKEY" => Refusal::Busy,
            "MOVED" => Refusal::Moved,
            "ASK" => {
                let to = rest.split_once(' ').map(|(_, addr)| addr.parse());
                match to {
                    Some(Ok(addr)) => Refusal::Ask(addr),
                    _ => Refusal::Later,
                }
            }
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" | "BUSY"
            | "NOREPLICAS" => Refusal::Later,
            "OOM" | "MISCONF" | "NOPERM" | "NOAUTH" => Refusal::Fatal,
            _ if OVERTAKEN.iter().any(|known| words.contains(known)) => Refusal::Overtaken,
            _ => Refusal::Refused,
        }
    }
}

/// What servers say of a key that is not there any more.
const OVERTAKEN: [&str; 2] = ["no such key", "requires the key to exist"];

impl Refused {
    pub(super) fn of(command: &[u8], said: String) -> Refused {
        let text = |n| {
            let word = word(command, n).unwrap_or_default();
            shown(word)
        };
        Refused {
            command: text(0),
            key: text(1),
            said,
        }
    }
}

/// The beginning of a key, or of any word, fit for a terminal.
pub(super) fn shown(word: &[u8]) -> String {
    word[..word.len().min(80)].escape_ascii().to_string()
}

/// A word of a command as it is on the wire.
pub(super) fn word(command: &[u8], n: usize) -> Option<&[u8]> {
    let mut rest = line(command)?.1;
    for at in 0.. {
        let (length, after) = line(rest)?;
        let length: usize = std::str::from_utf8(length.strip_prefix(b"$")?)
            .ok()?
            .parse()
            .ok()?;
        if at == n {
            return after.get(..length);
        }
        rest = after.get(length + 2..)?;
    }
    None
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        for (words, means) in [
            ("BUSYKEY Target key name already exists.", Refusal::Busy),
            ("MOVED 12182 127.0.0.1:7001", Refusal::Moved),
            (
                "ASK 12182 127.0.0.1:7001",
                Refusal::Ask(NodeAddr::new("127.0.0.1", 7001)),
            ),
            ("CLUSTERDOWN Hash slot not served", Refusal::Later),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Refusal::Fatal,
            ),
            ("ERR Bad data format", Refusal::Refused),
            ("ERR no such key", Refusal::Overtaken),
        ] {
            assert_eq!(Refusal::of(words), means, "{words}");
        }
    }

    #[test]
    fn words_are_found_in_what_is_on_the_wire() {
        let command = b"*3\r\n$7\r\nRESTORE\r\n$4\r\nk\r\nx\r\n$0\r\n\r\n";
        assert_eq!(word(command, 0), Some(&b"RESTORE"[..]));
        assert_eq!(word(command, 1), Some(&b"k\r\nx"[..]));
        assert_eq!(word(command, 2), Some(&b""[..]));
        assert_eq!(word(command, 3), None);
        let refused = Refused::of(command, "ERR no".to_owned());
        assert_eq!(refused.key, "k\\r\\nx");
    }
}
