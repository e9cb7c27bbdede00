//! Small recordings for tests: three shards of a master (nodes 1, 2, 3) and a replica (4, 5, 6) at
//! 127.0.0.1:7001 to 7006, 200 writes a second on each shard, node timeout 2 s, Redis 8.0.2.

use crate::model::{
    Account, Act, Budgets, Change, Conditions, Deed, DrilledNode, DrilledShard, Fault, Form,
    LoadShape, NodeAddr, NodeId, Op, Outcome, Recording, Resync, Role, Round, Sighting, Trace,
    Victim,
};

/// When the recordings are taken.
pub(crate) const TAKEN_AT_MS: u64 = 1_795_000_000_000;

/// The id of node `n`.
pub(crate) fn node(n: usize) -> NodeId {
    format!("{n:x}").repeat(40).parse().unwrap()
}

/// The address of node `n`.
pub(crate) fn addr(n: usize) -> NodeAddr {
    NodeAddr::new("127.0.0.1", 7000 + n as u16)
}

/// Node `n` as a target.
pub(crate) fn victim(n: usize) -> Victim {
    Victim {
        id: node(n),
        addr: addr(n),
        role: if n <= 3 { Role::Master } else { Role::Replica },
        shard: (n - 1) % 3 + 1,
        place: format!("process {}", 4710 + n),
    }
}

/// What node `by` said of node `of` at a moment in ms.
pub(crate) fn saw(at_ms: u64, by: usize, of: usize, what: Change) -> Sighting {
    Sighting {
        at_us: at_ms * 1000,
        by: node(by),
        of: node(of),
        what,
    }
}

/// The load.
pub(crate) fn load() -> LoadShape {
    LoadShape {
        rate: 200,
        value_bytes: 64,
        client_timeout_ms: 200,
        max_redirections: 5,
    }
}

/// What the servers' timing depends on.
pub(crate) fn conditions() -> Conditions {
    Conditions {
        vendor: "redis".into(),
        version: "8.0.2".into(),
        node_timeout_ms: 2000,
        ping_interval_ms: Some(0),
        masters: 3,
        nodes: 6,
        is_full_coverage: true,
        is_append_only: true,
        min_replicas_to_write: 0,
        shutdown_timeout_ms: 10_000,
        form: Form::Cluster,
        watched: None,
    }
}

/// A recording of these rounds.
pub(crate) fn recording(rounds: Vec<Round>) -> Recording {
    let slots = ["0-5460", "5461-10922", "10923-16383"];
    Recording {
        goodcache: "0.1.0".into(),
        taken_at_ms: TAKEN_AT_MS,
        cluster: "goodbooks".into(),
        scenario: None,
        conditions: conditions(),
        load: load(),
        shards: (1..=3)
            .map(|n| DrilledShard {
                number: n,
                slots: slots[n - 1].into(),
                master: addr(n),
                replicas: vec![addr(n + 3)],
            })
            .collect(),
        nodes: (1..=6)
            .map(|n| DrilledNode {
                id: node(n),
                addr: addr(n),
                role: victim(n).role,
                shard: Some(victim(n).shard),
                epoch: 5 + victim(n).shard as u64 - 1,
            })
            .collect(),
        rounds,
    }
}

fn good_ops(length_ms: u64, took_us: u64) -> Vec<Op> {
    let op = |n: u64| Op {
        due_us: n * 5000,
        took_us: took_us + n % 7 * 40,
        outcome: Outcome::Good,
    };
    (0..length_ms / 5).map(op).collect()
}

/// A round in which node 1 is the target, the fault is asked for at 2 s and nothing comes of it.
pub(crate) fn quiet_round(fault: Fault, length_ms: u64) -> Round {
    let trace = |shard| Trace {
        shard,
        witness: (0..length_ms / 5)
            .map(|n| Op {
                due_us: n * 5000,
                took_us: 600,
                outcome: Outcome::Good,
            })
            .collect(),
        writes: good_ops(length_ms, 500),
        reads: good_ops(length_ms, 400),
    };
    Round {
        began_at_ms: 1_700_000_000_000,
        number: 1,
        name: None,
        budgets: Budgets::default(),
        fault,
        targets: vec![victim(1)],
        second: None,
        expects_promotion: true,
        deeds: vec![done(2_000, Act::FaultAsked), done(2_031, Act::FaultDone)],
        sightings: Vec::new(),
        traces: (1..=3).map(trace).collect(),
        writes: (1..=3)
            .map(|shard| Account {
                shard,
                acknowledged: 2 * length_ms / 5,
                ..Account::default()
            })
            .collect(),
        resyncs: Vec::new(),
        remarks: Vec::new(),
        repairs: Vec::new(),
        not_whole: Vec::new(),
        schedule_slip_p99_us: 900,
    }
}

/// What was done at a moment in ms.
pub(crate) fn done(at_ms: u64, what: Act) -> Deed {
    Deed {
        at_us: at_ms * 1000,
        what,
    }
}

/// Lets everything on a shard fail that is due in `[from_ms, to_ms)`; the client's last ten
/// operations of it succeed late, as its retries do.
pub(crate) fn spoil(round: &mut Round, shard: usize, from_ms: u64, to_ms: u64, outcome: Outcome) {
    let is_in = |op: &Op| (from_ms * 1000..to_ms * 1000).contains(&op.due_us);
    let trace = &mut round.traces[shard - 1];
    let all = [&mut trace.witness, &mut trace.writes, &mut trace.reads];
    let mut failed = 0;
    for (n, ops) in all.into_iter().enumerate() {
        for op in ops.iter_mut().filter(|op| is_in(op)) {
            let left_us = to_ms * 1000 - op.due_us;
            if n > 0 && left_us <= 50_000 {
                op.took_us = left_us + 1_500;
            } else {
                (op.outcome, op.took_us) = (outcome, 250);
                failed += u64::from(n < 2);
            }
        }
    }
    let account = &mut round.writes[shard - 1];
    account.acknowledged = account.acknowledged.saturating_sub(failed);
}

/// The master of shard 1 is killed; node 4 takes over after 3.78 s, the others suffer by full
/// coverage for 0.79 s, it returns, follows, and leads again in the end. Everything is kept.
pub(crate) fn killed_master() -> Recording {
    let mut round = quiet_round(Fault::Kill, 10_000);
    spoil(&mut round, 1, 2_005, 5_780, Outcome::NoConnection);
    spoil(&mut round, 2, 4_995, 5_785, Outcome::Down);
    spoil(&mut round, 3, 4_995, 5_785, Outcome::Down);
    round.writes[0].indeterminate = 2;
    round.writes[0].indeterminate_present = 1;
    use Change::{Answers, Cleared, Failed, Follows, Leads, Silent, Suspected};
    round.sightings = vec![
        saw(2_040, 1, 1, Silent),
        saw(4_270, 2, 1, Suspected),
        saw(4_410, 5, 1, Suspected),
        saw(4_980, 3, 1, Suspected),
        saw(4_990, 3, 1, Failed),
        saw(4_992, 2, 1, Failed),
        saw(4_995, 4, 1, Failed),
        saw(4_996, 5, 1, Failed),
        saw(5_001, 6, 1, Failed),
        saw(5_762, 4, 4, Leads(8)),
        saw(5_770, 2, 4, Leads(8)),
        saw(5_778, 3, 4, Leads(8)),
        saw(5_785, 5, 4, Leads(8)),
        saw(5_790, 6, 4, Leads(8)),
        saw(8_080, 1, 1, Answers),
        saw(8_090, 2, 1, Cleared),
        saw(8_095, 2, 1, Follows),
        saw(9_300, 1, 1, Leads(9)),
        saw(9_310, 2, 1, Leads(9)),
        saw(9_312, 3, 1, Leads(9)),
        saw(9_316, 5, 1, Leads(9)),
    ];
    round.deeds.extend([
        done(7_780, Act::HealAsked),
        done(7_900, Act::HealDone),
        done(8_920, Act::Whole),
        done(9_500, Act::RolesRestored),
    ]);
    round.resyncs = vec![Resync {
        node: addr(1),
        is_full: false,
        bytes: Some(184_320),
    }];
    recording(vec![round])
}

/// The master of shard 1 is cut off from its peers while clients still reach it: it goes on taking
/// writes after node 4 was promoted, and all that is lost when it returns.
pub(crate) fn lost_writes() -> Recording {
    let mut recording = killed_master();
    let round = &mut recording.rounds[0];
    let quiet = quiet_round(Fault::IsolatePeers, 10_000);
    (round.fault, round.traces) = (Fault::IsolatePeers, quiet.traces);
    round.writes = quiet.writes;
    spoil(round, 1, 5_300, 5_780, Outcome::Down);
    let account = &mut round.writes[0];
    account.lost = 512;
    account.lost_between_us = Some((2_012_000, 5_298_000));
    account.split_brain = 34;
    account.stale_reads = 120;
    account.resurrected = 3;
    round.sightings.retain(|seen| seen.by != node(1));
    round.resyncs[0].is_full = true;
    round.resyncs[0].bytes = Some(241_172_480);
    recording
}
