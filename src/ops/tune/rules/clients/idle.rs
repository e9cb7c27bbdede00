//! How long a connection that says nothing is kept: closed by the server (`timeout`), or asked by the
//! kernel whether anybody is still there (`tcp-keepalive`).

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule};
use super::everywhere;
use crate::model::words::{count, duration, seconds};
use crate::model::{ClientsSeen, Severity};

pub(super) const TIMEOUT: Rule = Rule {
    id: "clients.timeout",
    title: "closing idle connections",
    parameters: &["timeout"],
    kind: Kind::Setting,
    why: "A server that closes idle connections closes those that wait in a client's pool. The client finds out at its next request: an error, or a reconnect in the middle of it, and after a quiet hour all of them at once. Dead peers are found by tcp-keepalive without that. Closing is right only where connections leak: opened, never used again, and more of them every day.",
    how: "0, unless connections leak: 1,000 or more clients on a node, 30 % of them idle for over 5 minutes and the longest for over 2 hours; then 3600. A timeout that is set is taken back where clients come near it: the longest idle one has waited for half of it. Replicas, subscribers and blocked clients are never closed by it.",
    cost: "0: connections of clients that leak them stay until the client ends. 3600: a client that idles for an hour must reconnect",
    risk: Risk::Low,
    source: "CLIENT LIST: idle of ordinary clients; timeout.c clientsCronHandleTimeout; check clients.near_limit",
    judge: timeout,
};

pub(super) const KEEPALIVE: Rule = Rule {
    id: "clients.keepalive",
    title: "noticing clients that are gone",
    parameters: &["tcp-keepalive"],
    kind: Kind::Setting,
    why: "A client whose machine died or whose address translation was forgotten sends no goodbye. Without probes its connection stays for ever and counts against maxclients; with probes rarer than what a load balancer or NAT gateway keeps (350 s on a common one) live connections are dropped on the way.",
    how: "300, the server's default, where it is 0 or above 350",
    cost: "one small packet per idle connection every 5 minutes",
    risk: Risk::Low,
    source: "CONFIG tcp-keepalive; anet.c anetKeepAlive: first probe after the interval, given up after twice that; idle limit of network load balancers: 350 s",
    judge: keepalive,
};

/// Fewer clients than these on a node are a pool, not a leak (as check's catalogue has it).
const MANY: u64 = 1_000;
/// From this share of idle ones on, in percent.
const MOSTLY_IDLE: u64 = 30;
/// Pools close or test what has been idle for half an hour at the latest (30 min is the longest
/// default of the common ones); an hour is twice that.
const LEAKED_S: u64 = 3_600;
/// What network load balancers and NAT gateways keep at least.
const GATEWAY_S: u64 = 350;
/// The server's default.
const KEEPALIVE_S: u64 = 300;

fn timeout(case: &Case) -> Vec<Opinion> {
    let (seen, unseen): (Vec<_>, Vec<_>) =
        (case.nodes.iter()).partition(|node| node.clients().is_some());
    let seen: Vec<_> = seen
        .into_iter()
        .filter_map(|node| Some((node, node.clients()?, node.setting_number("timeout")?)))
        .collect();
    let advice = match seen.iter().find(|(_, clients, _)| is_leaking(clients)) {
        Some((node, clients, _)) => close_leaked(case, node, clients),
        None => keep_pools(case, &seen),
    };
    let skipped = unseen.into_iter().map(|node| {
        let why = node.why_not_seen("clients");
        Opinion::skip(node, format!("CLIENT LIST was not read: {why}"))
    });
    advice.into_iter().chain(skipped).collect()
}

fn is_leaking(clients: &ClientsSeen) -> bool {
    clients.normal >= MANY
        && clients.idle_over_5min * 100 >= clients.normal * MOSTLY_IDLE
        && clients.longest_idle_s >= 2 * LEAKED_S
}

fn close_leaked(case: &Case, node: &NodeCase, clients: &ClientsSeen) -> Option<Opinion> {
    // One that closes them already, however early, is not a leak's doing.
    let unbound = |node: &&NodeCase| node.setting_number("timeout") == Some(0);
    if !case.nodes.iter().any(|node| unbound(&node)) {
        return None;
    }
    let is_filling = super::limit::taken_percent(node).is_some_and(|share| share > 70.0);
    let severity = match is_filling {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let why = format!(
        "{} of {} clients have said nothing for 5 minutes or longer, one for {}",
        count(clients.idle_over_5min),
        count(clients.normal),
        seconds(clients.longest_idle_s as f64)
    );
    let evidence = vec![format!("CLIENT LIST of {}: {why}", node.addr)];
    let changes = everywhere(case, "timeout", &LEAKED_S.to_string());
    Opinion::set(severity, "timeout", changes, why, evidence)
}

fn keep_pools(case: &Case, seen: &[(&NodeCase, &ClientsSeen, u64)]) -> Option<Opinion> {
    let close = seen.iter().filter(|(_, clients, timeout)| {
        *timeout > 0 && clients.normal > 0 && clients.longest_idle_s * 2 >= *timeout
    });
    let close: Vec<_> = close.collect();
    let (_, _, timeout) = close.first()?;
    let evidence = close.iter().map(|(node, clients, timeout)| {
        format!(
            "CLIENT LIST of {}: {} clients, the longest idle for {} of {}",
            node.addr,
            count(clients.normal),
            seconds(clients.longest_idle_s as f64),
            seconds(*timeout as f64)
        )
    });
    let why = format!(
        "connections that idle in a client's pool are closed after {} and found dead at the next use",
        seconds(*timeout as f64)
    );
    let changes = everywhere(case, "timeout", "0");
    Opinion::set(Severity::Info, "timeout", changes, why, evidence.collect())
}

fn keepalive(case: &Case) -> Vec<Opinion> {
    let is_off = |node: &NodeCase| node.setting_number("tcp-keepalive") == Some(0);
    let is_rare = |node: &NodeCase| node.setting_number("tcp-keepalive") > Some(GATEWAY_S);
    let closes_idle = |node: &NodeCase| node.setting_number("timeout") > Some(0);
    let (why, severity) = if case.nodes.iter().any(is_off) {
        let severity = match case.nodes.iter().all(closes_idle) {
            true => Severity::Info,
            false => Severity::Warning,
        };
        let why = "clients that vanish without a goodbye are never noticed, and their connections count against maxclients for ever";
        (why.to_owned(), severity)
    } else if case.nodes.iter().any(is_rare) {
        let why = format!(
            "probes are rarer than the {} for which load balancers and gateways keep a silent connection",
            duration(std::time::Duration::from_secs(GATEWAY_S))
        );
        (why, Severity::Info)
    } else {
        return Vec::new();
    };
    let changes = everywhere(case, "tcp-keepalive", &KEEPALIVE_S.to_string());
    let counted = (case.nodes.iter()).filter_map(|node| node.number("connected_clients"));
    let evidence = vec![format!(
        "INFO clients: connected_clients {} over all nodes",
        count(counted.sum())
    )];
    Opinion::set(severity, "tcp-keepalive", changes, why, evidence)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::model::{ClientsSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn clients(normal: u64, idle: u64, longest: u64) -> ClientsSeen {
        ClientsSeen {
            normal,
            idle_over_5min: idle,
            longest_idle_s: longest,
            ..ClientsSeen::default()
        }
    }

    fn timeout(present: &str, seen: &ClientsSeen) -> Option<(String, usize, Severity)> {
        let setup = Setup::sound().config("timeout", present).clients(seen);
        let advice = setup.rule("clients.timeout");
        let first = advice.first()?;
        let proposed = first.changes[0].proposed.clone();
        Some((proposed, first.changes.len(), first.severity))
    }

    #[test]
    fn idle_connections_are_closed_only_where_they_leak() {
        for (present, seen, proposed) in [
            ("0", clients(4_000, 2_000, 90_000), Some("3600")),
            // Few, in use, or young: a pool.
            ("0", clients(400, 390, 90_000), None),
            ("0", clients(4_000, 100, 90_000), None),
            ("0", clients(4_000, 4_000, 900), None),
            // The guide's 300 s, and pools that reach it.
            ("300", clients(40, 0, 290), Some("0")),
            ("300", clients(40, 0, 20), None),
            ("300", clients(0, 0, 0), None),
            // A leak that is closed already.
            ("3600", clients(4_000, 2_000, 90_000), None),
        ] {
            let found = timeout(present, &seen).map(|(proposed, ..)| proposed);
            assert_eq!(found.as_deref(), proposed, "{present} {seen:?}");
        }
        let (_, nodes, severity) = timeout("0", &clients(4_000, 2_000, 90_000)).unwrap();
        assert_eq!((nodes, severity), (6, Severity::Info));
    }

    #[test]
    fn a_leak_near_maxclients_is_graver() {
        let setup = Setup::sound()
            .clients(&clients(9_000, 6_000, 90_000))
            .info("connected_clients:9000");
        assert_eq!(setup.rule("clients.timeout")[0].severity, Severity::Warning);
    }

    #[test]
    fn unseen_clients_are_no_reason_for_a_timeout() {
        let setup = Setup::sound().config("timeout", "300");
        assert_eq!(setup.rule("clients.timeout"), []);
        assert_eq!(setup.skipped("clients.timeout").len(), 6);
    }

    #[test]
    fn the_guide_is_argued_with_where_pools_idle() {
        let setup = Setup::sound()
            .config("timeout", "300")
            .clients(&clients(40, 0, 290))
            .options(|options| options.is_guide = true);
        let report = setup.report();
        let overruled = report.overruled.iter();
        let mut by = overruled.filter(|one| one.recommendation.rule == "clients.timeout");
        assert_eq!(by.next().unwrap().by, "guide.timeout");
    }

    #[test]
    fn vanished_clients_are_looked_for() {
        let keepalive = |present: &str, timeout: &str| {
            let setup = Setup::sound()
                .config("tcp-keepalive", present)
                .config("timeout", timeout);
            let advice = setup.rule("clients.keepalive");
            let first = advice.first()?;
            Some((first.changes[0].proposed.clone(), first.severity))
        };
        let to_300 = |severity| Some(("300".to_owned(), severity));
        assert_eq!(keepalive("0", "0"), to_300(Severity::Warning));
        assert_eq!(keepalive("0", "3600"), to_300(Severity::Info));
        assert_eq!(keepalive("7200", "0"), to_300(Severity::Info));
        for fitting in ["300", "60", "350"] {
            assert_eq!(keepalive(fitting, "0"), None);
        }
        let blind = Setup::sound().without("tcp-keepalive");
        assert_eq!(blind.rule("clients.keepalive"), []);
    }
}
