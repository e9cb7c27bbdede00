//! `--every`: one snapshot after another, what no rule keeps removed, until a signal comes.

use goodcache::archive::SnapshotId;

use super::*;
use crate::support::Terminal;

impl Stage {
    fn ids(&self) -> Vec<SnapshotId> {
        run(self.repository().snapshots()).unwrap()
    }
}

fn answers(stdout: &str) -> usize {
    let each = serde_json::Deserializer::from_str(stdout).into_iter::<serde_json::Value>();
    each.map(|answer| assert_eq!(answer.unwrap()["command"], "backup"))
        .count()
}

#[test]
fn snapshots_follow_each_other_are_pruned_and_a_signal_ends_it() {
    let stage = Stage::of(2, 0);
    stage.sow(5);
    stage.backup(&[]).run().expect(0);
    let first = stage.ids();
    let running = stage.backup(&["--every", "1s", "--keep-last", "2"]).spawn();
    // Four are taken until two others have followed on the second and third.
    let mut before = first;
    for _ in 0..2 {
        before = eventually("two new ones are there, and only they", LIMIT, || {
            let ids = stage.ids();
            (ids.len() == 2 && !ids.iter().any(|id| before.contains(id))).then_some(ids)
        });
    }
    signal(running.pid(), "TERM");
    let outcome = running.wait().expect(143);
    assert!(answers(&outcome.stdout) >= 3, "{}", outcome.stdout);
    let told = &outcome.stderr;
    assert!(
        told.contains("removed 1 snapshot that no rule keeps"),
        "{told}"
    );
    assert!(told.contains("the next at 20"), "{told}");
    prove(&stage.repository(), "latest");
    stage.expect_as_before();
}

#[test]
fn one_that_fails_is_told_and_the_next_comes() {
    let stage = Stage::of(1, 0);
    let in_the_way = stage.home.file("repository/notes.txt", "mine");
    let line = format!(
        "exec {} --quiet backup {} --repo repository --every 100ms 2> told",
        env!("CARGO_BIN_EXE_goodcache"),
        stage.fleet[0].addr()
    );
    let running = stage.home.program("sh", &["-c", &line]).spawn();
    let told = || fs::read_to_string(stage.home.path().join("told")).unwrap_or_default();
    until("two have failed", LIMIT, || {
        told().matches("next: ").count() >= 2
    });
    fs::remove_file(in_the_way).unwrap();
    until("one is taken", LIMIT, || {
        stage.folder().join("snapshots").exists() && !stage.ids().is_empty()
    });
    running.interrupt();
    running.wait().expect(130);
    assert!(told().contains("goodcache: "), "{}", told());
    stage.expect_as_before();
}

#[test]
fn rules_without_an_interval_remove_nothing() {
    let stage = Stage::of(1, 0);
    let outcome = stage.backup(&["--keep-last", "1"]).run().expect(2);
    assert!(outcome.stderr.contains("--every 24h"), "{}", outcome.stderr);
    assert!(!stage.folder().exists());
}

#[test]
fn a_passphrase_that_is_typed_is_asked_for_once() {
    let stage = Stage::of(1, 0);
    stage.sow(5);
    let typed = "typed-once";
    let sealed = |folder: &str| {
        let args = ["--also", folder];
        let backup = stage.backup(&args);
        backup.env("GOODCACHE_PASSPHRASE", typed).run().expect(0);
    };
    let second = stage.home.path().join("second").display().to_string();
    sealed(&second);
    let home = format!("HOME={}", stage.home.path().display());
    let folder = stage.folder().display().to_string();
    let addr = stage.fleet[0].addr();
    let mut args = vec![home.as_str(), env!("CARGO_BIN_EXE_goodcache"), "backup"];
    args.extend([&addr, "--repo", &folder, "--also", &second]);
    args.extend(["--every", "100ms", "-o", "json"]);
    let mut terminal = Terminal::run("env", &args);
    terminal.wait_for("passphrase for ");
    terminal.types(&format!("{typed}\n"));
    until("three more are taken", LIMIT, || {
        terminal.shown().matches(r#""command": "backup""#).count() >= 3
    });
    signal(terminal.pid(), "INT");
    assert_eq!(terminal.wait(), 130);
    let shown = terminal.shown();
    assert_eq!(shown.matches("passphrase for ").count(), 1, "{shown}");
    assert!(!shown.contains(typed), "{shown}");
    let there = run(open(Path::new(&second), Some(typed)).snapshots()).unwrap();
    assert!(there.len() >= 3, "{}", there.len());
}
