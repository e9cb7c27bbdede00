//! A time line as its names tell it: which segments join, which bases lie on it, and from when to when
//! it can be restored. Pure.

use std::collections::BTreeMap;

use super::super::id::SnapshotId;
use super::super::manifest::{Consistency, Manifest};
use super::name::{EventKind, EventName, LineId, LogName, SegmentName, cluster_of, short};

/// How much later than the moment of a base what lies before its cut may be stamped: it was on its way.
const ON_ITS_WAY_MS: u64 = 2000;

/// One time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeLine {
    /// Which.
    pub id: LineId,
    /// A strand for each shard that has segments, by number.
    pub strands: Vec<Strand>,
    /// What happened to it as a whole, in order.
    pub events: Vec<EventName>,
    /// All its objects with their stored bytes, in the order of names.
    pub objects: Vec<(LogName, u64)>,
}

/// What one shard's link sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strand {
    /// Which shard, as the line numbers them.
    pub shard: u32,
    /// Segments that join, in order. More than one of these is a line of which something was taken away.
    pub joined: Vec<Joined>,
}

/// Segments of which each begins where the one before ends, or before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// In order, never none.
    pub segments: Vec<Listed>,
}

/// A segment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: SegmentName,
    /// Its bytes as stored.
    pub bytes: u64,
}

/// A base, as far as a line looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Which snapshot.
    pub id: SnapshotId,
    /// The moment that it is of.
    pub at_ms: u64,
    /// Where each of its shards was cut: history and offset.
    pub cuts: Vec<(String, u64)>,
}

/// A base that lies on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// Which snapshot.
    pub id: SnapshotId,
    /// The first moment that can be restored with it.
    pub from_ms: u64,
    /// The last.
    pub until_ms: u64,
    /// Where each strand of the line is taken up.
    pub starts: Vec<Start>,
}

/// Where a strand is taken up after a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The shard, as the line numbers them.
    pub shard: u32,
    /// The shard's place in the base's manifest; `None` when it had no slots then.
    pub base: Option<usize>,
    /// The offset after which it is played; `None` with `base`: by the time of the base.
    pub offset: Option<u64>,
    /// Which of the strand's joined stretches.
    pub(super) joined: usize,
}

impl Anchor {
    /// That of a snapshot; `None` of what is of no moment or has no histories.
    pub fn of(manifest: &Manifest) -> Option<Anchor> {
        if manifest.consistency == Consistency::Scan {
            return None;
        }
        let shards = manifest.shards.iter();
        let cuts = shards.map(|shard| Some((shard.replid.clone()?, shard.cut_offset)));
        Some(Anchor {
            id: manifest.id.clone(),
            at_ms: manifest.taken_at_ms,
            cuts: cuts.collect::<Option<_>>()?,
        })
    }
}

impl TimeLine {
    /// That of a listing.
    pub(super) fn of(id: LineId, mut objects: Vec<(LogName, u64)>) -> TimeLine {
        objects.sort_by_cached_key(|(name, _)| name.name());
        let mut strands: BTreeMap<u32, Vec<Listed>> = BTreeMap::new();
        let mut events = Vec::new();
        for (name, bytes) in &objects {
            match name {
                LogName::Segment(name) => strands.entry(name.shard).or_default().push(Listed {
                    name: name.clone(),
                    bytes: *bytes,
                }),
                LogName::Event(event) => events.push(event.clone()),
            }
        }
        events.sort_by_key(|event| (event.at_ms, event.seq));
        let strands = strands.into_iter();
        TimeLine {
            id,
            strands: strands
                .map(|(shard, segments)| Strand {
                    shard,
                    joined: joined(segments),
                })
                .collect(),
            events,
            objects,
        }
    }

    /// The cluster's name.
    pub fn cluster(&self) -> String {
        cluster_of(&self.id.folder)
    }

    /// The event that says why it broke; `None` when it goes on, or was left.
    pub fn end(&self) -> Option<&EventName> {
        let mut events = self.events.iter();
        events.find(|event| event.kind == EventKind::End)
    }

    /// The strand of a shard.
    pub fn strand(&self, shard: u32) -> Option<&Strand> {
        self.strands.iter().find(|strand| strand.shard == shard)
    }

    /// Segments in all.
    pub fn segments(&self) -> u64 {
        let names = self.objects.iter();
        names
            .filter(|(name, _)| matches!(name, LogName::Segment(_)))
            .count() as u64
    }

    /// When the last of it came.
    pub fn last_ms(&self) -> u64 {
        let objects = self.objects.iter().map(|(name, _)| match name {
            LogName::Segment(segment) => segment.span.last_ms,
            LogName::Event(event) => event.at_ms,
        });
        objects.max().unwrap_or(0)
    }

    /// Bytes as stored, of all its objects.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Where a base lies on it; `None` when it does not. Every shard of the base must have been cut at an
    /// offset that the line reaches under the same history.
    pub fn anchored(&self, anchor: &Anchor) -> Option<Anchored> {
        let mut starts = Vec::new();
        let (mut from_ms, mut until_ms) = (anchor.at_ms, u64::MAX);
        for (base, (replid, offset)) in anchor.cuts.iter().enumerate() {
            let (strand, joined) = self.strands.iter().find_map(|strand| {
                let at = strand
                    .joined
                    .iter()
                    .position(|joined| joined.holds(replid, *offset))?;
                Some((strand, at))
            })?;
            if starts
                .iter()
                .any(|start: &Start| start.shard == strand.shard)
            {
                return None;
            }
            until_ms = until_ms.min(strand.joined[joined].last_ms());
            from_ms = from_ms.max(strand.joined[joined].not_before(*offset, anchor.at_ms));
            starts.push(Start {
                shard: strand.shard,
                base: Some(base),
                offset: Some(*offset),
                joined,
            });
        }
        for strand in &self.strands {
            if starts.iter().any(|start| start.shard == strand.shard) {
                continue;
            }
            // It had no slots then. What it was given later must be there from that time on.
            let joined = strand
                .joined
                .iter()
                .position(|joined| joined.spans(anchor.at_ms))?;
            until_ms = until_ms.min(strand.joined[joined].last_ms());
            starts.push(Start {
                shard: strand.shard,
                base: None,
                offset: None,
                joined,
            });
        }
        starts.sort_by_key(|start| start.shard);
        (!anchor.cuts.is_empty()).then(|| Anchored {
            id: anchor.id.clone(),
            from_ms,
            until_ms: until_ms.max(from_ms),
            starts,
        })
    }

    /// The stretches of time that can be restored with these bases, in order, none touching the next.
    pub fn ranges(&self, anchors: &[Anchor]) -> Vec<(u64, u64)> {
        let anchored = anchors.iter().filter_map(|anchor| self.anchored(anchor));
        let mut ranges: Vec<(u64, u64)> = anchored
            .map(|anchored| (anchored.from_ms, anchored.until_ms))
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, until) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        merged
    }

    /// What a line that keeps only these bases has no use for: all of it without any, else what lies
    /// before the oldest of them.
    pub fn unused(&self, kept: &[Anchor]) -> Vec<(LogName, u64)> {
        let anchored = kept.iter().filter_map(|anchor| self.anchored(anchor));
        let Some(oldest) = anchored.min_by_key(|anchored| anchored.from_ms) else {
            return self.objects.clone();
        };
        let last_owners = self
            .events
            .iter()
            .rev()
            .find(|event| event.kind == EventKind::Owners && event.at_ms <= oldest.from_ms);
        let is_unused = |name: &LogName| match name {
            LogName::Segment(segment) => {
                let start = oldest
                    .starts
                    .iter()
                    .find(|start| start.shard == segment.shard);
                start.is_some_and(|start| match start.offset {
                    Some(offset) => segment.span.last_offset <= offset,
                    None => segment.span.last_ms < oldest.from_ms,
                })
            }
            LogName::Event(event) => {
                event.kind == EventKind::Owners
                    && last_owners.is_some_and(|last| event.at_ms < last.at_ms)
            }
        };
        let objects = self.objects.iter();
        objects
            .filter(|(name, _)| is_unused(name))
            .cloned()
            .collect()
    }
}

impl Strand {
    /// The last segment of what joins to the end.
    pub fn last(&self) -> Option<&Listed> {
        self.joined.last()?.segments.last()
    }
}

impl Joined {
    /// The offset before its first byte.
    pub fn first_offset(&self) -> u64 {
        self.segments
            .first()
            .map_or(0, |first| first.name.span.first_offset)
    }

    /// The offset after its last byte.
    pub fn last_offset(&self) -> u64 {
        let last = self
            .segments
            .iter()
            .map(|segment| segment.name.span.last_offset);
        last.max().unwrap_or(0)
    }

    /// When its first byte came.
    pub fn first_ms(&self) -> u64 {
        self.segments
            .first()
            .map_or(0, |first| first.name.span.first_ms)
    }

    /// All that came up to then is in it.
    pub fn last_ms(&self) -> u64 {
        let last = self
            .segments
            .iter()
            .map(|segment| segment.name.span.last_ms);
        last.max().unwrap_or(0)
    }

    /// The first moment for which a base of that moment, cut there, can serve. When the clock was set back
    /// before it was taken, it holds what is stamped later than itself.
    fn not_before(&self, offset: u64, at_ms: u64) -> u64 {
        let mut spans = self.segments.iter().map(|segment| segment.name.span);
        let cut = spans.find(|span| (span.first_offset + 1..=span.last_offset).contains(&offset));
        match cut {
            Some(span) if span.first_ms > at_ms + ON_ITS_WAY_MS => span.last_ms,
            _ => at_ms,
        }
    }

    fn spans(&self, at_ms: u64) -> bool {
        (self.first_ms()..=self.last_ms()).contains(&at_ms)
    }

    fn holds(&self, replid: &str, offset: u64) -> bool {
        let replid = short(replid);
        self.segments.iter().any(|segment| {
            let span = segment.name.span;
            segment.name.replid == replid
                && (span.first_offset..=span.last_offset).contains(&offset)
        })
    }
}

/// Joins what joins. What was stored twice (a writer that was killed before it knew) counts once.
fn joined(mut segments: Vec<Listed>) -> Vec<Joined> {
    segments.sort_by_key(|segment| {
        let span = segment.name.span;
        (span.first_offset, span.last_offset, segment.name.seq)
    });
    let mut joined: Vec<Joined> = Vec::new();
    for segment in segments {
        let span = segment.name.span;
        match joined.last_mut() {
            Some(last) if span.first_offset <= last.last_offset() => {
                if span.last_offset > last.last_offset() || span.last_ms > last.last_ms() {
                    last.segments.push(segment);
                }
            }
            _ => joined.push(Joined {
                segments: vec![segment],
            }),
        }
    }
    joined
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
