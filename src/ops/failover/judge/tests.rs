//! Whole judgements: a recording is spoilt in one way, and the verdict, its reasons and its lines
//! are looked at.

use super::super::report::{BudgetLine, Report, Verdict};
use super::super::samples::{self, done};
use super::judge;
use crate::model::{Act, Budgets, Change, Fault, Outcome, Recording, Round, Trace};
use Verdict::{Failed, Passed, Unknown};

fn promised(recording: &Recording) -> Report {
    judge(recording, &Budgets::default(), None)
}

fn lines<'a>(report: &'a Report, budget: &str) -> Vec<&'a BudgetLine> {
    let all = report.budgets.iter();
    all.filter(|line| line.budget == budget).collect()
}

#[test]
fn a_sound_drill_passes_line_by_line() {
    let report = promised(&samples::killed_master());
    assert_eq!((report.verdict, report.reasons.len()), (Passed, 0));
    let rows: Vec<_> = report
        .budgets
        .iter()
        .map(|line| (line.budget, line.shard, &*line.limit, &*line.measured))
        .collect();
    assert_eq!(
        rows,
        [
            ("max_outage", Some(1), "10.0 s", "3.78 s"),
            ("max_outage", Some(2), "10.0 s", "791 ms"),
            ("max_outage", Some(3), "10.0 s", "791 ms"),
            ("max_lost_writes", None, "0", "0"),
            ("max_redundancy", None, "60.0 s", "1.02 s"),
            ("whole", None, "whole", "whole"),
            (
                "promotion",
                Some(1),
                "a new master",
                "after 3.77 s: 127.0.0.1:7004, by epoch 8"
            ),
        ]
    );
    assert!(report.budgets.iter().all(|line| line.verdict == Passed));
    let statistics = report.statistics.unwrap();
    assert_eq!((statistics.count, statistics.min_ms), (1, 3_775.6));
    assert_eq!(report.promotions.len(), 1);
    assert_eq!(report.rounds.len(), 1);
    assert_eq!(report.latencies.len(), 9);
}

/// What is done to the sample, the verdict, and the reasons, each by a part of it.
type Row = (
    &'static str,
    fn(&mut Recording),
    Verdict,
    &'static [&'static str],
);

fn round(recording: &mut Recording) -> &mut Round {
    &mut recording.rounds[0]
}

fn forget(recording: &mut Recording, act: Act) {
    round(recording).deeds.retain(|deed| deed.what != act);
}

const ROWS: [Row; 24] = [
    ("nothing", |_| {}, Passed, &[]),
    (
        "lost writes",
        |r| round(r).writes[1].lost = 37,
        Failed,
        &["round 1: acknowledged writes are gone: 37, where 0 may be"],
    ),
    (
        "an outage that is too long",
        |r| round(r).budgets.max_outage_ms = Some(3_000),
        Failed,
        &["round 1, shard 1: no write was taken for 3.78 s, where 3.00 s is allowed"],
    ),
    (
        "an outage that is too long, by far more than the load was held up",
        |r| {
            round(r).budgets.max_outage_ms = Some(3_000);
            round(r).schedule_slip_p99_us = 35_000;
        },
        Failed,
        &["round 1, shard 1: no write was taken for 3.78 s, where 3.00 s is allowed"],
    ),
    (
        "a load that was held up far less than any limit is away",
        |r| round(r).schedule_slip_p99_us = 500_000,
        Passed,
        &[],
    ),
    (
        "an outage as close to the limit as the load was held up",
        |r| {
            round(r).budgets.max_outage_ms = Some(3_800);
            round(r).schedule_slip_p99_us = 35_000;
        },
        Unknown,
        &[
            "round 1, shard 1: no write was taken for 3.78 s ± 35.0 ms, too close to the 3.80 s \
             allowed",
        ],
    ),
    (
        "redundancy as close to the limit as the load was held up",
        |r| {
            round(r).budgets.max_redundancy_ms = Some(1_000);
            round(r).schedule_slip_p99_us = 35_000;
        },
        Unknown,
        &["round 1: redundancy was back after 1.02 s ± 35.0 ms, too close to the 1.00 s allowed"],
    ),
    (
        "lost writes are hard evidence",
        |r| {
            round(r).writes[0].lost = 1;
            round(r).schedule_slip_p99_us = 35_000;
        },
        Failed,
        &["acknowledged writes are gone: 1"],
    ),
    (
        "writes that never stopped keep any limit, however the load was held up",
        |r| {
            let quiet = samples::quiet_round(Fault::Kill, 10_000);
            round(r).traces = quiet.traces;
            round(r).expects_promotion = false;
            round(r).budgets.max_outage_ms = Some(0);
            round(r).schedule_slip_p99_us = 35_000;
        },
        Passed,
        &[],
    ),
    (
        "not whole",
        |r| {
            round(r).not_whole = vec!["127.0.0.1:7001 has no link to its master".into()];
            forget(r, Act::Whole);
        },
        Failed,
        &[
            "round 1: the cluster did not become whole: 127.0.0.1:7001 has no link",
            "round 1: redundancy was not back, where 60.0 s is allowed",
        ],
    ),
    (
        "nobody looked whether it is whole",
        |r| forget(r, Act::Whole),
        Unknown,
        &["round 1: whether the cluster became whole was not looked at"],
    ),
    (
        "redundancy came late",
        |r| round(r).budgets.max_redundancy_ms = Some(1_000),
        Failed,
        &["round 1: redundancy was back after 1.02 s, where 1.00 s is allowed"],
    ),
    (
        "no promotion",
        |r| round(r).sightings.clear(),
        Failed,
        &["round 1, shard 1: no replica took over"],
    ),
    (
        "no promotion, and none was expected",
        |r| {
            round(r).sightings.clear();
            round(r).expects_promotion = false;
        },
        Passed,
        &[],
    ),
    (
        "a promotion by an equal epoch only",
        |r| {
            for seen in &mut round(r).sightings {
                if let Change::Leads(epoch) = &mut seen.what {
                    *epoch = 7;
                }
            }
        },
        Failed,
        &["round 1, shard 1: no replica took over"],
    ),
    (
        "the nodes are not named, so that a promotion cannot be seen",
        |r| r.nodes.clear(),
        Unknown,
        &["round 1, shard 1: whether a replica takes over was not seen: the nodes are not named"],
    ),
    (
        "a foreign hand undid the fault before anybody took over",
        |r| {
            let early = samples::saw(2_900, 1, 1, Change::Answers);
            round(r).sightings = vec![early];
        },
        Unknown,
        &["round 1, shard 1: whether a replica takes over was not seen: the fault was undone"],
    ),
    (
        "never recovered",
        |r| samples::spoil(round(r), 1, 5_780, 10_000, Outcome::NoConnection),
        Failed,
        &[
            "round 1, shard 1: no replica took over: 127.0.0.1:7004 leads and took no write",
            "round 1, shard 1: no write was taken for 7.99 s, and not over by the end",
        ],
    ),
    (
        "keys that could not be read back",
        |r| round(r).writes[2].unread = 4,
        Unknown,
        &["round 1: 4 keys could not be read back"],
    ),
    (
        "an outage before the fault",
        |r| samples::spoil(round(r), 2, 500, 600, Outcome::Down),
        Unknown,
        &["round 1, shard 2: writes failed 500 ms into the round, before the fault"],
    ),
    (
        "no fault at all",
        |r| round(r).deeds.clear(),
        Unknown,
        &["round 1: no fault was done"],
    ),
    (
        "a shard that was not watched",
        |r| round(r).traces[1].witness.clear(),
        Unknown,
        &["round 1, shard 2: its writes were not watched"],
    ),
    (
        "no rounds",
        |r| r.rounds.clear(),
        Unknown,
        &["no round was recorded, so nothing was tested"],
    ),
    (
        "the gravest first",
        |r| {
            round(r).budgets.max_outage_ms = Some(1_000);
            round(r).not_whole = vec!["a view differs".into()];
            round(r).writes[0].lost = 2;
        },
        Failed,
        &[
            "acknowledged writes",
            "did not become whole",
            "no write was taken",
            "redundancy",
        ],
    ),
];

#[test]
fn verdicts_and_their_reasons() {
    for (what, spoil, verdict, reasons) in ROWS {
        let mut recording = samples::killed_master();
        spoil(&mut recording);
        let report = promised(&recording);
        assert_eq!(report.verdict, verdict, "{what}: {:#?}", report.reasons);
        assert!(
            report.reasons.len() >= reasons.len()
                && (verdict != Passed || report.reasons.is_empty()),
            "{what}: {:#?}",
            report.reasons
        );
        for (reason, part) in report.reasons.iter().zip(reasons) {
            assert!(reason.contains(part), "{what}: {reason} lacks {part}");
        }
    }
}

#[test]
fn what_was_asked_outweighs_the_scenario_and_that_the_promise() {
    let mut recording = samples::killed_master();
    recording.rounds[0].budgets.max_outage_ms = Some(1_000);
    assert_eq!(promised(&recording).verdict, Failed);
    let asked = Budgets {
        max_outage_ms: Some(5_000),
        max_p99_ms: Some(1),
        ..Budgets::default()
    };
    let report = judge(&recording, &asked, None);
    assert_eq!(report.verdict, Passed, "{:?}", report.reasons);
    let p99: Vec<_> = lines(&report, "max_p99");
    assert_eq!(p99.len(), 3);
    assert_eq!((&*p99[0].limit, &*p99[0].measured), ("1.00 ms", "740 us"));
    let strict = Budgets {
        max_p99_ms: Some(0),
        ..asked
    };
    // Up to 0.9 ms of it may be the load's own delay.
    let report = judge(&recording, &strict, None);
    assert_eq!(report.verdict, Unknown);
    assert_eq!(lines(&report, "max_p99")[0].measured, "740 us ± 900 us");
    assert_eq!(report.next.len(), 1, "{:?}", report.next);
    assert!(report.next[0].starts_with("lower --rate (200 a second"));
    recording.rounds[0].schedule_slip_p99_us = 100;
    let report = judge(&recording, &strict, None);
    assert_eq!(report.verdict, Failed);
    assert!(report.reasons[0].contains("99 % of the writes outside the outage took up to 740 us"));
}

#[test]
fn a_round_that_was_held_is_judged_by_what_it_shows() {
    let mut recording = samples::killed_master();
    let healing = [
        Act::HealAsked,
        Act::HealDone,
        Act::Whole,
        Act::RolesRestored,
    ];
    recording.rounds[0]
        .deeds
        .retain(|deed| !healing.contains(&deed.what));
    recording.rounds[0].resyncs.clear();
    recording.rounds[0]
        .sightings
        .retain(|seen| seen.at_us < 7_000_000);
    let report = promised(&recording);
    assert_eq!(report.verdict, Passed, "{:?}", report.reasons);
    assert!(lines(&report, "whole").is_empty());
    assert!(lines(&report, "max_redundancy").is_empty());
    assert_eq!(report.recovery.redundancy_ms, None);
    assert!(report.notes[0].contains("left broken"));
}

#[test]
fn two_outages_of_a_shard_count_together() {
    let mut recording = samples::killed_master();
    samples::spoil(&mut recording.rounds[0], 1, 6_500, 7_000, Outcome::Refused);
    let report = promised(&recording);
    let outage = &report.outages[0];
    assert!((outage.unavailable_ms - 4_276.2).abs() < 1e-6);
    assert!((outage.longest_ms - 3_775.6).abs() < 1e-6);
    assert_eq!(outage.restored_at, Some(7_000.6));
    assert_eq!(lines(&report, "max_outage")[0].measured, "4.28 s");
}

#[test]
fn a_handover_that_nobody_noticed_is_a_result() {
    let mut round = samples::quiet_round(Fault::Failover, 6_000);
    let leads = |at, by| samples::saw(at, by, 4, Change::Leads(8));
    round.sightings = vec![leads(2_040, 4), leads(2_045, 2), leads(2_050, 3)];
    round.deeds.push(done(2_600, Act::Whole));
    let report = promised(&samples::recording(vec![round]));
    assert_eq!(report.verdict, Passed, "{:?}", report.reasons);
    assert!(report.outages.is_empty());
    assert_eq!(lines(&report, "max_outage")[0].measured, "none");
    assert_eq!(report.statistics.unwrap().max_ms, 0.0);
    assert_eq!(report.terms.len(), 1);
    assert!(report.advice.is_empty());
}

#[test]
fn slower_than_the_baseline_fails() {
    let of = |outage_ms: u64, n: u64| {
        let round = |k: u64| {
            let mut round = samples::killed_master().rounds[0].clone();
            round.number = k as usize + 1;
            round.traces[0] = Trace::clone(&samples::quiet_round(Fault::Kill, 10_000).traces[0]);
            let to = 2_005 + outage_ms + 50 * k;
            samples::spoil(&mut round, 1, 2_005, to, Outcome::NoConnection);
            // The epochs rise from round to round.
            for seen in &mut round.sightings {
                if let Change::Leads(epoch) = &mut seen.what {
                    *epoch += 10 * k;
                }
            }
            round
        };
        samples::recording((0..n).map(round).collect())
    };
    let (fast, slow) = (of(3_000, 4), of(4_000, 4));
    for (what, today, baseline, verdict, line) in [
        ("slower", &slow, &fast, Failed, Failed),
        ("faster", &fast, &slow, Passed, Passed),
        ("too few to tell", &of(4_000, 2), &fast, Unknown, Unknown),
    ] {
        let report = judge(today, &Budgets::default(), Some(baseline));
        assert_eq!(report.verdict, verdict, "{what}: {:?}", report.reasons);
        assert_eq!(lines(&report, "slower")[0].verdict, line, "{what}");
    }
    let mut held_up = slow.clone();
    for (slip_us, verdict) in [(30_000, Failed), (2_000_000, Unknown)] {
        held_up.rounds[0].schedule_slip_p99_us = slip_us;
        let report = judge(&held_up, &Budgets::default(), Some(&fast));
        assert_eq!(lines(&report, "slower")[0].verdict, verdict);
        assert_eq!(report.verdict, verdict, "{:?}", report.reasons);
    }
}

#[test]
fn lost_writes_are_told_with_what_happened() {
    let report = promised(&samples::lost_writes());
    assert_eq!(report.verdict, Failed);
    assert_eq!(report.writes.lost, 512);
    assert_eq!(report.recovery.resync, "full");
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("two masters at once"))
    );
}

#[test]
fn an_empty_recording_says_that_nothing_was_tested() {
    let report = promised(&Recording::default());
    assert_eq!(report.verdict, Unknown);
    assert!(report.terms.is_empty() && report.budgets.is_empty() && report.notes.is_empty());
    assert_eq!((report.dominant, report.statistics), (None, None));
}

#[test]
fn a_recording_that_was_stored_gives_the_same_report() {
    for recording in [samples::killed_master(), samples::lost_writes()] {
        let stored = serde_json::to_string(&recording).unwrap();
        let read: Recording = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, recording);
        assert_eq!(promised(&read), promised(&recording));
    }
    // One from before nodes were named is read all the same.
    let mut old = serde_json::to_value(samples::killed_master()).unwrap();
    old.as_object_mut().unwrap().remove("nodes");
    let read: Recording = serde_json::from_value(old).unwrap();
    assert_eq!(promised(&read).verdict, Unknown);
}
