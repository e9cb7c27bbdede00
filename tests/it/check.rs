//! `check` on real servers that are really ill: each fault gives its finding, on the right subject,
//! with the right gravity and exit code, and no other critical finding drowns it.

mod answers;
mod commands;
mod epochs;
mod faults;
mod forms;
mod nodes;
mod stopped;
mod traffic;

use serde_json::Value;

use crate::support::{Fleet, Goodcache, Home, Outcome, Server, goodcache};

/// What a check answered in JSON, and its exit code.
struct Answer {
    code: i32,
    report: Value,
}

impl From<Outcome> for Answer {
    #[track_caller]
    fn from(outcome: Outcome) -> Answer {
        let report = outcome.json()["report"].clone();
        Answer {
            code: outcome.code,
            report,
        }
    }
}

/// Looks once, beginning at the last node, since the first is the one that tests make ill.
#[track_caller]
fn check(fleet: &Fleet, more: &[&str]) -> Answer {
    looking(fleet, more).run().into()
}

fn looking(fleet: &Fleet, more: &[&str]) -> Goodcache {
    let seed = fleet[fleet.len() - 1].addr();
    goodcache(&args(&seed, more))
}

fn args<'a>(seed: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["check", seed];
    if !more.contains(&"-o") {
        args.extend(["-o", "json"]);
    }
    if !more.contains(&"--sample") {
        args.extend(["--sample", "0s"]);
    }
    args.extend(more);
    args
}

impl Answer {
    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().unwrap()
    }

    fn found(&self, code: &str) -> Option<&Value> {
        self.findings().iter().find(|f| f["code"] == code)
    }

    /// Asserts that there is such a finding about such a subject, and gives it.
    #[track_caller]
    fn expect(&self, code: &str, severity: &str, subject: &str) -> &Value {
        let found = self.findings().iter().find(|f| {
            f["code"] == code && f["subject"]["name"].as_str().unwrap().contains(subject)
        });
        let Some(found) = found else {
            panic!(
                "no {code} about '{subject}':\n{:#}",
                self.report["findings"]
            )
        };
        assert_eq!(found["severity"], severity, "{found:#}");
        for part in ["summary", "evidence", "next"] {
            assert!(
                found[part].as_str().is_some_and(|text| !text.is_empty()),
                "{found:#}"
            );
        }
        found
    }

    #[track_caller]
    fn expect_none(&self, code: &str) -> &Answer {
        assert!(
            self.found(code).is_none(),
            "{:#}",
            self.found(code).unwrap()
        );
        self
    }

    /// Asserts which codes are critical, and the exit code that follows. What this machine's load
    /// does to round trips is left out.
    #[track_caller]
    fn expect_critical(&self, codes: &[&str]) -> &Answer {
        let mut critical: Vec<&str> = (self.findings().iter())
            .filter(|f| f["severity"] == "critical")
            .map(|f| f["code"].as_str().unwrap())
            .filter(|code| !code.starts_with("latency."))
            .collect();
        critical.dedup();
        assert_eq!(critical, codes, "{:#}", self.report["findings"]);
        if !codes.is_empty() {
            assert_eq!(self.code, 3);
            assert_eq!(self.report["health"], "critical");
        }
        self
    }
}

/// Some key of that slot.
fn key_of(slot: u16) -> String {
    let slot = goodcache::model::Slot::new(slot).unwrap();
    (0..)
        .map(|n| format!("k{n}"))
        .find(|key| goodcache::model::Slot::of_key(key.as_bytes()) == slot)
        .unwrap()
}

fn sees(server: &Server, id: &str, flags: &str) -> bool {
    let nodes = server.cli(&["CLUSTER", "NODES"]);
    nodes.lines().any(|line| {
        let mut words = line.split(' ');
        words.next() == Some(id) && words.nth(1).is_some_and(|seen| seen == flags)
    })
}

fn in_home(home: &Home, seed: &str, more: &[&str]) -> Answer {
    home.goodcache(&args(seed, more)).run().into()
}
