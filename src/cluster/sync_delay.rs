//! The wait before a full sync (`repl-diskless-sync-delay`, 5 s by default) set to 0 while replicas
//! join or a backup is taken, and put back whatever happens.
//!
//! What was changed is written to a file before it is changed: after `kill -9` the next run puts it
//! back. The setting is changed in memory only, so a restarted server has forgotten it anyway.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use crate::model::NodeAddr;

const SETTING: &str = "repl-diskless-sync-delay";

/// What must be put back. Cloning shares it, so that whoever drops what runs still can.
#[derive(Debug, Clone, Default)]
pub struct SyncDelay {
    changed: Arc<Mutex<Vec<Changed>>>,
    journal: Option<PathBuf>,
}

/// One changed setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Changed {
    addr: NodeAddr,
    was: String,
}

impl SyncDelay {
    /// Keeps its list in that file too, and begins with what an earlier run left there.
    pub fn journalled(journal: PathBuf) -> SyncDelay {
        let left: Vec<Changed> = std::fs::read(&journal)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        SyncDelay {
            changed: Arc::new(Mutex::new(left)),
            journal: Some(journal),
        }
    }

    /// Whether anything waits to be put back.
    pub fn is_changed(&self) -> bool {
        !self.list().is_empty()
    }

    /// Sets the delay to 0 on those masters. Where it may not be read or set, replicas simply take
    /// the usual 5 s more.
    pub async fn zero(&self, access: &Access, masters: &[NodeAddr]) {
        let before = join_all(masters.iter().map(|addr| read(access, addr))).await;
        let changed: Vec<Changed> = masters
            .iter()
            .zip(before)
            .filter_map(|(addr, was)| {
                Some(Changed {
                    addr: addr.clone(),
                    was: was.ok().flatten()?,
                })
            })
            .filter(|changed| {
                changed.was != "0" && !self.list().iter().any(|other| other.addr == changed.addr)
            })
            .collect();
        let addrs: Vec<NodeAddr> = changed.iter().map(|changed| changed.addr.clone()).collect();
        if let Ok(mut list) = self.changed.lock() {
            list.extend(changed);
        }
        self.write_journal();
        join_all(addrs.iter().map(|addr| set(access, addr, "0"))).await;
    }

    /// Puts back what was changed; returns what could not be, each with its reason and command.
    pub async fn put_back(&self, access: &Access) -> Vec<String> {
        let list = self.list();
        let outcomes = join_all(
            list.iter()
                .map(|changed| set(access, &changed.addr, &changed.was)),
        )
        .await;
        let mut left = Vec::new();
        let mut words = Vec::new();
        for (changed, outcome) in list.into_iter().zip(outcomes) {
            // A server that is gone took the setting with it.
            if let Err(error) = outcome.or_else(forgive_refusal) {
                words.push(format!(
                    "{error}; by hand: redis-cli -h {} -p {} config set {SETTING} {}",
                    changed.addr.host, changed.addr.port, changed.was
                ));
                left.push(changed);
            }
        }
        if let Ok(mut list) = self.changed.lock() {
            *list = left;
        }
        self.write_journal();
        words
    }

    fn list(&self) -> Vec<Changed> {
        self.changed
            .lock()
            .map(|list| list.clone())
            .unwrap_or_default()
    }

    /// A journal that cannot be written must not keep a cluster from being made.
    fn write_journal(&self) {
        let Some(path) = &self.journal else { return };
        let list = self.list();
        if list.is_empty() {
            let _ = std::fs::remove_file(path);
        } else if let Ok(bytes) = serde_json::to_vec(&list) {
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = std::fs::write(path, bytes);
        }
    }
}

fn forgive_refusal(error: NodeError) -> Result<(), NodeError> {
    match error {
        NodeError::Refused { .. } => Ok(()),
        other => Err(other),
    }
}

async fn read(access: &Access, addr: &NodeAddr) -> Result<Option<String>, NodeError> {
    let node = Node::connect(access, addr).await?;
    let reply = node.ask(&Command::words("CONFIG GET").arg(SETTING)).await?;
    Ok(reply.list().get(1).and_then(Reply::text))
}

async fn set(access: &Access, addr: &NodeAddr, value: &str) -> Result<(), NodeError> {
    let node = Node::connect(access, addr).await?;
    node.ask(&Command::words("CONFIG SET").arg(SETTING).arg(value))
        .await?;
    Ok(())
}
