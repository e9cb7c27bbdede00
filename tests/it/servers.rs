//! The ground itself: servers start, stop, come back and join, on whichever version is under test.

use std::sync::Arc;

use crate::support::{Certificates, Fleet, Home, Server, Spec, until};

#[test]
fn matrix_six_servers_join_and_a_paused_one_is_silent() {
    let fleet = Fleet::cluster(3, 1);
    let nodes = fleet[0].cli(&["CLUSTER", "NODES"]);
    assert_eq!(nodes.lines().count(), 6, "{nodes}");
    assert_eq!(nodes.matches("slave").count(), 3, "{nodes}");

    fleet[5].pause();
    until(
        "the others flag it",
        std::time::Duration::from_secs(20),
        || fleet[0].cli(&["CLUSTER", "NODES"]).contains("fail"),
    );
    fleet[5].resume();
    assert_eq!(fleet[5].cli(&["PING"]), "PONG");
}

#[test]
fn a_killed_server_comes_back_under_its_old_name() {
    let mut server = Server::start();
    let (id, pid) = (server.id(), server.pid());
    server.restart();
    assert_eq!(server.id(), id);
    assert_ne!(server.pid(), pid);
}

#[test]
fn a_server_with_a_password_and_tls_lets_in_who_has_both() {
    let server = Server::start_with(Spec {
        password: Some("open sesame".to_owned()),
        tls: Some(Arc::new(Certificates::new())),
        ..Spec::default()
    });
    assert_eq!(server.cli(&["PING"]), "PONG");
    assert_eq!(server.field(&["INFO"], "redis_mode").unwrap(), "cluster");
}

#[test]
fn what_a_test_started_in_its_home_ends_with_it() {
    let home = Home::new();
    let args = ["--port", "0", "--save", "", "--unixsocket", "server.sock"];
    let server = home.program("redis-server", &args).spawn();
    let is_there = || {
        std::path::Path::new(&format!("/proc/{}/cwd", server.pid()))
            .read_link()
            .is_ok()
    };
    until(
        "the server has begun",
        std::time::Duration::from_secs(20),
        || home.path().join("server.sock").exists(),
    );
    drop(home);
    until(
        "the server has ended",
        std::time::Duration::from_secs(20),
        || !is_there(),
    );
}
