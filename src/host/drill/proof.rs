//! Which process of this machine a node is, and the proof of it: the process works in the node's
//! folder, and the cluster file there calls the node `myself`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use super::NodeAtHost;
use super::proc;
use super::process::Process;
use crate::host::here::is_here;
use crate::model::{NodeId, View};

/// How long a name may take to be looked up.
const NAME_PATIENCE: Duration = Duration::from_secs(3);

/// The process that the node is; or why none is.
pub(super) async fn find(node: &NodeAtHost) -> Result<Process, String> {
    if !is_here(&node.addr, NAME_PATIENCE).await {
        return Err(format!("{} is no address of this machine", node.addr.host));
    }
    let pid = node.info.number("process_id");
    let pid: i32 = pid
        .and_then(|pid| pid.try_into().ok())
        .ok_or("its INFO tells no process_id")?;
    let fail = |why: String| Err(format!("process {pid} {why}"));
    let Some(stat) = proc::stat(pid).filter(|stat| !stat.has_ended()) else {
        return fail("is not there".to_owned());
    };
    let Some(folder) = proc::folder(pid) else {
        return fail("does not let this user see its folder".to_owned());
    };
    let proven = match node.info.mode() {
        Some("standalone") => prove_alone(node, &folder, pid),
        _ => prove(node, &folder),
    };
    if let Err(why) = proven {
        return fail(why);
    }
    if let Err(error) = Pid::from_raw(pid).map_or(Ok(()), test_kill_process) {
        return fail(format!("may not be signalled: {error}"));
    }
    let called = PathBuf::from(node.info.get("executable").unwrap_or_default());
    Ok(Process {
        node: node.id.clone(),
        pid,
        started: stat.started,
        folder,
        port: port(node),
        executable: program(&called, pid),
        called,
        config_file: node
            .info
            .get("config_file")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
        owner: proc::owner(pid).ok_or_else(|| format!("process {pid} has ended"))?,
        shutdown_timeout_s: node
            .settings
            .get("shutdown-timeout")
            .and_then(|seconds| seconds.parse().ok()),
    })
}

/// The file that the process runs. What INFO calls `executable` leads there only when the server was
/// started by a path: a name that was looked up in PATH is told as if it were in the folder.
fn program(called: &Path, pid: i32) -> PathBuf {
    match proc::program(pid) {
        Some(program) if fs::canonicalize(called).ok().as_ref() != Some(&program) => program,
        _ => called.to_owned(),
    }
}

/// The port on which the server itself listens: the one that is dialled may be forwarded to it.
fn port(node: &NodeAtHost) -> u16 {
    let setting = |name: &str| {
        node.settings
            .get(name)?
            .parse()
            .ok()
            .filter(|&port| port > 0)
    };
    setting("port")
        .or_else(|| setting("tls-port"))
        .unwrap_or(node.addr.port)
}

/// The same without a cluster file: the process works in the folder that the server names, and it is
/// the one that listens on the server's port there.
fn prove_alone(node: &NodeAtHost, folder: &Path, pid: i32) -> Result<(), String> {
    let told = node.settings.get("dir").map(PathBuf::from);
    let told = told.ok_or("cannot be proven to be the server: CONFIG GET dir is not answered")?;
    if fs::canonicalize(&told).ok().as_deref() != Some(folder) {
        return Err(format!(
            "works in {}, not in {}",
            folder.display(),
            told.display()
        ));
    }
    match proc::listener(folder, port(node)) {
        Some(listener) if listener == pid => Ok(()),
        _ => Err(format!("does not listen on port {}", port(node))),
    }
}

/// That the node lives in that folder.
fn prove(node: &NodeAtHost, folder: &Path) -> Result<(), String> {
    let told = node.settings.get("dir").map(PathBuf::from);
    if let Some(told) = told.filter(|told| fs::canonicalize(told).ok().as_deref() != Some(folder)) {
        return Err(format!(
            "works in {}, not in {}",
            folder.display(),
            told.display()
        ));
    }
    let path = folder.join(cluster_file(&node.settings));
    let text = fs::read_to_string(&path).map_err(|error| {
        format!(
            "works in {}, but {} cannot be read: {error}",
            folder.display(),
            path.display()
        )
    })?;
    prove_by_file(&node.id, &text).map_err(|why| format!("has in {} {why}", path.display()))
}

/// The name of the file in which a node keeps what it knows of its cluster.
pub(in crate::host) fn cluster_file(settings: &BTreeMap<String, String>) -> &str {
    let name = settings.get("cluster-config-file").map(String::as_str);
    name.filter(|name| !name.is_empty()).unwrap_or("nodes.conf")
}

/// That the cluster file is this node's own: the one line flagged `myself` has its id.
pub(in crate::host) fn prove_by_file(id: &NodeId, text: &str) -> Result<(), String> {
    let view = View::parse(text).map_err(|error| format!("no cluster file ({error})"))?;
    match view.myself() {
        Some(peer) if peer.id == *id => Ok(()),
        Some(peer) => Err(format!("node {}, not {}", peer.id.short(), id.short())),
        None => Err("no node of its own".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_of_its_own_proves_a_node() {
        let (own, other) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "{own} 127.0.0.1:7001@17001 myself,master - 0 0 1 connected\n\
             {other} 127.0.0.1:7002@17002 master - 0 0 2 connected\nvars currentEpoch 2 lastVoteEpoch 0\n"
        );
        assert!(prove_by_file(&own.parse().unwrap(), &text).is_ok());
        let why = prove_by_file(&other.parse().unwrap(), &text).unwrap_err();
        assert_eq!(why, "node aaaaaaaa, not bbbbbbbb");
        assert!(prove_by_file(&own.parse().unwrap(), "").is_err());
        assert!(prove_by_file(&own.parse().unwrap(), "nonsense").is_err());
    }
}
