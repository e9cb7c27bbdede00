//! `create --acl-users`: each user does its own work and nobody else's, goodcache logs in as the one
//! that fits, and neither a failover nor a restart nor a new password gets in the way of replication.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use crate::support::{Fleet, Home, Outcome, Reply, Spec, Wire, free_ports, signal, until};

const LIMIT: Duration = Duration::from_secs(30);
const USERS: [&str; 5] = ["application", "replication", "backup", "check", "admin"];

/// Three masters and a replica of each, with users set apart.
struct Shop {
    home: Home,
    base: u16,
    is_there: bool,
}

impl Shop {
    fn new(more: &[&str]) -> Shop {
        let (home, base) = (Home::new(), free_ports(6));
        let port = base.to_string();
        let mut args = vec![
            "create",
            "shop",
            "--local",
            "--acl-users",
            "--node-timeout",
            "1s",
            "--base-port",
            &port,
            "--yes",
        ];
        args.extend(more);
        let made = home.goodcache(&args).run();
        let shop = Shop {
            home,
            base,
            is_there: true,
        };
        let made = made.expect(0);
        assert!(made.stdout.contains("are set apart"), "{}", made.stdout);
        shop
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.home.goodcache(args).run()
    }

    fn ports(&self) -> std::ops::Range<u16> {
        self.base..self.base + 6
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("state/goodcache/users/shop")
    }

    fn password(&self, user: &str) -> String {
        let text = fs::read_to_string(self.folder().join(user)).unwrap();
        text.trim().to_owned()
    }

    fn log_in(&self, port: u16, user: &str, password: &str) -> io::Result<Wire> {
        let mut wire = Wire::plain(&format!("127.0.0.1:{port}"), LIMIT)?;
        match wire.ask(&["AUTH", user, password])? {
            Reply::Error(said) => Err(io::Error::other(said)),
            _ => Ok(wire),
        }
    }

    /// What a node says to that user.
    fn ask(&self, port: u16, user: &str, command: &str) -> String {
        let mut wire = self.log_in(port, user, &self.password(user)).unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        wire.ask(&words).unwrap().to_string()
    }

    /// Every node lets goodcache in; how well it is, a busy machine decides.
    fn check(&self) {
        let args = [
            "check",
            "shop",
            "--sample",
            "0s",
            "--fail-on",
            "never",
            "-o",
            "json",
        ];
        let check = self.run(&args).expect(0);
        let answering = &check.json()["report"]["cluster"]["nodes_answering"];
        assert_eq!(answering, 6, "{}", check.stderr);
    }

    fn denied_nothing(&self, what: &str) {
        for port in self.ports() {
            assert_eq!(
                self.ask(port, "admin", "ACL LOG").trim(),
                "",
                "{what}: {port}"
            );
        }
    }

    /// Three masters, and every other node linked to one: a master that was replaced goes on calling
    /// itself one for a moment.
    fn wait_linked(&self) {
        until("three masters, and the others linked", LIMIT, || {
            let ask = |port| self.ask(port, "admin", "INFO replication");
            let said: Vec<String> = self.ports().map(ask).collect();
            let count = |words: &str| said.iter().filter(|one| one.contains(words)).count();
            count("role:master") == 3 && count("master_link_status:up") == 3
        });
    }

    fn is_master(&self, port: u16) -> bool {
        self.ask(port, "admin", "INFO replication")
            .contains("role:master")
    }

    fn kill(&self, port: u16) {
        let node = self
            .home
            .path()
            .join(format!("state/goodcache/data/shop/{port}"));
        let pid = fs::read_to_string(node.join("pid")).unwrap();
        signal(pid.trim().parse().unwrap(), "KILL");
        until("it is gone", LIMIT, || {
            Wire::plain(&format!("127.0.0.1:{port}"), Duration::from_secs(1)).is_err()
        });
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if self.is_there {
            let _ = self.run(&["destroy", "shop", "--confirm", "shop"]);
        }
    }
}

#[test]
fn each_user_does_its_own_work_and_nobody_else_s() {
    let mut shop = Shop::new(&[]);
    for user in USERS {
        let mode = fs::metadata(shop.folder().join(user))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{user}");
    }
    let mut stranger = Wire::plain(&format!("127.0.0.1:{}", shop.base), LIMIT).unwrap();
    let said = stranger.ask(&["PING"]).unwrap().to_string();
    assert!(said.contains("NOAUTH"), "{said}");

    let may = [
        ("application", "CLUSTER SLOTS"),
        ("application", "CLUSTER SHARDS"),
        ("application", "CLIENT SETNAME shop-web"),
        ("application", "INFO server"),
        ("replication", "PING"),
        ("backup", "CONFIG GET dir"),
        ("check", "INFO server"),
        ("check", "CLUSTER NODES"),
        ("admin", "CONFIG GET dir"),
    ];
    for (user, command) in may {
        let said = shop.ask(shop.base, user, command);
        assert!(!said.contains("NOPERM"), "{user}: {command}: {said}");
    }
    let may_not = [
        ("application", "CONFIG GET dir"),
        ("application", "FLUSHALL"),
        ("application", "KEYS *"),
        ("application", "ACL LIST"),
        ("application", "CLUSTER FAILOVER"),
        ("application", "SHUTDOWN NOSAVE"),
        ("application", "PSYNC ? -1"),
        ("replication", "GET key"),
        ("replication", "CLUSTER NODES"),
        ("backup", "SET key value"),
        ("backup", "ACL SETUSER backup +@all"),
        ("check", "GET key"),
        ("check", "CONFIG SET maxmemory 1"),
        ("check", "SET key value"),
    ];
    for (user, command) in may_not {
        let said = shop.ask(shop.base, user, command);
        assert!(said.contains("NOPERM"), "{user}: {command}: {said}");
    }
    // Somewhere the key belongs.
    let takes = |port| {
        shop.ask(port, "application", "SET session:1 value")
            .contains("OK")
    };
    assert_eq!(shop.ports().filter(|port| takes(*port)).count(), 1);

    for port in shop.ports() {
        shop.ask(port, "admin", "ACL LOG RESET");
    }
    let check = shop.run(&[
        "check",
        "shop",
        "-v",
        "--deep",
        "--canary",
        "--sample",
        "100ms",
        "--fail-on",
        "never",
    ]);
    let check = check.expect(0);
    let user = |outcome: &Outcome| {
        let row = outcome
            .stderr
            .lines()
            .find(|line| line.starts_with("user "));
        row.and_then(|row| row.split_whitespace().nth(1))
            .map(str::to_owned)
    };
    assert_eq!(user(&check).as_deref(), Some("check"), "{}", check.stderr);
    assert!(
        !check.stdout.contains("security.default_user"),
        "{}",
        check.stdout
    );
    let backup = shop
        .run(&["backup", "shop", "-v", "--repo", "backups"])
        .expect(0);
    assert_eq!(
        user(&backup).as_deref(),
        Some("backup"),
        "{}",
        backup.stderr
    );
    shop.run(&["backup", "shop", "--repo", "scanned", "--via", "scan"])
        .expect(0);
    let tune = shop
        .run(&["tune", "shop", "-v", "--sample", "0s"])
        .expect(0);
    assert_eq!(user(&tune).as_deref(), Some("admin"), "{}", tune.stderr);
    shop.denied_nothing("check, backup and tune");

    // A user that is named has its own password; one that goodcache does not know is asked for.
    let as_admin = shop.run(&[
        "check",
        "shop",
        "-v",
        "--user",
        "admin",
        "--sample",
        "0s",
        "--fail-on",
        "never",
    ]);
    assert_eq!(user(&as_admin.expect(0)).as_deref(), Some("admin"));
    shop.run(&["check", "shop", "--user", "nobody", "--sample", "0s"])
        .expect(4);

    let again = shop
        .run(&["create", "shop", "--yes", "-o", "json"])
        .expect(0);
    assert_eq!(again.json()["report"]["standing"], "already_so");
    shop.run(&["destroy", "shop", "--confirm", "shop"])
        .expect(0);
    shop.is_there = false;
    assert!(
        !shop.folder().exists(),
        "the passwords went with the cluster"
    );
}

#[test]
fn replication_goes_on_after_a_failover_a_restart_and_a_new_password() {
    let shop = Shop::new(&[]);
    shop.wait_linked();
    // A planned change of roles: the new master lets in the old one, and the application.
    let replica = shop.ports().find(|port| !shop.is_master(*port)).unwrap();
    assert!(
        shop.ask(replica, "admin", "CLUSTER FAILOVER")
            .contains("OK")
    );
    until("it is the master", LIMIT, || shop.is_master(replica));
    shop.wait_linked();

    // A master dies, its replica takes over, and it comes back as a replica, by what its files hold;
    // a user that was added and saved meanwhile is still there.
    assert!(
        shop.ask(replica, "admin", "ACL SETUSER extra on >pass +ping")
            .contains("OK")
    );
    assert!(shop.ask(replica, "admin", "ACL SAVE").contains("OK"));
    shop.kill(replica);
    until("another took over", LIMIT, || {
        let others = shop.ports().filter(|port| *port != replica);
        others.filter(|port| shop.is_master(*port)).count() == 3
    });
    shop.run(&["create", "shop", "--yes"]).expect(0);
    until("it is a replica now", LIMIT, || !shop.is_master(replica));
    shop.wait_linked();
    assert!(shop.log_in(replica, "extra", "pass").is_ok());
    assert!(
        shop.ask(replica, "admin", "ACL DELUSER extra")
            .contains('1')
    );
    for user in USERS {
        assert!(
            shop.log_in(replica, user, &shop.password(user)).is_ok(),
            "{user}"
        );
    }

    for user in USERS {
        let before = shop.password(user);
        let args = [
            "rotate-password",
            "shop",
            "--of",
            user,
            "--generate",
            "--finish",
            "--yes",
        ];
        shop.run(&args).expect(0);
        assert_ne!(shop.password(user), before, "{user}");
        for port in shop.ports() {
            assert!(
                shop.log_in(port, user, &before).is_err(),
                "{user} at {port}"
            );
            assert!(
                shop.log_in(port, user, &shop.password(user)).is_ok(),
                "{user} at {port}"
            );
        }
    }
    shop.wait_linked();
    shop.check();
    shop.run(&["backup", "shop", "--repo", "backups"]).expect(0);
    // A node that starts again logs in at its master with the new one.
    let replica = shop.ports().find(|port| !shop.is_master(*port)).unwrap();
    shop.kill(replica);
    shop.run(&["create", "shop", "--yes"]).expect(0);
    shop.wait_linked();
}

#[test]
fn a_rotation_of_a_user_goes_back_with_its_file() {
    let shop = Shop::new(&["--tls"]);
    let before = shop.password("check");
    shop.run(&[
        "rotate-password",
        "shop",
        "--of",
        "check",
        "--generate",
        "--yes",
    ])
    .expect(0);
    assert_ne!(shop.password("check"), before);
    shop.check();
    shop.run(&[
        "rotate-password",
        "shop",
        "--of",
        "check",
        "--undo",
        "--yes",
    ])
    .expect(0);
    assert_eq!(shop.password("check"), before);
    shop.check();
}

/// Servers that somebody else started, with a password for all: the users are made by whom they let in,
/// and kept in each node's own configuration.
#[test]
fn users_are_set_apart_on_servers_that_run_already_matrix() {
    let home = Home::new();
    let fleet = Fleet::start_with(3, |_| Spec {
        password: Some("old".to_owned()),
        has_file: true,
        ..Spec::default()
    });
    let old = home.file("old", "old\n");
    let list = fleet.list();
    let args = [
        "create",
        "shop",
        "--nodes",
        &list,
        "--masters",
        "3",
        "--replicas",
        "0",
    ];
    let more = [
        "--acl-users",
        "--yes",
        "--password-file",
        old.to_str().unwrap(),
    ];
    let dry = home.goodcache(&[&args[..], &more, &["--dry-run"]].concat());
    dry.run().expect(0);
    assert!(!home.path().join("state/goodcache/users").exists());
    let made = home.goodcache(&[&args[..], &more].concat()).run().expect(0);
    assert!(made.stdout.contains("are set apart"), "{}", made.stdout);
    assert!(!made.stdout.contains("forgets"), "{}", made.stdout);

    let folder = home.path().join("state/goodcache/users/shop");
    let password = |user: &str| fs::read_to_string(folder.join(user)).unwrap();
    for server in fleet.iter() {
        let mut wire = Wire::plain(&server.addr(), LIMIT).unwrap();
        assert!(matches!(wire.ask(&["PING"]).unwrap(), Reply::Error(_)));
        assert!(matches!(
            wire.ask(&["AUTH", "old"]).unwrap(),
            Reply::Error(_)
        ));
        for user in USERS {
            let login = wire.ask(&["AUTH", user, password(user).trim()]).unwrap();
            assert!(!matches!(login, Reply::Error(_)), "{user}: {login}");
        }
        let master = wire.ask(&["CONFIG", "GET", "masteruser"]).unwrap();
        assert!(master.to_string().contains("replication"), "{master}");
        let conf = fs::read_to_string(server.dir().join("server.conf")).unwrap();
        assert!(conf.contains("user application on "), "{conf}");
    }
    home.goodcache(&["check", "shop", "--sample", "0s", "--fail-on", "never"])
        .run()
        .expect(0);
    home.goodcache(&["backup", "shop", "--repo", "backups"])
        .run()
        .expect(0);
    let again = [&args[..], &["--acl-users", "--yes", "-o", "json"]].concat();
    let again = home.goodcache(&again).run().expect(0);
    assert_eq!(again.json()["report"]["standing"], "already_so");
}

#[test]
fn users_are_not_set_apart_where_that_cannot_be_kept() {
    let home = Home::new();
    let compose = [
        "create",
        "shop",
        "--docker",
        "--acl-users",
        "--write-compose",
        "shop.yaml",
    ];
    home.goodcache(&compose).run().expect(2);
    let user = [
        "create",
        "shop",
        "--local",
        "--acl-users",
        "--user",
        "ann",
        "--yes",
    ];
    home.goodcache(&user).run().expect(2);
    assert!(!home.path().join("state/goodcache/users").exists());
}
