//! The answers: recorded drills judged again, by other budgets and against each other; every format.

use super::*;

#[test]
fn a_recorded_drill_is_judged_again_by_other_budgets() {
    let cluster = Drilled::of(1);
    let file = |name: &str| {
        cluster
            .home
            .path()
            .join(name)
            .to_string_lossy()
            .into_owned()
    };
    let (record, junit, page) = (file("drill.json"), file("drill.xml"), file("drill.html"));
    let args = ["--record", &record, "--junit", &junit, "--report", &page];
    let first = cluster.run(&args).expect(0);
    let journal = cluster.journal();
    let state = journal.ancestors().nth(2).unwrap();
    let kept = state.join(format!("reports/{NAME}.report.json"));
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept["report"], report(&first), "the last drill is kept");
    let again = ["failover-test", "--from", &record, "-o", "json"];
    let again = cluster.home.goodcache(&again).run().expect(0);
    assert_eq!(report(&first), report(&again));
    let strict = [
        "failover-test",
        "--from",
        &record,
        "--max-outage",
        "100ms",
        "-o",
        "json",
    ];
    let strict = cluster.home.goodcache(&strict).run().expect(3);
    assert_eq!(report(&strict)["verdict"], "failed");
    let compared = [
        "failover-test",
        "--from",
        &record,
        "--compare",
        &record,
        "-o",
        "json",
    ];
    let compared = report(&cluster.home.goodcache(&compared).run().expect(4));
    assert_eq!(compared["comparison"]["is_slower"], false, "{compared:#}");
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(read(&junit).contains("<testsuites"));
    assert!(read(&page).contains("<svg"));
    for format in ["table", "markdown", "junit"] {
        let args = ["failover-test", "--from", &record, "-o", format];
        let told = cluster.home.goodcache(&args).run().expect(0);
        assert!(
            told.stdout.contains("outage") || told.stdout.contains("OUTAGE"),
            "{}",
            told.stdout
        );
        assert!(!told.stdout.contains('\x1b'));
    }
}

#[test]
fn a_scenario_is_done_step_by_step_with_budgets_of_its_own() {
    let cluster = Drilled::of(1);
    let scenario = cluster.home.file(
        "drill.yaml",
        "name: friday
budgets: {max_outage: 6s}
steps:
  - {name: handing over, fault: failover, shard: 1, budgets: {max_outage: 800ms}}
  - {name: a crash, fault: kill, shard: 2}
  - {name: a lost replica, fault: kill, role: replica, shard: 3, down_for: 1s, budgets: {max_outage: 1ms}}
",
    );
    let scenario = scenario.to_str().unwrap();
    let outcome = cluster.run(&["--scenario", scenario]);
    let report = report(&outcome);
    assert_eq!(report["rounds"].as_array().unwrap().len(), 3, "{report:#}");
    let limits: Vec<&str> = report["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["budget"] == "max_outage" && line["shard"] == 2)
        .filter_map(|line| line["limit"].as_str())
        .collect();
    assert_eq!(limits.len(), 3, "{report:#}");
    assert_ne!(limits[0], limits[1], "{report:#}");
    assert_eq!(report["scenario"], "friday", "{report:#}");
    let steps: std::collections::BTreeSet<&str> = report["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["step"].as_str().unwrap())
        .collect();
    let named = ["a crash", "a lost replica", "handing over"];
    assert_eq!(Vec::from_iter(steps), named, "{report:#}");
    let planned = ["failover-test", NAME, "--scenario", scenario, "--dry-run"];
    let planned = cluster.home.goodcache(&planned).run().expect(0);
    assert!(
        planned.stdout.contains("a lost replica") && planned.stdout.contains("friday: 3 faults"),
        "{}",
        planned.stdout
    );
    cluster.expect_whole();
}

#[test]
fn a_dry_run_shows_what_will_be_broken_and_what_survives() {
    let cluster = Drilled::of(1);
    let table = ["failover-test", NAME, "--all-shards", "--dry-run"];
    let table = cluster.home.goodcache(&table).run().expect(0).stdout;
    assert!(table.contains("takes over shard 3"), "{table}");
    assert!(table.contains("2 of 3 masters are left"), "{table}");
    let json = [
        "failover-test",
        NAME,
        "--random",
        "--seed",
        "7",
        "--dry-run",
        "-o",
        "json",
    ];
    let once = cluster.home.goodcache(&json).run().expect(0);
    let twice = cluster.home.goodcache(&json).run().expect(0);
    let steps = |outcome: &Outcome| outcome.json()["plan"]["steps"][0]["targets"].clone();
    assert_eq!(steps(&once), steps(&twice));
    assert!(!cluster.is_broken());
}

#[test]
fn an_answer_is_no_recording_and_neither_is_a_file_that_is_not_there() {
    let home = Home::new();
    let answer = "{\"schema\": 1, \"command\": \"failover-test\", \"report\": {}}";
    home.file("answer.json", answer);
    for (args, why) in [
        (
            ["--from", "answer.json"],
            "an answer (-o json), not a recording",
        ),
        (["--from", "none.json"], "No such file"),
        (
            ["--compare", "answer.json"],
            "an answer (-o json), not a recording",
        ),
    ] {
        let run = ["failover-test", "127.0.0.1:1"].into_iter();
        let run = run.take(if args[0] == "--from" { 1 } else { 2 });
        let args: Vec<&str> = run.chain(args).collect();
        let told = home.goodcache(&args).run().expect(1).stderr;
        assert!(told.contains(why), "{told}");
        assert!(told.contains("next: record a drill with"), "{told}");
    }
}

#[test]
fn a_record_that_nobody_made_is_an_error() {
    let home = Home::new();
    let file = home.file("x.json", "{\"schema\": 1, \"drill\": 5}");
    let args = ["failover-test", "--from", file.to_str().unwrap()];
    let outcome = home.goodcache(&args).run().expect(1);
    assert!(outcome.stderr.contains("--record"), "{}", outcome.stderr);
}
