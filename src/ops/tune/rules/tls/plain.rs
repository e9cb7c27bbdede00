//! Plain text beside TLS: between the nodes, and at a second port.

use super::speaks_tls;
use crate::model::Severity;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change};
use crate::ops::tune::rules::security::is_local;

pub(super) const BUS: Rule = Rule {
    id: "tls.between-nodes",
    title: "plain text between the nodes while clients use TLS",
    parameters: &["tls-replication", "tls-cluster"],
    kind: Kind::Action,
    why: "Replication carries every key and value, and the password of masterauth, from one machine to the other. TLS for clients alone leaves all of that to be read on the way. The bus carries addresses and votes, without any password: whoever reaches it can take part.",
    how: "yes for both where clients may use TLS and the node is not on this machine alone. Not applied by this tool: nodes of which some have it and some have not do not understand each other on the bus.",
    cost: "the bus breaks for as long as nodes differ: a window of maintenance, shorter than the node timeout if all are set at once; some CPU for every write",
    risk: Risk::High,
    source: "CONFIG tls-port, tls-replication, tls-cluster; check settings.drift calls a difference critical",
    judge: bus,
};

pub(super) const PORT: Rule = Rule {
    id: "tls.plain-port",
    title: "plain text beside TLS",
    parameters: &["port"],
    kind: Kind::Action,
    why: "As long as the plain port is open, a client that forgot to be told of TLS sends its password in clear text, and nobody notices.",
    how: "0 where tls-port is open and the node is reached at an address that is not loopback, once all clients and the nodes themselves use TLS",
    cost: "clients that still speak plain text are out at once",
    risk: Risk::High,
    source: "CONFIG port, tls-port; check security.plaintext",
    judge: port,
};

fn bus(case: &Case) -> Vec<Opinion> {
    let tls: Vec<_> = (case.nodes.iter())
        .filter(|node| speaks_tls(node) == Some(true))
        .collect();
    let is_near = tls.iter().all(|node| is_local(case, node));
    let severity = match is_near {
        true => Severity::Info,
        false => Severity::Warning,
    };
    let both = [
        (
            "tls-replication",
            "the replication stream carries every key and value in plain text",
        ),
        (
            "tls-cluster",
            "the nodes speak plain text on the bus, and whoever reaches it can take part",
        ),
    ];
    let each = both.into_iter().filter_map(|(name, why)| {
        let off = tls.iter().filter(|node| node.is_on(name) == Some(false));
        let changes = off
            .map(|node| change(node, Some("no".to_owned()), "yes"))
            .collect();
        let evidence = vec![format!("CONFIG GET: tls-port is open, {name} no")];
        let set = Opinion::set(severity, name, changes, why, evidence);
        set.map(|advice| advice.then(steps(name)))
    });
    each.collect()
}

fn steps(name: &str) -> Vec<String> {
    let mut steps = vec![
        "see that every node has tls-port, certificates and the same CA (CONFIG GET tls-*)"
            .to_owned(),
    ];
    if name == "tls-replication" {
        steps.push("replica by replica: CONFIG SET tls-replication yes, and wait for master_link_status:up; then the masters".to_owned());
    } else {
        steps.push("in a window of maintenance, on all nodes within the node timeout: CONFIG SET tls-cluster yes".to_owned());
        steps.push("goodcache check until no link is missing".to_owned());
    }
    steps.push("CONFIG REWRITE on every node".to_owned());
    steps
}

fn port(case: &Case) -> Vec<Opinion> {
    let is_double = |node: &&NodeCase| {
        let plain = node.setting_number("port");
        speaks_tls(node) == Some(true) && plain > Some(0) && !node.addr.is_loopback()
    };
    let double = case.nodes.iter().filter(is_double);
    let changes = double
        .map(|node| change(node, node.setting("port").map(str::to_owned), "0"))
        .collect();
    let set = Opinion::set(
        Severity::Warning,
        "port",
        changes,
        "plain text is taken beside TLS",
        vec!["CONFIG GET: port and tls-port are both open".to_owned()],
    );
    let steps = [
        "tls-replication and tls-cluster yes first (tls.between-nodes)",
        "move every client over; see in CLIENT LIST that nobody comes to the plain port (laddr)",
        "port 0 in the configuration file, and start the nodes again, replicas first",
    ];
    set.map(|advice| advice.then(steps)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn nodes_speak_as_their_clients_do() {
        let rule = "tls.between-nodes";
        let advice = Setup::sound().rule(rule);
        let names: Vec<_> = (advice.iter())
            .map(|one| (one.parameter.as_str(), one.changes.len(), one.severity))
            .collect();
        let wanted = [
            ("tls-replication", 6, Severity::Warning),
            ("tls-cluster", 6, Severity::Warning),
        ];
        assert_eq!(names, wanted);
        let safe = Setup::sound()
            .config("tls-replication", "yes")
            .config("tls-cluster", "yes");
        assert_eq!(safe.rule(rule), []);
        let plain = Setup::sound().config("tls-port", "0");
        assert_eq!(plain.rule(rule), []);
    }

    #[test]
    fn one_port_is_enough() {
        let rule = "tls.plain-port";
        let double = Setup::sound().config_of(2, "port", "6379");
        let advice = double.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "0");
        assert_eq!(Setup::sound().rule(rule), []);
        let plain = double.config("tls-port", "0");
        assert_eq!(plain.rule(rule), []);
    }
}
