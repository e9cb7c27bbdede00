//! A limit in bytes a second over all shards together.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The limit, or none.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: Option<u64>,
    /// When what was let through so far is paid for.
    paid: Mutex<Instant>,
}

impl Rate {
    pub(super) fn new(per_second: Option<u64>) -> Rate {
        Rate {
            per_second: per_second.filter(|rate| *rate > 0),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Waits until so many bytes more may be read. Unread bytes stay with the server's child, which
    /// waits; they fill no buffer of the server.
    pub(super) async fn take(&self, bytes: usize) {
        let Some(rate) = self.per_second else { return };
        let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let until = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            // What was not used is not saved up.
            *paid = (*paid).max(Instant::now()) + cost;
            *paid
        };
        sleep_until(until).await;
    }
}
