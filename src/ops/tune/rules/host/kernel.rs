//! Memory and time as the kernel gives them.

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule};
use super::{Look, on_machines, resident_on_machine, sysctl};
use crate::model::words::bytes;
use crate::model::{HostSeen, Severity};

pub(super) const OVERCOMMIT: Rule = Rule {
    id: "host.overcommit",
    title: "whether a fork may promise memory twice",
    parameters: &["vm.overcommit_memory"],
    kind: Kind::Host,
    why: "A snapshot, an AOF rewrite and a full copy to a replica fork the server, and the child is promised as much memory as its parent has, though it touches little of it. With vm.overcommit_memory 0 the kernel refuses where it thinks that too much, with 2 it refuses soon; then snapshots fail, writes stop (stop-writes-on-bgsave-error) and a replica cannot come back.",
    how: "1",
    cost: "other programs of the machine are promised more than there is as well",
    risk: Risk::Low,
    source: "/proc/sys/vm/overcommit_memory; the server's own warning at start; redis.io/docs on administration",
    judge: |case| {
        let why = "a fork of a large server may be refused, and with it snapshots and full copies";
        let look = |node: &_, host: &HostSeen| {
            let Some(mode) = host.overcommit else {
                return Look::Unknown;
            };
            if mode == 1 {
                return Look::Fits;
            }
            let resident = resident_on_machine(case, node).unwrap_or(0);
            let memory = host.memory_bytes.unwrap_or(u64::MAX);
            let severity = match mode == 2 || resident > memory / 2 {
                true => Severity::Warning,
                false => Severity::Info,
            };
            let of = host.memory_bytes.map_or("?".to_owned(), bytes);
            Look::Wants {
                severity,
                present: mode.to_string(),
                proposed: "1".to_owned(),
                told: format!("its machine's nodes hold {} of {of}", bytes(resident)),
            }
        };
        on_machines(case, "vm.overcommit_memory", why, look, |_, value| {
            sysctl("vm.overcommit_memory", value)
        })
    },
};

pub(super) const HUGE_PAGES: Rule = Rule {
    id: "host.huge-pages",
    title: "memory copied in pages of 2 MiB",
    parameters: &["transparent_hugepage"],
    kind: Kind::Host,
    why: "With transparent huge pages a write during a fork copies 2 MiB where 4 KiB would do: latency jumps, and the memory of a node may double while it saves. The server keeps them from itself (disable-thp, on by default from 6.2 on), so this matters where that is off.",
    how: "madvise, where the kernel says always and the server's disable-thp is not yes",
    cost: "none; nodes must be started again to lose the huge pages that they have",
    risk: Risk::Low,
    source: "/sys/kernel/mm/transparent_hugepage/enabled; CONFIG disable-thp; server.c linuxMemoryWarnings",
    judge: |case| {
        let why = "a write during a fork copies 2 MiB instead of 4 KiB";
        let look = |node: &NodeCase, host: &HostSeen| match &host.huge_pages {
            None => Look::Unknown,
            Some(mode) if mode == "always" && node.is_on("disable-thp") != Some(true) => {
                Look::Wants {
                    severity: Severity::Warning,
                    present: mode.clone(),
                    proposed: "madvise".to_owned(),
                    told: format!(
                        "huge pages {mode}, disable-thp {}",
                        node.setting("disable-thp").unwrap_or("unknown to it")
                    ),
                }
            }
            Some(_) => Look::Fits,
        };
        on_machines(case, "transparent_hugepage", why, look, |_, value| {
            vec![
                format!("echo {value} > /sys/kernel/mm/transparent_hugepage/enabled"),
                format!(
                    "transparent_hugepage={value} on the kernel's command line, for every start"
                ),
                "start the nodes again, replicas first".to_owned(),
            ]
        })
    },
};

pub(super) const SWAPPINESS: Rule = Rule {
    id: "host.swappiness",
    title: "how soon the kernel swaps",
    parameters: &["vm.swappiness"],
    kind: Kind::Host,
    why: "The kernel likes to put pages that were not touched for a while onto the disk and keep files in memory instead. In a cache those are keys, and the first who asks for one makes everybody wait for the disk.",
    how: "1 where the machine has swap and vm.swappiness is above 10; swap itself is worth keeping, against a sudden end",
    cost: "a little less memory for cached files",
    risk: Risk::Low,
    source: "/proc/sys/vm/swappiness, /proc/meminfo SwapTotal; INFO memory: used_memory_rss over used_memory; check memory.swapped",
    judge: swappiness,
};

pub(super) const CLOCK: Rule = Rule {
    id: "host.clock-source",
    title: "a clock that takes long to read",
    parameters: &["clocksource"],
    kind: Kind::Host,
    why: "The server looks at the clock several times for each command. Some clock sources cannot be read without entering the kernel, and then a good part of its time goes into that.",
    how: "tsc (kvm-clock on a guest that offers it) where it is xen, hpet, acpi_pm, refined-jiffies or jiffies",
    cost: "none where the processor's counter is stable, which the kernel tests before it offers it",
    risk: Risk::Low,
    source: "/sys/devices/system/clocksource/clocksource0/current_clocksource; syscheck.c checkClocksource",
    judge: |case| {
        let why = "every look at the clock is a call into the kernel";
        let look = |_: &_, host: &HostSeen| match host.clock_source.as_deref() {
            None => Look::Unknown,
            Some(slow) if SLOW_CLOCKS.contains(&slow) => Look::Wants {
                // xen's clock is slow, the others' are slower by far.
                severity: match slow {
                    "xen" => Severity::Info,
                    _ => Severity::Warning,
                },
                present: slow.to_owned(),
                proposed: "tsc".to_owned(),
                told: format!("clock source {slow}"),
            },
            Some(_) => Look::Fits,
        };
        const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
        on_machines(case, "clocksource", why, look, |_, value| {
            vec![
                format!("cat {FOLDER}/available_clocksource"),
                format!(
                    "echo {value} > {FOLDER}/current_clocksource (kvm-clock where that is offered)"
                ),
                format!("clocksource={value} on the kernel's command line, for every start"),
            ]
        })
    },
};

const SLOW_CLOCKS: &[&str] = &["xen", "hpet", "acpi_pm", "refined-jiffies", "jiffies"];
/// The kernel's default is 60; above this it swaps without need (check's catalogue, HST-04).
const EAGER: u64 = 10;

fn swappiness(case: &Case) -> Vec<Opinion> {
    let why = "keys that are seldom read are put onto the disk, and reading one stops the server";
    let look = |node: &NodeCase, host: &HostSeen| {
        let Some(present) = host.swappiness else {
            return Look::Unknown;
        };
        if present <= EAGER || host.swap_bytes == Some(0) {
            return Look::Fits;
        }
        let (resident, used) = (node.number("used_memory_rss"), node.number("used_memory"));
        // As check's memory.swapped: less is resident than is used.
        let is_swapped = resident
            .zip(used)
            .is_some_and(|(resident, used)| used > 100 << 20 && resident < used / 100 * 95);
        let swap = host.swap_bytes.map_or("?".to_owned(), bytes);
        Look::Wants {
            severity: match is_swapped {
                true => Severity::Warning,
                false => Severity::Info,
            },
            present: present.to_string(),
            proposed: "1".to_owned(),
            told: match is_swapped {
                true => format!(
                    "{} of {} resident, the rest is swapped; swap {swap}",
                    bytes(resident.unwrap_or(0)),
                    bytes(used.unwrap_or(0))
                ),
                false => format!("swappiness {present}, swap {swap}"),
            },
        }
    };
    on_machines(case, "vm.swappiness", why, look, |_, value| {
        sysctl("vm.swappiness", value)
    })
}

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn on(host: &HostSeen, rule: &str) -> Option<(String, String, Severity)> {
        asked(&Setup::sound().hosts(host), rule)
    }

    fn asked(setup: &Setup, rule: &str) -> Option<(String, String, Severity)> {
        let advice = setup.rule(rule);
        let first = advice.first()?;
        let next = first.next[0].clone();
        Some((first.changes[0].proposed.clone(), next, first.severity))
    }

    fn to(value: &str, next: &str, severity: Severity) -> Option<(String, String, Severity)> {
        Some((value.to_owned(), next.to_owned(), severity))
    }

    #[test]
    fn forks_may_be_promised_memory() {
        let host = |mode, memory| HostSeen {
            overcommit: Some(mode),
            memory_bytes: Some(memory),
            ..HostSeen::default()
        };
        let next = "sysctl -w vm.overcommit_memory=1";
        for (mode, memory, wanted) in [
            (1, 1 << 30, None),
            (0, 1 << 30, to("1", next, Severity::Info)),
            // The nodes of the sound cluster hold 9,000,000 bytes each.
            (0, 16_000_000, to("1", next, Severity::Warning)),
            (2, 1 << 30, to("1", next, Severity::Warning)),
        ] {
            assert_eq!(on(&host(mode, memory), "host.overcommit"), wanted, "{mode}");
        }
    }

    #[test]
    fn huge_pages_matter_where_the_server_does_not_refuse_them() {
        let host = |mode: &str| HostSeen {
            huge_pages: Some(mode.into()),
            ..HostSeen::default()
        };
        let rule = "host.huge-pages";
        assert_eq!(on(&host("always"), rule), None);
        let setup = |mode| {
            let setup = Setup::sound().hosts(&host(mode));
            asked(&setup.config("disable-thp", "no"), rule)
        };
        let next = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
        assert_eq!(setup("always"), to("madvise", next, Severity::Warning));
        assert_eq!(setup("madvise"), None);
        assert_eq!(setup("never"), None);
    }

    #[test]
    fn keys_stay_in_memory() {
        let host = |swappiness, swap| HostSeen {
            swappiness: Some(swappiness),
            swap_bytes: Some(swap),
            ..HostSeen::default()
        };
        let rule = "host.swappiness";
        let next = "sysctl -w vm.swappiness=1";
        assert_eq!(on(&host(60, 1 << 30), rule), to("1", next, Severity::Info));
        assert_eq!(on(&host(60, 0), rule), None);
        assert_eq!(on(&host(10, 1 << 30), rule), None);
        let swapped = Setup::sound()
            .hosts(&host(60, 1 << 30))
            .info("used_memory:1000000000\nused_memory_rss:700000000");
        assert_eq!(asked(&swapped, rule), to("1", next, Severity::Warning));
    }

    #[test]
    fn the_clock_is_read_without_the_kernel() {
        let host = |source: &str| HostSeen {
            clock_source: Some(source.into()),
            ..HostSeen::default()
        };
        let clock = |source| {
            let found = on(&host(source), "host.clock-source");
            found.map(|(proposed, _, severity)| (proposed, severity))
        };
        assert_eq!(clock("xen"), Some(("tsc".into(), Severity::Info)));
        assert_eq!(clock("hpet"), Some(("tsc".into(), Severity::Warning)));
        for fitting in ["tsc", "kvm-clock", "arch_sys_counter"] {
            assert_eq!(clock(fitting), None, "{fitting}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_skipped() {
        let rules = [
            "host.overcommit",
            "host.huge-pages",
            "host.swappiness",
            "host.clock-source",
        ];
        for rule in rules {
            assert_eq!(Setup::sound().rule(rule), []);
            assert_eq!(Setup::sound().skipped(rule).len(), 6, "{rule}");
            let blank = Setup::sound().hosts(&HostSeen::default());
            assert_eq!(blank.skipped(rule).len(), 6, "{rule}");
        }
    }
}
