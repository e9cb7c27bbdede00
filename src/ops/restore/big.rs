//! Large values in parts, so that no command holds a master up for long: their elements go to a key of
//! another name in the same slot, and when all are there it gets its own name.
//!
//! RESTORE of a hash of 34 MB holds a Redis 7.0 up for three quarters of a second, a string of that size
//! for hardly a moment; so values of elements go this way as soon as they could hold it up, strings when they
//! are so long that nobody should hold them whole. Modules' values and arrays go by RESTORE or not at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::brake::Brake;
use super::large::Large;
use super::ousted::Watch;
use super::pack::Packing;
use super::refusal::{Refusal, shown};
use super::routes::Routes;
use super::trouble::Trouble;
use crate::cluster::lane::{Batch, Lane};
use crate::cluster::{Access, Command, Node, key_in};
use crate::model::{NodeAddr, Slot, SlotSet};
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
/// How long one part may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes and elements of one part, for each ms that it may take.
const PART_A_MS: usize = 16 << 10;
const ELEMENTS_A_MS: usize = 250;

/// What became of a large value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is there.
    Whole,
    /// The key was there already.
    Busy,
    /// It cannot go.
    Impossible(Reason),
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
        let beside = beside(large);
        let mut lane = Lane::open(&self.watch.access, addr, PATIENCE).await?;
        if large.db != 0 {
            let mut select = Batch::default();
            select.push(&[b"SELECT", large.db.to_string().as_bytes()]);
            self.part(&mut lane, large.slot, select).await?;
        }
        let send = async |bytes: &[u8], is_last: bool| {
            elements.push(bytes);
            if is_last {
                elements.close();
            }
            while let Some(commands) = elements.next_batch().map_err(unreadable)? {
                let batch = named(commands, &beside);
                brake.take(batch.size()).await;
                self.part(&mut lane, large.slot, batch).await?;
            }
            Ok(())
        };
        large.parts(send).await?;
        if let Some(ms) = packing.expiry(&entry) {
            let mut batch = Batch::default();
            batch.push(&[b"PEXPIREAT", &beside, ms.to_string().as_bytes()]);
            self.part(&mut lane, large.slot, batch).await?;
        }
        self.name(addr, packing, large, &beside).await
    }

    /// Gives it its name, where that is free or what has it is replaced.
    async fn name(
        &self,
        addr: &NodeAddr,
        packing: &Packing,
        large: &Large<'_>,
        beside: &[u8],
    ) -> Result<Sent, Trouble> {
        let node = Node::connect(&self.watch.access, addr)
            .await?
            .with_deadline(PATIENCE);
        node.ask(&Command::words("SELECT").arg(large.db.to_string()))
            .await?;
        if packing.replaces() {
            // What is there goes in the background; RENAME would take its time for it.
            node.ask(&Command::words("UNLINK").arg(&large.key)).await?;
            node.ask(&Command::words("RENAME").arg(beside).arg(&large.key))
                .await?;
            return Ok(Sent::Whole);
        }
        let named = Command::words("RENAMENX").arg(beside).arg(&large.key);
        match node.ask(&named).await?.integer() {
            Some(0) => {
                node.ask(&Command::words("UNLINK").arg(beside)).await?;
                Ok(Sent::Busy)
            }
            _ => Ok(Sent::Whole),
        }
    }
}

impl Big {
    /// Sends one part and waits for its answer: others get their turn in between.
    async fn part(&self, lane: &mut Lane, slot: u16, batch: Batch) -> Result<(), Trouble> {
        lane.send(Arc::new(batch)).await;
        let addr = lane.addr().clone();
        let answered = tokio::select! {
            answered = lane.answered() => answered?,
            () = self.watch.ousted(&addr, slot) => {
                return Err(Trouble::Disturbed(format!("{addr} is no master any more")));
            }
        };
        match answered.answers.refused.into_iter().next() {
            None => Ok(()),
            Some((_, said)) => Err(match Refusal::of(&said) {
                Refusal::Moved | Refusal::Later | Refusal::Ask(_) => {
                    Trouble::Disturbed(format!("{addr} answered: {said}"))
                }
                _ => Trouble::NotTaken { addr, said },
            }),
        }
    }
}

/// Commands with the key that they are for.
fn named(commands: &crate::rdb::Batch, key: &[u8]) -> Batch {
    let mut batch = Batch::with_capacity(commands.bytes() + 1024);
    for command in commands.commands() {
        let arguments = command.arguments();
        batch.begin(arguments.len() + 2);
        batch.word(command.name());
        batch.word(key);
        arguments.for_each(|argument| batch.word(argument));
        batch.end();
    }
    batch
}

/// A name in the same slot that nobody else has.
fn beside(large: &Large<'_>) -> Vec<u8> {
    let slot = Slot::new(large.slot).map(|slot| SlotSet::range(slot, slot));
    let tag = slot.and_then(|slot| key_in(&slot)).unwrap_or_default();
    let hash = xxhash_rust::xxh3::xxh3_64(&large.key);
    format!("{{{tag}}}goodcache-restore:{hash:016x}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::restore::large::Source;
    use crate::rdb::Dialect;

    #[test]
    fn the_name_beside_lies_in_the_same_slot() {
        for key in [&b"plain"[..], b"a}b{c", b"{tag}x", b"\x00\xff"] {
            let slot = Slot::of_key(key);
            let entry = Entry {
                dialect: Dialect::redis(9),
                db: 0,
                key,
                kind: 0,
                value: &[],
                meta: &[],
                expires_ms: None,
                freq: None,
                idle_s: None,
                range: 0..0,
            };
            let large = Large::new(&entry, 0, Source::Held(Vec::new()));
            assert_eq!(Slot::of_key(&beside(&large)), slot, "{key:?}");
        }
    }
}
