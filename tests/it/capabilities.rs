//! What servers refuse is known before anything is begun: by commands that they do not have, by the rule
//! of the user who asks, and at no cost of a flight.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use goodcache::cluster::{Access, Ask};
use goodcache::model::{Capability, Permit};

use crate::core::{addr, look};
use crate::support::{Fleet, Home, Outcome, Server, Spec};

fn permit(server: &Server, capability: Capability, is_so: impl Fn(Permit<'_>) -> bool) {
    let survey = look(&Access::to([addr(server)]), &Ask::default());
    let (_, facts) = survey.answered().next().expect("it answers");
    let found = facts.permit(capability);
    assert!(is_so(found), "{capability:?}: {found:?}");
}

#[test]
fn a_server_of_ones_own_permits_everything_matrix() {
    let server = Server::start();
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    assert_eq!(survey.withheld(), []);
    let (_, facts) = survey.answered().next().unwrap();
    for capability in [
        Capability::Replication,
        Capability::Shutdown,
        Capability::Scan,
        Capability::Restore,
        Capability::ConfigGet,
        Capability::Commands,
    ] {
        assert_eq!(facts.permit(capability), Permit::Yes, "{capability:?}");
    }
}

#[test]
fn commands_that_were_taken_away_are_known_to_be_matrix() {
    let args = [
        "--rename-command",
        "PSYNC",
        "",
        "--rename-command",
        "FLUSHALL",
        "gone",
    ];
    let server = Server::start_with(Spec::with_args(&args));
    let says = |found: Permit<'_>| matches!(found, Permit::No(why) if why.contains("no command"));
    permit(&server, Capability::Replication, says);
    permit(&server, Capability::FlushAll, says);
    permit(&server, Capability::Dump, |found| found == Permit::Yes);
}

/// A server behind a door that counts flights: how often something was sent after something was answered.
fn counted(server: &Server) -> (String, Arc<AtomicUsize>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = door.local_addr().unwrap().to_string();
    let (flights, behind) = (Arc::new(AtomicUsize::new(0)), server.addr());
    let count = flights.clone();
    thread::spawn(move || {
        for client in door.incoming().flatten() {
            let server = TcpStream::connect(&behind).unwrap();
            let has_answered = Arc::new(AtomicBool::new(true));
            let (is_turn, count) = (has_answered.clone(), count.clone());
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                pass(from, to, || {
                    if is_turn.swap(false, Ordering::SeqCst) {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            });
            thread::spawn(move || {
                pass(server, client, || {
                    has_answered.store(true, Ordering::SeqCst)
                })
            });
        }
    });
    (at, flights)
}

fn pass(mut from: TcpStream, mut to: TcpStream, seen: impl Fn()) {
    let mut bytes = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        seen();
        if to.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_look_is_one_flight_capabilities_and_all() {
    let server = Server::start();
    let (door, flights) = counted(&server);
    let survey = look(&Access::to([door.parse().unwrap()]), &Ask::default());
    let (_, facts) = survey.answered().next().unwrap();
    assert_eq!(facts.permit(Capability::Replication), Permit::Yes);
    assert_eq!(flights.load(Ordering::SeqCst), 1);
}

/// Three shards with a replica each, and a user who may not do everything.
struct Stage {
    fleet: Fleet,
    home: Home,
}

impl Stage {
    fn new() -> Stage {
        let fleet = Fleet::cluster(3, 1);
        for server in fleet.iter().take(3) {
            for n in 0..20 {
                // Most slots are another's.
                let _ = server.ask(&["SET", &format!("key:{n}"), "value"]);
            }
        }
        let home = Home::new();
        home.file("password", "pw");
        Stage { fleet, home }
    }

    /// The user may do all but that.
    fn forbid(&self, rule: &str) {
        for server in self.fleet.iter() {
            let words = [
                "ACL", "SETUSER", "weak", "reset", "on", ">pw", "~*", "&*", "+@all", rule,
            ];
            assert_eq!(server.cli(&words), "OK");
            server.cli(&["ACL", "LOG", "RESET"]);
        }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        let login = ["--user", "weak", "--password-file", "password"];
        self.home.goodcache(&[words, &login[..]].concat()).run()
    }

    /// It is refused with those words, nothing is changed, and no server had to say no.
    fn refuses(&self, rule: &str, words: &[&str], said: &[&str]) {
        self.forbid(rule);
        let refused = self.run(words).expect(5);
        assert_eq!(refused.stdout, "", "{words:?}");
        for said in said.iter().chain(&["nothing was changed"]) {
            assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
        }
        for server in self.fleet.iter() {
            assert_eq!(server.cli(&["ACL", "LOG"]), "", "{words:?} was tried");
        }
    }
}

#[test]
fn what_a_user_may_not_do_is_refused_before_it_is_tried() {
    let stage = Stage::new();
    let seed = stage.fleet[0].addr();
    let tune = [
        "tune",
        &seed,
        "--sample",
        "0s",
        "--profile",
        "session",
        "--apply",
        "--yes",
    ];
    stage.refuses(
        "-config|set",
        &tune,
        &["refuses CONFIG SET: the rule of user 'weak'", "+config|set"],
    );
    stage.refuses(
        "-config|rewrite",
        &[&tune[..], &["--rewrite"]].concat(),
        &["refuses CONFIG REWRITE", "+config|rewrite"],
    );
    let drill = ["failover-test", &seed, "--confirm", &seed, "--fault"];
    stage.refuses(
        "-cluster|failover",
        &[&drill[..], &["failover"]].concat(),
        &["refuses CLUSTER FAILOVER", "+cluster|failover"],
    );
    stage.forbid("-@dangerous");
    let listed = stage.run(&["check", &seed, "--sample", "0s", "-o", "json"]);
    let withheld = listed.json()["report"]["cluster"]["withheld"].clone();
    let of = |capability: &str| {
        let all = withheld.as_array().unwrap();
        all.iter()
            .find(|one| one["capability"] == capability)
            .cloned()
    };
    assert_eq!(of("config_get").expect("no CONFIG GET")["nodes"], 6);
    assert_eq!(of("scan"), None);

    stage.forbid("+ping");
    stage.run(&["backup", &seed, "--repo", "kept"]).expect(0);
    let flush = [
        "restore",
        "latest",
        &seed,
        "--repo",
        "kept",
        "--flush",
        "--confirm",
        &seed,
    ];
    stage.refuses(
        "-restore",
        &flush,
        &["refuses RESTORE: the rule of user 'weak'"],
    );
    stage.refuses("-flushall", &flush, &["refuses FLUSHALL", "--replace"]);
}

#[test]
fn servers_that_may_not_meet_make_no_cluster() {
    let fleet = Fleet::start(3);
    for server in fleet.iter() {
        let words = [
            "ACL",
            "SETUSER",
            "weak",
            "on",
            ">pw",
            "~*",
            "&*",
            "+@all",
            "-cluster|meet",
        ];
        server.cli(&words);
    }
    let home = Home::new();
    home.file("password", "pw");
    let nodes = fleet.list();
    let words = [
        "create",
        "shop",
        "--nodes",
        &nodes,
        "--replicas",
        "0",
        "--yes",
        "--user",
        "weak",
        "--password-file",
        "password",
    ];
    let refused = home.goodcache(&words).run().expect(5);
    let all = format!("{}{}", refused.stdout, refused.stderr);
    assert!(all.contains("does not permit CLUSTER MEET"), "{all}");
}
