//! What is read in which order: runs of pieces that can be read on their own, dealt out so that every
//! master of the target has something to do. Pure.
//!
//! A run begins with a piece that begins between two entries, and goes on through those that begin in the
//! middle of one. Bases that are sorted by slots (newer servers write them so) come in the order of the
//! target's masters, one run for each in turn; of others every piece holds something for everybody.

use std::collections::{BTreeMap, VecDeque};

use super::routes::Table;
use crate::archive::{Manifest, Shard};

/// What a sample has at the least: so many bytes, and one in so many of all.
const SAMPLE: u64 = 32 << 20;
const SAMPLED: u64 = 32;

/// A run of pieces of one shard's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub shard: usize,
    /// The places of its pieces in the base, from the first to before the last.
    pub pieces: std::ops::Range<usize>,
}

/// All jobs, in the order in which they are dealt out.
pub(super) fn jobs(manifest: &Manifest, table: &Table) -> VecDeque<Job> {
    let mut by_master = BTreeMap::<Option<usize>, VecDeque<Job>>::new();
    for (index, shard) in manifest.shards.iter().enumerate() {
        for pieces in runs(shard) {
            let first = shard.base[pieces.start].first_slot;
            let master = first.and_then(|slot| table.owner(slot.number()));
            let job = Job {
                shard: index,
                pieces,
            };
            by_master.entry(master).or_default().push_back(job);
        }
    }
    let mut dealt = VecDeque::new();
    while !by_master.is_empty() {
        by_master.retain(|_, jobs| {
            dealt.extend(jobs.pop_front());
            !jobs.is_empty()
        });
    }
    dealt
}

/// A few of those jobs from everywhere, by which all are judged, and how many times as many bytes there are
/// in all; all of them where there are few.
pub(super) fn sample(jobs: &[Job], manifest: &Manifest) -> (Vec<Job>, f64) {
    let bytes = |job: &Job| -> u64 {
        let chunks = &manifest.shards[job.shard].base[job.pieces.clone()];
        chunks.iter().map(|chunk| chunk.raw_bytes).sum()
    };
    let all: u64 = jobs.iter().map(bytes).sum();
    let wanted = SAMPLE.max(all / SAMPLED);
    // As many of them as the share of bytes that is wanted, rounded up.
    let every = (all / wanted.max(1)).max(1);
    let every = usize::try_from(every).unwrap_or(usize::MAX);
    let chosen = jobs.iter().skip(every / 2).step_by(every);
    let chosen: Vec<Job> = chosen.cloned().collect();
    let sampled: u64 = chosen.iter().map(bytes).sum();
    (chosen, all as f64 / sampled.max(1) as f64)
}

/// A piece that ends in the middle of a value belongs to every slot, as far as its writer knew.
fn runs(shard: &Shard) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let mut begin = 0;
    for (n, chunk) in shard.base.iter().enumerate() {
        let ends_between = chunk.first_slot.is_some();
        if ends_between {
            runs.push(begin..n + 1);
            begin = n + 1;
        }
    }
    if begin < shard.base.len() {
        match runs.last_mut() {
            // The end of the stream holds no entry; it is read with what comes before it.
            Some(last) => last.end = shard.base.len(),
            None => runs.push(begin..shard.base.len()),
        }
    }
    runs
}
