//! `create --docker --tls --acl-users`: nothing in clear, each container with a certificate of its own
//! and the users set apart, found and checked by the cluster's name alone.

use std::time::Duration;

use super::{IMAGE, Project, docker};
use crate::support::{Home, Wire, free_ports, until};

const LIMIT: Duration = Duration::from_secs(60);

/// What a node says, asked inside its container as its health check does.
fn inside(container: &str, port: u16, command: &str) -> String {
    let line = format!(
        "REDISCLI_AUTH=$(cat /etc/goodcache/password) redis-cli --no-auth-warning --user check \
         --tls --cacert /etc/goodcache/ca.crt -p {port} {command}"
    );
    docker(&["exec", container, "sh", "-c", &line])
}

#[test]
fn containers_speak_tls_to_clients_and_to_each_other() {
    let project = Project::new("secured", 1);
    let home = Home::new();
    let name = project.name().to_owned();
    let base = free_ports(6);
    let port = base.to_string();
    let args = [
        "create",
        &name,
        "--docker",
        "--tls",
        "--acl-users",
        "--node-timeout",
        "2s",
        "--image",
        IMAGE,
        "--base-port",
        &port,
        "--yes",
        "-o",
        "json",
    ];
    let made = home.goodcache(&args).within(3 * LIMIT).run().expect(0);
    assert_eq!(made.json()["report"]["is_usable"], true);

    let plain = Wire::plain(&format!("127.0.0.1:{base}"), Duration::from_secs(5))
        .and_then(|mut wire| wire.ask(&["PING"]));
    assert!(plain.is_err(), "{plain:?}");
    let password = home
        .path()
        .join(format!("state/goodcache/users/{name}/admin"));
    let password = std::fs::read_to_string(password).unwrap();
    let container = |n: u16| format!("{name}-redis-{n}");
    for n in 1..=6 {
        let conf = docker(&["exec", &container(n), "cat", "/etc/goodcache/node.conf"]);
        for line in [
            "port 0",
            "tls-cluster yes",
            "tls-replication yes",
            "masteruser",
        ] {
            assert!(conf.contains(line), "{line}: {conf}");
        }
        let listed = docker(&["exec", &container(n), "ls", "-ln", "/etc/goodcache"]);
        let files = listed
            .lines()
            .filter(|line| line.contains("node.") || line.contains("users"));
        let files: Vec<&str> = files.collect();
        assert_eq!(files.len(), 3, "{listed}");
        assert!(
            files.iter().all(|line| line.starts_with("-rw-------")),
            "{listed}"
        );
        assert!(!docker(&["inspect", &container(n)]).contains(password.trim()));
        until("its health check logs in", LIMIT, || {
            docker(&["inspect", "-f", "{{.State.Health.Status}}", &container(n)]).trim()
                == "healthy"
        });
    }
    let linked = |n: u16| {
        let said = inside(&container(n), base + n - 1, "info replication");
        said.contains("role:master") || said.contains("master_link_status:up")
    };
    assert!((1..=6).all(linked));

    let checked = home
        .goodcache(&[
            "check",
            &name,
            "-o",
            "json",
            "--sample",
            "0s",
            "--fail-on",
            "never",
        ])
        .run()
        .expect(0);
    assert_eq!(checked.json()["report"]["cluster"]["nodes_answering"], 6);
    let backup = home.goodcache(&["backup", &name, "--repo", "backups"]);
    backup.within(3 * LIMIT).run().expect(0);

    // New certificates while the nodes run.
    let shown = |n: u16| docker(&["exec", &container(n), "cat", "/etc/goodcache/node.pem"]);
    let before: Vec<String> = (1..=6).map(shown).collect();
    let renewed = home
        .goodcache(&["create", &name, "--renew-tls", "--yes", "-o", "json"])
        .run()
        .expect(0);
    let nodes = &renewed.json()["report"]["renewed"];
    assert_eq!(nodes.as_array().unwrap().len(), 6, "{}", renewed.stdout);
    assert!(
        (1..=6)
            .map(shown)
            .zip(&before)
            .all(|(now, then)| now != *then)
    );

    // A new password of the user of the health check, and a node that starts again by what it holds.
    let args = [
        "rotate-password",
        &name,
        "--of",
        "check",
        "--generate",
        "--finish",
        "--yes",
    ];
    home.goodcache(&args).within(3 * LIMIT).run().expect(0);
    docker(&["restart", "-t", "5", &container(6)]);
    until("it is linked again", LIMIT, || {
        let said = inside(&container(6), base + 5, "info replication");
        said.contains("role:master") || said.contains("master_link_status:up")
    });
    home.goodcache(&["check", &name, "--sample", "0s", "--fail-on", "never"])
        .run()
        .expect(0);
    home.goodcache(&["destroy", &name, "--confirm", &name])
        .run()
        .expect(0);
    assert_eq!(project.leftovers(), Vec::<String>::new());
}
