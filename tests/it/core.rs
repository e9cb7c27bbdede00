//! The connection core on real servers: logins, states, and finding the whole cluster from one seed.

use std::time::{Duration, Instant};

use goodcache::cluster::{Access, Ask, Credentials, NodeMap, Secret, survey};
use goodcache::model::{Answer, Facts, NodeAddr, NodeReport, Probe, Silence, Survey};

use crate::support::{Fleet, Server, Spec, until};

/// Surveys on a runtime of its own.
pub fn look(access: &Access, ask: &Ask) -> Survey {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(survey(access, ask))
}

/// Where a server is.
pub fn addr(server: &Server) -> NodeAddr {
    server.addr().parse().unwrap()
}

fn login(user: Option<&str>, password: &str) -> Credentials {
    Credentials {
        user: user.map(Into::into),
        password: Some(Secret::new(password)),
    }
}

fn with_login(server: &Server, user: Option<&str>, password: &str) -> Access {
    let mut access = Access::to([addr(server)]);
    access.credentials = login(user, password);
    access
}

fn pinging() -> Ask {
    Ask {
        pings: 2,
        ..Ask::default()
    }
}

#[track_caller]
fn only(survey: &Survey) -> &NodeReport {
    assert_eq!(survey.nodes.len(), 1, "{:?}", survey.nodes);
    &survey.nodes[0]
}

#[track_caller]
fn facts(survey: &Survey) -> &Facts {
    let row = only(survey);
    row.facts().unwrap_or_else(|| panic!("silent: {row:?}"))
}

/// The detail of a silent row, which must be in that state.
#[track_caller]
pub fn detail(row: &NodeReport, expected: Silence) -> &str {
    match &row.answer {
        Answer::Silent {
            silence, detail, ..
        } if *silence == expected => detail,
        other => panic!("not {expected}: {other:?}"),
    }
}

#[test]
fn a_password_is_wanted_wrong_or_right() {
    // Blanks, quotes and letters beyond ASCII are all parts of a password.
    let password = "pa ss\"wo'rd \\ zażółć ☃";
    let server = Server::start_with(Spec {
        password: Some(password.into()),
        ..Spec::default()
    });
    let none = look(&Access::to([addr(&server)]), &Ask::default());
    let said = detail(only(&none), Silence::PasswordWanted);
    assert_eq!(said, format!("{} wants a password", server.addr()));
    let wrong = look(&with_login(&server, None, "nonsense"), &Ask::default());
    let said = detail(only(&wrong), Silence::PasswordWrong);
    let expected = format!(
        "{} does not accept the password of user 'default'",
        server.addr()
    );
    assert_eq!(said, expected);
    let right = look(&with_login(&server, None, password), &pinging());
    assert_eq!(facts(&right).answers_without_password, Some(false));
    assert!(
        !serde_json::to_string(&right).unwrap().contains("zażółć"),
        "the password is in the survey"
    );
}

#[test]
fn a_password_that_nobody_asked_for_is_no_failure() {
    let server = Server::start();
    let survey = look(&with_login(&server, None, "spare"), &pinging());
    assert_eq!(facts(&survey).answers_without_password, Some(true));
}

#[test]
fn acl_users_may_what_they_may() {
    let server = Server::start();
    let user = |name: &str, rules: &[&str]| {
        server.cli(&[&["ACL", "SETUSER", name, "on", ">secret"], rules].concat());
    };
    user("full", &["~*", "+@all"]);
    user("blind", &["+ping"]);
    user(
        "modest",
        &["+ping", "+info", "+cluster|nodes", "+cluster|info"],
    );

    let full = look(&with_login(&server, Some("full"), "secret"), &pinging());
    assert_eq!(facts(&full).users.len(), 4);

    let wrong = look(&with_login(&server, Some("full"), "x"), &pinging());
    assert!(detail(only(&wrong), Silence::PasswordWrong).contains("user 'full'"));
    let nobody = look(&with_login(&server, Some("nobody"), "x"), &pinging());
    assert!(detail(only(&nobody), Silence::PasswordWrong).contains("user 'nobody'"));

    let blind = look(&with_login(&server, Some("blind"), "secret"), &pinging());
    let said = detail(only(&blind), Silence::Forbidden);
    assert!(
        said.contains("NOPERM") && said.contains("cluster"),
        "{said}"
    );

    let modest = look(&with_login(&server, Some("modest"), "secret"), &pinging());
    let facts = facts(&modest);
    assert!(facts.info.version().is_some());
    for probe in [
        Probe::Config,
        Probe::Acl,
        Probe::SlowLog,
        Probe::Latency,
        Probe::Modules,
        Probe::Clock,
    ] {
        let why = facts.why_not(probe).unwrap_or_default();
        assert!(why.contains("no permissions"), "{probe:?}: {why:?}");
        assert!(!why.contains(&server.addr()), "{why}");
    }
    assert_eq!(facts.why_not(Probe::Pings), None);
}

#[test]
fn a_renamed_command_is_not_read_and_says_why() {
    let server = Server::start_with(Spec::with_args(&["--rename-command", "CONFIG", ""]));
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let why = facts(&survey).why_not(Probe::Config).unwrap_or_default();
    assert!(why.starts_with("ERR unknown command"), "{why}");
    let server = Server::start_with(Spec::with_args(&["--rename-command", "CLUSTER", ""]));
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let said = detail(only(&survey), Silence::Forbidden);
    assert!(said.contains("answered: ERR unknown command"), "{said}");
}

#[test]
fn a_full_server_says_so() {
    let server = Server::start_with(Spec::with_args(&["--maxclients", "1"]));
    let held = server.connect().unwrap();
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let said = detail(only(&survey), Silence::Closed);
    let expected = "closed the connection: ERR max number of clients";
    assert!(said.contains(expected), "{said}");
    drop(held);
}

#[test]
fn a_server_outside_cluster_mode_is_named_so() {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::default()
    });
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let said = detail(only(&survey), Silence::NotCluster);
    assert_eq!(said, format!("{} is not in cluster mode", server.addr()));
}

#[test]
fn a_loading_server_is_a_row_in_that_state() {
    let mut server = Server::start_with(Spec::with_args(&[
        "--enable-debug-command",
        "yes",
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]));
    for slot in 0..16_384_u32 {
        if slot % 1024 == 0 {
            let slots: Vec<String> = (slot..slot + 1024).map(|slot| slot.to_string()).collect();
            let slots = slots.iter().map(String::as_str);
            let command: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots).collect();
            server.cli(&command);
        }
    }
    server.cli(&["DEBUG", "POPULATE", "20000", "key", "100"]);
    server.cli(&["SAVE"]);
    server.restart();
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let said = detail(only(&survey), Silence::Loading);
    assert_eq!(said, format!("{} is still loading its data", server.addr()));
}

#[test]
fn one_node_of_three_with_another_password_is_one_row() {
    let fleet = Fleet::cluster(3, 0);
    for server in fleet.iter() {
        let password = if server.port() == fleet[1].port() {
            "other"
        } else {
            "common"
        };
        server.cli(&["CONFIG", "SET", "requirepass", password]);
    }
    let survey = look(&with_login(&fleet[0], None, "common"), &Ask::default());
    assert_eq!(survey.nodes.len(), 3);
    for row in &survey.nodes {
        if row.addr == addr(&fleet[1]) {
            detail(row, Silence::PasswordWrong);
            assert!(row.id.is_some(), "the others know who it is");
        } else {
            assert!(row.facts().is_some(), "{row:?}");
        }
    }
}

#[test]
fn a_paused_node_costs_one_deadline_and_nothing_of_the_others() {
    let fleet = Fleet::cluster(3, 0);
    fleet[2].pause();
    let mut access = Access::to([addr(&fleet[0])]);
    access.deadline = Duration::from_millis(700);
    let begun = Instant::now();
    let survey = look(&access, &pinging());
    let took = begun.elapsed();
    fleet[2].resume();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(survey.answered().count(), 2);
    let row = survey.nodes.iter().find(|row| row.addr == addr(&fleet[2]));
    let said = detail(row.expect("a row"), Silence::Timeout);
    let expected = format!("{} did not answer within 0.7 s", fleet[2].addr());
    assert_eq!(said, expected);
    for (_, facts) in survey.answered() {
        assert_eq!(facts.pings_us.len(), 2);
    }
}

#[test]
fn a_node_paused_between_the_looks_keeps_its_facts_and_costs_one_deadline() {
    let fleet = Fleet::cluster(3, 0);
    let mut access = Access::to([addr(&fleet[0])]);
    access.deadline = Duration::from_millis(500);
    let ask = Ask {
        sample: Duration::from_millis(800),
        is_deep: true,
        ..pinging()
    };
    let begun = Instant::now();
    let survey = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(&access, &ask));
        // The burst is over when the server has counted it; the second sample is yet to come.
        let node = &fleet[1];
        until("the pings came", Duration::from_secs(5), || {
            let counted = node.field(&["INFO", "commandstats"], "cmdstat_time");
            counted.is_some()
        });
        node.pause();
        looking.join().unwrap()
    });
    let took = begun.elapsed();
    fleet[1].resume();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let row = survey.nodes.iter().find(|row| row.addr == addr(&fleet[1]));
    let facts = row.and_then(NodeReport::facts).expect("its first answers");
    for probe in [Probe::Sample, Probe::ForeignKeys] {
        let why = facts.why_not(probe).unwrap_or_default();
        assert!(why.contains("did not answer within 0.5 s"), "{why:?}");
    }
    let others = survey.answered().filter(|(_, facts)| facts.is_deep);
    assert_eq!(others.count(), 2);
}

#[test]
fn keys_in_the_slots_of_others_are_counted() {
    let fleet = Fleet::cluster(3, 0);
    let ask = Ask {
        is_deep: true,
        ..Ask::default()
    };
    // "foo" lies in slot 12182, which is the third's; "bar" in 5061, the first's.
    assert_eq!(fleet[2].cli(&["SET", "foo", "1"]), "OK");
    assert_eq!(fleet[0].cli(&["SET", "bar", "1"]), "OK");
    let access = Access::to([addr(&fleet[0])]);
    let sound = look(&access, &ask);
    let all = |survey: &Survey| -> Vec<(u16, u64)> {
        let found = survey.answered().flat_map(|(_, facts)| {
            assert!(facts.is_deep, "{:?}", facts.not_read);
            facts
                .foreign_keys
                .iter()
                .map(|open| (open.slot.number(), open.keys))
        });
        found.collect()
    };
    assert_eq!(all(&sound), []);
    // The first takes a key as if the slot were on its way to it, and forgets that it was.
    let slot = |rest: &[&str]| {
        fleet[0].cli(&[&["CLUSTER", "SETSLOT", "12182"], rest].concat());
    };
    slot(&["IMPORTING", &fleet[2].id()]);
    let mut wire = fleet[0].connect().unwrap();
    for command in [&["ASKING"][..], &["SET", "foo", "2"]] {
        assert_eq!(wire.ask(command).unwrap().text().unwrap(), "OK");
    }
    slot(&["STABLE"]);
    assert_eq!(all(&look(&access, &ask)), [(12182, 1)]);
}

#[test]
fn any_reachable_seed_suffices_and_two_names_are_one_node() {
    let fleet = Fleet::cluster(3, 1);
    let mut dead = Server::start();
    dead.kill();
    let port = fleet[0].port();
    let access = Access::to([
        addr(&dead),
        NodeAddr::new("localhost", port),
        NodeAddr::new("127.0.0.1", port),
        NodeAddr::new("nowhere.invalid", 1),
        addr(&fleet[4]),
    ]);
    let survey = look(&access, &Ask::default());
    assert_eq!(survey.answered().count(), 6, "{:?}", survey.nodes);
    let silent: Vec<_> = survey
        .nodes
        .iter()
        .filter_map(NodeReport::silence)
        .collect();
    assert_eq!(silent.len(), 2, "{silent:?}");
    assert!(silent.contains(&Silence::Refused), "{silent:?}");
    assert!(silent.contains(&Silence::Unreachable), "{silent:?}");
}

/// Two nodes that send clients to names which nobody can resolve.
fn fleet_with_hostnames() -> Fleet {
    let fleet = Fleet::start_with(2, |n| {
        let name = format!("redis-{n}.invalid");
        Spec::with_args(&["--cluster-announce-hostname", &name])
    });
    fleet[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &fleet[1].port().to_string()]);
    until(
        "they know each other's names",
        Duration::from_secs(20),
        || {
            fleet.iter().all(|server| {
                let nodes = server.cli(&["CLUSTER", "NODES"]);
                nodes.contains("redis-0.invalid")
                    && nodes.contains("redis-1.invalid")
                    && !nodes.contains("handshake")
            })
        },
    );
    fleet
}

#[test]
fn announced_names_are_reached_by_the_node_map() {
    let fleet = fleet_with_hostnames();
    let name = |n: usize| NodeAddr::new(format!("redis-{n}.invalid"), fleet[n].port());
    let mut access = Access::to([addr(&fleet[0])]);
    access.map = NodeMap::new((0..2).map(|n| (name(n), addr(&fleet[n]))));
    let ask = Ask {
        is_dialling: true,
        ..Ask::default()
    };
    let survey = look(&access, &ask);
    assert_eq!(survey.answered().count(), 2, "{:?}", survey.nodes);
    assert_eq!(survey.nodes.len(), 2, "{:?}", survey.nodes);
    assert!(survey.dialled.is_empty(), "{:?}", survey.dialled);
}

#[test]
fn a_name_that_leads_nowhere_is_passed_by_and_reported_when_dialled() {
    let fleet = fleet_with_hostnames();
    let ask = Ask {
        is_dialling: true,
        ..Ask::default()
    };
    let survey = look(&Access::to([addr(&fleet[0])]), &ask);
    assert_eq!(survey.answered().count(), 2, "{:?}", survey.nodes);
    assert_eq!(survey.nodes.len(), 2, "{:?}", survey.nodes);
    assert_eq!(survey.dialled.len(), 2, "{:?}", survey.dialled);
    for dialled in &survey.dialled {
        assert!(dialled.endpoint.host.ends_with(".invalid"));
        let error = dialled.error.as_deref().unwrap_or_default();
        assert!(error.contains("cannot be reached"), "{error}");
    }
}

#[test]
fn a_node_that_never_shakes_hands_is_not_asked() {
    let server = Server::start();
    let mut dead = Server::start();
    dead.kill();
    server.cli(&["CLUSTER", "MEET", "127.0.0.1", &dead.port().to_string()]);
    let survey = look(&Access::to([addr(&server)]), &Ask::default());
    let view = &facts(&survey).view;
    assert!(view.peers.iter().any(|peer| peer.flags.handshake));
}

#[test]
fn an_ipv6_cluster_is_found_from_a_literal_address() {
    let Ok(_) = std::net::TcpListener::bind("[::1]:0") else {
        // Said aloud, for a machine without IPv6 proves nothing here.
        eprintln!("no IPv6 loopback on this machine: nothing was shown");
        return;
    };
    let fleet = Fleet::start_with(2, |_| Spec::with_args(&["--bind", "127.0.0.1 ::1"]));
    fleet[0].cli(&["CLUSTER", "MEET", "::1", &fleet[1].port().to_string()]);
    until("they know each other", Duration::from_secs(20), || {
        fleet.iter().all(|server| {
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            nodes.lines().count() == 2 && nodes.contains("::1:") && !nodes.contains("handshake")
        })
    });
    let access = Access::to([NodeAddr::new("::1", fleet[0].port())]);
    let survey = look(&access, &Ask::default());
    assert_eq!(survey.answered().count(), 2, "{:?}", survey.nodes);
    assert!(survey.nodes.iter().all(|row| row.addr.host == "::1"));
}

#[test]
fn thirty_nodes_take_well_under_a_second_large() {
    let fleet = Fleet::start(30);
    let access = Access::to(fleet.iter().map(addr));
    let begun = Instant::now();
    let survey = look(&access, &pinging());
    let took = begun.elapsed();
    assert_eq!(survey.answered().count(), 30);
    assert!(took < Duration::from_secs(1), "{took:?}");
}
