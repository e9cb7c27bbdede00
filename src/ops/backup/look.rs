//! What is there to back up: a cluster, or a server on its own, which is taken for a cluster of one
//! shard that has every slot.

use std::time::{Duration, Instant};

use super::trouble::Trouble;
use crate::cluster::{Access, Ask, Node, NodeError, survey};
use crate::model::{Answer, Facts, Info, NodeAddr, NodeReport, Silence, Site, Survey, View};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// A cluster.
    Cluster,
    /// The server at that address, on its own.
    Alone(NodeAddr),
}

impl Ground {
    /// What a survey shows: a server without cluster support is on its own.
    pub fn of(survey: &Survey) -> Ground {
        let alone = |node: &&NodeReport| node.silence() == Some(Silence::NotCluster);
        match survey.nodes.iter().find(alone) {
            Some(node) if survey.answered().next().is_none() => Ground::Alone(node.addr.clone()),
            _ => Ground::Cluster,
        }
    }
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Depth {
    /// The topology only.
    Brief,
    /// All that decides from where each shard can be read.
    Sources,
    /// Besides that, for a quarter of a second, what the servers have to do.
    Load,
}

/// Looks.
pub(in crate::ops) async fn look(
    access: &Access,
    ground: &Ground,
    depth: Depth,
) -> Result<Survey, Trouble> {
    match ground {
        Ground::Cluster => {
            let ask = Ask {
                is_brief: depth == Depth::Brief,
                has_all_settings: depth != Depth::Brief,
                sample: depth.sample(),
                ..Ask::default()
            };
            let survey = survey(access, &ask).await;
            match survey.answered().count() {
                0 => Err(Trouble::NoLook("no node of the cluster answers".to_owned())),
                _ => Ok(survey),
            }
        }
        Ground::Alone(addr) => {
            let looked = alone(access, addr, depth.sample()).await;
            looked.map_err(|error| Trouble::Source { shard: 1, error })
        }
    }
}

/// Whose replica a server on its own is, where it is one: writes cannot be paused through it.
pub(super) fn followed(ground: &Ground, survey: &Survey) -> Option<String> {
    let Ground::Alone(_) = ground else {
        return None;
    };
    let (_, facts) = survey.answered().next()?;
    let info = &facts.info;
    let is_replica = info.get("role") == Some("slave");
    let (host, port) = (info.get("master_host")?, info.get("master_port")?);
    is_replica.then(|| format!("{host}:{port}"))
}

impl Depth {
    fn sample(self) -> Duration {
        match self {
            Depth::Load => Duration::from_millis(250),
            Depth::Brief | Depth::Sources => Duration::ZERO,
        }
    }
}

/// A server on its own as a survey of one node that has every slot. Its run id stands in for the id
/// of a cluster's node.
async fn alone(access: &Access, addr: &NodeAddr, sample: Duration) -> Result<Survey, NodeError> {
    let node = Node::connect(access, addr).await?;
    let begun = Instant::now();
    let info = info(&node).await?;
    let (mut later, mut sample_ms) = (None, 0);
    if !sample.is_zero() {
        tokio::time::sleep(sample).await;
        sample_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        later = Some(self::info(&node).await?);
    }
    let run_id = info.get("run_id").unwrap_or_default();
    let line = format!(
        "{run_id} {}:{}@0 myself,master - 0 0 1 connected 0-16383\n",
        addr.host, addr.port
    );
    let view = View::parse(&line).map_err(|_| NodeError::NotRedis {
        addr: addr.clone(),
        saw: "INFO without a run id".to_owned(),
    })?;
    let id = view.myself().map(|peer| peer.id.clone());
    let facts = Facts {
        view,
        info,
        later,
        sample_ms,
        ..Facts::default()
    };
    Ok(Survey {
        seeds: vec![addr.clone()],
        nodes: vec![NodeReport {
            id,
            addr: addr.clone(),
            site: Site::default(),
            answer: Answer::Facts(Box::new(facts)),
        }],
        ..Survey::default()
    })
}

async fn info(node: &Node) -> Result<Info, NodeError> {
    let reply = node.say("INFO").await?;
    Ok(Info::parse(&reply.text().unwrap_or_default()))
}
