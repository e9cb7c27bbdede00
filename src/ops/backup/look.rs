//! What is there to back up: a cluster, or a server on its own, which is taken for a cluster of one
//! shard that has every slot.

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

/// Looks. Briefly means the topology only.
pub(in crate::ops) async fn look(
    access: &Access,
    ground: &Ground,
    is_brief: bool,
) -> Result<Survey, Trouble> {
    match ground {
        Ground::Cluster => {
            let ask = Ask {
                is_brief,
                has_all_settings: !is_brief,
                ..Ask::default()
            };
            let survey = survey(access, &ask).await;
            match survey.answered().count() {
                0 => Err(Trouble::NoLook("no node of the cluster answers".to_owned())),
                _ => Ok(survey),
            }
        }
        Ground::Alone(addr) => {
            let looked = alone(access, addr).await;
            looked.map_err(|error| Trouble::Source { shard: 1, error })
        }
    }
}

/// A server on its own as a survey of one node that has every slot. Its run id stands in for the id
/// of a cluster's node.
async fn alone(access: &Access, addr: &NodeAddr) -> Result<Survey, NodeError> {
    let node = Node::connect(access, addr).await?;
    let info = node.say("INFO").await?;
    let info = Info::parse(&info.text().unwrap_or_default());
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
