//! Into clusters of other shapes, servers on their own, and from files.

use super::*;

#[test]
fn more_shards_fewer_shards_and_a_server_on_its_own_hold_the_same() {
    let stage = Stage::new();
    let source: Vec<&Server> = stage.source.iter().collect();
    let all = keys(&source);
    assert!(all > 100, "{all}");
    for masters in [4, 1] {
        let target = empty(masters);
        let report = proven(stage.restore(&target[0].addr(), &[]).run());
        assert_eq!(report["keys"], all, "{report:#}");
        let servers: Vec<&Server> = target.iter().collect();
        assert_eq!(keys(&servers), all);
        assert_eq!(report["proof"]["keys_equal"], all);
    }
    let single = alone();
    let report = proven(stage.restore(&single.addr(), &[]).run());
    assert_eq!(report["keys"], all);
    assert_eq!(keys(&[&single]), all);
}

#[test]
fn files_that_redis_cli_left_are_restored_like_a_snapshot() {
    let stage = Stage::new();
    let folder = stage.home.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    for server in stage.source.iter() {
        server.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    }
    let (addr, path) = (stage.source[0].addr(), folder.display().to_string());
    let words = ["--cluster", "backup", &addr, &path];
    let backup = stage.home.program("redis-cli", &words);
    backup.within(LIMIT).run().expect(0);
    assert!(folder.join("nodes.json").exists());
    let target = empty(2);
    let words = ["restore", &target[0].addr(), "--rdb", &path, "-o", "json"];
    let report = proven(stage.home.goodcache(&words).within(LIMIT).run());
    let source: Vec<&Server> = stage.source.iter().collect();
    assert_eq!(report["keys"], keys(&source));
}

/// The files are taken in again, and what is in already is known all the same.
#[test]
fn files_are_gone_on_with_too_and_a_killed_run_leaves_nothing_for_long() {
    let stage = faults::sown(6000);
    let folder = stage.home.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    for (n, server) in stage.source.iter().enumerate() {
        let file = folder.join(format!("node-{n}.rdb"));
        std::fs::write(file, handmade::dump(server)).unwrap();
    }
    let target = empty(1);
    let (addr, path) = (target[0].addr(), folder.display().to_string());
    let words = ["restore", &addr, "--rdb", &path, "-o", "json"];
    let slowly = [&words[..], &["--rate", "400KiB"]].concat();
    let mut running = stage.home.goodcache(&slowly).within(LIMIT).spawn();
    let noted = format!("state/goodcache/data/{addr}.restore");
    let noted = stage.home.path().join(noted);
    crate::support::until("a piece is noted", LIMIT, || {
        let text = std::fs::read(&noted).unwrap_or_default();
        let noted: Value = serde_json::from_slice(&text).unwrap_or_default();
        noted["done"].as_object().is_some_and(|d| !d.is_empty())
    });
    running.kill();
    drop(running);
    let left = || {
        let entries = std::fs::read_dir(stage.home.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("goodcache-")).count()
    };
    assert_eq!(left(), 1);
    let outcome = stage.home.goodcache(&words).within(LIMIT).run();
    assert!(outcome.stderr.contains("going on"), "{}", outcome.stderr);
    assert_eq!(proven(outcome)["is_resumed"], true);
    assert_eq!(left(), 0);
    let source: Vec<&Server> = stage.source.iter().collect();
    assert_eq!(keys(&[&target[0]]), keys(&source));
}

#[test]
fn only_what_is_meant_comes_back() {
    let stage = Stage::new();
    let target = empty(2);
    let servers: Vec<&Server> = target.iter().collect();
    let some = stage.restore(&target[0].addr(), &["--type", "hash,zset"]);
    let report = proven(some.run());
    let count = report["keys"].as_u64().unwrap();
    assert!(count > 0 && count < 1000, "{report:#}");
    assert_eq!(keys(&servers), count);
    for server in &servers {
        for key in server.cli(&["KEYS", "*"]).lines() {
            let kind = server.cli(&["TYPE", key]);
            assert!(["hash", "zset"].contains(&kind.trim()), "{key} is a {kind}");
        }
    }
    let rest = stage.restore(&target[0].addr(), &["--undelete"]);
    let report = proven(rest.run());
    let source: Vec<&Server> = stage.source.iter().collect();
    assert_eq!(keys(&servers), keys(&source));
    assert_eq!(report["kept"], count);
}
