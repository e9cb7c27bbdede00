//! A node that is cut off on the cluster bus alone, by itself: on servers that can it is replaced while
//! clients still write to it, and its bus is mended whoever was killed meanwhile; others refuse.

use std::process::Command;

use super::*;
use crate::support::{Fleet, Server, Spec, eventually, until};

/// Six nodes that let DEBUG be used.
struct Debugged {
    home: Home,
    fleet: Fleet,
    password: Option<&'static str>,
}

impl Debugged {
    fn start() -> Debugged {
        // Redis 6.2 has no such setting, and forbids nothing.
        let args: &[&str] = match version_of_the_program().starts_with("6.") {
            true => &[],
            false => &["--enable-debug-command", "local"],
        };
        let fleet = Fleet::start_with(6, |_| Spec::with_args(args));
        fleet.join(3);
        Debugged {
            home: Home::new(),
            fleet,
            password: None,
        }
    }

    fn can_cut_a_bus(&self) -> bool {
        let version = self.fleet[0].field(&["INFO", "server"], "valkey_version");
        let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        major.is_some_and(|major| major >= 9)
    }

    fn command(&self, command: &str, more: &[&str]) -> Goodcache {
        let addr = self.fleet[0].addr();
        let mut args = vec![command, &addr];
        args.extend(more);
        let run = self.home.goodcache(&args).within(LIMIT);
        match self.password {
            Some(password) => run.env("REDIS_PASSWORD", password),
            None => run,
        }
    }

    fn drill(&self, more: &[&str]) -> Goodcache {
        let addr = self.fleet[0].addr();
        let mut args = vec!["--fault", "isolate-bus", "--confirm", &addr, "-o", "json"];
        args.extend(more);
        self.command("failover-test", &args)
    }

    /// From now on every connection takes a login.
    fn lock(&mut self, password: &'static str) {
        for server in self.fleet.iter() {
            server.cli(&["CONFIG", "SET", "masterauth", password]);
            server.cli(&["CONFIG", "SET", "requirepass", password]);
        }
        self.password = Some(password);
    }

    fn is_cut(&self) -> bool {
        let drills = self.home.path().join("state/goodcache/drills");
        let files = std::fs::read_dir(drills).into_iter().flatten().flatten();
        let mut journals = files.filter(|file| file.path().to_string_lossy().ends_with(".json"));
        journals.next().is_some()
    }

    /// Whether the journal lists a bus that is cut, and some node feels it.
    fn is_missed(&self) -> bool {
        let misses = |server: &Server| match self.password {
            Some(password) => {
                let mut wire = server.connect().unwrap();
                wire.ask(&["AUTH", password]).unwrap();
                let told = wire.ask(&["CLUSTER", "NODES"]).unwrap();
                told.text().unwrap().contains("fail")
            }
            None => server.cli(&["CLUSTER", "NODES"]).contains("fail"),
        };
        self.is_cut() && self.fleet.iter().any(misses)
    }

    #[track_caller]
    fn expect_whole(&self) {
        let wait = ["--wait", "healthy", "--timeout", "30s", "--sample", "0s"];
        self.command("check", &wait).run().expect(0);
        let left = self.command("failover-test", &["--heal"]).run().expect(0);
        assert!(left.stderr.contains("no drill left"), "{}", left.stderr);
    }
}

fn version_of_the_program() -> String {
    let told = Command::new(default_binary()).arg("--version").output();
    let told = String::from_utf8(told.unwrap().stdout).unwrap();
    let (_, version) = told.split_once("v=").unwrap();
    version.to_owned()
}

#[test]
fn a_master_cut_off_on_the_bus_alone_is_replaced_matrix() {
    let cluster = Debugged::start();
    if !cluster.can_cut_a_bus() {
        let refused = cluster.drill(&[]).run().expect(5);
        let told = "cannot cut its own bus: that takes Valkey 9";
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
        return;
    }
    // It notices late that it stands alone, so that both take writes for a while.
    cluster.fleet[0].cli(&["CONFIG", "SET", "cluster-node-timeout", "10000"]);
    let report = report(&cluster.drill(&[]).run().expect(3));
    assert_eq!(
        report["promotions"][0]["from"],
        cluster.fleet[0].addr(),
        "{report:#}"
    );
    let split = number(&report, "/writes/split_brain");
    let lost = number(&report, "/writes/lost");
    assert!(split > 20.0 && lost > 20.0, "{report:#}");
    let reasons = report["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{report:#}");
    let reason = reasons[0].as_str().unwrap();
    assert!(reason.contains("acknowledged writes are gone"), "{reason}");
    cluster.expect_whole();
}

#[test]
fn a_cut_bus_is_mended_whoever_was_killed_matrix() {
    let mut cluster = Debugged::start();
    if !cluster.can_cut_a_bus() {
        return;
    }
    let interrupted = cluster.drill(&[]).spawn();
    until("its peers miss it", LIMIT, || cluster.is_missed());
    interrupted.interrupt();
    interrupted.wait().expect(130);
    assert!(!cluster.is_cut());
    let mut killed = cluster.drill(&["--shard", "2"]).spawn();
    until("its peers miss it", LIMIT, || cluster.is_missed());
    killed.kill();
    until("the watchdog has mended it", LIMIT, || !cluster.is_cut());
    cluster.expect_whole();

    cluster.lock("s3cret-of-the-bus");
    let planned = cluster.drill(&["--shard", "3", "--dry-run"]).run();
    let planned = report(&planned.expect(0));
    let note = &planned["plan"]["notes"][0];
    assert!(note.as_str().unwrap().contains("--heal"), "{note}");
    let mut killed = cluster.drill(&["--shard", "3"]).spawn();
    until("its peers miss it", LIMIT, || cluster.is_missed());
    killed.kill();
    eventually("mended by hand", LIMIT, || {
        // The watchdog, which has no login, may hold the lock just now.
        let healed = cluster.command("failover-test", &["--heal"]).run();
        (healed.code == 0).then_some(())
    });
    assert!(!cluster.is_cut());
    cluster.expect_whole();
}
