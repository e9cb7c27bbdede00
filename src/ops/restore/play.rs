//! The logs played into the target, behind the bases: every key that they change is set back to what the
//! base has, then changed as it was changed, in the order in which it was.
//!
//! Order counts here and nothing may be done twice, so nothing goes out again by itself. When the target
//! changes in the middle (a failover, a moved slot) the whole is done once more from the first key: it
//! begins by setting them all back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::absolute::{Word, shifted};
use super::asking::{Asking, Question};
use super::brake::Brake;
use super::carried::{Carried, carried};
use super::feed::Feeds;
use super::load::Counts;
use super::log::{Logged, Logs};
use super::parcel::Parcel;
use super::routes::{Routes, Table};
use super::select::Select;
use super::touched::{SHIFT_MS, Touched};
use super::trouble::Trouble;
use crate::cluster::Access;
use crate::cluster::lane::Batch;
use crate::model::Slot;
use crate::rdb::{Accepts, Changes};

/// Commands in one batch.
const COMMANDS: usize = 256;
const BATCH: usize = 64 << 10;
/// Commands by which fields of a hash may come to expire.
const EXPIRING: [&str; 6] = [
    "hexpire",
    "hpexpire",
    "hexpireat",
    "hpexpireat",
    "hsetex",
    "hgetex",
];

/// A play.
pub(super) struct Playing<'a> {
    pub logs: Logs<'a>,
    pub touched: &'a Touched,
    pub select: &'a Select,
    pub access: &'a Access,
    pub routes: &'a Arc<Routes>,
    pub brake: &'a Brake,
    /// The least that any master takes.
    pub accepts: Accepts,
    pub counts: &'a Counts,
}

/// Batches for each master that are filled in order.
struct Outgoing<'a> {
    feeds: &'a Feeds,
    brake: &'a Brake,
    table: Arc<Table>,
    open: BTreeMap<(usize, u64), (Batch, Vec<u16>)>,
    /// The last database of each master: a batch for another one ends that.
    last: BTreeMap<usize, u64>,
}

impl Playing<'_> {
    /// Takes every key away that the logs change.
    pub(super) async fn reset(&self, feeds: &Feeds) -> Result<(), Trouble> {
        let mut out = Outgoing::new(feeds, self);
        let take = async |logged: Logged<'_>| {
            for key in self.keys(&logged) {
                let words = [Word::from(&b"UNLINK"[..]), Word::from(key)];
                out.push(slot(key), logged.db, &words).await?;
            }
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        out.finish().await
    }

    /// Plays every command.
    pub(super) async fn play(&self, feeds: &Feeds) -> Result<u64, Trouble> {
        let mut out = Outgoing::new(feeds, self);
        let mut played = 0;
        let take = async |logged: Logged<'_>| {
            played += self.one(&mut out, &logged).await?;
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        out.finish().await?;
        Ok(played)
    }

    async fn one(&self, out: &mut Outgoing<'_>, logged: &Logged<'_>) -> Result<u64, Trouble> {
        let command = &logged.command;
        // What comes before its slot was emptied counts for nothing.
        let is_over =
            |key: &&[u8]| (self.touched).is_before_flush(logged.seq, logged.db, Slot::of_key(key));
        let mut keys = self.keys(logged);
        keys.retain(|key| !is_over(key));
        if keys.is_empty() {
            return Ok(0);
        }
        let slots: BTreeSet<u16> = keys.iter().map(|key| slot(key)).collect();
        let name = command.name();
        let all = match command.changes() {
            Changes::Keys(all) => all.len(),
            _ => 0,
        };
        let is_split = slots.len() > 1 || keys.len() < all;
        match name.as_str() {
            // Of a server on its own, whose keys lie apart here; or only some of them are meant.
            "del" | "unlink" if is_split => {
                for key in &keys {
                    let words = [Word::from(command.words[0]), Word::from(*key)];
                    out.push(slot(key), logged.db, &words).await?;
                }
            }
            "mset" if is_split => {
                for pair in command.words[1..].chunks_exact(2) {
                    if keys.contains(&pair[0]) {
                        let words = [&b"SET"[..], pair[0], pair[1]].map(Word::from);
                        out.push(slot(pair[0]), logged.db, &words).await?;
                    }
                }
            }
            _ => {
                let words = self.anew(logged, &name);
                let slot = slots.first().copied().unwrap_or(0);
                out.push(slot, logged.db, &words).await?;
            }
        }
        Ok(1)
    }

    /// The command as the target takes it, with its times shifted.
    fn anew<'b>(&self, logged: &Logged<'b>, name: &str) -> Vec<Word<'b>> {
        let (words, db) = (&logged.command.words, logged.db);
        let mut anew = shifted(words, logged.came_ms, SHIFT_MS);
        let key = |n: usize| words.get(n).copied().unwrap_or_default();
        match (name, words.get(3)) {
            ("restore" | "restore-asking", Some(payload)) => {
                match carried(key(1), payload, self.accepts) {
                    Carried::Anew(payload, may_expire) => {
                        anew[3] = payload.into();
                        if may_expire {
                            self.touched.note_fields(db, key(1));
                        }
                    }
                    Carried::AsItIs => {}
                    Carried::Impossible(reason) => {
                        // What was there before is not there any more either.
                        self.counts.cannot(reason, key(1));
                        return vec![b"UNLINK"[..].into(), key(1).into()];
                    }
                }
            }
            ("rename" | "renamenx" | "copy", _) if self.touched.may_have_fields(db, key(1)) => {
                self.touched.note_fields(db, key(2));
            }
            (name, _) if EXPIRING.contains(&name) => self.touched.note_fields(db, key(1)),
            _ => {}
        }
        anew
    }

    /// The keys that a command changes and that are meant.
    fn keys<'b>(&self, logged: &Logged<'b>) -> Vec<&'b [u8]> {
        let Changes::Keys(keys) = logged.command.changes() else {
            return Vec::new();
        };
        let is_meant =
            |key: &&[u8]| self.select.takes_key(key) && !self.touched.is_spared(logged.db, key);
        keys.into_iter().filter(is_meant).collect()
    }

    /// Shifts the expiries back; those that are over end then.
    pub(super) async fn settle(&self) -> Result<(), Trouble> {
        let mut asking = Asking::new(self.access, self.routes, Question::Settle);
        let take = async |logged: Logged<'_>| {
            for key in self.keys(&logged) {
                asking.add(logged.db, key).await?;
            }
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        asking.finish().await?;
        self.settle_fields().await
    }

    /// The same for fields.
    async fn settle_fields(&self) -> Result<(), Trouble> {
        let mut asking = Asking::new(self.access, self.routes, Question::SettleFields);
        let take = async |logged: Logged<'_>| {
            for key in self.keys(&logged) {
                if self.touched.may_have_fields(logged.db, key) {
                    asking.add(logged.db, key).await?;
                }
            }
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        asking.finish().await.map(drop)
    }

    /// Which of the keys that the logs change the target has now.
    pub(super) async fn existing(&self) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
        let mut asking = Asking::new(self.access, self.routes, Question::Exists);
        let take = async |logged: Logged<'_>| {
            for key in self.keys(&logged) {
                asking.add(logged.db, key).await?;
            }
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        asking.finish().await
    }
}

pub(super) fn slot(key: &[u8]) -> u16 {
    Slot::of_key(key).number()
}

impl<'a> Outgoing<'a> {
    fn new(feeds: &'a Feeds, playing: &Playing<'a>) -> Outgoing<'a> {
        Outgoing {
            feeds,
            brake: playing.brake,
            table: playing.routes.now(),
            open: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    async fn push(&mut self, slot: u16, db: u64, words: &[Word<'_>]) -> Result<(), Trouble> {
        let Some(owner) = self.table.owner(slot) else {
            return Err(Trouble::Disturbed(format!("slot {slot} has no master")));
        };
        if let Some(last) = self.last.insert(owner, db).filter(|last| *last != db) {
            self.send((owner, last)).await?;
        }
        let (batch, slots) = self.open.entry((owner, db)).or_default();
        let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
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

    async fn finish(mut self) -> Result<(), Trouble> {
        for way in self.open.keys().copied().collect::<Vec<_>>() {
            self.send(way).await?;
        }
        Ok(self.feeds.drain().await?)
    }
}
