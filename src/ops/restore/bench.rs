//! The place at which a large value is built up: a key of another name in the same slot, on the node that
//! takes it, until all of it is there and it gets its own name.
//!
//! A slot that is half moved takes new keys where it is on its way to, each command behind an ASKING. No
//! server renames a key there to a name that nobody has (TRYAGAIN), so the name is first given to a mark: the
//! name of the key beside, by which a later run knows that it is no value of anybody's.

use std::sync::Arc;
use std::time::Duration;

use super::following::{points_to, selected};
use super::large::Large;
use super::ousted::Watch;
use super::refusal::{Refusal, Refused, shown};
use super::trouble::Trouble;
use crate::cluster::lane::{Batch, Lane};
use crate::cluster::{Command, Node, NodeError, Reply, key_in};
use crate::model::{NodeAddr, Slot, SlotSet};

/// How long one part may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where one value is built up.
pub(super) struct Bench<'a> {
    watch: &'a Watch,
    lane: Lane,
    owner: &'a NodeAddr,
    large: &'a Large<'a>,
    /// The name of the key beside.
    pub beside: Vec<u8>,
    /// Whether the slot is on its way to where the lane goes.
    is_asked: bool,
}

/// Whether it has its name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It has.
    Well,
    /// Another key has it.
    Busy,
}

impl<'a> Bench<'a> {
    /// With the owner of its slot, or where it is on its way to; what an earlier try left is gone then.
    pub(super) async fn open(
        watch: &'a Watch,
        owner: &'a NodeAddr,
        large: &'a Large<'a>,
    ) -> Result<Bench<'a>, Trouble> {
        let mut bench = Bench {
            watch,
            lane: lane(watch, owner, large.db).await?,
            owner,
            large,
            beside: beside(large),
            is_asked: false,
        };
        let Some(to) = bench.clear().await? else {
            return Ok(bench);
        };
        let to = watch.access.map.reach(&to);
        bench.lane = lane(watch, &to, large.db).await?;
        bench.is_asked = true;
        match bench.clear().await? {
            None => Ok(bench),
            Some(_) => Err(Trouble::Disturbed(format!(
                "{to} sends slot {} on",
                large.slot
            ))),
        }
    }

    /// Takes the key beside away, and tells where ASK points.
    async fn clear(&mut self) -> Result<Option<NodeAddr>, Trouble> {
        let mut batch = Batch::default();
        // Twice: only of a key that is not there it is told where it goes.
        for _ in 0..2 {
            self.push(&mut batch, &[b"UNLINK", &self.beside]);
        }
        match self.answer(batch).await? {
            None => Ok(None),
            Some((said, refused)) => match Refusal::of(&said) {
                Refusal::Ask(to) => Ok(Some(to)),
                _ => Err(self.trouble(said, refused)),
            },
        }
    }

    /// Takes the key beside away, as far as it goes.
    pub(super) async fn leave(&mut self) {
        // What stays is taken away by the next try.
        let _ = self.clear().await;
    }

    /// Sends commands about the key beside, and waits for their answer: others get their turn in between.
    pub(super) async fn part(&mut self, commands: &crate::rdb::Batch) -> Result<(), Trouble> {
        let mut batch = Batch::with_capacity(commands.bytes() + 1024);
        for command in commands.commands() {
            if self.is_asked {
                batch.push(&[b"ASKING"]);
            }
            let arguments = command.arguments();
            batch.begin(arguments.len() + 2);
            batch.word(command.name());
            batch.word(&self.beside);
            arguments.for_each(|argument| batch.word(argument));
            batch.end();
        }
        self.send(batch).await
    }

    /// Says when the key beside expires.
    pub(super) async fn expire(&mut self, ms: i64) -> Result<(), Trouble> {
        let mut batch = Batch::default();
        let ms = ms.to_string();
        self.push(&mut batch, &[b"PEXPIREAT", &self.beside, ms.as_bytes()]);
        self.send(batch).await
    }

    fn push(&self, batch: &mut Batch, words: &[&[u8]]) {
        if self.is_asked {
            batch.push(&[b"ASKING"]);
        }
        batch.push(words);
    }

    async fn send(&mut self, batch: Batch) -> Result<(), Trouble> {
        match self.answer(batch).await? {
            None => Ok(()),
            Some((said, refused)) => Err(self.trouble(said, refused)),
        }
    }

    /// The first refusal, and of which command.
    async fn answer(&mut self, batch: Batch) -> Result<Option<(String, Refused)>, Trouble> {
        self.lane.send(Arc::new(batch)).await;
        let addr = self.lane.addr().clone();
        let answered = tokio::select! {
            answered = self.lane.answered() => answered?,
            () = self.watch.ousted(&addr, self.large.slot) => {
                return Err(Trouble::Disturbed(format!("{addr} is no master any more")));
            }
        };
        let first = answered.answers.refused.into_iter().next();
        Ok(first.map(|(n, said)| {
            let refused = Refused::of(answered.batch.command(n), said.clone());
            (said, refused)
        }))
    }

    fn trouble(&self, said: String, refused: Refused) -> Trouble {
        let addr = self.lane.addr().clone();
        match Refusal::of(&said) {
            Refusal::Moved | Refusal::Later | Refusal::Ask(_) => {
                Trouble::Disturbed(format!("{addr} answered: {said}"))
            }
            Refusal::Fatal => Trouble::NotTaken { addr, said },
            Refusal::Busy | Refusal::Overtaken | Refusal::Refused => Trouble::NotThis(Refused {
                key: shown(&self.large.key),
                ..refused
            }),
        }
    }

    /// Gives it its name, where that is free or what has it is replaced.
    pub(super) async fn name(&self, replaces: bool) -> Result<Named, Trouble> {
        match self.is_asked {
            false => self.name_here(replaces).await,
            true => self.name_there(replaces).await,
        }
    }

    async fn name_here(&self, replaces: bool) -> Result<Named, Trouble> {
        let node = self.node(self.owner).await?;
        let (beside, key) = (&self.beside, &self.large.key);
        let rename = Command::words("RENAME").arg(beside).arg(key);
        if replaces {
            // What is there goes in the background; RENAME would take its time for it.
            node.ask(&Command::words("UNLINK").arg(key)).await?;
            node.ask(&rename).await?;
            return Ok(Named::Well);
        }
        let named = Command::words("RENAMENX").arg(beside).arg(key);
        if node.ask(&named).await?.integer() != Some(0) {
            return Ok(Named::Well);
        }
        if self.is_mark(node.ask(&self.look()).await) {
            node.ask(&rename).await?;
            return Ok(Named::Well);
        }
        node.ask(&Command::words("UNLINK").arg(beside)).await?;
        Ok(Named::Busy)
    }

    async fn name_there(&self, replaces: bool) -> Result<Named, Trouble> {
        let (beside, key) = (&self.beside, &self.large.key);
        let is_left = self.is_left(replaces).await?;
        let node = self.node(self.lane.addr()).await?;
        let ask = async |command: Command| {
            let flight = [Command::words("ASKING"), command];
            let mut answers = node.ask_all(&flight).await?;
            answers.pop().unwrap_or(Ok(Reply::Nil))
        };
        if replaces {
            ask(Command::words("UNLINK").arg(key)).await?;
        }
        let mark = Command::words("SET").arg(key).arg(beside).arg("NX");
        let is_free =
            !is_left && (ask(mark).await? != Reply::Nil || self.is_mark(ask(self.look()).await));
        match is_free {
            true => ask(Command::words("RENAME").arg(beside).arg(key)).await?,
            false => ask(Command::words("UNLINK").arg(beside)).await?,
        };
        Ok(if is_free { Named::Well } else { Named::Busy })
    }

    /// Whether the owner has a key of that name still, which stays; where it is replaced it is taken away.
    async fn is_left(&self, replaces: bool) -> Result<bool, Trouble> {
        let owner = self.node(self.owner).await?;
        let asked = match replaces {
            true => Command::words("UNLINK").arg(&self.large.key),
            false => Command::words("EXISTS").arg(&self.large.key),
        };
        let said = owner.ask(&asked).await;
        match points_to(&said) {
            Some(_) => Ok(false),
            None => Ok(said?.integer() == Some(1) && !replaces),
        }
    }

    /// Asks for as much of the key's value as tells a mark.
    fn look(&self) -> Command {
        let command = Command::words("GETRANGE").arg(&self.large.key).arg("0");
        command.arg(self.beside.len().to_string())
    }

    fn is_mark(&self, said: Result<Reply, NodeError>) -> bool {
        // It may be of another type, which is an error.
        said.is_ok_and(|said| said.bytes() == Some(&self.beside[..]))
    }

    async fn node(&self, addr: &NodeAddr) -> Result<Node, NodeError> {
        let node = selected(&self.watch.access, addr, self.large.db).await?;
        Ok(node.with_deadline(PATIENCE))
    }
}

async fn lane(watch: &Watch, addr: &NodeAddr, db: u64) -> Result<Lane, Trouble> {
    let mut lane = Lane::open(&watch.access, addr, PATIENCE).await?;
    if db != 0 {
        let mut select = Batch::default();
        select.push(&[b"SELECT", db.to_string().as_bytes()]);
        lane.send(Arc::new(select)).await;
        let answered = lane.answered().await?;
        if let Some((_, said)) = answered.answers.refused.into_iter().next() {
            let addr = addr.clone();
            return Err(Trouble::NotTaken { addr, said });
        }
    }
    Ok(lane)
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
    use crate::rdb::{Dialect, Entry};

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
