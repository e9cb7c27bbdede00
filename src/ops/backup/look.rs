//! What is there to back up: a cluster, or a master with its replicas, if any, which is taken for a
//! cluster of one shard that has every slot.

use std::time::Duration;

use super::trouble::Trouble;
use crate::cluster::{Access, Ask, survey};
use crate::model::{Answer, NodeReport, Role, SlotSet, Survey, Topology};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// A cluster.
    Cluster,
    /// Servers without cluster mode: one, or a master and its replicas, watched by Sentinels or not.
    Alone,
}

impl Ground {
    /// What a survey shows.
    pub fn of(survey: &Survey) -> Ground {
        match survey.form.is_cluster() {
            true => Ground::Cluster,
            false => Ground::Alone,
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

/// Looks. Sentinels among the seeds are asked anew each time, so a failover in between is seen.
pub(in crate::ops) async fn look(
    access: &Access,
    ground: &Ground,
    depth: Depth,
) -> Result<Survey, Trouble> {
    let ask = Ask {
        is_brief: depth == Depth::Brief,
        has_all_settings: depth != Depth::Brief,
        sample: depth.sample(),
        ..Ask::default()
    };
    let seen = match ground {
        Ground::Cluster => survey(access, &ask).await,
        Ground::Alone => {
            let mut access = access.clone();
            access.takes_every_form = true;
            on_its_own(survey(&access, &ask).await)
        }
    };
    match (seen.answered().count(), ground) {
        (0, Ground::Cluster) => Err(Trouble::NoLook("no node of the cluster answers".to_owned())),
        (0, Ground::Alone) => Err(Trouble::NoLook("no server answers".to_owned())),
        _ => Ok(seen),
    }
}

/// Where no master answers and no Sentinel will name another, the replica that is furthest is taken for
/// the whole: on the worst day it is all that is left.
fn on_its_own(mut seen: Survey) -> Survey {
    let topology = Topology::of(&seen);
    let is_served = topology.voters().any(|master| master.is_answering);
    if is_served || seen.sentinels.is_some() {
        return seen;
    }
    let offset = |node: &NodeReport| {
        node.facts()
            .and_then(|f| f.info.number("slave_repl_offset"))
    };
    let answering = seen.nodes.iter().filter(|node| node.facts().is_some());
    let Some(mut last) = answering.max_by_key(|node| offset(node)).cloned() else {
        return seen;
    };
    if let Answer::Facts(facts) = &mut last.answer {
        facts.view.peers.retain(|peer| peer.flags.myself);
        for me in &mut facts.view.peers {
            me.flags.replica = false;
            me.flags.master = true;
            me.master = None;
            me.slots = SlotSet::full();
        }
    }
    seen.nodes = vec![last];
    seen
}

/// Whose replica the server is that was taken for the whole: writes cannot be paused through it.
pub(super) fn followed(ground: &Ground, survey: &Survey) -> Option<String> {
    if *ground == Ground::Cluster {
        return None;
    }
    let topology = Topology::of(survey);
    let stands_in = survey.answered().find(|(node, facts)| {
        let member = node.id.as_ref().and_then(|id| topology.member(id));
        member.is_some_and(|member| member.role == Role::Master)
            && facts.info.get("role") == Some("slave")
    });
    let (_, facts) = stands_in?;
    let (host, port) = (
        facts.info.get("master_host")?,
        facts.info.get("master_port")?,
    );
    Some(format!("{host}:{port}"))
}

impl Depth {
    fn sample(self) -> Duration {
        match self {
            Depth::Load => Duration::from_millis(250),
            Depth::Brief | Depth::Sources => Duration::ZERO,
        }
    }
}
