//! A view: what one node says of every node, as CLUSTER NODES prints it.
//!
//! Two nodes' views may differ; that is the point of keeping them apart. The form is the one that
//! `clusterGenNodeDescription` writes in Redis 3 to 8 and Valkey 7 to 9.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::{Announced, NodeId};
use super::slot::{Slot, SlotSet};

/// What one node says of all nodes, itself included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// A line a node, in the order of their ids (servers print them in random order).
    pub peers: Vec<Peer>,
}

/// One line of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Whom the line is about. In handshake this is a random, temporary id.
    pub id: NodeId,
    /// Where it says that it is.
    pub announced: Announced,
    /// What the node that was asked thinks of it.
    pub flags: Flags,
    /// Of a replica: its master.
    pub master: Option<NodeId>,
    /// When the oldest unanswered ping left, in ms since the epoch by the asked node's clock; 0 when none waits.
    pub ping_sent_ms: u64,
    /// When the last pong came, directly or by gossip; not a round trip time.
    pub pong_received_ms: u64,
    /// Config epoch; a replica shows its master's.
    pub epoch: u64,
    /// Whether the asked node's own bus link to it stands.
    pub is_linked: bool,
    /// The slots it owns.
    pub slots: SlotSet,
    /// Slots on their way out, with the taker. Only ever on the `myself` line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrating: Vec<(Slot, NodeId)>,
    /// Slots on their way in, with the giver. Only ever on the `myself` line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub importing: Vec<(Slot, NodeId)>,
}

/// The flags of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flags {
    /// The line is about the node that was asked.
    pub myself: bool,
    /// A master.
    pub master: bool,
    /// A replica (`slave` on the wire, in Valkey too).
    pub replica: bool,
    /// `fail?`: the asked node cannot reach it; its own suspicion.
    pub suspected: bool,
    /// `fail`: a majority of the masters agreed that it is down.
    pub failed: bool,
    /// Not introduced yet.
    pub handshake: bool,
    /// Its address is not known.
    pub noaddr: bool,
    /// A replica told never to stand for election.
    pub nofailover: bool,
    /// Flags that this program does not know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
}

/// No line is shorter than an id, an address and six more fields.
const SHORTEST_LINE: usize = 60;

/// A line that is not in the form of CLUSTER NODES.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CLUSTER NODES line {line}: {why}")]
pub struct ParseViewError {
    line: usize,
    why: String,
}

impl View {
    /// Reads the reply of CLUSTER NODES. The `vars` line of a nodes.conf is passed over, so that
    /// file can be read too.
    pub fn parse(text: &str) -> Result<View, ParseViewError> {
        // Room for all at once: growing would move ten thousand lines when a hundred nodes are asked.
        let lines = text.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let mut peers = Vec::with_capacity(lines.min(text.len() / SHORTEST_LINE + 1));
        for (n, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if !line.is_empty() && !line.starts_with("vars ") {
                let peer = Peer::parse(line);
                peers.push(peer.map_err(|why| ParseViewError { line: n + 1, why })?);
            }
        }
        peers.sort_unstable_by(|a: &Peer, b| a.id.cmp(&b.id));
        Ok(View { peers })
    }

    /// The line about the node that was asked.
    pub fn myself(&self) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.flags.myself)
    }

    /// The line about that node.
    pub fn peer(&self, id: &NodeId) -> Option<&Peer> {
        self.peers
            .binary_search_by(|peer| peer.id.cmp(id))
            .ok()
            .map(|n| &self.peers[n])
    }
}

impl Peer {
    fn parse(line: &str) -> Result<Peer, String> {
        let mut fields = line.split_ascii_whitespace();
        let mut next = || {
            let too_few = || {
                let count = line.split_ascii_whitespace().count();
                format!("{count} fields where at least 8 belong")
            };
            fields.next().ok_or_else(too_few)
        };
        let [id, addr, flags, master] = [next()?, next()?, next()?, next()?];
        let [ping, pong, epoch, link] = [next()?, next()?, next()?, next()?];
        let mut peer = Peer {
            id: id.parse().map_err(|e| format!("{e}"))?,
            announced: parse_announced(addr)?,
            flags: Flags::parse(flags),
            master: match master {
                "-" => None,
                id => Some(id.parse().map_err(|e| format!("{e}"))?),
            },
            ping_sent_ms: number(ping, "ping-sent")?,
            pong_received_ms: number(pong, "pong-recv")?,
            epoch: number(epoch, "config-epoch")?,
            is_linked: link == "connected",
            slots: SlotSet::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        for part in fields {
            peer.add_slots(part)?;
        }
        Ok(peer)
    }

    fn add_slots(&mut self, part: &str) -> Result<(), String> {
        if let Some(open) = part.strip_prefix('[') {
            let open = open.strip_suffix(']').unwrap_or(open);
            if let Some((slot, id)) = open.split_once("->-") {
                self.migrating.push((parse_slot(slot)?, parse_id(id)?));
            } else if let Some((slot, id)) = open.split_once("-<-") {
                self.importing.push((parse_slot(slot)?, parse_id(id)?));
            } else {
                return Err(format!("'{}' is no slot marker", clip(part)));
            }
            return Ok(());
        }
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (parse_slot(first)?, parse_slot(last)?);
                if first > last {
                    return Err(format!("'{}' runs backwards", clip(part)));
                }
                self.slots.insert_range(first, last);
            }
            None => self.slots.insert(parse_slot(part)?),
        }
        Ok(())
    }

    /// Whether the line speaks of a node that takes part: introduced, with an address.
    pub fn is_member(&self) -> bool {
        !self.flags.handshake && !self.flags.noaddr
    }
}

/// `ip:port@cport[,hostname[,aux=value...]]`; IPv6 stands without brackets, so the last colon before
/// the `@` is the one that counts. Servers before 4.0 write no `@cport`.
fn parse_announced(text: &str) -> Result<Announced, String> {
    let bad = || format!("'{}' is no ip:port@bus-port", clip(text));
    let mut parts = text.split(',');
    let address = parts.next().unwrap_or_default();
    let (client, bus) = match address.split_once('@') {
        Some((client, bus)) => (client, bus.parse::<u16>().map_err(|_| bad())?),
        None => (address, 0),
    };
    let (ip, port) = client.rsplit_once(':').ok_or_else(bad)?;
    let mut announced = Announced {
        ip: ip.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: port.parse().map_err(|_| bad())?,
        bus_port: bus,
        ..Announced::default()
    };
    for (n, part) in parts.enumerate() {
        match part.split_once('=') {
            Some((name, value)) => {
                announced.aux.insert(name.to_owned(), value.to_owned());
            }
            None if n == 0 && !part.is_empty() => announced.hostname = Some(part.to_owned()),
            None => {}
        }
    }
    Ok(announced)
}

fn parse_slot(text: &str) -> Result<Slot, String> {
    text.parse::<u16>()
        .ok()
        .and_then(Slot::new)
        .ok_or_else(|| format!("'{}' is no slot", clip(text)))
}

fn parse_id(text: &str) -> Result<NodeId, String> {
    text.parse().map_err(|e| format!("{e}"))
}

fn number(text: &str, what: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("{what} '{}' is no number", clip(text)))
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Flags {
    /// Reads `myself,master`. Flags are matched whole: `fail` is a prefix of `fail?`.
    fn parse(text: &str) -> Flags {
        let mut flags = Flags::default();
        for flag in text.split(',') {
            match flag {
                "myself" => flags.myself = true,
                "master" => flags.master = true,
                "slave" | "replica" => flags.replica = true,
                "fail?" => flags.suspected = true,
                "fail" => flags.failed = true,
                "handshake" => flags.handshake = true,
                "noaddr" => flags.noaddr = true,
                "nofailover" => flags.nofailover = true,
                "noflags" | "" => {}
                other => flags.other.push(clip(other)),
            }
        }
        flags
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            (self.myself, "myself"),
            (self.master, "master"),
            (self.replica, "replica"),
            (self.suspected, "fail?"),
            (self.failed, "fail"),
            (self.handshake, "handshake"),
            (self.noaddr, "noaddr"),
            (self.nofailover, "nofailover"),
        ];
        let words: Vec<&str> = known
            .into_iter()
            .filter_map(|(is_set, word)| is_set.then_some(word))
            .chain(self.other.iter().map(String::as_str))
            .collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
    const B: &str = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1";

    fn only(line: &str) -> Peer {
        View::parse(line).unwrap().peers.remove(0)
    }

    #[test]
    fn a_master_with_slots_and_open_ones() {
        let peer = only(&format!(
            "{A} 127.0.0.1:30001@31001,redis-1 myself,master - 0 1426238317239 4 connected \
             0-5460 5462 [5461->-{B}] [77-<-{B}]"
        ));
        assert_eq!(peer.slots.to_string(), "0-5460 5462");
        assert_eq!(peer.migrating[0].0.number(), 5461);
        assert_eq!(peer.importing[0].1.as_str(), B);
        assert_eq!(peer.announced.hostname.as_deref(), Some("redis-1"));
        assert!(peer.flags.myself && peer.flags.master && peer.is_linked);
    }

    #[test]
    fn the_forms_of_every_version() {
        // 3.x without a bus port; a node that has not learnt its address; IPv6; aux fields of 7.2.
        let old = only(&format!("{A} 127.0.0.1:30001 slave {B} 0 1 4 connected"));
        assert_eq!((old.announced.port, old.announced.bus_port), (30001, 0));
        assert_eq!(old.master.unwrap().as_str(), B);
        let new = only(&format!("{A} :21000@31000 myself,master - 0 0 0 connected"));
        assert!(new.announced.endpoint().is_none());
        let six = only(&format!("{A} ::1:21002@31002 master - 0 0 0 disconnected"));
        assert_eq!(six.announced.endpoint().unwrap().to_string(), "[::1]:21002");
        let aux = only(&format!(
            "{A} 10.0.0.1:6379@16379,,tls-port=0,shard-id={B} master,fail? - 1 2 3 connected"
        ));
        assert_eq!(aux.announced.aux["shard-id"], B);
        assert_eq!(aux.announced.hostname, None);
        assert!(aux.flags.suspected && !aux.flags.failed);
    }

    #[test]
    fn a_nodes_conf_reads_as_a_view() {
        let text = format!(
            "{A} 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\nvars currentEpoch 6 lastVoteEpoch 0\n"
        );
        assert_eq!(View::parse(&text).unwrap().peers.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, why) in [
            ("hello", "1 fields"),
            ("x 1:1@1 master - 0 0 0 connected", "no node id"),
            (&format!("{A} nonsense master - 0 0 0 connected"), "ip:port"),
            (&format!("{A} a:1@1 master - x 0 0 connected"), "ping-sent"),
            (
                &format!("{A} a:1@1 master - 0 0 0 connected 99999"),
                "no slot",
            ),
            (
                &format!("{A} a:1@1 master - 0 0 0 connected 9-3"),
                "backwards",
            ),
            (
                &format!("{A} a:1@1 master - 0 0 0 connected [9?x]"),
                "marker",
            ),
        ] {
            let error = View::parse(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = View::parse(&text);
        }

        #[test]
        fn no_near_miss_makes_the_parser_panic(
            id in "[0-9a-f]{38,41}", addr in "[0-9a-z:.@,=\\[\\]]{0,30}", flags in "[a-z?,]{0,20}",
            rest in "[0-9a-f \\[\\]<>-]{0,60}",
        ) {
            let _ = View::parse(&format!("{id} {addr} {flags} - 0 0 0 connected {rest}"));
        }
    }
}
