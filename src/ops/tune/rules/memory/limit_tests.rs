//! Which limit is proposed for which machine, and where none is.

use crate::health::Profile;
use crate::model::{HostSeen, Severity};
use crate::ops::tune::Risk;
use crate::ops::tune::testing::Setup;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn contained(bytes: u64) -> HostSeen {
    HostSeen {
        memory_bytes: Some(64 * GIB),
        limit_bytes: Some(bytes),
        ..HostSeen::default()
    }
}

fn unlimited() -> Setup {
    Setup::sound().info("maxmemory:0")
}

fn proposed(setup: &Setup) -> Vec<(Severity, usize, u64)> {
    let each = setup.rule("memory.limit");
    let each = each.iter();
    each.map(|one| {
        let proposed = one.changes[0].proposed.parse::<u64>().unwrap();
        (one.severity, one.changes.len(), proposed / MIB)
    })
    .collect()
}

#[test]
fn no_limit_gets_one_by_the_container() {
    // (4096 - 100 - 1) / (1.05 * 1.25) = 3043.8
    let setup = unlimited().hosts(&contained(4 * GIB));
    assert_eq!(proposed(&setup), [(Severity::Warning, 6, 3043)]);
    let advice = &setup.rule("memory.limit")[0];
    assert_eq!(advice.risk, Risk::Medium);
    assert_eq!(
        advice.why,
        "nothing limits what it uses, and of 4.00 GiB it can hold 2.97 GiB safely"
    );
    assert_eq!(
        advice.evidence[0],
        "4.00 GiB is the limit of its container or control group"
    );
    // What is given goes before what is seen.
    let setup = setup.options(|options| options.memory_limit = Some(2 * GIB));
    assert_eq!(proposed(&setup), [(Severity::Warning, 6, 1483)]);
}

#[test]
fn nodes_of_one_machine_share_it() {
    let host = HostSeen {
        memory_bytes: Some(12 * GIB),
        ..HostSeen::default()
    };
    let shared = (0..6).fold(unlimited(), |setup, n| {
        let host = HostSeen {
            machine: "one".into(),
            by: "docker".into(),
            ..host.clone()
        };
        setup.seen(n, |seen| seen.host = Some(host))
    });
    // (2048 - 101) / 1.3125
    assert_eq!(proposed(&shared), [(Severity::Warning, 6, 1483)]);
    // Six limits of 4 GiB do not hold on a machine of 12.
    let shared = (0..6).fold(shared, |setup, n| {
        setup.seen(n, |seen| {
            if let Some(host) = &mut seen.host {
                host.limit_bytes = Some(4 * GIB);
            }
        })
    });
    assert_eq!(proposed(&shared), [(Severity::Warning, 6, 1483)]);
    assert!(shared.rule("memory.limit")[0].evidence[0].ends_with("its machine, shared by 6 nodes"));
}

#[test]
fn processes_of_one_control_group_share_its_limit() {
    let grouped = |by: &str| {
        (0..6).fold(unlimited(), |setup, n| {
            let host = HostSeen {
                machine: "one".into(),
                by: by.into(),
                ..contained(6 * GIB)
            };
            setup.seen(n, |seen| seen.host = Some(host))
        })
    };
    // (1024 - 101) / 1.3125, and (6144 - 101) / 1.3125
    assert_eq!(proposed(&grouped("proc"))[0].2, 703);
    assert_eq!(proposed(&grouped("docker"))[0].2, 4604);
    // Each may have it for itself, so a higher limit is no alarm.
    let set = grouped("proc")
        .info("maxmemory:2147483648")
        .config("maxmemory", "2147483648");
    assert_eq!(proposed(&set), [(Severity::Info, 6, 703)]);
}

#[test]
fn a_full_node_beside_empty_neighbours_needs_no_larger_machine() {
    let host = HostSeen {
        memory_bytes: Some(12 * GIB),
        ..HostSeen::default()
    };
    let shared = (0..6).fold(unlimited(), |setup, n| {
        let host = HostSeen {
            machine: "one".into(),
            ..host.clone()
        };
        setup.seen(n, |seen| seen.host = Some(host))
    });
    let one = shared.info_of(0, "used_memory:3000000000\nused_memory_rss:3100000000");
    assert_eq!(one.rule("memory.room"), []);
    assert_eq!(one.skipped("memory.limit").len(), 1);
    let all = one.info("used_memory:3000000000\nused_memory_rss:3100000000");
    let room = all.rule("memory.room");
    assert_eq!(
        (room[0].severity, room[0].changes.len()),
        (Severity::Critical, 6)
    );
}

#[test]
fn total_system_memory_is_the_last_resort_and_said_to_be_less_sure() {
    let advice = unlimited().rule("memory.limit");
    assert_eq!(advice[0].severity, Severity::Warning);
    assert!(
        advice[0].evidence[0].contains("be less sure"),
        "{:?}",
        advice[0].evidence
    );
    let blind = unlimited().info("total_system_memory:0");
    assert_eq!(blind.rule("memory.limit"), []);
    assert_eq!(blind.skipped("memory.limit").len(), 6);
}

#[test]
fn no_limit_near_the_end_of_memory_is_critical() {
    let setup = unlimited()
        .hosts(&contained(4 * GIB))
        .info_of(1, "used_memory:2147483648\nused_memory_rss:4080218931");
    let graveness: Vec<_> = proposed(&setup).iter().map(|one| (one.0, one.1)).collect();
    assert_eq!(graveness, [(Severity::Critical, 1), (Severity::Warning, 5)]);
}

#[test]
fn a_limit_that_the_machine_cannot_hold_is_lowered_but_never_below_what_is_used() {
    let setup = Setup::sound()
        .hosts(&contained(4 * GIB))
        .info("maxmemory:4294967296\nused_memory:1073741824\nallocator_frag_ratio:1.05\nallocator_rss_ratio:1.0");
    let setup = setup.config("maxmemory", "4294967296");
    assert_eq!(proposed(&setup), [(Severity::Warning, 6, 3043)]);
    // Less pressing where the limit lies within the machine and little is used.
    let roomy = setup
        .clone()
        .info("maxmemory:3650722201")
        .config("maxmemory", "3650722201");
    assert_eq!(proposed(&roomy), [(Severity::Info, 6, 3043)]);
    let near = setup.clone().info("used_memory_peak:3000000000");
    assert_eq!(near.rule("memory.limit")[0].risk, Risk::High);
    // One node holds more than would be safe: it is left alone, and needs room.
    let full = setup.info_of(2, "used_memory:3435973837");
    assert_eq!(proposed(&full), [(Severity::Warning, 5, 3043)]);
    assert_eq!(full.skipped("memory.limit").len(), 1);
    let room = full.rule("memory.room");
    assert_eq!(
        (room[0].severity, room[0].changes.len()),
        (Severity::Warning, 1)
    );
    // 3276.8 MiB at 80 % is 4096; 4096 * 1.3125 + 101 = 5477
    assert_eq!(room[0].changes[0].proposed, (5477 * MIB).to_string());
    assert!(
        room[0].next[0].contains("docker update --memory 5743050752"),
        "{:?}",
        room[0].next
    );
}

#[test]
fn a_full_node_with_room_to_spare_gets_more() {
    let full = || {
        Setup::sound()
            .config("maxmemory", "1000000000")
            .info("used_memory:900000000\nallocator_frag_ratio:1.0\nallocator_rss_ratio:1.0")
    };
    let setup = full().hosts(&contained(4 * GIB));
    assert_eq!(proposed(&setup), [(Severity::Warning, 6, 3043)]);
    let cache = setup
        .profile(Profile::Cache)
        .config("maxmemory-policy", "allkeys-lru");
    assert_eq!(proposed(&cache), [(Severity::Info, 6, 3043)]);
    // Where only INFO tells of the machine, more is not promised.
    assert_eq!(full().rule("memory.limit"), []);
    assert_eq!(full().skipped("memory.limit").len(), 6);
}

#[test]
fn a_limit_that_fits_is_left_alone() {
    let setup = Setup::sound().hosts(&contained(4 * GIB));
    assert_eq!(setup.rule("memory.limit"), []);
    assert_eq!(setup.rule("memory.room"), []);
    let exact = 3050 * MIB;
    let setup = setup
        .config("maxmemory", &exact.to_string())
        .info(&format!("maxmemory:{exact}"));
    assert_eq!(setup.rule("memory.limit"), []);
    // A cache that is full up to a limit that fits needs no larger machine.
    let full = setup.info(&format!("used_memory:{exact}\nallocator_frag_ratio:1.0"));
    assert_eq!(full.rule("memory.limit"), []);
    assert_eq!(full.rule("memory.room"), []);
}

#[test]
fn a_small_container_gets_a_limit_too() {
    // (256 - 25.6 - 1) / 1.3125 = 174.8
    let setup = unlimited().hosts(&contained(256 * MIB));
    assert_eq!(proposed(&setup), [(Severity::Warning, 6, 174)]);
    // A backlog that leaves nothing.
    let setup = setup.config("repl-backlog-size", "268435456");
    assert_eq!(setup.rule("memory.limit"), []);
    assert_eq!(setup.skipped("memory.limit").len(), 6);
    assert_eq!(setup.rule("memory.room")[0].changes.len(), 6);
}

#[test]
fn what_was_copied_and_what_is_written_take_from_the_limit() {
    let base = || {
        unlimited()
            .hosts(&contained(4 * GIB))
            .info("used_memory:1073741824\nallocator_frag_ratio:1.05\nallocator_rss_ratio:1.0")
    };
    let mib = |setup: Setup| proposed(&setup)[0].2;
    // 3995 / (1.05 * 1.4)
    assert_eq!(mib(base().info("rdb_last_cow_size:429496730")), 2717);
    // Write heavy: 3995 / (1.05 * 1.5)
    assert_eq!(mib(base().later("rdb_changes_since_last_save:1000")), 2536);
    // Read mostly, and up for a day: 3995 / (1.05 * 1.1)
    let read = base().later("rdb_changes_since_last_save:10\nkeyspace_hits:9990");
    assert_eq!(mib(read.clone()), 3458);
    assert_eq!(mib(read.info("uptime_in_seconds:180")), 3043);
    // (4096 - 100 - 1 - 409) / 1.3125
    assert_eq!(mib(base().config("maxmemory-clients", "10%")), 2731);
}

#[test]
fn a_replica_minds_its_master() {
    let setup = Setup::sound();
    assert_eq!(setup.rule("memory.replica_limit"), []);
    let setup = setup.config_of(4, "replica-ignore-maxmemory", "no");
    let advice = setup.rule("memory.replica_limit");
    assert_eq!(advice[0].changes.len(), 1);
    assert_eq!(advice[0].changes[0].proposed, "yes");
}
