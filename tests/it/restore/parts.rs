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
