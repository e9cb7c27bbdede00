//! What the formats look like, by snapshot; what must hold of any of them, by assertion.

use std::collections::BTreeMap;

use super::samples::{addr, broken, finding, hostile, sound};
use super::*;
use crate::model::{NodeAddr, Role, Severity, Subject};
use crate::ops::check::{Change, Report};

const VERBOSE: Detail = Detail { is_verbose: true };

fn page(report: &Report, width: Option<usize>) -> String {
    let look = Look {
        width,
        colour: false,
    };
    terminal::text(&check(report, Detail::default()), look)
}

#[test]
fn a_sound_cluster() {
    insta::assert_snapshot!("sound_140", page(&sound(), Some(140)));
    insta::assert_snapshot!("sound_80", page(&sound(), Some(80)));
    insta::assert_snapshot!("sound_40", page(&sound(), Some(40)));
}

#[test]
fn a_broken_cluster() {
    insta::assert_snapshot!("broken_140", page(&broken(), Some(140)));
    insta::assert_snapshot!("broken_80", page(&broken(), Some(80)));
    let look = Look {
        width: Some(140),
        colour: false,
    };
    insta::assert_snapshot!(
        "broken_verbose",
        terminal::text(&check(&broken(), VERBOSE), look)
    );
    insta::assert_snapshot!(
        "broken_markdown",
        markdown::text(&check(&broken(), Detail::default()))
    );
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for report in [sound(), broken()] {
        for width in [60, 80, 100, 120, 140] {
            for line in page(&report, Some(width)).lines() {
                let is_command = line.trim_start().starts_with("next: goodcache");
                assert!(is_command || plain::width(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_escapes() {
    let look = Look {
        width: Some(100),
        colour: true,
    };
    let painted = terminal::text(&check(&broken(), Detail::default()), look);
    assert!(
        painted.contains("\u{1b}[1;31mCRITICAL\u{1b}[0m"),
        "{painted:?}"
    );
    let mut bare = String::new();
    let mut parts = painted.split('\u{1b}');
    bare.push_str(parts.next().unwrap());
    for part in parts {
        bare.push_str(part.split_once('m').unwrap().1);
    }
    let bare: Vec<&str> = bare.lines().map(str::trim_end).collect();
    let plain = page(&broken(), Some(100));
    assert_eq!(bare, plain.lines().collect::<Vec<_>>());
}

#[test]
fn hostile_names_act_on_nothing() {
    let doc = check(&hostile(), VERBOSE);
    let (nagios, _) = nagios(&hostile());
    let mut pages = vec![
        terminal::text(
            &doc,
            Look {
                width: Some(80),
                colour: false,
            },
        ),
        terminal::text(&doc, Look::default()),
        markdown::text(&doc),
        nagios.clone(),
        prometheus(&hostile(), None),
        junit(&hostile(), &[], None).unwrap(),
        json::envelope("check", None, &hostile()),
    ];
    for page in &pages {
        let acting = page.chars().find(|c| *c != '\n' && plain::is_acting(*c));
        assert_eq!(acting, None, "{page}");
    }
    assert_eq!(nagios.matches('|').count(), 1, "{nagios}");
    let markdown = pages.swap_remove(2);
    assert!(!markdown.contains("<img"), "{markdown}");
    let table = markdown
        .lines()
        .skip_while(|line| !line.starts_with("| SHARD | ROLE"));
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let counts: Vec<usize> = table
        .take_while(|line| !line.is_empty())
        .map(bars)
        .collect();
    assert!(counts.iter().all(|n| *n == counts[0]), "{markdown}");
}

#[test]
fn what_is_said_to_other_programs() {
    let (text, code) = nagios(&broken());
    insta::assert_snapshot!("broken_nagios", text);
    assert_eq!(code, 2);
    assert_eq!(nagios(&sound()).1, 0);
    insta::assert_snapshot!(
        "broken_prometheus",
        prometheus(&broken(), Some(1_795_384_800_042))
    );
    let codes = ["slots.unserved", "slots.open", "errors.rate"];
    let xml = junit(&broken(), &codes, Some(Severity::Critical)).unwrap();
    insta::assert_snapshot!("broken_junit", xml);
}

/// Keys are only ever added: a key that goes from here breaks somebody's script.
#[test]
fn the_keys_of_the_json() {
    let json = json::envelope("check", Some(1_795_384_800_042), &broken());
    let version = env!("CARGO_PKG_VERSION");
    insta::assert_snapshot!("broken_json", json.replace(version, "VERSION"));
}

#[test]
fn junit_fails_what_fails_the_run() {
    for (fail_on, failures) in [
        (None, 0),
        (Some(Severity::Critical), 2),
        (Some(Severity::Warning), 4),
    ] {
        let xml = junit(&broken(), &[], fail_on).unwrap();
        assert!(
            xml.contains(&format!("failures=\"{failures}\"")),
            "{fail_on:?}: {xml}"
        );
    }
}

/// Reads the exposition format: each name's HELP and TYPE come once and before its samples, each
/// series once, each value a number.
#[test]
fn prometheus_reads_its_format() {
    for report in [sound(), broken(), hostile()] {
        let text = prometheus(&report, Some(1));
        let mut typed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut series = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(kind, "gauge");
                assert_eq!(typed.insert(name, 0), None, "{name} twice");
            } else if !line.starts_with("# HELP ") {
                let (name, rest) = line.split_once('{').unwrap();
                let (labels, value) = rest.rsplit_once("} ").unwrap();
                value.parse::<f64>().unwrap();
                *typed.get_mut(name).unwrap() += 1;
                assert!(series.insert((name, labels)), "{line} twice");
                assert!(labels_are_sound(labels), "{labels}");
            }
        }
        assert!(typed.values().all(|samples| *samples > 0), "{typed:?}");
    }
}

fn labels_are_sound(mut rest: &str) -> bool {
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once("=\"") else {
            return false;
        };
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next() {
                Some((_, '\\')) => drop(chars.next()),
                Some((at, '"')) => break at,
                Some(_) => {}
                None => return false,
            }
        };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return false;
        }
        rest = after[end + 1..].trim_start_matches(',');
    }
    true
}

#[test]
fn a_report_survives_json() {
    for report in [sound(), broken(), hostile()] {
        let text = json::envelope("check", Some(1), &report);
        assert_eq!(json::open::<Report>("check", &text).unwrap(), report);
    }
}

/// 10.0.0.5 takes the place of 10.0.0.2, which comes back as its replica.
fn failed_over() -> Report {
    let mut report = sound();
    let slots = "5461-10922".to_owned();
    for node in &mut report.nodes {
        match node.addr.as_ref().map(|a| a.host.as_str()) {
            Some("10.0.0.2") => {
                (node.role, node.master) = (Role::Replica, Some(addr(5)));
                (node.slots, node.slot_count) = (String::new(), 0);
            }
            Some("10.0.0.5") => {
                (node.role, node.master) = (Role::Master, None);
                (node.slots, node.slot_count) = (slots.clone(), 5462);
            }
            _ => {}
        }
    }
    report
}

#[test]
fn a_failover_is_one_change() {
    let found = crate::ops::check::changes(&sound(), &failed_over());
    let expected = Change::RoleSwap {
        promoted: "10.0.0.5:6379".to_owned(),
        demoted: "10.0.0.2:6379".to_owned(),
        demoted_is: "replica".to_owned(),
    };
    assert_eq!(found, [expected]);
    assert_eq!(crate::ops::check::changes(&sound(), &sound()), []);
}

#[test]
fn a_failover_away_from_a_dead_master_tells_of_the_death_too() {
    let mut after = failed_over();
    let dead = after
        .nodes
        .iter_mut()
        .find(|n| n.addr == Some(addr(2)))
        .unwrap();
    (dead.role, dead.master, dead.state) = (Role::Master, None, "fail".to_owned());
    let found = crate::ops::check::changes(&sound(), &after);
    let swaps = found
        .iter()
        .filter(|c| matches!(c, Change::RoleSwap { .. }));
    assert_eq!((swaps.count(), found.len()), (1, 2), "{found:?}");
}

#[test]
fn other_changes_are_each_told() {
    let mut after = broken();
    let gone = after
        .nodes
        .iter()
        .position(|n| n.addr == Some(addr(4)))
        .unwrap();
    let mut new = after.nodes.remove(gone);
    (new.id, new.addr) = (
        "a".repeat(40).parse().ok(),
        Some(NodeAddr::new("::1", 7007)),
    );
    after.nodes.push(new);
    let first = after
        .nodes
        .iter_mut()
        .find(|n| n.addr == Some(addr(1)))
        .unwrap();
    first.slots = "100-5460".to_owned();
    let third = after
        .nodes
        .iter_mut()
        .find(|n| n.addr == Some(addr(3)))
        .unwrap();
    third.slots = "0-49 10923-16383".to_owned();
    let mut before = sound();
    let node = Subject::Node(addr(6).to_string());
    before.findings = vec![
        finding(
            "replica.lag",
            Severity::Critical,
            node.clone(),
            "far behind",
        ),
        finding(
            "slots.open",
            Severity::Warning,
            Subject::Cluster("x".to_owned()),
            "open",
        ),
    ];
    let found = crate::ops::check::changes(&before, &after);
    let look = Look {
        width: Some(100),
        colour: false,
    };
    insta::assert_snapshot!("changes", terminal::text(&changes(&found), look));
}
