//! How far each shard is: set by what works, read by whoever shows it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Those of a line.
#[derive(Debug, Default)]
pub struct LineGauges {
    /// A shard each.
    pub shards: Vec<LineGauge>,
}

/// That of a shard.
#[derive(Debug, Default)]
pub struct LineGauge {
    is_attached: AtomicBool,
    /// The master's offset when it was last asked.
    master: AtomicU64,
    received: AtomicU64,
    durable: AtomicU64,
    durable_ms: AtomicU64,
    segments: AtomicU64,
    bytes: AtomicU64,
}

/// All of them at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineReading {
    /// Shards.
    pub shards: usize,
    /// Shards whose log is being received.
    pub attached: usize,
    /// Bytes of commands that are in no segment yet.
    pub behind_bytes: u64,
    /// All that came up to then is durable; `None` before the first segments.
    pub durable_ms: Option<u64>,
    /// Segments sealed since this run of the program.
    pub segments: u64,
    /// Their bytes as stored.
    pub bytes: u64,
}

impl LineGauge {
    pub(super) fn attach(&self, is_attached: bool) {
        self.is_attached.store(is_attached, Ordering::Relaxed);
    }

    pub(super) fn master(&self, offset: u64) {
        self.master.store(offset, Ordering::Relaxed);
    }

    pub(super) fn received(&self, offset: u64) {
        self.received.store(offset, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, offset: u64, at_ms: u64) {
        self.received(offset);
        self.durable.store(offset, Ordering::Relaxed);
        self.durable_ms.store(at_ms, Ordering::Relaxed);
    }

    pub(super) fn sealed(&self, offset: u64, at_ms: u64, bytes: u64) {
        self.durable.store(offset, Ordering::Relaxed);
        self.durable_ms.store(at_ms, Ordering::Relaxed);
        self.segments.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl LineGauges {
    /// For so many shards.
    pub(super) fn new(shards: usize) -> LineGauges {
        LineGauges {
            shards: (0..shards).map(|_| LineGauge::default()).collect(),
        }
    }

    /// How far all are.
    pub fn read(&self) -> LineReading {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let mut reading = LineReading {
            shards: self.shards.len(),
            ..LineReading::default()
        };
        let mut durable_ms = u64::MAX;
        for shard in &self.shards {
            reading.attached += usize::from(shard.is_attached.load(Ordering::Relaxed));
            let known = load(&shard.master).max(load(&shard.received));
            reading.behind_bytes += known.saturating_sub(load(&shard.durable));
            durable_ms = durable_ms.min(load(&shard.durable_ms));
            reading.segments += load(&shard.segments);
            reading.bytes += load(&shard.bytes);
        }
        reading.durable_ms = (durable_ms > 0 && durable_ms < u64::MAX).then_some(durable_ms);
        reading
    }
}
