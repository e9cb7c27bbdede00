//! Room for more clients.

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule};
use super::everywhere;
use crate::model::Severity;
use crate::model::words::count;

pub(super) const MAXCLIENTS: Rule = Rule {
    id: "clients.maxclients",
    title: "room for more connections",
    parameters: &["maxclients"],
    kind: Kind::Setting,
    why: "Clients, replicas and the links of the cluster bus share maxclients. At the limit every new connection is refused, that of an operator included. After a failover the clients of the lost master come on top, so a limit that is nearly used up on a quiet day is too low.",
    how: "twice the connections now taken on the fullest node, in whole thousands, where more than 70 % of the limit are taken or connections were refused. The process needs a limit of open files 32 above that; the server raises its soft limit itself and refuses the setting where the hard limit forbids it.",
    cost: "memory: 38 KB for a connection that was just used and 2.3 KB for one that idles (measured on 7.0.15), more with large requests and replies; if clients leak connections it only gains time",
    risk: Risk::Low,
    source: "INFO clients: connected_clients, cluster_connections, connected_slaves, maxclients; INFO stats: rejected_connections; networking.c acceptCommonHandler, server.c adjustOpenFilesLimit (32 files for itself)",
    judge: maxclients,
};

/// From this share on there is too little room; check warns from 80 % on.
const TIGHT: f64 = 70.0;
/// Where check warns (`clients.near_limit`).
const WARNS: f64 = 80.0;
/// Where check calls it critical.
const FULL: f64 = 95.0;
/// Open files that the server keeps for itself: CONFIG_MIN_RESERVED_FDS in server.h.
pub(in super::super) const RESERVED_FILES: u64 = 32;

/// Connections that are taken: clients, bus links and replicas, as check counts them.
pub(super) fn taken(node: &NodeCase) -> Option<u64> {
    let clients = node.number("connected_clients")?;
    let others = ["cluster_connections", "connected_slaves"];
    let others = others.iter().filter_map(|name| node.number(name));
    Some(clients + others.sum::<u64>())
}

/// The limit that is in force.
fn limit(node: &NodeCase) -> Option<u64> {
    let told = node.number("maxclients");
    told.or_else(|| node.setting_number("maxclients"))
        .filter(|limit| *limit > 0)
}

/// How much of the limit is taken.
pub(in super::super) fn taken_percent(node: &NodeCase) -> Option<f64> {
    Some(taken(node)? as f64 * 100.0 / limit(node)? as f64)
}

fn maxclients(case: &Case) -> Vec<Opinion> {
    let mut opinions: Vec<Opinion> = (case.nodes.iter())
        .filter(|node| taken_percent(node).is_none())
        .map(|node| Opinion::skip(node, "INFO clients does not tell how many are connected"))
        .collect();
    let fullest = |node: &&NodeCase| taken_percent(node).unwrap_or(0.0);
    let fullest = (case.nodes.iter()).max_by(|a, b| fullest(a).total_cmp(&fullest(b)));
    opinions.extend(fullest.and_then(|node| raise(case, node)));
    opinions
}

fn raise(case: &Case, node: &NodeCase) -> Option<Opinion> {
    let (taken, limit, share) = (taken(node)?, limit(node)?, taken_percent(node)?);
    let refused: u64 = (case.nodes.iter())
        .filter_map(|node| node.growth("rejected_connections"))
        .sum();
    if share <= TIGHT && refused == 0 {
        return None;
    }
    let severity = match share {
        _ if refused > 0 => Severity::Critical,
        share if share > FULL => Severity::Critical,
        share if share > WARNS => Severity::Warning,
        _ => Severity::Info,
    };
    let wanted = (2 * taken).div_ceil(1_000).max(1) * 1_000;
    // Refused with half of it free: the clients had gone again by the time of the sample.
    let wanted = wanted.max(if refused > 0 { 2 * limit } else { 0 });
    let mut evidence = vec![format!(
        "{}: {} of {} connections are taken ({share:.0} %)",
        node.addr,
        count(taken),
        count(limit)
    )];
    if refused > 0 {
        let told = format!("rejected_connections +{refused} in the sample");
        evidence.push(format!("INFO stats of all nodes: {told}"));
    }
    evidence.extend(files(case, wanted));
    let why = match refused {
        0 => format!("{share:.0} % of the connections of {} are taken", node.addr),
        _ => "connections are refused: maxclients is reached".to_owned(),
    };
    let mut changes = everywhere(case, "maxclients", &wanted.to_string());
    let is_raised = |present: &Option<String>| {
        let present = present.as_ref().and_then(|text| text.parse::<u64>().ok());
        present.is_none_or(|present| present < wanted)
    };
    changes.retain(|change| is_raised(&change.present));
    Opinion::set(severity, "maxclients", changes, why, evidence)
}

/// What must be raised before.
fn files(case: &Case, wanted: u64) -> Option<String> {
    let limits = (case.nodes.iter()).filter_map(|node| node.host()?.open_files);
    let least = limits.min()?;
    let needed = wanted + RESERVED_FILES;
    (least < needed).then(|| {
        format!(
            "open files: {} now, {} needed; where the hard limit is lower the server refuses the value, then raise it first (LimitNOFILE={needed} in the service, --ulimit nofile={needed} of the container)",
            count(least),
            count(needed)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::Setup;
    use crate::model::{HostSeen, Severity};

    fn asked(setup: &Setup) -> Option<(String, usize, Severity)> {
        let advice = setup.rule("clients.maxclients");
        let first = advice.first()?;
        let proposed = first.changes[0].proposed.clone();
        Some((proposed, first.changes.len(), first.severity))
    }

    #[test]
    fn room_is_made_before_it_is_gone() {
        for (connected, wanted) in [
            (10, None),
            (6_900, None),
            (7_500, Some(("16000".to_owned(), 6, Severity::Info))),
            (8_500, Some(("18000".to_owned(), 6, Severity::Warning))),
            (9_900, Some(("20000".to_owned(), 6, Severity::Critical))),
        ] {
            let setup = Setup::sound().info_of(1, &format!("connected_clients:{connected}"));
            assert_eq!(asked(&setup), wanted, "{connected}");
        }
    }

    #[test]
    fn who_was_refused_is_heard() {
        let setup = Setup::sound().later_of(2, "rejected_connections:7");
        let wanted = ("20000".to_owned(), 6, Severity::Critical);
        assert_eq!(asked(&setup), Some(wanted));
    }

    #[test]
    fn a_higher_limit_elsewhere_is_left_alone() {
        let setup = Setup::sound()
            .info_of(1, "connected_clients:8500")
            .config_of(0, "maxclients", "50000")
            .info_of(0, "maxclients:50000");
        assert_eq!(asked(&setup).unwrap().1, 5);
    }

    #[test]
    fn open_files_come_first() {
        let host = HostSeen {
            open_files: Some(10_032),
            ..HostSeen::default()
        };
        let setup = Setup::sound().info("connected_clients:8500").hosts(&host);
        let advice = setup.rule("clients.maxclients");
        let told = advice[0].evidence.join("\n");
        assert!(told.contains("LimitNOFILE=18032"), "{told}");
    }

    #[test]
    fn without_numbers_nothing_is_said() {
        let setup = (0..6).fold(Setup::sound(), |setup, n| {
            setup.facts(n, |facts| {
                facts.info.forget("connected_clients");
                facts.later = None;
            })
        });
        assert_eq!(setup.rule("clients.maxclients"), []);
        assert_eq!(setup.skipped("clients.maxclients").len(), 6);
    }
}
