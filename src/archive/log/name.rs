//! The names of a time line's objects. They tell all that a listing needs; each object is bound to its
//! name, so none can be put in another's place.

use super::super::chunk::sha256;
use super::super::id::SnapshotId;
use super::super::manifest::Span;

/// The longest that a cluster's part of a name becomes.
const LONGEST_FOLDER: usize = 90;
/// Digits of a replication id in a name: enough to tell histories of one cluster apart.
const REPLID_DIGITS: usize = 8;

/// One time line: the cluster's folder, and when the line was begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId {
    /// The cluster's name as [`folder_of`] writes it.
    pub folder: String,
    /// Named as snapshots are, so that names are in the order of time.
    pub run: SnapshotId,
}

/// A sealed stretch of one shard's commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentName {
    /// Of which line.
    pub line: LineId,
    /// Which shard, as the line numbers them.
    pub shard: u32,
    /// Which in the order in which they were sealed, from 0.
    pub seq: u32,
    /// The first eight digits of the replication id under which it came.
    pub replid: String,
    /// What it spans. No command that came up to `last_ms` is in a later one.
    pub span: Span,
}

/// What happened to a line as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName {
    /// Of which line.
    pub line: LineId,
    /// Which in order, from 0.
    pub seq: u32,
    /// What.
    pub kind: EventKind,
    /// When, by the clock that stamps the commands.
    pub at_ms: u64,
}

/// What happens to a line as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Which shard has which slots, from then on.
    Owners,
    /// It broke, and says why.
    End,
}

/// Any object of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogName {
    /// Commands.
    Segment(SegmentName),
    /// An event.
    Event(EventName),
}

impl LineId {
    /// Where its objects lie: `log/<cluster>/<run>`.
    pub fn place(&self) -> String {
        format!("log/{}/{}", self.folder, self.run)
    }
}

impl SegmentName {
    /// `log/<cluster>/<run>/0003/00000017-8371b4fb-<first>-<last>-<first ms>-<last ms>`.
    pub fn name(&self) -> String {
        let Span {
            first_offset,
            last_offset,
            first_ms,
            last_ms,
        } = self.span;
        format!(
            "{}/{:04}/{:08}-{}-{first_offset}-{last_offset}-{first_ms}-{last_ms}",
            self.line.place(),
            self.shard,
            self.seq,
            self.replid
        )
    }
}

impl EventName {
    /// `log/<cluster>/<run>/all/00000002-owners-<ms>`.
    pub fn name(&self) -> String {
        let kind = match self.kind {
            EventKind::Owners => "owners",
            EventKind::End => "end",
        };
        format!(
            "{}/all/{:08}-{kind}-{}",
            self.line.place(),
            self.seq,
            self.at_ms
        )
    }
}

impl LogName {
    /// The name.
    pub fn name(&self) -> String {
        match self {
            LogName::Segment(segment) => segment.name(),
            LogName::Event(event) => event.name(),
        }
    }

    /// Of which line.
    pub fn line(&self) -> &LineId {
        match self {
            LogName::Segment(segment) => &segment.line,
            LogName::Event(event) => &event.line,
        }
    }

    /// Back from a name; `None` of what a later program may have put there.
    pub fn parse(name: &str) -> Option<LogName> {
        let mut parts = name.strip_prefix("log/")?.split('/');
        let line = LineId {
            folder: parts.next()?.to_owned(),
            run: parts.next()?.parse().ok()?,
        };
        let (of, own) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let words: Vec<&str> = own.split('-').collect();
        let parsed = match (of, words.as_slice()) {
            ("all", [seq, kind, at_ms]) => LogName::Event(EventName {
                line,
                seq: seq.parse().ok()?,
                kind: match *kind {
                    "owners" => EventKind::Owners,
                    "end" => EventKind::End,
                    _ => return None,
                },
                at_ms: at_ms.parse().ok()?,
            }),
            (shard, [seq, replid, first, last, first_ms, last_ms]) => {
                LogName::Segment(SegmentName {
                    line,
                    shard: shard.parse().ok()?,
                    seq: seq.parse().ok()?,
                    replid: (*replid).to_owned(),
                    span: Span {
                        first_offset: first.parse().ok()?,
                        last_offset: last.parse().ok()?,
                        first_ms: first_ms.parse().ok()?,
                        last_ms: last_ms.parse().ok()?,
                    },
                })
            }
            _ => return None,
        };
        // Written in another form it would not be found again under its name.
        (parsed.name() == name).then_some(parsed)
    }
}

/// The digits of a replication id that stand in names.
pub(super) fn short(replid: &str) -> String {
    replid.chars().take(REPLID_DIGITS).collect()
}

/// A cluster's name as a part of names: what a store or a shell could take amiss stands as `=` and its
/// byte, and a very long one ends in its hash.
pub fn folder_of(cluster: &str) -> String {
    let mut folder = String::new();
    for (at, byte) in cluster.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => folder.push_str("=2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                folder.push(char::from(byte));
            }
            other => folder.push_str(&format!("={other:02x}")),
        }
    }
    match folder.len() {
        0 => "=".to_owned(),
        1..=LONGEST_FOLDER => folder,
        _ => format!("{}=={}", &folder[..60], &sha256(cluster.as_bytes())[..16]),
    }
}

/// The name of the cluster whose folder it is; of a very long one its beginning.
pub fn cluster_of(folder: &str) -> String {
    let folder = folder.split("==").next().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut rest = folder.as_bytes();
    while let [first, after @ ..] = rest {
        let coded = (*first == b'=').then(|| {
            let digits = str::from_utf8(after.get(..2)?).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        match coded.flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> LineId {
        LineId {
            folder: folder_of("127.0.0.1:7000"),
            run: SnapshotId::new(1_795_538_274_123, 7),
        }
    }

    #[test]
    fn names_there_and_back() {
        let segment = SegmentName {
            line: line(),
            shard: 3,
            seq: 17,
            replid: short("8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb"),
            span: Span {
                first_offset: 100,
                last_offset: 200,
                first_ms: 5,
                last_ms: 9,
            },
        };
        let name = segment.name();
        assert_eq!(
            name,
            "log/127.0.0.1=3a7000/20261124T163754.123Z-00000007/0003/00000017-8371b4fb-100-200-5-9"
        );
        assert_eq!(LogName::parse(&name), Some(LogName::Segment(segment)));
        for kind in [EventKind::Owners, EventKind::End] {
            let event = EventName {
                line: line(),
                seq: 2,
                kind,
                at_ms: 77,
            };
            assert_eq!(
                LogName::parse(&event.name()),
                Some(LogName::Event(event.clone()))
            );
        }
    }

    #[test]
    fn what_is_no_name_is_passed_over() {
        let run = "20261124T163754.123Z-00000007";
        for name in [
            "data/x",
            "log/a",
            &format!("log/a/{run}/0003/00000017-8371b4fb-100-200-5"),
            &format!("log/a/{run}/0003/17-8371b4fb-100-200-5-9"),
            &format!("log/a/{run}/0003/00000017-8371b4fb-100-200-5-9/more"),
            &format!("log/a/{run}/all/00000000-newer-5"),
            "log/a/yesterday/0003/00000017-8371b4fb-100-200-5-9",
        ] {
            assert_eq!(LogName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn any_name_of_a_cluster_makes_a_folder() {
        for cluster in [
            "shop",
            "127.0.0.1:7000",
            "[::1]:7000",
            "a/b=c",
            "..",
            "ü",
            "my_shop",
        ] {
            let folder = folder_of(cluster);
            assert!(
                !folder.contains('/') && !folder.starts_with('.'),
                "{folder}"
            );
            assert_eq!(cluster_of(&folder), cluster);
        }
        let (a, b) = ("x".repeat(300), "x".repeat(301));
        assert_ne!(folder_of(&a), folder_of(&b));
        assert!(folder_of(&a).len() <= LONGEST_FOLDER);
        assert_eq!(cluster_of(&folder_of(&a)), "x".repeat(60));
    }
}
