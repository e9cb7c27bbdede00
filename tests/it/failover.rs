//! `failover-test` on real local clusters: what it measures and counts, held against others that look
//! at the same time, and that nothing is ever left broken.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::server::default_binary;
use crate::support::{Goodcache, Home, Outcome, Wire, free_ports};

mod answers;
mod bus;
mod faults;
mod hooks;
mod killed;
mod losses;
mod observer;
mod recovery;
mod refusals;

pub(crate) const NAME: &str = "drilled";
/// Six servers start within seconds; a drill with a node timeout of 1 s takes about eight.
const LIMIT: Duration = Duration::from_secs(120);

/// A cluster that `create --local` made; it ends with its home.
pub(crate) struct Drilled {
    pub(crate) home: Home,
    base: u16,
    nodes: u16,
}

impl Drilled {
    /// Three masters, and as many replicas of each as that.
    pub(crate) fn of(replicas: u16) -> Drilled {
        let home = Home::new();
        let nodes = 3 * (1 + replicas);
        let base = free_ports(nodes);
        let (port, replicas) = (base.to_string(), replicas.to_string());
        let server = default_binary();
        home.goodcache(&[
            "create",
            NAME,
            "--local",
            "--server",
            server.to_str().unwrap(),
            "--base-port",
            &port,
            "--replicas",
            &replicas,
            "--node-timeout",
            "1s",
            "--yes",
            "-q",
        ])
        .within(LIMIT)
        .run()
        .expect(0);
        forget_slow_commands(base..base + nodes, None);
        Drilled { home, base, nodes }
    }

    fn drill(&self, more: &[&str]) -> Goodcache {
        let mut args = vec!["failover-test", NAME, "--confirm", NAME, "-o", "json"];
        args.extend(more);
        self.home.goodcache(&args).within(LIMIT)
    }

    pub(crate) fn run(&self, more: &[&str]) -> Outcome {
        self.drill(more).run()
    }

    fn heal(&self) -> Outcome {
        let args = ["failover-test", NAME, "--heal"];
        self.home.goodcache(&args).within(LIMIT).run()
    }

    fn journal(&self) -> PathBuf {
        let drills = self.home.path().join("state/goodcache/drills");
        drills.join(format!("{NAME}.drill.json"))
    }

    /// Whether the journal says that something is broken now.
    fn is_broken(&self) -> bool {
        std::fs::read_to_string(self.journal()).is_ok_and(|text| text.contains("undo"))
    }

    fn addr(&self, n: u16) -> String {
        format!("127.0.0.1:{}", self.base + n)
    }

    fn wire(&self, n: u16) -> Wire {
        Wire::plain(&self.addr(n), Duration::from_secs(2)).unwrap()
    }

    fn pid(&self, n: u16) -> u32 {
        let data = self.home.path().join("state/goodcache/data").join(NAME);
        let pid = data.join((self.base + n).to_string()).join("pid");
        std::fs::read_to_string(pid)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Nothing is left broken: every node answers, all agree, and no journal lists anything.
    #[track_caller]
    fn expect_whole(&self) {
        let wait = ["check", NAME, "--wait", "healthy", "--timeout", "30s"];
        let mut args = wait.to_vec();
        args.extend(["--sample", "0s", "-q"]);
        self.home.goodcache(&args).within(LIMIT).run().expect(0);
        let left = self.heal().expect(0);
        assert!(left.stderr.contains("no drill left"), "{}", left.stderr);
        self.expect_no_keys();
    }

    /// The load took its keys away again.
    #[track_caller]
    fn expect_no_keys(&self) {
        for n in 0..self.nodes {
            let keys = self.wire(n).ask(&["KEYS", "goodcache:drill:*"]).unwrap();
            assert_eq!(format!("{keys:?}"), "Array([])", "{}", self.addr(n));
        }
    }
}

fn report(outcome: &Outcome) -> Value {
    outcome.json()["report"].clone()
}

fn number(report: &Value, path: &str) -> f64 {
    let value = report.pointer(path);
    value
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no number at {path}: {report:#}"))
}

/// A server that is frozen in the middle of a command logs it as one that took seconds, and check says
/// so, rightly, for ten minutes. Whether a drill leaves the cluster whole is another question.
pub fn forget_slow_commands(ports: Range<u16>, password: Option<&str>) {
    for port in ports {
        let mut wire = Wire::plain(&format!("127.0.0.1:{port}"), Duration::from_secs(2)).unwrap();
        let mut say = |words: &[&str]| wire.ask(words).unwrap().text().unwrap();
        if let Some(password) = password {
            assert_eq!(say(&["AUTH", password]), "OK");
        }
        let set = ["CONFIG", "SET", "slowlog-log-slower-than", "-1"];
        assert_eq!(say(&set), "OK");
    }
}

/// The report of a drill that found nothing wrong. Its limits are far from what is measured, so that
/// a busy machine leaves the verdict as it is.
#[track_caller]
pub fn sound(outcome: Outcome) -> Value {
    let report = report(&outcome.expect(0));
    assert_eq!(report["reasons"], serde_json::json!([]), "{report:#}");
    report
}

/// What every drill on a master that has a replica must show.
#[track_caller]
fn expect_promotion(report: &Value, from: &str) {
    let promotion = &report["promotions"][0];
    assert_eq!(promotion["from"], from, "{report:#}");
    assert!(number(report, "/promotions/0/epoch") > 0.0, "{report:#}");
    let outage = number(report, "/outages/0/unavailable_ms");
    assert!(outage > 0.0, "{report:#}");
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    let acknowledged = number(report, "/writes/acknowledged");
    assert!(acknowledged > 500.0, "{report:#}");
}
