//! `diff`: the slots, then the keys.

use super::{DAY_MS, Repo, dump, fill, now_ms, server, take};

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_that_differ_are_named_and_no_others() {
    let (repo, server) = (Repo::new(None), server());
    let repository = repo.open().await;
    fill(&server, "key", 600);
    let before = take(&repository, now_ms() - DAY_MS, &[dump(&server)]).await;
    for command in [
        &["SET", "key:17", "other"][..],
        &["DEL", "key:20:h"],
        &["HSET", "key:40:h", "a", "9"],
        &["PERSIST", "key:5"],
        &["SET", "fresh", "1"],
        // The same value again is no difference.
        &["SADD", "key:60:s", "1"],
    ] {
        server.cli(command);
    }
    let after = take(&repository, now_ms(), &[dump(&server)]).await;
    repo.backup(&["diff", before.as_str(), before.as_str()])
        .expect(0);
    let slots = repo.backup(&["diff", before.as_str()]).expect(3).stdout;
    assert!(slots.contains("DIFFERENT — 5 of"), "{slots}");
    let args = ["diff", before.as_str(), after.as_str(), "--keys"];
    let told = repo.backup(&args).expect(3).stdout;
    assert!(told.contains("1 added, 1 removed, 3 changed"), "{told}");
    let report = repo
        .backup(&[&args[..], &["-o", "json"]].concat())
        .expect(3)
        .json();
    let keys = report["report"]["keys"].as_array().unwrap();
    let mut found: Vec<String> = keys
        .iter()
        .map(|key| {
            format!(
                "{} {}",
                key["key"].as_str().unwrap(),
                key["change"].as_str().unwrap()
            )
        })
        .collect();
    found.sort();
    let expected = [
        "fresh added",
        "key:17 changed",
        "key:20:h removed",
        "key:40:h changed",
        "key:5 changed",
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_another_database_is_another_key() {
    let (repo, server) = (Repo::new(None), server());
    let repository = repo.open().await;
    fill(&server, "key", 600);
    let far = "redis.call('SELECT', 3)
        for i = 1, 600 do redis.call('SET', 'far:' .. i, string.rep('v', 40)) end";
    server.cli(&["EVAL", far, "0"]);
    let before = take(&repository, now_ms() - DAY_MS, &[dump(&server)]).await;
    server.cli(&["MOVE", "key:17", "3"]);
    server.cli(&["MOVE", "key:20:h", "4"]);
    let change = "redis.call('SELECT', 3) redis.call('SET', 'far:9', 'other')";
    server.cli(&["EVAL", change, "0"]);
    let after = take(&repository, now_ms(), &[dump(&server)]).await;
    let args = ["diff", before.as_str(), after.as_str(), "--keys"];
    let report = repo.backup(&[&args[..], &["-o", "json"]].concat());
    let report = report.expect(3).json();
    let keys = report["report"]["keys"].as_array().unwrap();
    let mut found: Vec<String> = keys
        .iter()
        .map(|key| format!("{} {} {}", key["key"], key["db"], key["change"]))
        .collect();
    found.sort();
    let expected = [
        r#""far:9" 3 "changed""#,
        r#""key:17" 0 "removed""#,
        r#""key:17" 3 "added""#,
        r#""key:20:h" 0 "removed""#,
        r#""key:20:h" 4 "added""#,
    ];
    assert_eq!(found, expected);
    let told = repo.backup(&args).expect(3).stdout;
    let title = told.lines().find(|line| line.starts_with("KEY")).unwrap();
    assert!(title.ends_with(" DB"), "{told}");
    for id in [&before, &after] {
        let proof = ["verify", id.as_str(), "--read-data", "--boot"];
        repo.backup(&proof).expect(0);
    }
}
