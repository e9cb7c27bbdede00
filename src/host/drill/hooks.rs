//! Nodes that only the user's own commands reach: over ssh, by kubectl, through a provider's API.
//!
//! A command is run by `sh -c` and learns from its environment whom it is about. What it wrote is
//! kept; when it takes too long, its whole process group is killed. It may leave servers running
//! behind it: nothing waits for its output to be closed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::timeout;

use super::error::HostError;
use super::place::{Struck, Undone};
use super::{HookCommands, NodeAtHost};
use crate::model::{Fault, NodeAddr, NodeId};

/// How much of the output is kept.
const KEPT_LINES: usize = 20;
/// And from how much of its end these lines are taken.
const KEPT_BYTES: u64 = 64 << 10;

/// The node that a command is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id.
    pub node: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// `master` or `replica`, before the fault.
    pub role: String,
    /// Its shard; 1 is the first.
    pub shard: usize,
    /// The cluster's name.
    pub cluster: String,
}

/// A command that puts a node back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookUndo {
    /// The node.
    pub subject: Subject,
    /// What it undoes.
    pub fault: Fault,
    /// The key of the command and its text; `None` where nothing needs to be put back.
    pub command: Option<(String, String)>,
    /// What it is told besides what it inherits.
    pub environment: BTreeMap<String, String>,
    /// How long it may take.
    pub deadline_ms: u64,
}

impl Subject {
    pub(super) fn of(node: &NodeAtHost) -> Subject {
        let role = serde_json::to_value(node.role).ok();
        Subject {
            node: node.id.clone(),
            addr: node.addr.clone(),
            role: role
                .and_then(|role| Some(role.as_str()?.to_owned()))
                .unwrap_or_default(),
            shard: node.shard,
            cluster: node.cluster.clone(),
        }
    }

    fn environment(&self, fault: Fault) -> BTreeMap<String, String> {
        let pairs = [
            ("NODE_ID", self.node.to_string()),
            ("NODE_HOST", self.addr.host.clone()),
            ("NODE_PORT", self.addr.port.to_string()),
            ("NODE_ADDR", self.addr.to_string()),
            ("NODE_ROLE", self.role.clone()),
            ("SHARD", self.shard.to_string()),
            ("CLUSTER", self.cluster.clone()),
            ("FAULT", fault.to_string()),
        ];
        let named = pairs.map(|(name, value)| (format!("GOODCACHE_{name}"), value));
        named.into_iter().collect()
    }
}

/// What strikes, and what puts back; `None` where nothing does.
type Pair = (Option<&'static str>, Option<&'static str>);

fn keys(fault: Fault) -> Option<Pair> {
    Some(match fault {
        Fault::Stop => (Some("stop"), Some("start")),
        Fault::Kill | Fault::FastRestart => (Some("kill"), Some("start")),
        Fault::Pause => (Some("pause"), Some("resume")),
        Fault::Isolate => (Some("isolate"), Some("heal")),
        // The server is asked by the driver itself.
        Fault::Shutdown => (None, Some("start")),
        Fault::Failover => (Some("failover"), None),
        Fault::IsolatePeers
        | Fault::IsolateBus
        | Fault::Slow
        | Fault::Sleep
        | Fault::Force
        | Fault::Takeover => {
            return None;
        }
    })
}

/// The commands that the fault takes, which must both be there.
fn commands(
    hooks: &HookCommands,
    subject: &Subject,
    fault: Fault,
) -> Result<[Option<(&'static str, String)>; 2], HostError> {
    let (strike, undo) = keys(fault).ok_or_else(|| HostError::CannotDo {
        place: format!("node {} by hooks", subject.addr),
        fault,
        why: "no hook stands for it".to_owned(),
        can: possible(hooks),
    })?;
    let named = |key: Option<&'static str>| {
        key.map(|key| match hooks.commands.get(key) {
            Some(command) if !command.trim().is_empty() => Ok((key, command.clone())),
            _ => Err(HostError::NoHook {
                addr: subject.addr.clone(),
                cluster: subject.cluster.clone(),
                key,
            }),
        })
        .transpose()
    };
    Ok([named(strike)?, named(undo)?])
}

/// The faults whose commands are there.
fn possible(hooks: &HookCommands) -> Vec<Fault> {
    let is_there = |key: Option<&str>| key.is_none_or(|key| hooks.commands.contains_key(key));
    let is_possible =
        |fault: &Fault| keys(*fault).is_some_and(|(one, other)| is_there(one) && is_there(other));
    Fault::ALL.into_iter().filter(is_possible).collect()
}

pub(super) fn prepare(
    hooks: &HookCommands,
    subject: &Subject,
    fault: Fault,
) -> Result<HookUndo, HostError> {
    let [_, undo] = commands(hooks, subject, fault)?;
    Ok(HookUndo {
        subject: subject.clone(),
        fault,
        command: undo.map(|(key, command)| (key.to_owned(), command)),
        environment: subject.environment(fault),
        deadline_ms: u64::try_from(hooks.deadline.as_millis()).unwrap_or(u64::MAX),
    })
}

pub(super) async fn strike(
    hooks: &HookCommands,
    subject: &Subject,
    fault: Fault,
) -> Result<Struck, HostError> {
    let [strike, _] = commands(hooks, subject, fault)?;
    let Some((key, command)) = strike else {
        return Ok(Struck::default());
    };
    let environment = subject.environment(fault);
    let output = run(&subject.addr, key, &command, &environment, hooks.deadline).await?;
    Ok(Struck {
        notes: noted(key, output),
    })
}

pub(super) async fn undo(undo: &HookUndo) -> Result<Undone, HostError> {
    let Some((key, command)) = &undo.command else {
        return Ok(Undone::default());
    };
    let deadline = Duration::from_millis(undo.deadline_ms);
    let output = run(
        &undo.subject.addr,
        key,
        command,
        &undo.environment,
        deadline,
    )
    .await?;
    Ok(Undone {
        notes: noted(key, output),
        by_others: None,
    })
}

fn noted(key: &str, output: Vec<String>) -> Vec<String> {
    let note = |line| format!("{key} hook: {line}");
    output.into_iter().map(note).collect()
}

/// A process group that is killed unless it was seen to end.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that ended meanwhile needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs one command; gives the end of its output.
async fn run(
    addr: &NodeAddr,
    key: &str,
    command: &str,
    environment: &BTreeMap<String, String>,
    deadline: Duration,
) -> Result<Vec<String>, HostError> {
    let unable = |error: std::io::Error| HostError::System {
        what: format!("run the {key} hook for node {addr}"),
        why: error.to_string(),
    };
    // A file rather than a pipe: a server that the command leaves behind holds it open for ever.
    let mut output = tempfile::tempfile().map_err(unable)?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(unable)?)
        .stderr(output.try_clone().map_err(unable)?)
        .process_group(0)
        .spawn()
        .map_err(unable)?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let mut group = Group(pid.and_then(Pid::from_raw));
    let how = match timeout(deadline, child.wait()).await {
        Ok(Ok(status)) => {
            group.0 = None;
            if status.success() {
                return Ok(last_lines(&mut output));
            }
            ending(status)
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            drop(group);
            // It is dead by now; this only collects it.
            let _ = child.wait().await;
            format!(
                "took longer than {}",
                crate::model::words::duration(deadline)
            )
        }
    };
    Err(HostError::Hook {
        addr: addr.clone(),
        key: key.to_owned(),
        how,
        output: last_lines(&mut output),
    })
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The output is an ornament: when it cannot be read, there is none.
fn last_lines(output: &mut File) -> Vec<String> {
    let mut bytes = Vec::new();
    let length = output.metadata().map_or(0, |metadata| metadata.len());
    let start = SeekFrom::Start(length.saturating_sub(KEPT_BYTES));
    if output.seek(start).is_err() || output.take(KEPT_BYTES).read_to_end(&mut bytes).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let kept = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    kept.iter()
        .filter(|line| !line.is_empty())
        .map(|line| (*line).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn subject() -> Subject {
        Subject {
            node: "a".repeat(40).parse().unwrap(),
            addr: "127.0.0.1:7001".parse().unwrap(),
            role: "master".into(),
            shard: 2,
            cluster: "shop".into(),
        }
    }

    fn hooks(commands: &[(&str, &str)]) -> HookCommands {
        let owned = |(key, command): &(&str, &str)| ((*key).to_owned(), (*command).to_owned());
        HookCommands {
            mind: None,
            commands: commands.iter().map(owned).collect(),
            deadline: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_command_learns_whom_it_is_about_and_its_output_is_kept() {
        let hooks = hooks(&[
            ("stop", "env | grep ^GOODCACHE_ | sort"),
            ("start", "echo up >&2"),
        ]);
        let struck = strike(&hooks, &subject(), Fault::Stop).await.unwrap();
        let wanted = [
            "CLUSTER=shop",
            "FAULT=stop",
            "NODE_ADDR=127.0.0.1:7001",
            "NODE_HOST=127.0.0.1",
            &format!("NODE_ID={}", "a".repeat(40)),
            "NODE_PORT=7001",
            "NODE_ROLE=master",
            "SHARD=2",
        ];
        let wanted = wanted.map(|line| format!("stop hook: GOODCACHE_{line}"));
        assert_eq!(struck.notes, wanted);
        let prepared = prepare(&hooks, &subject(), Fault::Stop).unwrap();
        assert_eq!(undo(&prepared).await.unwrap().notes, ["start hook: up"]);
    }

    #[tokio::test]
    async fn a_command_that_fails_says_how_and_what_it_wrote() {
        let hooks = hooks(&[
            ("kill", "seq 30; echo no such host >&2; exit 3"),
            ("start", ":"),
        ]);
        let error = strike(&hooks, &subject(), Fault::Kill).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("the kill hook for node 127.0.0.1:7001 ended with status 3"));
        assert!(
            text.contains("no such host") && text.contains("\n  12\n"),
            "{text}"
        );
        assert!(!text.contains("\n  11\n"), "only the last lines: {text}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_all_that_it_started() {
        let mut hooks = hooks(&[("stop", "sleep 300 & echo $!; wait"), ("start", ":")]);
        hooks.deadline = Duration::from_millis(300);
        let begun = Instant::now();
        let error = strike(&hooks, &subject(), Fault::Stop).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(
            error.to_string().contains("took longer than 300 ms"),
            "{error}"
        );
        let HostError::Hook { output, .. } = error else {
            panic!("{error}");
        };
        let pid: i32 = output[0].parse().unwrap();
        let is_gone = || super::super::proc::stat(pid).is_none_or(|stat| stat.has_ended());
        while !is_gone() {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{pid} still sleeps"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn what_a_command_leaves_running_is_neither_waited_for_nor_killed() {
        let hooks = hooks(&[("stop", "sleep 20 & echo $!"), ("start", ":")]);
        let begun = Instant::now();
        let struck = strike(&hooks, &subject(), Fault::Stop).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
        let pid: i32 = struck.notes[0].rsplit(' ').next().unwrap().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[test]
    fn a_missing_command_is_named_by_its_key() {
        let hooks = hooks(&[("stop", "true")]);
        let error = prepare(&hooks, &subject(), Fault::Stop).unwrap_err();
        assert!(
            error.hint().contains("clusters.shop.hooks.start"),
            "{}",
            error.hint()
        );
        let error = prepare(&hooks, &subject(), Fault::Slow).unwrap_err();
        assert!(matches!(error, HostError::CannotDo { .. }), "{error}");
        assert!(prepare(&hooks, &subject(), Fault::Isolate).is_err());
    }

    #[test]
    fn a_provider_s_own_failover_needs_nothing_put_back() {
        let hooks = hooks(&[("failover", "true")]);
        let undo = prepare(&hooks, &subject(), Fault::Failover).unwrap();
        assert_eq!(undo.command, None);
    }
}
