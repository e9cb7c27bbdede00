//! `export`: plain files that the servers' own programs accept.

use std::fs;

use super::{Repo, dumps, flip, now_ms, take};

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_the_file_that_the_server_wrote() {
    let (repo, dumps) = (Repo::new(None), dumps());
    take(&repo.open().await, now_ms(), &dumps).await;
    let to = repo.home.path().join("out").display().to_string();
    let told = repo
        .backup(&["export", "latest", "--to", &to])
        .expect(0)
        .stdout;
    assert!(
        told.contains("751 keys") && told.contains("3 commands"),
        "{told}"
    );
    for (number, dump) in (1..).zip(&dumps) {
        let path = format!("{to}/shard-{number}.rdb");
        assert_eq!(&fs::read(&path).unwrap(), dump);
        repo.home
            .program("redis-check-rdb", &[&path])
            .run()
            .expect(0);
        let log = format!("{to}/shard-{number}.aof");
        repo.home
            .program("redis-check-aof", &[&log])
            .run()
            .expect(0);
    }
    assert_eq!(fs::read_dir(&to).unwrap().count(), 4);

    fs::write(format!("{to}/shard-1.rdb"), "mine").unwrap();
    let again = repo.backup(&["export", "latest", "--to", &to]).expect(5);
    assert!(
        again.stderr.contains("shard-1.rdb is there already"),
        "{}",
        again.stderr
    );
    assert_eq!(fs::read(format!("{to}/shard-1.rdb")).unwrap(), b"mine");
    let other = repo.home.path().join("other").display().to_string();
    repo.backup(&["export", "latest", "--to", &other, "--shard", "2"])
        .expect(0);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 2);
    let none = repo
        .backup(&["export", "latest", "--to", &other, "--shard", "3"])
        .expect(2);
    assert!(
        none.stderr.contains("2 shards and no shard 3"),
        "{}",
        none.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_becomes_no_file() {
    let (repo, dumps) = (Repo::new(None), dumps());
    let id = take(&repo.open().await, now_ms(), &dumps[..1]).await;
    flip(&repo.object(&id, "00/base-000002"));
    let to = repo.home.path().join("out");
    let told = repo
        .backup(&["export", "latest", "--to", &to.display().to_string()])
        .expect(3);
    assert!(told.stderr.contains("00/base-000002"), "{}", told.stderr);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
}
