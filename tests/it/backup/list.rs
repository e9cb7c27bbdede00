//! What there is: `list` and `show`.

use super::{DAY_MS, PASSPHRASE, Repo, dumps, now_ms, run, take, take_with};

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_listed_the_newest_first_and_shown() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let repository = repo.open().await;
    assert!(
        repo.backup(&["list"])
            .expect(0)
            .stdout
            .contains("no snapshots")
    );
    let now = now_ms();
    let old = take(&repository, now - DAY_MS, &dumps).await;
    let new = take_with(&repository, now, &dumps[..1], |manifest| {
        manifest.cluster = "shop".into();
    })
    .await;
    repository
        .begin(repository.name_snapshot(now).unwrap(), &run())
        .await
        .unwrap();

    let listed = repo.backup(&["list"]).expect(0);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("CUT"));
    assert!(lines[1].starts_with(new.as_str()) && lines[1].contains(" shop "));
    assert!(lines[2].starts_with(old.as_str()) && lines[2].ends_with("barrier"));
    assert!(
        listed.stderr.contains("1 backup was not finished"),
        "{}",
        listed.stderr
    );

    let only = repo
        .backup(&["list", "goodbooks", "-o", "json"])
        .expect(0)
        .json();
    let rows = only["report"]["snapshots"].as_array().unwrap();
    assert_eq!(
        (rows.len(), rows[0]["id"].as_str()),
        (1, Some(old.as_str()))
    );
    assert_eq!(rows[0]["keys"], 600 + 30 * 5 + 1 + 300 + 15 * 5 + 1);
    assert_eq!(
        (&rows[0]["shards"], &rows[0]["duration_ms"]),
        (&2.into(), &1234.into())
    );
    assert_eq!(rows[0]["write_stall_ms"], 0.78);

    let shown = repo
        .backup(&["show", "latest", "--cluster", "goodbooks"])
        .expect(0);
    for part in [
        old.as_str(),
        "one moment",
        "780 us",
        "redis 7.0.15 (2 nodes)",
        "0-16383",
    ] {
        assert!(shown.stdout.contains(part), "{part} in {}", shown.stdout);
    }
    let markdown = repo
        .backup(&["show", new.as_str(), "-o", "markdown"])
        .expect(0);
    assert!(markdown.stdout.contains("| SHARD"), "{}", markdown.stdout);
    let gone = repo.backup(&["show", "1999"]).expect(2);
    assert!(gone.stderr.contains("no snapshot '1999'") && gone.stderr.contains("backup list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_or_none_is_one_clear_line() {
    let (repo, dumps) = (Repo::new(Some(PASSPHRASE)), dumps());
    let repository = repo.open().await;
    take(&repository, now_ms(), &dumps[..1]).await;
    repo.backup(&["list"]).expect(0);

    let url = repo.url();
    let wrong = repo.home.file("wrong", "another\n");
    let right = repo.home.file("right", &format!("{PASSPHRASE}\n"));
    let verify = ["backup", "verify", "--repo", &url];
    let told = |more: &[&str]| {
        let all: Vec<&str> = verify.iter().chain(more).copied().collect();
        repo.home.goodcache(&all).run()
    };
    let none = told(&[]).expect(4);
    assert!(none.stderr.contains("needs its passphrase") && none.stdout.is_empty());
    assert!(none.stderr.contains("--passphrase-file"));
    let other = told(&["--passphrase-file", wrong.to_str().unwrap()]).expect(4);
    assert!(
        other
            .stderr
            .contains("the passphrase does not open this repository")
    );
    assert!(other.stdout.is_empty());
    let shown = told(&["-v", "--passphrase-file", right.to_str().unwrap()]).expect(0);
    assert!(shown.stderr.contains("(set)") && !shown.stderr.contains(PASSPHRASE));
    let typed = told(&["--passphrase", PASSPHRASE]).expect(2);
    assert!(!typed.stderr.contains(PASSPHRASE), "{}", typed.stderr);
}

#[test]
fn no_repository_is_said() {
    let repo = Repo::new(None);
    let told = repo.backup(&["list"]).expect(4);
    assert!(told.stderr.contains("no such folder"), "{}", told.stderr);
    let nowhere = repo.home.goodcache(&["backup", "list"]).run().expect(2);
    assert!(nowhere.stderr.contains("GOODCACHE_REPO"));
    std::fs::create_dir(repo.path()).unwrap();
    repo.home
        .file("goodcache.yaml", &format!("repo: {}", repo.url()));
    let empty = repo
        .home
        .goodcache(&["backup", "list", "-v"])
        .run()
        .expect(4);
    assert!(
        empty.stderr.contains("holds no repository"),
        "{}",
        empty.stderr
    );
    assert!(
        empty.stderr.contains("goodcache.yaml (repo)"),
        "{}",
        empty.stderr
    );
}

#[test]
fn what_is_mistyped_is_told() {
    let repo = Repo::new(None);
    for (args, why) in [
        (&["lst"][..], "goodcache backup list"),
        (&["shop", "list"], "list --help"),
        (&["copy", "latest"], "--to"),
        (&["list", "-o", "nagios"], "table, markdown, json"),
    ] {
        let told = repo.backup(args).expect(2);
        assert!(told.stderr.contains(why), "{args:?}: {}", told.stderr);
    }
}
