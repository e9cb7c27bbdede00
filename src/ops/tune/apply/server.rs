//! One node's settings: read, set, read back, made to last.

use std::collections::BTreeMap;

use super::plan::{Set, Step};
use crate::cluster::{Access, Command, Node, NodeError};
use crate::model::NodeAddr;

/// Why a node's settings are not as they should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The value is not the one that the plan was made on.
    Moved {
        /// The setting.
        parameter: String,
        /// What it is now.
        now: String,
        /// What the plan was made on.
        planned_on: String,
    },
    /// The server does not take it.
    Refused {
        /// The setting, or all of them where the server takes them in one.
        parameter: String,
        /// The server's words.
        said: String,
    },
    /// It was taken, and reads otherwise.
    ReadsOtherwise {
        /// The setting.
        parameter: String,
        /// What was set.
        set: String,
        /// What is read.
        read: String,
    },
    /// The node does not answer.
    Lost(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Moved {
                parameter,
                now,
                planned_on,
            } => write!(
                f,
                "{parameter} is '{now}' and was '{planned_on}' when this was planned: somebody changes it at the same time"
            ),
            Fault::Refused { parameter, said } => write!(f, "it refuses {parameter}: {said}"),
            Fault::ReadsOtherwise {
                parameter,
                set,
                read,
            } => write!(f, "{parameter} was set to '{set}' and reads '{read}'"),
            Fault::Lost(why) => write!(f, "it is lost: {why}"),
        }
    }
}

/// Reads those settings of a node; those it does not know are left out.
pub async fn read<'a>(
    access: &Access,
    addr: &NodeAddr,
    parameters: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, NodeError> {
    let node = Node::connect(access, addr).await?;
    values(&node, parameters).await
}

async fn values<'a>(
    node: &Node,
    parameters: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, NodeError> {
    let names: Vec<&str> = parameters.into_iter().collect();
    let questions: Vec<Command> = (names.iter())
        .map(|name| Command::words("CONFIG GET").arg(name))
        .collect();
    let mut values = BTreeMap::new();
    for (name, reply) in names.iter().zip(node.ask_all(&questions).await?) {
        let value = reply?.list().get(1).and_then(crate::cluster::Reply::text);
        values.extend(value.map(|value| ((*name).to_owned(), value)));
    }
    Ok(values)
}

/// A setting that every server has, with a value that none takes.
const SPOILER: (&str, &str) = ("maxmemory-samples", "asked-by-goodcache");

/// Which of a step's settings the server would refuse, and its words; nothing is set. All are sent in one
/// with one that cannot be taken: from 7.0 on a server takes all or none and names the one that it
/// stumbled over (config.c configSetCommand; seen on Redis 7.0.15 and 8.2 and Valkey 8.0). Before 7.0 it
/// cannot be asked, and nothing is foreseen.
pub async fn foreseen<'a>(
    access: &Access,
    step: &'a Step,
) -> Result<Vec<(&'a Set, String)>, NodeError> {
    let node = Node::connect(access, &step.addr).await?;
    let mut open: Vec<&Set> = (step.sets.iter())
        .filter(|set| set.parameter != SPOILER.0)
        .collect();
    let mut refused = Vec::new();
    while !open.is_empty() {
        let command = command(open.iter().copied()).arg(SPOILER.0).arg(SPOILER.1);
        let said = match node.ask(&command).await {
            Err(NodeError::Server { said, .. }) => said,
            Err(error) => return Err(error),
            Ok(_) => break,
        };
        let is_named = |set: &&Set| said.contains(&format!("'{}'", set.parameter));
        let Some(place) = open.iter().position(is_named) else {
            break;
        };
        refused.push((open.remove(place), said));
    }
    Ok(refused)
}

/// All of these in one.
fn command<'a>(sets: impl IntoIterator<Item = &'a Set>) -> Command {
    (sets.into_iter()).fold(Command::words("CONFIG SET"), |command, set| {
        command.arg(&set.parameter).arg(&set.proposed)
    })
}

/// Sets a node's settings, if they are still what the plan was made on, and reads them back. From
/// 7.0 on all or none are set; before, one after the other.
pub async fn set(access: &Access, step: &Step) -> Result<(), Fault> {
    let lost = |error: NodeError| Fault::Lost(error.to_string());
    let node = Node::connect(access, &step.addr).await.map_err(lost)?;
    let names = || step.sets.iter().map(|set| set.parameter.as_str());
    let before = values(&node, names()).await.map_err(lost)?;
    for set in &step.sets {
        let now = before.get(&set.parameter).cloned().unwrap_or_default();
        if now != set.present {
            return Err(Fault::Moved {
                parameter: set.parameter.clone(),
                now,
                planned_on: set.present.clone(),
            });
        }
    }
    send(&node, &step.sets).await?;
    let after = values(&node, names()).await.map_err(lost)?;
    for set in &step.sets {
        let read = after.get(&set.parameter).cloned().unwrap_or_default();
        if read != set.proposed {
            return Err(Fault::ReadsOtherwise {
                parameter: set.parameter.clone(),
                set: set.proposed.clone(),
                read,
            });
        }
    }
    Ok(())
}

async fn send(node: &Node, sets: &[Set]) -> Result<(), Fault> {
    match node.ask(&command(sets)).await {
        Ok(_) => Ok(()),
        // Before 7.0 it takes one setting at a time.
        Err(NodeError::Server { said, .. }) if sets.len() > 1 && said.contains("arguments") => {
            for set in sets {
                node.ask(&command([set]))
                    .await
                    .map_err(|error| fault(&set.parameter, error))?;
            }
            Ok(())
        }
        Err(error) => {
            let names: Vec<&str> = sets.iter().map(|set| set.parameter.as_str()).collect();
            Err(fault(&names.join(", "), error))
        }
    }
}

fn fault(parameter: &str, error: NodeError) -> Fault {
    match error {
        NodeError::Server { said, .. } | NodeError::Forbidden { said, .. } => Fault::Refused {
            parameter: parameter.to_owned(),
            said,
        },
        error => Fault::Lost(error.to_string()),
    }
}

/// Writes a node's settings to its file, so that they last beyond a restart.
pub async fn rewrite(access: &Access, addr: &NodeAddr) -> Result<(), NodeError> {
    let node = Node::connect(access, addr).await?;
    node.say("CONFIG REWRITE").await.map(|_| ())
}
