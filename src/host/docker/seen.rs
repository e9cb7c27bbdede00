//! The machine of a node in a container: the limits that the engine set, and the kernel's settings where
//! the container's process is found on this machine.
//!
//! An engine behind a local socket may still be in a machine of its own (Docker Desktop, Colima). So what
//! `/proc` says counts only where the groups of the process name the container. Settings of the network
//! belong to the container's own namespace, into which only a command run inside sees.

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::{HostConfig, SystemInfo};
use futures_util::StreamExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::inspect::Container;
use super::{Containers, DockerError, Engine, locate};
use crate::host::drill::NodeAtHost;
use crate::host::seen::{Tree, of_container};
use crate::model::HostSeen;

/// How long a command inside a container may take; one that is paused never answers.
const INSIDE_PATIENCE: Duration = Duration::from_millis(1500);
/// Settings of a network namespace, in the order in which they are read.
const SOMAXCONN: &str = "net.core.somaxconn";
const SYN_BACKLOG: &str = "net.ipv4.tcp_max_syn_backlog";

/// The engine's own machine.
pub(in crate::host) struct Machine {
    name: String,
    cores: Option<f64>,
    memory_bytes: Option<u64>,
}

/// Asks the engine about its machine.
pub(in crate::host) async fn machine(engine: &Engine) -> Result<Machine, DockerError> {
    let asked = engine.docker.info();
    Ok(Machine::of(
        engine.ask("ask about its machine", asked).await?,
    ))
}

impl Machine {
    fn of(told: SystemInfo) -> Machine {
        Machine {
            name: told.name.unwrap_or_default(),
            cores: told
                .ncpu
                .filter(|&cores| cores > 0)
                .map(|cores| cores as f64),
            memory_bytes: told.mem_total.and_then(positive),
        }
    }
}

/// What is seen of the node's container and its machine; or why no container proves to be the node's.
pub(in crate::host) async fn see(
    engine: &Engine,
    all: &Containers,
    machine: &Machine,
    node: &NodeAtHost,
) -> Result<HostSeen, String> {
    let located = locate(engine, all, node).await;
    let container = match located.proven.as_slice() {
        [container] => container,
        [] if located.refuted.is_empty() => return Err("no container has its address".to_owned()),
        [] => return Err(located.refuted.join("; ")),
        _ => return Err("more than one container proves to be it".to_owned()),
    };
    look(engine, machine, container, node)
        .await
        .map_err(|error| error.to_string())
}

async fn look(
    engine: &Engine,
    machine: &Machine,
    container: &Container,
    node: &NodeAtHost,
) -> Result<HostSeen, DockerError> {
    let asked = engine.docker.inspect_container(&container.id, None);
    let inspected = engine.ask(format!("look at {container}"), asked).await?;
    let host = inspected.host_config.unwrap_or_default();
    let pid = inspected.state.and_then(|state| positive(state.pid?));
    let mut seen = match pid {
        Some(pid) => from_proc(pid, container.id.clone(), node).await,
        None => None,
    };
    let seen = seen.get_or_insert_with(|| of_engine(machine));
    limit(seen, &host);
    if seen.somaxconn.is_none() {
        from_inside(engine, container, &host, seen).await;
    }
    Ok(seen.clone())
}

/// What `/proc` says, where the process runs on this machine.
async fn from_proc(pid: u64, container: String, node: &NodeAtHost) -> Option<HostSeen> {
    let dir = node.settings.get("dir").map(PathBuf::from);
    let look = move || of_container(&Tree::root(), pid, &container, dir.as_deref());
    spawn_blocking(look).await.ok().flatten()
}

/// Nothing but what the engine itself tells.
fn of_engine(machine: &Machine) -> HostSeen {
    HostSeen {
        machine: machine.name.clone(),
        by: "docker".to_owned(),
        cores: machine.cores,
        memory_bytes: machine.memory_bytes,
        ..HostSeen::default()
    }
}

/// Tightens what is seen by the limits that the container was made with.
fn limit(seen: &mut HostSeen, host: &HostConfig) {
    let memory = host.memory.and_then(positive);
    seen.limit_bytes = seen.limit_bytes.into_iter().chain(memory).min();
    let share = cores(host);
    seen.cores = seen.cores.into_iter().chain(share).min_by(f64::total_cmp);
    let files = host.ulimits.iter().flatten();
    let files = files.filter(|limit| limit.name.as_deref() == Some("nofile"));
    let files = files.filter_map(|limit| limit.soft).find_map(positive);
    seen.open_files = seen.open_files.or(files);
}

/// The share of cores that the engine gives it: `--cpus`, or a quota and a period by hand.
fn cores(host: &HostConfig) -> Option<f64> {
    let nano = host.nano_cpus.filter(|&nano| nano > 0);
    let quota = || {
        let quota = host.cpu_quota.filter(|&quota| quota > 0)?;
        let period = host.cpu_period.filter(|&period| period > 0);
        Some(quota as f64 / period.unwrap_or(100_000) as f64)
    };
    nano.map(|nano| nano as f64 / 1e9).or_else(quota)
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|&number| number > 0)
}

/// The settings of the container's own network: what it was made with, else what `cat` inside says.
/// Where the image has no `cat` they stay unknown.
async fn from_inside(
    engine: &Engine,
    container: &Container,
    host: &HostConfig,
    seen: &mut HostSeen,
) {
    let set = |name: &str| host.sysctls.as_ref()?.get(name)?.trim().parse().ok();
    (seen.somaxconn, seen.syn_backlog) = (set(SOMAXCONN), set(SYN_BACKLOG));
    if seen.somaxconn.is_some() && seen.syn_backlog.is_some() {
        return;
    }
    let told = timeout(INSIDE_PATIENCE, cat(engine, &container.id)).await;
    if let Ok(Ok(text)) = told {
        let (somaxconn, syn_backlog) = two_numbers(&text);
        seen.somaxconn = seen.somaxconn.or(somaxconn);
        seen.syn_backlog = seen.syn_backlog.or(syn_backlog);
    }
}

async fn cat(engine: &Engine, id: &str) -> Result<String, DockerError> {
    let file = |name: &str| format!("/proc/sys/{}", name.replace('.', "/"));
    let command = CreateExecOptions {
        attach_stdout: Some(true),
        cmd: Some(vec!["cat".to_owned(), file(SOMAXCONN), file(SYN_BACKLOG)]),
        ..CreateExecOptions::default()
    };
    let what = "read the network's settings";
    let made = engine.docker.create_exec(id, command);
    let made = engine.ask(what, made).await?;
    let started = engine.docker.start_exec(&made.id, None::<StartExecOptions>);
    let mut text = String::new();
    if let StartExecResults::Attached { mut output, .. } = engine.ask(what, started).await? {
        while let Some(Ok(piece)) = output.next().await {
            text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
            if text.len() > 1 << 10 {
                break;
            }
        }
    }
    Ok(text)
}

/// Two lines with a number each. Anything else, such as that there is no `cat`, is none.
fn two_numbers(text: &str) -> (Option<u64>, Option<u64>) {
    let mut lines = text.lines().map(|line| line.trim().parse().ok());
    (lines.next().flatten(), lines.next().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> HostConfig {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_limits_of_a_container_are_read() {
        for (text, memory, share, files) in [
            (r#"{"Memory":0,"NanoCpus":0}"#, None, Some(4.0), None),
            (r#"{"Memory":268435456}"#, Some(256 << 20), Some(4.0), None),
            (r#"{"NanoCpus":1500000000}"#, None, Some(1.5), None),
            (
                r#"{"CpuQuota":50000,"CpuPeriod":100000}"#,
                None,
                Some(0.5),
                None,
            ),
            (r#"{"CpuQuota":50000}"#, None, Some(0.5), None),
            (r#"{"CpuQuota":-1}"#, None, Some(4.0), None),
            (
                r#"{"Ulimits":[{"Name":"nofile","Soft":1024,"Hard":4096}]}"#,
                None,
                Some(4.0),
                Some(1024),
            ),
        ] {
            let told = r#"{"Name":"vm","NCPU":4,"MemTotal":8000000000}"#;
            let machine = Machine::of(serde_json::from_str(told).unwrap());
            let mut seen = of_engine(&machine);
            limit(&mut seen, &config(text));
            assert_eq!(
                (seen.limit_bytes, seen.cores, seen.open_files),
                (memory, share, files),
                "{text}"
            );
            assert_eq!(seen.memory_bytes, Some(8_000_000_000));
            assert_eq!((seen.machine.as_str(), seen.overcommit), ("vm", None));
        }
    }

    #[test]
    fn of_two_limits_the_tighter_one_counts() {
        let mut seen = HostSeen {
            limit_bytes: Some(100),
            cores: Some(1.0),
            open_files: Some(20_000),
            ..HostSeen::default()
        };
        limit(
            &mut seen,
            &config(r#"{"Memory":268435456,"NanoCpus":1500000000}"#),
        );
        assert_eq!((seen.limit_bytes, seen.cores), (Some(100), Some(1.0)));
        assert_eq!(seen.open_files, Some(20_000));
    }

    #[test]
    fn what_is_said_inside_may_be_anything() {
        for (text, wanted) in [
            ("4096\n1024\n", (Some(4096), Some(1024))),
            ("4096\r\n", (Some(4096), None)),
            ("exec: \"cat\": executable file not found\n", (None, None)),
            ("", (None, None)),
        ] {
            assert_eq!(two_numbers(text), wanted, "{text}");
        }
    }
}
