//! `--follow`: every write is in the time line, whatever happens to the follower, to its links, to the
//! masters and to the slots; and what is acknowledged is stored.

mod clock;
mod kept;
mod turns;

use goodcache::archive::{Logged, Moment, NoMoment, Replay, TimeLine};

use super::*;
use crate::support::{Running, Spec};

/// Longer than what waits for a seal.
const SEALED: &str = "20000";

impl Stage {
    fn cluster(&self) -> String {
        self.fleet[0].addr()
    }

    fn follow(&self, args: &[&str]) -> Running {
        let mut words = vec!["--follow"];
        words.extend(args);
        let running = self.backup(&words).within(LIMIT * 2).spawn();
        until("a base is there", LIMIT, || self.bases() > 0);
        running
    }

    fn bases(&self) -> usize {
        let folder = self.folder().join("snapshots");
        fs::read_dir(folder).map_or(0, |found| found.count())
    }

    fn lines(&self) -> Vec<TimeLine> {
        run(self.repository().time_lines(Some(&self.cluster()))).unwrap()
    }

    fn moment(&self, at_ms: u64) -> Result<Moment, NoMoment> {
        run(self.repository().moment(&self.cluster(), at_ms)).unwrap()
    }

    /// The last moment that can be restored.
    fn last_moment(&self) -> Moment {
        let NoMoment::Outside { before_ms, .. } = self.moment(u64::MAX).unwrap_err() else {
            panic!("nothing can be restored");
        };
        self.moment(before_ms.unwrap()).unwrap()
    }

    fn played(&self, moment: &Moment) -> Vec<Logged> {
        all(self.repository().replay(moment))
    }

    /// A counter as it is at a moment: the base's value and what came after.
    fn counter_at(&self, moment: &Moment, key: &str) -> i64 {
        let base = prove(&self.repository(), moment.base.id.as_str());
        let played = self.played(moment);
        let more = writes(&played).filter(|words| words[0] == "INCR" && words[1] == key);
        base.counter(key) + more.count() as i64
    }

    /// Waits until all that was written to the counters is durable.
    fn settle(&self) {
        for key in ["a", "b"] {
            let server = self.owner(&format!("{{{key}}}end"));
            self.wait_for(server, &format!("{{{key}}}end"), "1");
        }
    }

    /// Waits until that write is durable, as a client does.
    fn wait_for(&self, server: &Server, key: &str, value: &str) {
        let mut wire = server.connect().unwrap();
        wire.ask(&["SET", key, value]).unwrap().text().unwrap();
        let acknowledged = wire.ask(&["WAIT", "1", SEALED]).unwrap();
        assert_eq!(acknowledged.text().unwrap(), "1");
    }
}

fn all(mut replay: Replay) -> Vec<Logged> {
    run(async {
        let mut found = Vec::new();
        while let Some(logged) = replay.next().await.unwrap() {
            found.push(logged);
        }
        found
    })
}

/// The words of each write, the name in upper case.
fn writes(played: &[Logged]) -> impl Iterator<Item = Vec<String>> {
    played.iter().filter_map(|logged| match logged {
        Logged::Owners(_) => None,
        Logged::Write(write) => {
            let words = write.words.iter();
            let mut words: Vec<String> = words
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            words[0].make_ascii_uppercase();
            Some(words)
        }
    })
}

fn stop(running: Running) -> Outcome {
    running.interrupt();
    running.wait().expect(130)
}

#[test]
fn all_that_is_written_is_in_the_line_matrix() {
    let stage = Stage::of(2, 0);
    stage.sow(20);
    let counting = stage.count();
    let running = stage.follow(&["--base-every", "3s"]);
    until("more bases follow", LIMIT, || stage.bases() >= 3);
    let count = counting.end() as i64;
    stage.settle();
    let outcome = stop(running);
    assert!(
        outcome.stderr.contains("stored up to"),
        "{}",
        outcome.stderr
    );
    let lines = stage.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let last = stage.last_moment();
    for key in ["a", "b"] {
        assert_eq!(stage.counter_at(&last, key), count);
    }
    // From the first base as well as from the last: one line lies under both.
    let repository = stage.repository();
    let first = run(repository.snapshots()).unwrap()[0].clone();
    assert!(last.base.id > first);
    let manifest = run(repository.manifest_of(&first)).unwrap();
    let begun = stage.moment(manifest.taken_at_ms).unwrap();
    assert_eq!(begun.base.id, first);
    let anchor = goodcache::archive::Anchor::of(&manifest).unwrap();
    let anchored = lines[0].anchored(&anchor).unwrap();
    let from_first = Moment {
        base: manifest,
        line: Some(lines[0].clone()),
        anchored: Some(anchored),
        ..last
    };
    for key in ["a", "b"] {
        assert_eq!(stage.counter_at(&from_first, key), count);
    }
    stage.expect_as_before();
}

#[test]
fn what_is_acknowledged_is_stored_matrix() {
    let stage = Stage::of(1, 0);
    stage.sow(5);
    let running = stage.follow(&[]);
    let server = &stage.fleet[0];
    stage.wait_for(server, "first", "1");
    let is_stored = |key: &str| {
        let lines = stage.lines();
        let played = all(Replay::between(&stage.repository(), &lines[0], 0, u64::MAX));
        writes(&played).any(|words| words[0] == "SET" && words[1] == key)
    };
    assert!(is_stored("first"));
    // Where nothing can be stored, nothing is acknowledged.
    let away = stage.home.path().join("away");
    fs::rename(stage.folder(), &away).unwrap();
    let mut wire = server.connect().unwrap();
    wire.ask(&["SET", "second", "2"]).unwrap().text().unwrap();
    let acknowledged = wire.ask(&["WAIT", "1", "3000"]).unwrap();
    assert_eq!(acknowledged.text().unwrap(), "0");
    fs::rename(&away, stage.folder()).unwrap();
    let acknowledged = wire.ask(&["WAIT", "1", SEALED]).unwrap();
    assert_eq!(acknowledged.text().unwrap(), "1");
    assert!(is_stored("second"));
    let told = stop(running).stderr;
    assert!(told.contains("cannot be stored, trying on"), "{told}");
}

#[test]
fn killed_it_goes_on_where_it_was() {
    let stage = Stage::of(2, 0);
    stage.sow(5);
    let counting = stage.count();
    let mut running = stage.follow(&[]);
    until("both shards have a segment", LIMIT, || {
        stage
            .lines()
            .first()
            .is_some_and(|line| line.strands.len() == 2)
    });
    running.kill();
    drop(running);
    let running = stage.backup(&["--follow"]).within(LIMIT * 2).spawn();
    let count = counting.end() as i64;
    stage.settle();
    let outcome = stop(running);
    assert!(
        outcome.stderr.contains("goes on; it is stored up to"),
        "{}",
        outcome.stderr
    );
    assert_eq!((stage.lines().len(), stage.bases()), (1, 1));
    let last = stage.last_moment();
    for key in ["a", "b"] {
        assert_eq!(stage.counter_at(&last, key), count);
    }
}

#[test]
fn what_a_backlog_no_longer_has_is_a_gap() {
    let stage = Stage::of(1, 0);
    let server = &stage.fleet[0];
    server.cli(&["CONFIG", "SET", "repl-backlog-size", "16384"]);
    let mut running = stage.follow(&[]);
    stage.wait_for(server, "before", "1");
    running.kill();
    drop(running);
    let large = "x".repeat(64 << 10);
    server.cli(&["SET", "between", &large]);
    let running = stage.backup(&["--follow"]).within(LIMIT * 2).spawn();
    until("another base is there", LIMIT, || stage.bases() == 2);
    stage.wait_for(server, "after", "2");
    let outcome = stop(running);
    assert!(
        outcome.stderr.contains("no longer reaches back"),
        "{}",
        outcome.stderr
    );
    let lines = stage.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].end().is_some() && lines[1].end().is_none());
    let manifests = run(stage.repository().manifest("latest")).unwrap();
    // Just before the second base lies nothing that could be restored.
    let gap = manifests.taken_at_ms - 1;
    let NoMoment::Outside {
        before_ms,
        after_ms,
        ..
    } = stage.moment(gap).unwrap_err()
    else {
        panic!("it is in no gap");
    };
    assert_eq!(after_ms, Some(manifests.taken_at_ms));
    // And the snapshot before it says so.
    let first = run(stage.repository().snapshots()).unwrap()[0].to_string();
    let folder = stage.folder().display().to_string();
    let words = ["backup", "show", &first, "--repo", &folder, "-o", "json"];
    let shown = stage.home.goodcache(&words).run().expect(0).json();
    let line = &shown["report"]["line"];
    let why = line["ended"].as_str().unwrap();
    assert!(why.contains("no longer reaches back"), "{line:#}");
    assert_eq!(line["next_from_ms"], after_ms.unwrap(), "{line:#}");
    assert_eq!(line["range"]["until_ms"], before_ms.unwrap(), "{line:#}");
    let before = stage.moment(before_ms.unwrap()).unwrap();
    let played = stage.played(&before);
    assert!(writes(&played).any(|words| words[1..] == ["before", "1"]));
    assert!(!writes(&played).any(|words| words.len() > 1 && words[1] == "between"));
}

#[test]
fn a_failover_is_followed() {
    let spec = |_: usize| Spec::with_args(&["--cluster-node-timeout", "1500"]);
    let fleet = Fleet::start_with(6, spec);
    fleet.join(3);
    let mut stage = Stage::with(fleet, 3);
    let running = stage.follow(&[]);
    let key = "{follow}";
    let owner = (0..3).find(|&n| {
        stage.fleet[n]
            .ask(&["SET", key, "0"])
            .unwrap()
            .text()
            .is_ok()
    });
    let owner = owner.unwrap();
    for n in 0..50 {
        stage.fleet[owner].cli(&["RPUSH", "{follow}:list", &n.to_string()]);
    }
    let replica = owner + 3;
    until("the replica has all", LIMIT, || {
        let offset =
            |n: usize| stage.fleet[n].field(&["INFO", "replication"], "master_repl_offset");
        offset(owner) == offset(replica)
    });
    let id = stage.fleet[owner].id();
    stage.fleet[owner].kill();
    until("it is promoted", LIMIT, || {
        let role = stage.fleet[replica].field(&["INFO", "replication"], "role");
        role.as_deref() == Some("master")
    });
    for n in 50..100 {
        until("it is written", LIMIT, || {
            let pushed = stage.fleet[replica].ask(&["RPUSH", "{follow}:list", &n.to_string()]);
            pushed.unwrap().text().is_ok()
        });
    }
    until("the promoted one has a follower", LIMIT, || {
        let slaves = stage.fleet[replica].field(&["INFO", "replication"], "connected_slaves");
        slaves.as_deref() == Some("1")
    });
    let mut wire = stage.fleet[replica].connect().unwrap();
    wire.ask(&["RPUSH", "{follow}:list", "100"])
        .unwrap()
        .text()
        .unwrap();
    let acknowledged = wire.ask(&["WAIT", "1", SEALED]).unwrap();
    assert_eq!(acknowledged.text().unwrap(), "1");
    stop(running);
    let lines = stage.lines();
    assert_eq!(lines.len(), 1);
    let last = stage.last_moment();
    let played = stage.played(&last);
    let pushed = writes(&played).filter(|words| words[0] == "RPUSH");
    let pushed: Vec<String> = pushed.map(|words| words[2].clone()).collect();
    let expected: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
    assert_eq!(pushed, expected);
    let masters = |owners: &goodcache::archive::Owners| {
        let masters = owners.shards.iter().map(|owner| owner.master.to_string());
        masters.collect::<Vec<_>>()
    };
    let owners: Vec<Vec<String>> = played
        .iter()
        .filter_map(|logged| match logged {
            Logged::Owners(owners) => Some(masters(owners)),
            Logged::Write(_) => None,
        })
        .collect();
    assert!(owners[0].contains(&id));
    assert!(owners.last().unwrap().contains(&stage.fleet[replica].id()));
    assert!(!owners.last().unwrap().contains(&id));
}

#[test]
fn a_slot_that_moves_is_recorded() {
    let stage = Stage::of(2, 0);
    let running = stage.follow(&[]);
    let (giver, taker) = (stage.owner("foo"), 12_182);
    let taker_server = stage
        .fleet
        .iter()
        .find(|one| one.port() != giver.port())
        .unwrap();
    let slot = taker.to_string();
    giver.cli(&["SET", "foo", "moved"]);
    let ids = (giver.id(), taker_server.id());
    taker_server.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids.0]);
    giver.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids.1]);
    let port = taker_server.port().to_string();
    let moved = giver.cli(&["MIGRATE", "127.0.0.1", &port, "foo", "0", "5000"]);
    assert_eq!(moved.trim(), "OK");
    for server in [taker_server, giver] {
        server.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids.1]);
    }
    let slot = goodcache::model::Slot::of_key(b"foo");
    assert_eq!(slot.number(), taker);
    // While it moves it is seen as leaving, which is recorded as well.
    until("it is recorded", LIMIT, || {
        let line = stage.lines().remove(0);
        let owners: goodcache::archive::Owners =
            run(stage.repository().event(line.events.last().unwrap())).unwrap();
        let has = |owner: &goodcache::archive::Owner| {
            owner.slots.contains(slot) && owner.master.as_str() == ids.1
        };
        owners.shards.iter().any(has)
    });
    stage.wait_for(taker_server, "foo", "after");
    stop(running);
    assert_eq!(stage.lines().len(), 1);
    let played = stage.played(&stage.last_moment());
    let owner_of = |owners: &goodcache::archive::Owners| {
        let mut shards = owners.shards.iter();
        let owner = shards.find(|owner| owner.slots.contains(slot));
        owner.map(|owner| owner.master.to_string())
    };
    let owners: Vec<String> = played
        .iter()
        .filter_map(|logged| match logged {
            Logged::Owners(owners) => owner_of(owners),
            Logged::Write(_) => None,
        })
        .collect();
    assert_eq!(
        (owners.first(), owners.last()),
        (Some(&ids.0), Some(&ids.1))
    );
    let names: Vec<String> = writes(&played)
        .filter(|words| words.len() > 1 && words[1] == "foo")
        .map(|words| words[0].clone())
        .collect();
    assert!(names.contains(&"RESTORE-ASKING".to_owned()), "{names:?}");
    assert!(names.contains(&"DEL".to_owned()), "{names:?}");
}

#[test]
fn what_means_nothing_with_it_is_refused() {
    let stage = Stage::of(1, 0);
    let refused = stage.backup(&["--follow", "--via", "scan"]).run().expect(2);
    assert!(
        refused.stderr.contains("by replication"),
        "{}",
        refused.stderr
    );
    stage.backup(&["--follow", "--every", "1h"]).run().expect(2);
    stage.backup(&["--base-every", "1h"]).run().expect(2);
    assert!(!stage.folder().exists());
}

#[test]
fn slots_that_go_to_a_new_node_end_the_line_and_another_begins() {
    let stage = Stage::of(2, 0);
    let new = Server::start();
    let running = stage.follow(&[]);
    stage.wait_for(stage.owner("foo"), "foo", "before");
    let port = stage.fleet[0].port().to_string();
    new.cli(&["CLUSTER", "MEET", "127.0.0.1", &port]);
    until("all know it", LIMIT, || {
        let knows = |server: &Server| server.cli(&["CLUSTER", "NODES"]).contains(&new.id());
        new.cli(&["CLUSTER", "NODES"]).lines().count() == 3 && stage.fleet.iter().all(knows)
    });
    let slot = goodcache::model::Slot::of_key(b"{unused}").to_string();
    for server in std::iter::once(&new).chain(stage.fleet.iter()) {
        server.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &new.id()]);
    }
    until("another base is there", LIMIT, || stage.bases() == 2);
    stage.wait_for(&new, "{unused}", "after");
    let told = stop(running).stderr;
    assert!(told.contains("which is not followed"), "{told}");
    let lines = stage.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].end().is_some() && lines[1].end().is_none());
    let last = stage.last_moment();
    assert_eq!(last.base.shards.len(), 3);
    let played = stage.played(&last);
    assert!(writes(&played).any(|words| words[1..] == ["{unused}", "after"]));
}
