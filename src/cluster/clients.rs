//! The clients of a node, counted from CLIENT LIST.
//!
//! One listing is asked for, and only counts and maxima are kept of it: no address and no name. Tuning
//! reads them before it speaks of timeouts, buffers and limits. Goodcache's own connection is known by
//! CLIENT ID and left out, for it would be the busiest of an idle server.

use super::error::NodeError;
use super::node::{Command, Node, Reply};
use crate::model::ClientsSeen;

/// The most bytes that a listing may have. A line has some 350, so that is room for 180,000 clients;
/// `maxclients` is 10,000 by default.
const LONGEST_LIST: u64 = 64 << 20;

/// From this on a client counts as idle, in seconds: the deployment guide's `timeout`.
const IDLE_S: u64 = 300;

/// Up to this age a connection is new, in seconds.
const NEW_S: u64 = 60;

/// Counts the clients. Fails when CLIENT LIST is refused, or when the node is lost.
pub async fn clients(node: &Node) -> Result<ClientsSeen, NodeError> {
    node.allow(LONGEST_LIST);
    let questions = ["CLIENT ID", "CLIENT LIST"].map(Command::words);
    let mut replies = node.ask_all(&questions).await?.into_iter();
    // Where it may not be asked for, one client too many is counted.
    let own = replies.next().and_then(Result::ok);
    let own = own.and_then(|id| id.integer()?.try_into().ok());
    match replies.next() {
        Some(Ok(list)) => Ok(read_clients(&list, own)),
        Some(Err(error)) => Err(error),
        None => Err(NodeError::BadReply {
            addr: node.addr().clone(),
            to: "CLIENT LIST",
            why: "nothing came back".to_owned(),
        }),
    }
}

fn read_clients(list: &Reply, own: Option<u64>) -> ClientsSeen {
    count(&list.text().unwrap_or_default(), own)
}

/// Counts the lines of a listing. A field that a version does not have counts as 0, and a line that
/// has no id is none.
fn count(list: &str, own: Option<u64>) -> ClientsSeen {
    let mut seen = ClientsSeen::default();
    let clients = list.lines().filter_map(Client::read);
    for client in clients.filter(|client| Some(client.id) != own) {
        seen.add(&client);
    }
    seen
}

/// A line, as far as it is read.
#[derive(Default)]
struct Client<'a> {
    id: u64,
    age_s: u64,
    idle_s: u64,
    /// A letter for each thing that it is: `S` a replica, `M` a master, `P` a subscriber, `b` blocked.
    flags: &'a str,
    output_bytes: u64,
    query_bytes: u64,
    memory_bytes: u64,
    library: &'a str,
}

impl<'a> Client<'a> {
    /// `id=3 addr=127.0.0.1:58574 ... flags=N ...`; neither names nor users hold spaces.
    fn read(line: &'a str) -> Option<Client<'a>> {
        let mut client = Client::default();
        let mut has_id = false;
        for (name, value) in line
            .split_ascii_whitespace()
            .filter_map(|f| f.split_once('='))
        {
            let number = || value.parse().unwrap_or(0);
            match name {
                "id" => {
                    client.id = value.parse().ok()?;
                    has_id = true;
                }
                "age" => client.age_s = number(),
                "idle" => client.idle_s = number(),
                "flags" => client.flags = value,
                "omem" => client.output_bytes = number(),
                "qbuf" => client.query_bytes = number(),
                "tot-mem" => client.memory_bytes = number(),
                "lib-name" => client.library = value,
                _ => {}
            }
        }
        has_id.then_some(client)
    }

    fn is(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

impl ClientsSeen {
    fn add(&mut self, client: &Client<'_>) {
        if client.is('S') || client.is('M') {
            return;
        }
        if client.is('P') {
            self.subscribers += 1;
            return;
        }
        self.normal += 1;
        self.younger_than_1min += u64::from(client.age_s < NEW_S);
        self.largest_output_bytes = self.largest_output_bytes.max(client.output_bytes);
        self.largest_query_bytes = self.largest_query_bytes.max(client.query_bytes);
        self.largest_memory_bytes = self.largest_memory_bytes.max(client.memory_bytes);
        self.memory_bytes = self.memory_bytes.saturating_add(client.memory_bytes);
        if !client.library.is_empty() {
            *self.libraries.entry(client.library.to_owned()).or_default() += 1;
        }
        if client.is('b') {
            // It waits for an answer, and the server's `timeout` spares it: that is not idle.
            self.blocked += 1;
            return;
        }
        self.idle_over_5min += u64::from(client.idle_s >= IDLE_S);
        self.longest_idle_s = self.longest_idle_s.max(client.idle_s);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    // As the servers wrote them, addresses shortened.
    const REDIS_6_2: &str = "\
id=3 addr=h:53042 laddr=h:17992 fd=8 name= age=900 idle=900 flags=P db=0 sub=1 psub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 obl=0 oll=0 omem=0 tot-mem=20504 events=r cmd=subscribe user=default redir=-1
id=4 addr=h:53048 laddr=h:17992 fd=9 name=x age=400 idle=301 flags=N db=0 sub=0 psub=0 multi=-1 qbuf=26 qbuf-free=40928 argv-mem=10 obl=0 oll=0 omem=0 tot-mem=61466 events=r cmd=client user=default redir=-1
";
    const REDIS_7_0: &str = "\
id=3 addr=h:58574 laddr=h:17991 fd=8 name= age=1000 idle=1000 flags=b db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=20474 argv-mem=7 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22303 events=r cmd=blpop user=default redir=-1 resp=2
id=6 addr=h:58602 laddr=h:17991 fd=11 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=16384 rbp=16384 obl=0 oll=0 omem=512 tot-mem=37658 events=r cmd=client|list user=default redir=-1 resp=2
id=7 addr=h:58700 laddr=h:17991 fd=12 name= age=50 idle=0 flags=S db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=9 omem=999999 tot-mem=1099999 events=r cmd=replconf user=default redir=-1 resp=2
";
    const REDIS_8_2: &str = "\
id=5 addr=h:53110 laddr=h:17992 fd=14 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=16384 rbp=16384 obl=0 oll=0 omem=0 tot-mem=37786 events=r cmd=get user=default redir=-1 resp=2 lib-name=redis-py lib-ver=5.0.1 io-thread=0 tot-net-in=26 tot-net-out=0 tot-cmds=0
";
    const VALKEY_9_1: &str = "\
id=4 addr=h:39388 laddr=h:17992 fd=12 name= age=70 idle=2 flags=N capa= db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=16392 rbp=16392 obl=0 oll=0 omem=0 tot-mem=17002 events=r cmd=get user=default redir=-1 resp=2 lib-name= lib-ver= tot-net-in=26 tot-net-out=0 tot-cmds=0
";

    #[test]
    fn listings_of_all_versions_are_counted() {
        let seen = count(REDIS_6_2, None);
        let idle = (seen.normal, seen.idle_over_5min, seen.longest_idle_s);
        assert_eq!((idle, seen.subscribers), ((1, 1, 301), 1));
        assert_eq!((seen.memory_bytes, seen.largest_query_bytes), (61_466, 26));
        let seen = count(REDIS_7_0, None);
        assert_eq!((seen.normal, seen.blocked, seen.subscribers), (2, 1, 0));
        assert_eq!(
            (seen.idle_over_5min, seen.younger_than_1min),
            (0, 1),
            "a blocked client is not idle"
        );
        assert_eq!(seen.largest_output_bytes, 512, "a replica's is its own");
        assert_eq!(seen.largest_memory_bytes, 37_658);
        let seen = count(REDIS_8_2, None);
        assert_eq!(seen.libraries, BTreeMap::from([("redis-py".into(), 1)]));
        let seen = count(VALKEY_9_1, None);
        assert_eq!((seen.normal, seen.younger_than_1min), (1, 0));
        assert!(seen.libraries.is_empty());
    }

    #[test]
    fn our_own_connection_is_left_out() {
        assert_eq!(count(REDIS_7_0, Some(6)).normal, 1);
        assert_eq!(count(REDIS_7_0, Some(99)).normal, 2);
        assert_eq!(count("", Some(6)), ClientsSeen::default());
    }

    proptest! {
        #[test]
        fn no_listing_makes_it_panic(lines in prop::collection::vec(
            "(id|age|idle|flags|omem|tot-mem|qbuf|lib-name)=[0-9NPSMb-]{0,22} ?[ =a-z0-9]{0,20}", 0..6)
        ) {
            count(&lines.join("\n"), Some(1));
        }
    }
}
