//! Two masters with one config epoch, as copied nodes.conf files and forced takeovers leave them.

use std::fs;
use std::time::Duration;

use super::check;
use crate::support::{Fleet, Server, Spec, until};

/// Servers mend a collision as soon as the two hear of each other, so these two must not: neither
/// knows the other's bus port, and the node timeout is longer than the test.
#[test]
fn two_masters_with_one_epoch_are_named_and_mended_by_the_next_step() {
    let mut fleet = Fleet::start_with(3, |_| Spec::with_args(&["--cluster-node-timeout", "60000"]));
    fleet.join(3);
    let ids = [fleet[0].id(), fleet[1].id()];
    fleet[0].kill();
    fleet[1].kill();
    for n in [0, 1] {
        rewrite(&fleet[n], &ids, &ids[1 - n]);
    }
    fleet[0].start_again();
    fleet[1].start_again();
    until("the third has heard of it", Duration::from_secs(30), || {
        let nodes = fleet[2].cli(&["CLUSTER", "NODES"]);
        nodes
            .lines()
            .filter(|line| line.contains(" 7 connected"))
            .count()
            == 2
    });
    let answer = check(&fleet, &[]);
    let found = answer.expect("epoch.collision", "warning", "");
    assert_eq!(
        found["summary"], "2 masters have the same config epoch 7",
        "{found:#}"
    );
    let evidence = found["evidence"].as_str().unwrap();
    for n in [0, 1] {
        assert!(evidence.contains(&fleet[n].addr()), "{evidence}");
    }
    let said = super::faults::run_next(found);
    assert_eq!(said.matches("BUMPED").count(), 2, "{said}");
    check(&fleet, &[]).expect_none("epoch.collision");
}

/// Gives both masters epoch 7 in the node's table, and the other one a bus port where nothing
/// listens.
fn rewrite(server: &Server, masters: &[String], other: &str) {
    let path = server.dir().join("nodes.conf");
    let table = fs::read_to_string(&path).unwrap();
    let lines = table.lines().map(|line| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if masters.contains(&words[0]) {
            words[6] = "7".to_owned();
        }
        if words[0] == other {
            let (client, bus) = words[1].split_once('@').unwrap();
            let rest = bus.split_once(',').map_or("", |(_, rest)| rest);
            words[1] = format!("{client}@9,{rest}");
        }
        words.join(" ") + "\n"
    });
    let changed: String = lines.collect();
    assert_eq!(changed.matches(" 7 ").count(), 2, "{changed}");
    fs::write(&path, changed).unwrap();
}
