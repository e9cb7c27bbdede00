//! Queues of connections and limits of files as the kernel has them.

use super::super::super::case::NodeCase;
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::Rule;
use super::super::clients::{RESERVED_FILES, taken_percent};
use super::{Look, on_machines, sysctl};
use crate::model::words::count;
use crate::model::{HostSeen, Severity};

pub(super) const ACCEPT_QUEUE: Rule = Rule {
    id: "host.somaxconn",
    title: "the kernel's limit of waiting connections",
    parameters: &["net.core.somaxconn"],
    kind: Kind::Host,
    why: "The kernel cuts tcp-backlog off at net.core.somaxconn without a word (128 before Linux 5.4, 4096 since), so the longer queue that the server asks for is not there when clients come back all at once.",
    how: "4096 where it is below tcp-backlog",
    cost: "none; it holds for sockets that are opened afterwards, so the nodes must be started again",
    risk: Risk::Low,
    source: "/proc/sys/net/core/somaxconn in the node's network namespace; CONFIG tcp-backlog; the server's own warning at start",
    judge: |case| {
        let why = "the kernel keeps a shorter queue than the server asks for";
        let look = |node: &NodeCase, host: &HostSeen| {
            let Some((present, asked)) = host.somaxconn.zip(node.setting_number("tcp-backlog"))
            else {
                return Look::Unknown;
            };
            let dropped = host.listen_overflows.unwrap_or(0);
            queue(present, asked, dropped)
        };
        on_machines(case, "net.core.somaxconn", why, look, |by, value| {
            in_namespace(by, "net.core.somaxconn", value)
        })
    },
};

pub(super) const SYN_QUEUE: Rule = Rule {
    id: "host.syn-backlog",
    title: "the kernel's limit of half-open connections",
    parameters: &["net.ipv4.tcp_max_syn_backlog"],
    kind: Kind::Host,
    why: "Before a connection waits to be accepted it waits for the client's last packet. With fewer places there than in the accept queue, a crowd is dropped one step earlier.",
    how: "4096 where it is below tcp-backlog",
    cost: "none",
    risk: Risk::Low,
    source: "/proc/sys/net/ipv4/tcp_max_syn_backlog; CONFIG tcp-backlog",
    judge: |case| {
        let why = "fewer connections may be half open than may wait to be accepted";
        let look = |node: &NodeCase, host: &HostSeen| {
            let Some((present, asked)) = host.syn_backlog.zip(node.setting_number("tcp-backlog"))
            else {
                return Look::Unknown;
            };
            queue(present, asked, 0)
        };
        on_machines(
            case,
            "net.ipv4.tcp_max_syn_backlog",
            why,
            look,
            |by, value| in_namespace(by, "net.ipv4.tcp_max_syn_backlog", value),
        )
    },
};

pub(super) const OPEN_FILES: Rule = Rule {
    id: "host.open-files",
    title: "fewer files than connections",
    parameters: &["nofile"],
    kind: Kind::Host,
    why: "Every connection is an open file. A server that may not open maxclients and 32 more lowers maxclients at its start and says so in its log only, so the limit that was set is not the one in force.",
    how: "maxclients and 32; 10032 where maxclients is exactly 32 below the limit of files and below the default of 10000, which is how a server shows that it was lowered",
    cost: "none; the process must be started again",
    risk: Risk::Low,
    source: "/proc/PID/limits Max open files; CONFIG maxclients; server.c adjustOpenFilesLimit",
    judge: |case| {
        let why = "the server may not open as many files as it has been promised connections";
        on_machines(case, "nofile", why, open_files, |by, value| match by {
            "docker" => vec![format!(
                "make the container again with --ulimit nofile={value}:{value} (compose: ulimits.nofile)"
            )],
            _ => vec![
                format!(
                    "LimitNOFILE={value} in the service's [Service] section (systemctl edit), systemctl daemon-reload"
                ),
                "start the node again, replicas first".to_owned(),
            ],
        })
    },
};

/// The kernel's own default for somaxconn since Linux 5.4, and what rpk sets for both.
const LONG: u64 = 4_096;
/// The server's default.
const MAXCLIENTS: u64 = 10_000;

fn queue(present: u64, asked: u64, dropped: u64) -> Look {
    if present >= asked {
        return Look::Fits;
    }
    Look::Wants {
        severity: match dropped {
            0 => Severity::Info,
            _ => Severity::Warning,
        },
        present: present.to_string(),
        proposed: LONG.max(asked).to_string(),
        told: match dropped {
            0 => format!("{present} of the {asked} that tcp-backlog asks for"),
            _ => format!(
                "{present} of the {asked} that tcp-backlog asks for; {} connections dropped since boot",
                count(dropped)
            ),
        },
    }
}

/// The kernel keeps these for each network namespace, so a container has its own.
fn in_namespace(by: &str, name: &str, value: &str) -> Vec<String> {
    match by {
        "docker" => vec![format!(
            "make the container again with --sysctl {name}={value} (compose: sysctls)"
        )],
        _ => {
            let mut steps = sysctl(name, value);
            steps.push("start the nodes again, replicas first".to_owned());
            steps
        }
    }
}

fn open_files(node: &NodeCase, host: &HostSeen) -> Look {
    let Some((files, clients)) = host.open_files.zip(node.setting_number("maxclients")) else {
        return Look::Unknown;
    };
    let is_short = files < clients + RESERVED_FILES;
    let was_lowered = files == clients + RESERVED_FILES && clients < MAXCLIENTS;
    if !is_short && !was_lowered {
        return Look::Fits;
    }
    let is_felt = taken_percent(node).is_some_and(|share| share > 50.0);
    Look::Wants {
        severity: match is_felt || is_short {
            true => Severity::Warning,
            false => Severity::Info,
        },
        present: files.to_string(),
        proposed: (clients.max(MAXCLIENTS) + RESERVED_FILES).to_string(),
        told: format!(
            "{} open files, maxclients {}{}",
            count(files),
            count(clients),
            if was_lowered {
                ", lowered by the server to fit"
            } else {
                ""
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn asked(setup: &Setup, rule: &str) -> Option<(String, String, Severity)> {
        let advice = setup.rule(rule);
        let first = advice.first()?;
        let next = first.next[0].clone();
        Some((first.changes[0].proposed.clone(), next, first.severity))
    }

    fn to(value: &str, next: &str, severity: Severity) -> Option<(String, String, Severity)> {
        Some((value.to_owned(), next.to_owned(), severity))
    }

    fn host(somaxconn: u64, dropped: u64, by: &str) -> HostSeen {
        HostSeen {
            somaxconn: Some(somaxconn),
            syn_backlog: Some(somaxconn),
            listen_overflows: Some(dropped),
            by: by.into(),
            ..HostSeen::default()
        }
    }

    #[test]
    fn the_kernel_keeps_the_queue_that_is_asked_for() {
        let rule = "host.somaxconn";
        let setup = |seen: &HostSeen| Setup::sound().hosts(seen);
        let next = "sysctl -w net.core.somaxconn=4096";
        let short = setup(&host(128, 0, "proc"));
        assert_eq!(asked(&short, rule), to("4096", next, Severity::Info));
        let dropping = setup(&host(128, 9, "proc"));
        assert_eq!(asked(&dropping, rule), to("4096", next, Severity::Warning));
        let boxed = setup(&host(128, 0, "docker"));
        let next =
            "make the container again with --sysctl net.core.somaxconn=4096 (compose: sysctls)";
        assert_eq!(asked(&boxed, rule), to("4096", next, Severity::Info));
        assert_eq!(asked(&setup(&host(4_096, 9, "proc")), rule), None);
        let long = short.config("tcp-backlog", "8192");
        assert_eq!(asked(&long, rule).unwrap().0, "8192");
    }

    #[test]
    fn half_open_connections_have_as_many_places() {
        let rule = "host.syn-backlog";
        let next = "sysctl -w net.ipv4.tcp_max_syn_backlog=4096";
        let short = Setup::sound().hosts(&host(256, 0, "proc"));
        assert_eq!(asked(&short, rule), to("4096", next, Severity::Info));
        assert_eq!(
            asked(&Setup::sound().hosts(&host(512, 0, "proc")), rule),
            None
        );
    }

    #[test]
    fn a_lowered_maxclients_is_noticed() {
        let rule = "host.open-files";
        let setup = |files, clients: u64| {
            let host = HostSeen {
                open_files: Some(files),
                ..HostSeen::default()
            };
            let setup = Setup::sound().hosts(&host);
            setup.config("maxclients", &clients.to_string())
        };
        let found = |setup: &Setup| asked(setup, rule).map(|(to, _, severity)| (to, severity));
        // ulimit -n 4096, as the server leaves it behind.
        let lowered = setup(4_096, 4_064);
        assert_eq!(found(&lowered), Some(("10032".into(), Severity::Info)));
        let felt = lowered.info("maxclients:4064\nconnected_clients:3000");
        assert_eq!(found(&felt), Some(("10032".into(), Severity::Warning)));
        let short = setup(20_000, 50_000);
        assert_eq!(found(&short), Some(("50032".into(), Severity::Warning)));
        // What a server makes of an ordinary limit, a container's, and a limit set low on purpose.
        for (files, clients) in [(10_032, 10_000), (1_048_576, 10_000), (10_032, 500)] {
            assert_eq!(found(&setup(files, clients)), None, "{files} {clients}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_skipped() {
        for rule in ["host.somaxconn", "host.syn-backlog", "host.open-files"] {
            assert_eq!(Setup::sound().rule(rule), []);
            assert_eq!(Setup::sound().skipped(rule).len(), 6, "{rule}");
        }
    }
}
