//! What goes wrong on the way: it stops, puts back what it did, and says so.

use std::collections::BTreeMap;
use std::time::Duration;

use goodcache::cluster::Access;
use goodcache::health::Profile;
use goodcache::model::{Consent, Events, NodeAddr, NodeId, Role};
use goodcache::ops::tune::apply::{self as applying, Applying, Baseline, Ended, Plan, Set, Step};
use tokio_util::sync::CancellationToken;

use super::{apply, configs, run, setting};
use crate::support::{Fleet, Home, Server, until};

const SOON: Duration = Duration::from_secs(30);

/// A user that may look and not set.
const LOOKER: &[&str] = &[
    "ACL",
    "SETUSER",
    "looker",
    "on",
    ">secret",
    "~*",
    "&*",
    "+@all",
    "-config|set",
];

#[test]
fn a_server_that_refuses_leaves_nothing_changed() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    for server in fleet.iter() {
        assert_eq!(server.cli(LOOKER), "OK");
    }
    let before = configs(&fleet);
    home.file("password", "secret");
    let words = apply(&fleet, &["--user", "looker", "--password-file", "password"]);
    let refused = run(&home, &words).expect(5);
    for words in ["refuses", "nothing was changed", "next: "] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(configs(&fleet), before);
}

#[test]
fn where_settings_cannot_be_read_only_what_info_tells_is_judged_and_that_is_said() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    for server in fleet.iter() {
        let blind: Vec<&str> = (LOOKER.iter())
            .map(|word| match *word {
                "-config|set" => "-config",
                word => word,
            })
            .collect();
        assert_eq!(server.cli(&blind), "OK");
    }
    home.file("password", "secret");
    let first = fleet[0].addr();
    let words = [
        "tune",
        &first,
        "--sample",
        "0s",
        "--user",
        "looker",
        "--password-file",
        "password",
        "-o",
        "json",
    ];
    let answer = home.goodcache(&words).run().expect(0).json();
    let skipped = answer["report"]["skipped"].as_array().unwrap();
    assert!(
        skipped
            .iter()
            .any(|one| one["reason"].as_str().unwrap().contains("CONFIG")),
        "{skipped:#?}"
    );
    for one in answer["report"]["recommendations"].as_array().unwrap() {
        let parameter = one["parameter"].as_str().unwrap();
        let is_told = ["maxmemory", "maxmemory-policy", "maxclients"].contains(&parameter);
        assert!(one["kind"] != "setting" || is_told, "{one:#}");
    }
}

#[test]
fn a_node_that_is_away_refuses_the_whole() {
    let mut fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    fleet[5].kill();
    let first = fleet[0].addr();
    let before = fleet[0].cli(&["CONFIG", "GET", "*"]);
    let refused = run(&home, &apply(&fleet, &[])).expect(5);
    assert!(
        refused.stderr.contains("1 of 6 nodes"),
        "{}",
        refused.stderr
    );
    assert_eq!(fleet[0].cli(&["CONFIG", "GET", "*"]), before, "{first}");
}

#[test]
fn a_node_that_dies_on_the_way_stops_it_and_the_others_are_put_back() {
    let mut fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let words = apply(&fleet, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = home.goodcache(&words).spawn();
    until("the first replica is set", SOON, || {
        fleet
            .iter()
            .any(|server| setting(server, "timeout") == "300")
    });
    fleet[0].kill();
    let stopped = running.wait();
    assert!(stopped.stdout.contains("STOPPED"), "{}", stopped.stdout);
    assert!([5, 6].contains(&stopped.code), "{}", stopped.code);
    // Its replica may be a master by now, so not all of CONFIG is as it was.
    for server in fleet.iter().skip(1) {
        assert_eq!(setting(server, "timeout"), "0");
        assert_eq!(setting(server, "maxmemory"), "0");
        assert_eq!(setting(server, "maxmemory-policy"), "noeviction");
    }
}

#[test]
fn ctrl_c_puts_back_what_was_set() {
    let fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let before = configs(&fleet);
    let words = apply(&fleet, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = home.goodcache(&words).spawn();
    until("the first replica is set", SOON, || {
        fleet
            .iter()
            .any(|server| setting(server, "timeout") == "300")
    });
    running.interrupt();
    let stopped = running.wait().expect(130);
    assert!(stopped.stdout.contains("put back"), "{}", stopped.stdout);
    assert_eq!(configs(&fleet), before);
}

#[test]
fn a_node_that_was_started_again_on_the_way_is_noticed_and_all_is_put_back() {
    let mut fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let before = sorted(&fleet);
    let words = apply(&fleet, &["-o", "json"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = home.goodcache(&words).spawn();
    let is_set = |server: &Server| setting(server, "timeout") == "300";
    until("the first replica is set", SOON, || {
        fleet.iter().any(is_set)
    });
    // It forgets what it was told, and is back long before anybody would call it dead.
    let first = (0..6).find(|n| is_set(&fleet[*n])).unwrap();
    let addr = fleet[first].addr();
    fleet[first].restart();
    let stopped = running.wait().expect(5);
    let applied = stopped.json()["report"]["applied"].clone();
    let ended = &applied["ended"]["stopped"];
    assert_eq!(ended["at"], addr, "{applied:#}");
    let why = ended["why"].as_str().unwrap();
    assert!(why.contains("started again"), "{applied:#}");
    // Every node is told, the forgetful one too: none is left half-way.
    assert_eq!(applied["put_back"].as_array().unwrap().len(), 6);
    assert_eq!(applied["not_put_back"].as_array().unwrap().len(), 0);
    assert_eq!(applied["changed"].as_array().unwrap().len(), 0);
    assert_eq!(sorted(&fleet), before);
}

/// The settings of each node by their names: every process has its own order from 7.0 on.
fn sorted(fleet: &Fleet) -> Vec<BTreeMap<String, String>> {
    let named = |text: String| {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let pairs = lines.chunks(2).map(|pair| {
            let value = pair.get(1).cloned().unwrap_or_default();
            (pair[0].clone(), value)
        });
        pairs.collect()
    };
    configs(fleet).into_iter().map(named).collect()
}

fn step(server: &Server, sets: &[(&str, &str, &str, &str)]) -> Step {
    let set = |&(rule, parameter, present, proposed): &(&str, &str, &str, &str)| Set {
        parameter: parameter.into(),
        present: present.into(),
        proposed: proposed.into(),
        rule: rule.into(),
    };
    Step {
        addr: NodeAddr::new("127.0.0.1", server.port()),
        id: server.id().parse::<NodeId>().unwrap(),
        role: Role::Master,
        sets: sets.iter().map(set).collect(),
    }
}

/// Before 7.0 a server cannot be asked beforehand, so this is of later ones.
#[tokio::test]
async fn what_the_last_node_would_refuse_is_known_before_the_first_is_set() {
    let fleet = Fleet::cluster(3, 0);
    let before = configs(&fleet);
    let good = ("clients.timeout", "timeout", "0", "300");
    let plan = Plan {
        cluster: "shop".into(),
        steps: vec![
            step(&fleet[0], &[good]),
            step(
                &fleet[1],
                &[
                    good,
                    ("memory.policy", "maxmemory-policy", "noeviction", "some"),
                    ("cpu.hz", "hz", "10", "often"),
                ],
            ),
        ],
        left: Vec::new(),
    };
    let access = Access::to([plan.steps[0].addr.clone()]);
    let baseline = Baseline::look(&access, Profile::Cache).await;
    let with = Applying {
        access: &access,
        baseline: &baseline,
        is_rewriting: false,
        stop: &CancellationToken::new(),
        events: &Events::ignored(),
    };
    let applied = applying::apply(&with, &plan, Consent::by_flag()).await;
    let Ended::Stopped { at, why, is_asked } = &applied.ended else {
        panic!("{applied:?}")
    };
    assert_eq!((at, *is_asked), (&plan.steps[1].addr, false));
    for told in [
        "maxmemory-policy 'some'",
        "hz 'often'",
        "--except cpu.hz,memory.policy",
    ] {
        assert!(why.contains(told), "{told}: {why}");
    }
    assert!(applied.changed.is_empty() && applied.put_back.is_empty());
    assert_eq!(configs(&fleet), before);
}
