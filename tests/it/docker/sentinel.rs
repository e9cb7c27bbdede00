//! Servers without cluster mode in containers: a master, its replicas and the Sentinels that watch them,
//! each published on a loopback port; and one server that nobody watches.

use std::time::{Duration, Instant};

use super::{IMAGE, Project, docker, eventually, free_ports, redis};
use crate::support::{Home, Outcome};

const LIMIT: Duration = Duration::from_secs(120);

/// Containers on a network of their own, gone with the project.
struct Site {
    project: Project,
    network: String,
    subnet: String,
    ports: Vec<u16>,
    home: Home,
}

impl Site {
    fn new(test: &str, containers: u16) -> Site {
        let project = Project::new(test, 1);
        let network = format!("{}-net", project.name());
        let third = std::process::id() % 250;
        let subnet = format!("10.219.{third}");
        let label = project.label();
        let label = label.trim_start_matches("label=");
        docker(&[
            "network",
            "create",
            "--label",
            label,
            "--subnet",
            &format!("{subnet}.0/24"),
            &network,
        ]);
        Site {
            network,
            subnet,
            ports: free_ports(containers),
            home: Home::new(),
            project,
        }
    }

    /// Runs that in the container of that number, whose port is the one outside.
    fn run(&self, n: usize, command: &[&str]) {
        let port = self.ports[n];
        let label = self.project.label();
        let (name, ip) = (self.container(n), self.ip(n));
        let published = format!("127.0.0.1:{port}:{port}");
        let mut args = vec!["run", "-d", "--name", &name, "--network", &self.network];
        args.extend(["--ip", &ip, "-p", &published, "--label"]);
        args.extend([label.trim_start_matches("label="), IMAGE]);
        args.extend(command);
        docker(&args);
        eventually("it answers", || match self.ask(n, &["ping"]).trim() {
            "PONG" => Ok(()),
            other => Err(other.to_owned()),
        });
    }

    fn serve(&self, n: usize, more: &[&str]) {
        let port = self.ports[n].to_string();
        let mut command = vec!["redis-server", "--port", &port, "--appendonly", "yes"];
        command.extend(["--protected-mode", "no", "--repl-diskless-sync-delay", "0"]);
        command.extend(more);
        self.run(n, &command);
    }

    fn watch(&self, n: usize) {
        let port = self.ports[n];
        let script = format!(
            "printf 'port {port}\\nprotected-mode no\\n' > /tmp/sentinel.conf; \
             exec redis-server /tmp/sentinel.conf --sentinel"
        );
        self.run(n, &["sh", "-c", &script]);
        let (ip, master) = (self.ip(0), self.ports[0].to_string());
        self.ask(n, &["sentinel", "monitor", "shop", &ip, &master, "2"]);
        for (what, value) in [
            ("down-after-milliseconds", "1000"),
            ("failover-timeout", "10000"),
        ] {
            self.ask(n, &["sentinel", "set", "shop", what, value]);
        }
    }

    fn container(&self, n: usize) -> String {
        format!("{}-{n}", self.project.name())
    }

    fn ip(&self, n: usize) -> String {
        format!("{}.{}", self.subnet, n + 11)
    }

    fn addr(&self, n: usize) -> String {
        format!("127.0.0.1:{}", self.ports[n])
    }

    fn ask(&self, n: usize, words: &[&str]) -> String {
        redis(self.ports[n], None, words)
    }

    /// A drill by that container's address; inside addresses are reached where they are published.
    fn drill(&self, n: usize, more: &[&str]) -> Outcome {
        let seed = self.addr(n);
        let mut args = vec!["failover-test", &seed, "--confirm", &seed, "-o", "json"];
        args.extend([
            "--docker-map",
            "on",
            "--rate",
            "50",
            "--max-lost-writes",
            "1000",
        ]);
        args.extend(more);
        self.home.goodcache(&args).within(LIMIT).run()
    }
}

#[test]
fn a_stopped_container_is_replaced_by_the_sentinels_and_follows_when_it_is_back() {
    let site = Site::new("sentinel", 6);
    site.serve(0, &[]);
    let (ip, port) = (site.ip(0), site.ports[0].to_string());
    for n in 1..3 {
        site.serve(n, &["--replicaof", &ip, &port]);
    }
    for n in 3..6 {
        site.watch(n);
    }
    eventually("all know all", || {
        let told: Vec<String> = (3..6)
            .map(|n| site.ask(n, &["sentinel", "master", "shop"]))
            .collect();
        let knows = |text: &String| {
            let text = text.replace('\n', " ");
            text.contains("num-slaves 2 ") && text.contains("num-other-sentinels 2 ")
        };
        if told.iter().all(knows) {
            Ok(())
        } else {
            Err(told)
        }
        .map_err(|told| told.join("\n"))
    });
    for fault in ["stop", "kill", "pause"] {
        let begun = Instant::now();
        let outcome = site.drill(3, &["--fault", fault]).expect(0);
        let report = outcome.json()["report"].clone();
        let target = report["rounds"][0]["targets"][0].to_string();
        assert!(target.contains("127.0.0.1"), "{fault}: {target}");
        assert!(outcome.stderr.contains("container "), "{}", outcome.stderr);
        let promotions = report["promotions"].as_array().unwrap();
        assert_eq!(promotions.len(), 1, "{fault}: {report:#}");
        let outage = report["outages"][0]["unavailable_ms"].as_f64().unwrap();
        assert!(
            (100.0..10_000.0).contains(&outage),
            "{fault}: {outage} ms of {:?}",
            begun.elapsed()
        );
        eventually("two follow", || {
            let linked = (0..3).filter(|&n| {
                site.ask(n, &["info", "replication"])
                    .contains("master_link_status:up")
            });
            let linked = linked.count();
            if linked == 2 {
                Ok(())
            } else {
                Err(linked.to_string())
            }
        });
    }
}

#[test]
fn a_container_alone_is_restarted_and_what_that_costs_is_measured() {
    let site = Site::new("alone", 1);
    // By everysec the server may put off writing for two seconds while it waits for the disk.
    site.serve(0, &["--appendfsync", "always"]);
    let name = site.container(0);
    let refused = site.drill(0, &["--fault", "kill"]).expect(5);
    assert!(
        refused.stderr.contains("no Sentinel was asked"),
        "{}",
        refused.stderr
    );
    let report = site.drill(0, &["--fault", "fast-restart"]).expect(0).json()["report"].clone();
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    let more = [
        "--fault",
        "stop",
        "--accept",
        "no-successor",
        "--max-outage",
        "60s",
    ];
    let report = site.drill(0, &more).expect(0).json()["report"].clone();
    let outage = report["outages"][0]["unavailable_ms"].as_f64().unwrap();
    assert!((3000.0..20_000.0).contains(&outage), "{outage} ms");
    assert_eq!(
        docker(&["inspect", "-f", "{{.State.Status}}", &name]).trim(),
        "running"
    );
}
