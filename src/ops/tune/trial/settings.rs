//! Which of a node's settings its copy takes over: all that say how it works, and none that say where
//! it stands, what it keeps where, who may come in and who its peers are. What is left at the server's
//! own default needs no word.
//!
//! `maxmemory` is neither: the copy holds a part of the data only, so it is set last, to leave the copy
//! as full as the node is.

use std::collections::BTreeMap;

use super::pick::Tried;
use crate::ops::tune::form;

/// Of what the server reads at its start only, what may change how fast it is or what it can hold.
const AT_START: &[&str] = &[
    "databases",
    "disable-thp",
    "io-threads",
    "io-threads-do-reads",
    "rdbchecksum",
    "tcp-backlog",
];

/// Names and beginnings of names, and what they have to do with.
const NOT_HERE: &[(&[&str], &str)] = &[
    (
        &[
            "requirepass",
            "masterauth",
            "masteruser",
            "primaryauth",
            "primaryuser",
            "acl",
            "protected-mode",
            "user",
        ],
        "it is about secrets and who may come in, and the copy is open to nobody else",
    ),
    (
        &["cluster-", "cluster", "allow-", "availability-zone"],
        "it is about the cluster's nodes among each other, and the copy is alone",
    ),
    (
        &[
            "repl-",
            "replica-",
            "replicaof",
            "slave-",
            "slaveof",
            "min-replicas-",
            "min-slaves-",
            "dual-channel-",
            "primary-",
            "master-",
        ],
        "it is about replicas, and the copy has none",
    ),
    (
        &[
            "port",
            "bind",
            "tls-",
            "unixsocket",
            "socket-",
            "rdma-",
            "mptcp",
            "mdns",
        ],
        "it is about where the server listens, and the copy listens on loopback",
    ),
    (
        &[
            "dir",
            "dbfilename",
            "logfile",
            "pidfile",
            "appendfilename",
            "appenddirname",
            "syslog-",
            "crash-",
            "locale-",
            "enable-",
            "daemonize",
            "supervised",
            "oom-score",
            "proc-title",
            "set-proc-title",
            "always-show-logo",
            "server_cpulist",
            "server-cpulist",
            "bio_cpulist",
            "bio-cpulist",
            "aof_rewrite_cpulist",
            "aof-rewrite-cpulist",
            "bgsave_cpulist",
            "bgsave-cpulist",
            "shutdown-",
            "loadmodule",
            "import-mode",
            "hide-user-data",
            "debug-",
            "watchdog-period",
            "use-exit-on-panic",
        ],
        "it is about the server's place on its machine, and the copy has its own",
    ),
];

/// Why a copy has no such setting to try; `None` when it has.
pub fn why_not_here(name: &str) -> Option<&'static str> {
    let is = |known: &&str| match known.ends_with(['-', '_']) {
        true => name.starts_with(*known),
        false => name == *known || (*known == "acl" && name.starts_with("acl")),
    };
    let (_, why) = NOT_HERE.iter().find(|(names, _)| names.iter().any(is))?;
    Some(why)
}

/// What a copy must be started with: of the node's settings what is read at the start only, and with
/// the changes those of them that are too.
pub fn at_start(node: &BTreeMap<String, String>, tried: &[Tried]) -> Vec<(String, String)> {
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    for name in AT_START {
        if let Some(value) = node.get(*name) {
            settings.insert(name, value);
        }
    }
    for one in tried.iter().filter(|one| one.is_at_start) {
        settings.insert(&one.parameter, &one.proposed);
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    settings.into_iter().map(owned).collect()
}

/// What of the node's settings is to be set on a copy that presently has those: what differs, belongs
/// here and is known to the copy.
pub fn to_set(
    node: &BTreeMap<String, String>,
    copy: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let differing = node.iter().filter(|(name, value)| {
        let is_ours = why_not_here(name).is_none()
            && !AT_START.contains(&name.as_str())
            && name.as_str() != "maxmemory";
        let present = copy.get(*name);
        is_ours && present.is_some_and(|present| !form::is_same(name, present, value))
    });
    differing
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The limit that leaves a copy as full as its node: both uses and the limit in bytes. 0 is none.
pub fn scaled_limit(limit: u64, node_used: u64, copy_used: u64) -> u64 {
    if limit == 0 || node_used == 0 {
        return 0;
    }
    let scaled = u128::from(copy_used) * u128::from(limit) / u128::from(node_used);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_copy_takes_over_what_says_how_the_node_works() {
        let node = map(&[
            ("hash-max-listpack-entries", "64"),
            ("hz", "10"),
            ("dir", "/data"),
            ("port", "7001"),
            ("requirepass", "(set)"),
            ("cluster-node-timeout", "5000"),
            ("min-replicas-to-write", "1"),
            ("maxmemory", "1000"),
            ("save", "900 1"),
            ("a-setting-of-later-servers", "1"),
            ("client-output-buffer-limit", "normal 0 0 0"),
            ("io-threads", "4"),
        ]);
        let copy = map(&[
            ("hash-max-listpack-entries", "128"),
            ("hz", "10"),
            ("dir", "/tmp"),
            ("port", "1"),
            ("requirepass", "x"),
            ("cluster-node-timeout", "15000"),
            ("min-replicas-to-write", "0"),
            ("maxmemory", "0"),
            ("save", "3600 1"),
            ("client-output-buffer-limit", "normal 1 1 1"),
            ("io-threads", "1"),
        ]);
        let set = to_set(&node, &copy);
        let names: Vec<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
        let expected = [
            "client-output-buffer-limit",
            "hash-max-listpack-entries",
            "save",
        ];
        assert_eq!(names, expected);
        assert_eq!(at_start(&node, &[]), [("io-threads".into(), "4".into())]);
    }

    #[test]
    fn what_is_read_at_the_start_is_given_at_the_start() {
        let tried = |is_at_start| Tried {
            rule: "cpu.io-threads".into(),
            parameter: "io-threads".into(),
            present: "1".into(),
            proposed: "4".into(),
            is_at_start,
        };
        let node = map(&[("io-threads", "1")]);
        for (is_at_start, value) in [(true, "4"), (false, "1")] {
            let start = at_start(&node, &[tried(is_at_start)]);
            assert_eq!(start, [("io-threads".into(), value.into())]);
        }
    }

    #[test]
    fn a_copy_is_as_full_as_its_node() {
        for (limit, node, copy, expected) in [
            (0, 500, 50, 0),
            (1_000, 0, 50, 0),
            (1_000, 500, 50, 100),
            (1_000, 1_000, 50, 50),
        ] {
            assert_eq!(scaled_limit(limit, node, copy), expected);
        }
    }
}
