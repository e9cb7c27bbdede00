//! `--every`: one snapshot after another, what no rule keeps removed, until a signal comes.

use goodcache::archive::SnapshotId;

use super::*;

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
