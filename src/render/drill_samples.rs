//! Drills that the tests of this room look at: a kill that went well, one that lost writes and left
//! the cluster torn, twenty rounds, a handover, and one whose names try to act.

use std::collections::BTreeMap;

use super::samples::addr;
use crate::model::{
    Account, Act, Budgets, Change, Conditions, Deed, DrilledShard, Fault, Form, LoadShape,
    NodeAddr, Op, Outcome, Recording, Resync, Role, Round, Sighting, Trace, Victim,
};
use crate::ops::failover::{
    BudgetLine, Comparison, Dominant, Latency, Moment, Outage, Phase, Promotion, Recovery, Report,
    RoundReport, ShardWrites, Statistics, Term, Verdict, Writes,
};

/// When the fault strikes, in ms since the round began.
const FAULT: f64 = 2040.0;

pub const TAKEN_AT: u64 = 1_795_384_800_042;

fn conditions() -> Conditions {
    Conditions {
        vendor: "redis".to_owned(),
        version: "7.0.15".to_owned(),
        node_timeout_ms: 1000,
        ping_interval_ms: None,
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

fn load() -> LoadShape {
    LoadShape {
        rate: 100,
        value_bytes: 64,
        client_timeout_ms: 500,
        max_redirections: 5,
    }
}

fn shards() -> Vec<DrilledShard> {
    let slots = ["0-5460", "5461-10922", "10923-16383"];
    let shard = |n: usize| DrilledShard {
        number: n + 1,
        slots: slots[n].to_owned(),
        master: addr(n as u16 + 1),
        replicas: vec![addr(n as u16 + 4)],
    };
    (0..3).map(shard).collect()
}

fn id(n: usize) -> crate::model::NodeId {
    format!("{n}").repeat(40).parse().unwrap()
}

/// Numbers that look like chance and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

/// Operations every 10 ms; those due from `from` to `to` fail, first by timeout, then otherwise.
pub fn ops(seed: u64, total_ms: f64, gap: Option<(f64, f64)>, step_ms: f64) -> Vec<Op> {
    let mut dice = Dice(seed);
    let count = (total_ms / step_ms) as usize;
    let op = |n: usize| {
        let due = n as f64 * step_ms;
        let (a, b) = (dice.roll(), dice.roll());
        let calm = 0.25 + 0.4 * a * a + if b > 0.98 { 9.0 * a } else { 0.0 };
        let (took, outcome) = match gap {
            Some((from, to)) if due >= from && due < to => {
                let part = (due - from) / (to - from);
                match part {
                    p if p < 0.02 => (3.0, Outcome::Broken),
                    p if p < 0.4 => (500.0, Outcome::Timeout),
                    p if p < 0.6 => (0.8, Outcome::NoConnection),
                    _ => (1.2, Outcome::Down),
                }
            }
            Some((_, to)) if due >= to && due < to + 400.0 => {
                (calm + 60.0 * (1.0 - (due - to) / 400.0) * b, Outcome::Good)
            }
            _ => (calm, Outcome::Good),
        };
        Op {
            due_us: (due * 1e3) as u64,
            took_us: (took * 1e3) as u64,
            outcome,
        }
    };
    (0..count).map(op).collect()
}

fn trace(shard: usize, total_ms: f64, gap: Option<(f64, f64)>) -> Trace {
    let later = gap.map(|(from, to)| (from, to + 40.0));
    Trace {
        shard,
        witness: ops(shard as u64, total_ms, gap, 10.0),
        writes: ops(shard as u64 + 10, total_ms, later, 10.0),
        reads: ops(shard as u64 + 20, total_ms, later, 10.0),
    }
}

fn moment(after: f64, what: &'static str, shard: Option<usize>, words: &str) -> Moment {
    Moment {
        at_ms: FAULT + after,
        what,
        shard,
        words: words.to_owned(),
    }
}

fn kill_timeline(whole: bool) -> Vec<Moment> {
    let mut moments = vec![
        moment(0.0, "fault", None, "10.0.0.1:6379 is killed"),
        moment(
            6.2,
            "first_failed_write",
            Some(1),
            "connection broken at 10.0.0.1:6379",
        ),
        moment(
            1163.0,
            "suspected",
            Some(1),
            "10.0.0.5:6379 says fail? of 10.0.0.1:6379",
        ),
        moment(
            1562.4,
            "failed",
            Some(1),
            "10.0.0.3:6379 says fail of 10.0.0.1:6379",
        ),
        moment(
            2391.0,
            "promoted",
            Some(1),
            "10.0.0.4:6379 leads by epoch 7, say 4 of 5 nodes",
        ),
        moment(
            2413.4,
            "first_good_write",
            Some(1),
            "10.0.0.4:6379 takes writes",
        ),
        moment(3420.0, "heal", None, "10.0.0.1:6379 is started again"),
        moment(
            3618.0,
            "back",
            Some(1),
            "10.0.0.1:6379 answers, as a replica",
        ),
    ];
    if whole {
        let words = "every view is sound, every replica in step";
        moments.push(moment(4620.0, "whole", None, words));
    }
    moments
}

fn outage(round: usize, shard: usize, length: f64) -> Outage {
    Outage {
        round,
        shard,
        is_struck: shard == 1,
        unavailable_ms: length,
        longest_ms: length,
        first_error_at: if shard == 1 { 2050.0 } else { 3610.0 },
        restored_at: Some(if shard == 1 { 2050.0 } else { 3610.0 } + length),
        first_error_time: "2026-11-22T23:06:02.712Z".to_owned(),
        restored_time: Some("2026-11-22T23:06:06.712Z".to_owned()),
        client_unavailable_ms: length + 40.0,
        resolution_ms: 10.0,
        errors: BTreeMap::from([(Outcome::Timeout, 96), (Outcome::Down, 145)]),
    }
}

fn promotion(round: usize) -> Promotion {
    Promotion {
        round,
        shard: 1,
        from: addr(1),
        to: addr(4),
        suspected_ms: Some(1163.0),
        suspected_by: Some(addr(5)),
        failed_ms: Some(1562.4),
        promoted_ms: 2391.0,
        first_write_ms: Some(2413.4),
        epoch: 6 + round as u64,
    }
}

fn written(round: usize, shard: usize, lost: u64) -> ShardWrites {
    ShardWrites {
        round,
        shard,
        writes: Writes {
            acknowledged: 4115,
            lost,
            indeterminate: if shard == 1 { 97 } else { 3 },
            indeterminate_present: u64::from(shard == 1) * 4,
            ..Writes::default()
        },
        lost_span_ms: (lost > 0).then_some(412.5),
    }
}

fn term(name: &'static str, low: f64, mid: f64, high: f64, measured: Option<f64>) -> Term {
    Term {
        name,
        expected_low_ms: low,
        expected_ms: mid,
        expected_high_ms: high,
        measured_ms: measured,
        because: format!("what the rule of {name} gives with cluster-node-timeout 1 s"),
    }
}

fn terms() -> Vec<Term> {
    vec![
        term("detection", 1000.0, 1250.0, 1600.0, Some(1163.0)),
        term("agreement", 0.0, 340.0, 900.0, Some(399.4)),
        term("election", 505.0, 800.0, 1145.0, Some(828.6)),
        term("client", 0.0, 10.0, 20.0, Some(22.4)),
        term("total", 1505.0, 2400.0, 3665.0, Some(2413.4)),
    ]
}

fn latencies() -> Vec<Latency> {
    let row = |shard: usize, phase: Phase| {
        let is_bad = shard == 1 && phase == Phase::During;
        Latency {
            shard,
            phase,
            operations: if phase == Phase::During { 484 } else { 1210 },
            errors: if is_bad { 480 } else { 0 },
            p50_ms: (!is_bad).then_some(0.31 + shard as f64 / 100.0),
            p99_ms: (!is_bad).then_some(4.2),
            max_ms: (!is_bad).then_some(58.4),
        }
    };
    let phases = [Phase::Before, Phase::During, Phase::After];
    (1..=3)
        .flat_map(|shard| phases.map(|phase| row(shard, phase)))
        .collect()
}

fn budget(
    budget: &'static str,
    at: (Option<usize>, Option<usize>),
    (limit, measured): (&str, &str),
    verdict: Verdict,
) -> BudgetLine {
    BudgetLine {
        step: None,
        budget,
        round: at.0,
        shard: at.1,
        limit: limit.to_owned(),
        measured: measured.to_owned(),
        verdict,
    }
}

fn victim() -> Victim {
    Victim {
        id: id(1),
        addr: addr(1),
        role: Role::Master,
        shard: 1,
        place: "process 4711".to_owned(),
    }
}

fn round(number: usize, fault: Fault, total_ms: f64, gaps: [Option<(f64, f64)>; 3]) -> Round {
    let us = |ms: f64| (ms * 1e3) as u64;
    let deeds = [
        (FAULT, Act::FaultAsked),
        (FAULT + 2.0, Act::FaultDone),
        (FAULT + 3420.0, Act::HealAsked),
        (FAULT + 3510.0, Act::HealDone),
        (FAULT + 4620.0, Act::Whole),
    ];
    Round {
        began_at_ms: TAKEN_AT,
        number,
        name: None,
        budgets: Budgets::default(),
        fault,
        targets: vec![victim()],
        second: None,
        expects_promotion: true,
        deeds: deeds
            .map(|(at, what)| Deed {
                at_us: us(at),
                what,
            })
            .into(),
        sightings: vec![Sighting {
            at_us: us(FAULT + 1163.0),
            by: id(5),
            of: id(1),
            what: Change::Suspected,
        }],
        traces: (1..=3)
            .map(|shard| trace(shard, total_ms, gaps[shard - 1]))
            .collect(),
        writes: (1..=3)
            .map(|shard| Account {
                shard,
                acknowledged: 4115,
                ..Account::default()
            })
            .collect(),
        resyncs: vec![Resync {
            node: addr(1),
            is_full: false,
            bytes: Some(12_345),
        }],
        remarks: Vec::new(),
        repairs: Vec::new(),
        not_whole: Vec::new(),
        schedule_slip_p99_us: 900,
    }
}

fn recording(rounds: Vec<Round>) -> Recording {
    Recording {
        goodcache: "0.1.0".to_owned(),
        taken_at_ms: TAKEN_AT,
        cluster: "goodbooks".to_owned(),
        scenario: None,
        conditions: conditions(),
        load: load(),
        shards: shards(),
        nodes: Vec::new(),
        rounds,
    }
}

fn round_report(round: usize, timeline: Vec<Moment>) -> RoundReport {
    RoundReport {
        round,
        name: None,
        fault: Fault::Kill,
        targets: vec!["10.0.0.1:6379 (master of shard 1, process 4711)".to_owned()],
        timeline,
        not_whole: Vec::new(),
    }
}

/// The master of shard 1 is killed; all is well soon.
pub fn passed() -> (Report, Recording) {
    let lines = |shard| {
        budget(
            "max_outage",
            (Some(1), Some(shard)),
            ("10.0 s", if shard == 1 { "2.41 s" } else { "830 ms" }),
            Verdict::Passed,
        )
    };
    let mut budgets: Vec<BudgetLine> = (1..=3).map(lines).collect();
    for (name, limit, measured) in [
        ("max_lost_writes", "0", "0"),
        ("max_redundancy", "1m 00s", "1.11 s"),
        ("whole", "whole", "whole"),
    ] {
        budgets.push(budget(
            name,
            (Some(1), None),
            (limit, measured),
            Verdict::Passed,
        ));
    }
    let report = Report {
        verdict: Verdict::Passed,
        reasons: Vec::new(),
        next: Vec::new(),
        cluster: "goodbooks".to_owned(),
        scenario: None,
        conditions: conditions(),
        load: load(),
        shards: shards(),
        rounds: vec![round_report(1, kill_timeline(true))],
        outages: vec![outage(1, 1, 2410.0), outage(1, 2, 830.0), outage(1, 3, 830.0)],
        promotions: vec![promotion(1)],
        writes: Writes {
            acknowledged: 12_345,
            indeterminate: 103,
            indeterminate_present: 4,
            ..Writes::default()
        },
        writes_by_shard: (1..=3).map(|shard| written(1, shard, 0)).collect(),
        recovery: Recovery {
            resync: "partial",
            resync_bytes: Some(12_345),
            redundancy_ms: Some(1110.0),
            whole_after_fault_ms: Some(4620.0),
        },
        terms: terms(),
        dominant: Some(Dominant {
            name: "detection",
            share: 0.482,
            next: "a lower cluster-node-timeout; below 1 s every stall of an event loop costs a failover".to_owned(),
        }),
        statistics: None,
        latencies: latencies(),
        outcomes: BTreeMap::from([
            (Outcome::Good, 24_012),
            (Outcome::Timeout, 96),
            (Outcome::Down, 310),
            (Outcome::Broken, 7),
        ]),
        advice: vec!["try again for 2.45 s at least, with at most 500 ms between two tries; REDIS_CLUSTER_MAX_REDIRECTIONS alone does not bridge it".to_owned()],
        comparison: None,
        budgets,
        notes: vec!["shards 2 and 3 refused writes for 830 ms because of cluster-require-full-coverage yes".to_owned()],
    };
    let other = Some((3610.0, 4440.0));
    let gaps = [Some((2050.0, 4460.0)), other, other];
    let rounds = vec![round(1, Fault::Kill, 8000.0, gaps)];
    (report, recording(rounds))
}

/// Cut off from its peers; acknowledged writes are gone, and it never comes back.
pub fn failed() -> (Report, Recording) {
    let (mut report, mut recording) = passed();
    report.verdict = Verdict::Failed;
    report.reasons = vec![
        "412 acknowledged writes are gone, 0 may be".to_owned(),
        "the cluster did not become whole within 2m 00s".to_owned(),
        "shard 1 took no writes for 12.4 s in all, 10.0 s are allowed".to_owned(),
    ];
    let wrong = [
        "10.0.0.1:6379 does not answer",
        "shard 1 has 0 of 1 replicas in step",
    ];
    report.rounds[0].fault = Fault::IsolatePeers;
    report.rounds[0].not_whole = wrong.map(str::to_owned).into();
    report.rounds[0].timeline = kill_timeline(false);
    for moment in &mut report.rounds[0].timeline {
        match moment.what {
            "first_good_write" => moment.at_ms = FAULT + 12_400.0,
            "promoted" => moment.at_ms = FAULT + 12_310.0,
            "heal" => moment.at_ms = FAULT + 15_000.0,
            "back" => moment.at_ms = FAULT + 15_800.0,
            _ => {}
        }
    }
    report.rounds[0].timeline.push(moment(
        12_450.0,
        "roles_restored",
        Some(1),
        "10.0.0.1:6379 leads again",
    ));
    let timeline = &mut report.rounds[0].timeline;
    timeline.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    report.outages[0].unavailable_ms = 12_400.0;
    report.outages[0].longest_ms = 12_390.0;
    report.outages[0].client_unavailable_ms = 12_440.0;
    report.outages[0].restored_at = Some(2050.0 + 12_400.0);
    report.outages[1].restored_at = None;
    report.outages[1].unavailable_ms = 32_000.0;
    report.promotions[0].suspected_ms = None;
    report.promotions[0].promoted_ms = 12_310.0;
    report.promotions[0].first_write_ms = Some(12_400.0);
    report.writes.lost = 412;
    report.writes.split_brain = 412;
    report.writes.stale_reads = 3;
    report.writes_by_shard[0] = written(1, 1, 412);
    report.recovery.redundancy_ms = None;
    report.recovery.whole_after_fault_ms = None;
    report.recovery.resync = "full";
    report.recovery.resync_bytes = Some(241_591_908);
    report.terms[2].measured_ms = Some(9700.0);
    report.terms[0].measured_ms = None;
    report.terms[4].measured_ms = Some(12_400.0);
    report.budgets[0].verdict = Verdict::Failed;
    report.budgets[0].measured = "12.4 s".to_owned();
    for line in &mut report.budgets {
        match line.budget {
            "max_lost_writes" => (line.measured, line.verdict) = ("412".into(), Verdict::Failed),
            "max_redundancy" => (line.measured, line.verdict) = ("?".into(), Verdict::Unknown),
            "whole" => (line.measured, line.verdict) = ("not whole".into(), Verdict::Failed),
            _ => {}
        }
    }
    report.comparison = Some(Comparison {
        baseline_taken_at_ms: TAKEN_AT - 86_400_000,
        counts: (1, 5),
        medians_ms: (12_400.0, 2390.0),
        p_value: 0.041,
        is_slower: true,
        words: "slower: 12.4 s now, 2.39 s then (p 0.041)".to_owned(),
    });
    let gaps = [
        Some((2050.0, 14_450.0)),
        Some((3610.0, 60_000.0)),
        Some((3610.0, 4440.0)),
    ];
    recording.rounds = vec![round(1, Fault::IsolatePeers, 40_000.0, gaps)];
    (report, recording)
}

/// The same kill twenty times; one round misses its budget.
pub fn many() -> (Report, Recording) {
    let (mut report, mut recording) = passed();
    let mut dice = Dice(7);
    let (mut rounds, mut recorded) = (Vec::new(), Vec::new());
    (report.outages, report.promotions) = (Vec::new(), Vec::new());
    (report.writes_by_shard, report.budgets) = (Vec::new(), Vec::new());
    for n in 1..=20 {
        let length = 1800.0 + (dice.roll() * 1000.0).round();
        rounds.push(round_report(n, kill_timeline(true)));
        report.promotions.push(promotion(n));
        for shard in 1..=3 {
            let length = if shard == 1 { length } else { 830.0 };
            report.outages.push(outage(n, shard, length));
            report.writes_by_shard.push(written(n, shard, 0));
            let is_kept = length < 2700.0;
            report.budgets.push(budget(
                "max_outage",
                (Some(n), Some(shard)),
                ("2.70 s", &super::human::millis(length)),
                if is_kept {
                    Verdict::Passed
                } else {
                    Verdict::Failed
                },
            ));
        }
        let other = Some((3610.0, 4440.0));
        let gaps = [Some((2050.0, 2050.0 + length)), other, other];
        recorded.push(round(n, Fault::Kill, 8000.0, gaps));
    }
    (report.rounds, recording.rounds) = (rounds, recorded);
    report.verdict = Verdict::Failed;
    report.reasons = vec!["shard 1 took no writes for 2.78 s in round 9".to_owned()];
    report.statistics = Some(Statistics {
        count: 20,
        min_ms: 1803.0,
        median_ms: 2312.0,
        p95_ms: 2770.0,
        max_ms: 2781.0,
    });
    (report, recording)
}

/// Master and replica change places; nobody notices.
pub fn graceful() -> (Report, Recording) {
    let (mut report, mut recording) = passed();
    report.rounds[0].fault = Fault::Failover;
    report.rounds[0].targets = vec!["10.0.0.1:6379 (master of shard 1)".to_owned()];
    report.rounds[0].timeline = vec![
        moment(0.0, "fault", None, "10.0.0.4:6379 is asked to take over"),
        moment(21.0, "promoted", Some(1), "10.0.0.4:6379 leads by epoch 7"),
        moment(
            30.0,
            "first_good_write",
            Some(1),
            "10.0.0.4:6379 takes writes",
        ),
        moment(620.0, "whole", None, "every view is sound"),
        moment(
            1940.0,
            "roles_restored",
            Some(1),
            "10.0.0.1:6379 leads again",
        ),
    ];
    report.outages = vec![outage(1, 1, 30.0)];
    report.outages[0].first_error_at = FAULT;
    report.outages[0].restored_at = Some(FAULT + 30.0);
    let promotion = &mut report.promotions[0];
    (
        promotion.suspected_ms,
        promotion.failed_ms,
        promotion.suspected_by,
    ) = (None, None, None);
    (promotion.promoted_ms, promotion.first_write_ms) = (21.0, Some(30.0));
    (report.terms, report.dominant) = (Vec::new(), None);
    (
        report.recovery.redundancy_ms,
        report.recovery.whole_after_fault_ms,
    ) = (None, Some(620.0));
    report.recovery.resync = "none";
    report.recovery.resync_bytes = None;
    report.outcomes = BTreeMap::from([(Outcome::Good, 24_800)]);
    (report.notes, report.advice) = (Vec::new(), Vec::new());
    report.budgets.truncate(1);
    report.budgets[0].measured = "30.0 ms".to_owned();
    let gaps = [Some((FAULT, FAULT + 30.0)), None, None];
    recording.rounds = vec![round(1, Fault::Failover, 6000.0, gaps)];
    (report, recording)
}

/// Whatever a server or a user may say tries to act on the terminal, the page or the parser.
pub fn hostile() -> (Report, Recording) {
    let long = "n".repeat(200);
    let evil = format!(
        "a\u{1b}[2J|b`c\"d'\n# x\u{202e}</title><script>alert(1)</script><img src=x onerror=y>]]>&{long}"
    );
    let (mut report, mut recording) = failed();
    let host = NodeAddr::new(evil.clone(), 1);
    report.cluster.clone_from(&evil);
    recording.cluster.clone_from(&evil);
    report.reasons = vec![evil.clone(); 3];
    (report.advice, report.notes) = (vec![evil.clone()], vec![evil.clone()]);
    report.conditions.vendor.clone_from(&evil);
    report.conditions.version.clone_from(&evil);
    report.promotions[0].from = host.clone();
    report.promotions[0].to = host;
    report.rounds[0].targets = vec![evil.clone()];
    report.rounds[0].not_whole = vec![evil.clone()];
    for moment in &mut report.rounds[0].timeline {
        moment.words.clone_from(&evil);
    }
    for term in &mut report.terms {
        term.because.clone_from(&evil);
    }
    for line in &mut report.budgets {
        line.limit.clone_from(&evil);
        line.measured.clone_from(&evil);
    }
    if let Some(comparison) = &mut report.comparison {
        comparison.words.clone_from(&evil);
    }
    recording.rounds[0].name = Some(evil);
    (report, recording)
}
