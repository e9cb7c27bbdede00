//! The forms in which check answers, its exit codes and its streams.

use std::process::{Command, Stdio};

use super::{check, in_home, looking};
use crate::support::{Fleet, Home, Server, goodcache};

const KEYS: &[&str] = &[
    "health", "cluster", "nodes", "shards", "findings", "skipped",
];

#[test]
fn every_format_is_whole_and_plain_in_a_pipe() {
    let fleet = Fleet::cluster(3, 1);
    let run = |format: &str| looking(&fleet, &["-o", format]).run();
    let formats = ["table", "markdown", "json", "prometheus", "nagios", "junit"];
    for format in formats {
        let outcome = run(format);
        // A cluster without memory limits is a warning to a monitoring plugin.
        assert_eq!(
            outcome.code,
            i32::from(format == "nagios"),
            "{format}: {}",
            outcome.stderr
        );
        assert!(outcome.stdout.ends_with('\n'), "{format}");
        assert!(!outcome.stdout.contains('\x1b'), "{format}");
        assert!(
            !outcome.stderr.contains('\x1b'),
            "{format}: {}",
            outcome.stderr
        );
    }
    let json = run("json").json();
    assert_eq!(
        (&json["schema"], &json["command"]),
        (&1.into(), &"check".into())
    );
    assert!(json["taken_at"].as_str().unwrap().ends_with('Z'));
    for key in KEYS {
        assert!(!json["report"][key].is_null(), "{key}");
    }
    let finding = &json["report"]["findings"][0];
    assert!(finding["subject"]["kind"].is_string() && finding["subject"]["name"].is_string());

    let metrics = run("prometheus").stdout;
    let mut samples = metrics.lines().filter(|line| !line.starts_with('#'));
    assert!(samples.all(|line| {
        let value = line.rsplit(' ').next().unwrap();
        line.starts_with("goodcache_") && value.parse::<f64>().is_ok()
    }));
    let plugin = run("nagios").stdout;
    assert!(
        plugin.starts_with("WARNING - ") && plugin.contains('|'),
        "{plugin}"
    );
    let junit = run("junit").stdout;
    assert!(
        junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"),
        "{junit}"
    );
    is_well_formed(&junit);
    assert!(
        junit.contains("slots.uncovered"),
        "a code that was asked is a test case"
    );
}

/// Every tag that opens closes, in order.
fn is_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in xml
        .split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
    {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.starts_with(['?', '!']) || tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let fleet = Fleet::cluster(3, 0);
    let command = format!(
        "{} check {} -v --sample 0s | head -n 1",
        env!("CARGO_BIN_EXE_goodcache"),
        fleet[0].addr()
    );
    let out = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {command}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        !said.contains("panicked") && !said.to_lowercase().contains("pipe"),
        "{said}"
    );
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 1);
}

#[test]
fn severities_decide_the_exit_code_and_settings_decide_severities() {
    let fleet = Fleet::cluster(3, 0);
    let seed = fleet[0].addr();
    let home = Home::new();
    // Without replicas and limits there are warnings, and nothing worse.
    for (limit, code) in [("critical", 0), ("warning", 3), ("never", 0)] {
        assert_eq!(
            in_home(&home, &seed, &["--fail-on", limit]).code,
            code,
            "{limit}"
        );
    }
    let durable = in_home(&home, &seed, &["--profile", "durable"]);
    durable.expect("persistence.none", "critical", "");
    assert_eq!(durable.code, 3);
    let cache = in_home(&home, &seed, &["--profile", "cache"]);
    cache.expect_none("persistence.none").expect_critical(&[]);

    home.file(
        "goodcache.yaml",
        "check:\n  thresholds:\n    memory.unlimited: {severity: off}\n    shard.no_replica: {severity: critical}\n",
    );
    let set = in_home(&home, &seed, &[]);
    set.expect_none("memory.unlimited")
        .expect_critical(&["shard.no_replica"]);
    home.file(
        "goodcache.yaml",
        "check:\n  thresholds:\n    shard.no_replicas: {severity: off}\n",
    );
    let typo = home.goodcache(&["check", &seed]).run().expect(2);
    assert!(typo.stderr.contains("shard.no_replica"), "{}", typo.stderr);
    assert_eq!(typo.stdout, "");
}

#[test]
fn where_nothing_answers_there_is_no_answer() {
    let port = crate::support::free_ports(1);
    let dead = format!("127.0.0.1:{port}");
    for format in ["table", "json", "junit", "prometheus", "markdown"] {
        let outcome = goodcache(&["check", &dead, "-o", format]).run().expect(4);
        assert_eq!(outcome.stdout, "", "{format}");
        assert!(outcome.stderr.contains(&dead), "{}", outcome.stderr);
    }
    let plugin = goodcache(&["check", &dead, "-o", "nagios"]).run().expect(3);
    assert!(plugin.stdout.starts_with("UNKNOWN - "), "{}", plugin.stdout);
}

#[test]
fn one_seed_that_answers_is_enough() {
    let fleet = Fleet::cluster(3, 0);
    let dead = format!("127.0.0.1:{}", crate::support::free_ports(1));
    for n in 0..3 {
        let seed = fleet[n].addr();
        let outcome = goodcache(&["check", &dead, &seed, "--sample", "0s", "-o", "json"]).run();
        let report = &outcome.json()["report"];
        assert_eq!(report["cluster"]["nodes_answering"], 3);
        assert_eq!(report["cluster"]["slots_served"], 16_384);
    }
}

#[test]
fn a_cluster_without_slots_at_an_ipv6_address() {
    let server = Server::start_with(crate::support::Spec::with_args(&[
        "--bind",
        "127.0.0.1",
        "::1",
    ]));
    for seed in [
        format!("[::1]:{}", server.port()),
        format!("::1:{}", server.port()),
    ] {
        let answer = in_home(&Home::new(), &seed, &[]);
        let bare = answer.expect("slots.uncovered", "critical", "");
        assert!(
            bare["summary"].as_str().unwrap().contains("no slot"),
            "{bare:#}"
        );
        answer.expect_critical(&["cluster.state", "slots.uncovered"]);
        assert_eq!(answer.report["cluster"]["slots_covered"], 0);
    }
}

#[test]
fn a_file_that_is_not_there_is_told_before_a_cluster_is_asked() {
    let missing = goodcache(&["check", "127.0.0.1:1", "--against", "missing.json"])
        .run()
        .expect(1);
    assert!(
        missing.stderr.contains("missing.json"),
        "{}",
        missing.stderr
    );
    assert_eq!(missing.stdout, "");
}

#[test]
fn a_code_is_explained_and_a_typo_named() {
    let told = goodcache(&["check", "--explain", "slots.uncovered"])
        .run()
        .expect(0);
    for words in ["slots.uncovered", "CLUSTER ADDSLOTSRANGE"] {
        assert!(told.stdout.contains(words), "{}", told.stdout);
    }
    let typo = goodcache(&["check", "--explain", "slots.uncoverd"])
        .run()
        .expect(2);
    assert!(typo.stderr.contains("slots.uncovered"), "{}", typo.stderr);
    assert_eq!(typo.stdout, "");
}

#[test]
fn the_table_says_first_what_is_wrong_and_says_it_once() {
    let mut fleet = Fleet::cluster(3, 1);
    let sound = looking(&fleet, &["-o", "table", "--sample", "1s"])
        .run()
        .stdout;
    let skips = sound
        .lines()
        .filter(|line| line.contains("skipped"))
        .collect::<Vec<_>>();
    assert_eq!(skips.len(), 1, "{sound}");
    assert!(!sound.contains("times)"), "{sound}");
    fleet[3].kill();
    let text = looking(&fleet, &["-o", "table"]).run().stdout;
    let at = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("no '{words}' in\n{text}"))
    };
    assert!(at("CRITICAL") < at("node.down"));
    assert!(at("node.down") < at("SHARD"), "{text}");
    let addr = fleet[3].addr();
    assert_eq!(
        check(&fleet, &[]).expect("node.down", "critical", &addr)["subject"]["kind"],
        "node"
    );
}
