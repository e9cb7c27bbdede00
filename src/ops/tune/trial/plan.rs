//! From the evidence to all that a trial needs; pure, so that what is refused is refused before a
//! server is started.

use std::collections::BTreeMap;

use super::mix::{Load, Mix, calls};
use super::pick::{NoTrial, Picked, pick};
use super::shape::Shape;
use crate::model::{Evidence, Topology, Vendor};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::judge::{Options, judge};
use crate::ops::tune::profile::guess;

/// What is tried, on what, under which load.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cluster's name, or the address that was given.
    pub cluster: String,
    /// The node, and the changes.
    pub picked: Picked,
    /// The node's vendor; the copies must be of the same.
    pub vendor: Vendor,
    /// The node's version, as it says it.
    pub version: String,
    /// All settings of the node.
    pub config: BTreeMap<String, String>,
    /// `used_memory` of the node, in bytes.
    pub used_bytes: u64,
    /// `maxmemory` of the node, in bytes; 0 is none.
    pub limit_bytes: u64,
    /// The data.
    pub shape: Shape,
    /// The load.
    pub mix: Mix,
}

/// Plans a trial of what those rules or groups recommend.
///
/// # Errors
/// When they recommend nothing, or nothing that can be tried, or when there is no such load.
pub fn plan(
    evidence: &Evidence,
    options: &Options,
    named: &[String],
    load: &Load,
) -> Result<Plan, NoTrial> {
    let options = Options {
        only: named.iter().cloned().collect(),
        ..options.clone()
    };
    let report = judge(evidence, &options);
    let picked = pick(&report, named)?;
    let topology = Topology::of(&evidence.survey);
    let guess = guess(evidence, &topology, options.profile);
    let case = Case::new(evidence, &topology, &options, &guess);
    let node = case.nodes.iter().find(|node| *node.addr == picked.node);
    let node = node.ok_or_else(|| NoTrial::Nothing(named.join(", ")))?;
    let shape = shape(&case, node);
    let (calls, is_lately) = calls(&case);
    let mix = Mix::of(load, &shape, (&calls, is_lately)).map_err(NoTrial::NoLoad)?;
    Ok(Plan {
        cluster: report.cluster,
        vendor: node.vendor(),
        version: node.version().to_string(),
        config: node.facts.config.clone(),
        used_bytes: node.number("used_memory").unwrap_or(0),
        limit_bytes: node.maxmemory().unwrap_or(0),
        picked,
        shape,
        mix,
    })
}

/// Keys are sampled on masters only; a replica holds the same.
fn shape(case: &Case, node: &NodeCase) -> Shape {
    let master = case.master_of(node).unwrap_or(node);
    let seen = node.keys().or(master.keys());
    match seen.filter(|seen| seen.sampled > 0) {
        Some(seen) => Shape::of(seen),
        None => Shape::unseen(node.info().keys(), node.number("used_memory").unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Profile;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_plan_has_the_settings_the_data_and_the_load_of_one_master() {
        let setup = Setup::sound()
            .profile(Profile::Session)
            .config("maxmemory-policy", "allkeys-lru")
            .info(
                "db0:keys=1000,expires=1000,avg_ttl=0\r\nused_memory:2000000\r\nmaxmemory:4000000",
            );
        let (evidence, options) = setup.parts();
        let named = ["memory.policy".to_owned()];
        let made = plan(evidence, options, &named, &Load::Synthetic).unwrap();
        assert_eq!(made.config["maxmemory-policy"], "allkeys-lru");
        assert_eq!((made.used_bytes, made.limit_bytes), (2_000_000, 4_000_000));
        assert_eq!(made.shape.keys(), 1_000);
        assert_eq!(made.shape.notes.len(), 1);
        assert_eq!(made.mix.shares()[0].0, "GET");
        let file = Load::File(vec![super::super::mix::Written {
            command: "GET {key:nobody:*}".into(),
            weight: 1.0,
        }]);
        let refused = plan(evidence, options, &named, &file).unwrap_err();
        assert!(matches!(refused, NoTrial::NoLoad(_)), "{refused}");
    }
}
