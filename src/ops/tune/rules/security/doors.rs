//! Who reaches the door, and who gets through it.

use std::net::IpAddr;

use super::is_local;
use crate::model::{Probe, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change, changes};

pub(super) const PASSWORD: Rule = Rule {
    id: "security.password",
    title: "anybody may connect without a password",
    parameters: &["requirepass"],
    kind: Kind::Action,
    why: "A connection without AUTH was served. Whoever reaches the port reads and writes all data, and with CONFIG and MODULE may take over the machine. On a loopback address only this machine's users can.",
    how: "a password, masterauth first: with requirepass alone a replica cannot log in to its master. Protected mode is no way out in a cluster: without a password it refuses the other nodes as well.",
    cost: "clients need the password from their next connection on; those that are connected stay",
    risk: Risk::High,
    source: "PING on a connection without AUTH; check security.open",
    judge: password,
};

pub(super) const MASTERAUTH: Rule = Rule {
    id: "security.masterauth",
    title: "masterauth is empty while nodes want a password",
    parameters: &["masterauth"],
    kind: Kind::Action,
    why: "A node that becomes a replica must log in to its master. Without masterauth it cannot: after the next failover the old master never comes back into step.",
    how: "the password of the nodes, on every node, masters included",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG requirepass, masterauth, masteruser; check settings.masterauth_missing",
    judge: masterauth,
};

pub(super) const PROTECTED: Rule = Rule {
    id: "security.protected-mode",
    title: "protected mode",
    parameters: &["protected-mode"],
    kind: Kind::Setting,
    why: "Protected mode refuses other machines as long as no password is set. With a password it does nothing, until the day the password is taken away by mistake: then it is all that stands between the network and the data.",
    how: "yes where the node wants a password; where it does not, security.password comes first, since protected mode would turn the other nodes away",
    cost: "none while there is a password",
    risk: Risk::Low,
    source: "CONFIG protected-mode; PING on a connection without AUTH; networking.c clientAcceptHandler",
    judge: protected,
};

pub(super) const BIND: Rule = Rule {
    id: "security.bind",
    title: "listening on a public address",
    parameters: &["bind"],
    kind: Kind::Action,
    why: "The node listens on all its addresses and one of them is public, so anybody on the internet can try passwords, and use what is found in the server before it asks for one.",
    how: "loopback and the private address at which nodes and clients reach it, where bind is a wildcard and its address public",
    cost: "who came by the public address is out; set it from a second connection and keep the first",
    risk: Risk::High,
    source: "CONFIG bind; CLUSTER NODES: the node's address",
    judge: bind,
};

fn is_open(node: &NodeCase) -> Option<bool> {
    node.facts.answers_without_password
}

fn not_asked(node: &NodeCase) -> Opinion {
    let why = node.facts.why_not(Probe::OpenDoor).unwrap_or("not asked");
    Opinion::skip(node, format!("PING without a password: {why}"))
}

fn password(case: &Case) -> Vec<Opinion> {
    let unknown = case.nodes.iter().filter(|node| is_open(node).is_none());
    let mut opinions: Vec<Opinion> = unknown.map(not_asked).collect();
    let open: Vec<_> = (case.nodes.iter())
        .filter(|node| is_open(node) == Some(true))
        .collect();
    let severity = |node: &&NodeCase| match (node.addr.is_loopback(), is_local(case, node)) {
        (false, _) => Severity::Critical,
        (true, false) => Severity::Warning,
        (true, true) => Severity::Info,
    };
    let gravest = open.iter().map(severity).max().unwrap_or(Severity::Info);
    let why = match gravest {
        Severity::Info => "any user of this machine may connect without a password",
        _ => "anybody who reaches it may connect without a password",
    };
    let changes = (open.iter())
        .map(|node| change(node, Some("none".to_owned()), "a password"))
        .collect();
    let evidence = vec!["PING without AUTH was answered with PONG".to_owned()];
    let next = [
        "on every node: CONFIG SET masterauth PASSWORD",
        "on every node: CONFIG SET requirepass PASSWORD",
        "give it to every client, then on every node: CONFIG SET protected-mode yes, CONFIG REWRITE",
    ];
    let set = Opinion::set(gravest, "requirepass", changes, why, evidence);
    opinions.extend(set.map(|advice| advice.then(next)));
    opinions
}

fn masterauth(case: &Case) -> Vec<Opinion> {
    let is_set = |node: &NodeCase| {
        let password = node.setting("requirepass");
        password.is_some_and(|password| !password.is_empty())
    };
    if !case.nodes.iter().any(is_set) {
        return Vec::new();
    }
    let missing = (case.nodes.iter()).filter(|node| node.setting("masterauth") == Some(""));
    let changes = missing
        .map(|node| change(node, Some(String::new()), "the nodes' password"))
        .collect();
    let set = Opinion::set(
        Severity::Critical,
        "masterauth",
        changes,
        "after the next failover a node could not follow the new master",
        vec!["CONFIG GET: requirepass is set, masterauth is empty".to_owned()],
    );
    let step = "on every node: CONFIG SET masterauth PASSWORD (and masteruser where ACL users are used), CONFIG REWRITE";
    set.map(|advice| advice.then([step])).into_iter().collect()
}

fn protected(case: &Case) -> Vec<Opinion> {
    let off = |node: &&NodeCase| node.setting("protected-mode") == Some("no");
    let unknown = (case.nodes.iter()).filter(|node| off(node) && is_open(node).is_none());
    let mut opinions: Vec<Opinion> = unknown.map(not_asked).collect();
    let safe = (case.nodes.iter()).filter(|node| off(node) && is_open(node) == Some(false));
    let changes = changes("protected-mode", safe.map(|node| (node, "yes".to_owned())));
    let why = "nothing would stand between the network and the data on the day the password is taken away by mistake";
    let evidence = vec!["PING without AUTH was refused, so it turns nobody away now".to_owned()];
    opinions.extend(Opinion::set(
        Severity::Info,
        "protected-mode",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn bind(case: &Case) -> Vec<Opinion> {
    let is_wild = |bind: &str| {
        let mut words = bind.split_ascii_whitespace();
        bind.is_empty() || words.any(|word| ["*", "0.0.0.0", "::"].contains(&word))
    };
    let public = case.nodes.iter().filter_map(|node| {
        let bind = node.setting("bind").filter(|bind| is_wild(bind))?;
        let address = public_address(case, node)?;
        Some((node, bind, address))
    });
    let (changes, evidence) = public
        .map(|(node, bind, address)| {
            let told = format!("{}: bind '{bind}', address {address}", node.addr);
            let wanted = "127.0.0.1 -::1 PRIVATE-ADDRESS";
            (change(node, Some(bind.to_owned()), wanted), told)
        })
        .unzip();
    let why = "it listens to the whole internet";
    let set = Opinion::set(Severity::Warning, "bind", changes, why, evidence);
    let steps = [
        "close the client port and the bus port (client port + 10000) to the outside in the firewall first",
        "let the cluster announce private addresses, then CONFIG SET bind '127.0.0.1 -::1 PRIVATE-ADDRESS' (from 7.0 on; before that in the file), CONFIG REWRITE",
    ];
    set.map(|advice| advice.then(steps)).into_iter().collect()
}

/// The address of the node where it is public: the one it was asked at, or the one it announces.
fn public_address(case: &Case, node: &NodeCase) -> Option<IpAddr> {
    let member = node.id.and_then(|id| case.topology.member(id));
    let announced = member.map(|member| member.announced.ip.as_str());
    let both = [Some(node.addr.host.as_str()), announced];
    let mut read = both.into_iter().flatten().filter_map(|ip| ip.parse().ok());
    read.find(is_public)
}

/// Whether an address is reached from the whole internet: not private, shared (100.64/10), local to
/// a link or machine, set aside for documents, or a group's.
fn is_public(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || ip.is_multicast()
                || is_shared)
        }
        // Global unicast is 2000::/3; of that 2001:db8::/32 is for documents.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tune::testing::Setup;

    fn opened(setup: Setup, is_open: Option<bool>) -> Setup {
        (0..6).fold(setup, |setup, n| {
            setup.facts(n, |facts| facts.answers_without_password = is_open)
        })
    }

    #[test]
    fn an_open_door_is_closed_in_the_right_order() {
        let rule = "security.password";
        let open = opened(Setup::sound(), Some(true));
        let advice = open.rule(rule);
        assert_eq!(advice[0].severity, Severity::Critical);
        assert_eq!(advice[0].changes.len(), 6);
        assert!(advice[0].next[0].contains("masterauth"));
        assert_eq!(Setup::sound().rule(rule), []);
        assert_eq!(opened(Setup::sound(), None).skipped(rule).len(), 6);
    }

    #[test]
    fn replicas_can_log_in() {
        let rule = "security.masterauth";
        let missing = Setup::sound().config_of(1, "masterauth", "");
        let advice = missing.rule(rule);
        assert_eq!(advice[0].severity, Severity::Critical);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(Setup::sound().rule(rule), []);
        let free = missing.config("requirepass", "");
        assert_eq!(free.rule(rule), []);
    }

    #[test]
    fn protected_mode_never_turns_nodes_away() {
        let rule = "security.protected-mode";
        let off = Setup::sound().config("protected-mode", "no");
        let advice = off.rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(opened(off.clone(), Some(true)).rule(rule), []);
        assert_eq!(opened(off, None).skipped(rule).len(), 6);
        assert_eq!(Setup::sound().rule(rule), []);
    }

    #[test]
    fn what_the_internet_can_reach() {
        for (ip, is) in [
            ("10.0.0.1", false),
            ("172.20.0.3", false),
            ("100.100.1.1", false),
            ("127.0.0.1", false),
            ("8.8.8.8", true),
            ("100.128.0.1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("2001:db8::1", false),
            ("2a00:1450:4001::1", true),
        ] {
            assert_eq!(is_public(&ip.parse().unwrap()), is, "{ip}");
        }
    }

    #[test]
    fn a_private_address_may_be_bound_by_a_wildcard() {
        let setup = Setup::sound().config("bind", "* -::*");
        assert_eq!(setup.rule("security.bind"), []);
    }

    #[test]
    fn a_public_address_is_not_listened_on() {
        let everywhere = Setup::sound().config("bind", "* -::*");
        let public = everywhere.announced(1, "8.8.8.8");
        let advice = public.rule("security.bind");
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].severity, Severity::Warning);
        let bound = public.config("bind", "127.0.0.1 10.0.0.2");
        assert_eq!(bound.rule("security.bind"), []);
    }
}
