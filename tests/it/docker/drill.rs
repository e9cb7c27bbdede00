//! The machine side of a drill on the real engine: every fault struck, seen, and put back.

use std::time::Duration;

use goodcache::host::Labels;
use goodcache::host::docker::{Engine, RunningNode, launch};
use goodcache::host::drill::{HostError, Hosts, Place, Undo, Which};
use goodcache::host::journal::{Entry, Journal, heal};
use goodcache::model::{Events, Fault};

use super::{IMAGE, Project, docker, eventually, redis};
use crate::host_drills::{answers, hosts, node_at, slowest_answer};

/// A project whose nodes run and know each other.
struct Site {
    project: Project,
    nodes: Vec<RunningNode>,
    hosts: Hosts,
}

impl Site {
    async fn new(test: &str, nodes: u16) -> Site {
        let mut project = Project::new(test, nodes);
        project.spec.node_timeout_ms = 1000;
        let engine = Engine::connect().await.unwrap();
        let nodes = launch(&engine, &project.spec, None, &Events::ignored())
            .await
            .unwrap();
        for node in &nodes[1..] {
            let (ip, port) = (nodes[0].ip.to_string(), nodes[0].port.to_string());
            redis(node.port, None, &["cluster", "meet", &ip, &port]);
        }
        let site = Site {
            hosts: hosts(Which::Docker).await,
            project,
            nodes,
        };
        site.await_all_linked();
        site
    }

    /// Waits until every node calls all of them connected and none failing.
    fn await_all_linked(&self) {
        for node in &self.nodes {
            eventually("all know all", || {
                let said = redis(node.port, None, &["cluster", "nodes"]);
                let sound = said.lines().filter(|line| line.contains(" connected"));
                let is_whole = sound.count() == self.nodes.len()
                    && !said.contains("fail")
                    && !said.contains("handshake");
                if is_whole { Ok(()) } else { Err(said) }
            });
        }
    }

    async fn place(&self) -> Place {
        let found = self.hosts.find(&[node_at(self.nodes[0].port)]).await;
        found.unwrap().remove(0)
    }

    fn container(&self) -> &str {
        &self.nodes[0].container
    }

    fn port(&self) -> u16 {
        self.nodes[0].port
    }

    fn ip(&self) -> String {
        self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}")
    }

    fn inspect(&self, format: &str) -> String {
        docker(&["inspect", "-f", format, self.container()])
            .trim()
            .to_owned()
    }

    async fn strike(&self, fault: Fault) -> Undo {
        let place = self.place().await;
        let undo = self.hosts.prepare(&place, fault).await.unwrap();
        assert!(answers(self.port()), "preparing changes nothing");
        self.hosts.strike(&place, fault).await.unwrap();
        undo
    }

    /// Twice, since that must do no harm.
    async fn put_back(&self, undo: &Undo) {
        for _ in 0..2 {
            let undone = self.hosts.undo(undo).await.unwrap();
            assert_eq!(undone.by_others, None, "{undo:?}");
            assert_eq!(undone.notes, Vec::<String>::new(), "{undo:?}");
        }
        self.await_answer();
    }

    fn await_answer(&self) {
        eventually("it answers again", || match answers(self.port()) {
            true => Ok(()),
            false => Err("no answer".to_owned()),
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_container_is_struck_and_put_back() {
    let site = Site::new("faults", 1).await;
    let place = site.place().await;
    assert_eq!(place.to_string(), format!("container {}", site.container()));
    let started = || site.inspect("{{.State.StartedAt}}");
    for (fault, state) in [
        (Fault::Stop, "exited"),
        (Fault::Kill, "exited"),
        (Fault::Pause, "paused"),
        (Fault::FastRestart, "exited"),
    ] {
        let before = started();
        let undo = site.strike(fault).await;
        assert_eq!(site.inspect("{{.State.Status}}"), state, "{fault}");
        assert!(!answers(site.port()), "{fault}");
        site.put_back(&undo).await;
        assert_eq!(started() != before, fault.ends_process(), "{fault}");
    }

    let undo = site.strike(Fault::Slow).await;
    let slowest = slowest_answer(site.port());
    assert!(slowest > Duration::from_millis(20), "{slowest:?}");
    site.put_back(&undo).await;
    assert_eq!(site.inspect("{{.State.Status}}"), "running");

    // `create` gives nodes with an append-only file the policy unless-stopped, which would undo it.
    let refused = site.hosts.prepare(&place, Fault::Shutdown).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("restart policy (unless-stopped)"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_container_comes_back_at_the_same_address() {
    let site = Site::new("isolate", 3).await;
    let (ip, aliases) = (site.ip(), || {
        site.inspect("{{range .NetworkSettings.Networks}}{{.Aliases}}{{end}}")
    });
    let before = aliases();
    let undo = site.strike(Fault::Isolate).await;
    assert_eq!(site.ip(), "");
    assert!(!answers(site.port()));
    site.put_back(&undo).await;
    assert_eq!((site.ip(), aliases()), (ip, before));
    site.await_all_linked();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_reach_a_container_that_its_peers_do_not() {
    let site = Site::new("peers", 3).await;
    let ip = site.ip();
    let undo = site.strike(Fault::IsolatePeers).await;
    assert!(answers(site.port()), "clients still reach it");
    let id = node_at(site.port()).id.to_string();
    eventually("its peers miss it", || {
        let said = redis(site.nodes[1].port, None, &["cluster", "nodes"]);
        let line = said
            .lines()
            .find(|line| line.starts_with(&id))
            .unwrap()
            .to_owned();
        if line.contains("fail") {
            Ok(())
        } else {
            Err(line)
        }
    });
    eventually("it misses its peers", || {
        let said = redis(site.port(), None, &["cluster", "nodes"]);
        let missed = said.lines().filter(|line| line.contains("fail")).count();
        if missed == 2 { Ok(()) } else { Err(said) }
    });
    assert!(answers(site.port()));
    site.put_back(&undo).await;
    assert_eq!(site.ip(), ip);
    site.await_all_linked();
    let own = docker(&[
        "network",
        "ls",
        "-q",
        "--filter",
        "label=io.goodcache.drill",
        "--filter",
        &format!("name={}", site.container()),
    ]);
    assert_eq!(own, "", "the network of its own is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_heals_from_the_journal() {
    let site = Site::new("journal", 2).await;
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), site.project.name()).unwrap();
    let ip = site.ip();
    for fault in [Fault::IsolatePeers, Fault::Kill] {
        let undo = site.strike(fault).await;
        let entry = Entry {
            node: undo.node().clone(),
            addr: site.nodes[0].addr.clone(),
            place: site.hosts_place(&undo),
            fault,
            undo,
            is_held: false,
        };
        journal.add(&entry).unwrap();
    }
    let healed = heal(&Journal::at(journal.path()), &hosts(Which::Auto).await).await;
    assert!(healed.is_whole(), "{healed:?}");
    assert_eq!(healed.undone.len(), 2);
    site.await_answer();
    assert_eq!(site.ip(), ip);
    site.await_all_linked();
}

impl Site {
    fn hosts_place(&self, undo: &Undo) -> Place {
        match undo {
            Undo::Container(undo) => Place::Container(undo.container.clone()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_to_a_container_is_seen() {
    let site = Site::new("others", 1).await;
    let place = site.place().await;

    docker(&["pause", site.container()]);
    let error = site.hosts.prepare(&place, Fault::Kill).await.unwrap_err();
    assert!(matches!(error, HostError::AlreadyDown { .. }), "{error}");
    assert!(error.to_string().contains("paused"), "{error}");
    docker(&["unpause", site.container()]);

    let undo = site.strike(Fault::Kill).await;
    docker(&["start", site.container()]);
    let undone = site.hosts.undo(&undo).await.unwrap();
    let wanted = format!(
        "container {} had been started again by somebody else (restart policy unless-stopped)",
        site.container()
    );
    assert_eq!(undone.by_others, Some(wanted));
    site.await_answer();

    let undo = site.strike(Fault::Pause).await;
    docker(&["unpause", site.container()]);
    let undone = site.hosts.undo(&undo).await.unwrap();
    assert!(undone.by_others.unwrap().contains("resumed already"));

    for fault in [Fault::Kill, Fault::Pause, Fault::Isolate] {
        site.hosts.prepare(&place, fault).await.unwrap();
    }
    let undo = site.hosts.prepare(&place, Fault::Kill).await.unwrap();
    docker(&["rm", "-f", site.container()]);
    for gone in [
        site.hosts.strike(&place, Fault::Kill).await.map(|_| ()),
        site.hosts.undo(&undo).await.map(|_| ()),
        site.hosts.prepare(&place, Fault::Kill).await.map(|_| ()),
    ] {
        let error = gone.unwrap_err();
        assert!(matches!(error, HostError::Gone { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strike_that_was_cut_off_is_undone_all_the_same() {
    let site = Site::new("cutoff", 1).await;
    let ip = site.ip();
    for (fault, after_ms) in [
        (Fault::Isolate, 30),
        (Fault::IsolatePeers, 30),
        (Fault::IsolatePeers, 200),
        (Fault::Pause, 5),
        (Fault::Slow, 5),
        (Fault::Stop, 50),
    ] {
        let place = site.place().await;
        let undo = site.hosts.prepare(&place, fault).await.unwrap();
        let struck = site.hosts.strike(&place, fault);
        let _ = tokio::time::timeout(Duration::from_millis(after_ms), struck).await;
        site.hosts.undo(&undo).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(site.inspect("{{.State.Status}}"), "running", "{fault}");
        assert_eq!(site.ip(), ip, "{fault}");
        site.await_answer();
    }
}

/// A container that goodcache did not make; it goes with the project.
fn run_by_hand(
    project: &Project,
    name: &str,
    network: &str,
    ports: &[u16],
    script: &str,
) -> String {
    let name = format!("{}-{name}", project.name());
    let label = format!("{}={}", Labels::CLUSTER, project.name());
    let published: Vec<String> = ports.iter().map(|p| format!("127.0.0.1:{p}:{p}")).collect();
    let mut args = vec![
        "run",
        "-d",
        "--name",
        &name,
        "--label",
        &label,
        "--network",
        network,
    ];
    for port in &published {
        args.extend(["-p", port]);
    }
    args.extend([IMAGE, "sh", "-c", script]);
    docker(&args);
    for &port in ports {
        eventually("it answers", || match answers(port) {
            true => Ok(()),
            false => Err("no answer".to_owned()),
        });
    }
    name
}

const SERVE: &str = "redis-server --cluster-enabled yes --protected-mode no";

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_give_no_fixed_addresses_are_joined_again_all_the_same() {
    let project = Project::new("byhand", 1);
    let port = project.spec.nodes[0].port;
    let label = format!("{}={}", Labels::CLUSTER, project.name());
    let network = format!("{}_auto", project.name());
    docker(&["network", "create", "--label", &label, &network]);
    let hosts = hosts(Which::Docker).await;
    for network in [network.as_str(), "bridge"] {
        let script = format!("{SERVE} --port {port}");
        let name = run_by_hand(&project, network, network, &[port], &script);
        let format =
            "{{range $name, $it := .NetworkSettings.Networks}}{{$name}} {{$it.IPAddress}};{{end}}";
        let addresses = || docker(&["inspect", "-f", format, &name]);
        let before = addresses();
        for fault in [Fault::Isolate, Fault::IsolatePeers] {
            let place = hosts.find(&[node_at(port)]).await.unwrap().remove(0);
            let undo = hosts.prepare(&place, fault).await.unwrap();
            hosts.strike(&place, fault).await.unwrap();
            assert_eq!(answers(port), fault == Fault::IsolatePeers, "{network}");
            let undone = hosts.undo(&undo).await.unwrap();
            assert_eq!(undone.by_others, None, "{network} {fault}");
            assert_eq!(addresses(), before, "{network} {fault}");
            assert!(answers(port), "{network} {fault}");
        }
        docker(&["rm", "-fv", &name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_several_nodes_is_not_struck() {
    let project = Project::new("several", 2);
    let ports: Vec<u16> = project.spec.nodes.iter().map(|node| node.port).collect();
    let one = |port| format!("mkdir /data/{port}; {SERVE} --port {port} --dir /data/{port}");
    let script = format!("{} & {}", one(ports[0]), one(ports[1]));
    let name = run_by_hand(&project, "all", "bridge", &ports, &script);
    let hosts = hosts(Which::Auto).await;
    let error = hosts.find(&[node_at(ports[0])]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("container {name} holds 2 nodes, so none of them can be struck alone")
    );
    assert!(answers(ports[0]) && answers(ports[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_containers_with_one_id_are_told_apart_by_nobody() {
    let site = Site::new("twins", 1).await;
    let twin = format!("{}-twin", site.project.name());
    let label = |name: &str, value: &str| format!("{name}={value}");
    let labels = [
        label(Labels::CLUSTER, site.project.name()),
        label(Labels::PORT, &site.port().to_string()),
    ];
    let volume = site.inspect("{{range .Mounts}}{{.Name}}{{end}}");
    let mount = format!("{volume}:/data");
    // A copy of the node's data is enough; it need not run.
    docker(&[
        "create", "--name", &twin, "--label", &labels[0], "--label", &labels[1], "-v", &mount,
        IMAGE,
    ]);
    let error = site.hosts.find(&[node_at(site.port())]).await.unwrap_err();
    assert!(matches!(error, HostError::Ambiguous { .. }), "{error}");
    assert!(error.to_string().contains(&twin), "{error}");
}
