//! Any moment: a base, and what was archived of the time line up to that moment.

use goodcache::model::words::timestamp;

use super::handmade::now_ms;
use super::*;
use crate::support::{Running, until};

/// A cluster that is followed.
pub(super) struct Followed {
    pub(super) stage: Stage,
    running: Option<Running>,
}

impl Followed {
    pub(super) fn of(masters: usize, replicas: usize) -> Followed {
        let stage = Stage {
            home: Home::new(),
            source: Fleet::cluster(masters, replicas),
        };
        for server in stage.source.iter() {
            server.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        }
        Followed {
            stage,
            running: None,
        }
    }

    pub(super) fn follow(&mut self) {
        let (addr, url) = (self.stage.source[0].addr(), self.stage.repository());
        let words = ["backup", &addr, "--follow", "--repo", &url, "-o", "json"];
        self.running = Some(self.stage.home.goodcache(&words).within(LIMIT * 2).spawn());
        let snapshots = self.stage.home.path().join("repository/snapshots");
        until("a base is there", LIMIT, || {
            std::fs::read_dir(&snapshots).is_ok_and(|found| found.count() > 0)
        });
    }

    /// The master that has the key.
    pub(super) fn owner(&self, key: &str) -> &Server {
        let mut servers = self.stage.source.iter();
        let has = |server: &&Server| server.ask(&["GET", key]).unwrap().text().is_ok();
        servers.find(has).unwrap()
    }

    pub(super) fn set(&self, key: &str, value: &str) {
        self.owner(key).cli(&["SET", key, value]);
    }

    /// A moment that no write is near to.
    pub(super) fn moment(&self) -> u64 {
        std::thread::sleep(Duration::from_millis(150));
        let now = now_ms();
        std::thread::sleep(Duration::from_millis(150));
        now
    }

    /// Waits until all that was written is stored, and ends the follower.
    pub(super) fn end(&mut self, masters: &[usize]) {
        for n in masters {
            let server = &self.stage.source[*n];
            let mut wire = server.connect().unwrap();
            // Slots of others are refused: one of these is its own.
            for tag in 0..40 {
                let _ = wire.ask(&["SET", &format!("{{{tag}}}end"), "1"]).unwrap();
            }
            let acknowledged = wire.ask(&["WAIT", "1", "20000"]).unwrap().text().unwrap();
            assert_ne!(acknowledged, "0");
        }
        let running = self.running.take().unwrap();
        running.interrupt();
        running.wait().expect(130);
    }

    /// What each key is at that moment, restored into a cluster of another shape.
    fn at(&self, moment: u64, keys: &[&str]) -> Vec<String> {
        let target = empty(3);
        let (of, at) = (self.stage.source[0].addr(), timestamp(moment));
        let url = self.stage.repository();
        let addr = target[0].addr();
        let words = [
            "restore", &addr, "--of", &of, "--at", &at, "--repo", &url, "-o", "json",
        ];
        let report = proven(self.stage.home.goodcache(&words).within(LIMIT).run());
        assert_eq!(report["moment_ms"], moment, "{report:#}");
        let value = |key: &&str| {
            let answers = target
                .iter()
                .filter_map(|server| server.ask(&["GET", key]).unwrap().text().ok());
            answers.last().unwrap()
        };
        keys.iter().map(value).collect()
    }
}

#[test]
fn before_and_after_all_was_deleted() {
    let mut followed = Followed::of(2, 0);
    followed.set("a", "1");
    followed.set("b", "1");
    followed.follow();
    followed.set("a", "2");
    let before = followed.moment();
    followed.set("a", "3");
    let later = followed.moment();
    followed.owner("a").cli(&["FLUSHALL"]);
    let emptied = followed.moment();
    followed.set("a", "4");
    let after = followed.moment();
    followed.end(&[0, 1]);
    assert_ne!(followed.owner("a").addr(), followed.owner("b").addr());
    for (moment, a) in [
        (before, "2"),
        (later, "3"),
        (emptied, "(nil)"),
        (after, "4"),
    ] {
        let found = followed.at(moment, &["a", "b"]);
        let nil = |text: &String| {
            if text.is_empty() {
                "(nil)".to_owned()
            } else {
                text.clone()
            }
        };
        assert_eq!(
            (nil(&found[0]).as_str(), found[1].as_str()),
            (a, "1"),
            "{moment}"
        );
    }
}

#[test]
fn a_slot_that_moved_takes_its_keys_along() {
    let mut followed = Followed::of(2, 0);
    followed.set("{k}moves", "1");
    followed.set("{k}stays", "1");
    followed.follow();
    let before = followed.moment();
    let (from, to) = {
        let from = followed.owner("{k}moves");
        let other = followed
            .stage
            .source
            .iter()
            .find(|server| server.addr() != from.addr());
        (from, other.unwrap())
    };
    let slot = goodcache::model::Slot::of_key(b"{k}").number().to_string();
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id()]);
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id()]);
    let port = to.port().to_string();
    for key in ["{k}moves", "{k}stays"] {
        from.cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
    }
    for node in [to, from] {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to.id()]);
    }
    to.cli(&["SET", "{k}moves", "2"]);
    let after = followed.moment();
    to.cli(&["DEL", "{k}moves"]);
    let deleted = followed.moment();
    followed.end(&[0, 1]);
    let keys = ["{k}moves", "{k}stays"];
    assert_eq!(followed.at(before, &keys), ["1", "1"]);
    assert_eq!(followed.at(after, &keys), ["2", "1"]);
    assert_eq!(followed.at(deleted, &keys)[1], "1");
    assert_ne!(followed.at(deleted, &keys)[0], "2");
}

#[test]
fn before_and_after_a_failover() {
    let mut followed = Followed::of(2, 1);
    followed.set("n", "1");
    followed.follow();
    let owner = usize::from(followed.owner("n").addr() != followed.stage.source[0].addr());
    followed.set("n", "2");
    let before = followed.moment();
    let replica = owner + 2;
    until("it is promoted", LIMIT, || {
        let _ = followed.stage.source[replica].ask(&["CLUSTER", "FAILOVER"]);
        std::thread::sleep(Duration::from_millis(500));
        followed.stage.source[replica]
            .cli(&["ROLE"])
            .contains("master")
    });
    until("it takes writes", LIMIT, || {
        let said = followed.stage.source[replica]
            .ask(&["SET", "n", "3"])
            .unwrap();
        said.text().is_ok()
    });
    std::thread::sleep(Duration::from_secs(3));
    let after = followed.moment();
    followed.end(&[replica]);
    assert_eq!(followed.at(before, &["n"]), ["2"]);
    assert_eq!(followed.at(after, &["n"]), ["3"]);
}

#[test]
fn a_moment_outside_is_refused_with_the_nearest() {
    let mut followed = Followed::of(2, 0);
    followed.set("a", "1");
    followed.follow();
    followed.set("a", "2");
    followed.end(&[0, 1]);
    let target = empty(1);
    let (url, of) = (followed.stage.repository(), followed.stage.source[0].addr());
    let addr = target[0].addr();
    let run = |at: &str| {
        let words = ["restore", &addr, "--of", &of, "--at", at, "--repo", &url];
        followed.stage.home.goodcache(&words).within(LIMIT).run()
    };
    let refused = run("2020-01-01T00:00:00Z").expect(5);
    assert!(refused.stderr.contains("lies before"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("goodcache backup list"),
        "{}",
        refused.stderr
    );
    run("nonsense").expect(2);
    assert_eq!(keys(&[&target[0]]), 0);
}
