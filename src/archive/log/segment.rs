//! What is in a segment: a line of JSON, then the bytes as they came, each batch with its stamp.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::chunk::ChunkError;
use super::name::SegmentName;
use crate::model::{NodeAddr, NodeId, SlotSet};

/// Of segments and events. Raised when an older program could not read them any more.
const FORMAT: u32 = 1;
/// The most raw bytes of commands that one segment holds; a longer command goes on in the next.
pub const MOST_SEGMENT: usize = 64 << 20;
/// Before each batch: its stamp (8 bytes) and its length (4 bytes), little-endian.
const FRAME: usize = 12;

/// What the first line of a segment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHead {
    /// Of the segment.
    #[serde(default)]
    pub format: u32,
    /// The replication id under which it came.
    pub replid: String,
    /// The offset after which its first whole command, or transaction, begins.
    pub first_command: u64,
    /// How many commands end in it.
    #[serde(default)]
    pub commands: u64,
    /// Whether it ends within a command, which was too long for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_inside: bool,
    /// The slots that the shard had when it was sealed.
    #[serde(default)]
    pub slots: SlotSet,
}

/// A segment that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// What its first line says.
    pub head: SegmentHead,
    raw: Vec<u8>,
    frames: Vec<(u64, Range<usize>)>,
}

/// Which shard has which slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Of the event.
    #[serde(default)]
    pub format: u32,
    /// The cluster's name.
    pub cluster: String,
    /// When it was seen, by the clock that stamps the commands. It happened up to a second or two before.
    pub at_ms: u64,
    /// The shards, as the line numbers them.
    pub shards: Vec<Owner>,
}

/// One shard among the owners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Which, as the line numbers them.
    pub shard: u32,
    /// What it has.
    pub slots: SlotSet,
    /// What of that is on its way out, key by key.
    #[serde(default)]
    pub leaving: SlotSet,
    /// Its master.
    pub master: NodeId,
    /// Where that is reached.
    pub addr: NodeAddr,
    /// All nodes that were of the shard so far: one of them is promoted when the master fails.
    #[serde(default)]
    pub nodes: Vec<NodeId>,
}

/// Why a line broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Of the event.
    #[serde(default)]
    pub format: u32,
    /// When.
    pub at_ms: u64,
    /// Why.
    pub why: String,
}

impl Owners {
    /// Those of a moment.
    pub fn new(cluster: &str, at_ms: u64, shards: Vec<Owner>) -> Owners {
        Owners {
            format: FORMAT,
            cluster: cluster.to_owned(),
            at_ms,
            shards,
        }
    }
}

impl End {
    /// Of that moment.
    pub fn new(at_ms: u64, why: String) -> End {
        End {
            format: FORMAT,
            at_ms,
            why,
        }
    }
}

/// A segment's bytes, before they are packed.
pub fn encode_segment(mut head: SegmentHead, frames: &[(u64, Bytes)]) -> Vec<u8> {
    head.format = FORMAT;
    // Of numbers and texts: it cannot fail, and an empty first line would be refused when it is read.
    let line = serde_json::to_vec(&head).unwrap_or_default();
    let sum: usize = frames.iter().map(|(_, bytes)| bytes.len() + FRAME).sum();
    let mut raw = Vec::with_capacity(line.len() + 1 + sum);
    raw.extend_from_slice(&line);
    raw.push(b'\n');
    for (at_ms, bytes) in frames {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        raw.extend_from_slice(&at_ms.to_le_bytes());
        raw.extend_from_slice(&length.to_le_bytes());
        raw.extend_from_slice(bytes);
    }
    raw
}

impl Segment {
    /// Takes raw bytes apart, and compares them with what the name says.
    ///
    /// # Errors
    /// When they cannot be that segment's.
    pub fn parse(name: &SegmentName, raw: Vec<u8>) -> Result<Segment, ChunkError> {
        parse(name, raw).map_err(|why| ChunkError::Unpacked {
            name: name.name(),
            why,
        })
    }

    /// The batches in order: when each came, and its bytes.
    pub fn frames(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (0..self.frames.len()).filter_map(|n| self.frame(n))
    }

    /// One of them.
    pub fn frame(&self, n: usize) -> Option<(u64, &[u8])> {
        let (at_ms, range) = self.frames.get(n)?;
        Some((*at_ms, &self.raw[range.clone()]))
    }
}

fn parse(name: &SegmentName, raw: Vec<u8>) -> Result<Segment, String> {
    let end = raw.iter().position(|&byte| byte == b'\n');
    let end = end.ok_or("it has no first line")?;
    let head: SegmentHead =
        serde_json::from_slice(&raw[..end]).map_err(|why| format!("its first line: {why}"))?;
    if head.format > FORMAT {
        let found = head.format;
        return Err(format!(
            "it has format {found}, and this goodcache reads {FORMAT}"
        ));
    }
    if !head.replid.starts_with(&name.replid) {
        return Err("it is of another history than its name says".to_owned());
    }
    let (mut frames, mut at, mut bytes, mut last_ms) = (Vec::new(), end + 1, 0_u64, 0);
    while at < raw.len() {
        let (at_ms, range) = frame(&raw, at).ok_or("a batch is cut short")?;
        if at_ms < last_ms || at_ms > name.span.last_ms {
            return Err("its stamps are out of order".to_owned());
        }
        (at, last_ms) = (range.end, at_ms);
        bytes += range.len() as u64;
        frames.push((at_ms, range));
    }
    let spanned = name.span.last_offset.checked_sub(name.span.first_offset);
    if spanned != Some(bytes) {
        return Err(format!(
            "it holds {bytes} bytes, which is not what its name spans"
        ));
    }
    Ok(Segment { head, raw, frames })
}

fn frame(raw: &[u8], at: usize) -> Option<(u64, Range<usize>)> {
    let (stamp, length) = raw.get(at..at + FRAME)?.split_at(8);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let from = at + FRAME;
    let range = from..from.checked_add(length)?;
    raw.get(range.clone())?;
    Some((u64::from_le_bytes(stamp.try_into().ok()?), range))
}

#[cfg(test)]
mod tests {
    use super::super::super::id::SnapshotId;
    use super::super::super::manifest::Span;
    use super::super::name::LineId;
    use super::*;

    fn name(last_offset: u64, last_ms: u64) -> SegmentName {
        SegmentName {
            line: LineId {
                folder: "shop".into(),
                run: SnapshotId::new(1, 1),
            },
            shard: 0,
            seq: 0,
            replid: "8371b4fb".into(),
            span: Span {
                first_offset: 100,
                last_offset,
                first_ms: 5,
                last_ms,
            },
        }
    }

    fn raw() -> Vec<u8> {
        let head = SegmentHead {
            format: 0,
            replid: "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb".into(),
            first_command: 100,
            commands: 2,
            ends_inside: false,
            slots: SlotSet::full(),
        };
        encode_segment(
            head,
            &[
                (5, Bytes::from_static(b"abc")),
                (9, Bytes::from_static(b"de")),
            ],
        )
    }

    #[test]
    fn there_and_back() {
        let segment = Segment::parse(&name(105, 9), raw()).unwrap();
        assert_eq!(segment.head.slots, SlotSet::full());
        let frames: Vec<_> = segment.frames().collect();
        assert_eq!(frames, [(5, &b"abc"[..]), (9, &b"de"[..])]);
    }

    #[test]
    fn what_its_name_does_not_say_is_refused() {
        for (name, raw, why) in [
            (name(106, 9), raw(), "not what its name spans"),
            (name(105, 8), raw(), "out of order"),
            (name(105, 9), raw()[..raw().len() - 1].to_vec(), "cut short"),
            (name(105, 9), b"no line".to_vec(), "no first line"),
            (name(105, 9), b"{}\n".to_vec(), "its first line"),
        ] {
            let error = Segment::parse(&name, raw).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let mut other = name(105, 9);
        other.replid = "00000000".into();
        assert!(Segment::parse(&other, raw()).is_err());
    }
}
