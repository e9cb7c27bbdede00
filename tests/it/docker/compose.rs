//! Compose and this program know each other's containers, and the files that it writes start.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use goodcache::host::compose::{
    Options, compose, keys_file, passphrase_file, password_file, sidecar,
};
use goodcache::host::docker::{Engine, find, launch, remove};
use goodcache::model::Events;

use super::{PASSWORD, Project, await_whole, docker, eventually, redis, run, write_certificates};

/// A compose file of the project, in a folder that docker-compose can read.
fn compose_file(project: &Project, options: Options, dir: &Path) -> PathBuf {
    let path = dir.join("cluster.yaml");
    std::fs::write(&path, compose(&project.spec, options).unwrap()).unwrap();
    path
}

/// Runs docker-compose, in whichever form is installed.
fn docker_compose(project: &Project, file: &Path, args: &[&str]) -> String {
    let has_plugin = run("docker", &["compose", "version"]).status.success();
    let mut command = Command::new(if has_plugin {
        "docker"
    } else {
        "docker-compose"
    });
    if has_plugin {
        command.arg("compose");
    }
    command
        .args(["-p", project.name(), "-f"])
        .arg(file)
        .args(args);
    command.env("GOODCACHE_SUBNET", free_subnet());
    let output = command
        .output()
        .expect("docker compose, or docker-compose, is installed");
    assert!(
        output.status.success(),
        "compose {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The first three numbers of a subnet of this test process alone.
fn free_subnet() -> String {
    let pid = std::process::id();
    format!("10.{}.{}", 200 + pid / 256 % 50, pid % 256)
}

const PLAIN: Options = Options {
    replicas: 0,
    has_password: false,
    is_tls: false,
};

#[tokio::test]
async fn compose_knows_what_create_made() {
    let project = Project::new("known", 2);
    let engine = Engine::connect().await.unwrap();
    let nodes = launch(&engine, &project.spec, None, &Events::ignored())
        .await
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = compose_file(&project, PLAIN, dir.path());
    let listed = docker_compose(&project, &file, &["ps", "-q"]);
    let listed: BTreeSet<&str> = listed.lines().collect();
    assert_eq!(listed.len(), nodes.len(), "{listed:?}");
    // The second version of compose needs no file for this; it asks for these labels.
    let label = format!("label=com.docker.compose.project={}", project.name());
    let asked = docker(&[
        "ps",
        "-q",
        "--filter",
        &label,
        "--filter",
        "label=com.docker.compose.config-hash",
        "--filter",
        "label=com.docker.compose.oneoff=False",
    ]);
    assert_eq!(asked.lines().count(), nodes.len());
    docker_compose(&project, &file, &["down", "-v"]);
    assert_eq!(project.leftovers(), Vec::<String>::new());
}

#[tokio::test]
async fn a_compose_file_makes_a_whole_cluster() {
    let project = Project::new("compose", 3);
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        has_password: true,
        ..PLAIN
    };
    let file = compose_file(&project, options, dir.path());
    let secret = dir.path().join(password_file(project.name()));
    std::fs::write(secret, format!("{PASSWORD}\n")).unwrap();
    docker_compose(&project, &file, &["up", "-d"]);
    await_whole(
        project.spec.nodes.iter().map(|node| node.port),
        Some(PASSWORD),
    );

    let engine = Engine::connect().await.unwrap();
    let found = find(&engine, project.name()).await.unwrap();
    assert_eq!(found.nodes.len(), 3);
    assert!(found.is_made_by_compose());
    let error = remove(&engine, project.name()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("down"), "{error}");
    let inspected = docker(&["inspect", &found.nodes[0].container]);
    assert!(!inspected.contains("s3cret"));

    // Gone but for the data, and up again: the same cluster, joined by nobody anew.
    docker_compose(&project, &file, &["down"]);
    docker_compose(&project, &file, &["up", "-d"]);
    await_whole(
        project.spec.nodes.iter().map(|node| node.port),
        Some(PASSWORD),
    );
    docker_compose(&project, &file, &["down", "-v"]);
    assert_eq!(project.leftovers(), Vec::<String>::new());
}

#[test]
fn a_compose_file_makes_a_cluster_over_tls() {
    let project = Project::new("tls", 3);
    let dir = tempfile::tempdir().unwrap();
    let tls = dir.path().join("tls");
    write_certificates(&tls);
    let options = Options {
        has_password: true,
        is_tls: true,
        ..PLAIN
    };
    let file = compose_file(&project, options, dir.path());
    let secret = dir.path().join(password_file(project.name()));
    // Without a line break at its end, as other programs write it.
    std::fs::write(secret, PASSWORD).unwrap();
    docker_compose(&project, &file, &["up", "-d"]);
    let ca = tls.join("ca.crt");
    let ca = ca.to_str().unwrap();
    for node in &project.spec.nodes {
        eventually("the cluster is whole over TLS", || {
            let ask = ["--tls", "--cacert", ca, "cluster", "info"];
            let info = redis(node.port, Some(PASSWORD), &ask);
            let is_whole = info.contains("cluster_state:ok") && info.contains("slots_ok:16384");
            if is_whole { Ok(()) } else { Err(info) }
        });
    }
    let port = project.spec.nodes[0].port;
    let said = redis(
        port,
        Some(PASSWORD),
        &["--tls", "--cacert", ca, "-c", "set", "foo", "1"],
    );
    assert_eq!(said.trim(), "OK");
    docker_compose(&project, &file, &["down", "-v"]);
}

/// Snapshots follow each other until it is stopped.
#[test]
fn a_compose_file_takes_backups_beside_a_cluster() {
    beside_a_cluster("backup", "no", |container| {
        let told = docker(&["logs", container]);
        match told.matches("TAKEN").count() {
            0 | 1 => Err(told),
            _ => Ok(()),
        }
    });
}

/// The same file archives every write where that is asked for.
#[test]
fn a_compose_file_follows_a_cluster() {
    beside_a_cluster("follow", "yes", |container| {
        let told = docker(&["logs", container]);
        if !told.contains("TAKEN") {
            return Err(told);
        }
        let archived = docker(&["exec", container, "sh", "-c", "echo /backups/log/*/*/all/*"]);
        match archived.contains("owners") {
            true => Ok(()),
            false => Err(archived),
        }
    });
}

/// The whole of it: TLS, a password, a passphrase, until it did what is waited for and was stopped.
fn beside_a_cluster(name: &str, follow: &str, is_done: impl Fn(&str) -> Result<(), String>) {
    let project = Project::new(name, 3);
    let dir = tempfile::tempdir().unwrap();
    write_certificates(&dir.path().join("tls"));
    let options = Options {
        has_password: true,
        is_tls: true,
        ..PLAIN
    };
    let file = compose_file(&project, options, dir.path());
    // The test's image holds the C library; no other may be there.
    let beside = sidecar(&project.spec, options).unwrap();
    let beside = beside
        .replace(
            "${GOODCACHE_BACKUP_IMAGE:-debian:stable-slim}",
            &project.spec.image,
        )
        .replace(
            "${GOODCACHE_PROGRAM:-./goodcache}",
            env!("CARGO_BIN_EXE_goodcache"),
        )
        .replace(
            "${GOODCACHE_BACKUP_EVERY:-24h}",
            if follow == "no" { "1s" } else { "24h" },
        )
        .replace("${GOODCACHE_BACKUP_FOLLOW:-no}", follow);
    let layer = dir.path().join("backup.yaml");
    std::fs::write(&layer, beside).unwrap();
    let secret = |name, words: &str| std::fs::write(dir.path().join(name), words).unwrap();
    secret(password_file(project.name()), PASSWORD);
    secret(passphrase_file(project.name()), "the passphrase\n");
    let keys = "AWS_ACCESS_KEY_ID=AKIAGOODCACHE\nAWS_SECRET_ACCESS_KEY='PlantedBucketKey 3f'\n";
    secret(keys_file(project.name()), keys);
    let layers = ["-f", layer.to_str().unwrap()];
    docker_compose(&project, &file, &[&layers[..], &["up", "-d"]].concat());
    let container = format!("{}-backup", project.name());
    eventually("backups are taken", || is_done(&container));
    let told = [
        docker(&["inspect", &container]),
        docker(&["logs", &container]),
    ]
    .concat();
    for secret in ["PlantedBucketKey", "the passphrase", "s3cret"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    // What runs there lets nobody see its environment, so the file is read as its shell reads it.
    let reads = ". /run/secrets/keys; echo \"$AWS_SECRET_ACCESS_KEY\"";
    let read = docker(&["exec", &container, "sh", "-c", reads]);
    assert_eq!(read.trim(), "PlantedBucketKey 3f");
    docker(&["stop", &container]);
    let ended = docker(&["inspect", "-f", "{{.State.ExitCode}}", &container]);
    assert_eq!(ended.trim(), "143");
    docker_compose(&project, &file, &[&layers[..], &["down", "-v"]].concat());
    assert_eq!(project.leftovers(), Vec::<String>::new());
}
