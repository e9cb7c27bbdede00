//! What a container or control group gives the server, and who goes first when memory ends.

use super::super::super::case::{Case, NodeCase};
use super::super::super::form;
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::{Look, on_machines, resident_on_machine};
use crate::model::words::{bytes, count, three_digits};
use crate::model::{HostSeen, Severity};

pub(super) const THROTTLED: Rule = Rule {
    id: "host.throttled",
    title: "the server is stopped for using its share of the processor",
    parameters: &["cpu quota"],
    kind: Kind::Host,
    why: "A quota of CPU time stops the whole process when it is used up, until the next period begins: tens of milliseconds in which nobody is answered, at any moment and with nothing in the server's log. A fork or a burst is enough, even where the mean is far below the quota.",
    how: "no quota, where a period was throttled; weights share a machine without stopping anybody",
    cost: "a busy node may take processor time from its neighbours",
    risk: Risk::Low,
    source: "cpu.stat of the control group: nr_throttled of nr_periods, since it was made",
    judge: |case| {
        let why = "the kernel stops the whole server whenever its CPU quota is used up";
        on_machines(case, "cpu quota", why, throttled, |by, _| {
            match by {
            "docker" => vec![
                "docker update --cpus ALL-CORES-OF-THE-MACHINE CONTAINER (compose: cpu_shares instead of cpus)"
                    .to_owned(),
            ],
            _ => vec!["systemctl set-property UNIT CPUQuota= (CPUWeight= instead)".to_owned()],
        }
        })
    },
};

pub(super) const MEMORY_LIMIT: Rule = Rule {
    id: "host.memory-limit",
    title: "a container without a limit of memory",
    parameters: &["memory.max"],
    kind: Kind::Host,
    why: "A container without a limit may take all memory of its machine, and when that ends the kernel chooses whom to kill: perhaps the master next door. With a limit the fault stays with who made it.",
    how: "half as much again as maxmemory and 100 MiB, for buffers and forks; without maxmemory the node's share of four fifths of the machine; twice what it uses now at the least",
    cost: "a node that outgrows the limit is killed: set maxmemory with it (memory.maxmemory)",
    risk: Risk::Medium,
    source: "memory.max of the container; MemTotal of the machine; INFO memory: maxmemory, used_memory_rss",
    judge: |case| {
        let why =
            "nothing keeps the container from taking the memory of everything else on its machine";
        let look = |node: &NodeCase, host: &HostSeen| unlimited(case, node, host);
        on_machines(case, "memory.max", why, look, |_, value| {
            let limit = format!("--memory {value} --memory-swap {value}");
            vec![format!(
                "docker update {limit} CONTAINER (compose: mem_limit: {value})"
            )]
        })
    },
};

pub(super) const OOM_ORDER: Rule = Rule {
    id: "host.oom-order",
    title: "who is killed first when memory ends",
    parameters: &["oom-score-adj"],
    kind: Kind::Setting,
    why: "When memory ends the kernel kills the process that it holds for the best victim, which as often as not is the largest master. With oom-score-adj the server names its forked child first, then replicas, masters last.",
    how: "yes where the nodes of a machine (or a container with a limit) use more than half of its memory",
    cost: "none; the server's own choice is made relative to what the service manager gave it",
    risk: Risk::Low,
    source: "CONFIG oom-score-adj (CONFIG GET prints relative as yes), oom-score-adj-values 0 200 800; INFO memory: used_memory_rss",
    judge: oom_order,
};

/// The share of throttled periods that is felt, in percent.
const FELT: f64 = 1.0;

fn throttled(_: &NodeCase, host: &HostSeen) -> Look {
    let Some((some, all)) = host.throttled else {
        return Look::Unknown;
    };
    if some == 0 || all == 0 {
        return Look::Fits;
    }
    let share = some as f64 * 100.0 / all as f64;
    let cores = host.cores.map_or("?".to_owned(), three_digits);
    Look::Wants {
        severity: match share > FELT {
            true => Severity::Warning,
            false => Severity::Info,
        },
        present: format!("{cores} cores"),
        proposed: "none".to_owned(),
        told: format!(
            "stopped in {} of {} periods ({share:.1} %)",
            count(some),
            count(all)
        ),
    }
}

fn unlimited(case: &Case, node: &NodeCase, host: &HostSeen) -> Look {
    if host.by != "docker" || host.limit_bytes.is_some() {
        return Look::Fits;
    }
    let Some(memory) = host.memory_bytes else {
        return Look::Unknown;
    };
    let beside = case.on_machine_of(node).count().max(1) as u64;
    let resident = node.number("used_memory_rss").unwrap_or(0);
    let on_machine = resident_on_machine(case, node).unwrap_or(resident);
    let maxmemory = node.maxmemory().unwrap_or(0);
    let limit = match maxmemory {
        0 => memory / 5 * 4 / beside,
        most => most + most / 2 + (100 << 20),
    };
    let is_tight = maxmemory == 0 && on_machine > memory / 2;
    Look::Wants {
        severity: match is_tight {
            true => Severity::Warning,
            false => Severity::Info,
        },
        present: "max".to_owned(),
        proposed: form::whole_mib(limit.max(resident * 2)).to_string(),
        told: format!(
            "no limit on a machine of {} with {beside} nodes, maxmemory {}, resident {}",
            bytes(memory),
            match maxmemory {
                0 => "none".to_owned(),
                most => bytes(most),
            },
            bytes(resident)
        ),
    }
}

fn oom_order(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let (mut wanted, mut evidence) = (Vec::new(), Vec::new());
    for node in &case.nodes {
        if node.setting("oom-score-adj") != Some("no") {
            continue;
        }
        let room = (node.host()).and_then(|host| {
            let own = (host.limit_bytes).zip(node.number("used_memory_rss"));
            own.or_else(|| host.memory_bytes.zip(resident_on_machine(case, node)))
        });
        match room {
            None => {
                let why = node.why_not_seen("host");
                let why = format!("the memory of its machine is not known: {why}");
                opinions.push(Opinion::skip(node, why));
            }
            Some((limit, used)) if used > limit / 2 => {
                let told = format!("{} of {} are in use", bytes(used), bytes(limit));
                evidence.push(format!("{}: {told}", node.addr));
                wanted.push((node, "yes".to_owned()));
            }
            Some(_) => {}
        }
    }
    let why = "memory may end, and the kernel would as soon kill a master as a forked child";
    let changes = changes("oom-score-adj", wanted);
    opinions.extend(Opinion::set(
        Severity::Info,
        "oom-score-adj",
        changes,
        why,
        evidence,
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn asked(setup: &Setup, rule: &str) -> Option<(String, Severity)> {
        let advice = setup.rule(rule);
        let first = advice.first()?;
        Some((first.changes[0].proposed.clone(), first.severity))
    }

    #[test]
    fn a_quota_that_stops_the_server_goes() {
        let setup = |some| {
            Setup::sound().hosts(&HostSeen {
                throttled: Some((some, 10_000)),
                cores: Some(1.5),
                by: "docker".into(),
                ..HostSeen::default()
            })
        };
        let rule = "host.throttled";
        let none = |severity| Some(("none".to_owned(), severity));
        assert_eq!(asked(&setup(900), rule), none(Severity::Warning));
        assert_eq!(asked(&setup(9), rule), none(Severity::Info));
        assert_eq!(asked(&setup(0), rule), None);
        assert_eq!(
            setup(9).rule(rule)[0].changes[0].present.as_deref(),
            Some("1.50 cores")
        );
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
    }

    #[test]
    fn a_container_has_a_limit() {
        let host = |by: &str, limit| HostSeen {
            by: by.into(),
            memory_bytes: Some(8 << 30),
            limit_bytes: limit,
            ..HostSeen::default()
        };
        let rule = "host.memory-limit";
        let setup = |host: &HostSeen| Setup::sound().hosts(host);
        let free = setup(&host("docker", None));
        // Half as much again as 1,000,000,000 and 100 MiB, in whole MiB.
        let limit = Some(("1604321280".to_owned(), Severity::Info));
        assert_eq!(asked(&free, rule), limit);
        let open = free.info("maxmemory:0");
        let share = Some(("6871318528".to_owned(), Severity::Info));
        assert_eq!(asked(&open, rule), share);
        let full = open.info("used_memory_rss:5000000000");
        assert_eq!(asked(&full, rule).unwrap().1, Severity::Warning);
        assert_eq!(asked(&setup(&host("docker", Some(1 << 30))), rule), None);
        assert_eq!(asked(&setup(&host("proc", None)), rule), None);
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
    }

    #[test]
    fn the_child_goes_first_where_memory_may_end() {
        let rule = "host.oom-order";
        let setup = |memory| {
            Setup::sound().hosts(&HostSeen {
                memory_bytes: Some(memory),
                ..HostSeen::default()
            })
        };
        let yes = Some(("yes".to_owned(), Severity::Info));
        assert_eq!(asked(&setup(16_000_000), rule), yes);
        assert_eq!(asked(&setup(8 << 30), rule), None);
        let told = setup(16_000_000).config("oom-score-adj", "yes");
        assert_eq!(asked(&told, rule), None);
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
    }
}
