//! A new password on a cluster of containers: nothing of either shows, the health check goes on, and who
//! is started again takes the new one.

use std::path::Path;

use super::{IMAGE, Project, await_whole, docker, eventually, redis};
use crate::support::{Home, free_ports};

const NEW: &str = "PlantedNewPassword \"2c\" \\ 9b";

/// Nothing that the engine tells of the project's containers holds one of those.
#[track_caller]
fn expect_hidden(project: &Project, secrets: &[&str]) {
    let containers = docker(&["ps", "-aq", "--filter", &project.label()]);
    for id in containers.lines() {
        for what in ["inspect", "logs", "top", "diff"] {
            let said = docker(&[what, id]);
            for secret in secrets {
                assert!(!said.contains(secret), "docker {what} {id}: {said}");
            }
        }
    }
}

fn saved(home: &Home, name: &str) -> String {
    let file = format!("state/goodcache/clusters/{name}.password");
    let text = std::fs::read_to_string(home.path().join(Path::new(&file))).unwrap();
    text.trim_end_matches('\n').to_owned()
}

fn health(container: &str) -> Result<(), String> {
    let said = docker(&["inspect", "-f", "{{json .State.Health}}", container]);
    match said.contains("\"Status\":\"healthy\"") {
        true => Ok(()),
        false => Err(said),
    }
}

#[test]
fn containers_take_the_new_password_and_come_back_with_it() {
    let project = Project::new("rotate", 1);
    let (home, name) = (Home::new(), project.name().to_owned());
    let base = free_ports(3);
    let port = base.to_string();
    let run = |args: &[&str]| home.goodcache(args).run().expect(0);
    run(&[
        "create",
        &name,
        "--docker",
        "--image",
        IMAGE,
        "--masters",
        "3",
        "--replicas",
        "0",
        "--base-port",
        &port,
        "--yes",
    ]);
    let old = saved(&home, &name);
    home.file("new.txt", NEW);
    let rotate = ["rotate-password", &name, "--yes", "-v"];
    run(&[&rotate[..], &["--new-password-file", "new.txt"]].concat());
    expect_hidden(&project, &[&old, NEW]);
    run(&[&rotate[..], &["--finish"]].concat());
    assert_eq!(saved(&home, &name), NEW);
    expect_hidden(&project, &[&old, NEW]);

    let containers: Vec<String> = (1..=3).map(|n| format!("{name}-redis-{n}")).collect();
    for container in &containers {
        docker(&["restart", "-t", "2", container]);
    }
    await_whole(base..base + 3, Some(NEW));
    for (port, container) in (base..base + 3).zip(&containers) {
        let refused = redis(port, Some(&old), &["ping"]);
        assert!(refused.contains("WRONGPASS"), "{refused}");
        eventually("its health check logs in", || health(container));
        let file = docker(&["exec", container, "cat", "/etc/goodcache/password"]);
        assert_eq!(file.trim_end_matches('\n'), NEW);
    }
    expect_hidden(&project, &[&old, NEW]);
    let check = ["check", &name, "--sample", "0s", "-o", "json"];
    let checked = home.goodcache(&check).run();
    let answering = &checked.json()["report"]["cluster"]["nodes_answering"];
    assert_eq!(*answering, 3, "{}", checked.stdout);
    run(&["destroy", &name, "--confirm", &name]);
    assert_eq!(project.leftovers(), Vec::<String>::new());
}
