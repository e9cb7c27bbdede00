//! Commands of a log on their way: batches for each master, filled and sent in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::absolute::Word;
use super::brake::Brake;
use super::feed::Feeds;
use super::parcel::Parcel;
use super::routes::Table;
use super::trouble::Trouble;
use crate::cluster::lane::Batch;
use crate::model::Slot;

/// Commands in one batch.
const COMMANDS: usize = 256;
const BATCH: usize = 64 << 10;

/// Batches for each master that are filled in order. Keys of a slot that is on its way all go to its taker:
/// they are new, since all were taken away before.
pub(super) struct Outgoing<'a> {
    feeds: &'a Feeds,
    brake: &'a Brake,
    table: Arc<Table>,
    open: BTreeMap<(usize, u64), (Batch, Vec<u16>)>,
    /// The last database of each master: a batch for another one ends that.
    last: BTreeMap<usize, u64>,
}

/// The number of a key's slot.
pub(super) fn slot(key: &[u8]) -> u16 {
    Slot::of_key(key).number()
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(feeds: &'a Feeds, brake: &'a Brake, table: Arc<Table>) -> Outgoing<'a> {
        Outgoing {
            feeds,
            brake,
            table,
            open: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// Sends that command, behind all others for its master.
    pub(super) async fn push(
        &mut self,
        slot: u16,
        db: u64,
        words: &[Word<'_>],
    ) -> Result<(), Trouble> {
        let taker = self.table.taker(slot);
        let Some(owner) = taker.or_else(|| self.table.owner(slot)) else {
            return Err(Trouble::Disturbed(format!("slot {slot} has no master")));
        };
        if let Some(last) = self.last.insert(owner, db).filter(|last| *last != db) {
            self.send((owner, last)).await?;
        }
        let (batch, slots) = self.open.entry((owner, db)).or_default();
        let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
        if taker.is_some() {
            batch.push(&[b"ASKING"]);
            slots.push(slot);
        }
        batch.push(&words);
        slots.push(slot);
        match batch.len() >= COMMANDS || batch.size() >= BATCH {
            true => self.send((owner, db)).await,
            false => Ok(()),
        }
    }

    async fn send(&mut self, way: (usize, u64)) -> Result<(), Trouble> {
        let (Some((batch, slots)), Some(addr)) =
            (self.open.remove(&way), self.table.masters.get(way.0))
        else {
            return Ok(());
        };
        self.brake.take(batch.size()).await;
        let parcel = Parcel::new(batch, slots, way.1, Vec::new());
        Ok(self.feeds.send(addr, parcel).await?)
    }

    /// Sends the rest and waits until all is answered.
    pub(super) async fn finish(mut self) -> Result<(), Trouble> {
        for way in self.open.keys().copied().collect::<Vec<_>>() {
            self.send(way).await?;
        }
        Ok(self.feeds.drain().await?)
    }
}
