//! Several servers at once, and the raw commands that make a cluster of them.
//!
//! `join` owes nothing to `goodcache create`: what check is tested on must not come from the hand
//! that it is to judge.

use std::ops::{Index, IndexMut};
use std::time::Duration;

use super::server::{Server, Spec};
use super::wait::until;

const JOIN_LIMIT: Duration = Duration::from_secs(60);
const MEETINGS: usize = 12;

/// Servers in the order in which they were asked for.
pub struct Fleet(Vec<Server>);

impl Fleet {
    /// Starts that many cluster nodes.
    pub fn start(count: usize) -> Fleet {
        Fleet::start_with(count, |_| Spec::default())
    }

    /// Servers that run already.
    pub fn of(servers: Vec<Server>) -> Fleet {
        Fleet(servers)
    }

    /// Starts that many, each as told by its number.
    pub fn start_with(count: usize, spec: impl Fn(usize) -> Spec) -> Fleet {
        std::thread::scope(|scope| {
            let starting: Vec<_> = (0..count)
                .map(spec)
                .map(|spec| scope.spawn(move || Server::start_with(spec)))
                .collect();
            Fleet(
                starting
                    .into_iter()
                    .map(|thread| thread.join().expect("a server that starts"))
                    .collect(),
            )
        })
    }

    /// Starts `masters * (1 + replicas)` nodes and joins them.
    pub fn cluster(masters: usize, replicas: usize) -> Fleet {
        let fleet = Fleet::start(masters * (1 + replicas));
        fleet.join(masters);
        fleet
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Server> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Their addresses.
    pub fn addrs(&self) -> Vec<String> {
        self.iter().map(Server::addr).collect()
    }

    /// Their addresses as `--nodes` takes them.
    pub fn list(&self) -> String {
        self.addrs().join(",")
    }

    /// Makes a cluster: the first `masters` share the slots evenly, the others replicate them in
    /// turn. Returns when every node calls the state ok, knows all and every replica is linked.
    pub fn join(&self, masters: usize) {
        let port = |server: &Server| server.port().to_string();
        for (n, server) in self.iter().enumerate() {
            if n < masters {
                let share = |n: usize| n * 16_384 / masters;
                give_slots(server, share(n), share(n + 1) - 1);
            }
            server.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        // Only now: a node that has met another takes no epoch any more.
        for (n, server) in self.iter().enumerate() {
            // A mesh, or in a large fleet enough of one that gossip closes it within seconds.
            for other in self.iter().skip(n + 1).take(MEETINGS) {
                server.cli(&["CLUSTER", "MEET", "127.0.0.1", &port(other)]);
            }
        }
        self.wait("all know all", |server| {
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            nodes.lines().count() == self.len() && !nodes.contains("handshake")
        });
        for (n, replica) in self.iter().enumerate().skip(masters) {
            let master = &self.0[n % masters];
            // The default makes a first sync wait five seconds for more replicas.
            master.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
            replica.cli(&["CLUSTER", "REPLICATE", &master.id()]);
        }
        self.wait_usable(masters);
    }

    /// Waits until every node calls the state ok and every replica is linked and known as one.
    pub fn wait_usable(&self, masters: usize) {
        self.wait("state ok", |server| {
            server
                .field(&["CLUSTER", "INFO"], "cluster_state")
                .as_deref()
                == Some("ok")
        });
        let replicas = self.len() - masters;
        self.wait("links up", |server| {
            let link = server.field(&["INFO", "replication"], "master_link_status");
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            link.is_none_or(|link| link == "up") && nodes.matches("slave").count() == replicas
        });
    }

    /// Waits until it holds for every server.
    pub fn wait(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        for server in self.iter() {
            until(&format!("{}: {what}", server.addr()), JOIN_LIMIT, || {
                holds(server)
            });
        }
    }
}

impl Index<usize> for Fleet {
    type Output = Server;
    fn index(&self, n: usize) -> &Server {
        &self.0[n]
    }
}

impl IndexMut<usize> for Fleet {
    fn index_mut(&mut self, n: usize) -> &mut Server {
        &mut self.0[n]
    }
}

/// One slot an argument: ADDSLOTSRANGE is younger than Redis 6.2.
fn give_slots(server: &Server, first: usize, last: usize) {
    let slots: Vec<String> = (first..=last).map(|slot| slot.to_string()).collect();
    let mut command = vec!["CLUSTER", "ADDSLOTS"];
    command.extend(slots.iter().map(String::as_str));
    server.cli(&command);
}
