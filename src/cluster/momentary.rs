//! Settings of the servers that are changed for a moment, and put back whatever happens.
//!
//! A child that a server forks has the settings of that moment. So the wait before a full sync
//! (`repl-diskless-sync-delay`, 5 s by default) is set to 0 only while replicas join or bases are
//! asked for, and `rdbcompression` only until the child that writes a base is there; while a restore
//! replaces keys, `lazyfree-lazy-server-del` is on.
//!
//! What is changed is written to a file before it is changed: after `kill -9` the next run puts it
//! back. Settings are changed in memory only, so a restarted server has forgotten them anyway.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use crate::model::NodeAddr;

/// A setting, and what it is to be for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    setting: &'static str,
    value: &'static str,
}

impl Wanted {
    /// A full sync begins at once.
    pub const NO_SYNC_DELAY: Wanted = Wanted {
        setting: "repl-diskless-sync-delay",
        value: "0",
    };
    /// What is replaced is freed aside.
    pub const FREED_ASIDE: Wanted = Wanted {
        setting: "lazyfree-lazy-server-del",
        value: "yes",
    };
    /// Values are written as they are.
    pub const PLAIN_VALUES: Wanted = Wanted {
        setting: "rdbcompression",
        value: "no",
    };
    /// Long values are packed (LZF), which is what servers do by default.
    pub const PACKED_VALUES: Wanted = Wanted {
        setting: "rdbcompression",
        value: "yes",
    };
}

/// What must be put back. Cloning shares it, so that whoever drops what runs still can.
#[derive(Debug, Clone, Default)]
pub struct Momentary {
    changed: Arc<Mutex<Vec<Changed>>>,
    journal: Option<PathBuf>,
}

/// One changed setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Changed {
    addr: NodeAddr,
    setting: String,
    was: String,
}

impl Momentary {
    /// Keeps its list in that file too, and begins with what an earlier run left there.
    pub fn journalled(journal: PathBuf) -> Momentary {
        let left: Vec<Changed> = std::fs::read(&journal)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Momentary {
            changed: Arc::new(Mutex::new(left)),
            journal: Some(journal),
        }
    }

    /// Whether anything waits to be put back.
    pub fn is_changed(&self) -> bool {
        !self.list().is_empty()
    }

    /// Changes settings on those nodes. Where one may not be read or set, or is not known, it stays:
    /// what is asked for next merely takes longer.
    pub async fn set(&self, access: &Access, addrs: &[NodeAddr], wanted: &[Wanted]) {
        join_all(addrs.iter().map(|addr| self.set_on(access, addr, wanted))).await;
    }

    async fn set_on(&self, access: &Access, addr: &NodeAddr, wanted: &[Wanted]) {
        let Ok(node) = Node::connect(access, addr).await else {
            return;
        };
        let questions: Vec<Command> = wanted.iter().map(|wanted| get(wanted.setting)).collect();
        let Ok(before) = node.ask_all(&questions).await else {
            return;
        };
        let before = before.into_iter().map(|reply| {
            let reply = reply.ok()?;
            reply.list().get(1).and_then(Reply::text)
        });
        let due: Vec<Changed> = wanted
            .iter()
            .zip(before)
            .filter_map(|(wanted, was)| {
                let was = was.filter(|was| was != wanted.value)?;
                Some(Changed {
                    addr: addr.clone(),
                    setting: wanted.setting.to_owned(),
                    was,
                })
            })
            .collect();
        let changes: Vec<Command> = wanted
            .iter()
            .filter(|wanted| due.iter().any(|due| due.setting == wanted.setting))
            .map(|wanted| put(wanted.setting, wanted.value))
            .collect();
        if changes.is_empty() {
            return;
        }
        self.note(&due);
        // Where nothing is known of what became of it, it must be put back all the same.
        let Ok(outcomes) = node.ask_all(&changes).await else {
            return;
        };
        let refused = due.iter().zip(&outcomes).filter(|(_, came)| came.is_err());
        let refused: Vec<&Changed> = refused.map(|(due, _)| due).collect();
        if !refused.is_empty() {
            self.edit(|list| list.retain(|changed| !refused.contains(&changed)));
        }
    }

    /// Adds to the list what is not in it: what was first is what it was before us.
    fn note(&self, due: &[Changed]) {
        self.edit(|list| {
            for due in due {
                if !list.iter().any(|other| other.is_same_as(due)) {
                    list.push(due.clone());
                }
            }
        });
    }

    /// Puts back what was changed; returns what could not be, each with its reason and command.
    pub async fn put_back(&self, access: &Access) -> Vec<String> {
        self.put_back_of(access, self.list()).await
    }

    /// Puts back what was changed on that node. What cannot be stays in the list, for
    /// [`Momentary::put_back`] to try again and to tell.
    pub async fn put_back_on(&self, access: &Access, addr: &NodeAddr) {
        let mut list = self.list();
        list.retain(|changed| changed.addr == *addr);
        self.put_back_of(access, list).await;
    }

    async fn put_back_of(&self, access: &Access, list: Vec<Changed>) -> Vec<String> {
        let outcomes = join_all(list.iter().map(|changed| restore(access, changed))).await;
        let mut done = Vec::new();
        let mut words = Vec::new();
        for (changed, outcome) in list.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => done.push(changed),
                // A server that is gone took the setting with it.
                Err(NodeError::Refused { .. }) => done.push(changed),
                Err(error) => words.push(format!("{error}; by hand: {}", changed.by_hand())),
            }
        }
        if !done.is_empty() {
            self.edit(|list| list.retain(|changed| !done.contains(changed)));
        }
        words
    }

    fn list(&self) -> Vec<Changed> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Changed>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal is written under the lock: shards change their settings at the same time, and the
    /// file must say what the last of them said.
    fn edit(&self, edit: impl FnOnce(&mut Vec<Changed>)) {
        let mut list = self.locked();
        edit(&mut list);
        self.write_journal(&list);
    }

    /// A journal that cannot be written must not keep a cluster from being made.
    fn write_journal(&self, list: &[Changed]) {
        let Some(path) = &self.journal else { return };
        if list.is_empty() {
            let _ = std::fs::remove_file(path);
        } else if let Ok(bytes) = serde_json::to_vec(list) {
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = std::fs::write(path, bytes);
        }
    }
}

impl Changed {
    fn is_same_as(&self, other: &Changed) -> bool {
        self.addr == other.addr && self.setting == other.setting
    }

    fn by_hand(&self) -> String {
        let Changed { addr, setting, was } = self;
        let NodeAddr { host, port } = addr;
        format!("redis-cli -h {host} -p {port} config set {setting} {was}")
    }
}

async fn restore(access: &Access, changed: &Changed) -> Result<(), NodeError> {
    let node = Node::connect(access, &changed.addr).await?;
    node.ask(&put(&changed.setting, &changed.was)).await?;
    Ok(())
}

fn get(setting: &str) -> Command {
    Command::words("CONFIG GET").arg(setting)
}

fn put(setting: &str, value: &str) -> Command {
    Command::words("CONFIG SET").arg(setting).arg(value)
}
