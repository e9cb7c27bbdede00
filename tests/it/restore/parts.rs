//! What goes with no key: functions to every master, users to every node.

use super::handmade::{dump, take_with_users};
use super::*;
use crate::support::until;

fn library(name: &str, answer: u32) -> String {
    format!(
        "#!lua name={name}\nredis.register_function('{name}_f', function() return {answer} end)"
    )
}

fn load(server: &Server, name: &str, answer: u32) {
    server.cli(&["FUNCTION", "LOAD", "REPLACE", &library(name, answer)]);
}

fn call(server: &Server, name: &str) -> String {
    let function = format!("{name}_f");
    server.ask(&["FCALL", &function, "0"]).unwrap().to_string()
}

fn remarks(report: &Value) -> String {
    report["remarks"].to_string()
}

fn stage() -> Stage {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    let source = &stage.source[0];
    source.cli(&["SET", "k", "v"]);
    load(source, "one", 1);
    load(source, "two", 2);
    source.cli(&["ACL", "SETUSER", "app", "on", ">pl4nted", "~app:*", "+get"]);
    source.cli(&["ACL", "SETUSER", "open", "on", "nopass", "~*", "+@read"]);
    stage.backup();
    stage
}

#[test]
fn functions_come_to_every_node_and_a_library_that_is_there_stays() {
    let stage = stage();
    let target = Fleet::cluster(2, 1);
    let addr = target[0].addr();
    load(&target[0], "one", 10);
    let outcome = stage.restore(&addr, &[]).run().expect(3);
    let report = &outcome.json()["report"];
    assert_eq!(report["lacks_functions"], true, "{report:#}");
    assert!(remarks(report).contains("one"), "{report:#}");
    let called = |n: usize| (call(&target[n], "one"), call(&target[n], "two"));
    let is = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    assert_eq!(called(0), is("10", "2"));
    assert_eq!(called(1), is("1", "2"));
    // A library of its own that nobody else has stays in any case.
    load(&target[1], "own", 7);
    proven(stage.restore(&addr, &["--skip-existing"]).run());
    assert_eq!(called(0), is("10", "2"));
    let replaced = stage.restore(&addr, &["--replace", "--confirm", &addr]);
    let report = proven(replaced.run());
    assert_eq!(report["lacks_functions"], false, "{report:#}");
    assert_eq!(called(0), is("1", "2"));
    assert_eq!(call(&target[1], "own"), "7");
    for replica in [&target[2], &target[3]] {
        until("the replica has them", LIMIT, || {
            let listed = replica.ask(&["FUNCTION", "LIST"]).unwrap().to_string();
            listed.contains("one_f") && listed.contains("two_f")
        });
    }
}

#[test]
fn users_come_to_every_node_when_asked_for() {
    let stage = stage();
    let target = Fleet::cluster(2, 1);
    let addr = target[0].addr();
    proven(stage.restore(&addr, &[]).run());
    for server in target.iter() {
        assert!(!server.cli(&["ACL", "LIST"]).contains("user app"));
    }
    let again = ["--skip-existing", "--with-acl"];
    let report = proven(stage.restore(&addr, &again).run());
    let said = remarks(&report);
    assert!(
        said.contains("without a password") && said.contains("app"),
        "{said}"
    );
    assert!(!said.contains("open;"), "{said}");
    for server in target.iter() {
        let users = server.cli(&["ACL", "LIST"]);
        let user = |name: &str| {
            let begin = format!("user {name} on");
            users
                .lines()
                .find(|line| line.starts_with(&begin))
                .unwrap_or_default()
                .to_owned()
        };
        assert!(
            user("app").contains("~app:*") && user("app").contains("+get"),
            "{users}"
        );
        assert!(user("open").contains("nopass"), "{users}");
        assert_eq!(server.cli(&["PING"]).trim(), "PONG");
        let login = server.ask(&["AUTH", "app", "pl4nted"]).unwrap().to_string();
        assert!(login.contains("WRONGPASS"), "{login}");
    }
}

/// Libraries that a server has.
fn has(server: &Server) -> Vec<String> {
    let listed = server.cli(&["FUNCTION", "LIST"]);
    let names = ["one", "two", "three", "own"];
    let is_there = |name: &&str| listed.contains(&format!("{name}_f"));
    names
        .into_iter()
        .filter(is_there)
        .map(str::to_owned)
        .collect()
}

/// A snapshot made by hand whose log is about functions.
fn logged(log: &[Vec<String>]) -> Home {
    let (server, home) = (alone(), Home::new());
    server.cli(&["SET", "x:1", "v"]);
    let mut bytes = handmade::wire(&["SELECT 0", "SET x:2 v"]);
    for words in log {
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        crate::support::resp::encode(&mut bytes, &words);
    }
    let commands = log.len() as u64 + 2;
    handmade::take_wire(&home, &dump(&server), &bytes, commands);
    home
}

fn function(words: &[&str]) -> Vec<String> {
    let name = ["FUNCTION"].iter().chain(words);
    name.map(|word| (*word).to_owned()).collect()
}

fn restored(home: &Home, target: &str, more: &[&str]) -> Outcome {
    let url = home.path().join("repository").display().to_string();
    let mut words = vec!["restore", "latest", target, "--repo", &url, "-o", "json"];
    words.extend(more);
    home.goodcache(&words).within(LIMIT).run()
}

#[test]
fn a_part_leaves_functions_as_they_are() {
    let stage = stage();
    let target = Fleet::cluster(2, 0);
    let addr = target[0].addr();
    load(&target[0], "one", 10);
    let more = ["--replace", "--confirm", &addr, "--keys", "k"];
    proven(stage.restore(&addr, &more).run());
    assert_eq!(call(&target[0], "one"), "10");
    assert_eq!(has(&target[1]), [""; 0]);
    assert_eq!(keys(&[&target[0], &target[1]]), 1);
}

#[test]
fn what_the_log_does_to_functions_is_done_to_the_snapshot_s_alone() {
    let home = logged(&[
        function(&["LOAD", &library("one", 1)]),
        function(&["FLUSH"]),
        function(&["LOAD", &library("two", 1)]),
        function(&["LOAD", "REPLACE", &library("two", 2)]),
        function(&["LOAD", &library("three", 3)]),
        function(&["DELETE", "three"]),
    ]);
    let target = Fleet::cluster(2, 0);
    let addr = target[0].addr();
    load(&target[0], "own", 7);
    proven(restored(&home, &addr, &[]));
    assert_eq!(has(&target[0]), ["two", "own"]);
    assert_eq!(has(&target[1]), ["two"]);
    assert_eq!(call(&target[1], "two"), "2");
    // A second time nothing is in the way.
    load(&target[1], "two", 9);
    proven(restored(&home, &addr, &["--undelete"]));
    assert_eq!(call(&target[1], "two"), "9");
    proven(restored(&home, &addr, &["--replace", "--confirm", &addr]));
    assert_eq!(call(&target[1], "two"), "2");
    assert_eq!(has(&target[0]), ["two", "own"]);
    load(&target[0], "two", 5);
    proven(restored(&home, &addr, &["--undelete", "--keys", "x:*"]));
    assert_eq!(call(&target[0], "two"), "5");
}

/// A rule of a newer server ends nothing: the keys are proven, and the other users are there.
#[test]
fn a_user_that_the_target_does_not_understand_is_named_and_the_others_come() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    stage.source[0].cli(&["SET", "k", "v"]);
    let users = "user newer on nopass ~* +@nonsense\nuser app on nopass ~app:* +get\n";
    take_with_users(&stage.home, &dump(&stage.source[0]), users);
    let mut target = Fleet::cluster(2, 1);
    let addr = target[0].addr();
    let dead = target[3].addr();
    target[3].kill();
    let outcome = stage.restore(&addr, &["--with-acl"]).run().expect(3);
    let report = &outcome.json()["report"];
    assert_eq!(report["lacks_users"], true, "{report:#}");
    assert_eq!(report["proof"]["keys_equal"], 1, "{report:#}");
    let said = remarks(report);
    assert!(said.contains("user newer was not restored"), "{said}");
    assert!(said.contains(&dead), "{said}");
    for n in 0..3 {
        let listed = target[n].cli(&["ACL", "LIST"]);
        assert!(listed.contains("user app on"), "{listed}");
        assert!(!listed.contains("newer"), "{listed}");
    }
}
