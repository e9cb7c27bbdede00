//! Large values in parts, so that no command holds a master up for long: their elements go to a key of
//! another name in the same slot (`bench`), and when all are there it gets its own name.
//!
//! RESTORE of a hash of 34 MB holds a Redis 7.0 up for three quarters of a second, a string of that size
//! for hardly a moment; so values of elements go this way as soon as they could hold it up, strings when they
//! are so long that nobody should hold them whole. Modules' values and arrays go by RESTORE or not at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::bench::{Bench, Named};
use super::brake::Brake;
use super::large::Large;
use super::ousted::Watch;
use super::pack::Packing;
use super::refusal::{Refused, shown};
use super::routes::Routes;
use super::trouble::Trouble;
use crate::cluster::Access;
use crate::ops::backup::Ground;
use crate::rdb::{Elements, Entry, Family, Limits, Outline, Reason, family};

/// So much of a value is restored in a millisecond at the least: 45 KB of a large hash on the slowest of
/// five servers (Redis 7.0), on two cores.
const BYTES_A_MS: u128 = 45_000;
/// The longest value that is held whole.
pub(super) const LONGEST: usize = 2 << 20;

/// The way for large values.
pub(super) struct Big {
    watch: Watch,
    /// From this size on.
    pub from: usize,
    limits: Limits,
}

impl Big {
    pub(super) fn new(
        access: &Access,
        ground: &Ground,
        routes: &Arc<Routes>,
        max_stall: Duration,
    ) -> Big {
        // A part may take a fifth of it: whoever else is served comes in between.
        let ms = usize::try_from(max_stall.as_millis() / 5).unwrap_or(usize::MAX);
        let from = (max_stall.as_millis() * BYTES_A_MS).clamp(64 << 10, LONGEST as u128);
        Big {
            watch: Watch {
                access: access.clone(),
                ground: ground.clone(),
                routes: routes.clone(),
            },
            from: from as usize,
            limits: Limits {
                bytes: ms.saturating_mul(PART_A_MS).clamp(16 << 10, 1 << 20),
                items: ms.saturating_mul(ELEMENTS_A_MS).clamp(100, 10_000),
            },
        }
    }

    /// Whether an entry that is there whole goes in parts.
    pub(super) fn is_meant(&self, entry: &Entry<'_>) -> bool {
        entry.value.len() >= self.from && has_elements(entry)
    }
}

fn has_elements(entry: &Entry<'_>) -> bool {
    match family(entry.dialect, entry.kind) {
        Ok(Family::Module | Family::Array | Family::Text) | Err(_) => false,
        Ok(_) => true,
    }
}

/// How often it is begun again when the target changes in the middle.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(300);
/// Bytes and elements of one part, for each ms that it may take.
const PART_A_MS: usize = 16 << 10;
const ELEMENTS_A_MS: usize = 250;

/// What became of a large value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is there.
    Whole,
    /// The key was there already.
    Busy,
    /// It cannot go.
    Impossible(Reason),
    /// The target does not take it.
    Refused(Refused),
}

impl Big {
    /// Builds the value up beside and gives it its name.
    pub(super) async fn send(
        &self,
        packing: &Packing,
        large: &Large<'_>,
        brake: &Brake,
    ) -> Result<Sent, Trouble> {
        let mut tried = 0;
        loop {
            match self.try_once(packing, large, brake).await {
                Err(trouble) if trouble.may_pass() && tried < TRIES => {
                    tried += 1;
                    sleep(PAUSE).await;
                    // Where nobody can be asked the next try says so.
                    let _ = self.watch.look().await;
                }
                ended => return ended,
            }
        }
    }

    async fn try_once(
        &self,
        packing: &Packing,
        large: &Large<'_>,
        brake: &Brake,
    ) -> Result<Sent, Trouble> {
        let table = self.watch.routes.now();
        let Some(addr) = table.addr(large.slot) else {
            return Err(Trouble::Disturbed(format!(
                "slot {} has no master",
                large.slot
            )));
        };
        let entry = large.entry();
        let unreadable = |error| Trouble::Value {
            key: shown(&large.key),
            error,
        };
        let mut outline = Outline::of(&entry).map_err(unreadable)?;
        if outline.wants_bytes() {
            let note = async |bytes: &[u8], _| outline.push(bytes).map_err(unreadable);
            large.parts(note).await?;
        }
        let elements = Elements::begin(&outline, packing.accepts(), self.limits);
        let mut elements = match elements.map_err(unreadable)? {
            Ok(elements) => elements.later(packing.later_ms(&entry)),
            Err(reason) => return Ok(Sent::Impossible(reason)),
        };
        drop(outline);
        let mut bench = Bench::open(&self.watch, addr, large).await?;
        let built = async {
            let send = async |bytes: &[u8], is_last: bool| {
                elements.push(bytes);
                if is_last {
                    elements.close();
                }
                while let Some(commands) = elements.next_batch().map_err(unreadable)? {
                    brake.take(commands.bytes()).await;
                    bench.part(commands).await?;
                }
                Ok(())
            };
            large.parts(send).await?;
            match packing.expiry(&entry) {
                Some(ms) => bench.expire(ms).await,
                None => Ok(()),
            }
        };
        match built.await {
            Ok(()) => {}
            Err(Trouble::NotThis(refused)) => {
                bench.leave().await;
                return Ok(Sent::Refused(refused));
            }
            Err(trouble) => return Err(trouble),
        }
        Ok(match bench.name(packing.replaces()).await? {
            Named::Well => Sent::Whole,
            Named::Busy => Sent::Busy,
        })
    }
}
