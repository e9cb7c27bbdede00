//! How many elements keys have, and how long a few of them are.

use super::ask::Key;
use super::pace::Pace;
use crate::cluster::error::NodeError;
use crate::cluster::node::{Command, Node, Reply};
use crate::cluster::replies::number;

/// Elements that are looked at, of each key.
const FEW: &str = "5";

/// Elements are fetched only of keys that take no more than this together in one flight, so that the
/// answer stays small. What listpacks are set up for is far smaller.
const MOST_FETCHED: u64 = 4 << 20;

/// The most bytes that one answer may have: a key may be larger than it was weighed.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Fills in elements and the longest of a few. Returns whether it is worth asking again: `false` when
/// every question was refused.
pub(super) async fn measure(
    node: &Node,
    found: &[(&[u8], Key)],
    keys: &mut [Key],
    pace: &mut Pace,
) -> Result<bool, NodeError> {
    node.allow(LONGEST_ANSWER);
    let mut fetched = 0;
    let mut questions = Vec::new();
    let mut meant = Vec::new();
    for (n, (name, key)) in found.iter().enumerate() {
        let Some(count) = count_of(&key.kind) else {
            continue;
        };
        ask(&mut questions, pace, Command::words(count).arg(name), count);
        meant.push((n, What::Count));
        let bytes = key.bytes.unwrap_or(u64::MAX);
        if let Some((command, more)) = few_of(&key.kind)
            && bytes <= MOST_FETCHED - fetched
        {
            fetched += bytes;
            let few = Command::words(command).arg(name);
            let few = more.iter().fold(few, Command::arg);
            ask(&mut questions, pace, few, command);
            meant.push((n, What::Few));
        }
    }
    let replies = node.ask_all(&questions).await?;
    let mut is_answered = questions.is_empty();
    for ((n, what), reply) in meant.into_iter().zip(replies) {
        let Ok(reply) = reply else { continue };
        is_answered = true;
        match what {
            What::Count => keys[n].elements = number(&reply),
            What::Few => keys[n].longest_bytes = longest(&reply),
        }
    }
    Ok(is_answered)
}

enum What {
    Count,
    Few,
}

fn ask(questions: &mut Vec<Command>, pace: &mut Pace, question: Command, command: &'static str) {
    questions.push(question);
    pace.count(command, 1);
}

/// What counts the elements of that type.
fn count_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "string" => "STRLEN",
        "hash" => "HLEN",
        "set" => "SCARD",
        "zset" => "ZCARD",
        "list" => "LLEN",
        "stream" => "XLEN",
        _ => return None,
    })
}

/// What gives a few elements of that type, and the arguments after the key. Entries of streams are not
/// looked at: no setting goes by the length of one.
fn few_of(kind: &str) -> Option<(&'static str, &'static [&'static str])> {
    Some(match kind {
        "hash" => ("HRANDFIELD", &[FEW, "WITHVALUES"]),
        "set" => ("SRANDMEMBER", &[FEW]),
        "zset" => ("ZRANDMEMBER", &[FEW]),
        "list" => ("LRANGE", &["0", "4"]),
        _ => return None,
    })
}

/// The longest element; of hashes the longest field or value, for the servers' limit holds for both.
fn longest(few: &Reply) -> Option<u64> {
    let length = |element: &Reply| match element {
        Reply::Bytes(bytes) => bytes.len(),
        other => other.text().unwrap_or_default().len(),
    };
    let longest = few.list().iter().map(length).max()?;
    u64::try_from(longest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_a_few_is_found() {
        let few = ["title", "a longer value", "x"].map(|text| Reply::Bytes(text.into()));
        assert_eq!(longest(&Reply::List(few.to_vec())), Some(14));
        assert_eq!(longest(&Reply::List(Vec::new())), None);
        assert_eq!(longest(&Reply::Nil), None);
    }

    #[test]
    fn types_of_modules_are_not_asked_about() {
        assert_eq!((count_of("ReJSON-RL"), few_of("stream")), (None, None));
    }
}
