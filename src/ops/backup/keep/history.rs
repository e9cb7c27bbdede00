//! Every write to a key that the time lines hold: when it came, from which shard, at which offset.

use std::collections::VecDeque;

use serde::Serialize;

use crate::archive::{ArchiveError, Logged, Replay, Repository, SnapshotId, Write};
use crate::model::{Event, Events};
use crate::rdb::{Changes, LogCommand};

/// The most rows that are kept: the last ones.
const MOST: usize = 10_000;
/// The most words of a command that are shown, and the most letters of each.
const WORDS: usize = 12;
const LETTERS: usize = 60;

/// What was written to a key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// Where it was looked for.
    pub repository: String,
    /// The key, in printable letters.
    pub key: String,
    /// From when on, ms since the epoch.
    pub since_ms: u64,
    /// Up to when.
    pub until_ms: u64,
    /// Commands that were read.
    pub commands: u64,
    /// The writes, in the order in which they came.
    pub writes: Vec<KeyWrite>,
    /// Earlier ones that are left out, for there were too many.
    pub left_out: u64,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyWrite {
    /// When it came, ms since the epoch by the follower's clock.
    pub at_ms: u64,
    /// Of which cluster.
    pub cluster: String,
    /// On which line.
    pub run: SnapshotId,
    /// From which shard of the line, from 1.
    pub shard: u32,
    /// The replication offset after it.
    pub offset: u64,
    /// The command, in capitals.
    pub command: String,
    /// Its words, printable and shortened.
    pub words: Vec<String>,
    /// Whether it names the key; else it may change every key.
    pub is_named: bool,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The key.
    pub key: Vec<u8>,
    /// Of which cluster; of all when nobody said.
    pub cluster: Option<String>,
    /// From when on, ms since the epoch.
    pub since_ms: u64,
    /// Up to when.
    pub until_ms: u64,
}

/// Looks for them. All segments of that time are read.
///
/// # Errors
/// When the repository cannot be read, or a segment is not what was sealed.
pub async fn history(
    repository: &Repository,
    asked: &Asked,
    events: &Events,
) -> Result<History, ArchiveError> {
    events.begin("reading time lines");
    let lines = repository.time_lines(asked.cluster.as_deref()).await?;
    let mut writes = VecDeque::new();
    let (mut commands, mut left_out) = (0, 0);
    for (done, line) in (1..).zip(&lines) {
        let mut replay = Replay::between(repository, line, asked.since_ms, asked.until_ms);
        while let Some(logged) = replay.next().await? {
            let Logged::Write(write) = logged else {
                continue;
            };
            commands += 1;
            let Some(is_named) = touches(&write, &asked.key) else {
                continue;
            };
            writes.push_back(KeyWrite {
                at_ms: write.at_ms,
                cluster: line.cluster(),
                run: line.id.run.clone(),
                shard: write.shard + 1,
                offset: write.offset,
                command: shown(write.words.first().map_or(&[][..], |word| word)).to_uppercase(),
                words: words(&write),
                is_named,
            });
            if writes.len() > MOST {
                writes.pop_front();
                left_out += 1;
            }
        }
        events.tell(Event::Progress(done, lines.len() as u64));
    }
    let mut writes = Vec::from(writes);
    // Lines follow each other, but those of different clusters lie side by side.
    writes.sort_by_key(|write| write.at_ms);
    Ok(History {
        repository: repository.place().to_owned(),
        key: shown(&asked.key),
        since_ms: asked.since_ms,
        until_ms: asked.until_ms,
        commands,
        writes,
        left_out,
    })
}

/// Whether a command changes the key, and if so, whether it names it.
fn touches(write: &Write, key: &[u8]) -> Option<bool> {
    let command = LogCommand {
        words: write.words.iter().map(|word| &word[..]).collect(),
        end: write.offset,
    };
    match command.changes() {
        Changes::Nothing => None,
        Changes::Keys(keys) => keys.contains(&key).then_some(true),
        Changes::All => Some(command.words.iter().skip(1).any(|word| *word == key)),
    }
}

fn words(write: &Write) -> Vec<String> {
    let rest = write.words.iter().skip(1);
    let mut words: Vec<String> = rest.take(WORDS).map(|word| shown(word)).collect();
    let more = write.words.len().saturating_sub(WORDS + 1);
    if more > 0 {
        words.push(format!("... {more} more"));
    }
    words
}

/// Printable, and not longer than a cell can be.
fn shown(bytes: &[u8]) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => bytes
            .iter()
            .take(LETTERS + 1)
            .copied()
            .flat_map(std::ascii::escape_default)
            .map(char::from)
            .collect(),
    };
    match text.char_indices().nth(LETTERS) {
        None => text,
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn write(words: &[&[u8]]) -> Write {
        Write {
            shard: 0,
            at_ms: 1,
            offset: 2,
            words: words
                .iter()
                .map(|word| Bytes::copy_from_slice(word))
                .collect(),
        }
    }

    #[test]
    fn which_commands_change_a_key() {
        for (words, expected) in [
            (&[&b"SET"[..], b"k", b"v"][..], Some(true)),
            (&[b"SET", b"other", b"k"], None),
            (&[b"UNLINK", b"other", b"k"], Some(true)),
            (&[b"FLUSHALL"], Some(false)),
            (&[b"PING"], None),
            (&[b"BRANDNEW", b"k"], Some(true)),
        ] {
            assert_eq!(touches(&write(words), b"k"), expected, "{words:?}");
        }
    }

    #[test]
    fn values_are_printable_and_short() {
        assert_eq!(shown("straße".as_bytes()), "straße");
        assert_eq!(shown(b"a\x00\xff\n"), "a\\x00\\xff\\n");
        assert_eq!(
            shown(&[b'x'; 100]),
            format!("{}... (100 bytes)", "x".repeat(60))
        );
        let many: Vec<&[u8]> = vec![b"RPUSH"; 20];
        assert_eq!(words(&write(&many)).last().unwrap(), "... 7 more");
    }
}
