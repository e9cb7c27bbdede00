//! A master, its replicas and the Sentinels that watch them, each a real process.

use std::time::Duration;

use super::fleet::Fleet;
use super::server::{Server, Spec};
use super::wait::until;

const SOON: Duration = Duration::from_secs(60);

/// The name under which the Sentinels watch the master.
pub const NAME: &str = "shop";

/// Servers and Sentinels.
pub struct Watched {
    /// The master first, then its replicas.
    pub servers: Fleet,
    /// The Sentinels.
    pub sentinels: Fleet,
}

/// A master and its replicas, linked, without cluster mode.
pub fn replicated(replicas: usize, spec: &Spec) -> Fleet {
    let spec = |more: &[&str]| {
        let mut spec = Spec {
            is_cluster: false,
            ..spec.clone()
        };
        spec.args.extend(more.iter().map(|&arg| arg.to_owned()));
        spec
    };
    let quick = ["--repl-diskless-sync-delay", "0"];
    let master = Server::start_with(spec(&quick));
    let port = master.port().to_string();
    let mut servers = vec![master];
    for _ in 0..replicas {
        let mut args = quick.to_vec();
        args.extend(["--replicaof", "127.0.0.1", &port]);
        servers.push(Server::start_with(spec(&args)));
    }
    let fleet = Fleet::of(servers);
    for replica in fleet.iter().skip(1) {
        until("the replica is linked", SOON, || is_linked(replica));
    }
    until("the master knows its replicas", SOON, || {
        let online = fleet[0]
            .cli(&["INFO", "replication"])
            .matches("state=online")
            .count();
        online == replicas
    });
    fleet
}

/// Whether a replica's link to its master stands.
pub fn is_linked(replica: &Server) -> bool {
    let link = replica.field(&["INFO", "replication"], "master_link_status");
    link.as_deref() == Some("up")
}

impl Watched {
    /// One master with two replicas, and three Sentinels that hold a server for down after a second.
    pub fn start() -> Watched {
        Watched::start_with(&Spec::default(), &Spec::default())
    }

    /// The same with more said about servers and Sentinels.
    pub fn start_with(server: &Spec, sentinel: &Spec) -> Watched {
        let servers = replicated(2, server);
        let sentinels = Fleet::start_with(3, |_| Spec {
            is_cluster: false,
            is_sentinel: true,
            has_file: true,
            ..sentinel.clone()
        });
        let watched = Watched { servers, sentinels };
        for sentinel in watched.sentinels.iter() {
            watched.monitor(sentinel, NAME, server.password.as_deref());
        }
        until("the Sentinels know all", SOON, || {
            watched.sentinels.iter().all(|sentinel| {
                let master = watched.master_as_seen_by(sentinel);
                let is = |name: &str, value: &str| field(&master, name) == Some(value);
                is("num-slaves", "2") && is("num-other-sentinels", "2") && is("flags", "master")
            })
        });
        watched
    }

    /// Lets a Sentinel watch the master under a name.
    pub fn monitor(&self, sentinel: &Server, name: &str, password: Option<&str>) {
        let port = self.servers[0].port().to_string();
        sentinel.cli(&["SENTINEL", "MONITOR", name, "127.0.0.1", &port, "2"]);
        for (what, value) in [
            ("down-after-milliseconds", "1000"),
            ("failover-timeout", "10000"),
        ] {
            sentinel.cli(&["SENTINEL", "SET", name, what, value]);
        }
        if let Some(password) = password {
            sentinel.cli(&["SENTINEL", "SET", name, "auth-pass", password]);
        }
    }

    /// SENTINEL MASTER, names and values in turn.
    pub fn master_as_seen_by(&self, sentinel: &Server) -> Vec<String> {
        let reply = sentinel.ask(&["SENTINEL", "MASTER", NAME]).unwrap();
        reply.texts()
    }

    /// The port of the master by a Sentinel's word.
    pub fn master_port(&self, sentinel: &Server) -> u16 {
        let reply = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        reply.unwrap().texts()[1].parse().unwrap()
    }

    /// The server of that port.
    pub fn server(&self, port: u16) -> &Server {
        self.servers
            .iter()
            .find(|server| server.port() == port)
            .unwrap()
    }
}

/// One value of a flat list.
pub fn field<'a>(list: &'a [String], name: &str) -> Option<&'a str> {
    let at = list.iter().step_by(2).position(|known| known == name)?;
    list.get(at * 2 + 1).map(String::as_str)
}
