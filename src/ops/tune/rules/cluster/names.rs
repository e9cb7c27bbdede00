//! What nodes call themselves: hostnames, by which TLS knows them, and zones.

use std::net::IpAddr;

use crate::model::Severity;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, readable};

pub(super) const HOSTNAME: Rule = Rule {
    id: "cluster.hostname",
    title: "hostnames that clients are sent to",
    parameters: &[
        "cluster-announce-hostname",
        "cluster-preferred-endpoint-type",
    ],
    kind: Kind::Setting,
    why: "Clients are redirected to an address. With TLS a client checks the certificate against the name that it dialled, and certificates are made out for names: it can follow a redirection only to a hostname. A node that is to be reached by hostname and announces none is sent out as `?`, and clients that do not expect that lose it.",
    how: "Preferred hostname with none announced: the name under which the node was reached, or else ip. TLS: announce the name under which the node was reached; once all nodes announce one, prefer hostname.",
    cost: "clients must be able to resolve the names; clients from before 7.0 may not understand them",
    risk: Risk::Medium,
    source: "CONFIG cluster-announce-hostname, cluster-preferred-endpoint-type (7.0 and later), tls-port; addresses of the survey; cluster.c getPreferredEndpoint",
    judge: hostname,
};

pub(super) const ZONE: Rule = Rule {
    id: "cluster.zone",
    title: "the zone that a node tells its clients",
    parameters: &["availability-zone"],
    kind: Kind::Setting,
    why: "Clients that know the zone of each node can read from the nearest, which is faster and in clouds cheaper; and whoever looks at the cluster sees what a zone takes with it.",
    how: "Valkey 8 and later: the zone that was given for the node, where it announces none.",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG availability-zone (Valkey 8.0); zones as given",
    judge: zone,
};

const ANNOUNCED: &str = "cluster-announce-hostname";
const PREFERRED: &str = "cluster-preferred-endpoint-type";

/// The name under which the node was reached; `None` when that was an IP address or this machine.
fn name(node: &NodeCase) -> Option<String> {
    let host = &node.addr.host;
    let is_name = host.parse::<IpAddr>().is_err() && !node.addr.is_loopback();
    is_name.then(|| host.clone())
}

fn speaks_tls(node: &NodeCase) -> bool {
    let port = node.setting("tls-port").unwrap_or("0");
    !matches!(port, "" | "0") || node.is_on("tls-cluster") == Some(true)
}

fn hostname(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    // Before 7.0 there are no hostnames.
    let knowing = |node: &&NodeCase| node.setting(ANNOUNCED).is_some();
    let nodes: Vec<_> = nodes.into_iter().filter(knowing).collect();
    let is_nameless = |node: &&&NodeCase| node.setting(ANNOUNCED) == Some("");
    let nameless: Vec<_> = nodes.iter().filter(is_nameless).copied().collect();
    let by_name = |node: &&&NodeCase| node.setting(PREFERRED) == Some("hostname");
    let preferring: Vec<_> = nodes.iter().filter(by_name).copied().collect();
    if !preferring.is_empty() && !nameless.is_empty() {
        opinions.extend(lost(&preferring, &nameless));
    } else if nodes
        .iter()
        .any(|node| speaks_tls(node) && !node.addr.is_loopback())
    {
        opinions.extend(named(case, &nodes, &nameless));
    }
    opinions
}

/// Nodes that clients are sent to by a name they do not have.
fn lost(preferring: &[&NodeCase], nameless: &[&NodeCase]) -> Option<Opinion> {
    let told = nameless
        .iter()
        .map(|node| format!("{}: announces no hostname", node.addr));
    let evidence = lines(told);
    let why = "clients are to be sent to hostnames, and nodes that announce none are sent out as ?";
    let names = nameless.iter().map(|node| Some((*node, name(node)?)));
    let names: Option<Vec<_>> = names.collect();
    let (parameter, changes) = match names {
        Some(names) => (ANNOUNCED, changes(ANNOUNCED, names)),
        None => {
            let by_ip = preferring.iter().map(|node| (*node, "ip".to_owned()));
            (PREFERRED, changes(PREFERRED, by_ip))
        }
    };
    Opinion::set(Severity::Critical, parameter, changes, why, evidence)
}

/// A cluster that speaks TLS, and sends its clients to IP addresses.
fn named(case: &Case, nodes: &[&NodeCase], nameless: &[&NodeCase]) -> Option<Opinion> {
    let by_ip = || {
        nodes
            .iter()
            .filter(|node| node.setting(PREFERRED) == Some("ip"))
    };
    by_ip().next()?;
    let why = "with TLS clients check the name that they dialled, and are sent to IP addresses";
    if nameless.is_empty() {
        let wanted = by_ip().map(|node| (*node, "hostname".to_owned()));
        let evidence = vec!["all nodes announce a hostname".to_owned()];
        let changes = changes(PREFERRED, wanted);
        return Opinion::set(Severity::Info, PREFERRED, changes, why, evidence);
    }
    let names: Option<Vec<_>> = (nameless.iter())
        .map(|node| Some((*node, name(node)?)))
        .collect();
    let Some(names) = names else {
        let reason = "whether certificates name the nodes by IP address is not seen; if clients check hostnames, announce them (cluster-announce-hostname)";
        return Some(Opinion::skip_all(case, reason));
    };
    let evidence = vec![
        "the nodes were reached by name".to_owned(),
        format!("once all announce one: {PREFERRED} hostname"),
    ];
    Opinion::set(
        Severity::Info,
        ANNOUNCED,
        changes(ANNOUNCED, names),
        why,
        evidence,
    )
}

fn zone(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "availability-zone";
    let (nodes, mut opinions) = readable(case);
    let is_silent = |node: &&NodeCase| node.setting(NAME) == Some("") && !node.addr.is_loopback();
    let silent: Vec<_> = nodes.into_iter().filter(is_silent).collect();
    if !silent.is_empty() && silent.iter().all(|node| node.site.zone.is_none()) {
        let reason = "the zones of the nodes are not known (--zone)";
        opinions.push(Opinion::skip_all(case, reason));
    }
    let wanted = silent
        .iter()
        .filter_map(|node| Some((*node, node.site.zone.clone()?)));
    let changes = changes(NAME, wanted);
    let why = "clients cannot tell which node is near";
    let evidence = vec!["zones as given".to_owned()];
    opinions.extend(Opinion::set(Severity::Info, NAME, changes, why, evidence));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    const RULE: &str = "cluster.hostname";

    #[test]
    fn nobody_is_sent_to_a_name_that_is_not_there() {
        let setup = Setup::sound().config("cluster-preferred-endpoint-type", "hostname");
        let advice = setup.rule(RULE);
        assert_eq!(advice[0].severity, Severity::Critical);
        assert_eq!(advice[0].parameter, "cluster-preferred-endpoint-type");
        assert_eq!(advice[0].changes[0].proposed, "ip");
        let named = setup.config("cluster-announce-hostname", "cache.example.com");
        assert_eq!(named.rule(RULE), []);
    }

    #[test]
    fn with_tls_clients_are_sent_to_names() {
        let named = Setup::sound().config("cluster-announce-hostname", "cache.example.com");
        let advice = named.rule(RULE);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "hostname");
        assert_eq!(named.config("tls-port", "0").rule(RULE), []);
        // Reached by IP address, with no name announced.
        assert_eq!(Setup::sound().rule(RULE), []);
        assert_eq!(Setup::sound().skipped(RULE).len(), 1);
        let old = Setup::sound().without("cluster-announce-hostname");
        assert_eq!(old.rule(RULE), []);
        assert_eq!(old.skipped(RULE), []);
    }

    #[test]
    fn a_zone_that_is_known_is_told() {
        let rule = "cluster.zone";
        assert_eq!(Setup::sound().rule(rule), []);
        let valkey = Setup::sound().config("availability-zone", "");
        assert_eq!(valkey.skipped(rule).len(), 1);
        let placed = valkey.site(2, |site| site.zone = Some("b".into()));
        let advice = placed.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "b");
        assert_eq!(placed.config("availability-zone", "b").rule(rule), []);
    }
}
