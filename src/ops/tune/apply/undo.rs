//! The undo file: what was set where before, so that every value can be put back exactly.
//!
//! It is written before the first change, so it may name changes that were never made; a value that
//! is still what it was needs nothing. Nodes are known by their ids, since addresses change. It
//! holds no secret: tune changes none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::plan::{Plan, Set, Step};
use crate::model::{NodeAddr, NodeId, Role};

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// What was set before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The version of this form.
    pub schema: u32,
    /// What the file is: `goodcache tune undo`.
    pub kind: String,
    /// The cluster's name, or the address that was given.
    pub cluster: String,
    /// When it was written, ms since the epoch.
    pub made_at_ms: u64,
    /// Whether the changes were also written to the servers' files (CONFIG REWRITE).
    pub is_rewritten: bool,
    /// The nodes, in the order in which they were changed.
    pub nodes: Vec<UndoNode>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoNode {
    /// Its id.
    pub id: NodeId,
    /// Where it was then.
    pub addr: NodeAddr,
    /// Its settings.
    pub settings: Vec<UndoSetting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoSetting {
    /// Its name.
    pub parameter: String,
    /// What CONFIG GET gave before.
    pub before: String,
    /// What it was set to.
    pub after: String,
}

/// Why an undo file cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UndoError {
    /// It is something else.
    #[error("it is no undo file of goodcache tune: {0}")]
    NotOne(String),
    /// It is of a later form.
    #[error("its form is {0}, and this goodcache knows form {SCHEMA}: use the one that wrote it")]
    Later(u32),
}

/// A setting of an undo file beside the value it has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it was set: it is put back.
    AsSet,
    /// As it was before: nothing to do.
    AsBefore,
    /// Neither: somebody changed it since.
    Changed,
}

impl Undo {
    /// What undoes that plan.
    pub fn of(plan: &Plan, made_at_ms: u64, is_rewritten: bool) -> Undo {
        let setting = |set: &Set| UndoSetting {
            parameter: set.parameter.clone(),
            before: set.present.clone(),
            after: set.proposed.clone(),
        };
        let node = |step: &Step| UndoNode {
            id: step.id.clone(),
            addr: step.addr.clone(),
            settings: step.sets.iter().map(setting).collect(),
        };
        Undo {
            schema: SCHEMA,
            kind: KIND.to_owned(),
            cluster: plan.cluster.clone(),
            made_at_ms,
            is_rewritten,
            nodes: plan.steps.iter().map(node).collect(),
        }
    }

    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Undo, UndoError> {
        let not_one = |error: serde_json::Error| UndoError::NotOne(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(not_one)?;
        match (head.kind.as_str(), head.schema) {
            (KIND, SCHEMA) => serde_json::from_str(text).map_err(not_one),
            (KIND, later) => Err(UndoError::Later(later)),
            _ => Err(UndoError::NotOne("its kind is another".into())),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }

    /// The plan that puts those settings back, of which `present` gives the values they have now:
    /// those that are as they were are left out. Where `present` knows nothing of a node there is
    /// no step for it.
    pub fn plan(
        &self,
        present: &BTreeMap<NodeId, (NodeAddr, Role, BTreeMap<String, String>)>,
    ) -> Plan {
        let mut steps: Vec<Step> = Vec::new();
        for node in &self.nodes {
            let Some((addr, role, values)) = present.get(&node.id) else {
                continue;
            };
            let sets = node.settings.iter().rev().filter_map(|setting| {
                let now = values.get(&setting.parameter)?;
                (*now != setting.before).then(|| Set {
                    parameter: setting.parameter.clone(),
                    present: now.clone(),
                    proposed: setting.before.clone(),
                    rule: "undo".into(),
                })
            });
            let sets: Vec<Set> = sets.collect();
            if !sets.is_empty() {
                steps.push(Step {
                    addr: addr.clone(),
                    id: node.id.clone(),
                    role: *role,
                    sets,
                });
            }
        }
        steps.sort_by_key(|step| (step.role == Role::Master, step.addr.clone()));
        Plan {
            cluster: self.cluster.clone(),
            steps,
            left: Vec::new(),
        }
    }
}

const KIND: &str = "goodcache tune undo";

#[derive(Deserialize)]
struct Head {
    schema: u32,
    kind: String,
}

impl UndoSetting {
    /// How it stands now.
    pub fn standing(&self, now: &str) -> Standing {
        match now {
            now if now == self.before => Standing::AsBefore,
            now if now == self.after => Standing::AsSet,
            _ => Standing::Changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo() -> Undo {
        let set = |parameter: &str, present: &str, proposed: &str| Set {
            parameter: parameter.into(),
            present: present.into(),
            proposed: proposed.into(),
            rule: "memory.policy".into(),
        };
        let step = Step {
            addr: NodeAddr::new("127.0.0.1", 7001),
            id: "a".repeat(40).parse().unwrap(),
            role: Role::Master,
            sets: vec![set("save", "", "900 1"), set("timeout", "0", "300")],
        };
        let plan = Plan {
            cluster: "shop".into(),
            steps: vec![step],
            left: Vec::new(),
        };
        Undo::of(&plan, 1_795_000_000_000, false)
    }

    #[test]
    fn the_text_comes_back_the_same() {
        assert_eq!(Undo::parse(&undo().text()), Ok(undo()));
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["", "{}", "[]", r#"{"schema":1,"kind":"survey"}"#] {
            assert!(
                matches!(Undo::parse(text), Err(UndoError::NotOne(_))),
                "{text}"
            );
        }
        let later = undo().text().replace("\"schema\": 1", "\"schema\": 2");
        assert_eq!(Undo::parse(&later), Err(UndoError::Later(2)));
        let half = &undo().text()[..100];
        assert!(matches!(Undo::parse(half), Err(UndoError::NotOne(_))));
    }

    #[test]
    fn only_what_differs_is_put_back_in_reverse() {
        let undo = undo();
        let id = undo.nodes[0].id.clone();
        let now = |save: &str, timeout: &str| {
            let values = [("save", save), ("timeout", timeout)];
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let addr = NodeAddr::new("127.0.0.1", 7009);
            BTreeMap::from([(id.clone(), (addr, Role::Replica, BTreeMap::from(values)))])
        };
        let plan = undo.plan(&now("900 1", "300"));
        let sets: Vec<_> = (plan.steps[0].sets.iter())
            .map(|set| (set.parameter.as_str(), set.proposed.as_str()))
            .collect();
        assert_eq!(sets, [("timeout", "0"), ("save", "")]);
        assert_eq!(plan.steps[0].addr.port, 7009);
        assert_eq!(undo.plan(&now("", "300")).steps[0].sets.len(), 1);
        assert_eq!(undo.plan(&now("", "0")).steps, []);
    }

    #[test]
    fn how_a_setting_stands() {
        let setting = &undo().nodes[0].settings[0];
        assert_eq!(setting.standing("900 1"), Standing::AsSet);
        assert_eq!(setting.standing(""), Standing::AsBefore);
        assert_eq!(setting.standing("60 1"), Standing::Changed);
    }
}
