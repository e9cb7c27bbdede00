//! `copy`: to another repository, what is missing only.

use super::{DAY_MS, PASSPHRASE, Repo, dumps, flip, now_ms, open_or_make, take};
use crate::support::s3::S3;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_goes_over_and_is_sound_there() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let repository = repo.open().await;
    let old = take(&repository, now_ms() - DAY_MS, &dumps).await;
    let second = Repo::new(Some(PASSPHRASE));
    open_or_make(&second.access()).await;
    let key = repo.home.file("second", &format!("{PASSPHRASE}\n"));
    let url = second.url();
    let to = ["--to", &url, "--to-passphrase-file", key.to_str().unwrap()];
    let copy = |what: &[&str]| {
        let all = [&["copy"], what, &to[..], &["-o", "json"]].concat();
        let report = repo.backup(&all).expect(0).json();
        report["report"]["snapshots"].as_array().unwrap().clone()
    };
    let first = copy(&["latest"]);
    assert_eq!((first.len(), &first[0]["id"]), (1, &old.as_str().into()));
    assert!(first[0]["objects"].as_u64().unwrap() > 8 && first[0]["already"] == 0);
    let new = take(&repository, now_ms(), &dumps[..1]).await;
    let all = copy(&["--all"]);
    assert_eq!(
        (&all[0]["objects"], &all[1]["id"]),
        (&0.into(), &new.as_str().into())
    );
    for id in [&old, &new] {
        second
            .backup(&["verify", id.as_str(), "--read-data"])
            .expect(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_does_not_go_over() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let id = take(&repo.open().await, now_ms(), &dumps[..1]).await;
    flip(&repo.object(&id, "00/base-000001"));
    let second = Repo::new(None);
    let told = repo
        .backup(&["copy", "latest", "--to", &second.url()])
        .expect(3);
    assert!(told.stderr.contains("00/base-000001"), "{}", told.stderr);
    assert!(told.stdout.is_empty());
    let there = second.backup(&["list"]).expect(0);
    assert!(there.stdout.contains("no snapshots") && there.stderr.contains("not finished"));
    let itself = repo
        .backup(&["copy", "latest", "--to", &repo.url()])
        .expect(2);
    assert!(itself.stderr.contains("to itself"), "{}", itself.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_s3_is_listed_verified_exported_and_pruned() {
    let (repo, dumps, s3) = (Repo::new(None), dumps(), S3::start());
    let id = take(&repo.open().await, now_ms(), &dumps).await;
    let bucket = "s3://goodcache/far";
    let folder = repo.home.path().join("rdb");
    let in_s3 = |args: &[&str]| {
        let mut run = repo.home.goodcache(&[&["backup"], args].concat());
        for (name, value) in [
            ("AWS_ENDPOINT_URL", s3.endpoint().as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret-key"),
        ] {
            run = run.env(name, value);
        }
        run.env("GOODCACHE_PASSPHRASE", "").run()
    };
    in_s3(&["copy", "latest", "--repo", &repo.url(), "--to", bucket]).expect(0);
    let listed = in_s3(&["list", "--repo", bucket]).expect(0);
    assert!(listed.stdout.contains(id.as_str()), "{}", listed.stdout);
    let verified = in_s3(&["verify", "-v", "--read-data", "--repo", bucket]).expect(0);
    assert!(!verified.stderr.contains("very-secret-key"));
    let to = folder.display().to_string();
    in_s3(&["export", "latest", "--repo", bucket, "--to", &to]).expect(0);
    assert_eq!(std::fs::read(folder.join("shard-1.rdb")).unwrap(), dumps[0]);
    in_s3(&["prune", "--keep-last", "1", "--yes", "--repo", bucket]).expect(0);
    in_s3(&["list", "--repo", "s3://nowhere/x"]).expect(4);
}
