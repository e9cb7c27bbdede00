//! How far a capture is, shard by shard: numbers that are written as it goes and read by whoever shows
//! them.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The shards of a capture under way.
#[derive(Debug, Default)]
pub struct Gauges {
    /// A gauge a shard.
    pub shards: Vec<Gauge>,
}

/// One shard.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Its node, as it is shown.
    pub name: String,
    bytes: AtomicU64,
    log_bytes: AtomicU64,
    keys: AtomicU64,
    announced: AtomicU64,
    stage: AtomicU8,
}

/// What a shard is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn, or for the server's fork.
    Waiting,
    /// Its base comes.
    Base,
    /// Its base is there; its log goes on up to the cut.
    Log,
    /// All is there.
    Done,
}

/// A gauge at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What it is at.
    pub stage: Stage,
    /// Bytes of the base so far.
    pub bytes: u64,
    /// Bytes of the log so far.
    pub log_bytes: u64,
    /// Keys so far.
    pub keys: u64,
    /// Keys that the server said there are; 0 before that.
    pub announced: u64,
}

impl Gauge {
    /// Of a node of that name.
    pub fn new(name: String) -> Gauge {
        Gauge {
            name,
            ..Gauge::default()
        }
    }

    /// What it shows.
    pub fn read(&self) -> Reading {
        let stage = match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Waiting,
            1 => Stage::Base,
            2 => Stage::Log,
            _ => Stage::Done,
        };
        Reading {
            stage,
            bytes: self.bytes.load(Ordering::Relaxed),
            log_bytes: self.log_bytes.load(Ordering::Relaxed),
            keys: self.keys.load(Ordering::Relaxed),
            announced: self.announced.load(Ordering::Relaxed),
        }
    }

    pub(super) fn base(&self, more: usize, (keys, announced): (u64, u64)) {
        self.bytes.fetch_add(more as u64, Ordering::Relaxed);
        self.keys.store(keys, Ordering::Relaxed);
        self.announced.store(announced, Ordering::Relaxed);
    }

    pub(super) fn log(&self, more: usize) {
        self.log_bytes.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}
