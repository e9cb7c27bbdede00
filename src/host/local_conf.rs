//! The configuration file of a node that is a process of this machine.

use std::path::Path;

use super::certificates::Authority;
use super::node_conf::quoted;
use super::process::LocalSpec;
use super::users;

/// The settings of one node. It goes to the background by itself, so it outlives this program.
pub(super) fn settings(spec: &LocalSpec, folder: &Path, port: u16) -> String {
    let mut lines = vec![
        "bind 127.0.0.1".into(),
        "daemonize yes".into(),
        format!("dir {}", quoted(&folder.to_string_lossy())),
        file("pidfile", &folder.join("pid")),
        file("logfile", &folder.join("log")),
        "cluster-enabled yes".into(),
        "cluster-config-file nodes.conf".into(),
        format!("cluster-node-timeout {}", spec.node_timeout.as_millis()),
        "appendonly yes".into(),
    ];
    match &spec.authority {
        None => lines.push(format!("port {port}")),
        Some(authority) => lines.extend(tls_lines(authority, port)),
    }
    match (&spec.users, &spec.password) {
        (Some(users), _) => lines.extend([
            file("aclfile", &folder.join(users::FILE)),
            format!("masteruser {}", quoted(&users.replication.user)),
            format!("masterauth {}", quoted(users.replication.password.expose())),
        ]),
        (None, Some(password)) => lines.extend([
            format!("requirepass {}", quoted(password)),
            format!("masterauth {}", quoted(password)),
        ]),
        (None, None) => {}
    }
    lines.push(String::new());
    lines.join("\n")
}

/// TLS on the only port, between the nodes and to replicas too. Clients may show a certificate and
/// need none: they log in.
fn tls_lines(authority: &Authority, port: u16) -> Vec<String> {
    let pem = authority.of_node(&port.to_string());
    vec![
        "port 0".into(),
        format!("tls-port {port}"),
        file("tls-cert-file", &pem),
        file("tls-key-file", &pem),
        file("tls-ca-cert-file", &authority.trusted()),
        "tls-auth-clients optional".into(),
        "tls-replication yes".into(),
        "tls-cluster yes".into(),
    ]
}

fn file(name: &str, path: &Path) -> String {
    format!("{name} {}", quoted(&path.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::users::{Login, Users};
    use crate::model::Secret;

    #[test]
    fn a_password_is_quoted_as_the_servers_read_it() {
        assert_eq!(quoted("a b\"c\\d\n"), r#""a b\"c\\d\x0a""#);
        assert_eq!(quoted("ä"), r#""\xc3\xa4""#);
    }

    #[test]
    fn with_users_of_its_own_no_node_has_a_password_for_all() {
        let login = |user: &str| Login {
            user: user.into(),
            password: Secret::new(format!("{user}-secret")),
        };
        let spec = LocalSpec {
            folder: "/c".into(),
            server: "redis-server".into(),
            ports: vec![7001],
            node_timeout: std::time::Duration::from_secs(5),
            password: Some("admin-secret".into()),
            authority: None,
            users: Some(Users {
                lines: Vec::new(),
                replication: login("replication"),
                probe: login("check"),
            }),
        };
        let text = settings(&spec, Path::new("/c/7001"), 7001);
        assert!(text.contains("aclfile \"/c/7001/users.acl\"\n"), "{text}");
        assert!(text.contains("masteruser \"replication\"\n"), "{text}");
        assert!(
            text.contains("masterauth \"replication-secret\"\n"),
            "{text}"
        );
        assert!(
            !text.contains("requirepass") && !text.contains("admin-secret"),
            "{text}"
        );
    }
}
