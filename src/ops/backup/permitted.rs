//! How a snapshot is taken where not everything is permitted: by replication or key by key, cut by a pause
//! or by the clock. Pure, from a survey; what it does not know is tried.

use super::order::{Cut, Via};
use super::sources::Source;
use super::trouble::Trouble;
use crate::model::{Capability, NodeAddr, Survey};

/// How nodes are read, and what is to be told of that.
///
/// # Errors
/// Where replication was asked for by name and is refused.
pub(super) fn way(
    via: Via,
    survey: &Survey,
    sources: &[Source],
) -> Result<(Via, Option<String>), Trouble> {
    let refused = (1..).zip(sources).find_map(|(shard, source)| {
        let why = refusal(survey, &source.addr, Capability::Replication)?;
        let addr = source.addr.clone();
        Some(Trouble::Withheld { shard, addr, why })
    });
    match (via, refused) {
        (Via::Auto, Some(trouble)) => {
            let remark = format!("{trouble}: keys are read one by one instead");
            Ok((Via::Scan, Some(remark)))
        }
        (Via::Replication, Some(trouble)) => Err(trouble),
        (via, _) => Ok((via, None)),
    }
}

/// How the cut is made, and what is to be told of that. `followed` is the master of a replica that was
/// taken for the whole: it is no part of a cluster, and whose writes it follows is not ours to pause; a
/// single history has no second to agree with.
///
/// # Errors
/// Where a pause was asked for by name and is refused.
pub(super) fn cut(
    wanted: Cut,
    followed: Option<String>,
    survey: &Survey,
    sources: &[Source],
) -> Result<(Cut, Option<String>), Trouble> {
    let limit = match wanted {
        Cut::Clock => return Ok((Cut::Clock, None)),
        Cut::Barrier(limit) | Cut::Best(limit) => limit,
    };
    if let Some(master) = followed {
        let remark = format!(
            "it is a replica of {master}, where no write is paused: it is cut by the clock"
        );
        return Ok((Cut::Clock, Some(remark)));
    }
    let refused = sources.iter().find_map(|source| {
        let why = refusal(survey, &source.master_addr, Capability::ClientPause)?;
        Some((source.master_addr.clone(), why))
    });
    match (refused, wanted) {
        (None, _) => Ok((Cut::Barrier(limit), None)),
        (Some((addr, why)), Cut::Best(_)) => {
            let remark = format!(
                "{addr} does not let writes be paused ({why}): it is cut by the clock, so shards may \
                 be apart by what was on its way"
            );
            Ok((Cut::Clock, Some(remark)))
        }
        (Some((addr, why)), _) => Err(Trouble::NoPause { addr, why }),
    }
}

fn refusal(survey: &Survey, addr: &NodeAddr, capability: Capability) -> Option<String> {
    let (_, facts) = survey.answered().find(|(node, _)| node.addr == *addr)?;
    facts.refusal(capability).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::testing::{Cluster, addr};
    use crate::model::{Answer, Topology};
    use crate::ops::backup::busy::Busy;
    use crate::ops::backup::sources::{From, sources};

    const SECOND: Duration = Duration::from_secs(1);

    /// A sound cluster in which node `n` refuses that.
    fn refusing(n: usize, capability: Capability) -> (Survey, Vec<Source>) {
        let mut survey = Cluster::sound().survey();
        let node = survey.nodes.iter_mut().find(|node| node.addr == addr(n));
        if let Some(Answer::Facts(facts)) = node.map(|node| &mut node.answer) {
            facts.capabilities.refuse(capability, "not here");
        }
        let topology = Topology::of(&survey);
        let busy = Busy::of(&survey, None);
        let sources = sources(&survey, &topology, From::Best, false, &busy).unwrap();
        (survey, sources)
    }

    #[test]
    fn keys_are_read_one_by_one_where_a_source_refuses_replication() {
        let (survey, sources) = refusing(4, Capability::Replication);
        let (via, remark) = way(Via::Auto, &survey, &sources).unwrap();
        assert_eq!(via, Via::Scan);
        assert_eq!(
            remark.unwrap(),
            "shard 2: 10.0.0.5:7000 does not let itself be replicated: not here: keys are read one by \
             one instead"
        );
        assert!(way(Via::Replication, &survey, &sources).is_err());
        assert_eq!(
            way(Via::Scan, &survey, &sources).unwrap(),
            (Via::Scan, None)
        );
        // A master that is not read may refuse what it likes.
        let (survey, sources) = refusing(1, Capability::Replication);
        assert_eq!(
            way(Via::Auto, &survey, &sources).unwrap(),
            (Via::Auto, None)
        );
    }

    #[test]
    fn the_clock_cuts_where_a_master_refuses_the_pause() {
        let (survey, sources) = refusing(1, Capability::ClientPause);
        let (made, remark) = cut(Cut::Best(SECOND), None, &survey, &sources).unwrap();
        assert_eq!(made, Cut::Clock);
        assert!(remark.unwrap().starts_with("10.0.0.2:7000 does not let"));
        let refused = cut(Cut::Barrier(SECOND), None, &survey, &sources).unwrap_err();
        assert!(refused.hint().contains("--cut clock"), "{}", refused.hint());
        // A replica pauses nothing.
        let (survey, sources) = refusing(4, Capability::ClientPause);
        let (made, remark) = cut(Cut::Best(SECOND), None, &survey, &sources).unwrap();
        assert_eq!((made, remark), (Cut::Barrier(SECOND), None));
    }
}
