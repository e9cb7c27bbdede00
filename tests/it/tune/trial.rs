//! Recommendations tried on throw-away copies: what differs shows, and nothing is left behind.

use std::path::Path;
use std::time::Duration;

use goodcache::model::{Events, NodeAddr, Spread, Vendor};
use goodcache::ops::tune::trial::{
    Group, Line, Mix, Overall, Picked, Plan, Shape, Step, Trial, Tried, Type, Verdict, run,
};

use super::configs;
use crate::support::server::default_binary;
use crate::support::{Fleet, Home, until};

const SOON: Duration = Duration::from_secs(60);

/// Hashes of 200 fields: over the limit of 128 up to which a hash lies in one piece, below 512.
fn plan() -> Plan {
    let even = |number| Spread {
        min: number,
        p50: number,
        p95: number,
        max: number,
    };
    let group = Group {
        pattern: "ratings:user:*".into(),
        kind: Type::Hash,
        keys: 500,
        elements: even(200),
        value_bytes: 4,
        longest_bytes: 8,
        is_integer: false,
        expiring_percent: 0,
        expiry_s: 0,
    };
    let shape = Shape {
        groups: vec![group],
        keys_there: 500,
        notes: Vec::new(),
    };
    let line = Line::of("HGET {key} {member}", &shape, 0).unwrap();
    let step = Step {
        name: "HGET".into(),
        weight: 1.0,
        line,
    };
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Plan {
        cluster: "shop".into(),
        picked: Picked {
            node: NodeAddr::new("127.0.0.1", 7001),
            tried: vec![Tried {
                rule: "encodings.hash".into(),
                parameter: "hash-max-listpack-entries".into(),
                present: "128".into(),
                proposed: "512".into(),
                is_at_start: false,
            }],
            left: Vec::new(),
        },
        vendor: Vendor::Redis,
        version: "7.0.15".into(),
        config: [
            setting("hash-max-listpack-entries", "128"),
            setting("maxmemory-policy", "volatile-lru"),
            setting("maxmemory", "200000000"),
            setting("save", ""),
            setting("dir", "/nowhere"),
        ]
        .into(),
        used_bytes: 100_000_000,
        limit_bytes: 200_000_000,
        shape,
        mix: Mix {
            steps: vec![step],
            about: "reads".into(),
        },
    }
}

#[tokio::test]
async fn hashes_in_one_piece_take_less_memory_and_the_trial_says_so() {
    let plan = plan();
    let trial = Trial {
        plan: &plan,
        server: &default_binary(),
        is_server_given: true,
        length: Duration::from_secs(1),
        connections: 4,
        events: &Events::ignored(),
    };
    let report = run(&trial).await.unwrap();
    let memory = report.figures.last().unwrap();
    assert_eq!(memory.figure, "memory_bytes");
    assert_eq!(memory.verdict, Verdict::Better, "{memory:?}");
    assert!(memory.with.max < memory.without.min * 0.7, "{memory:?}");
    // Reads may cost more there; whatever they cost, they were answered.
    assert!([Overall::Better, Overall::Mixed].contains(&report.verdict));
    assert_eq!((report.turns_each, report.turn_ms), (5, 100));
    let speed = &report.figures[0];
    assert!(speed.without.min > 0.0 && speed.with.min > 0.0, "{speed:?}");
    assert_eq!(
        (report.refused_without.count, report.refused_with.count),
        (0, 0)
    );
    assert!(
        report
            .told
            .settings
            .contains(&"maxmemory-policy".to_owned())
    );
    assert!(!report.told.settings.contains(&"dir".to_owned()));
    // The node is half full, and so are the copies.
    let half = report.told.limit_bytes as f64 / memory.without.median;
    assert!((1.7..=2.1).contains(&half), "{half}");
}

/// `tune --profile guide --trial guide.timeout` of that cluster, and more.
fn words<'a>(first: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["tune", first, "--sample", "0s", "--profile", "guide"];
    [&words, more].concat()
}

/// Throw-away servers of that folder: what of them is still there.
fn left(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("goodcache-boot-"))
        .collect()
}

#[test]
fn a_setting_that_changes_nothing_under_load_is_not_said_to_and_nothing_is_left() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let before = configs(&fleet);
    let first = fleet[0].addr();
    let words = words(
        &first,
        &["--trial", "guide.timeout", "--for", "1s", "-o", "json"],
    );
    let tried = home.goodcache(&words).within(SOON).run();
    let trial = tried.expect(0).json()["report"]["trial"].clone();
    assert_eq!(trial["tried"][0]["parameter"], "timeout", "{trial:#}");
    assert_eq!(trial["tried"][0]["proposed"], "300");
    assert_eq!(trial["figures"].as_array().unwrap().len(), 4);
    assert_eq!(trial["figures"][3]["verdict"], "no_difference", "{trial:#}");
    assert_eq!(trial["told"]["notes"].as_array().unwrap().len(), 1);
    assert_eq!(configs(&fleet), before);
    assert_eq!(left(home.path()), Vec::<String>::new());
}

#[test]
fn ctrl_c_takes_the_throw_away_servers_along() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let first = fleet[0].addr();
    let words = words(&first, &["--trial", "guide.timeout", "--for", "60s"]);
    let running = home.goodcache(&words).spawn();
    until("two servers are there", SOON, || {
        left(home.path()).len() == 2
    });
    running.interrupt();
    let stopped = running.wait().expect(130);
    assert_eq!(stopped.stdout, "");
    assert!(
        stopped.stderr.contains("servers are gone"),
        "{}",
        stopped.stderr
    );
    assert_eq!(left(home.path()), Vec::<String>::new());
}

#[test]
fn what_cannot_be_tried_is_refused_before_a_server_is_started() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let first = fleet[0].addr();
    home.file("load", "{\"command\": \"PING\", \"wieght\": 1}\n");
    home.file("lost", "{\"command\": \"GET {key:session:*}\"}\n");
    let timeout = "guide.timeout";
    for (more, code, said) in [
        (
            &["--trial", "guide.timeuot"][..],
            2,
            "did you mean 'guide.timeout'",
        ),
        (&["--trial", timeout, "--for", "10ms"], 2, "too short"),
        (&["--trial", timeout, "--load", "nowhere"], 2, "nowhere"),
        (
            &["--trial", timeout, "--load", "load"],
            2,
            "did you mean 'weight'",
        ),
        (
            &["--trial", timeout, "--load", "lost"],
            2,
            "no family of keys is 'session:*'",
        ),
    ] {
        let refused = home.goodcache(&words(&first, more)).run().expect(code);
        assert!(
            refused.stderr.contains(said),
            "{more:?}: {}",
            refused.stderr
        );
        assert_eq!(refused.stdout, "");
    }
    let base = ["tune", &first, "--sample", "0s", "--profile", "cache"];
    let coverage = [&base[..], &["--trial", "cluster.coverage"]].concat();
    let refused = home.goodcache(&coverage).run().expect(5);
    assert!(
        refused.stderr.contains("the copy is alone"),
        "{}",
        refused.stderr
    );
    let nothing = [&base[..], &["--trial", timeout]].concat();
    let nothing = home.goodcache(&nothing).run().expect(0);
    assert!(
        nothing.stdout.contains("NOTHING TO TRY"),
        "{}",
        nothing.stdout
    );
    assert!(
        nothing.stdout.contains("--profile guide"),
        "{}",
        nothing.stdout
    );
}
