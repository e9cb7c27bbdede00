//! Letting clients in: the queue before the door, how many pass it at once, and why so many come.

use super::{connects_per_second, everywhere};
use crate::health::rates;
use crate::model::Severity;
use crate::model::words::count;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change, changes};
use crate::ops::tune::rules::cpu::main_thread_percent;

pub(super) const BACKLOG: Rule = Rule {
    id: "clients.backlog",
    title: "the queue of connections that wait to be accepted",
    parameters: &["tcp-backlog"],
    kind: Kind::Setting,
    why: "Connections wait in the kernel until the server accepts them, as many as the smaller of tcp-backlog and net.core.somaxconn. When clients come back all at once, after a failover or a deployment, what finds the queue full is dropped and tries again a second later.",
    how: "connections of two seconds, as a power of two between 1024 and 4096, where more than 500 come in a second or the kernel counted dropped ones (ListenOverflows). The kernel takes the smaller of it and net.core.somaxconn: host.somaxconn says where that must be raised too.",
    cost: "a restart of each node; no memory to speak of",
    risk: Risk::Low,
    source: "CONFIG tcp-backlog (read at start only); /proc/net/netstat ListenOverflows, since boot and of every process in the network namespace; INFO stats: total_connections_received",
    judge: backlog,
};

pub(super) const PER_CYCLE: Rule = Rule {
    id: "clients.accept-per-cycle",
    title: "how many connections are let in at once",
    parameters: &[
        "max-new-connections-per-cycle",
        "max-new-tls-connections-per-cycle",
    ],
    kind: Kind::Setting,
    why: "Each turn of the event loop accepts a few connections and then serves those that are there. More at a time let a crowd in sooner, and make everybody else wait; a TLS handshake is the longest of these waits.",
    how: "TLS: 5 where more than 50 handshakes come in a second and the main thread is below 50 % of a core. Back to the default of 10 where it is higher, more than 200 connections come in a second and the main thread is above 70 %.",
    cost: "more at a time: other clients wait for up to so many handshakes. Fewer: a crowd is let in later",
    risk: Risk::Low,
    source: "CONFIG max-new-connections-per-cycle, max-new-tls-connections-per-cycle (Redis 7.4, Valkey 8.0); INFO stats and cpu over two samples",
    judge: per_cycle,
};

pub(super) const POOLING: Rule = Rule {
    id: "clients.pooling",
    title: "a new connection for every request",
    parameters: &["connection pool"],
    kind: Kind::Application,
    why: "A connection costs several round trips before its first command and work on the server's main thread; with TLS a handshake on top. Clients that keep a pool pay that once.",
    how: "spoken of where more than 10 connections come in a second and they are more than 10 % of the commands, or more than 200 (50 with TLS) come in any case",
    cost: "a change in the application: one client object for the process instead of one for the request",
    risk: Risk::Low,
    source: "INFO stats: total_connections_received and total_commands_processed over two samples",
    judge: pooling,
};

/// From so many connections a second on the default queue of 511 is less than a second's worth.
const RUSH: f64 = 500.0;
/// Connections a second from which dropped ones are more than history.
const LIVELY: f64 = 50.0;
/// Fewer a second are no matter, whatever their share: health checks, this tool itself.
const FEW: f64 = 10.0;
/// A storm, without TLS and with (check's catalogue, CLI-03).
const STORM: f64 = 200.0;
const STORM_TLS: f64 = 50.0;

fn backlog(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut wanted = Vec::new();
    let mut evidence = Vec::new();
    let mut severity = Severity::Info;
    for node in &case.nodes {
        let rate = connects_per_second(node).unwrap_or(0.0);
        let dropped = node.host().and_then(|host| host.listen_overflows);
        if rate <= RUSH && dropped.is_none() {
            let why = node.why_not_seen("host");
            opinions.push(Opinion::skip(
                node,
                format!("dropped connections are counted on its machine: {why}"),
            ));
            continue;
        }
        let dropped = dropped.unwrap_or(0);
        let present = node.setting_number("tcp-backlog").unwrap_or(0);
        let value = ((rate * 2.0) as u64).next_power_of_two().clamp(1024, 4096);
        // What was dropped while the kernel's own limit is the smaller one is host.somaxconn's matter.
        let somaxconn = node.host().and_then(|host| host.somaxconn);
        let is_cut_off = somaxconn.is_some_and(|limit| limit < present);
        let is_full = rate > RUSH || (dropped > 0 && !is_cut_off);
        if !is_full || present >= value {
            continue;
        }
        if dropped > 0 && rate > LIVELY {
            severity = Severity::Warning;
        }
        evidence.push(format!(
            "{}: {rate:.0} connections a second, {} dropped since boot, somaxconn {}",
            node.addr,
            count(dropped),
            somaxconn.map_or("not known".to_owned(), count)
        ));
        wanted.push((node, value.to_string()));
    }
    let changes = changes("tcp-backlog", wanted);
    let why = "connections come faster than the queue before the server takes";
    opinions.extend(Opinion::set(
        severity,
        "tcp-backlog",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn is_tls(node: &NodeCase) -> bool {
    node.setting_number("tls-port") > Some(0)
}

fn per_cycle(case: &Case) -> Vec<Opinion> {
    let rates: Vec<_> = (case.nodes.iter())
        .filter_map(|node| Some((node, connects_per_second(node)?, main_thread_percent(node)?)))
        .collect();
    if rates.is_empty() {
        let unknown = case.nodes.iter();
        return unknown
            .map(|node| Opinion::skip(node, "two samples of INFO are needed (--sample 60s)"))
            .collect();
    }
    let told = |(node, rate, busy): &(&NodeCase, f64, f64)| {
        let addr = node.addr;
        format!("{addr}: {rate:.0} connections a second, main thread at {busy:.0} % of a core")
    };
    const PLAIN: &str = "max-new-connections-per-cycle";
    const TLS: &str = "max-new-tls-connections-per-cycle";
    let crowded = (rates.iter()).find(|(node, rate, busy)| {
        node.setting_number(PLAIN) > Some(10) && *rate > STORM && *busy > 70.0
    });
    let slow = (rates.iter()).find(|(node, rate, busy)| {
        is_tls(node) && node.setting_number(TLS) < Some(5) && *rate > STORM_TLS && *busy < 50.0
    });
    let fewer = crowded.and_then(|seen| {
        let why = "a crowd is let in at once while the main thread is busy, and everybody waits";
        let changes = everywhere(case, PLAIN, "10");
        Opinion::set(Severity::Warning, PLAIN, changes, why, vec![told(seen)])
    });
    let more = slow.and_then(|seen| {
        let why = "TLS clients are let in one at a time while the main thread has time to spare";
        let changes = everywhere(case, TLS, "5");
        Opinion::set(Severity::Info, TLS, changes, why, vec![told(seen)])
    });
    fewer.into_iter().chain(more).collect()
}

fn pooling(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut changes = Vec::new();
    let mut evidence = Vec::new();
    let mut severity = Severity::Info;
    for node in &case.nodes {
        let Some(rate) = connects_per_second(node) else {
            let why = "two samples of INFO are needed (--sample 60s)";
            opinions.push(Opinion::skip(node, why));
            continue;
        };
        let commands = rates::operations_per_second(node.facts).unwrap_or(0.0);
        let storm = if is_tls(node) { STORM_TLS } else { STORM };
        if rate <= storm && (rate <= FEW || rate * 10.0 <= commands) {
            continue;
        }
        if rate > storm {
            severity = Severity::Warning;
        }
        let told = format!("{rate:.0} connections for {commands:.0} commands a second");
        evidence.push(format!("{}: {told}", node.addr));
        changes.push(change(node, Some(told), "connections kept in a pool"));
    }
    let set = Opinion::set(
        severity,
        "connection pool",
        changes,
        "clients open a connection for nearly every request",
        evidence,
    );
    opinions.extend(set.map(|advice| {
        advice.then([
            "see who: CLIENT LIST on the node, connections of a small age by name and library",
            "make one cluster client when the application starts and keep it; set its pool to the requests that run at once",
        ])
    }));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    /// Node 1 is connected to so often in a second, and its main thread is so busy.
    fn rush(per_second: u64, percent: u64) -> Setup {
        let cpu = 1.0 + percent as f64 * 0.6;
        Setup::sound()
            .info("total_connections_received:0")
            .later_of(
                1,
                &format!("total_connections_received:{}", per_second * 60),
            )
            .later_of(1, &format!("used_cpu_user_main_thread:{cpu}"))
    }

    fn host(overflows: u64) -> HostSeen {
        HostSeen {
            listen_overflows: Some(overflows),
            somaxconn: Some(4_096),
            ..HostSeen::default()
        }
    }

    #[test]
    fn the_queue_is_as_long_as_the_rush() {
        for (per_second, overflows, wanted) in [
            (0, 0, None),
            (0, 3, Some(("1024", 6, Severity::Info))),
            (100, 0, None),
            (100, 3, Some(("1024", 6, Severity::Warning))),
            (800, 0, Some(("2048", 1, Severity::Info))),
            (9_000, 0, Some(("4096", 1, Severity::Info))),
        ] {
            let setup = rush(per_second, 0).hosts(&host(overflows));
            let advice = setup.rule("clients.backlog");
            let found = advice.first().map(|first| {
                let last = first.changes.iter().find(|one| one.addr.host == "10.0.0.2");
                let proposed = last.unwrap().proposed.as_str();
                (proposed, first.changes.len(), first.severity)
            });
            assert_eq!(found, wanted, "{per_second} {overflows}");
        }
        let long = rush(800, 0).hosts(&host(3)).config("tcp-backlog", "4096");
        assert_eq!(long.rule("clients.backlog"), []);
    }

    #[test]
    fn dropped_connections_cannot_be_seen_from_afar() {
        let setup = rush(100, 0);
        assert_eq!(setup.rule("clients.backlog"), []);
        assert_eq!(setup.skipped("clients.backlog").len(), 6);
    }

    #[test]
    fn a_crowd_is_let_in_by_what_the_thread_can_bear() {
        let plain = "max-new-connections-per-cycle";
        let tls = "max-new-tls-connections-per-cycle";
        let setup = |per_second, percent, at_once: &str| {
            rush(per_second, percent)
                .config(plain, at_once)
                .config(tls, "1")
        };
        let advice = |setup: Setup| -> Vec<(String, String)> {
            let advice = setup.rule("clients.accept-per-cycle");
            let each = advice.iter();
            each.map(|one| (one.parameter.clone(), one.changes[0].proposed.clone()))
                .collect()
        };
        let to = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(advice(setup(100, 10, "10")), to(tls, "5"));
        assert_eq!(advice(setup(300, 90, "100")), to(plain, "10"));
        assert_eq!(advice(setup(300, 60, "100")), []);
        assert_eq!(advice(setup(10, 10, "10")), []);
        // Redis 7.0 knows neither.
        assert_eq!(advice(rush(300, 90)), []);
        let one = Setup::sound();
        assert_eq!(one.skipped("clients.accept-per-cycle").len(), 6);
    }

    #[test]
    fn connections_for_every_request_are_told() {
        let setup = |per_second: u64, commands: u64| {
            let done = 1_000_000 + commands * 60;
            rush(per_second, 0).later_of(1, &format!("total_commands_processed:{done}"))
        };
        let told = |setup: Setup| {
            let advice = setup.rule("clients.pooling");
            advice
                .first()
                .map(|first| (first.changes.len(), first.severity))
        };
        assert_eq!(told(setup(40, 200)), Some((1, Severity::Info)));
        assert_eq!(told(setup(60, 90_000)), Some((1, Severity::Warning)));
        assert_eq!(told(setup(40, 900)), None);
        assert_eq!(told(setup(5, 6)), None);
        assert_eq!(Setup::sound().skipped("clients.pooling").len(), 6);
    }
}
