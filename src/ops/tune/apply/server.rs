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
    let all = sets
        .iter()
        .fold(Command::words("CONFIG SET"), |command, set| {
            command.arg(&set.parameter).arg(&set.proposed)
        });
    match node.ask(&all).await {
        Ok(_) => Ok(()),
        // Before 7.0 it takes one setting at a time.
        Err(NodeError::Server { said, .. }) if sets.len() > 1 && said.contains("arguments") => {
            for set in sets {
                let one = Command::words("CONFIG SET")
                    .arg(&set.parameter)
                    .arg(&set.proposed);
                node.ask(&one)
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
        NodeError::Server { said, .. } => Fault::Refused {
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
