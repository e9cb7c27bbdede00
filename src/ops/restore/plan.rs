//! What a restore would do, and why it must not begin: pure, from the snapshot and the target.

use std::collections::BTreeMap;

use serde::Serialize;

use super::forecast::{Expected, forecast};
use super::journal::Journal;
use super::order::{Existing, Options};
use super::room::room;
use super::target::{Master, Target};
use super::touched::Touched;
use super::values::{Values, bridge, modules, types};
use crate::archive::{Manifest, SlotTable};
use crate::model::words::{count, counted, listed};
use crate::model::{Capability, SlotSet};

/// Of a snapshot whose servers did not say what memory its data took: so much for each byte of it.
/// Small keys take some 2 to 3 times their bytes in an RDB, long strings hardly more than once.
const MEMORY_A_BYTE: u64 = 2;
/// A clock that is off by more is told, ms.
const CLOCK: i64 = 1000;

/// A plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The target's name.
    pub target: String,
    /// What is restored.
    pub source: Source,
    /// The moment that is wanted, ms since the epoch, where it comes after the snapshot.
    pub moment_ms: Option<u64>,
    /// What becomes of keys that the target holds.
    pub existing: Existing,
    /// Whether a part is meant of which is known only when it was read how much it is: what the masters get
    /// is then the most that it can be.
    pub is_at_most: bool,
    /// Keys of the snapshot, all of its bases.
    pub keys: u64,
    /// The bytes of its bases before packing.
    pub bytes: u64,
    /// Keys of each type.
    pub types: BTreeMap<String, u64>,
    /// Commands of its logs, which are played behind the bases.
    pub log_commands: u64,
    /// What goes where.
    pub masters: Vec<Share>,
    /// Keys that the target holds.
    pub target_keys: u64,
    /// Where an earlier run of the same command stopped, which it goes on from.
    pub resumed: Option<Resumed>,
    /// How the values go to the target's servers.
    pub values: Values,
    /// How long it is expected to take.
    pub expected: Expected,
    /// What should be known before.
    pub warnings: Vec<String>,
    /// Why it must not begin.
    pub refusals: Vec<Refusal>,
}

/// What is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Where it lies: the repository, or `RDB files`.
    pub place: String,
    /// The snapshot.
    pub snapshot: String,
    /// Of which cluster.
    pub cluster: String,
    /// When that was taken, ms since the epoch.
    pub taken_at_ms: u64,
    /// The servers that it is of, such as `redis 7.0.15`.
    pub servers: Vec<String>,
}

impl Source {
    fn of(known: &Known<'_>) -> Source {
        let manifest = known.manifest;
        let servers = manifest.servers.iter();
        let servers = servers.map(|server| format!("{} {}", server.vendor, server.version));
        Source {
            place: known.place.to_owned(),
            snapshot: manifest.id.to_string(),
            cluster: manifest.cluster.clone(),
            taken_at_ms: manifest.taken_at_ms,
            servers: servers.collect(),
        }
    }
}

/// What one master of the target gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// The master as it is.
    #[serde(flatten)]
    pub master: Master,
    /// Keys that it gets, as far as the snapshot's tables say: of the slots that are meant, at the most.
    pub gets_keys: u64,
    /// Their bytes.
    pub gets_bytes: u64,
    /// The memory that they need, estimated.
    pub needs_memory: u64,
}

/// Where an earlier run of the same command stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// When that one began, ms since the epoch.
    pub began_ms: u64,
    /// Pieces of the snapshot that are in.
    pub pieces_done: usize,
    /// Pieces in all.
    pub pieces: usize,
    /// Whether it was left so long ago that it must be meant again.
    pub is_old: bool,
    /// Whether the target was emptied by then, which is not done twice.
    pub is_emptied: bool,
}

impl Resumed {
    fn of(known: &Known<'_>) -> Option<Resumed> {
        let journal = known.journal;
        let shards = known.manifest.shards.iter();
        journal.is_resumed.then(|| Resumed {
            is_emptied: journal.noted.is_flushed,
            began_ms: journal.noted.began_ms,
            pieces_done: journal.pieces_done(),
            pieces: shards.map(|shard| shard.base.len()).sum(),
            is_old: journal.is_old,
        })
    }
}

/// Why it must not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What is in the way.
    pub what: String,
    /// What to do.
    pub next: String,
}

/// What the snapshot is, for a plan.
pub(super) struct Known<'a> {
    /// Where it lies, in words.
    pub place: &'a str,
    pub manifest: &'a Manifest,
    pub tables: &'a [Option<SlotTable>],
    pub touched: &'a Touched,
    /// Whether an earlier run of this very command stopped half-way, and how far it came.
    pub journal: &'a Journal,
    /// The moment that is wanted, where it comes after the snapshot.
    pub moment_ms: Option<u64>,
}

/// Plans.
pub(super) fn plan(known: &Known<'_>, target: &Target, options: &Options) -> Plan {
    let manifest = known.manifest;
    let mut plan = Plan {
        target: options.target.clone(),
        source: Source::of(known),
        moment_ms: known.moment_ms,
        existing: options.existing,
        is_at_most: !options.select.is_by_slot(),
        keys: manifest.keys(),
        bytes: base_bytes(manifest),
        types: types(manifest),
        log_commands: known.touched.commands,
        masters: shares(known, target, options),
        target_keys: target.keys(),
        resumed: Resumed::of(known),
        ..Plan::default()
    };
    plan.warnings.extend(known.journal.begins_anew.clone());
    uncovered(&mut plan, known, target, options);
    logs(&mut plan, known, options);
    occupied(&mut plan, known, options);
    withheld(&mut plan, manifest, options);
    room(&mut plan, options, known.journal.is_resumed);
    bridge(&mut plan, manifest);
    modules(&mut plan, manifest);
    clocks(&mut plan);
    plan.expected = forecast(&plan, options);
    plan
}

fn base_bytes(manifest: &Manifest) -> u64 {
    let chunks = manifest.shards.iter().flat_map(|shard| &shard.base);
    chunks.map(|chunk| chunk.raw_bytes).sum()
}

fn shares(known: &Known<'_>, target: &Target, options: &Options) -> Vec<Share> {
    let memory: Option<u64> = known
        .manifest
        .shards
        .iter()
        .map(|shard| shard.used_memory())
        .sum();
    let all_bytes = base_bytes(known.manifest).max(1);
    let share = |master: &Master| {
        let rows = known.tables.iter().flatten().flat_map(|table| &table.rows);
        let is_meant = |slot| options.select.takes_slot(slot);
        let mine = rows.filter(|row| master.slots.contains(row.slot) && is_meant(row.slot));
        let (keys, bytes) = mine.fold((0, 0), |(keys, bytes), row| {
            (keys + row.keys, bytes + row.bytes)
        });
        let by_share =
            |memory: u64| (u128::from(memory) * u128::from(bytes) / u128::from(all_bytes)) as u64;
        Share {
            master: master.clone(),
            gets_keys: keys,
            gets_bytes: bytes,
            needs_memory: memory.map_or(bytes.saturating_mul(MEMORY_A_BYTE), by_share),
        }
    };
    target.masters.iter().map(share).collect()
}

fn refuse(plan: &mut Plan, what: String, next: impl Into<String>) {
    plan.refusals.push(Refusal {
        what,
        next: next.into(),
    });
}

fn uncovered(plan: &mut Plan, known: &Known<'_>, target: &Target, options: &Options) {
    let mut covered = SlotSet::new();
    for master in &target.masters {
        covered = covered.union(&master.slots);
    }
    let rows = known.tables.iter().flatten().flat_map(|table| &table.rows);
    let lost: SlotSet = rows
        .map(|row| row.slot)
        .filter(|slot| !covered.contains(*slot))
        .collect();
    let wanted = match &options.select.slots {
        Some(slots) => lost.intersection(slots),
        None => lost,
    };
    if target.masters.is_empty() {
        refuse(
            plan,
            "no master of the target has slots and answers".to_owned(),
            "see goodcache check",
        );
    } else if !wanted.is_empty() {
        let what = format!(
            "{} of the snapshot {} no master in the target that answers",
            counted(wanted.len(), "slot"),
            if wanted.len() == 1 { "has" } else { "have" }
        );
        refuse(plan, what, "make the target whole first: goodcache check");
    }
}

/// A command of which nobody knows what it changes cannot be routed, and leaving it out would be a lie.
fn logs(plan: &mut Plan, known: &Known<'_>, options: &Options) {
    let unknown = &known.touched.unknown;
    if !unknown.is_empty() {
        let what = format!(
            "the logs hold commands that cannot be played: {}",
            listed(unknown.iter().cloned(), 6)
        );
        refuse(
            plan,
            what,
            "restore the snapshot before it, or boot it as it is: goodcache backup export",
        );
    }
    let is_by_value = !options.select.families.is_empty() || options.select.min_ttl_ms.is_some();
    if is_by_value && !known.touched.is_empty() {
        plan.warnings.push(
            "keys that the logs change are restored whatever their type and time to live"
                .to_owned(),
        );
    }
}

fn occupied(plan: &mut Plan, known: &Known<'_>, options: &Options) {
    let is_meant = options.existing != Existing::Refuse || known.journal.is_resumed;
    if plan.target_keys == 0 || is_meant {
        return;
    }
    let what = format!("the target holds {} already", many(plan.target_keys));
    refuse(
        plan,
        what,
        "say what becomes of them: --skip-existing leaves them, --replace replaces those that the \
         snapshot has, --flush removes all first",
    );
}

/// What a master is known to refuse is found before anything is sent.
fn withheld(plan: &mut Plan, manifest: &Manifest, options: &Options) {
    let refusal = |plan: &Plan, capability: Capability| {
        let mut masters = plan.masters.iter().map(|share| &share.master);
        masters.find_map(|master| {
            let why = master.withheld.get(&capability)?;
            let words = capability.words();
            Some(format!("{} refuses {words}: {why}", master.addr))
        })
    };
    if let Some(what) = refusal(plan, Capability::Restore) {
        let next = "give the user +restore, or give the data's RDB files to the service's own import: \
                    goodcache backup export";
        refuse(plan, what, next);
    }
    if options.existing == Existing::Flush
        && let Some(what) = refusal(plan, Capability::FlushAll)
    {
        let next = "give the user +flushall, empty it otherwise, or say --replace";
        refuse(plan, what, next);
    }
    if manifest
        .parts
        .iter()
        .any(|part| part.kind.as_str() == "functions")
        && let Some(what) = refusal(plan, Capability::FunctionRestore)
    {
        plan.warnings
            .push(format!("functions will be left out: {what}"));
    }
}

pub(super) fn many(keys: u64) -> String {
    match keys {
        1 => "1 key".to_owned(),
        keys => format!("{} keys", count(keys)),
    }
}

fn clocks(plan: &mut Plan) {
    for share in &plan.masters {
        if let Some(ahead) = share
            .master
            .clock_ahead_ms
            .filter(|ahead| ahead.abs() > CLOCK)
        {
            plan.warnings.push(format!(
                "the clock of {} is {:.1} s {} this machine's: keys expire by its clock",
                share.master.addr,
                ahead.abs() as f64 / 1000.0,
                if ahead > 0 { "ahead of" } else { "behind" }
            ));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{NodeAddr, Version};
    use crate::ops::restore::{Order, Select};

    pub(in crate::ops::restore) fn options() -> Options {
        Options {
            select: Select::default(),
            existing: Existing::Refuse,
            order: Order::Slots,
            with_acl: false,
            is_proven: true,
            rate: None,
            max_latency: None,
            max_stall: Duration::from_millis(50),
            target: "shop".to_owned(),
            now_ms: || 5,
        }
    }

    pub(in crate::ops::restore) fn share(clock_ahead_ms: Option<i64>) -> Share {
        let master = Master {
            addr: NodeAddr::new("127.0.0.1", 7001),
            slots: SlotSet::full(),
            vendor: crate::model::Vendor::Redis,
            version: Version(7, 0, 0),
            keys: 0,
            maxmemory: 0,
            policy: "noeviction".to_owned(),
            used_memory: 0,
            machine_memory: 0,
            clock_ahead_ms,
            modules: BTreeMap::new(),
            replicas: 0,
            withheld: BTreeMap::new(),
        };
        Share {
            master,
            gets_keys: 0,
            gets_bytes: 0,
            needs_memory: 0,
        }
    }

    #[test]
    fn a_clock_that_is_off_is_told() {
        for (ahead, said) in [
            (None, None),
            (Some(900), None),
            (Some(2500), Some("2.5 s ahead of")),
            (Some(-61_000), Some("61.0 s behind")),
        ] {
            let mut plan = Plan {
                masters: vec![share(ahead)],
                ..Plan::default()
            };
            clocks(&mut plan);
            let warning = plan.warnings.first();
            assert_eq!(warning.is_some(), said.is_some(), "{ahead:?}");
            if let (Some(warning), Some(said)) = (warning, said) {
                assert!(warning.contains(said), "{warning}");
            }
        }
    }
}
