//! Which snapshots to keep: pure, with the clock as an argument.
//!
//! Each rule keeps some; what no rule keeps is removed. A rule by day keeps the latest snapshot of each
//! of the last so many days (UTC) that have one, and so on. Snapshots of different clusters in one
//! repository do not count against each other. Whatever the policy says, the latest snapshot that can be
//! restored is kept, and so is what lies in the future.

use std::collections::BTreeMap;
use std::time::Duration;

use super::calendar::{self, DAY_MS};
use super::id::SnapshotId;

/// What to keep. All empty is an error, not a wish to delete everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// The latest so many.
    pub last: u32,
    /// The latest of each of the last so many days that have any.
    pub daily: u32,
    /// The same by weeks, Monday to Sunday.
    pub weekly: u32,
    /// The same by months.
    pub monthly: u32,
    /// All that are not older.
    pub within: Option<Duration>,
}

/// A snapshot, as far as a policy looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub id: SnapshotId,
    /// Of which cluster.
    pub cluster: String,
    /// The moment that it is of, ms since the epoch.
    pub taken_at_ms: u64,
    /// Whether it can be restored, as far as is known: its manifest is believed and its objects are there.
    pub is_restorable: bool,
}

/// What is to become of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which.
    pub id: SnapshotId,
    /// Why it is kept; empty when it is to be removed.
    pub reasons: Vec<Reason>,
}

/// Why a snapshot is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// One of the latest.
    Last,
    /// The latest of its day.
    Daily,
    /// The latest of its week.
    Weekly,
    /// The latest of its month.
    Monthly,
    /// Young enough.
    Within,
    /// The last one that can be restored.
    LastRestorable,
    /// Its time has not come: a clock is wrong, here or where it was taken.
    Future,
}

/// The policy is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy keeps nothing")]
pub struct EmptyPolicy;

impl EmptyPolicy {
    /// The next step to take.
    pub fn hint(self) -> String {
        "say what to keep: --keep-last, --keep-daily, --keep-weekly, --keep-monthly or --keep-within"
            .to_owned()
    }
}

impl Verdict {
    /// Whether it stays.
    pub fn is_kept(&self) -> bool {
        !self.reasons.is_empty()
    }
}

impl Reason {
    /// `daily`, `last restorable`.
    pub fn words(self) -> &'static str {
        match self {
            Reason::Last => "last",
            Reason::Daily => "daily",
            Reason::Weekly => "weekly",
            Reason::Monthly => "monthly",
            Reason::Within => "within",
            Reason::LastRestorable => "last restorable",
            Reason::Future => "in the future",
        }
    }
}

/// What is to become of each snapshot, the latest first.
pub fn judge(
    policy: &Policy,
    snapshots: &[Candidate],
    now_ms: u64,
) -> Result<Vec<Verdict>, EmptyPolicy> {
    let Policy {
        last,
        daily,
        weekly,
        monthly,
        within,
    } = *policy;
    if last == 0 && daily == 0 && weekly == 0 && monthly == 0 && within.is_none() {
        return Err(EmptyPolicy);
    }
    let mut clusters: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
    for snapshot in snapshots {
        clusters
            .entry(&snapshot.cluster)
            .or_default()
            .push(snapshot);
    }
    let mut verdicts: Vec<(u64, Verdict)> = clusters
        .into_values()
        .flat_map(|own| judge_cluster(policy, own, now_ms))
        .collect();
    verdicts.sort_by(|(a, x), (b, y)| (b, &y.id).cmp(&(a, &x.id)));
    Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
}

fn judge_cluster(policy: &Policy, mut own: Vec<&Candidate>, now_ms: u64) -> Vec<(u64, Verdict)> {
    own.sort_by(|a, b| (b.taken_at_ms, &b.id).cmp(&(a.taken_at_ms, &a.id)));
    let last_restorable = own.iter().position(|snapshot| snapshot.is_restorable);
    let mut rules = [
        Rule::new(Reason::Last, policy.last),
        Rule::new(Reason::Daily, policy.daily),
        Rule::new(Reason::Weekly, policy.weekly),
        Rule::new(Reason::Monthly, policy.monthly),
    ];
    let mut verdicts = Vec::new();
    for (place, snapshot) in own.into_iter().enumerate() {
        let at = snapshot.taken_at_ms;
        let mut reasons = Vec::new();
        if at > now_ms {
            reasons.push(Reason::Future);
        } else if snapshot.is_restorable {
            // What cannot be restored takes no other's place.
            let wanting = rules.iter_mut().filter_map(|rule| rule.wants(place, at));
            reasons.extend(wanting);
        }
        let age = Duration::from_millis(now_ms.saturating_sub(at));
        if at <= now_ms && policy.within.is_some_and(|within| age <= within) {
            reasons.push(Reason::Within);
        }
        if reasons.is_empty() && last_restorable == Some(place) {
            reasons.push(Reason::LastRestorable);
        }
        let id = snapshot.id.clone();
        verdicts.push((at, Verdict { id, reasons }));
    }
    verdicts
}

/// A rule that keeps the first of each period, so many times.
struct Rule {
    reason: Reason,
    left: u32,
    period: Option<u64>,
}

impl Rule {
    fn new(reason: Reason, left: u32) -> Rule {
        Rule {
            reason,
            left,
            period: None,
        }
    }

    /// Snapshots come the latest first.
    fn wants(&mut self, place: usize, at_ms: u64) -> Option<Reason> {
        let day = at_ms / DAY_MS;
        let period = match self.reason {
            Reason::Daily => day,
            Reason::Weekly => calendar::week(day),
            Reason::Monthly => calendar::month(day),
            _ => place as u64,
        };
        if self.left == 0 || self.period == Some(period) {
            return None;
        }
        self.left -= 1;
        self.period = Some(period);
        Some(self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u64, month: u64, day: u64, hour: u64) -> u64 {
        calendar::day_of(year, month, day).unwrap() * DAY_MS + hour * 3_600_000
    }

    fn snapshot(at_ms: u64) -> Candidate {
        Candidate {
            id: SnapshotId::new(at_ms, 1),
            cluster: "goodbooks".to_owned(),
            taken_at_ms: at_ms,
            is_restorable: true,
        }
    }

    /// Two a day, at 2 and at 14 o'clock, for so many days up to 2024-03-31 (a Sunday).
    fn days(count: u64) -> Vec<Candidate> {
        let end = at(2024, 3, 31, 0) / DAY_MS;
        (0..count)
            .flat_map(|back| [2, 14].map(|hour| snapshot((end - back) * DAY_MS + hour * 3_600_000)))
            .collect()
    }

    fn kept(policy: Policy, snapshots: &[Candidate]) -> Vec<String> {
        judge(&policy, snapshots, at(2024, 3, 31, 20))
            .unwrap()
            .iter()
            .filter(|verdict| verdict.is_kept())
            .map(|verdict| verdict.id.as_str()[..11].to_owned())
            .collect()
    }

    #[test]
    fn each_rule_keeps_its_own() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        for (policy, expected) in [
            (
                Policy {
                    last: 3,
                    ..Policy::default()
                },
                "20240331T14 20240331T02 20240330T14",
            ),
            (
                Policy {
                    daily: 2,
                    ..Policy::default()
                },
                "20240331T14 20240330T14",
            ),
            (
                Policy {
                    weekly: 3,
                    ..Policy::default()
                },
                "20240331T14 20240324T14 20240317T14",
            ),
            (
                Policy {
                    monthly: 3,
                    ..Policy::default()
                },
                "20240331T14 20240229T14 20240131T14",
            ),
            (
                Policy {
                    within: hours(18),
                    ..Policy::default()
                },
                "20240331T14 20240331T02",
            ),
            (
                Policy {
                    within: hours(1),
                    ..Policy::default()
                },
                "20240331T14",
            ),
            (
                Policy {
                    last: 1,
                    daily: 2,
                    weekly: 2,
                    monthly: 2,
                    within: hours(6),
                },
                "20240331T14 20240330T14 20240324T14 20240229T14",
            ),
            (
                Policy {
                    monthly: 99,
                    ..Policy::default()
                },
                "20240331T14 20240229T14 20240131T14",
            ),
        ] {
            assert_eq!(kept(policy, &days(80)).join(" "), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_day_without_a_snapshot_does_not_count() {
        let mut some = days(20);
        some.retain(|snapshot| !snapshot.id.as_str().starts_with("20240330"));
        let policy = Policy {
            daily: 2,
            ..Policy::default()
        };
        assert_eq!(kept(policy, &some).join(" "), "20240331T14 20240329T14");
    }

    #[test]
    fn an_empty_policy_is_an_error_even_over_nothing() {
        for snapshots in [Vec::new(), days(3)] {
            assert_eq!(judge(&Policy::default(), &snapshots, 0), Err(EmptyPolicy));
        }
    }

    #[test]
    fn the_last_restorable_one_stays_whatever_the_policy() {
        let policy = Policy {
            within: Some(Duration::ZERO),
            ..Policy::default()
        };
        let mut some = days(3);
        assert_eq!(kept(policy, &some), ["20240331T14"]);
        // The latest two are damaged: they are not what is counted.
        for snapshot in &mut some {
            snapshot.is_restorable = !snapshot.id.as_str().starts_with("20240331");
        }
        assert_eq!(kept(policy, &some), ["20240330T14"]);
        let last = Policy {
            last: 1,
            ..Policy::default()
        };
        assert_eq!(kept(last, &some), ["20240330T14"]);
        let verdicts = judge(&policy, &some, at(2024, 3, 31, 20)).unwrap();
        assert_eq!(verdicts[2].reasons, [Reason::LastRestorable]);
    }

    #[test]
    fn clusters_do_not_count_against_each_other() {
        let mut some = days(2);
        let mut other = snapshot(at(2020, 1, 1, 0));
        other.cluster = "other".to_owned();
        some.push(other);
        let policy = Policy {
            last: 1,
            ..Policy::default()
        };
        assert_eq!(kept(policy, &some), ["20240331T14", "20200101T00"]);
    }

    #[test]
    fn a_clock_that_runs_ahead_removes_nothing() {
        let mut some = days(1);
        some.push(snapshot(at(2031, 1, 1, 0)));
        let policy = Policy {
            last: 1,
            ..Policy::default()
        };
        assert_eq!(kept(policy, &some), ["20310101T00", "20240331T14"]);
    }

    #[test]
    fn what_no_rule_keeps_is_removed_without_a_reason() {
        let verdicts = judge(
            &Policy {
                last: 1,
                ..Policy::default()
            },
            &days(1),
            at(2024, 3, 31, 20),
        );
        let verdicts = verdicts.unwrap();
        assert_eq!(verdicts[0].reasons, [Reason::Last]);
        assert!(!verdicts[1].is_kept());
        assert_eq!(Reason::LastRestorable.words(), "last restorable");
    }
}
