//! The state that both programs are timed to: a cluster that can be used, seen by asking its nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use goodcache::model::Slot;

use crate::support::{Fleet, Reply, Wire};

const PAUSE: Duration = Duration::from_millis(5);

/// A connection to each node.
pub struct Watch {
    wires: Vec<Wire>,
    replicas: usize,
}

impl Watch {
    /// Connects to all; `replicas` of them are to be replicas in the end.
    pub fn over(fleet: &Fleet, replicas: usize) -> Watch {
        let wires = fleet
            .iter()
            .map(|server| server.connect().expect("a server that answers"));
        Watch {
            wires: wires.collect(),
            replicas,
        }
    }

    /// Waits until the cluster is usable; `None` when it is not within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<()> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.is_usable().unwrap_or(false) {
                return Some(());
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    /// Every node calls the state ok, all tell the same of all, every replica is linked, and every
    /// shard takes a write.
    fn is_usable(&mut self) -> io::Result<bool> {
        let mut views = BTreeSet::new();
        let mut linked = 0;
        for wire in &mut self.wires {
            if !text(wire, &["CLUSTER", "INFO"])?.contains("cluster_state:ok") {
                return Ok(false);
            }
            views.insert(view(&text(wire, &["CLUSTER", "NODES"])?));
            let replication = text(wire, &["INFO", "replication"])?;
            linked += usize::from(replication.contains("master_link_status:up"));
        }
        let is_agreed = views.len() == 1 && views.iter().all(|view| view.len() == self.wires.len());
        Ok(is_agreed && linked == self.replicas && self.takes_writes()?)
    }

    /// Writes a key to every master that owns a slot.
    pub fn takes_writes(&mut self) -> io::Result<bool> {
        for wire in &mut self.wires {
            let nodes = text(wire, &["CLUSTER", "NODES"])?;
            let Some(slot) = own_slot(&nodes) else {
                continue;
            };
            let key = key_in(slot);
            if wire.ask(&["SET", &key, "1"])? != Reply::Simple("OK".to_owned()) {
                return Ok(false);
            }
            wire.ask(&["DEL", &key])?;
        }
        Ok(true)
    }
}

/// Id to master and slots: what must be the same in the eyes of all.
fn view(nodes: &str) -> BTreeMap<String, String> {
    nodes
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let told = [fields.get(3)?, fields.get(8..)?.join(" ").as_str()].join(" ");
            Some((fields[0].to_owned(), told))
        })
        .collect()
}

/// The first slot of the node that was asked.
fn own_slot(nodes: &str) -> Option<u16> {
    let own = nodes.lines().find(|line| line.contains("myself"))?;
    own.split(' ').nth(8)?.split('-').next()?.parse().ok()
}

fn key_in(slot: u16) -> String {
    (0..)
        .map(|n| format!("bench:{n}"))
        .find(|key| Slot::of_key(key.as_bytes()).number() == slot)
        .expect("every slot has keys")
}

fn text(wire: &mut Wire, command: &[&str]) -> io::Result<String> {
    wire.ask(command)?.text().map_err(io::Error::other)
}
