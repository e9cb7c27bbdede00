//! How the values of a snapshot go to the target's servers, as far as their types tell: pure.
//!
//! What cannot go is known by its type before a byte is sent, where the snapshot says its types.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{Plan, Share, many};
use super::target::Master;
use crate::archive::Manifest;
use crate::model::Vendor as Maker;
use crate::model::words::listed;
use crate::rdb::{Accepts, Dialect, Family, Reason, Way, can_go, family};

/// How many keys go in which way; of all of the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Values {
    /// As they are.
    pub as_they_are: u64,
    /// In an older layout, which the target knows.
    pub in_another_layout: u64,
    /// In an older layout, unless fields of theirs expire.
    pub unless_fields_expire: u64,
    /// Not at all.
    pub cannot_go: u64,
}

/// Keys of each family; empty when the snapshot does not say.
pub(super) fn types(manifest: &Manifest) -> BTreeMap<String, u64> {
    let mut types = BTreeMap::new();
    for (dialect, kind, keys) in kinds(manifest) {
        let name = family(dialect, kind).map_or("unknown", Family::name);
        *types.entry(name.to_owned()).or_default() += keys;
    }
    types
}

fn kinds(manifest: &Manifest) -> impl Iterator<Item = (Dialect, u8, u64)> {
    manifest.shards.iter().flat_map(|shard| {
        let dialect = Dialect::named(&shard.rdb);
        let types = shard.types().unwrap_or_default();
        types
            .into_iter()
            .filter_map(move |(kind, keys)| Some((dialect?, kind, keys)))
    })
}

/// Counts how values go, and tells of those that cannot.
pub(super) fn bridge(plan: &mut Plan, manifest: &Manifest) {
    let masters = plan.masters.iter();
    let accepts: Vec<Accepts> = masters.map(|share| accepts(&share.master)).collect();
    let mut reasons = BTreeMap::<Reason, u64>::new();
    for (dialect, kind, keys) in kinds(manifest) {
        let ways = accepts.iter();
        let ways = ways.map(|accepts| can_go(dialect, kind, *accepts));
        // What one master cannot take is missing, whatever the others do; the rest fare alike.
        let worst = ways.filter_map(Result::ok).max_by_key(hardness);
        let values = &mut plan.values;
        match worst {
            Some(Way::Stamped) => values.as_they_are += keys,
            Some(Way::Transcoded) => values.in_another_layout += keys,
            Some(Way::UnlessFieldsExpire) => values.unless_fields_expire += keys,
            Some(Way::Impossible(reason)) => {
                values.cannot_go += keys;
                *reasons.entry(reason).or_default() += keys;
            }
            None => {}
        }
    }
    for (reason, keys) in reasons {
        plan.warnings
            .push(format!("{} cannot go there: {reason}", many(keys)));
    }
    let may_not = plan.values.unless_fields_expire;
    if may_not > 0 {
        plan.warnings.push(format!(
            "of {} those cannot go there that have fields which expire: the target knows no such fields",
            many(may_not)
        ));
    }
}

fn hardness(way: &Way) -> u8 {
    match way {
        Way::Stamped => 0,
        Way::Transcoded => 1,
        Way::UnlessFieldsExpire => 2,
        Way::Impossible(_) => 3,
    }
}

/// What a master takes.
pub(super) fn accepts(master: &Master) -> Accepts {
    let vendor = match master.vendor {
        Maker::Redis => crate::rdb::Vendor::Redis,
        Maker::Valkey => crate::rdb::Vendor::Valkey,
    };
    Accepts::of_server(vendor, &master.version.to_string())
        .with_modules(master.modules.keys().map(String::as_str))
}

/// Tells which modules are not loaded whose values the snapshot may have.
pub(super) fn modules(plan: &mut Plan, manifest: &Manifest) {
    if !plan.types.contains_key(Family::Module.name()) {
        return;
    }
    let missing = manifest.modules.keys().filter(|name| {
        let has = |share: &Share| share.master.modules.contains_key(*name);
        !plan.masters.iter().all(has)
    });
    let missing = listed(missing.cloned(), 6);
    if !missing.is_empty() {
        plan.warnings.push(format!(
            "modules that the snapshot's servers had are not loaded in the target: {missing}; their \
             keys will be refused"
        ));
    }
}
