//! Clusters that are set up badly, one story each: what must be said of clients, threads, records,
//! machines, TLS and doors, and nothing beside it.

use std::collections::BTreeSet;

use crate::model::{AclUser, ClientsSeen, HostSeen};
use crate::ops::tune::testing::Setup;

/// The groups that these stories are about.
const GROUPS: &[&str] = &["clients", "cpu", "latency", "host", "tls", "security"];

/// A machine on which nothing is wrong.
fn machine() -> HostSeen {
    HostSeen {
        by: "proc".into(),
        cores: Some(8.0),
        memory_bytes: Some(16 << 30),
        overcommit: Some(1),
        huge_pages: Some("madvise".into()),
        swappiness: Some(1),
        swap_bytes: Some(0),
        somaxconn: Some(4_096),
        syn_backlog: Some(4_096),
        listen_overflows: Some(0),
        open_files: Some(10_032),
        clock_source: Some("tsc".into()),
        throttled: Some((0, 0)),
        ..HostSeen::default()
    }
}

/// Few clients, and all of them at work.
fn clients() -> ClientsSeen {
    ClientsSeen {
        normal: 40,
        longest_idle_s: 20,
        ..ClientsSeen::default()
    }
}

/// A cluster at work of which nothing needs to be said.
fn sound() -> Setup {
    Setup::sound()
        .config("tls-cluster", "yes")
        .config("tls-replication", "yes")
        .config("busy-reply-threshold", "1600")
        .hosts(&machine())
        .clients(&clients())
        .info(
            "total_connections_received:1000\nexpired_keys:0\nused_cpu_sys:900\nused_cpu_user:900\n\
             acl_access_denied_auth:0\nclient_output_buffer_limit_disconnections:0\n\
             cmdstat_get:calls=1000,usec=1000,usec_per_call=1.00",
        )
        .options(|options| options.only = GROUPS.iter().map(|group| (*group).to_owned()).collect())
}

/// The rules that speak, each once.
fn speaking(setup: &Setup) -> BTreeSet<String> {
    let report = setup.report();
    assert_eq!(report.skipped, [], "evidence is missing");
    let rules = report.recommendations.into_iter();
    rules.map(|one| one.rule).collect()
}

fn assert_said(story: &str, setup: &Setup, rules: &[&str]) {
    let wanted: BTreeSet<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    assert_eq!(speaking(setup), wanted, "{story}");
}

#[test]
fn a_sound_cluster_is_left_alone() {
    assert_said("sound", &sound(), &[]);
}

#[test]
fn clients_that_suffer_or_misbehave() {
    let pools = ClientsSeen {
        longest_idle_s: 290,
        ..clients()
    };
    let guide = sound().config("timeout", "300").clients(&pools);
    assert_said(
        "the guide's timeout and idle pools",
        &guide,
        &["clients.timeout"],
    );

    let leak = ClientsSeen {
        normal: 9_000,
        idle_over_5min: 8_000,
        longest_idle_s: 200_000,
        ..ClientsSeen::default()
    };
    let leaking = sound().clients(&leak).info("connected_clients:9000");
    let rules = ["clients.timeout", "clients.maxclients"];
    assert_said("a leak of connections", &leaking, &rules);

    let monitor = ClientsSeen {
        largest_output_bytes: 400 << 20,
        ..clients()
    };
    let rules = ["clients.output-buffer"];
    assert_said(
        "a MONITOR that was forgotten",
        &sound().clients(&monitor),
        &rules,
    );

    let web = sound()
        .later("total_connections_received:61000")
        .later("total_commands_processed:1120000")
        .config("tls-port", "0")
        .config("port", "7000");
    let rules = ["clients.pooling", "clients.backlog"];
    assert_said("a connection for every page", &web, &rules);

    let events = sound()
        .config("notify-keyspace-events", "KEA")
        .config("tcp-keepalive", "0");
    let rules = ["clients.keyspace-events", "clients.keepalive"];
    assert_said("settings from another time", &events, &rules);
}

#[test]
fn threads_and_cores() {
    let talk = sound()
        .later("used_cpu_user_main_thread:55.0")
        .later("cmdstat_get:calls=9000,usec=12000000,usec_per_call=1.00");
    assert_said("a main thread that only talks", &talk, &["cpu.io-threads"]);

    let lua = sound()
        .later("used_cpu_user_main_thread:55.0")
        .later("cmdstat_eval:calls=9000,usec=50000000,usec_per_call=1.00");
    assert_said("a main thread full of commands", &lua, &[]);

    let small = HostSeen {
        by: "docker".into(),
        cores: Some(2.0),
        limit_bytes: Some(2 << 30),
        throttled: Some((4_000, 20_000)),
        ..machine()
    };
    let crowded = sound().config("io-threads", "8").hosts(&small);
    let rules = ["cpu.io-threads-fewer", "host.throttled"];
    assert_said("eight threads in a small container", &crowded, &rules);
}

#[test]
fn records_that_nobody_keeps() {
    let blind = sound()
        .config("latency-monitor-threshold", "0")
        .config("latency-tracking", "no")
        .config("slowlog-log-slower-than", "-1")
        .config("slowlog-max-len", "0")
        .config("acllog-max-len", "0");
    let rules = [
        "latency.monitor",
        "latency.tracking",
        "latency.slow-log-threshold",
        "latency.slow-log-length",
        "security.acl-log",
    ];
    assert_said("nothing is recorded", &blind, &rules);

    let hasty = sound()
        .config("cluster-node-timeout", "1000")
        .info("cmdstat_evalsha:calls=9,usec=9,usec_per_call=1.00");
    let rules = ["latency.busy-reply"];
    assert_said("scripts and a short node timeout", &hasty, &rules);
}

#[test]
fn machines_as_they_are_found() {
    let old = HostSeen {
        overcommit: Some(0),
        huge_pages: Some("always".into()),
        swappiness: Some(60),
        swap_bytes: Some(4 << 30),
        somaxconn: Some(128),
        syn_backlog: Some(128),
        listen_overflows: Some(12),
        clock_source: Some("xen".into()),
        ..machine()
    };
    let rules = [
        "host.overcommit",
        "host.swappiness",
        "host.somaxconn",
        "host.syn-backlog",
        "host.clock-source",
    ];
    assert_said(
        "a machine as it was installed",
        &sound().hosts(&old),
        &rules,
    );
    let rules = [&rules[..], &["host.huge-pages"]].concat();
    let let_in = sound().hosts(&old).config("disable-thp", "no");
    assert_said("and huge pages let in", &let_in, &rules);

    let free = HostSeen {
        by: "docker".into(),
        ..machine()
    };
    assert_said(
        "a container without a limit",
        &sound().hosts(&free),
        &["host.memory-limit"],
    );

    let few = HostSeen {
        open_files: Some(1_056),
        ..machine()
    };
    let lowered = sound()
        .hosts(&few)
        .config("maxclients", "1024")
        .info("maxclients:1024");
    assert_said("a limit of files", &lowered, &["host.open-files"]);

    let tight = HostSeen {
        memory_bytes: Some(16_000_000),
        ..machine()
    };
    assert_said(
        "hardly any memory",
        &sound().hosts(&tight),
        &["host.oom-order"],
    );
}

#[test]
fn doors_and_plain_text() {
    let open = (0..6).fold(sound(), |setup, n| {
        setup.facts(n, |facts| facts.answers_without_password = Some(true))
    });
    let open = open.config("protected-mode", "no");
    assert_said("an open door", &open, &["security.password"]);

    let half = sound()
        .config("tls-replication", "no")
        .config("tls-cluster", "no")
        .config("port", "6379")
        .config("tls-protocols", "TLSv1 TLSv1.1 TLSv1.2");
    let rules = ["tls.between-nodes", "tls.plain-port", "tls.protocols"];
    assert_said("half of TLS", &half, &rules);

    let debug = sound()
        .config("enable-debug-command", "yes")
        .config("masterauth", "")
        .config("protected-mode", "no");
    let rules = [
        "security.unsafe-settings",
        "security.masterauth",
        "security.protected-mode",
    ];
    assert_said("what was left from a test", &debug, &rules);

    let one = sound().facts(0, |facts| {
        facts.users = vec![AclUser {
            name: "default".into(),
            is_on: true,
            is_nopass: false,
            passwords: 1,
            rules: "~* &* +@all".into(),
        }];
    });
    assert_said("one password", &one, &["security.default-user"]);
}
