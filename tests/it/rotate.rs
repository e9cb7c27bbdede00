//! A new password on a running cluster: no client sees an error, whatever ends the run the same command
//! goes on, and nothing begins while a node is away.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::support::{Fleet, Goodcache, Home, Outcome, Reply, Server, Spec, Wire, until};

const OLD: &str = "OldPassword-41c2";
const NEW: &str = "NewPassword-9e07";
const LIMIT: Duration = Duration::from_secs(15);

/// One master and its replicas, all with a configuration file, and a home to rotate from.
struct Stage {
    home: Home,
    fleet: Fleet,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(|_| Vec::new())
    }

    fn with(args: impl Fn(usize) -> Vec<String>) -> Stage {
        let fleet = Fleet::start_with(3, |n| Spec {
            password: Some(OLD.to_owned()),
            has_file: true,
            args: args(n),
            ..Spec::default()
        });
        fleet.join(1);
        let home = Home::new();
        home.file("new.txt", &format!("{NEW}\n"));
        Stage { home, fleet }
    }

    fn rotate(&self, password: &str, more: &[&str]) -> Goodcache {
        let addr = self.fleet[0].addr();
        let mut args = vec!["rotate-password", &addr, "--yes", "-o", "json"];
        args.extend(more);
        self.home.goodcache(&args).env("REDIS_PASSWORD", password)
    }

    fn journal(&self) -> Option<PathBuf> {
        let folder = self.home.path().join("state/goodcache/rotations");
        let mut files = fs::read_dir(folder)
            .ok()?
            .flatten()
            .map(|entry| entry.path());
        files.find(|path| path.extension().is_some_and(|ending| ending == "json"))
    }

    /// Whether every node lets the user in with that password; `None` when they differ.
    fn takes(&self, user: &str, password: &str) -> Option<bool> {
        let taken = self
            .fleet
            .iter()
            .filter(|node| log_in(&node.addr(), user, password).is_ok());
        match taken.count() {
            0 => Some(false),
            all if all == self.fleet.len() => Some(true),
            _ => None,
        }
    }

    fn as_admin(&self, n: usize, password: &str, command: &[&str]) -> String {
        let mut wire = log_in(&self.fleet[n].addr(), "default", password).unwrap();
        wire.ask(command).unwrap().text().unwrap()
    }

    fn full_syncs(&self, password: &str) -> String {
        let stats = self.as_admin(0, password, &["INFO", "stats"]);
        stats
            .lines()
            .find(|line| line.starts_with("sync_full:"))
            .unwrap()
            .to_owned()
    }

    fn wait_linked(&self, password: &str) {
        for n in 1..self.fleet.len() {
            until("the link stands", LIMIT, || {
                self.as_admin(n, password, &["INFO", "replication"])
                    .contains("master_link_status:up")
            });
        }
    }
}

fn log_in(addr: &str, user: &str, password: &str) -> io::Result<Wire> {
    let mut wire = Wire::plain(addr, LIMIT)?;
    match wire.ask(&["AUTH", user, password])? {
        Reply::Error(said) => Err(io::Error::other(said)),
        _ => Ok(wire),
    }
}

/// A client that connects, logs in, writes and leaves, over and over, and one that stays.
struct Writer {
    password: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Writer {
    fn start(server: &Server, user: &str, password: &str) -> Writer {
        let password = Arc::new(Mutex::new(password.to_owned()));
        let (stop, written) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let threads = [true, false].map(|is_reconnecting| {
            let (addr, user) = (server.addr(), user.to_owned());
            let (password, stop, written) = (password.clone(), stop.clone(), written.clone());
            thread::spawn(move || {
                let mut faults = Vec::new();
                let mut kept: Option<Wire> = None;
                while !stop.load(Ordering::Relaxed) {
                    let wire = match kept.take() {
                        Some(wire) => Ok(wire),
                        None => log_in(&addr, &user, &password.lock().unwrap().clone()),
                    };
                    let outcome = wire.and_then(|mut wire| {
                        let reply = wire.ask(&["INCR", "counter"])?;
                        Ok((wire, reply))
                    });
                    match outcome {
                        Ok((_, Reply::Error(said))) => faults.push(said),
                        Ok((wire, _)) => {
                            written.fetch_add(1, Ordering::Relaxed);
                            kept = Some(wire).filter(|_| !is_reconnecting);
                        }
                        Err(error) => faults.push(error.to_string()),
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                faults
            })
        });
        let writer = Writer {
            password,
            stop,
            written,
            threads: threads.into(),
        };
        writer.go_on();
        writer
    }

    /// Waits until more was written.
    fn go_on(&self) {
        let before = self.written.load(Ordering::Relaxed);
        until("the client writes", LIMIT, || {
            self.written.load(Ordering::Relaxed) > before + 20
        });
    }

    fn take(&self, password: &str) {
        password.clone_into(&mut self.password.lock().unwrap());
        self.go_on();
    }

    /// That not one write and not one login failed.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert_eq!(thread.join().unwrap(), Vec::<String>::new());
        }
    }
}

fn state(outcome: &Outcome) -> String {
    outcome.json()["report"]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn holding(folder: &Path, words: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, words, found);
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(words) {
            found.push(path);
        }
    }
}

#[test]
fn matrix_a_client_that_writes_all_the_while_sees_no_error() {
    let stage = Stage::new();
    let writer = Writer::start(&stage.fleet[0], "default", OLD);
    let copies = stage.full_syncs(OLD);

    let plan = stage.rotate(OLD, &["--dry-run"]).run().expect(0);
    assert_eq!(state(&plan), "planned");
    assert_eq!(stage.takes("default", NEW), Some(false));

    let added = stage
        .rotate(OLD, &["--new-password-file", "new.txt"])
        .run()
        .expect(0);
    assert_eq!(state(&added), "clients_turn");
    let report = &added.json()["report"];
    assert_eq!(report["is_for_replication"], true);
    for node in report["nodes"].as_array().unwrap() {
        assert_eq!(
            (&node["takes_new"], &node["takes_old"]),
            (&true.into(), &true.into())
        );
        assert_eq!(node["kept"], "config_file", "{node}");
        let wanted = if node["is_replica"] == true {
            "partial"
        } else {
            ""
        };
        assert_eq!(node["reconnected"].as_str().unwrap_or(""), wanted, "{node}");
    }
    assert_eq!(stage.takes("default", OLD), Some(true));
    assert_eq!(stage.takes("default", NEW), Some(true));
    assert!(
        report["lingering"][2]["older"].as_u64().unwrap() >= 1,
        "{report}"
    );
    writer.take(NEW);

    // The variable still holds the old one; the journal knows better.
    let done = stage.rotate(OLD, &["--finish"]).run().expect(0);
    assert_eq!(state(&done), "done");
    writer.go_on();
    writer.end();
    assert_eq!(stage.takes("default", OLD), Some(false));
    assert_eq!(stage.takes("default", NEW), Some(true));
    assert_eq!(stage.full_syncs(NEW), copies);
    assert_eq!(
        stage.as_admin(0, NEW, &["CONFIG", "GET", "requirepass"]),
        format!("requirepass\n{NEW}\n")
    );
    assert_eq!(stage.journal(), None);
    let mut found = Vec::new();
    holding(stage.home.path(), OLD, &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
    holding(stage.home.path(), NEW, &mut found);
    assert_eq!(found, [stage.home.path().join("new.txt")]);
    for server in stage.fleet.iter() {
        let conf = fs::read_to_string(server.dir().join("server.conf")).unwrap();
        assert!(!conf.contains(OLD) && conf.contains(NEW), "{conf}");
        assert!(!server.log().contains(NEW));
    }
    // Connected before, and again after the link is broken by whoever.
    stage.as_admin(1, NEW, &["CLIENT", "KILL", "TYPE", "master"]);
    stage.wait_linked(NEW);
}

#[test]
fn matrix_of_a_user_in_an_acl_file_the_file_follows() {
    let folder = tempfile::tempdir().unwrap();
    let file = |n: usize| folder.path().join(format!("{n}.acl"));
    for n in 0..3 {
        let users = format!(
            "user default on >{OLD} ~* &* +@all\nuser repl on >{OLD} +psync +replconf +ping\n\
             user app on >{OLD} ~app:* +@all\n"
        );
        fs::write(file(n), users).unwrap();
    }
    let stage = Stage::with(|n| {
        [
            "--aclfile",
            file(n).to_str().unwrap(),
            "--masteruser",
            "repl",
        ]
        .map(str::to_owned)
        .into()
    });
    let writer = Writer::start(&stage.fleet[0], "default", OLD);
    let run = |more: &[&str]| {
        let mut args = vec!["--of", "repl", "--new-password-file", "new.txt"];
        args.extend(more);
        stage.rotate(OLD, &args).run()
    };
    assert_eq!(state(&run(&[]).expect(0)), "clients_turn");
    assert_eq!(stage.takes("repl", OLD), Some(true));
    let wait = run(&["--wait-for-clients", "5s"]).expect(0);
    assert_eq!(state(&wait), "done");
    writer.go_on();
    writer.end();
    assert_eq!(stage.takes("repl", OLD), Some(false));
    assert_eq!(stage.takes("repl", NEW), Some(true));
    assert_eq!(stage.takes("app", OLD), Some(true), "others keep theirs");
    let report = &wait.json()["report"];
    for node in report["nodes"].as_array().unwrap() {
        let is_kept = ["acl_file", "config_file"]
            .iter()
            .any(|place| node["kept"] == *place);
        assert!(is_kept, "{node}");
        let wanted = if node["is_replica"] == true {
            "partial"
        } else {
            ""
        };
        assert_eq!(node["reconnected"].as_str().unwrap_or(""), wanted, "{node}");
    }
    for n in 0..3 {
        let users = fs::read_to_string(file(n)).unwrap();
        let line = users
            .lines()
            .find(|line| line.starts_with("user repl "))
            .unwrap();
        assert_eq!(line.matches('#').count(), 1, "{line}");
    }
    stage.as_admin(1, OLD, &["CLIENT", "KILL", "TYPE", "master"]);
    stage.wait_linked(OLD);
}

#[test]
fn whatever_step_it_is_killed_at_the_same_command_goes_on() {
    let stage = Stage::new();
    let writer = Writer::start(&stage.fleet[0], "default", OLD);
    let mut now = OLD.to_owned();
    let mut kills = 0;
    for round in 1..=18 {
        let changes = 1 + round / 2;
        let then = format!("Password-of-round-{round}");
        stage.home.file("new.txt", &then);
        let args = ["--new-password-file", "new.txt"];
        let to_the_turn = round % 2 == 1;
        let finish = ["--new-password-file", "new.txt", "--finish"];
        // Odd rounds are killed before the clients' turn, even ones anywhere.
        if !to_the_turn {
            stage.rotate(&now, &args).run().expect(0);
            writer.take(&then);
        }
        let what = if to_the_turn { &args[..] } else { &finish[..] };
        let mut run = stage.rotate(&now, what).spawn();
        let is_killed = kill_after(&stage, &mut run, changes);
        drop(run.wait());
        kills += usize::from(is_killed);
        if to_the_turn {
            assert_eq!(stage.takes("default", &now), Some(true), "round {round}");
            stage.rotate(&now, &args).run().expect(0);
            writer.take(&then);
        }
        // Of one that was killed between its last step and its end nothing is left to do.
        if stage.takes("default", &now) != Some(false) || stage.journal().is_some() {
            stage.rotate(&now, &finish).run().expect(0);
        }
        assert_eq!(stage.takes("default", &then), Some(true), "round {round}");
        assert_eq!(stage.takes("default", &now), Some(false), "round {round}");
        stage.wait_linked(&then);
        now = then;
    }
    // Some are whole before their journal was seen to change so often.
    assert!(kills >= 5, "killed {kills} times only");
    writer.end();
}

/// Kills a run once its journal was seen to change that often; whether it could be.
fn kill_after(stage: &Stage, run: &mut crate::support::Running, changes: usize) -> bool {
    let begun = Instant::now();
    let (mut seen, mut last) = (0, String::new());
    let is_alive = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    while is_alive(run.pid()) && begun.elapsed() < LIMIT {
        let text = stage
            .journal()
            .and_then(|path| fs::read_to_string(path).ok());
        let text = text.unwrap_or_default();
        if !text.is_empty() && text != last {
            seen += 1;
            last = text;
        }
        if seen >= changes {
            run.kill();
            return true;
        }
    }
    false
}

#[test]
fn a_node_that_is_away_refuses_it_and_all_goes_back_until_the_removal() {
    let mut stage = Stage::new();
    let args = ["--new-password-file", "new.txt"];
    let before = stage.as_admin(0, OLD, &["ACL", "LIST"]);
    stage.rotate(OLD, &["--undo"]).run().expect(5);

    stage.fleet[2].kill();
    let refused = stage.rotate(OLD, &args).run().expect(5);
    assert!(
        refused.stderr.contains(&stage.fleet[2].addr()),
        "{}",
        refused.stderr
    );
    assert_eq!(stage.as_admin(0, OLD, &["ACL", "LIST"]), before);
    assert_eq!(stage.journal(), None);
    stage.fleet[2].start_again();
    stage.wait_linked(OLD);
    until("all know that it is back", LIMIT, || {
        !stage
            .as_admin(0, OLD, &["CLUSTER", "NODES"])
            .contains("fail")
    });

    stage.rotate(OLD, &args).run().expect(0);
    stage.fleet[2].kill();
    // The removal waits for it.
    stage.rotate(OLD, &["--finish"]).run().expect(5);
    assert_eq!(
        log_in(&stage.fleet[0].addr(), "default", OLD)
            .map(|_| ())
            .map_err(|e| e.to_string()),
        Ok(())
    );
    stage.fleet[2].start_again();
    stage.wait_linked(OLD);

    let undone = stage.rotate(OLD, &["--undo"]).run().expect(0);
    assert_eq!(state(&undone), "undone");
    assert_eq!(stage.as_admin(0, OLD, &["ACL", "LIST"]), before);
    assert_eq!(stage.takes("default", NEW), Some(false));
    assert_eq!(stage.takes("default", OLD), Some(true));
    assert_eq!(
        stage.as_admin(1, OLD, &["CONFIG", "GET", "masterauth"]),
        format!("masterauth\n{OLD}\n")
    );
    assert_eq!(stage.journal(), None);
}

#[test]
fn no_password_crosses_monitor_or_the_slow_log() {
    let stage = Stage::new();
    for n in 0..3 {
        stage.as_admin(n, OLD, &["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    }
    let mut watching = log_in(&stage.fleet[0].addr(), "default", OLD).unwrap();
    watching.ask(&["MONITOR"]).unwrap();
    let args = ["--new-password-file", "new.txt", "--finish"];
    stage.rotate(OLD, &args).run().expect(0);
    stage.as_admin(0, NEW, &["SET", "the-end", "1"]);
    let mut told = String::new();
    while !told.contains("the-end") {
        told.push_str(&watching.read().unwrap().to_string());
    }
    assert!(!told.contains(NEW) && !told.contains(OLD), "{told}");
    for n in 0..3 {
        let slow = stage.as_admin(n, NEW, &["SLOWLOG", "GET", "1000"]);
        assert!(slow.to_lowercase().contains("masterauth"), "{slow}");
        assert!(!slow.contains(NEW) && !slow.contains(OLD), "{slow}");
    }
}

#[test]
fn the_saved_cluster_logs_in_with_the_new_one() {
    let home = Home::new();
    home.file("old.txt", OLD);
    let base = crate::support::free_ports(3).to_string();
    let create = [
        "create",
        "shop",
        "--local",
        "--masters",
        "3",
        "--replicas",
        "0",
        "--base-port",
        &base,
        "--password-file",
        "old.txt",
        "--yes",
    ];
    home.goodcache(&create).run().expect(0);
    let args = [
        "rotate-password",
        "shop",
        "--generate",
        "--yes",
        "--finish",
        "-o",
        "json",
    ];
    let done = home.goodcache(&args).run().expect(0);
    assert_eq!(state(&done), "done");
    let check = home
        .goodcache(&["check", "shop", "--sample", "0s", "-o", "json"])
        .run();
    assert_eq!(
        check.json()["report"]["cluster"]["nodes_answering"],
        3,
        "{}",
        check.stdout
    );
    // And once more, of the one that was made up.
    let again = home
        .goodcache(&["rotate-password", "shop", "--generate", "--yes"])
        .run()
        .expect(0);
    let both = home
        .goodcache(&["check", "shop", "--sample", "0s", "-o", "json"])
        .run();
    assert_eq!(
        both.json()["report"]["cluster"]["nodes_answering"],
        3,
        "{}",
        again.stdout
    );
    home.goodcache(&["rotate-password", "shop", "--undo", "--yes"])
        .run()
        .expect(0);
    let back = home
        .goodcache(&["check", "shop", "--sample", "0s", "-o", "json"])
        .run();
    assert_eq!(
        back.json()["report"]["cluster"]["nodes_answering"],
        3,
        "{}",
        back.stderr
    );
    home.goodcache(&["destroy", "shop", "--confirm", "shop"])
        .run()
        .expect(0);
}
