//! What a container is like at the moment, and what a drill may do to it: decided before anything
//! is done, with all that undoing takes saved.

use std::fmt;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HostConfig};
use serde::{Deserialize, Serialize};

use super::isolate::{self, Endpoint};
use super::{DockerError, Engine};
use crate::host::drill::HostError;
use crate::model::{Fault, NodeId};

/// What a container can take; the last two only where its networks are bridges of its own.
const POSSIBLE: [Fault; 8] = [
    Fault::Stop,
    Fault::Kill,
    Fault::Pause,
    Fault::Slow,
    Fault::FastRestart,
    Fault::Shutdown,
    Fault::Isolate,
    Fault::IsolatePeers,
];

/// A container that proved to hold a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The node.
    pub node: NodeId,
    /// The container's id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// The IP that its peers use; empty when none is known.
    pub announced_ip: String,
}

/// What putting a container back takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUndo {
    /// The container.
    pub container: Container,
    /// What was done to it.
    pub fault: Fault,
    /// When it had been started, in the engine's words: another time is another run of it.
    pub started_at: String,
    /// How often its policy had restarted it.
    pub restarts: i64,
    /// Its restart policy: `no`, `always`, `unless-stopped`, `on-failure`.
    pub policy: String,
    /// Its networks, with all that connecting it again takes.
    pub endpoints: Vec<Endpoint>,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "container {}", self.name)
    }
}

impl Container {
    /// What an error of the engine means when it was asked about this container.
    pub(super) fn error(&self, error: DockerError) -> HostError {
        let is_gone = match &error {
            DockerError::Refused {
                status, message, ..
            } => *status == 404 && message.contains("ontainer"),
            _ => false,
        };
        if is_gone {
            return HostError::Gone {
                place: self.to_string(),
            };
        }
        HostError::Docker(error)
    }
}

/// A container as it is at the moment.
pub(super) struct Present {
    /// Its networks.
    pub(super) endpoints: Vec<Endpoint>,
    /// Whether any of its ports is published at the moment.
    pub(super) is_publishing: bool,
    /// `running`, `exited` and so on.
    pub(super) status: ContainerStateStatusEnum,
    /// Whether it runs (a paused one does).
    pub(super) is_running: bool,
    pub(super) is_paused: bool,
    /// When it was started last, in the engine's words.
    pub(super) started_at: String,
    /// How often its policy restarted it.
    pub(super) restarts: i64,
    host: HostConfig,
}

impl Present {
    fn of(inspected: ContainerInspectResponse) -> Present {
        let state = inspected.state.unwrap_or_default();
        let networks = inspected.network_settings.unwrap_or_default();
        let ports = networks.ports.unwrap_or_default();
        let id = inspected.id.unwrap_or_default();
        Present {
            endpoints: isolate::endpoints(&id, networks.networks.unwrap_or_default()),
            is_publishing: ports.values().flatten().any(|bound| !bound.is_empty()),
            status: state.status.unwrap_or(ContainerStateStatusEnum::EMPTY),
            is_running: state.running == Some(true) && state.restarting != Some(true),
            is_paused: state.paused == Some(true),
            started_at: state.started_at.unwrap_or_default(),
            restarts: inspected.restart_count.unwrap_or(0),
            host: inspected.host_config.unwrap_or_default(),
        }
    }

    fn policy(&self) -> String {
        let policy = self.host.restart_policy.as_ref();
        let name = policy.and_then(|policy| policy.name.as_ref());
        match name.map(ToString::to_string) {
            Some(name) if !name.is_empty() => name,
            _ => "no".to_owned(),
        }
    }

    /// Whether it has the machine's network, or another container's, or none on purpose.
    fn shares_network(&self) -> bool {
        let mode = self.network_mode();
        mode == "host" || mode == "none" || mode.starts_with("container:")
    }

    /// `bridge`, a network's name, `host`, `none`, `container:ID`.
    fn network_mode(&self) -> &str {
        self.host.network_mode.as_deref().unwrap_or("default")
    }
}

/// Asks the engine.
pub(super) async fn look(engine: &Engine, container: &Container) -> Result<Present, HostError> {
    let asked = engine.docker.inspect_container(&container.id, None);
    let inspected = engine.ask(format!("look at {container}"), asked).await;
    inspected
        .map(Present::of)
        .map_err(|error| container.error(error))
}

/// Saves what undoing takes, and changes nothing. Refuses what is down already and what cannot be
/// done to this container.
pub async fn prepare(
    engine: &Engine,
    container: &Container,
    fault: Fault,
) -> Result<ContainerUndo, HostError> {
    let present = look(engine, container).await?;
    if let Some(state) = down(&present) {
        return Err(HostError::AlreadyDown {
            place: container.to_string(),
            state,
            by_hand: by_hand(container, &present),
        });
    }
    if let Some(why) = hindrance(container, &present, fault) {
        let can = POSSIBLE.into_iter();
        return Err(HostError::CannotDo {
            place: container.to_string(),
            fault,
            why,
            can: can
                .filter(|&other| hindrance(container, &present, other).is_none())
                .collect(),
        });
    }
    Ok(ContainerUndo {
        container: container.clone(),
        fault,
        policy: present.policy(),
        started_at: present.started_at,
        restarts: present.restarts,
        endpoints: present.endpoints,
    })
}

/// In what state it is, if that is none to be struck in.
fn down(present: &Present) -> Option<String> {
    if !present.is_running || present.is_paused {
        return Some(format!("the engine calls it {}", present.status));
    }
    let is_cut_off = present.endpoints.is_empty() && !present.shares_network();
    is_cut_off.then(|| "it is connected to no network".to_owned())
}

/// The command that brings it back from there.
fn by_hand(container: &Container, present: &Present) -> String {
    let name = &container.name;
    match (present.is_running, present.is_paused) {
        (_, true) => format!("let it go on: docker unpause {name}"),
        (false, _) => format!("start it: docker start {name}"),
        _ => format!("connect it to its network: docker network connect NETWORK {name}"),
    }
}

/// Why the fault cannot be done to this container, if it cannot.
fn hindrance(container: &Container, present: &Present, fault: Fault) -> Option<String> {
    if fault.ends_process() && present.host.auto_remove == Some(true) {
        return Some("the engine removes it when it ends (--rm), with its data".to_owned());
    }
    match fault {
        // It ends with 0, so on-failure leaves it alone.
        Fault::Shutdown if matches!(present.policy().as_str(), "always" | "unless-stopped") => {
            Some(format!(
                "its restart policy ({}) starts it again before anybody takes over",
                present.policy()
            ))
        }
        Fault::Isolate => no_network(present),
        Fault::IsolatePeers => no_network(present).or_else(|| no_way_round(container, present)),
        fault if POSSIBLE.contains(&fault) => None,
        _ => Some("the servers do it themselves".to_owned()),
    }
}

fn no_network(present: &Present) -> Option<String> {
    let mode = present.network_mode();
    let what = || format!("it has no network of its own (network mode {mode})");
    present.shares_network().then(what)
}

/// Why moving it to another network would not part clients from peers.
fn no_way_round(container: &Container, present: &Present) -> Option<String> {
    if !present.is_publishing {
        return Some("it publishes no port, so its clients reach it as its peers do".to_owned());
    }
    let ip = container.announced_ip.as_str();
    let is_own = present.endpoints.iter().any(|endpoint| endpoint.has(ip));
    (!ip.is_empty() && !is_own).then(|| {
        format!(
            "its peers reach it at {ip}, which is not on its own networks, so as its clients do"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        Container {
            node: "a".repeat(40).parse().unwrap(),
            id: "c".repeat(64),
            name: "shop-redis-1".into(),
            announced_ip: "172.18.0.2".into(),
        }
    }

    fn present(change: impl FnOnce(&mut ContainerInspectResponse)) -> Present {
        let text = r#"{"Id":"cccc","State":{"Running":true},"NetworkSettings":{
            "Ports":{"7001/tcp":[{"HostIp":"127.0.0.1","HostPort":"7001"}]},
            "Networks":{"shop_default":{"NetworkID":"n","IPAddress":"172.18.0.2"}}},
            "HostConfig":{"NetworkMode":"shop_default"}}"#;
        let mut inspected = serde_json::from_str(text).unwrap();
        change(&mut inspected);
        Present::of(inspected)
    }

    fn host(inspected: &mut ContainerInspectResponse) -> &mut HostConfig {
        inspected.host_config.as_mut().unwrap()
    }

    #[test]
    fn what_is_down_says_how_it_is_brought_back() {
        let state = |change: fn(&mut bollard::models::ContainerState)| {
            let present = present(|c| change(c.state.as_mut().unwrap()));
            by_hand(&container(), &present)
        };
        let stopped = state(|state| state.running = Some(false));
        assert_eq!(stopped, "start it: docker start shop-redis-1");
        let paused = state(|state| state.paused = Some(true));
        assert!(paused.ends_with("docker unpause shop-redis-1"), "{paused}");
        let alone = present(|c| c.network_settings.as_mut().unwrap().networks = None);
        let alone = by_hand(&container(), &alone);
        assert!(alone.contains("docker network connect"), "{alone}");
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        let plain = || present(|_| {});
        let cases: [(Present, Fault, Option<&str>); 9] = [
            (plain(), Fault::IsolatePeers, None),
            (plain(), Fault::Failover, Some("themselves")),
            (
                present(|c| host(c).auto_remove = Some(true)),
                Fault::Kill,
                Some("--rm"),
            ),
            (
                present(|c| host(c).auto_remove = Some(true)),
                Fault::Pause,
                None,
            ),
            (
                present(|c| {
                    let name = Some(bollard::models::RestartPolicyNameEnum::ALWAYS);
                    let policy = bollard::models::RestartPolicy {
                        name,
                        ..Default::default()
                    };
                    host(c).restart_policy = Some(policy);
                }),
                Fault::Shutdown,
                Some("restart policy (always)"),
            ),
            (
                present(|c| host(c).network_mode = Some("host".into())),
                Fault::Isolate,
                Some("network mode host"),
            ),
            (
                present(|c| c.network_settings.as_mut().unwrap().ports = None),
                Fault::IsolatePeers,
                Some("publishes no port"),
            ),
            (
                present(|c| c.network_settings.as_mut().unwrap().ports = None),
                Fault::Isolate,
                None,
            ),
            (
                present(|c| {
                    let networks = c.network_settings.as_mut().unwrap().networks.as_mut();
                    networks
                        .unwrap()
                        .get_mut("shop_default")
                        .unwrap()
                        .ip_address = Some("172.18.0.9".into());
                }),
                Fault::IsolatePeers,
                Some("at 172.18.0.2"),
            ),
        ];
        for (present, fault, wanted) in cases {
            let why = hindrance(&container(), &present, fault);
            assert_eq!(why.is_some(), wanted.is_some(), "{fault}: {why:?}");
            assert!(why.unwrap_or_default().contains(wanted.unwrap_or_default()));
        }
    }

    #[test]
    fn what_is_down_already_is_seen() {
        let state = |change: fn(&mut ContainerInspectResponse)| down(&present(change));
        assert_eq!(state(|_| {}), None);
        let paused = state(|c| c.state.as_mut().unwrap().paused = Some(true));
        assert!(paused.is_some());
        let exited = state(|c| c.state.as_mut().unwrap().running = Some(false));
        assert!(exited.is_some());
        let isolated = state(|c| c.network_settings.as_mut().unwrap().networks = None);
        assert!(isolated.unwrap().contains("no network"));
        let on_host = state(|c| {
            c.network_settings.as_mut().unwrap().networks = None;
            host(c).network_mode = Some("host".into());
        });
        assert_eq!(on_host, None);
    }

    #[test]
    fn a_container_that_is_gone_is_told_from_a_network_that_is() {
        let refused = |message: &str| {
            container().error(DockerError::Refused {
                what: "connect".into(),
                status: 404,
                message: message.into(),
            })
        };
        assert!(matches!(
            refused("No such container: cccc"),
            HostError::Gone { .. }
        ));
        assert!(matches!(
            refused("network n not found"),
            HostError::Docker(_)
        ));
    }
}
