//! Questions about the keys that the logs change, and what is done to each: many keys in one flight, a flight for each master.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::beside::beside;
use super::following::Following;
use super::outgoing::slot;
use super::routes::{Routes, Table};
use super::touched::SHIFT_MS;
use super::trouble::Trouble;
use crate::cluster::{Access, Command, NodeError, Reply};
use crate::model::NodeAddr;

/// Keys in one flight.
const FLIGHT: usize = 512;

/// What is asked of each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// When it expires; what was shifted is shifted back.
    Settle,
    /// When fields of it expire; the same.
    SettleFields,
    /// Whether it is there.
    Exists,
    /// What was built up beside it gets its name, over what has it now or only where nothing has.
    Place { is_over: bool },
    /// It goes.
    Drop,
}

/// Questions about keys, a flight for each master.
pub(super) struct Asking<'a> {
    access: &'a Access,
    table: Arc<Table>,
    question: Question,
    /// Keys that are there.
    found: Vec<(u64, Vec<u8>)>,
    nodes: BTreeMap<(NodeAddr, u64), Following<'a>>,
    waiting: BTreeMap<(NodeAddr, u64), BTreeSet<Vec<u8>>>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(access: &'a Access, routes: &Routes, question: Question) -> Asking<'a> {
        Asking {
            access,
            table: routes.now(),
            question,
            found: Vec::new(),
            nodes: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Asks about that key, as soon as there are enough for a flight.
    pub(super) async fn add(&mut self, db: u64, key: &[u8]) -> Result<(), Trouble> {
        let Some(addr) = self.table.addr(slot(key)).cloned() else {
            return Err(Trouble::Disturbed("a slot has no master".to_owned()));
        };
        let way = (addr, db);
        let keys = self.waiting.entry(way.clone()).or_default();
        keys.insert(key.to_vec());
        match keys.len() >= FLIGHT {
            true => self.ask(way).await,
            false => Ok(()),
        }
    }

    /// Asks the rest; the keys that are there, where that was the question.
    pub(super) async fn finish(mut self) -> Result<Vec<(u64, Vec<u8>)>, Trouble> {
        for way in self.waiting.keys().cloned().collect::<Vec<_>>() {
            self.ask(way).await?;
        }
        Ok(self.found)
    }

    async fn ask(&mut self, way: (NodeAddr, u64)) -> Result<(), Trouble> {
        let Some(keys) = self.waiting.remove(&way) else {
            return Ok(());
        };
        let db = way.1;
        if !self.nodes.contains_key(&way) {
            let node = Following::connect(self.access, &way.0, db).await?;
            self.nodes.insert(way.clone(), node);
        }
        let Some(node) = self.nodes.get(&way) else {
            return Ok(());
        };
        match self.question {
            Question::Settle => settle(node, &keys).await?,
            Question::SettleFields => {
                for key in &keys {
                    settle_fields(node, key).await?;
                }
            }
            Question::Place { is_over } => place(node, &keys, is_over).await?,
            Question::Drop => {
                let gone = |key: &Vec<u8>| Command::words("UNLINK").arg(key);
                all(node, keys.iter().map(gone)).await?;
            }
            Question::Exists => {
                let exists = |key: &Vec<u8>| Command::words("EXISTS").arg(key);
                let flight: Vec<Command> = keys.iter().map(exists).collect();
                let replies = node.ask_all(&flight).await?;
                for (key, reply) in keys.into_iter().zip(replies) {
                    if reply?.integer() == Some(1) {
                        self.found.push((db, key));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Shifts expiries back.
async fn settle(node: &Following<'_>, keys: &BTreeSet<Vec<u8>>) -> Result<(), Trouble> {
    let expiries = expiries(node, keys).await?;
    let back: Vec<Command> = keys
        .iter()
        .zip(expiries)
        .filter_map(|(key, expiry)| Some((key, expiry.filter(|ms| *ms >= SHIFT_MS)?)))
        .map(|(key, ms)| {
            let ms = (ms - SHIFT_MS).max(1).to_string();
            Command::words("PEXPIREAT").arg(key).arg(ms)
        })
        .collect();
    all(node, back.into_iter()).await
}

/// All of them, each of which must be taken.
async fn all(node: &Following<'_>, commands: impl Iterator<Item = Command>) -> Result<(), Trouble> {
    for reply in node.ask_all(&commands.collect::<Vec<_>>()).await? {
        reply?;
    }
    Ok(())
}

/// Gives what was built up beside its name.
async fn place(
    node: &Following<'_>,
    keys: &BTreeSet<Vec<u8>>,
    is_over: bool,
) -> Result<(), Trouble> {
    let word = match is_over {
        true => "RENAME",
        false => "RENAMENX",
    };
    let named = |key: &Vec<u8>| Command::words(word).arg(beside(key)).arg(key);
    let named: Vec<Command> = keys.iter().map(named).collect();
    for (key, reply) in keys.iter().zip(node.ask_all(&named).await?) {
        match reply {
            // At that time there was none.
            Err(NodeError::Server { said, .. }) if said.contains("no such key") => {}
            Err(error) => {
                let is_on_its_way = matches!(&error, NodeError::Server { said, .. } if said.starts_with("TRYAGAIN"));
                if !is_on_its_way || !node.rename_there(&beside(key), key, is_over).await? {
                    return Err(error.into());
                }
            }
            Ok(_) => {}
        }
    }
    // What somebody has written meanwhile stays.
    let left = |key: &Vec<u8>| Command::words("UNLINK").arg(beside(key));
    all(node, keys.iter().map(left)).await
}

/// When each key expires, ms since the epoch; servers before 7.0 say how long it still lives.
async fn expiries(
    node: &Following<'_>,
    keys: &BTreeSet<Vec<u8>>,
) -> Result<Vec<Option<i64>>, NodeError> {
    let asked = |word: &str| -> Vec<Command> {
        keys.iter()
            .map(|key| Command::words(word).arg(key))
            .collect()
    };
    let replies = node.ask_all(&asked("PEXPIRETIME")).await?;
    let is_unknown = |reply: &Result<Reply, NodeError>| matches!(reply, Err(NodeError::Server { said, .. }) if said.contains("unknown command"));
    if !replies.first().is_some_and(is_unknown) {
        return replies
            .into_iter()
            .map(|reply| Ok(reply?.integer().filter(|ms| *ms > 0)))
            .collect();
    }
    let time = node.ask(&Command::words("TIME")).await?;
    let part = |n: usize| time.list().get(n).and_then(Reply::integer).unwrap_or(0);
    let now = part(0) * 1000 + part(1) / 1000;
    let replies = node.ask_all(&asked("PTTL")).await?;
    replies
        .into_iter()
        .map(|reply| Ok(reply?.integer().filter(|ms| *ms > 0).map(|ms| now + ms)))
        .collect()
}

/// Shifts the expiries of a key's fields back, some fields after the other.
async fn settle_fields(node: &Following<'_>, key: &[u8]) -> Result<(), Trouble> {
    let mut cursor = b"0".to_vec();
    loop {
        let scan = Command::words("HSCAN").arg(key).arg(&cursor);
        let asked = scan.arg("COUNT").arg("500").arg("NOVALUES");
        let said = match node.ask(&asked).await {
            // It is no hash any more; or the server is of a version in which no field expires.
            Err(NodeError::Server { said, .. })
                if said.starts_with("WRONGTYPE") || said.contains("syntax error") =>
            {
                return Ok(());
            }
            said => said?,
        };
        let [next, fields] = said.list() else {
            return Ok(());
        };
        settle_some(node, key, fields.list()).await?;
        match next.bytes() {
            Some(next) if next != b"0" => cursor = next.to_vec(),
            _ => return Ok(()),
        }
    }
}

/// The same of so many fields.
async fn settle_some(node: &Following<'_>, key: &[u8], fields: &[Reply]) -> Result<(), Trouble> {
    let fields: Vec<&[u8]> = fields.iter().filter_map(Reply::bytes).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let asked = of_fields(Command::words("HPEXPIRETIME").arg(key), &fields);
    let said = match node.ask(&asked).await {
        Err(NodeError::Server { said, .. }) if said.contains("unknown command") => return Ok(()),
        said => said?,
    };
    let mut alike = BTreeMap::<i64, Vec<&[u8]>>::new();
    for (field, expiry) in fields.iter().zip(said.list()) {
        if let Some(ms) = expiry.integer().filter(|ms| *ms >= SHIFT_MS) {
            alike.entry(ms - SHIFT_MS).or_default().push(field);
        }
    }
    let back = alike.iter().map(|(ms, fields)| {
        let back = Command::words("HPEXPIREAT").arg(key);
        of_fields(back.arg(ms.max(&1).to_string()), fields)
    });
    all(node, back).await
}

fn of_fields(command: Command, fields: &[&[u8]]) -> Command {
    let command = command.arg("FIELDS").arg(fields.len().to_string());
    fields
        .iter()
        .fold(command, |command, field| command.arg(field))
}
