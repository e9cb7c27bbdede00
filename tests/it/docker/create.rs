//! `create --docker` as a user types it: usable from the host, the password seen nowhere, started
//! again by the same command, gone after destroy.

use super::{IMAGE, Project, docker};
use crate::support::{Home, Wire, free_ports};

/// A raw client at a published port, logged in.
fn client(port: u16, password: &str) -> Wire {
    let mut wire = Wire::plain(
        &format!("127.0.0.1:{port}"),
        std::time::Duration::from_secs(5),
    )
    .unwrap();
    let reply = wire.ask(&["AUTH", password]).unwrap();
    assert_eq!(reply.text().unwrap(), "OK");
    wire
}

#[test]
fn six_containers_are_usable_from_the_host_and_leave_nothing() {
    let project = Project::new("cli", 1);
    let home = Home::new();
    let name = project.name().to_owned();
    let base = free_ports(6);
    let port = base.to_string();
    let args = [
        "create",
        &name,
        "--docker",
        "--image",
        IMAGE,
        "--base-port",
        &port,
        "--yes",
        "-o",
        "json",
    ];
    let made = home.goodcache(&args).run().expect(0);
    assert_eq!(made.json()["report"]["is_usable"], true);

    let password_file = home
        .path()
        .join(format!("state/goodcache/clusters/{name}.password"));
    let password = std::fs::read_to_string(&password_file)
        .unwrap()
        .trim()
        .to_owned();
    let containers = docker(&["ps", "-q", "--filter", &project.label()]);
    assert_eq!(containers.lines().count(), 6);
    for id in containers.lines() {
        assert!(!docker(&["inspect", id]).contains(&password));
        assert!(!docker(&["top", id]).contains(&password));
        assert!(!docker(&["logs", id]).contains(&password));
    }

    // A client on the host is sent to where it can go.
    let mut first = client(base, &password);
    let moved = first
        .ask(&["SET", "foo", "bar"])
        .unwrap()
        .text()
        .unwrap_err();
    let to = moved.rsplit_once(' ').unwrap().1;
    assert!(moved.starts_with("MOVED 12182 127.0.0.1:"), "{moved}");
    let owner = to.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(
        client(owner, &password)
            .ask(&["SET", "foo", "bar"])
            .unwrap()
            .text()
            .unwrap(),
        "OK"
    );

    let checked = home
        .goodcache(&["check", "-o", "json", "--sample", "0s"])
        .run()
        .expect(0);
    assert_eq!(checked.json()["report"]["cluster"]["nodes_answering"], 6);

    docker(&["stop", "-t", "1", &format!("{name}-redis-6")]);
    let again = home
        .goodcache(&["create", &name, "--yes", "-o", "json"])
        .run()
        .expect(0);
    assert_eq!(again.json()["report"]["standing"], "already_so");
    assert_eq!(again.json()["report"]["is_usable"], true);

    home.goodcache(&["destroy", &name, "--confirm", &name])
        .run()
        .expect(0);
    assert_eq!(project.leftovers(), Vec::<String>::new());
    assert!(!password_file.exists());
}

#[test]
fn an_image_that_cannot_be_had_is_told_and_nothing_is_remembered() {
    let project = Project::new("noimage", 1);
    let home = Home::new();
    let outcome = home
        .goodcache(&[
            "create",
            project.name(),
            "--docker",
            "--image",
            "127.0.0.1:1/nowhere:1",
            "--yes",
        ])
        .run()
        .expect(1);
    assert!(outcome.stderr.contains("--image"), "{}", outcome.stderr);
    assert!(outcome.stdout.is_empty());
    assert_eq!(project.leftovers(), Vec::<String>::new());
    let check = home.goodcache(&["check"]).run().expect(2);
    assert!(
        check.stderr.contains("none was made here yet"),
        "{}",
        check.stderr
    );
}

#[test]
fn an_engine_that_is_not_there_is_told() {
    let outcome = crate::support::goodcache(&["create", "x", "--docker", "--yes"])
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .run()
        .expect(4);
    assert!(
        outcome.stderr.contains("no Docker Engine"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_compose_file_is_private_and_not_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let args = ["create", "shop", "--docker", "--write-compose", "shop.yaml"];
    let outcome = home.goodcache(&args).run().expect(0);
    let text = std::fs::read_to_string(home.path().join("shop.yaml")).unwrap();
    let password = std::fs::read_to_string(home.path().join("shop.password")).unwrap();
    assert!(!text.contains(password.trim()) && !outcome.stdout.contains(password.trim()));
    let mode = std::fs::metadata(home.path().join("shop.password"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    home.goodcache(&args).run().expect(5);
    assert_eq!(
        std::fs::read_to_string(home.path().join("shop.password")).unwrap(),
        password
    );
}
