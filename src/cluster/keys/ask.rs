//! The questions about a key that leave it as it is, and what the answers say.

use super::pace::Pace;
use super::pattern::pattern;
use crate::cluster::error::NodeError;
use crate::cluster::node::{Command, Node, Reply};
use crate::cluster::replies::number;

/// What was learned of a key, its name left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Key {
    /// The pattern of its name.
    pub(super) pattern: String,
    /// As TYPE names it.
    pub(super) kind: String,
    /// What is left of its life; `None` when it is to stay.
    pub(super) expiry_ms: Option<u64>,
    pub(super) encoding: Option<String>,
    /// MEMORY USAGE.
    pub(super) bytes: Option<u64>,
    /// OBJECT FREQ: 0 to 255.
    pub(super) frequency: Option<u64>,
    /// OBJECT IDLETIME.
    pub(super) idle_s: Option<u64>,
    /// Elements; of a string its length in bytes.
    pub(super) elements: Option<u64>,
    /// The longest of a few elements.
    pub(super) longest_bytes: Option<u64>,
}

/// A question of a deep sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Encoding,
    /// Of containers five elements are weighed, the server's own default.
    Memory,
    Frequency,
    Idle,
}

impl Extra {
    fn about(self, name: &[u8]) -> Command {
        match self {
            Extra::Encoding => Command::words("OBJECT ENCODING").arg(name),
            Extra::Memory => Command::words("MEMORY USAGE")
                .arg(name)
                .arg("SAMPLES")
                .arg("5"),
            Extra::Frequency => Command::words("OBJECT FREQ").arg(name),
            Extra::Idle => Command::words("OBJECT IDLETIME").arg(name),
        }
    }

    /// The command as COMMANDSTATS counts it.
    fn command(self) -> &'static str {
        match self {
            Extra::Memory => "memory",
            Extra::Encoding | Extra::Frequency | Extra::Idle => "object",
        }
    }

    fn put(self, key: &mut Key, answer: &Reply) {
        match self {
            Extra::Encoding => key.encoding = answer.text(),
            Extra::Memory => key.bytes = number(answer),
            Extra::Frequency => key.frequency = number(answer),
            Extra::Idle => key.idle_s = number(answer),
        }
    }
}

/// Asks about these keys. Those that are gone by now are left out, and a question that is refused for
/// every key is not asked again: each refusal would count among the server's errors.
pub(super) async fn about<'n>(
    node: &Node,
    names: &'n [Vec<u8>],
    extras: &mut Vec<Extra>,
    pace: &mut Pace,
) -> Result<Vec<(&'n [u8], Key)>, NodeError> {
    let mut questions = Vec::new();
    for name in names {
        questions.push(Command::words("TYPE").arg(name));
        questions.push(Command::words("PTTL").arg(name));
        questions.extend(extras.iter().map(|extra| extra.about(name)));
    }
    pace.count("type", names.len());
    pace.count("pttl", names.len());
    for extra in &*extras {
        pace.count(extra.command(), names.len());
    }
    let replies = node.ask_all(&questions).await?;
    let mut is_answered = vec![names.is_empty(); extras.len()];
    let mut found = Vec::new();
    for (name, answers) in names.iter().zip(replies.chunks_exact(2 + extras.len())) {
        let Some(mut key) = read(name, &answers[0], &answers[1])? else {
            continue;
        };
        for ((extra, answer), is_answered) in extras.iter().zip(&answers[2..]).zip(&mut is_answered)
        {
            if let Ok(answer) = answer {
                *is_answered = true;
                extra.put(&mut key, answer);
            }
        }
        found.push((name.as_slice(), key));
    }
    if !found.is_empty() {
        let mut is_answered = is_answered.into_iter();
        extras.retain(|_| is_answered.next() == Some(true));
    }
    Ok(found)
}

/// What TYPE and PTTL say; `None` of a key that is gone.
fn read(
    name: &[u8],
    kind: &Result<Reply, NodeError>,
    left: &Result<Reply, NodeError>,
) -> Result<Option<Key>, NodeError> {
    let kind = kind.as_ref().map_err(Clone::clone)?.text();
    let left = left.as_ref().map_err(Clone::clone)?.integer();
    // -1 is no expiry, -2 no such key.
    let is_there = left != Some(-2);
    let kind = kind.filter(|kind| kind != "none" && is_there);
    Ok(kind.map(|kind| Key {
        pattern: pattern(name),
        kind,
        expiry_ms: left.and_then(|left| left.try_into().ok()),
        ..Key::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_went_meanwhile_are_left_out() {
        let key = |kind: &str, left: i64| {
            let kind = Ok(Reply::Bytes(kind.into()));
            read(b"book:1", &kind, &Ok(Reply::Integer(left))).unwrap()
        };
        assert_eq!(key("none", -2), None);
        assert_eq!(key("hash", -2), None);
        assert_eq!(key("hash", -1).unwrap().expiry_ms, None);
        let held = key("string", 1_500).unwrap();
        assert_eq!(
            (held.expiry_ms, held.kind.as_str()),
            (Some(1_500), "string")
        );
        assert_eq!(held.pattern, "book:*");
    }
}
