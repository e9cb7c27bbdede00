//! Each command as a user that may do exactly what `--print-acl` says: no node denies it anything.

use crate::support::{Fleet, Home, Reply, Spec};

const PASSWORD: &str = "PasswordOfTheUser";

struct Stage {
    home: Home,
    fleet: Fleet,
}

impl Stage {
    /// Masters and replicas with a few keys of every type.
    fn new() -> Stage {
        let fleet = Fleet::start_with(6, |_| Spec {
            has_file: true,
            ..Spec::default()
        });
        fleet.join(3);
        let home = Home::new();
        home.file("password.txt", PASSWORD);
        let stage = Stage { home, fleet };
        for (n, words) in [
            "SET {a}string value",
            "HSET {a}hash f v",
            "RPUSH {a}list a b",
            "SADD {a}set a b",
            "ZADD {a}zset 1 a",
            "XADD {a}stream * f v",
        ]
        .iter()
        .enumerate()
        {
            let words: Vec<&str> = words.split(' ').collect();
            let is_taken = stage
                .fleet
                .iter()
                .take(3)
                .any(|node| !matches!(node.ask(&words).unwrap(), Reply::Error(_)));
            assert!(is_taken, "key {n}");
        }
        stage
    }

    /// Makes the user on every node, by what the command prints.
    fn admit(&self, command: &str) {
        let printed = self
            .home
            .goodcache(&[command, "--print-acl"])
            .run()
            .expect(0);
        let password = format!(">{PASSWORD}");
        let mut words = vec!["ACL", "SETUSER", "goodcache", "reset", "on", &password];
        words.extend(printed.stdout.split_whitespace());
        for node in self.fleet.iter() {
            assert_eq!(node.cli(&words), "OK", "{}", printed.stdout);
            node.cli(&["ACL", "LOG", "RESET"]);
        }
    }

    /// Runs it as that user; which codes are good is the command's.
    fn run(&self, args: &[&str], codes: &[i32]) {
        let mut all = args.to_vec();
        all.extend(["--user", "goodcache", "--password-file", "password.txt"]);
        let outcome = self.home.goodcache(&all).run();
        assert!(
            codes.contains(&outcome.code),
            "{args:?}: {}\n{}\n{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr
        );
        for node in self.fleet.iter() {
            let denied = node.cli(&["ACL", "LOG"]);
            assert_eq!(denied, "", "{args:?} at {}", node.addr());
        }
    }
}

#[test]
fn each_command_runs_as_a_user_with_exactly_its_rule() {
    let stage = Stage::new();
    let addr = stage.fleet[0].addr();
    stage.admit("check");
    stage.run(
        &["check", &addr, "--sample", "100ms", "--deep", "--canary"],
        &[0, 3],
    );

    stage.admit("backup");
    stage.run(&["backup", &addr, "--repo", "folder"], &[0]);
    stage.run(
        &["backup", &addr, "--repo", "scanned", "--via", "scan"],
        &[0],
    );

    stage.admit("restore");
    let flush = [
        "restore",
        "latest",
        &addr,
        "--repo",
        "folder",
        "--flush",
        "--confirm",
        &addr,
    ];
    stage.run(&flush, &[0]);

    stage.admit("tune");
    stage.run(&["tune", &addr, "--sample", "100ms", "--deep"], &[0]);
    stage.run(
        &[
            "tune",
            &addr,
            "--sample",
            "100ms",
            "--apply",
            "--rewrite",
            "--yes",
        ],
        &[0],
    );

    stage.admit("failover-test");
    stage.run(
        &[
            "failover-test",
            &addr,
            "--fault",
            "failover",
            "--confirm",
            &addr,
        ],
        &[0, 3],
    );

    stage.admit("rotate-password");
    for node in stage.fleet.iter() {
        node.cli(&["ACL", "SETUSER", "app", "on", ">first", "~app:*", "+@all"]);
    }
    stage.run(
        &[
            "rotate-password",
            &addr,
            "--of",
            "app",
            "--generate",
            "--finish",
            "--yes",
        ],
        &[0],
    );
}

#[test]
fn a_command_that_logs_in_nowhere_has_no_rule() {
    let home = Home::new();
    home.goodcache(&["generate", "completions", "x", "--print-acl"])
        .run()
        .expect(2);
}
