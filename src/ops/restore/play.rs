//! The logs played into the target, behind the bases: every key that they change is set back to what the
//! base has, then changed as it was changed, in the order in which it was.
//!
//! Keys that must not be touched, or not yet, and those that they are tied to are played under names beside:
//! such as are not meant, or such as the target has. What is meant of them gets its name at the end.
//!
//! Order counts here and nothing may be done twice, so nothing goes out again by itself. When the target
//! changes in the middle (a failover, a moved slot) the whole is done once more from the first key: it
//! begins by setting them all back. A slot that is half moved does not hold it up.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::absolute::{Word, shifted};
use super::asking::{Asking, Question};
use super::beside::beside;
use super::brake::Brake;
use super::carried::{Carried, carried};
use super::feed::Feeds;
use super::load::Counts;
use super::log::{Key, Logged, Logs};
use super::outgoing::{Outgoing, slot};
use super::routes::Routes;
use super::select::Select;
use super::touched::{SHIFT_MS, Touched, hash};
use super::trouble::Trouble;
use crate::cluster::Access;
use crate::model::Slot;
use crate::rdb::Accepts;

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
    /// Whether the target has more databases than one.
    pub has_databases: bool,
}

/// A key, and the name under which it is played.
type Stand<'a> = (Key<'a>, Word<'a>);

impl Playing<'_> {
    /// Takes every key away that the logs change, and what an earlier try left beside.
    pub(super) async fn reset(&self, feeds: &Feeds) -> Result<(), Trouble> {
        self.touched.begin();
        // Wherever they are: who is asked first says where else.
        let table = Arc::new(self.routes.now().without_takers());
        let mut out = Outgoing::new(feeds, self.brake, table);
        let take = async |key: Key<'_>| {
            let (db, is_meant) = (key.db, self.is_meant(&key));
            if !self.has_database(&key) {
                if is_meant {
                    self.counts.has_no_database(db, key.name);
                }
                return Ok(());
            }
            let stand = self.stand(&key);
            let own = (is_meant && !self.touched.is_held(db, key.name)).then_some(key.name);
            let own = own.filter(|own| stand.as_deref() != Some(*own));
            for name in stand.iter().map(AsRef::as_ref).chain(own) {
                let words = [Word::from(&b"UNLINK"[..]), Word::from(name)];
                out.push(slot(name), db, &words).await?;
            }
            Ok(())
        };
        self.each_key(take).await?;
        out.finish().await
    }

    /// Plays every command.
    pub(super) async fn play(&self, feeds: &Feeds) -> Result<u64, Trouble> {
        let mut out = Outgoing::new(feeds, self.brake, self.routes.now());
        let mut played = 0;
        let take = async |logged: Logged<'_>| {
            let is_played = self.one(&mut out, &logged).await?;
            played += u64::from(is_played);
            Ok(())
        };
        self.logs.walk(self.touched, take).await?;
        out.finish().await?;
        Ok(played)
    }

    /// Plays one command; whether it is one that counts.
    async fn one(&self, out: &mut Outgoing<'_>, logged: &Logged<'_>) -> Result<bool, Trouble> {
        let mut stands = Vec::new();
        let mut left_out = 0;
        for key in logged.keys() {
            // What comes before its slot was emptied counts for nothing.
            let is_over =
                (self.touched).is_before_flush(logged.seq, key.db, Slot::of_key(key.name));
            match self.stand(&key).filter(|_| !is_over) {
                Some(name) => stands.push((key, name)),
                None => left_out += 1,
            }
        }
        if stands.is_empty() {
            return Ok(false);
        }
        match logged.command.is_separable() {
            true => self.separable(out, logged, &stands, left_out).await?,
            // Keys that others come from are all meant, or all played beside, or none.
            false if left_out > 0 => return Ok(false),
            false => self.together(out, logged, &stands).await?,
        }
        Ok(true)
    }

    /// A command that changes each of its keys by itself.
    async fn separable(
        &self,
        out: &mut Outgoing<'_>,
        logged: &Logged<'_>,
        stands: &[Stand<'_>],
        left_out: usize,
    ) -> Result<(), Trouble> {
        let name = logged.command.name();
        let words = shifted(&logged.command.words, logged.came_ms, SHIFT_MS);
        let here = |(key, _): &&Stand<'_>| self.has_database(key);
        let stands: Vec<&Stand<'_>> = stands.iter().filter(here).collect();
        for (key, name) in &stands {
            self.touched.find(key.db, name);
        }
        let slots: BTreeSet<u16> = stands.iter().map(|(_, name)| slot(name)).collect();
        let is_beside = |(key, name): &&Stand<'_>| name.as_ref() != key.name;
        let is_whole = left_out == 0 && slots.len() < 2 && !stands.iter().any(is_beside);
        if let (true, Some(slot)) = (is_whole, slots.first()) {
            return out.push(*slot, logged.db, &words).await;
        }
        // Of a server on its own, whose keys lie apart here; or only some are meant, or as they are.
        for (key, stand) in stands {
            let one = match name.as_str() {
                "del" | "unlink" => vec![words[0].clone(), stand.clone()],
                name => set(name, &words, key.place, stand.clone()),
            };
            out.push(slot(stand), key.db, &one).await?;
        }
        Ok(())
    }

    /// A command that goes whole or not at all.
    async fn together(
        &self,
        out: &mut Outgoing<'_>,
        logged: &Logged<'_>,
        stands: &[Stand<'_>],
    ) -> Result<(), Trouble> {
        let touched = self.touched;
        let why = stands.iter().find_map(|(key, name)| {
            let reason = touched.why_lost(key.db, name)?;
            logged.command.needs(key.place).then_some(reason)
        });
        let is_here = stands.iter().all(|(key, _)| self.has_database(key));
        let changed = stands.iter().filter(|(key, _)| key.is_changed);
        if is_here && why.is_none() {
            changed.for_each(|(key, name)| touched.find(key.db, name));
            let words = self.anew(logged, stands);
            let slot = stands.first().map_or(0, |(_, name)| slot(name));
            return out.push(slot, logged.db, &words).await;
        }
        let is_renamed = logged.command.name().starts_with("rename");
        // What it makes is not what it was; what was there before is not there any more either.
        for (key, name) in changed.filter(|(key, _)| self.has_database(key)) {
            match why {
                // That one has another name now.
                Some(_) if is_renamed && key.place == 1 => touched.find(key.db, name),
                Some(reason) => touched.lose(key.db, name, reason),
                None => {}
            }
            let words = [b"UNLINK"[..].into(), name.clone()];
            out.push(slot(name), key.db, &words).await?;
        }
        Ok(())
    }

    /// The command as the target takes it, with its times shifted and its keys where they are.
    fn anew<'b>(&self, logged: &Logged<'b>, stands: &[Stand<'b>]) -> Vec<Word<'b>> {
        let words = &logged.command.words;
        let mut anew = shifted(words, logged.came_ms, SHIFT_MS);
        for (key, name) in stands {
            anew[key.place] = name.clone();
        }
        let (touched, name) = (self.touched, logged.command.name());
        let at = |place: usize| stands.iter().find(|(key, _)| key.place == place);
        let may_have = |(key, name): &Stand<'_>| touched.may_have_fields(key.db, name);
        let note = |(key, name): &Stand<'_>| touched.note_fields(key.db, name);
        match (name.as_str(), at(1), at(2), words.get(3)) {
            ("restore" | "restore-asking", Some(stand), _, Some(payload)) => {
                match carried(stand.0.name, payload, self.accepts) {
                    Carried::Anew(payload, may_expire) => {
                        anew[3] = payload.into();
                        if may_expire {
                            note(stand);
                        }
                    }
                    Carried::AsItIs => {}
                    Carried::Impossible(reason) => {
                        // What was there before is not there any more either.
                        touched.lose(stand.0.db, &stand.1, reason);
                        return vec![b"UNLINK"[..].into(), stand.1.clone()];
                    }
                }
            }
            ("rename" | "renamenx" | "copy", Some(from), Some(to), _) if may_have(from) => note(to),
            ("move", Some(from), ..) if may_have(from) => stands.iter().for_each(note),
            (name, Some(stand), ..) if EXPIRING.contains(&name) => note(stand),
            _ => {}
        }
        anew
    }

    fn is_meant(&self, key: &Key<'_>) -> bool {
        self.select.takes_key(key.name) && !self.touched.is_spared(key.db, key.name)
    }

    fn has_database(&self, key: &Key<'_>) -> bool {
        key.db == 0 || self.has_databases
    }

    /// The name under which a key is played, if it is.
    fn stand<'b>(&self, key: &Key<'b>) -> Option<Word<'b>> {
        match self.touched.is_aside(key.db, key.name) {
            true => Some(beside(key.name).into()),
            false => self.is_meant(key).then(|| key.name.into()),
        }
    }

    /// Gives every key once.
    async fn each_key(
        &self,
        mut take: impl AsyncFnMut(Key<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut seen = HashSet::new();
        let walk = async |logged: Logged<'_>| {
            for key in logged.keys() {
                if seen.insert(hash(key.db, key.name)) {
                    take(key).await?;
                }
            }
            Ok(())
        };
        self.logs.walk(self.touched, walk).await
    }

    /// Shifts the expiries back, of fields too; those that are over end then.
    pub(super) async fn settle(&self) -> Result<(), Trouble> {
        let asking = |question| Asking::new(self.access, self.routes, question);
        let (mut keys, mut fields) = (asking(Question::Settle), asking(Question::SettleFields));
        let take = async |key: Key<'_>| {
            let Some(name) = self.stand(&key).filter(|_| self.has_database(&key)) else {
                return Ok(());
            };
            if let Some(reason) = self.touched.why_lost(key.db, &name)
                && self.is_meant(&key)
            {
                self.counts.cannot(reason, key.name);
            }
            if self.touched.may_have_fields(key.db, &name) {
                fields.add(key.db, &name).await?;
            }
            keys.add(key.db, &name).await
        };
        self.each_key(take).await?;
        keys.finish().await?;
        fields.finish().await.map(drop)
    }

    /// What is meant of that which was played beside gets its name; the rest goes.
    pub(super) async fn place(&self, is_over: bool) -> Result<(), Trouble> {
        if !self.touched.has_any_aside() {
            return Ok(());
        }
        let asking = |question| Asking::new(self.access, self.routes, question);
        let mut meant = asking(Question::Place { is_over });
        let mut others = asking(Question::Drop);
        let take = async |key: Key<'_>| match self.stand(&key).filter(|_| self.has_database(&key)) {
            Some(name) if name.as_ref() != key.name => match self.is_meant(&key) {
                true => meant.add(key.db, key.name).await,
                false => others.add(key.db, &name).await,
            },
            _ => Ok(()),
        };
        self.each_key(take).await?;
        meant.finish().await?;
        others.finish().await.map(drop)
    }

    /// Which of the keys that the logs touch the target has now.
    pub(super) async fn existing(&self) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
        let mut asking = Asking::new(self.access, self.routes, Question::Exists);
        let take = async |key: Key<'_>| match self.is_meant(&key) && self.has_database(&key) {
            true => asking.add(key.db, key.name).await,
            false => Ok(()),
        };
        self.each_key(take).await?;
        asking.finish().await
    }
}

/// A SET of one of the keys that a command sets at once, with its options. That all of them could be set is
/// known: it is in the log.
fn set<'a>(name: &str, words: &[Word<'a>], place: usize, key: Word<'a>) -> Vec<Word<'a>> {
    let value = words.get(place + 1).cloned().unwrap_or_default();
    let mut set = vec![b"SET"[..].into(), key, value];
    if name == "msetex" {
        let count = words
            .get(1)
            .and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
        let options = count.map_or(words.len(), |count: usize| 2 + count.saturating_mul(2));
        let is_condition =
            |word: &Word<'_>| [&b"NX"[..], b"XX"].contains(&&word.to_ascii_uppercase()[..]);
        let options = words
            .iter()
            .skip(options)
            .filter(|word| !is_condition(word));
        set.extend(options.cloned());
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_of_many_is_set_as_it_was() {
        for (line, place, expected) in [
            ("MSET a 1 b 2", 3, "SET beside 2"),
            ("MSETNX a 1 b 2", 1, "SET beside 1"),
            ("MSETEX 2 a 1 b 2 NX PXAT 9", 4, "SET beside 2 PXAT 9"),
            ("MSETEX 1 a nx KEEPTTL XX", 2, "SET beside nx KEEPTTL"),
        ] {
            let words: Vec<Word<'_>> = line.split(' ').map(|word| word.as_bytes().into()).collect();
            let name = line.split(' ').next().unwrap().to_ascii_lowercase();
            let set = set(&name, &words, place, b"beside"[..].into());
            assert_eq!(String::from_utf8(set.join(&b' ')).unwrap(), expected);
        }
    }
}
