//! Drills on containers as a user types them: twenty rounds in a row, a node cut off together with its
//! clients, a container that somebody else takes away.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::{IMAGE, Project, docker};
use crate::failover::{forget_slow_commands, sound};
use crate::support::{Goodcache, Home, free_ports, until};

/// A round with a node timeout of 1 s takes about ten seconds.
const LIMIT: Duration = Duration::from_secs(500);

/// Acknowledged writes that twenty-one rounds may lose. Replication does not wait, and the engine takes a
/// killed container's network away together with the bytes that its replica had not got yet: on a busy
/// machine that is now and then a write.
const IN_FLIGHT: u16 = 5;

/// A cluster that `create --docker` made.
struct Drilled {
    project: Project,
    home: Home,
}

impl Drilled {
    fn new(test: &str) -> Drilled {
        let drilled = Drilled {
            project: Project::new(test, 1),
            home: Home::new(),
        };
        let first = free_ports(6);
        let (name, base) = (drilled.name().to_owned(), first.to_string());
        let mut args = vec!["create", &name, "--docker", "--image", IMAGE];
        args.extend(["--base-port", &base, "--node-timeout", "1s", "--yes", "-q"]);
        drilled.home.goodcache(&args).within(LIMIT).run().expect(0);
        let saved = format!("state/goodcache/clusters/{name}.password");
        let password = std::fs::read_to_string(drilled.home.path().join(saved)).unwrap();
        forget_slow_commands(first..first + 6, Some(password.trim()));
        drilled
    }

    fn name(&self) -> &str {
        self.project.name()
    }

    fn drill(&self, more: &[&str]) -> Goodcache {
        let name = self.name();
        let mut args = vec!["failover-test", name, "--confirm", name, "-o", "json"];
        args.extend(more);
        self.home.goodcache(&args).within(LIMIT)
    }

    fn expect_whole(&self) {
        let mut args = vec![
            "check",
            self.name(),
            "--wait",
            "healthy",
            "--timeout",
            "30s",
        ];
        args.extend(["--sample", "0s", "-q"]);
        self.home.goodcache(&args).within(LIMIT).run().expect(0);
        let args = ["failover-test", self.name(), "--heal"];
        let left = self.home.goodcache(&args).run().expect(0);
        assert!(left.stderr.contains("no drill left"), "{}", left.stderr);
        let networks = docker(&["network", "ls", "--format", "{{.Name}}"]);
        let own = networks.lines().filter(|name| name.contains(self.name()));
        assert_eq!(own.count(), 1, "{networks}");
    }
}

#[test]
fn twenty_one_rounds_in_a_row_leave_the_cluster_whole() {
    let cluster = Drilled::new("rounds");
    let scenario = cluster.home.file(
        "rounds.yaml",
        &format!(
            "rounds: 7
budgets: {{max_lost_writes: {IN_FLIGHT}}}
steps:
  - {{fault: kill, shard: 1}}
  - {{fault: pause, shard: 2}}
  - {{fault: isolate, shard: 3}}
"
        ),
    );
    let args = ["--scenario", scenario.to_str().unwrap()];
    let report = sound(cluster.drill(&args).run());
    let rounds = report["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 21);
    assert!(
        rounds
            .iter()
            .all(|round| round["not_whole"] == Value::Array(Vec::new()))
    );
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        21,
        "{report:#}"
    );
    let lost = report["writes"]["lost"].as_u64().unwrap();
    assert!(lost <= u64::from(IN_FLIGHT), "{report:#}");
    assert_eq!(report["statistics"]["count"], 21);
    cluster.expect_whole();
}

#[test]
fn a_master_cut_off_with_its_clients_loses_what_it_acknowledged() {
    let cluster = Drilled::new("cutoff");
    let outcome = cluster.drill(&["--fault", "isolate-peers"]).run().expect(3);
    let report = &outcome.json()["report"];
    assert_eq!(report["verdict"], "failed", "{report:#}");
    // About a node timeout's worth of the client's and the witness' writes.
    let lost = report["writes"]["lost"].as_u64().unwrap();
    assert!((100..2000).contains(&lost), "{report:#}");
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        1,
        "{report:#}"
    );
    cluster.expect_whole();
}

#[test]
fn a_container_that_somebody_takes_away_meanwhile_is_told_and_nothing_hangs() {
    let cluster = Drilled::new("gone");
    let running = cluster
        .drill(&["--fault", "pause", "--timeout", "20s"])
        .spawn();
    let paused = || {
        let mut list = vec!["ps", "-q", "--filter", "status=paused"];
        let label = cluster.project.label();
        list.extend(["--filter", &label]);
        docker(&list).trim().to_owned()
    };
    until("a container is paused", LIMIT, || !paused().is_empty());
    docker(&["rm", "-f", &paused()]);
    let outcome = running.wait().expect(6);
    assert!(outcome.stderr.contains("is gone"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
}

/// The engine's socket at another path, until it is cut.
fn engine_at(path: &Path, is_cut: Arc<AtomicBool>) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if is_cut.load(Ordering::Relaxed) {
                continue;
            }
            let engine = UnixStream::connect("/var/run/docker.sock").unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), engine.try_clone().unwrap()),
                (engine, client),
            ] {
                let is_cut = is_cut.clone();
                std::thread::spawn(move || {
                    let mut piece = [0; 16 * 1024];
                    while let Ok(length @ 1..) = from.read(&mut piece) {
                        if is_cut.load(Ordering::Relaxed) || to.write_all(&piece[..length]).is_err()
                        {
                            break;
                        }
                    }
                    let _ = from.shutdown(std::net::Shutdown::Both);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
}

#[test]
fn what_an_engine_that_died_in_the_middle_left_broken_is_healed_when_it_is_back() {
    let cluster = Drilled::new("dies");
    let socket = cluster.home.path().join("engine.sock");
    let is_cut = Arc::new(AtomicBool::new(false));
    engine_at(&socket, is_cut.clone());
    let at = format!("unix://{}", socket.display());
    let drill = cluster.drill(&["--fault", "pause"]).env("DOCKER_HOST", &at);
    let running = drill.spawn();
    let list = ["ps", "-q", "--filter", "status=paused", "--filter"];
    let label = cluster.project.label();
    let paused = || docker(&[&list[..], &[label.as_str()]].concat());
    until("a container is paused", LIMIT, || !paused().is_empty());
    is_cut.store(true, Ordering::Relaxed);
    let outcome = running.wait().expect(6);
    assert!(outcome.stderr.contains("--heal"), "{}", outcome.stderr);
    assert!(!paused().is_empty());
    is_cut.store(false, Ordering::Relaxed);
    let heal = ["failover-test", cluster.name(), "--heal"];
    cluster
        .home
        .goodcache(&heal)
        .env("DOCKER_HOST", &at)
        .within(LIMIT)
        .run()
        .expect(0);
    assert!(paused().is_empty());
    cluster.expect_whole();
}

#[test]
fn a_container_that_comes_back_at_another_address_is_found_again() {
    let cluster = Drilled::new("moves");
    let drill = [
        "--fault",
        "kill",
        "--role",
        "replica",
        "--shard",
        "1",
        "--down-for",
        "6s",
    ];
    let running = cluster.drill(&drill).spawn();
    let list = ["ps", "-aq", "--filter", "status=exited", "--filter"];
    let label = cluster.project.label();
    let exited = || {
        docker(&[&list[..], &[label.as_str()]].concat())
            .trim()
            .to_owned()
    };
    until("a container is down", LIMIT, || !exited().is_empty());
    let container = exited();
    let network = docker(&["network", "ls", "--filter", &label, "--format", "{{.Name}}"]);
    let network = network.trim();
    let subnet = docker(&[
        "network",
        "inspect",
        network,
        "-f",
        "{{(index .IPAM.Config 0).Subnet}}",
    ]);
    let prefix = subnet.trim().rsplit_once('.').unwrap().0.to_owned();
    docker(&["network", "disconnect", network, &container]);
    docker(&[
        "network",
        "connect",
        "--ip",
        &format!("{prefix}.200"),
        network,
        &container,
    ]);
    let report = sound(running.wait());
    assert_eq!(
        report["rounds"][0]["not_whole"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    cluster.expect_whole();
}
