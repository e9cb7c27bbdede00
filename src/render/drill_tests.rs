//! What a drill's answer looks like, by snapshot; what must hold of any, by assertion.

use super::drill_samples::{TAKEN_AT, failed, graceful, hostile, many, ops, passed};
use super::*;
use crate::ops::failover::{Report, Verdict};

const VERBOSE: Detail = Detail { is_verbose: true };

fn told(report: &Report, width: Option<usize>, detail: Detail) -> String {
    let look = Look {
        width,
        colour: false,
    };
    terminal::text(&failover(report, detail), look)
}

fn short(report: &Report, width: usize) -> String {
    told(report, Some(width), Detail::default())
}

#[test]
fn a_drill_that_passed() {
    let (report, _) = passed();
    for width in [40, 80, 140] {
        insta::assert_snapshot!(format!("passed_{width}"), short(&report, width));
    }
    insta::assert_snapshot!("passed_verbose", told(&report, None, VERBOSE));
}

#[test]
fn a_drill_that_failed() {
    let (report, _) = failed();
    for width in [40, 80, 140] {
        insta::assert_snapshot!(format!("failed_{width}"), short(&report, width));
    }
    insta::assert_snapshot!(
        "failed_markdown",
        markdown::text(&failover(&report, Detail::default()))
    );
}

#[test]
fn twenty_rounds_stay_readable() {
    let (report, _) = many();
    let text = short(&report, 80);
    assert!(text.lines().count() <= 90, "{text}");
    insta::assert_snapshot!("many_80", text);
}

#[test]
fn a_handover() {
    insta::assert_snapshot!("graceful_80", short(&graceful().0, 80));
}

#[test]
fn what_could_not_be_told_opens_the_answer_and_a_next_step_follows() {
    let (mut report, _) = passed();
    report.verdict = Verdict::Unknown;
    report.reasons = vec!["round 1: 4 keys could not be read back".to_owned()];
    report.next = vec!["lower --rate".to_owned()];
    let text = short(&report, 80);
    let first = "goodbooks: UNKNOWN — kill of the master of shard 1: round 1: 4 keys could not";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("\nnext: lower --rate\n"), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (report, _) in [passed(), failed(), many(), graceful()] {
        for width in [60, 80, 100, 140] {
            for line in short(&report, width).lines() {
                assert!(plain::width(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn what_was_allowed_stands_beside_what_was_measured_at_60_columns() {
    let (mut report, _) = passed();
    report.budgets[0].measured = "after 3.77 s: 127.0.0.1:7004, by epoch 8".to_owned();
    report.budgets[0].limit = "a new master".to_owned();
    let text = short(&report, 60);
    for part in ["LIMIT", "a new master  after 3.77 s:…  passed"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn for_ci() {
    insta::assert_snapshot!("passed_junit", drill_junit(&passed().0).unwrap());
    insta::assert_snapshot!("failed_junit", drill_junit(&failed().0).unwrap());
}

/// Whatever did not pass must not be green, even where no budget says so.
#[test]
fn junit_fails_whenever_the_drill_does() {
    let (mut report, _) = passed();
    assert!(
        drill_junit(&report)
            .unwrap()
            .contains("failures=\"0\" errors=\"0\"")
    );
    report.verdict = Verdict::Failed;
    assert!(
        drill_junit(&report)
            .unwrap()
            .contains("failures=\"1\" errors=\"0\"")
    );
    report.verdict = Verdict::Unknown;
    assert!(
        drill_junit(&report)
            .unwrap()
            .contains("failures=\"0\" errors=\"1\"")
    );
    report.budgets.clear();
    report.verdict = Verdict::Passed;
    assert!(drill_junit(&report).unwrap().contains("tests=\"1\""));
}

/// Keys are only ever added: a key that goes from here breaks somebody's script.
#[test]
fn the_keys_of_a_drills_json() {
    let json = json::envelope("failover-test", Some(TAKEN_AT), &failed().0);
    let version = env!("CARGO_PKG_VERSION");
    insta::assert_snapshot!("failed_json", json.replace(version, "VERSION"));
}

#[test]
fn hostile_names_act_on_nothing() {
    let (report, _) = hostile();
    let pages = [
        short(&report, 80),
        told(&report, None, VERBOSE),
        markdown::text(&failover(&report, VERBOSE)),
        drill_junit(&report).unwrap(),
        json::envelope("failover-test", None, &report),
    ];
    for page in &pages {
        let acting = page.chars().find(|c| *c != '\n' && plain::is_acting(*c));
        assert_eq!(acting, None, "{page}");
    }
    for page in &pages[2..4] {
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
    }
}

/// Tags that stand open at the end, or close what is not open; `<style>` holds no tags.
fn badly_nested(page: &str) -> Vec<String> {
    let (mut open, mut faults): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("{part}"));
        let name = tag.split([' ', '/']).find(|name| !name.is_empty());
        let name = name.unwrap_or_default().to_owned();
        if tag.starts_with('/') {
            if open.last() == Some(&name) {
                open.pop();
            } else {
                faults.push(format!("</{name}> in {open:?}"));
            }
        } else if !tag.ends_with('/') && !["!DOCTYPE", "meta", "br"].contains(&name.as_str()) {
            open.push(name);
        }
    }
    faults.extend(open);
    faults
}

/// With a directory in DRILL_PAGES the pages are left there, to be looked at.
#[test]
fn the_page_stands_alone() {
    for (name, (report, recording)) in [
        ("passed", passed()),
        ("failed", failed()),
        ("many", many()),
        ("graceful", graceful()),
        ("hostile", hostile()),
    ] {
        let page = drill_page(&report, &recording);
        if let Ok(dir) = std::env::var("DRILL_PAGES") {
            std::fs::write(format!("{dir}/{name}.html"), &page).unwrap();
        }
        assert_eq!(badly_nested(&page), [""; 0], "{name}");
        for part in [
            "<script", "http", "src=\"", "href", "<img", "url(//", "@import",
        ] {
            assert!(!page.contains(part), "{name}: {part}");
        }
        let acting = page.chars().find(|c| *c != '\n' && plain::is_acting(*c));
        assert_eq!(acting, None, "{name}");
        assert_eq!(page.matches("<title>").count(), 1);
        assert!(page.contains("<meta charset=\"utf-8\">"));
        assert!(page.len() < 1_000_000, "{name}: {} bytes", page.len());
    }
}

#[test]
fn the_page_of_many_operations_stays_small() {
    let (report, mut recording) = many();
    for round in &mut recording.rounds {
        for trace in &mut round.traces {
            trace.writes = ops(trace.shard as u64, 8000.0, Some((2050.0, 4400.0)), 0.5);
            trace.witness = trace.writes.clone();
            // Every other one fails.
            for op in trace.witness.iter_mut().step_by(40) {
                op.outcome = crate::model::Outcome::Timeout;
            }
        }
    }
    let total: usize = recording
        .rounds
        .iter()
        .map(|r| r.traces[0].writes.len())
        .sum();
    assert!(total > 100_000);
    let page = drill_page(&report, &recording);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

/// What colours say stands there in words as well.
#[test]
fn the_page_says_what_it_shows() {
    let (report, recording) = failed();
    let page = drill_page(&report, &recording);
    for part in [
        "✗ FAILED",
        "<title>goodbooks: FAILED - isolate-peers of the master of shard 1</title>",
        "412 acknowledged writes are gone",
        ">struck</text>",
        ">fault: isolate-peers</text>",
        ">promoted +12.3 s</text>",
        ">no writes 12.4 s</text>",
        ">no writes to the end</text>",
        ">CLUSTERDOWN</text>",
        ">9.70 s, longer than 505 ms - 1.15 s</text>",
        ">not seen, 1.00 s - 1.60 s expected</text>",
        "<dt>comparison</dt>",
        "recorded by goodcache 0.1.0 at 2026-11-22T22:00:00.042Z",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

/// A report whose recording is gone or says nothing still makes a page.
#[test]
fn a_page_without_a_recording() {
    let (mut report, _) = passed();
    let page = drill_page(&report, &crate::model::Recording::default());
    assert_eq!(badly_nested(&page), [""; 0]);
    report.rounds.clear();
    report.outages.clear();
    report.terms.clear();
    let page = drill_page(&report, &crate::model::Recording::default());
    assert_eq!(badly_nested(&page), [""; 0]);
}
