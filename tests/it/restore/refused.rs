//! What is refused, before anything is changed.

use super::*;

#[test]
fn a_target_with_keys_is_refused_until_it_is_said_what_becomes_of_them() {
    let stage = Stage::new();
    let target = empty(1);
    target[0].cli(&["SET", "own", "1"]);
    let addr = target[0].addr();
    let refused = stage.restore(&addr, &[]).run().expect(5);
    assert!(
        refused.stderr.contains("holds 1 key already"),
        "{}",
        refused.stderr
    );
    for word in ["--skip-existing", "--replace", "--flush"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    for flag in ["--replace", "--flush"] {
        let refused = stage.restore(&addr, &[flag]).run().expect(5);
        let next = format!("--confirm {addr}");
        assert!(refused.stderr.contains(&next), "{}", refused.stderr);
        let refused = stage.restore(&addr, &[flag, "--confirm", "other"]).run();
        refused.expect(5);
    }
    assert_eq!(keys(&[&target[0]]), 1);
    let report = proven(
        stage
            .restore(&addr, &["--replace", "--confirm", &addr])
            .run(),
    );
    let all = report["keys"].as_u64().unwrap();
    assert_eq!(keys(&[&target[0]]), all + 1);
    proven(stage.restore(&addr, &["--flush", "--confirm", &addr]).run());
    assert_eq!(keys(&[&target[0]]), all);
    assert_eq!(target[0].cli(&["GET", "own"]).trim(), "");
}

#[test]
fn a_plan_changes_nothing_and_says_what_cannot_fit() {
    let stage = Stage::new();
    let target = empty(2);
    let addr = target[0].addr();
    let plan = stage.restore(&addr, &["--dry-run"]).run().expect(0);
    let plan = &plan.json()["report"];
    assert_eq!(plan["masters"].as_array().unwrap().len(), 2);
    assert!(plan["types"]["hash"].as_u64().unwrap() > 0, "{plan:#}");
    let servers: Vec<&Server> = target.iter().collect();
    assert_eq!(keys(&servers), 0);
    for server in &servers {
        server.cli(&["CONFIG", "SET", "maxmemory", "2mb"]);
        server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    }
    let refused = stage.restore(&addr, &[]).run().expect(5);
    let said = &refused.stderr;
    assert!(said.contains("would drop keys without a word"), "{said}");
    assert_eq!(keys(&servers), 0);
}

#[test]
fn a_plan_says_where_from_where_to_how_much_and_what_becomes_of_what_is_there() {
    let stage = Stage::new();
    let target = empty(2);
    let addr = target[0].addr();
    let planned = |more: &[&str]| {
        let words = [&["--dry-run"], more].concat();
        stage.restore(&addr, &words).run().expect(0).json()["report"].clone()
    };
    let sum = |plan: &Value, name: &str| -> u64 {
        let masters = plan["masters"].as_array().unwrap().iter();
        masters.map(|share| share[name].as_u64().unwrap()).sum()
    };
    let plan = planned(&[]);
    assert_eq!(plan["target"], addr.as_str());
    assert_eq!(plan["source"]["cluster"], stage.source[0].addr().as_str());
    assert!(!plan["source"]["servers"][0].as_str().unwrap().is_empty());
    assert_eq!(plan["values"]["as_they_are"], plan["keys"], "{plan:#}");
    assert_eq!(sum(&plan, "gets_keys"), plan["keys"].as_u64().unwrap());
    let expected = &plan["expected"];
    assert!(expected["least_ms"].as_u64() <= expected["most_ms"].as_u64());
    assert!(expected["basis"].as_str().unwrap().contains("measured"));
    let some = planned(&["--slots", "0-99"]);
    let gets = sum(&some, "gets_keys");
    assert!(gets > 0 && gets < sum(&plan, "gets_keys"), "{some:#}");
    assert_eq!(some["is_at_most"], false);
    assert_eq!(planned(&["--keys", "book:*"])["is_at_most"], true);
    let url = stage.repository();
    // One of the two refuses it.
    target
        .iter()
        .for_each(|server| drop(server.ask(&["SET", "own", "1"])));
    for (flag, words) in [
        ("--replace", "holds 1 key: those that come are replaced"),
        ("--undelete", "holds 1 key: all stay as they are"),
        ("--flush", "holds 1 key: all are removed first"),
    ] {
        let look = [
            "restore",
            "latest",
            &addr,
            "--repo",
            &url,
            "--dry-run",
            flag,
        ];
        let told = stage.home.goodcache(&look).run().expect(0).stdout;
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(keys(&[&target[0], &target[1]]), 1);
}

#[test]
fn what_cannot_be_found_or_opened_is_said_with_a_next_step() {
    let stage = Stage::new();
    let target = empty(1);
    let addr = target[0].addr();
    let url = stage.repository();
    let run = |words: &[&str]| {
        let outcome = stage.home.goodcache(words).within(LIMIT).run();
        assert!(outcome.stderr.contains("next: "), "{}", outcome.stderr);
        (outcome.code, outcome.stderr)
    };
    assert_eq!(run(&["restore", "latest", &addr]).0, 2);
    assert_eq!(
        run(&["restore", "20200101T000000", &addr, "--repo", &url]).0,
        2
    );
    let nowhere = format!("{url}-nowhere");
    assert_eq!(run(&["restore", &addr, "--repo", &nowhere]).0, 4);
    let dead = format!("127.0.0.1:{}", crate::support::free_ports(1));
    assert_eq!(run(&["restore", &dead, "--repo", &url]).0, 4);
}
