//! The machine side of a drill on real servers that are plain processes: every fault struck, seen,
//! and put back, also by another process than the one that struck.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use goodcache::host::drill::{
    HookCommands, HostError, HostOptions, Hosts, NodeAtHost, Place, Undo, Which,
};
use goodcache::host::journal::{Entry, Journal, heal};
use goodcache::host::process::{self, LocalSpec};
use goodcache::model::{Fault, Info, NodeId, Role, View};
use tempfile::TempDir;

use crate::support::server::default_binary;
use crate::support::{Server, free_ports, until};

const LIMIT: Duration = Duration::from_secs(30);

/// What redis-cli says of the server on that port; empty when it does not answer.
fn cli(port: u16, args: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(args)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether it answers within half a second. A server that is held accepts the connection all the same.
pub(crate) fn answers(port: u16) -> bool {
    use crate::support::Wire;
    let wire = Wire::plain(&format!("127.0.0.1:{port}"), Duration::from_millis(500));
    wire.is_ok_and(|mut wire| wire.ask(&["PING"]).is_ok())
}

/// The node on that port, as the driver describes it.
pub(crate) fn node_at(port: u16) -> NodeAtHost {
    let view = View::parse(&cli(port, &["cluster", "nodes"])).unwrap();
    let myself = view.myself().unwrap();
    let mut settings = BTreeMap::new();
    for name in ["dir", "cluster-config-file", "port", "shutdown-timeout"] {
        let reply = cli(port, &["config", "get", name]);
        let mut lines = reply.lines();
        if let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            settings.insert(name.to_owned(), value.to_owned());
        }
    }
    NodeAtHost {
        id: myself.id.clone(),
        addr: format!("127.0.0.1:{port}").parse().unwrap(),
        announced: myself.announced.clone(),
        role: Role::Master,
        shard: 1,
        cluster: "shop".into(),
        info: Info::parse(&cli(port, &["info", "server"])),
        settings,
    }
}

pub(crate) async fn hosts(which: Which) -> Hosts {
    let options = HostOptions { which, hooks: None };
    Hosts::connect(&options).await.unwrap()
}

/// One cluster node as `create --local` makes it: on a configuration file, in the background.
struct Local {
    folder: TempDir,
    port: u16,
}

impl Local {
    fn start() -> Local {
        let folder = TempDir::new().unwrap();
        let port = free_ports(1);
        process::start(&spec(folder.path(), port)).unwrap();
        Local { folder, port }
    }

    fn pid(&self) -> Option<i32> {
        process::running(self.folder.path(), self.port)
    }

    async fn place(&self, hosts: &Hosts) -> Place {
        let found = hosts.find(&[node_at(self.port)]).await.unwrap();
        found.into_iter().next().unwrap()
    }

    fn id(&self) -> NodeId {
        node_at(self.port).id
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = process::remove(self.folder.path());
    }
}

fn spec(folder: &Path, port: u16) -> LocalSpec {
    LocalSpec {
        folder: folder.to_owned(),
        server: default_binary(),
        ports: vec![port],
        node_timeout: Duration::from_secs(2),
        password: None,
        authority: None,
        users: None,
    }
}

/// What the fault is seen by; for a shutdown, it is asked of the server as the driver does.
async fn strike(hosts: &Hosts, place: &Place, fault: Fault, port: u16) {
    hosts.strike(place, fault).await.unwrap();
    match fault {
        Fault::Shutdown => drop(cli(port, &["shutdown", "nosave"])),
        Fault::Slow => {
            let slowest = slowest_answer(port);
            assert!(slowest > Duration::from_millis(20), "{slowest:?}");
            return;
        }
        _ => {}
    }
    if fault != Fault::FastRestart {
        until("it is struck", LIMIT, || !answers(port));
    }
}

/// Of a second of questions, each of which must be answered.
pub(crate) fn slowest_answer(port: u16) -> Duration {
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        let asked = Instant::now();
        assert!(answers(port), "late, but all of them");
        slowest = slowest.max(asked.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_process_is_struck_and_put_back() {
    let local = Local::start();
    let hosts = hosts(Which::Local).await;
    let id = local.id();
    for fault in [
        Fault::Pause,
        Fault::Slow,
        Fault::Stop,
        Fault::Kill,
        Fault::FastRestart,
        Fault::Shutdown,
    ] {
        let place = local.place(&hosts).await;
        let before = local.pid().unwrap();
        assert_eq!(place.to_string(), format!("process {before}"));
        let undo = hosts.prepare(&place, fault).await.unwrap();
        assert!(answers(local.port), "preparing changes nothing");
        strike(&hosts, &place, fault, local.port).await;
        for _ in 0..2 {
            let undone = hosts.undo(&undo).await.unwrap();
            assert_eq!(undone.by_others, None, "{fault}");
            until("it answers again", LIMIT, || answers(local.port));
        }
        assert_eq!(local.pid() != Some(before), fault.ends_process(), "{fault}");
        assert_eq!(local.id(), id, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_enough_to_put_everything_back() {
    let locals = [Local::start(), Local::start(), Local::start()];
    let folder = TempDir::new().unwrap();
    let journal = Journal::open(folder.path(), "127.0.0.1:7001").unwrap();
    {
        let hosts = hosts(Which::Local).await;
        let faults = [Fault::Stop, Fault::Pause, Fault::Slow];
        for (local, fault) in locals.iter().zip(faults) {
            let place = local.place(&hosts).await;
            let undo = hosts.prepare(&place, fault).await.unwrap();
            journal
                .add(&Entry {
                    node: local.id(),
                    addr: format!("127.0.0.1:{}", local.port).parse().unwrap(),
                    place: place.clone(),
                    fault,
                    undo,
                    is_held: false,
                })
                .unwrap();
            strike(&hosts, &place, fault, local.port).await;
        }
    }
    let fresh = hosts(Which::Auto).await;
    let healed = heal(&Journal::at(journal.path()), &fresh).await;
    assert!(healed.is_whole(), "{healed:?}");
    assert_eq!(healed.undone.len(), 3);
    assert!(
        healed
            .undone
            .iter()
            .all(|(_, undone)| undone.by_others.is_none())
    );
    assert_eq!(journal.entries().unwrap(), []);
    for local in &locals {
        until("it answers again", LIMIT, || answers(local.port));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_down_already_is_refused() {
    let local = Local::start();
    let hosts = hosts(Which::Local).await;
    let place = local.place(&hosts).await;
    let pid = local.pid().unwrap().unsigned_abs();
    crate::support::signal(pid, "STOP");
    until("it is held", LIMIT, || !answers(local.port));
    for fault in [Fault::Kill, Fault::Pause] {
        let error = hosts.prepare(&place, fault).await.unwrap_err();
        assert!(matches!(error, HostError::AlreadyDown { .. }), "{error}");
        assert!(error.to_string().contains("not by this drill"), "{error}");
    }
    crate::support::signal(pid, "CONT");
    crate::support::signal(pid, "KILL");
    until("it ends", LIMIT, || local.pid().is_none());
    let error = hosts.prepare(&place, Fault::Kill).await.unwrap_err();
    assert!(error.to_string().contains("it has ended"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_somebody_else_started_is_told() {
    let local = Local::start();
    let hosts = hosts(Which::Local).await;
    let place = local.place(&hosts).await;
    let undo = hosts.prepare(&place, Fault::Kill).await.unwrap();
    hosts.strike(&place, Fault::Kill).await.unwrap();
    until("its port is free", LIMIT, || {
        std::net::TcpListener::bind(("127.0.0.1", local.port)).is_ok()
    });
    process::start(&spec(local.folder.path(), local.port)).unwrap();
    let now = local.pid().unwrap();
    let undone = hosts.undo(&undo).await.unwrap();
    let told = undone.by_others.unwrap();
    assert!(told.contains(&format!("as process {now}")), "{told}");
    assert_eq!(local.pid(), Some(now));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_configuration_file_is_frozen_but_not_ended() {
    let server = Server::start();
    let hosts = hosts(Which::Local).await;
    let place = hosts
        .find(&[node_at(server.port())])
        .await
        .unwrap()
        .remove(0);
    let error = hosts.prepare(&place, Fault::Kill).await.unwrap_err();
    assert!(
        error.to_string().contains("without a configuration file"),
        "{error}"
    );
    let undo = hosts.prepare(&place, Fault::Pause).await.unwrap();
    hosts.strike(&place, Fault::Pause).await.unwrap();
    assert!(!answers(server.port()));
    hosts.undo(&undo).await.unwrap();
    assert!(answers(server.port()));
    let error = hosts.prepare(&place, Fault::Isolate).await.unwrap_err();
    assert!(error.hint().contains("hooks"), "{}", error.hint());
}

/// A server that stays in the foreground, on a file that is short of nothing but that.
struct Foreground {
    folder: TempDir,
    child: Child,
    port: u16,
}

impl Foreground {
    fn start() -> Foreground {
        let folder = TempDir::new().unwrap();
        let port = free_ports(1);
        // Its folder is given relative to where it is started.
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let conf =
            format!("port {port}\nbind 127.0.0.1\ndir data\ncluster-enabled yes\nsave \"\"\n");
        std::fs::write(folder.path().join("node.conf"), conf).unwrap();
        let child = Command::new(default_binary())
            .arg("node.conf")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("it answers", LIMIT, || answers(port));
        Foreground {
            folder,
            child,
            port,
        }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The one that was started again says itself who it is, and that it lives here.
        let info = Info::parse(&cli(self.port, &["info", "server"]));
        let dir = cli(self.port, &["config", "get", "dir"]);
        if let Some(pid) = info.number("process_id")
            && dir.contains(&*self.folder.path().to_string_lossy())
        {
            crate::support::signal(u32::try_from(pid).unwrap(), "KILL");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_the_foreground_is_started_where_it_was_and_out_of_reach_of_ctrl_c() {
    let server = Foreground::start();
    let hosts = hosts(Which::Local).await;
    let before = node_at(server.port);
    let place = hosts
        .find(std::slice::from_ref(&before))
        .await
        .unwrap()
        .remove(0);
    let undo = hosts.prepare(&place, Fault::Kill).await.unwrap();
    hosts.strike(&place, Fault::Kill).await.unwrap();
    hosts.undo(&undo).await.unwrap();
    until("it answers again", LIMIT, || answers(server.port));
    let after = node_at(server.port);
    assert_eq!((after.id, after.settings), (before.id, before.settings));
    let pid = after.info.number("process_id").unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let group = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap();
    assert_eq!(group, pid.to_string(), "a process group of its own");
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    assert!(
        !environment.contains("CARGO"),
        "nothing of ours is handed on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_prove_to_be_the_node_is_left_alone() {
    let local = Local::start();
    let hosts = hosts(Which::Auto).await;
    let mut other = node_at(local.port);
    other.id = "f".repeat(40).parse().unwrap();
    let error = hosts.find(&[other]).await.unwrap_err();
    assert!(error.to_string().contains("not ffffffff"), "{error}");
    let mut elsewhere = node_at(local.port);
    elsewhere.settings.insert("dir".into(), "/".into());
    let error = hosts.find(&[elsewhere]).await.unwrap_err();
    assert!(error.to_string().contains("not in /"), "{error}");
    assert!(error.hint().contains("hooks"), "{}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_come_before_processes_when_nothing_is_said() {
    let local = Local::start();
    let folder = local.folder.path().join(local.port.to_string());
    let folder: PathBuf = folder.canonicalize().unwrap();
    let commands = [
        ("kill", format!("kill -9 $(cat {}/pid)", folder.display())),
        (
            "start",
            format!(
                "{} {}/redis.conf",
                default_binary().display(),
                folder.display()
            ),
        ),
    ];
    let options = HostOptions {
        which: Which::Auto,
        hooks: Some(HookCommands {
            mind: None,
            commands: commands.map(|(key, text)| (key.to_owned(), text)).into(),
            deadline: Duration::from_secs(10),
        }),
    };
    let hosts = Hosts::connect(&options).await.unwrap();
    let place = local.place(&hosts).await;
    assert_eq!(place.to_string(), "hooks");
    let undo = hosts.prepare(&place, Fault::Kill).await.unwrap();
    let text = serde_json::to_string(&undo).unwrap();
    hosts.strike(&place, Fault::Kill).await.unwrap();
    until("it is struck", LIMIT, || !answers(local.port));
    let undo: Undo = serde_json::from_str(&text).unwrap();
    hosts.undo(&undo).await.unwrap();
    until("it answers again", LIMIT, || answers(local.port));
}
