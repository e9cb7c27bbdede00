//! Replicas behind their masters, and which masters there are: a failover loses what no replica has.
//!
//! WAIT would not do: on a connection that wrote nothing itself it waits for nothing (Redis 7).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::trouble::Trouble;
use crate::cluster::{Access, Node, NodeError};
use crate::model::{Info, NodeAddr, Topology};
use crate::ops::backup::{Depth, Ground, look};

/// How long replicas may take to have what their master has.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks; they say every second how far they are.
const PACE: Duration = Duration::from_millis(100);

/// Waits until every replica that answers has what its master has now; what had to be told.
pub(super) async fn replicated(access: &Access, ground: &Ground) -> Vec<String> {
    let Ok(survey) = look(access, ground, Depth::Brief).await else {
        return Vec::new();
    };
    let topology = Topology::of(&survey);
    let waits = topology.shards.iter().filter_map(|shard| {
        let is_answering = |id| topology.member(id).is_some_and(|node| node.is_answering);
        let replicas = shard.replicas.iter().filter(|id| is_answering(id)).count();
        let addr = topology.member(&shard.master)?.addr.as_ref()?;
        (replicas > 0).then(|| behind(access, addr, replicas))
    });
    join_all(waits).await.into_iter().flatten().collect()
}

async fn behind(access: &Access, addr: &NodeAddr, replicas: usize) -> Option<String> {
    let node = Node::connect(access, addr).await.ok()?;
    let wanted = info(&node).await.ok()?.number("master_repl_offset")?;
    let until = Instant::now() + PATIENCE;
    loop {
        let have = up_to(&info(&node).await.ok()?, wanted);
        if have >= replicas {
            return None;
        }
        if Instant::now() > until {
            return Some(format!(
                "of the {replicas} replicas of {addr} only {have} had everything after {} s",
                PATIENCE.as_secs()
            ));
        }
        sleep(PACE).await;
    }
}

/// How many replicas are so far.
fn up_to(info: &Info, wanted: u64) -> usize {
    let lines = (0..).map_while(|n| info.get(&format!("slave{n}")));
    let offsets = lines.filter_map(|line| {
        let offset = line
            .split(',')
            .find_map(|part| part.strip_prefix("offset="));
        offset?.parse::<u64>().ok()
    });
    offsets.filter(|offset| *offset >= wanted).count()
}

async fn info(node: &Node) -> Result<Info, NodeError> {
    let reply = node.say("INFO replication").await?;
    Ok(Info::parse(&reply.text().unwrap_or_default()))
}

/// Each master and the history that it goes on with: another master, or the same one started anew, has
/// another.
pub(super) type Histories = BTreeMap<NodeAddr, String>;

/// Those of now.
pub(super) async fn histories(access: &Access, ground: &Ground) -> Result<Histories, Trouble> {
    let survey = look(access, ground, Depth::Brief).await;
    let survey = survey.map_err(|error| Trouble::Disturbed(error.to_string()))?;
    let topology = Topology::of(&survey);
    let masters = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty());
    let history = |shard: &crate::model::Shard| {
        let report = survey.node(&shard.master)?;
        let history = report.facts()?.info.get("master_replid")?;
        Some((report.addr.clone(), history.to_owned()))
    };
    masters
        .map(|shard| {
            history(shard).ok_or_else(|| Trouble::Disturbed("a master does not answer".to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_counted_by_how_far_they_are() {
        let info = Info::parse(
            "role:master\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=100,lag=0\r\n\
             slave1:ip=127.0.0.1,port=2,state=online,offset=90,lag=1\r\nmaster_repl_offset:100\r\n",
        );
        assert_eq!((up_to(&info, 100), up_to(&info, 90)), (1, 2));
    }
}
