//! `prune`: what goes, what stays and why, and who is asked.

use std::fs;

use super::{DAY_MS, Repo, dumps, now_ms, run, take};

fn ids(repo: &Repo) -> Vec<String> {
    let listed = repo.backup(&["list", "-o", "json"]).expect(0).json();
    let rows = listed["report"]["snapshots"].as_array().unwrap().clone();
    let id = |row: &serde_json::Value| row["id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_no_rule_keeps_goes_and_only_after_a_yes() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let repository = repo.open().await;
    let now = now_ms();
    let mut taken = Vec::new();
    for days in (0..4).rev() {
        let id = take(&repository, now - days * DAY_MS, &dumps[..1]).await;
        taken.insert(0, id.to_string());
    }
    let given_up = repository.name_snapshot(now).unwrap();
    let writer = repository.begin(given_up.clone(), &run()).await.unwrap();
    writer.abandon().await.unwrap();

    let empty = repo.backup(&["prune"]).expect(2);
    assert!(empty.stderr.contains("keeps nothing") && empty.stderr.contains("--keep-last"));
    let keep = ["prune", "--keep-last", "1", "--keep-within", "36h"];
    let nobody = repo.backup(&keep).expect(5);
    assert!(nobody.stderr.contains("--yes") && nobody.stdout.is_empty());
    let plan = repo
        .backup(&[&keep[..], &["--dry-run"]].concat())
        .expect(0)
        .stdout;
    let lines: Vec<&str> = plan.lines().collect();
    assert!(
        lines[1].starts_with("keep") && lines[1].ends_with("last, within"),
        "{plan}"
    );
    assert!(
        lines[2].starts_with("keep") && lines[2].ends_with("within"),
        "{plan}"
    );
    assert!(
        lines[4].starts_with("remove") && lines[4].ends_with("no rule keeps it"),
        "{plan}"
    );
    assert!(plan.contains(&format!("remove {given_up}")), "{plan}");
    assert_eq!(ids(&repo), taken);

    let done = repo
        .backup(&[&keep[..], &["--yes"]].concat())
        .expect(0)
        .stdout;
    assert!(
        done.contains("removed 2 snapshots and 1 unfinished backup"),
        "{done}"
    );
    assert_eq!(ids(&repo), taken[..2]);
    assert_eq!(fs::read_dir(repo.path().join("data")).unwrap().count(), 2);
    let again = repo.backup(&keep).expect(0).stdout;
    assert!(again.contains("nothing was removed"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_that_can_be_restored_stays() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let repository = repo.open().await;
    let now = now_ms();
    let whole = take(&repository, now - DAY_MS, &dumps[..1]).await;
    let broken = take(&repository, now - 1000, &dumps[..1]).await;
    fs::remove_file(repo.object(&broken, "00/base-000000")).unwrap();
    let args = ["prune", "--keep-within", "1m", "--yes", "-o", "json"];
    let report = repo.backup(&args).expect(0).json();
    let rows = report["report"]["plan"]["snapshots"].as_array().unwrap();
    assert_eq!(rows[1]["snapshot"]["id"], whole.as_str());
    assert_eq!(rows[1]["reason"], "last restorable");
    let reason = rows[0]["reason"].as_str().unwrap();
    assert!(reason.contains("base-000000 is missing"), "{reason}");
    assert!(ids(&repo).contains(&whole.to_string()));
}
