//! Surveys that are saved and judged again, what changed since, watching and waiting.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{in_home, looking};
use crate::support::{Fleet, Home, goodcache, signal, until};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_saved_survey_gives_the_same_findings_and_shows_a_failover() {
    let fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let seed = fleet[5].addr();
    let before = in_home(&home, &seed, &["--save-survey", "before.json"]);
    let again = home
        .goodcache(&["check", "--from", "before.json", "-o", "json"])
        .run();
    assert_eq!(again.code, before.code);
    assert_eq!(
        again.json()["report"]["findings"],
        before.report["findings"]
    );
    let answer = home.goodcache(&super::args(&seed, &[])).run();
    home.file("answer.json", &answer.stdout);

    assert_eq!(fleet[3].cli(&["CLUSTER", "FAILOVER"]), "OK");
    until("the roles are swapped", SOON, || {
        fleet.iter().all(|server| {
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            let line = nodes
                .lines()
                .find(|line| line.starts_with(&fleet[0].id()))
                .unwrap();
            line.contains("slave") && line.contains(&fleet[3].id())
        })
    });
    fleet.wait_usable(3);
    for file in ["before.json", "answer.json"] {
        let outcome = home
            .goodcache(&super::args(&seed, &["--against", file]))
            .run();
        let changes = outcome.json()["report"]["changes"].clone();
        let kept: Vec<_> = (changes.as_array().unwrap().iter())
            .filter(|change| {
                !change["code"]
                    .as_str()
                    .is_some_and(|code| code.starts_with("latency."))
            })
            .filter(|change| change["kind"] != "health")
            .collect();
        assert_eq!(kept.len(), 1, "{file}: {changes:#}");
        assert_eq!(kept[0]["kind"], "role_swap");
        assert_eq!(kept[0]["promoted"], fleet[3].addr());
        assert_eq!(kept[0]["demoted"], fleet[0].addr());
    }
    let table = home
        .goodcache(&["check", &seed, "--sample", "0s", "--against", "before.json"])
        .run();
    assert!(table.stdout.contains("failover:"), "{}", table.stdout);

    let bad = home
        .goodcache(&["check", &seed, "--against", "missing.json"])
        .run()
        .expect(1);
    assert_eq!(bad.stdout, "");
    home.file("nonsense.json", "{}");
    let bad = home
        .goodcache(&["check", "--from", "nonsense.json"])
        .run()
        .expect(2);
    assert!(bad.stderr.contains("--save-survey"), "{}", bad.stderr);
}

#[test]
fn watching_into_a_pipe_tells_changes_only_and_ends_at_ctrl_c() {
    let mut fleet = Fleet::cluster(3, 1);
    let mut child = Command::new(env!("CARGO_BIN_EXE_goodcache"))
        .args(["check", &fleet[5].addr(), "--watch=300ms", "--sample", "0s"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |words: &str| loop {
        let line = lines.next().expect("an answer that goes on").unwrap();
        if line.contains(words) {
            return line;
        }
    };
    next("checks skipped");
    let addr = fleet[3].addr();
    fleet[3].kill();
    let line = next("node.down");
    assert!(
        line.contains(&addr) && line.contains("new critical"),
        "{line}"
    );
    signal(child.id(), "INT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
}

#[test]
fn waiting_ends_with_the_recovery_or_with_the_patience() {
    let fleet = Fleet::cluster(3, 1);
    fleet[3].pause();
    let wait = |patience: &str| {
        let more = [
            "--wait",
            "healthy",
            "--timeout",
            patience,
            "--deadline",
            "300ms",
        ];
        looking(&fleet, &more)
    };
    let vain = wait("1s").run().expect(3);
    assert!(vain.elapsed < Duration::from_secs(8), "{:?}", vain.elapsed);
    assert!(vain.stdout.contains("node.down"), "{}", vain.stdout);
    assert!(vain.stderr.contains("not healthy after"), "{}", vain.stderr);
    let running = wait("60s").spawn();
    std::thread::sleep(Duration::from_millis(500));
    fleet[3].resume();
    fleet.wait_usable(3);
    let recovered = Instant::now();
    running.wait().expect(0);
    assert!(
        recovered.elapsed() < Duration::from_secs(5),
        "{:?}",
        recovered.elapsed()
    );
}

#[test]
fn waiting_for_a_cluster_that_is_not_there_yet_goes_on() {
    let dead = format!("127.0.0.1:{}", crate::support::free_ports(1));
    let vain = goodcache(&["check", &dead, "--wait", "healthy", "--timeout", "500ms"]).run();
    assert!(vain.code == 4 || vain.code == 3, "{}", vain.stderr);
    assert_eq!(vain.stdout, "");
}
