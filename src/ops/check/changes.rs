//! What changed between two checks: pure, told by `check --against` and `check --watch`.
//!
//! Nodes are matched by id, since addresses move. A failover is one change, the swap of two roles:
//! the slots that went with it and the replicas that follow the new master are its consequence and
//! are not told again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{NodeRow, Report};
use crate::model::{Finding, Health, NodeAddr, Role, Severity, SlotSet, Subject};

/// One thing that changed. Nodes are named by their address, or their id where none is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// The verdict.
    Health {
        /// What it was.
        before: Health,
        /// What it is.
        after: Health,
    },
    /// A replica took its master's place.
    RoleSwap {
        /// The new master.
        promoted: String,
        /// The master before.
        demoted: String,
        /// What became of that one: `replica`, or its state when it does not follow the new master.
        demoted_is: String,
    },
    /// A role changed in any other way.
    Role {
        /// Whose.
        node: String,
        /// What it was.
        before: Role,
        /// What it is.
        after: Role,
    },
    /// A replica follows another master than before.
    Master {
        /// The replica.
        node: String,
        /// Whom it followed.
        before: Option<String>,
        /// Whom it follows.
        after: Option<String>,
    },
    /// A node that was not there.
    NodeAdded {
        /// Which.
        node: String,
        /// What it is.
        role: Role,
    },
    /// A node that nobody knows any more.
    NodeRemoved {
        /// Which.
        node: String,
        /// What it was.
        role: Role,
    },
    /// A node is in another state.
    State {
        /// Which.
        node: String,
        /// What it was.
        before: String,
        /// What it is.
        after: String,
    },
    /// A node has another address.
    Address {
        /// Its id.
        node: String,
        /// Where it was.
        before: String,
        /// Where it is.
        after: String,
    },
    /// Slots have another owner.
    SlotsMoved {
        /// Who owned them; `None` is nobody.
        from: Option<String>,
        /// Who owns them; `None` is nobody.
        to: Option<String>,
        /// Which, as ranges.
        slots: String,
        /// How many.
        count: usize,
    },
    /// A finding that was not there.
    FindingAppeared {
        /// Its code.
        code: String,
        /// How grave.
        severity: Severity,
        /// Who.
        subject: Subject,
        /// What.
        summary: String,
    },
    /// A finding that is there, but graver or less grave.
    FindingSeverity {
        /// Its code.
        code: String,
        /// Who.
        subject: Subject,
        /// How grave it was.
        before: Severity,
        /// How grave it is.
        after: Severity,
    },
    /// A finding that is no more.
    FindingGone {
        /// Its code.
        code: String,
        /// How grave it was.
        severity: Severity,
        /// Who.
        subject: Subject,
    },
}

/// What changed, the verdict first, then nodes, slots and findings.
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let (old, new) = (Nodes::of(before), Nodes::of(after));
    let swaps = old.swaps(&new);
    let mut found = Vec::new();
    if before.health != after.health {
        found.push(Change::Health {
            before: before.health,
            after: after.health,
        });
    }
    found.extend(
        swaps
            .iter()
            .map(|(demoted, promoted)| new.swap(demoted, promoted, &old)),
    );
    found.extend(node_changes(&old, &new, &swaps));
    found.extend(slot_changes(&old, &new, &swaps));
    found.extend(finding_changes(&before.findings, &after.findings));
    found
}

/// Who took whose place: the master before, by key, and the new one.
type Swaps<'a> = BTreeMap<&'a str, &'a str>;

/// The nodes of one report by what they are known by: their id, or their address without one.
struct Nodes<'a> {
    rows: BTreeMap<String, &'a NodeRow>,
}

impl<'a> Nodes<'a> {
    fn of(report: &'a Report) -> Nodes<'a> {
        let key = |row: &NodeRow| match (&row.id, &row.addr) {
            (Some(id), _) => id.to_string(),
            (None, Some(addr)) => addr.to_string(),
            (None, None) => "?".to_owned(),
        };
        let rows = report.nodes.iter().map(|row| (key(row), row)).collect();
        Nodes { rows }
    }

    fn name(&self, key: &str) -> String {
        match self.rows.get(key).and_then(|row| row.addr.as_ref()) {
            Some(addr) => addr.to_string(),
            None => key.to_owned(),
        }
    }

    fn at(&self, addr: &NodeAddr) -> Option<&str> {
        let is_there =
            |row: &NodeRow| row.addr.as_ref() == Some(addr) || row.announced.as_ref() == Some(addr);
        let found = self.rows.iter().find(|(_, row)| is_there(row));
        found.map(|(key, _)| key.as_str())
    }

    /// The key of that node's master.
    fn master(&self, key: &str) -> Option<&str> {
        let addr = self.rows.get(key)?.master.as_ref()?;
        self.at(addr)
    }

    fn role(&self, key: &str) -> Option<Role> {
        self.rows.get(key).map(|row| row.role)
    }

    fn slots(&self, key: &str) -> SlotSet {
        let text = self.rows.get(key).map_or("", |row| &row.slots);
        text.parse().unwrap_or_default()
    }

    /// A replica that became master, and its master before, which no longer serves what it served.
    fn swaps<'b>(&'b self, new: &'b Nodes<'_>) -> Swaps<'b> {
        let mut swaps = Swaps::new();
        for key in new.rows.keys() {
            let was_replica = self.role(key) == Some(Role::Replica);
            let is_master = new.role(key) == Some(Role::Master);
            if let Some(master) = self.master(key)
                && was_replica
                && is_master
                && !self.slots(master).intersection(&new.slots(key)).is_empty()
            {
                swaps.insert(master, key);
            }
        }
        swaps
    }

    fn swap(&self, demoted: &str, promoted: &str, old: &Nodes<'_>) -> Change {
        let row = self.rows.get(demoted);
        let demoted_is = match row {
            Some(row) if row.role == Role::Replica => "replica".to_owned(),
            Some(row) => row.state.clone(),
            None => "gone".to_owned(),
        };
        Change::RoleSwap {
            promoted: self.name(promoted),
            demoted: old.name(demoted),
            demoted_is,
        }
    }
}

fn node_changes(old: &Nodes<'_>, new: &Nodes<'_>, swaps: &Swaps<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    for (key, row) in &new.rows {
        match old.rows.get(key) {
            Some(was) => found.extend(same_node(key, was, row, old, new, swaps)),
            None => found.push(Change::NodeAdded {
                node: new.name(key),
                role: row.role,
            }),
        }
    }
    let gone = old
        .rows
        .iter()
        .filter(|(key, _)| !new.rows.contains_key(*key));
    found.extend(gone.map(|(key, row)| Change::NodeRemoved {
        node: old.name(key),
        role: row.role,
    }));
    found
}

fn same_node(
    key: &str,
    was: &NodeRow,
    row: &NodeRow,
    old: &Nodes<'_>,
    new: &Nodes<'_>,
    swaps: &Swaps<'_>,
) -> Vec<Change> {
    let node = new.name(key);
    let mut found = Vec::new();
    if let (Some(before), Some(after)) = (&was.addr, &row.addr)
        && before != after
    {
        found.push(Change::Address {
            node: key.to_owned(),
            before: before.to_string(),
            after: after.to_string(),
        });
    }
    let is_swapped = swaps.iter().any(|(from, to)| *from == key || *to == key);
    if was.role != row.role && !is_swapped {
        found.push(Change::Role {
            node: node.clone(),
            before: was.role,
            after: row.role,
        });
    }
    if was.role == Role::Replica && row.role == Role::Replica {
        found.extend(other_master(key, old, new, swaps));
    }
    if was.state != row.state {
        found.push(Change::State {
            node,
            before: was.state.clone(),
            after: row.state.clone(),
        });
    }
    found
}

fn other_master(key: &str, old: &Nodes<'_>, new: &Nodes<'_>, swaps: &Swaps<'_>) -> Option<Change> {
    let (before, after) = (old.master(key), new.master(key));
    let expected = before.map(|master| swaps.get(master).copied().unwrap_or(master));
    (before != after && expected != after).then(|| Change::Master {
        node: new.name(key),
        before: before.map(|master| old.name(master)),
        after: after.map(|master| new.name(master)),
    })
}

/// Slots that moved for another reason than a swap of roles.
fn slot_changes(old: &Nodes<'_>, new: &Nodes<'_>, swaps: &Swaps<'_>) -> Vec<Change> {
    let owners_of = |nodes: &Nodes<'_>| -> Vec<(String, SlotSet)> {
        let keys = nodes.rows.keys();
        let owned = keys.map(|key| (key.clone(), nodes.slots(key)));
        owned.filter(|(_, slots)| !slots.is_empty()).collect()
    };
    let (owned, owns) = (owners_of(old), owners_of(new));
    let all = |owners: &[(String, SlotSet)]| {
        owners
            .iter()
            .fold(SlotSet::new(), |sum, (_, slots)| sum.union(slots))
    };
    let (all_owned, all_owns) = (all(&owned), all(&owns));
    let mut found = Vec::new();
    for (from, slots) in &owned {
        let heir = swaps.get(from.as_str()).copied().unwrap_or(from);
        for (to, has) in owns.iter().filter(|(to, _)| to != heir) {
            let moved = slots.intersection(has);
            found.extend(moved_slots(
                Some(old.name(from)),
                Some(new.name(to)),
                &moved,
            ));
        }
        found.extend(moved_slots(
            Some(old.name(from)),
            None,
            &slots.difference(&all_owns),
        ));
    }
    for (to, has) in &owns {
        found.extend(moved_slots(
            None,
            Some(new.name(to)),
            &has.difference(&all_owned),
        ));
    }
    found
}

fn moved_slots(from: Option<String>, to: Option<String>, slots: &SlotSet) -> Option<Change> {
    (!slots.is_empty()).then(|| Change::SlotsMoved {
        from,
        to,
        slots: slots.to_string(),
        count: slots.len(),
    })
}

/// Findings are the same when code and subject are. The cluster's name is not looked at: it may be
/// the seed that happened to be given.
fn finding_changes(before: &[Finding], after: &[Finding]) -> Vec<Change> {
    let is_same = |a: &Finding, b: &Finding| {
        let both_cluster = matches!(
            (&a.subject, &b.subject),
            (Subject::Cluster(_), Subject::Cluster(_))
        );
        a.code == b.code && (a.subject == b.subject || both_cluster)
    };
    let mut found = Vec::new();
    for finding in after {
        match before.iter().find(|was| is_same(was, finding)) {
            None => found.push(Change::FindingAppeared {
                code: finding.code.clone(),
                severity: finding.severity,
                subject: finding.subject.clone(),
                summary: finding.summary.clone(),
            }),
            Some(was) if was.severity != finding.severity => found.push(Change::FindingSeverity {
                code: finding.code.clone(),
                subject: finding.subject.clone(),
                before: was.severity,
                after: finding.severity,
            }),
            Some(_) => {}
        }
    }
    let gone = before
        .iter()
        .filter(|was| !after.iter().any(|now| is_same(was, now)));
    found.extend(gone.map(|was| Change::FindingGone {
        code: was.code.clone(),
        severity: was.severity,
        subject: was.subject.clone(),
    }));
    found
}
