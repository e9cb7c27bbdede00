//! Servers outside of a cluster, laid out as a cluster's views are: the master owns every slot, the
//! replicas follow it. So all that reads views works for them as well.
//!
//! They have no ids, so one is made of the address at which a server is reached: the same in every
//! view, in every survey and after a restart. Where two addresses turn out to be one server, which
//! its run id tells, they become one afterwards.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::access::Access;
use crate::model::{
    Announced, Answer, Facts, Flags, Form, Info, NodeAddr, NodeId, NodeReport, Peer, Sentinels,
    Silence, SlotSet, View, form,
};

/// A name that takes longer to resolve is taken as it stands.
const LONGEST_RESOLVE: Duration = Duration::from_secs(1);

/// What that server's INFO says of itself, its master and its replicas.
pub(super) async fn view_of(access: &Access, facts: &Facts, at: &NodeAddr) -> View {
    let info = &facts.info;
    let own = |name: &str| {
        facts
            .setting(name)
            .filter(|set| !set.is_empty() && *set != "0")
    };
    let announced = NodeAddr::new(
        own("replica-announce-ip").unwrap_or(&at.host),
        own("replica-announce-port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(at.port),
    );
    let mut me = peer(id_at(access, at).await, &announced);
    me.flags.myself = true;
    me.flags.nofailover = info
        .number("slave_priority")
        .or(info.number("replica_priority"))
        == Some(0);
    let mut peers = Vec::new();
    if let Some(master) = followed(info) {
        let id = id_of(access, &master).await;
        me.flags.replica = true;
        me.master = Some(id.clone());
        let mut line = peer(id, &master);
        line.flags.master = true;
        line.slots = SlotSet::full();
        line.is_linked = info.get("master_link_status") == Some("up");
        peers.push(line);
    } else {
        me.flags.master = true;
        me.slots = SlotSet::full();
    }
    for replica in info.replicas() {
        // What only copies (redis-cli --replica, a backup) listens nowhere.
        let Some(addr) = replica.addr.filter(|addr| addr.port != 0 && is_sound(addr)) else {
            continue;
        };
        let mut line = peer(id_of(access, &addr).await, &addr);
        line.flags.replica = true;
        line.master = Some(me.id.clone());
        line.is_linked = replica.state == "online";
        peers.push(line);
    }
    peers.push(me);
    sorted(peers)
}

/// Whom a replica follows.
pub(super) fn followed(info: &Info) -> Option<NodeAddr> {
    let port = info.get("master_port")?.parse().ok()?;
    let addr = NodeAddr::new(info.get("master_host")?, port);
    (info.get("role") == Some("slave") && is_sound(&addr)).then_some(addr)
}

fn is_sound(addr: &NodeAddr) -> bool {
    addr.to_string().parse::<NodeAddr>().as_ref() == Ok(addr)
}

fn peer(id: NodeId, at: &NodeAddr) -> Peer {
    let is_ip = at.host.parse::<IpAddr>().is_ok();
    Peer {
        id,
        announced: Announced {
            ip: if is_ip {
                at.host.clone()
            } else {
                String::new()
            },
            port: at.port,
            hostname: (!is_ip).then(|| at.host.clone()),
            ..Announced::default()
        },
        flags: Flags::default(),
        master: None,
        ping_sent_ms: 0,
        pong_received_ms: 0,
        epoch: 1,
        is_linked: true,
        slots: SlotSet::new(),
        migrating: Vec::new(),
        importing: Vec::new(),
    }
}

/// In the order in which a view is searched; a server that is named twice is there once.
fn sorted(mut peers: Vec<Peer>) -> View {
    peers.sort_by(|a, b| a.id.cmp(&b.id).then(b.flags.myself.cmp(&a.flags.myself)));
    peers.dedup_by(|b, a| a.id == b.id);
    View { peers }
}

/// The id of what announces that address.
pub(super) async fn id_of(access: &Access, announced: &NodeAddr) -> NodeId {
    id_at(access, &access.map.reach(announced)).await
}

/// The id of what is reached at that address.
async fn id_at(access: &Access, at: &NodeAddr) -> NodeId {
    let host = match at.host.parse::<IpAddr>() {
        Ok(ip) => plain(ip),
        Err(_) => resolve(access, at).await,
    };
    NodeId::of_digest(&Sha256::digest(format!("{host}:{}", at.port).as_bytes()))
}

/// By which a Sentinel is named where nodes are named by ids.
pub fn sentinel_id(at: &NodeAddr) -> NodeId {
    NodeId::of_digest(&Sha256::digest(format!("sentinel {at}").as_bytes()))
}

/// The epoch of the master that counts, above that of any other; each failover by Sentinels raises it.
pub(super) fn epoch_of(config_epoch: u64) -> u64 {
    config_epoch.saturating_add(2)
}

/// All of loopback is one machine.
fn plain(ip: IpAddr) -> String {
    match ip.is_loopback() {
        true => "127.0.0.1".to_owned(),
        false => ip.to_string(),
    }
}

async fn resolve(access: &Access, at: &NodeAddr) -> String {
    let name = at.host.to_ascii_lowercase();
    let limit = access.deadline.min(LONGEST_RESOLVE);
    let looking = tokio::net::lookup_host((at.host.as_str(), at.port));
    let Ok(Ok(found)) = tokio::time::timeout(limit, looking).await else {
        return name;
    };
    let mut all: Vec<IpAddr> = found.map(|socket| socket.ip()).collect();
    all.sort();
    all.first().map_or(name, |ip| plain(*ip))
}

/// Puts the rows of a survey in order once all are there, and tells the form.
pub(super) async fn settle(
    access: &Access,
    nodes: &mut Vec<NodeReport>,
    sentinels: Option<&Sentinels>,
) -> Form {
    let answered = || nodes.iter().filter_map(NodeReport::facts);
    let (alone, clustered): (Vec<&Facts>, Vec<&Facts>) =
        answered().partition(|facts| facts.stands_alone);
    if !clustered.is_empty() || (alone.is_empty() && sentinels.is_none()) {
        for node in nodes.iter_mut() {
            is_no_member(node);
        }
        return Form::Cluster;
    }
    merge(nodes);
    if let Some(sentinels) = sentinels {
        hear(access, nodes, sentinels).await;
    }
    for node in nodes.iter_mut().filter(|node| node.id.is_none()) {
        node.id = Some(id_at(access, &node.addr).await);
    }
    rank(access, nodes, sentinels).await;
    let views = nodes.iter().filter_map(NodeReport::facts);
    match sentinels.is_none()
        && nodes.len() == 1
        && views.map(|f| f.view.peers.len()).sum::<usize>() == 1
    {
        true => Form::Standalone,
        false => Form::Replication,
    }
}

/// Among cluster nodes, one without cluster mode is none of them.
fn is_no_member(node: &mut NodeReport) {
    let Some(took_ms) = node.facts().filter(|f| f.stands_alone).map(|f| f.took_ms) else {
        return;
    };
    node.id = None;
    node.answer = Answer::Silent {
        silence: Silence::NotCluster,
        detail: format!("{} is not in cluster mode", node.addr),
        after_ms: took_ms,
    };
}

/// Rows that are the same process become one, under the id by which the others know it.
fn merge(nodes: &mut Vec<NodeReport>) {
    let mut processes: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
    for node in nodes.iter() {
        let run_id = node.facts().and_then(|facts| facts.info.get("run_id"));
        if let (Some(run_id), Some(id)) = (run_id, &node.id) {
            processes
                .entry(run_id.to_owned())
                .or_default()
                .push(id.clone());
        }
    }
    let mentions = |id: &NodeId| {
        let views = nodes.iter().filter_map(NodeReport::facts);
        let others = views.flat_map(|facts| &facts.view.peers);
        others
            .filter(|peer| !peer.flags.myself && peer.id == *id)
            .count()
    };
    let mut same: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for mut ids in processes.into_values().filter(|ids| ids.len() > 1) {
        ids.sort_by_key(|id| (std::cmp::Reverse(mentions(id)), id.clone()));
        let kept = ids.remove(0);
        same.extend(ids.into_iter().map(|id| (id, kept.clone())));
    }
    if same.is_empty() {
        return;
    }
    nodes.retain(|node| node.id.as_ref().is_none_or(|id| !same.contains_key(id)));
    let rename = |id: &mut NodeId| {
        if let Some(kept) = same.get(id) {
            *id = kept.clone();
        }
    };
    for facts in nodes.iter_mut().filter_map(facts_of) {
        let mut peers = std::mem::take(&mut facts.view.peers);
        for peer in &mut peers {
            rename(&mut peer.id);
            if let Some(master) = &mut peer.master {
                rename(master);
            }
        }
        facts.view = sorted(peers);
    }
}

fn facts_of(node: &mut NodeReport) -> Option<&mut Facts> {
    match &mut node.answer {
        Answer::Facts(facts) => Some(facts),
        Answer::Silent { .. } => None,
    }
}

/// What Sentinels know of and no server names (a master that died, a replica that lost its link) is
/// added to the views as they see it.
async fn hear(access: &Access, nodes: &mut [NodeReport], sentinels: &Sentinels) {
    let Some(master) = sentinels.master() else {
        return;
    };
    let master_id = id_of(access, &master).await;
    let mut heard: BTreeMap<NodeId, Peer> = BTreeMap::new();
    for (_, facts, own) in sentinels.watching() {
        if form::address(own).as_ref() == Some(&master) {
            let mut line = peer(master_id.clone(), &master);
            line.flags.master = true;
            line.is_linked = false;
            line.slots = SlotSet::full();
            line.flags.failed = form::is_flagged(own, "o_down");
            line.flags.suspected = !line.flags.failed && form::is_flagged(own, "s_down");
            heard.insert(master_id.clone(), line);
        }
        for replica in &facts.replicas {
            let Some(addr) = form::address(replica) else {
                continue;
            };
            let id = id_of(access, &addr).await;
            if id == master_id {
                continue;
            }
            let mut line = peer(id.clone(), &addr);
            line.flags.replica = true;
            line.is_linked = false;
            line.flags.suspected = form::is_flagged(replica, "s_down");
            line.master = Some(master_id.clone());
            heard.entry(id).or_insert(line);
        }
    }
    for facts in nodes.iter_mut().filter_map(facts_of) {
        let known = std::mem::take(&mut facts.view.peers);
        // Sentinels' word is no link of the server's own.
        let fresh = heard
            .values()
            .filter(|line| !known.iter().any(|peer| peer.id == line.id));
        let all = fresh.cloned().chain(known.iter().cloned()).collect();
        facts.view = sorted(all);
    }
}

/// Of several masters one counts: whom the Sentinels follow, else whom most replicas follow. In a
/// cluster that is what the epoch says.
async fn rank(access: &Access, nodes: &mut [NodeReport], sentinels: Option<&Sentinels>) {
    let chosen = match sentinels.and_then(Sentinels::master) {
        Some(master) => Some(id_of(access, &master).await),
        None => {
            let lines = nodes.iter().filter_map(NodeReport::facts);
            let own = lines.filter_map(|facts| facts.view.myself());
            let mut votes: BTreeMap<&NodeId, usize> = BTreeMap::new();
            for master in own.filter_map(|me| me.master.as_ref()) {
                *votes.entry(master).or_default() += 1;
            }
            votes
                .into_iter()
                .max_by_key(|(_, n)| *n)
                .map(|(id, _)| id.clone())
        }
    };
    let epochs = sentinels.into_iter().flat_map(Sentinels::watching);
    let config_epoch = epochs
        .filter_map(|(_, _, master)| master.number("config-epoch"))
        .max();
    let highest = epoch_of(config_epoch.unwrap_or(0));
    for facts in nodes.iter_mut().filter_map(facts_of) {
        for peer in &mut facts.view.peers {
            peer.epoch = if Some(&peer.id) == chosen.as_ref() {
                highest
            } else {
                1
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeMap;
    use crate::model::{Role, SentinelAnswer, SentinelFacts, SentinelReport, Site, Topology};

    fn addr(text: &str) -> NodeAddr {
        text.parse().unwrap()
    }

    async fn row(access: &Access, at: &str, info: &str) -> NodeReport {
        let mut facts = Facts {
            stands_alone: true,
            info: Info::parse(info),
            ..Facts::default()
        };
        facts.view = view_of(access, &facts, &addr(at)).await;
        NodeReport {
            id: facts.view.myself().map(|me| me.id.clone()),
            addr: addr(at),
            site: Site::default(),
            answer: Answer::Facts(Box::new(facts)),
        }
    }

    const MASTER: &str = "role:master\nrun_id:m\nslave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0\n\
                          slave1:ip=10.0.0.9,port=0,state=online,offset=1,lag=0\n";
    const REPLICA: &str =
        "role:slave\nrun_id:r\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:up\n";

    fn topology(nodes: Vec<NodeReport>) -> Topology {
        Topology::of(&crate::model::Survey {
            nodes,
            ..crate::model::Survey::default()
        })
    }

    #[tokio::test]
    async fn a_master_and_its_replica_name_each_other_alike() {
        let mut access = Access::to([]);
        access.map = NodeMap::new([
            (addr("10.0.0.1:6379"), addr("127.0.0.1:7001")),
            (addr("10.0.0.2:6379"), addr("127.0.0.1:7002")),
        ]);
        let mut nodes = vec![
            row(&access, "localhost:7001", MASTER).await,
            row(&access, "127.0.0.1:7002", REPLICA).await,
        ];
        assert_eq!(settle(&access, &mut nodes, None).await, Form::Replication);
        let topology = topology(nodes);
        assert_eq!(topology.members.len(), 2, "what only copies is no member");
        let [shard] = &topology.shards[..] else {
            panic!("{:?}", topology.shards);
        };
        assert!(shard.slots.is_full());
        assert_eq!(shard.replicas.len(), 1);
    }

    #[tokio::test]
    async fn two_addresses_of_one_process_become_one_server() {
        let access = Access::to([]);
        let mut nodes = vec![
            row(&access, "192.168.0.1:6379", MASTER).await,
            row(&access, "10.0.0.1:6379", MASTER).await,
            row(&access, "10.0.0.2:6379", REPLICA).await,
        ];
        settle(&access, &mut nodes, None).await;
        let addrs: Vec<String> = nodes.iter().map(|node| node.addr.to_string()).collect();
        assert_eq!(
            addrs,
            ["10.0.0.1:6379", "10.0.0.2:6379"],
            "as its replica calls it"
        );
    }

    #[tokio::test]
    async fn a_dead_master_that_sentinels_name_stays_in_the_picture() {
        let access = Access::to([]);
        let watch = |flags: &str| SentinelFacts {
            master: Some(Info::parse(&format!(
                "ip:10.0.0.1\nport:6379\nflags:{flags}\nconfig-epoch:4\n"
            ))),
            ..SentinelFacts::default()
        };
        let sentinels = Sentinels {
            name: Some("shop".into()),
            asked: vec![SentinelReport {
                addr: addr("10.0.0.11:26379"),
                answer: SentinelAnswer::Facts(Box::new(watch("s_down,o_down,master"))),
            }],
        };
        // Promoted by hand, so that no server names the old one.
        let mut nodes = vec![row(&access, "10.0.0.2:6379", "role:master\nrun_id:r\n").await];
        settle(&access, &mut nodes, Some(&sentinels)).await;
        let topology = topology(nodes);
        let old = topology
            .member(&id_of(&access, &addr("10.0.0.1:6379")).await)
            .unwrap();
        assert_eq!((old.role, old.failed_by), (Role::Master, 1));
        assert_eq!(old.epoch, epoch_of(4));
        assert!(old.slots.is_full(), "the Sentinels' word counts");
    }

    #[tokio::test]
    async fn among_cluster_nodes_one_without_cluster_mode_is_none() {
        let access = Access::to([]);
        let mut nodes = vec![row(&access, "10.0.0.2:6379", "role:master\n").await];
        let mut other = nodes[0].clone();
        if let Some(facts) = facts_of(&mut other) {
            facts.stands_alone = false;
        }
        nodes.push(other);
        assert_eq!(settle(&access, &mut nodes, None).await, Form::Cluster);
        assert_eq!(nodes[0].silence(), Some(Silence::NotCluster));
        assert!(nodes[1].facts().is_some());
    }
}
