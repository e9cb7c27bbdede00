//! Where two rules want different values for one setting of one node, one of them has its way: the
//! guide where it was asked for, else the graver, else the first asked. The other is not lost: it is
//! told as overruled, and where the guide had its way, as an argument against it.

use super::form;
use super::report::{Change, Kind, Overruled, Recommendation};

/// Those that have their way, the gravest first, and those that do not. `held` are the settings that
/// the guide decides, whether or not it has to change them: their names and values.
pub fn settle(
    wanted: Vec<Recommendation>,
    held: &[(&str, &str)],
) -> (Vec<Recommendation>, Vec<Overruled>) {
    let (asked, found): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_guide);
    let mut kept = asked;
    let mut overruled = Vec::new();
    for mut late in found {
        let is_held = |(name, _): &&(&str, &str)| *name == late.parameter;
        match held.iter().find(is_held) {
            Some((name, value)) if late.kind == Kind::Setting => {
                // Where both want the same there is nothing to argue about.
                (late.changes).retain(|change| !form::is_same(name, &change.proposed, value));
                if !late.changes.is_empty() {
                    argue(late, &mut kept, &mut overruled);
                }
            }
            _ => place(late, &mut kept, &mut overruled),
        }
    }
    kept.sort_by_key(|recommendation| std::cmp::Reverse(recommendation.severity));
    (kept, overruled)
}

fn is_guide(recommendation: &Recommendation) -> bool {
    recommendation.rule.starts_with("guide.")
}

/// The guide has its way, and hears what the evidence says.
fn argue(late: Recommendation, kept: &mut [Recommendation], overruled: &mut Vec<Overruled>) {
    let guide = kept.iter_mut().find(|early| decide_alike(early, &late));
    if let Some(guide) = guide {
        guide.against = Some(late.why.clone());
    }
    overruled.push(Overruled {
        by: format!("guide.{}", late.parameter),
        recommendation: late,
    });
}

/// Keeps of a recommendation what none before it decided.
fn place(mut late: Recommendation, kept: &mut Vec<Recommendation>, overruled: &mut Vec<Overruled>) {
    for early in kept.iter_mut() {
        if !decide_alike(early, &late) {
            continue;
        }
        join_buffers(early, &mut late);
        let contrary = give_way(&mut late.changes, early);
        if !contrary.is_empty() {
            overruled.push(Overruled {
                recommendation: Recommendation {
                    changes: contrary,
                    ..late.clone()
                },
                by: early.rule.clone(),
            });
        }
    }
    if !late.changes.is_empty() {
        kept.push(late);
    }
}

/// The buffer limits of all classes are one setting: two rules that change different classes of one
/// node both have their way, in one value.
fn join_buffers(early: &mut Recommendation, late: &mut Recommendation) {
    if late.parameter != "client-output-buffer-limit" {
        return;
    }
    let before = late.changes.len();
    late.changes.retain(|change| {
        let same = |other: &&mut Change| other.addr == change.addr;
        let Some(decided) = early.changes.iter_mut().find(same) else {
            return true;
        };
        let present = change.present.as_deref().unwrap_or_default();
        match form::both_buffers(present, &decided.proposed, &change.proposed) {
            Some(both) => {
                decided.proposed = both;
                false
            }
            None => true,
        }
    });
    if late.changes.len() < before {
        early.evidence.push(format!("{}: {}", late.rule, late.why));
    }
}

/// Takes out what the earlier one decides, and returns what of that it decides otherwise: what both
/// want needs no second word.
fn give_way(changes: &mut Vec<Change>, early: &Recommendation) -> Vec<Change> {
    let decided = |change: &Change| early.changes.iter().find(|other| other.addr == change.addr);
    let (taken, free): (Vec<Change>, Vec<Change>) =
        (changes.drain(..)).partition(|change| decided(change).is_some());
    *changes = free;
    let is_contrary = |change: &Change| {
        decided(change).is_some_and(|other| {
            !form::is_same(&early.parameter, &other.proposed, &change.proposed)
        })
    };
    taken.into_iter().filter(is_contrary).collect()
}

fn decide_alike(one: &Recommendation, other: &Recommendation) -> bool {
    one.kind == Kind::Setting && other.kind == Kind::Setting && one.parameter == other.parameter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeAddr, Role, Severity};
    use crate::ops::tune::report::{Risk, Takes};

    fn wants(rule: &str, severity: Severity, nodes: &[(u16, &str)]) -> Recommendation {
        let change = |&(port, proposed): &(u16, &str)| Change {
            addr: NodeAddr::new("127.0.0.1", port),
            id: None,
            role: Role::Master,
            present: Some("a".into()),
            proposed: proposed.into(),
        };
        Recommendation {
            rule: rule.into(),
            severity,
            kind: Kind::Setting,
            parameter: "maxmemory-policy".into(),
            changes: nodes.iter().map(change).collect(),
            why: format!("{rule} says so"),
            evidence: Vec::new(),
            cost: String::new(),
            risk: Risk::Low,
            takes: Takes::Online,
            persists: true,
            next: Vec::new(),
            against: None,
        }
    }

    fn rules(recommendations: &[Recommendation]) -> Vec<(&str, usize)> {
        let each = recommendations.iter();
        each.map(|one| (one.rule.as_str(), one.changes.len()))
            .collect()
    }

    #[test]
    fn the_first_decides_a_node_and_the_other_the_rest() {
        let first = wants("memory.one", Severity::Critical, &[(1, "b")]);
        let second = wants("memory.two", Severity::Warning, &[(1, "c"), (2, "c")]);
        let (kept, overruled) = settle(vec![first, second], &[]);
        assert_eq!(rules(&kept), [("memory.one", 1), ("memory.two", 1)]);
        assert_eq!(kept[1].changes[0].addr.port, 2);
        assert_eq!(overruled.len(), 1);
        assert_eq!(overruled[0].by, "memory.one");
        assert_eq!(overruled[0].recommendation.changes[0].proposed, "c");
    }

    #[test]
    fn two_that_want_the_same_are_one() {
        let first = wants("memory.one", Severity::Warning, &[(1, "b")]);
        let second = wants("memory.two", Severity::Warning, &[(1, "b")]);
        let (kept, overruled) = settle(vec![first, second], &[]);
        assert_eq!(rules(&kept), [("memory.one", 1)]);
        assert_eq!(overruled, []);
    }

    #[test]
    fn the_guide_has_its_way_and_is_argued_with() {
        let guide = wants("guide.maxmemory-policy", Severity::Info, &[(1, "b")]);
        let grave = wants("memory.policy", Severity::Critical, &[(1, "c"), (2, "c")]);
        let held = [("maxmemory-policy", "b")];
        let (kept, overruled) = settle(vec![grave.clone(), guide], &held);
        assert_eq!(rules(&kept), [("guide.maxmemory-policy", 1)]);
        assert_eq!(kept[0].against.as_deref(), Some("memory.policy says so"));
        assert_eq!(overruled[0].recommendation.changes.len(), 2);
        // Where the guide's value is in force already, nobody changes it under its name.
        let (kept, overruled) = settle(vec![grave], &held);
        assert_eq!(rules(&kept), []);
        assert_eq!(overruled[0].by, "guide.maxmemory-policy");
        // One that wants what the guide wants does not speak against it.
        let guide = wants("guide.maxmemory-policy", Severity::Info, &[(1, "b")]);
        let same = wants("memory.policy", Severity::Warning, &[(1, "b")]);
        let (kept, overruled) = settle(vec![same, guide], &held);
        assert_eq!(rules(&kept), [("guide.maxmemory-policy", 1)]);
        assert_eq!((kept[0].against.as_deref(), overruled.len()), (None, 0));
    }
}
