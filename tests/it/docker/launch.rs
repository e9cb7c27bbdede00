//! What create does with an engine: launch, find, start again, remove, and say what is in the way.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goodcache::host::context::{Target, TlsFiles};
use goodcache::host::docker::{
    Absence, DockerError, Engine, RunningNode, find, launch, node_map, remove, start_stopped,
};
use goodcache::model::{Event, Events};

use super::{
    IMAGE, PASSWORD, Project, await_whole, docker, eventually, redis, run, write_certificates,
};

#[tokio::test]
async fn nodes_are_launched_found_started_again_and_removed() {
    let project = Project::new("life", 3);
    let engine = Engine::connect().await.unwrap();
    let nodes = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap();

    assert_eq!(nodes.len(), 3);
    for node in &nodes {
        assert_eq!(redis(node.port, None, &["ping"]).trim(), "PONG");
        let config = redis(node.port, None, &["config", "get", "appendonly"]);
        assert!(config.contains("yes"), "{config}");
        let user = docker(&[
            "exec",
            &node.container,
            "stat",
            "-c",
            "%U %a",
            "/etc/goodcache/node.conf",
        ]);
        assert_eq!(user.trim(), "redis 600");
    }
    // What a killed run would do: the same again, on what is there.
    let again = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap();
    assert_eq!(again, nodes);

    let victim = &nodes[1];
    docker(&["stop", "-t", "5", &victim.container]);
    let found = find(&engine, project.name()).await.unwrap();
    let running: Vec<bool> = found.nodes.iter().map(|node| node.is_running).collect();
    assert_eq!(running, [true, false, true]);
    let started = start_stopped(&engine, project.name()).await.unwrap();
    assert_eq!(started, std::slice::from_ref(&victim.container));
    let found = find(&engine, project.name()).await.unwrap();
    assert_eq!(found.nodes[1].ip, Some(victim.ip), "the address stays");
    assert_eq!(found.nodes[1].addr.as_ref(), Some(&victim.addr));

    let removed = remove(&engine, project.name()).await.unwrap();
    assert_eq!(
        (
            removed.containers.len(),
            removed.volumes.len(),
            removed.networks.len()
        ),
        (3, 3, 1)
    );
    assert_eq!(project.leftovers(), Vec::<String>::new());
    assert!(find(&engine, project.name()).await.unwrap().is_empty());
}

/// Joins the nodes as `goodcache create` does: at the addresses that they have for each other.
fn join(nodes: &[RunningNode], password: Option<&str>) {
    let first = &nodes[0];
    for (i, node) in nodes.iter().enumerate() {
        let share = 16_384 / nodes.len();
        let last = if i + 1 == nodes.len() {
            16_383
        } else {
            share * (i + 1) - 1
        };
        let range = [(share * i).to_string(), last.to_string()];
        let said = redis(
            node.port,
            password,
            &["cluster", "addslotsrange", &range[0], &range[1]],
        );
        assert_eq!(said.trim(), "OK");
        let (ip, port) = (node.ip.to_string(), node.port.to_string());
        let said = redis(first.port, password, &["cluster", "meet", &ip, &port]);
        assert_eq!(said.trim(), "OK");
    }
}

#[tokio::test]
async fn a_launch_that_was_cut_off_is_finished_by_the_next() {
    let project = Project::new("cut", 3);
    let engine = Engine::connect().await.unwrap();
    let events = Events::ignored();
    for after_ms in [60, 200, 400, 700] {
        let launched = launch(&engine, &project.spec, Some(PASSWORD), &events);
        let _ = tokio::time::timeout(Duration::from_millis(after_ms), launched).await;
    }
    let nodes = launch(&engine, &project.spec, Some(PASSWORD), &Events::ignored())
        .await
        .unwrap();
    for node in &nodes {
        assert_eq!(redis(node.port, Some(PASSWORD), &["ping"]).trim(), "PONG");
    }
    remove(&engine, project.name()).await.unwrap();
    assert_eq!(project.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn peers_meet_inside_and_a_plain_client_follows_from_outside() {
    let project = Project::new("join", 3);
    let engine = Engine::connect().await.unwrap();
    let nodes = launch(&engine, &project.spec, Some(PASSWORD), &Events::ignored())
        .await
        .unwrap();
    join(&nodes, Some(PASSWORD));
    await_whole(nodes.iter().map(|node| node.port), Some(PASSWORD));
    // One key in each third of the slots: the client must be sent from node to node.
    for key in ["foo", "bar", "hello"] {
        let said = redis(nodes[0].port, Some(PASSWORD), &["-c", "set", key, "1"]);
        assert_eq!(said.trim(), "OK");
    }

    let map = node_map(&engine).await.unwrap();
    for node in &nodes {
        let inside = map
            .iter()
            .find(|entry| entry.announced.host == node.ip.to_string())
            .unwrap_or_else(|| panic!("{} in {map:?}", node.ip));
        assert_eq!(inside.reachable, node.addr);
        assert_eq!(inside.container, node.container);
    }
    remove(&engine, project.name()).await.unwrap();
}

#[tokio::test]
async fn the_password_is_in_a_file_and_nowhere_else() {
    let project = Project::new("secret", 1);
    let engine = Engine::connect().await.unwrap();
    let nodes = launch(&engine, &project.spec, Some(PASSWORD), &Events::ignored())
        .await
        .unwrap();
    let node = &nodes[0];
    assert!(redis(node.port, None, &["ping"]).contains("NOAUTH"));
    assert_eq!(redis(node.port, Some(PASSWORD), &["ping"]).trim(), "PONG");
    let auth = redis(node.port, Some(PASSWORD), &["config", "get", "masterauth"]);
    assert_eq!(auth.lines().nth(1), Some(PASSWORD));
    eventually("the node is healthy", || {
        let status = docker(&["inspect", "-f", "{{.State.Health.Status}}", &node.container]);
        let log = docker(&["inspect", "-f", "{{json .State.Health}}", &node.container]);
        if status.trim() == "healthy" {
            Ok(())
        } else {
            Err(log)
        }
    });
    let shown = [
        docker(&["inspect", &node.container]),
        docker(&["top", &node.container]),
        docker(&["logs", &node.container]),
    ];
    assert!(!shown.concat().contains("s3cret"));
    let files = docker(&[
        "exec",
        &node.container,
        "stat",
        "-c",
        "%U %a %n",
        "/etc/goodcache",
        "/etc/goodcache/node.conf",
        "/etc/goodcache/password",
    ]);
    assert_eq!(
        files.lines().collect::<Vec<_>>(),
        [
            "redis 700 /etc/goodcache",
            "redis 600 /etc/goodcache/node.conf",
            "redis 600 /etc/goodcache/password"
        ]
    );
    // The server may write it anew, and does so readable by all (0644): the folder keeps it shut.
    let rewritten = redis(node.port, Some(PASSWORD), &["config", "rewrite"]);
    assert_eq!(rewritten.trim(), "OK");
    let user = docker(&["exec", &node.container, "stat", "-c", "%U", "/proc/1"]);
    assert_eq!(user.trim(), "redis");
}

#[tokio::test]
async fn what_is_in_the_way_is_told_before_anything_is_made() {
    let project = Project::new("way", 3);
    let engine = Engine::connect().await.unwrap();
    let held: Vec<TcpListener> = project.spec.nodes[1..]
        .iter()
        .map(|node| TcpListener::bind(("127.0.0.1", node.port)).unwrap())
        .collect();
    let error = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap_err();
    let DockerError::PortsTaken(taken) = &error else {
        panic!("{error}");
    };
    let ports: Vec<u16> = taken.iter().map(|taken| taken.port).collect();
    let wanted: Vec<u16> = project.spec.nodes[1..]
        .iter()
        .map(|node| node.port)
        .collect();
    assert_eq!(ports, wanted, "all of them at once");
    assert!(project.leftovers().is_empty(), "nothing was made");
    drop(held);

    let foreign = project.spec.volume_name(&project.spec.nodes[0]);
    docker(&["volume", "create", &foreign]);
    let refused = launch(&engine, &project.spec, None, &Events::ignored()).await;
    docker(&["volume", "rm", &foreign]);
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains(&format!("volume called {foreign}")),
        "{error}"
    );
    assert!(project.leftovers().is_empty(), "nothing was made");
}

#[tokio::test]
async fn a_foreign_container_keeps_its_name_and_its_life() {
    let project = Project::new("foreign", 1);
    let engine = Engine::connect().await.unwrap();
    let name = project.spec.container_name(&project.spec.nodes[0]);
    docker(&["create", "--name", &name, IMAGE]);
    let refused = launch(&engine, &project.spec, None, &Events::ignored()).await;
    let removed = remove(&engine, project.name()).await.unwrap();
    let still_there = run("docker", &["inspect", &name]).status.success();
    docker(&["rm", "-fv", &name]);
    assert!(still_there);
    assert!(removed.containers.is_empty());
    let error = refused.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("container called {name}")),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--name"));
}

#[tokio::test]
async fn another_cluster_of_that_name_is_not_taken_for_this_one() {
    let mut project = Project::new("other", 1);
    let engine = Engine::connect().await.unwrap();
    launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap();
    let port = project.spec.nodes[0].port;
    project.spec.nodes[0].port = port + 1;
    let error = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!("is on port {port}, not {}", port + 1)),
        "{error}"
    );
}

#[tokio::test]
async fn an_image_that_nobody_has_is_said_so_with_a_way_out() {
    let mut project = Project::new("image", 1);
    project.spec.image = "127.0.0.1:9/nobody/redis:7".to_owned();
    let engine = Engine::connect().await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let events = {
        let heard = Arc::clone(&heard);
        Events::to(move |event| heard.lock().unwrap().push(event))
    };
    let error = launch(&engine, &project.spec, None, &events)
        .await
        .unwrap_err();
    let hint = error.hint().unwrap();
    assert!(matches!(error, DockerError::NoImage { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    assert!(hint.contains("--image") && hint.contains(IMAGE), "{hint}");
    assert_eq!(
        heard.lock().unwrap().first(),
        Some(&Event::Began(format!(
            "pulling image {}",
            project.spec.image
        )))
    );
    assert!(project.leftovers().is_empty(), "nothing was made");
}

#[tokio::test]
async fn a_node_that_dies_of_its_settings_shows_its_log() {
    let mut project = Project::new("dies", 1);
    project.spec.settings = vec![("no-such-setting".to_owned(), "1".to_owned())];
    let engine = Engine::connect().await.unwrap();
    let error = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap_err();
    // The code is 1, unless the engine was about to start it again when it was asked.
    assert!(matches!(error, DockerError::Died { .. }), "{error}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_apart() {
    let target = |host: &str| Target {
        host: host.to_owned(),
        tls: None,
        origin: "DOCKER_HOST".to_owned(),
    };
    let dir = tempfile::tempdir().unwrap();
    let certificates = dir.path().join("tls");
    write_certificates(&certificates);
    let with_tls = Target {
        tls: Some(TlsFiles {
            ca: certificates.join("ca.crt"),
            cert: certificates.join("node.crt"),
            key: certificates.join("node.key"),
        }),
        ..target("tcp://127.0.0.1:9")
    };
    for (target, wanted) in [
        (target("unix:///no/such/docker.sock"), Absence::NoSocket),
        (target("tcp://127.0.0.1:9"), Absence::Refused),
        (with_tls, Absence::Refused),
    ] {
        let host = &target.host.clone();
        let error = Engine::connect_to(target).await.unwrap_err();
        assert!(error.to_string().contains(host), "{error}");
        assert!(error.hint().is_some());
        match error {
            DockerError::NoEngine { why, .. } => assert_eq!(why, wanted),
            other => panic!("{other}"),
        }
    }
}
