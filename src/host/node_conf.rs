//! The configuration file of a node in a container, and the command that tells its health.
//!
//! A file rather than arguments: arguments are shown by `docker inspect` and `ps`, and the password
//! is among these lines. The server may rewrite the file (`CONFIG REWRITE`), so its folder belongs
//! to the user that runs the server; and nobody else may enter it, since a rewritten file is
//! readable by all (`rewriteConfigOverwriteFile` in the server's `config.c` sets 0644).

use super::certificates::Authority;
use super::spec::{ClusterSpec, NodeSpec};
use super::users::Users;

/// The folder that holds what goodcache puts into a container.
pub const FOLDER: &str = "/etc/goodcache";
/// The server's configuration. It ends in `.conf`, by which the entrypoints of the official images
/// know a configuration file and start their own server with it, be it Redis or Valkey.
pub const CONF: &str = "/etc/goodcache/node.conf";
/// The password alone, for the health check.
pub const PASSWORD: &str = "/etc/goodcache/password";

/// The users, where some are set apart.
pub const USERS: &str = "/etc/goodcache/users.acl";
/// The authority that a node trusts.
pub const TRUSTED: &str = "/etc/goodcache/ca.crt";
/// A node's key and certificate, in one file so that a renewal changes both at once.
pub const CERTIFICATE: &str = "/etc/goodcache/node.pem";

/// What is put into the nodes' containers, and stands in no description of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contents<'a> {
    /// One password for all, unless users are set apart.
    pub password: Option<&'a str>,
    /// Users set apart.
    pub users: Option<&'a Users>,
    /// Who made the nodes' certificates: they speak TLS and nothing else.
    pub authority: Option<&'a Authority>,
}

impl Contents<'_> {
    /// The password of the health check.
    pub fn probe(&self) -> Option<&str> {
        match self.users {
            Some(users) => Some(users.probe.password.expose()),
            None => self.password,
        }
    }
}

/// How a node of a compose file is reached over TLS; the files lie in [`FOLDER`].
pub const TLS_LINES: &[(&str, &str)] = &[
    ("tls-cert-file", "/etc/goodcache/node.crt"),
    ("tls-key-file", "/etc/goodcache/node.key"),
    ("tls-ca-cert-file", "/etc/goodcache/ca.crt"),
    ("tls-auth-clients", "optional"),
    ("tls-cluster", "yes"),
    ("tls-replication", "yes"),
];

/// The whole file, password included.
pub fn file(spec: &ClusterSpec, node: &NodeSpec, contents: &Contents) -> String {
    let mut text = match contents.authority {
        None => format!("port {}\n", node.port),
        Some(_) => format!("port 0\ntls-port {}\n{}", node.port, tls_lines()),
    };
    text.push_str(&shared(spec, contents.probe().is_some()));
    if let Some(users) = contents.users {
        let login = &users.replication;
        text.push_str(&format!("aclfile {USERS}\n"));
        text.push_str(&format!("masteruser {}\n", quoted(&login.user)));
        text.push_str(&format!("masterauth {}\n", quoted(login.password.expose())));
    } else if let Some(password) = contents.password {
        text.push_str(&format!("requirepass {}\n", quoted(password)));
        text.push_str(&format!("masterauth {}\n", quoted(password)));
    }
    text
}

fn tls_lines() -> String {
    format!(
        "tls-cert-file {CERTIFICATE}\n\
         tls-key-file {CERTIFICATE}\n\
         tls-ca-cert-file {TRUSTED}\n\
         tls-auth-clients optional\n\
         tls-cluster yes\n\
         tls-replication yes\n"
    )
}

/// The lines that are the same on every node: all but the port and the password.
pub fn shared(spec: &ClusterSpec, has_password: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name} {value}\n"));
    line("dir", "/data");
    line("cluster-enabled", "yes");
    line("cluster-config-file", "nodes.conf");
    line("cluster-node-timeout", &spec.node_timeout_ms.to_string());
    line("appendonly", if spec.is_aof { "yes" } else { "no" });
    // Clients come through the published port, so from the bridge and never from loopback: without
    // a password, protected mode would turn all of them away.
    line("protected-mode", if has_password { "yes" } else { "no" });
    if let Some(host) = &spec.announce_host {
        // The peers go on using the container's IP; only clients are sent to the name.
        line("cluster-announce-hostname", host);
        line("cluster-preferred-endpoint-type", "hostname");
    }
    for (name, value) in &spec.settings {
        line(name, &if_needed(value));
    }
    text
}

/// The shell command that ends with 0 when the node answers PING. It reads the password from the
/// file, so that the container's description holds none. Without a user it logs in as the default one.
pub fn health_command(port: u16, is_tls: bool, user: Option<&str>) -> String {
    let tls = if is_tls {
        format!(" --tls --cacert {TRUSTED}")
    } else {
        String::new()
    };
    let user = user
        .map(|user| format!(" --user {user}"))
        .unwrap_or_default();
    format!(
        "if [ -s {PASSWORD} ]; then REDISCLI_AUTH=$(cat {PASSWORD}); export REDISCLI_AUTH; fi; \
         [ \"$(redis-cli{tls}{user} -p {port} ping)\" = PONG ]"
    )
}

/// A value as it came where the server takes it so (several words are several arguments, as in
/// `save 900 1`); a value with quotes or backslashes is one argument.
fn if_needed(value: &str) -> String {
    if value.is_empty() || value.contains(['"', '\'', '\\', '#']) {
        quoted(value)
    } else {
        value.to_owned()
    }
}

/// As one double-quoted argument, by the rules of `sdssplitargs` in the server's `sds.c`.
pub(super) fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::users::Login;
    use crate::model::Secret;

    fn spec() -> ClusterSpec {
        ClusterSpec::new("shop", "redis:7", 1, 7001)
    }

    #[test]
    fn clients_are_sent_to_the_host_name_and_the_port_is_the_published_one() {
        let spec = spec();
        let text = file(&spec, &spec.nodes[0], &Contents::default());
        for line in [
            "port 7001\n",
            "appendonly yes\n",
            "cluster-node-timeout 5000\n",
            "cluster-announce-hostname 127.0.0.1\n",
            "cluster-preferred-endpoint-type hostname\n",
            "protected-mode no\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("requirepass"));
    }

    #[test]
    fn users_set_apart_take_the_place_of_the_password() {
        let spec = spec();
        let login = |user: &str| Login {
            user: user.into(),
            password: Secret::new(format!("{user}-secret")),
        };
        let users = Users {
            lines: Vec::new(),
            replication: login("replication"),
            probe: login("check"),
        };
        let contents = Contents {
            users: Some(&users),
            ..Contents::default()
        };
        let text = file(&spec, &spec.nodes[0], &contents);
        for line in [
            "aclfile /etc/goodcache/users.acl\n",
            "masteruser \"replication\"\n",
            "masterauth \"replication-secret\"\n",
            "protected-mode yes\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("requirepass"), "{text}");
        assert_eq!(contents.probe(), Some("check-secret"));
        let command = health_command(7001, false, Some("check"));
        assert!(
            command.contains("redis-cli --user check -p 7001"),
            "{command}"
        );
    }

    #[test]
    fn before_7_0_nothing_is_announced() {
        let mut spec = spec();
        spec.announce_host = None;
        assert!(!file(&spec, &spec.nodes[0], &Contents::default()).contains("announce"));
    }

    #[test]
    fn any_password_stays_within_its_line() {
        for (password, wanted) in [
            ("plain", r#""plain""#),
            (r#"a "b" \c"#, r#""a \"b\" \\c""#),
            ("ü\n#", r#""\xc3\xbc\x0a#""#),
        ] {
            let spec = spec();
            let contents = Contents {
                password: Some(password),
                ..Contents::default()
            };
            let text = file(&spec, &spec.nodes[0], &contents);
            assert!(text.contains(&format!("requirepass {wanted}\n")), "{text}");
            assert!(text.contains(&format!("masterauth {wanted}\n")), "{text}");
            assert!(text.contains("protected-mode yes\n"));
        }
    }

    #[test]
    fn a_setting_of_several_words_stays_several_words() {
        let mut spec = spec();
        spec.settings = vec![
            ("client-output-buffer-limit".into(), "replica 0 0 0".into()),
            ("save".into(), String::new()),
        ];
        let text = file(&spec, &spec.nodes[0], &Contents::default());
        assert!(text.contains("client-output-buffer-limit replica 0 0 0\n"));
        assert!(text.contains("save \"\"\n"));
    }
}
