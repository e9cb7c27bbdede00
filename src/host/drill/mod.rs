//! The machine side of a drill: find what a node runs on, break it, put it back.
//!
//! The driver in `ops` asks in this order: [`Hosts::find`] (proven, or an error), then for each node
//! [`Hosts::prepare`], whose [`Undo`] it writes into the journal, then [`Hosts::strike`], and in the
//! end [`Hosts::undo`]. An [`Undo`] carries all that undoing needs, so that it works from the journal
//! alone, in another process, after this one was killed; and twice does no harm.
//!
//! | file | what |
//! |---|---|
//! | `place` | where a node runs, what undoing takes, what came of it |
//! | `proof`, `process`, `restart`, `conf`, `proc` | processes of this machine |
//! | `hooks` | commands that the user wrote |
//! | `pulse` | slowness |
//! | `../docker/locate`, `inspect`, `drill`, `isolate` | containers |

mod conf;
mod error;
mod hooks;
mod place;
mod proc;
mod process;
mod proof;
mod pulse;
mod restart;
pub mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;

use self::pulse::{Grip, Pulses};
use super::docker::{self, Containers, DockerError, Engine};
use crate::model::{Announced, Fault, Info, NodeAddr, NodeId, Role};

pub use error::HostError;
pub use hooks::{HookUndo, Subject};
pub(in crate::host) use place::History;
pub use place::{BusUndo, Place, Struck, Undo, Undone};
pub use process::{Process, ProcessUndo};
pub(in crate::host) use proof::{cluster_file, prove_by_file};
pub use pulse::PULSE;

/// A node, with what the servers tell that leads to its machine.
#[derive(Debug, Clone)]
pub struct NodeAtHost {
    /// Its id.
    pub id: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// What it announces.
    pub announced: Announced,
    /// Its role.
    pub role: Role,
    /// Its shard; 1 is the first.
    pub shard: usize,
    /// The cluster's name.
    pub cluster: String,
    /// INFO: `process_id`, `executable` and `config_file` are read.
    pub info: Info,
    /// CONFIG GET: `dir`, `cluster-config-file`, `port`, `tls-port` and `shutdown-timeout` are read.
    pub settings: BTreeMap<String, String>,
}

/// On what kind of host the nodes are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// A container that proves to be the node; else hooks, where any are configured; else a process
    /// of this machine.
    #[default]
    Auto,
    /// Containers only.
    Docker,
    /// Processes of this machine only.
    Local,
    /// Hooks only.
    Hooks,
}

/// How the nodes' machines are reached.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// On what kind of host the nodes are looked for.
    pub which: Which,
    /// The user's own commands.
    pub hooks: Option<HookCommands>,
}

/// Commands of the user that break and mend a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCommands {
    /// By key: `stop`, `kill`, `start`, `pause`, `resume`, `isolate`, `heal`, `failover`.
    pub commands: BTreeMap<String, String>,
    /// How long each may take.
    pub deadline: Duration,
    /// What is to be minded before consent, where they are a template's.
    pub mind: Option<&'static str>,
}

/// The machines of a cluster, as far as this program reaches them.
pub struct Hosts {
    which: Which,
    hooks: Option<HookCommands>,
    /// The engine, or why there is none.
    engine: Result<Engine, NoEngine>,
    memory: Mutex<BTreeMap<(NodeId, Fault), History>>,
    pulses: Mutex<BTreeMap<NodeId, Pulses>>,
}

/// Why there is no engine to be asked.
#[derive(Debug, Clone)]
struct NoEngine {
    why: String,
    hint: String,
    /// Whether one was to be expected, so that its absence is what went wrong.
    is_expected: bool,
}

impl NoEngine {
    fn of(error: &DockerError) -> NoEngine {
        NoEngine {
            why: error.to_string(),
            hint: hint_of(error),
            is_expected: error.is_of_an_expected_engine(),
        }
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts")
            .field("which", &self.which)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Hosts {
    /// Reaches for what may be needed. Only an engine that was asked for by name must be there.
    pub async fn connect(options: &HostOptions) -> Result<Hosts, HostError> {
        let has_hooks = |hooks: &HookCommands| !hooks.commands.is_empty();
        let hooks = options.hooks.clone().filter(has_hooks);
        let engine = match options.which {
            Which::Docker => Ok(Engine::connect().await?),
            Which::Auto => {
                let engine = Engine::connect().await;
                engine.map_err(|error| NoEngine::of(&error))
            }
            Which::Hooks if hooks.is_none() => return Err(HostError::NoHooks),
            Which::Local | Which::Hooks => Err(NoEngine {
                why: "Docker was not asked for".to_owned(),
                hint: "leave --via away".to_owned(),
                is_expected: false,
            }),
        };
        Ok(Hosts {
            which: options.which,
            hooks,
            engine,
            memory: Mutex::default(),
            pulses: Mutex::default(),
        })
    }

    /// What each of the nodes runs on, in the same order. Containers and processes are proven by the
    /// node's own cluster file; what is not proven, or proven twice, is an error.
    pub async fn find(&self, nodes: &[NodeAtHost]) -> Result<Vec<Place>, HostError> {
        let mut absent = None;
        let containers = match (&self.engine, self.which) {
            (Ok(engine), Which::Auto | Which::Docker) => match docker::containers(engine).await {
                Ok(containers) => Some((engine, containers)),
                Err(error) if self.which == Which::Auto => {
                    absent = Some(NoEngine::of(&error));
                    None
                }
                Err(error) => return Err(error.into()),
            },
            (Err(why), Which::Auto) => {
                absent = Some(why.clone());
                None
            }
            _ => None,
        };
        let containers = containers.as_ref().map(|(engine, all)| (*engine, all));
        let each = nodes
            .iter()
            .map(|node| self.find_one(node, containers, absent.as_ref()));
        let places = try_join_all(each).await?;
        require_alone(&places)?;
        Ok(places)
    }

    async fn find_one(
        &self,
        node: &NodeAtHost,
        containers: Option<(&Engine, &Containers)>,
        absent: Option<&NoEngine>,
    ) -> Result<Place, HostError> {
        let mut tried: Vec<String> = absent.iter().map(|absent| absent.why.clone()).collect();
        if let Some((engine, all)) = containers {
            let located = docker::locate(engine, all, node).await;
            if located.proven.len() > 1 {
                return Err(HostError::Ambiguous {
                    id: node.id.clone(),
                    addr: node.addr.clone(),
                    candidates: located.proven.iter().map(ToString::to_string).collect(),
                });
            }
            if let Some(container) = located.proven.into_iter().next() {
                return alone_inside(engine, container).await.map(Place::Container);
            }
            match located.refuted.is_empty() {
                true => tried.push("no container has its address".to_owned()),
                false => tried.extend(located.refuted),
            }
        }
        if self.hooks.is_some() && matches!(self.which, Which::Auto | Which::Hooks) {
            return Ok(Place::Hooks(Subject::of(node)));
        }
        if matches!(self.which, Which::Auto | Which::Local) {
            match proof::find(node).await {
                Ok(process) => return Ok(Place::Process(process)),
                Err(why) => tried.push(why),
            }
        }
        // What else was looked at would only hide that.
        if let Some(absent) = absent.filter(|absent| absent.is_expected) {
            return Err(HostError::NoEngine {
                addr: node.addr.clone(),
                why: absent.why.clone(),
                hint: absent.hint.clone(),
            });
        }
        Err(HostError::NotFound {
            id: node.id.clone(),
            addr: node.addr.clone(),
            tried,
        })
    }

    /// Looks at the present state and saves all that putting back needs; changes nothing. Refuses a
    /// node that is down already, and a fault that this host cannot do.
    pub async fn prepare(&self, place: &Place, fault: Fault) -> Result<Undo, HostError> {
        let undo = match place {
            Place::Container(container) => {
                let undo = docker::prepare(self.engine(container)?, container, fault).await?;
                Undo::Container(undo)
            }
            Place::Process(process) => Undo::Process(process::prepare(process, fault)?),
            Place::Hooks(subject) => Undo::Hook(hooks::prepare(self.hooks()?, subject, fault)?),
            Place::Server(node) => return Err(not_by_machine(node, fault)),
        };
        // A shutdown is asked of the server, and nobody here hears of it.
        let history = match fault {
            Fault::Shutdown => History::Struck,
            _ => History::Untouched,
        };
        self.remember(place.node(), fault, history);
        Ok(undo)
    }

    /// Does it. Of what the servers do themselves (shutdown and the like) nothing is done here.
    ///
    /// A stop returns when a container has ended, and at once for a process; its end takes as long as
    /// the server waits for its replicas.
    pub async fn strike(&self, place: &Place, fault: Fault) -> Result<Struck, HostError> {
        // Until it is said to be done it may have been done in part, also when this is dropped.
        self.remember(place.node(), fault, History::Unknown);
        let struck = self.strike_at(place, fault).await?;
        self.remember(place.node(), fault, History::Struck);
        Ok(struck)
    }

    async fn strike_at(&self, place: &Place, fault: Fault) -> Result<Struck, HostError> {
        let grip = match place {
            Place::Hooks(subject) => return hooks::strike(self.hooks()?, subject, fault).await,
            Place::Server(node) => return Err(not_by_machine(node, fault)),
            Place::Container(container) => {
                let engine = self.engine(container)?;
                if fault != Fault::Slow {
                    return docker::strike(engine, container, fault).await;
                }
                Grip::Container(engine.clone(), container.clone())
            }
            Place::Process(process) => {
                if fault != Fault::Slow {
                    return process::strike(process, fault).await;
                }
                Grip::Process(process.clone())
            }
        };
        let pulses = Pulses::begin(grip).await?;
        locked(&self.pulses).insert(place.node().clone(), pulses);
        Ok(Struck::default())
    }

    /// Puts back what is not back already. Fails when the node is gone, or does not come back.
    pub async fn undo(&self, undo: &Undo) -> Result<Undone, HostError> {
        let pulses = match undo.fault() {
            Fault::Slow => locked(&self.pulses).remove(undo.node()),
            _ => None,
        };
        let ended_early = match pulses {
            Some(pulses) => pulses.end().await,
            None => None,
        };
        let history = self.history(undo.node(), undo.fault());
        let mut undone = match undo {
            Undo::Container(undo) => {
                docker::undo(self.engine(&undo.container)?, undo, history).await?
            }
            Undo::Process(undo) => process::undo(undo, history).await?,
            Undo::Hook(undo) => hooks::undo(undo).await?,
            Undo::Bus(undo) => return Err(not_by_machine(&undo.node, Fault::IsolateBus)),
        };
        if let Some(why) = ended_early {
            undone
                .notes
                .push(format!("it was slow for a part of the time only: {why}"));
        }
        self.remember(undo.node(), undo.fault(), History::Untouched);
        Ok(undone)
    }

    fn engine(&self, container: &docker::Container) -> Result<&Engine, HostError> {
        self.engine.as_ref().map_err(|absent| HostError::Unreached {
            place: container.to_string(),
            why: absent.why.clone(),
            hint: absent.hint.clone(),
        })
    }

    fn hooks(&self) -> Result<&HookCommands, HostError> {
        self.hooks.as_ref().ok_or(HostError::NoHooks)
    }

    fn remember(&self, node: &NodeId, fault: Fault, history: History) {
        locked(&self.memory).insert((node.clone(), fault), history);
    }

    fn history(&self, node: &NodeId, fault: Fault) -> History {
        let memory = locked(&self.memory);
        let known = memory.get(&(node.clone(), fault));
        known.copied().unwrap_or(History::Unknown)
    }
}

/// What only a connection to the server can do.
fn not_by_machine(node: &NodeId, fault: Fault) -> HostError {
    HostError::CannotDo {
        place: format!("node {}", node.short()),
        fault,
        why: "the server does it itself, asked over a connection".to_owned(),
        can: Vec::new(),
    }
}

/// What a panic left behind is whole: each entry is put in at once.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The container, when no other node runs in it.
async fn alone_inside(
    engine: &Engine,
    container: docker::Container,
) -> Result<docker::Container, HostError> {
    match docker::nodes_inside(engine, &container).await {
        Some(nodes) if nodes > 1 => Err(HostError::Shared {
            place: container.to_string(),
            nodes,
        }),
        _ => Ok(container),
    }
}

/// No two nodes may be in one container.
fn require_alone(places: &[Place]) -> Result<(), HostError> {
    let mut inside: BTreeMap<&str, BTreeSet<&NodeId>> = BTreeMap::new();
    for place in places {
        if let Place::Container(container) = place {
            let nodes = inside.entry(&container.id).or_default();
            nodes.insert(&container.node);
            if nodes.len() > 1 {
                return Err(HostError::Shared {
                    place: place.to_string(),
                    nodes: nodes.len(),
                });
            }
        }
    }
    Ok(())
}

/// The engine's own advice, or where to look.
fn hint_of(error: &DockerError) -> String {
    let hint = error.hint();
    hint.unwrap_or_else(|| "see whether the engine is well: docker version, docker ps".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::Absence;

    /// A node in a container: its pid there is 1, which here is another's.
    fn node() -> NodeAtHost {
        NodeAtHost {
            id: "a".repeat(40).parse().unwrap(),
            addr: "127.0.0.1:7001".parse().unwrap(),
            announced: Announced::default(),
            role: Role::Master,
            shard: 1,
            cluster: "shop".into(),
            info: Info::parse("process_id:1\r\n"),
            settings: BTreeMap::from([("dir".into(), "/data".into())]),
        }
    }

    async fn found_with(at: &str, why: Absence) -> HostError {
        let at = at.to_owned();
        let hosts = Hosts {
            which: Which::Auto,
            hooks: None,
            engine: Err(NoEngine::of(&DockerError::NoEngine { at, why })),
            memory: Mutex::default(),
            pulses: Mutex::default(),
        };
        hosts.find(&[node()]).await.unwrap_err()
    }

    #[tokio::test]
    async fn an_engine_that_is_dead_is_what_is_told() {
        let error = found_with("tcp://h:1 (DOCKER_HOST)", Absence::Refused).await;
        let told = error.to_string();
        assert!(told.contains("(DOCKER_HOST): connection refused"), "{told}");
        assert!(!told.contains("process"), "{told}");
        assert!(error.hint().contains("DOCKER_HOST"), "{}", error.hint());
        let error = found_with("unix:///x (the default)", Absence::Denied).await;
        assert!(error.hint().contains("group docker"), "{}", error.hint());
    }

    #[tokio::test]
    async fn where_docker_never_was_the_process_is_told_of() {
        let error = found_with("unix:///x (the default)", Absence::NoSocket).await;
        assert!(error.to_string().contains("process 1"), "{error}");
    }
}
