//! Preflight: everything that would make create fail or its cluster unsound, told in one run,
//! before anything is changed.
//!
//! A rule looks at what the prober saw and at nothing else. What was not seen is no fault: a
//! setting that could not be read, a door that was not dialled. Critical findings stop create,
//! warnings are shown with the plan. That a node is not empty is judged by the plan, which knows
//! whether it is the start of this very cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Candidate, Door, ReplicaLogin};
use super::plan::{Options, contradictions, finding, formed, wanted};
use crate::model::{Finding, NodeAddr, Severity, Silence, Subject};

/// All faults of all candidates, the gravest first, then in the order of the candidates.
pub fn preflight(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let mut faults: Vec<Finding> = Vec::new();
    faults.extend(candidates.iter().filter_map(silent));
    faults.extend(twins(candidates));
    for rule in RULES_OF_ONE {
        faults.extend(candidates.iter().filter_map(rule));
    }
    faults.extend(candidates.iter().flat_map(doors));
    faults.extend(loopback(candidates));
    faults.extend(mixes(candidates));
    faults.extend(size(candidates, options));
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.severity));
    faults
}

type RuleOfOne = fn(&Candidate) -> Option<Finding>;

const RULES_OF_ONE: &[RuleOfOne] = &[
    not_cluster,
    loading,
    replica_login,
    high_port,
    old_epoch,
    config_unread,
];

fn node(candidate: &Candidate) -> Subject {
    Subject::Node(candidate.addr.to_string())
}

fn warning(mut fault: Finding) -> Finding {
    fault.severity = Severity::Warning;
    fault
}

fn silent(candidate: &Candidate) -> Option<Finding> {
    let (silence, detail) = candidate.silence()?;
    let NodeAddr { host, port } = &candidate.addr;
    let (code, summary, next) = match silence {
        Silence::PasswordWanted => (
            "password_wanted",
            "wants a password, and none was given",
            "give it with --password-file".into(),
        ),
        Silence::PasswordWrong => (
            "password_wrong",
            "does not take the password or user that was given",
            "give this node's password; all nodes of a cluster should have the same".into(),
        ),
        Silence::Forbidden => (
            "forbidden",
            "does not let this user ask what create must know",
            "give the user the commands that the evidence names".into(),
        ),
        Silence::Loading => return Some(is_loading(candidate, detail)),
        Silence::Tls => (
            "tls",
            "could not be reached by TLS as set",
            "give --tls and the CA for all nodes, or for none; look at tls-port on the node".into(),
        ),
        Silence::NotRedis => (
            "not_redis",
            "is no Redis or Valkey server, or answers out of form",
            "correct the address".into(),
        ),
        Silence::NotCluster => return Some(no_cluster_mode(candidate, detail)),
        _ if detail.to_ascii_lowercase().contains("protected mode") => (
            "protected_mode",
            "lets nobody in from other machines: protected mode is on and no password is set",
            format!("set requirepass and masterauth on {host}, then start again"),
        ),
        _ => (
            "unreachable",
            "cannot be reached",
            format!(
                "start the server, or correct the address; try: redis-cli -h {host} -p {port} PING"
            ),
        ),
    };
    let summary = match code {
        "unreachable" => format!("{summary} ({silence})"),
        _ => summary.to_owned(),
    };
    Some(finding(
        &format!("preflight.{code}"),
        node(candidate),
        summary,
        detail.to_owned(),
        &next,
    ))
}

fn no_cluster_mode(candidate: &Candidate, evidence: &str) -> Finding {
    finding(
        "preflight.not_cluster",
        node(candidate),
        "does not run in cluster mode".into(),
        evidence.to_owned(),
        "set cluster-enabled yes in its configuration and start it again",
    )
}

fn is_loading(candidate: &Candidate, evidence: &str) -> Finding {
    finding(
        "preflight.loading",
        node(candidate),
        "is still loading its data".into(),
        evidence.to_owned(),
        "wait until INFO persistence says loading:0; a node for a new cluster should be empty",
    )
}

fn not_cluster(candidate: &Candidate) -> Option<Finding> {
    let enabled = candidate.facts()?.info.number("cluster_enabled");
    (enabled == Some(0)).then(|| no_cluster_mode(candidate, "INFO cluster: cluster_enabled:0"))
}

fn loading(candidate: &Candidate) -> Option<Finding> {
    let loading = candidate.facts()?.info.number("loading");
    (loading == Some(1)).then(|| is_loading(candidate, "INFO persistence: loading:1"))
}

fn replica_login(candidate: &Candidate) -> Option<Finding> {
    let (code, summary, evidence) = match &candidate.replica_login {
        ReplicaLogin::Works | ReplicaLogin::NotTried(_) => return None,
        ReplicaLogin::Missing => (
            "preflight.masterauth_missing",
            "could never follow a master: it has no masterauth, and the others want a password"
                .into(),
            "CONFIG GET masterauth is empty".into(),
        ),
        ReplicaLogin::Refused { by, detail } => (
            "preflight.masterauth_wrong",
            format!("could never follow a master: {by} refuses its masteruser and masterauth"),
            format!("{by}: {detail}"),
        ),
    };
    let next = "set masterauth (and masteruser, where the others have ACL users) on this node, in its configuration file too";
    Some(finding(code, node(candidate), summary, evidence, next))
}

/// The bus listens 10,000 above the client port unless `cluster-port` says otherwise.
fn high_port(candidate: &Candidate) -> Option<Finding> {
    let announced = candidate.myself().map(|myself| &myself.announced);
    let has_bus = announced.is_some_and(|announced| announced.bus_port != 0);
    let port = announced.map_or(candidate.addr.port, |announced| announced.port);
    (port > 55_535 && !has_bus && candidate.meet_at.is_none()).then(|| {
        finding(
            "preflight.port_too_high",
            node(candidate),
            format!("has port {port}, which leaves no port for the cluster bus ({port} + 10000 is above 65535)"),
            "no bus port is announced".into(),
            "set cluster-port on it (from Redis 7.0 on), or use a port up to 55535",
        )
    })
}

fn old_epoch(candidate: &Candidate) -> Option<Finding> {
    let myself = candidate.myself()?;
    let is_alone = candidate.known().next().is_none();
    let is_leftover = myself.epoch != 0 && is_alone && myself.slots.is_empty();
    is_leftover.then(|| {
        let NodeAddr { host, port } = &candidate.addr;
        warning(finding(
            "preflight.epoch_left",
            node(candidate),
            format!("has config epoch {} from an earlier life", myself.epoch),
            "CLUSTER NODES, the line about itself: no slots, no other node".into(),
            &format!("nothing need be done; to begin clean: redis-cli -h {host} -p {port} CLUSTER RESET HARD"),
        ))
    })
}

fn config_unread(candidate: &Candidate) -> Option<Finding> {
    let facts = candidate.facts()?;
    let why = match &candidate.replica_login {
        ReplicaLogin::NotTried(why) => why.as_str(),
        _ if facts.config.is_empty() => facts.why_not(crate::model::Probe::Config)?,
        _ => return None,
    };
    let mut fault = finding(
        "preflight.config_unread",
        node(candidate),
        "was not looked at in full: its settings, or its login as a replica, are not known".into(),
        why.to_owned(),
        "let the user run CONFIG GET, or look at masterauth and the tls- settings yourself",
    );
    fault.severity = Severity::Info;
    Some(fault)
}

fn doors(candidate: &Candidate) -> impl Iterator<Item = Finding> + '_ {
    candidate.dialled.iter().filter_map(|dialling| {
        let error = dialling.error.as_ref()?;
        let at = &dialling.at;
        let evidence = format!("dialled {at}: {error}");
        Some(match dialling.door {
            Door::Bus => finding(
                "preflight.bus_unreachable",
                node(candidate),
                format!("cannot be reached on its cluster bus port {}", at.port),
                evidence,
                "open the port in the firewall, or publish it; peers never join without it",
            ),
            Door::AnnouncedClient => finding(
                "preflight.announced_unreachable",
                node(candidate),
                format!("announces {at}, where nothing answers"),
                evidence,
                "correct cluster-announce-ip and cluster-announce-port on it",
            ),
            Door::AnnouncedBus => finding(
                "preflight.announced_bus_unreachable",
                node(candidate),
                format!("announces the bus address {at}, where nothing answers"),
                evidence,
                "correct cluster-announce-ip and cluster-announce-bus-port on it",
            ),
        })
    })
}

/// Nodes that are one: an address given twice, two names for one server, one id on two servers.
fn twins(candidates: &[Candidate]) -> Vec<Finding> {
    let mut faults = Vec::new();
    for (n, one) in candidates.iter().enumerate() {
        let Some((earlier, kind)) = candidates[..n]
            .iter()
            .find_map(|other| Some((other, twin(other, one)?)))
        else {
            continue;
        };
        let (code, summary, evidence, next) = match kind {
            Twin::Address => (
                "preflight.same_address",
                "is given twice".to_owned(),
                "the list of nodes".to_owned(),
                "name each node once",
            ),
            Twin::Server(evidence) => (
                "preflight.same_server",
                format!("is the same server as {}", earlier.addr),
                evidence,
                "name each server once",
            ),
            Twin::Id(id) => (
                "preflight.same_id",
                format!("has the same node id as {}", earlier.addr),
                format!("CLUSTER NODES of both: {id}"),
                "its nodes.conf was copied: stop one of the two, delete its nodes.conf and start it again",
            ),
        };
        faults.push(finding(code, node(one), summary, evidence, next));
    }
    faults
}

enum Twin {
    Address,
    Server(String),
    Id(String),
}

fn twin(one: &Candidate, other: &Candidate) -> Option<Twin> {
    if one.addr == other.addr {
        return Some(Twin::Address);
    }
    let run_id = |candidate: &Candidate| candidate.facts()?.info.get("run_id").map(str::to_owned);
    let (a, b) = (run_id(one), run_id(other));
    if let (Some(a), Some(b)) = (&a, &b)
        && a == b
    {
        return Some(Twin::Server(format!("INFO server of both: run_id:{a}")));
    }
    // Two answers with two run ids come from two servers, whatever the names resolve to.
    let are_two = a.is_some() && b.is_some();
    let shared = one.resolved.iter().find(|ip| other.resolved.contains(ip));
    if let Some(ip) = shared.filter(|_| !are_two && one.addr.port == other.addr.port) {
        return Some(Twin::Server(format!(
            "both names resolve to {}",
            NodeAddr::new(ip.to_string(), one.addr.port)
        )));
    }
    let id = one.id().filter(|&id| Some(id) == other.id())?;
    Some(Twin::Id(id.to_string()))
}

/// A node met at a loopback address can be met by nodes of the same machine only.
fn loopback(candidates: &[Candidate]) -> Vec<Finding> {
    let is_local = |candidate: &Candidate| -> Option<bool> {
        let ip = candidate.meeting()?.ip.parse::<std::net::IpAddr>().ok()?;
        Some(ip.is_loopback())
    };
    let is_bound_local = |candidate: &Candidate| {
        candidate
            .facts()
            .and_then(|facts| facts.setting("bind"))
            .is_some_and(|bind| {
                let mut addresses = bind
                    .split_whitespace()
                    .map(|ip| ip.trim_start_matches('-'))
                    .peekable();
                addresses.peek().is_some()
                    && addresses.all(|ip| ip == "::1" || ip.starts_with("127."))
            })
    };
    let Some(remote) = candidates
        .iter()
        .find(|other| is_local(other) == Some(false))
    else {
        return Vec::new();
    };
    candidates
        .iter()
        .filter_map(|candidate| {
            let (code, summary, next) = match is_local(candidate) {
                Some(true) => (
                    "preflight.loopback",
                    "would be met at a loopback address, which leads the others to themselves",
                    "name it by an address that all nodes can reach",
                ),
                _ if candidate.meet_at.is_none() && is_bound_local(candidate) => (
                    "preflight.bind_loopback",
                    "listens on loopback addresses only, so its peers cannot reach it",
                    "set bind on it to an address that all nodes can reach",
                ),
                _ => return None,
            };
            let evidence = format!("{} is not on loopback", remote.addr);
            Some(finding(
                code,
                node(candidate),
                summary.into(),
                evidence,
                next,
            ))
        })
        .collect()
}

/// What should be equal on all nodes.
fn mixes(candidates: &[Candidate]) -> Vec<Finding> {
    let setting = |name: &'static str| {
        move |node: &Candidate| {
            node.facts()?
                .setting(name)
                .map(|value| format!("{name} {value}"))
        }
    };
    let vendor = |node: &Candidate| {
        node.facts()
            .filter(|facts| !facts.info.0.is_empty())
            .map(|facts| facts.info.vendor().to_string())
    };
    let version = |node: &Candidate| {
        let info = &node.facts()?.info;
        info.version()
            .map(|version| format!("{} {version}", info.vendor()))
    };
    let mixed_vendor = mix(
        candidates,
        vendor,
        "preflight.mixed_vendors",
        "servers of different makers do not make one sound cluster",
        "use one maker's servers on all nodes",
    );
    let mixed_version = match mixed_vendor {
        Some(_) => None,
        None => mix(
            candidates,
            version,
            "preflight.mixed_versions",
            "the servers' versions differ",
            "use one version on all nodes, but for the time of an upgrade",
        )
        .map(warning),
    };
    let tls = "set it alike on all nodes: those that differ never join, or never sync";
    mixed_vendor
        .into_iter()
        .chain(mixed_version)
        .chain(mix(
            candidates,
            setting("tls-cluster"),
            "preflight.tls_cluster_mixed",
            "some nodes speak TLS on the cluster bus and some do not",
            tls,
        ))
        .chain(mix(
            candidates,
            setting("tls-replication"),
            "preflight.tls_replication_mixed",
            "some nodes would follow a master by TLS and some without",
            tls,
        ))
        .chain(
            mix(
                candidates,
                setting("cluster-node-timeout"),
                "preflight.node_timeout_mixed",
                "the nodes' timeouts differ, so they disagree on when a node is down",
                "set cluster-node-timeout alike on all nodes",
            )
            .map(warning),
        )
        .collect()
}

fn mix(
    candidates: &[Candidate],
    value: impl Fn(&Candidate) -> Option<String>,
    code: &str,
    summary: &str,
    next: &str,
) -> Option<Finding> {
    let mut nodes_with: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for candidate in candidates {
        if let Some(value) = value(candidate) {
            nodes_with
                .entry(value)
                .or_default()
                .push(candidate.addr.to_string());
        }
    }
    let evidence: Vec<String> = nodes_with
        .iter()
        .map(|(value, nodes)| format!("{value}: {}", nodes.join(", ")))
        .collect();
    let subject = Subject::Cluster("create".into());
    (nodes_with.len() > 1)
        .then(|| finding(code, subject, summary.into(), evidence.join("; "), next))
}

/// Too few, too small, or not empty.
fn size(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let placement = match wanted(candidates, options) {
        Ok(placement) => placement,
        Err(fault) => return vec![fault],
    };
    let mut faults = Vec::new();
    let masters = placement.layout.shards.len();
    if masters < 3 && !options.allow_small {
        faults.push(finding(
            "preflight.few_masters",
            Subject::Cluster("create".into()),
            format!(
                "{masters} master{} cannot elect a new one when one dies: three are the least",
                if masters == 1 { "" } else { "s" }
            ),
            format!("{} nodes were given", candidates.len()),
            "give more nodes, or say --allow-small for a cluster to develop with",
        ));
    }
    let are_twins = |id| {
        candidates
            .iter()
            .filter(|other| other.id() == Some(id))
            .count()
            > 1
    };
    let named: BTreeSet<_> = candidates
        .iter()
        .filter_map(Candidate::id)
        .filter(|id| are_twins(*id))
        .collect();
    // Nodes that share an id cannot be told apart, so nothing can be said of what they own.
    if named.is_empty() && formed(candidates, options).is_none() {
        faults.extend(contradictions(candidates, &placement));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::candidate::{Dialling, Meeting};
    use super::super::simulation::{fresh, probe};
    use super::*;
    use crate::model::{Answer, Facts};

    fn options() -> Options {
        Options {
            masters: 3,
            replicas: 1,
            ..Options::default()
        }
    }

    fn facts(candidate: &mut Candidate) -> &mut Facts {
        match &mut candidate.answer {
            Answer::Facts(facts) => facts,
            Answer::Silent { .. } => panic!("silent"),
        }
    }

    fn set(candidate: &mut Candidate, name: &str, value: &str) {
        let facts = facts(candidate);
        facts.config.insert(name.into(), value.into());
    }

    fn tell(candidate: &mut Candidate, name: &str, value: &str) {
        facts(candidate).info.0.insert(name.into(), value.into());
    }

    fn hush(candidate: &mut Candidate, silence: Silence, detail: &str) {
        candidate.answer = Answer::Silent {
            silence,
            detail: detail.into(),
            after_ms: 3,
        };
    }

    fn dial(candidate: &mut Candidate, door: Door) {
        candidate.dialled.push(Dialling {
            door,
            at: "10.9.9.9:17000".parse().unwrap(),
            error: Some("connection refused".into()),
        });
    }

    #[test]
    fn sound_candidates_have_no_fault() {
        assert_eq!(preflight(&probe(&fresh(6)), &options()), []);
    }

    #[test]
    fn each_fault_has_its_code() {
        type Spoil = fn(&mut Vec<Candidate>);
        let cases: &[(&str, Spoil)] = &[
            ("unreachable", |c| {
                hush(&mut c[1], Silence::Refused, "connection refused")
            }),
            ("unreachable", |c| {
                hush(&mut c[1], Silence::Timeout, "no answer within 2 s")
            }),
            ("protected_mode", |c| {
                hush(
                    &mut c[1],
                    Silence::Closed,
                    "DENIED Redis is running in protected mode",
                )
            }),
            ("password_wanted", |c| {
                hush(&mut c[1], Silence::PasswordWanted, "NOAUTH")
            }),
            ("password_wrong", |c| {
                hush(&mut c[1], Silence::PasswordWrong, "WRONGPASS")
            }),
            ("forbidden", |c| {
                hush(&mut c[1], Silence::Forbidden, "NOPERM")
            }),
            ("loading", |c| hush(&mut c[1], Silence::Loading, "LOADING")),
            ("loading", |c| tell(&mut c[1], "loading", "1")),
            ("tls", |c| hush(&mut c[1], Silence::Tls, "unknown issuer")),
            ("not_redis", |c| {
                hush(&mut c[1], Silence::NotRedis, "HTTP/1.1 400")
            }),
            ("not_cluster", |c| {
                hush(&mut c[1], Silence::NotCluster, "cluster support disabled")
            }),
            ("not_cluster", |c| tell(&mut c[1], "cluster_enabled", "0")),
            ("masterauth_missing", |c| {
                c[1].replica_login = ReplicaLogin::Missing
            }),
            ("masterauth_wrong", |c| {
                c[1].replica_login = ReplicaLogin::Refused {
                    by: c[0].addr.clone(),
                    detail: "WRONGPASS".into(),
                };
            }),
            ("config_unread", |c| {
                c[1].replica_login = ReplicaLogin::NotTried("NOPERM".into())
            }),
            ("bus_unreachable", |c| dial(&mut c[1], Door::Bus)),
            ("announced_unreachable", |c| {
                dial(&mut c[1], Door::AnnouncedClient)
            }),
            ("announced_bus_unreachable", |c| {
                dial(&mut c[1], Door::AnnouncedBus)
            }),
            ("port_too_high", |c| {
                let myself = &mut facts(&mut c[1]).view.peers[0];
                (myself.announced.port, myself.announced.bus_port) = (60_000, 0);
            }),
            ("epoch_left", |c| facts(&mut c[1]).view.peers[0].epoch = 7),
            ("mixed_vendors", |c| {
                tell(&mut c[1], "server_name", "valkey")
            }),
            ("mixed_versions", |c| {
                tell(&mut c[1], "redis_version", "7.2.0")
            }),
            ("tls_cluster_mixed", |c| {
                set(&mut c[0], "tls-cluster", "no");
                set(&mut c[1], "tls-cluster", "yes");
            }),
            ("tls_replication_mixed", |c| {
                set(&mut c[0], "tls-replication", "no");
                set(&mut c[1], "tls-replication", "yes");
            }),
            ("node_timeout_mixed", |c| {
                set(&mut c[0], "cluster-node-timeout", "5000");
                set(&mut c[1], "cluster-node-timeout", "15000");
            }),
            ("loopback", |c| {
                c[1].resolved = vec!["127.0.0.1".parse().unwrap()]
            }),
            ("bind_loopback", |c| {
                set(&mut c[1], "bind", "127.0.0.1 -::1")
            }),
            ("same_address", |c| c[1] = c[0].clone()),
            ("same_server", |c| {
                c[1].answer = c[0].answer.clone();
                c[1].addr = "alias:7000".parse().unwrap();
            }),
            ("same_id", |c| {
                facts(&mut c[1]).view = facts(&mut c[0]).view.clone();
            }),
            ("too_few", |c| c.truncate(5)),
            ("not_empty", |c| tell(&mut c[1], "db3", "keys=4,expires=0")),
            ("not_empty", |c| c[1].functions = Some(2)),
        ];
        for (code, spoil) in cases {
            let mut candidates = probe(&fresh(6));
            spoil(&mut candidates);
            let faults = preflight(&candidates, &options());
            let codes: Vec<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
            assert_eq!(codes, [format!("preflight.{code}")], "{faults:#?}");
            let fault = &faults[0];
            assert!(
                !fault.evidence.is_empty() && !fault.next.is_empty(),
                "{fault:?}"
            );
            assert!(!fault.summary.ends_with('.'), "{fault:?}");
        }
    }

    #[test]
    fn all_faults_come_in_one_run_the_gravest_first() {
        let mut candidates = probe(&fresh(6));
        hush(&mut candidates[0], Silence::Refused, "connection refused");
        candidates[1].replica_login = ReplicaLogin::Missing;
        tell(&mut candidates[2], "redis_version", "7.2.0");
        dial(&mut candidates[3], Door::Bus);
        tell(&mut candidates[4], "db0", "keys=1,expires=0");
        candidates[5].addr = candidates[4].addr.clone();
        let faults = preflight(&candidates, &options());
        let codes: BTreeSet<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
        let expected = [
            "unreachable",
            "masterauth_missing",
            "mixed_versions",
            "bus_unreachable",
            "not_empty",
            "same_address",
        ];
        assert_eq!(
            codes,
            expected
                .iter()
                .map(|code| format!("preflight.{code}"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str)
                .collect()
        );
        assert_eq!(faults.last().unwrap().severity, Severity::Warning);
    }

    #[test]
    fn small_clusters_need_a_word() {
        let small = |allow_small| Options {
            masters: 1,
            allow_small,
            ..Options::default()
        };
        let candidates = probe(&fresh(1));
        assert_eq!(
            preflight(&candidates, &small(false))[0].code,
            "preflight.few_masters"
        );
        assert_eq!(preflight(&candidates, &small(true)), []);
    }

    #[test]
    fn what_was_begun_or_done_is_no_fault() {
        let mut servers = fresh(6);
        servers[0].slots = "0-5460".parse().unwrap();
        servers[0].epoch = 1;
        assert_eq!(preflight(&probe(&servers), &options()), []);
    }

    #[test]
    fn a_silent_candidate_is_no_stranger_to_those_who_know_it() {
        let mut servers = fresh(6);
        servers[0].known = [1].into();
        let mut candidates = probe(&servers);
        hush(&mut candidates[1], Silence::Timeout, "no answer within 2 s");
        let faults = preflight(&candidates, &options());
        assert_eq!(faults.len(), 1, "{faults:#?}");
    }

    #[test]
    fn containers_on_one_machine_are_not_two_names_for_one_server() {
        let mut candidates = probe(&fresh(6));
        for (n, candidate) in candidates.iter_mut().enumerate() {
            candidate.addr = NodeAddr::new("127.0.0.1", 7001 + n as u16);
            candidate.resolved = vec!["127.0.0.1".parse().unwrap()];
            candidate.meet_at = Some(Meeting {
                ip: format!("172.18.0.{}", n + 2),
                port: 7001,
                bus_port: 17001,
            });
            set(candidate, "bind", "127.0.0.1");
        }
        assert_eq!(preflight(&candidates, &options()), []);
    }
}
