//! The clock that stamps what comes: one for all shards, and it never goes back. When the machine's
//! clock is set back, it stands until that has caught up, so that nothing changes its order.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared by all shards of a line.
pub(super) struct Clock {
    now_ms: fn() -> u64,
    last: AtomicU64,
}

impl Clock {
    /// One that is not before that moment.
    pub(super) fn after(last_ms: u64, now_ms: fn() -> u64) -> Clock {
        Clock {
            now_ms,
            last: AtomicU64::new(last_ms),
        }
    }

    /// Now, ms since the epoch.
    pub(super) fn now(&self) -> u64 {
        let now = (self.now_ms)();
        self.last.fetch_max(now, Ordering::SeqCst).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        static TIME: AtomicU64 = AtomicU64::new(0);
        let clock = Clock::after(50, || TIME.load(Ordering::SeqCst));
        let mut stamps = Vec::new();
        for time in [10, 100, 90, 95, 101] {
            TIME.store(time, Ordering::SeqCst);
            stamps.push(clock.now());
        }
        assert_eq!(stamps, [50, 100, 100, 100, 101]);
    }
}
