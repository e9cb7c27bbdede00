//! For each code a small cluster that deserves it.

use crate::model::{
    AclUser, Dialled, NodeAddr, OpenSlot, Peer, Reply, SentinelAnswer, Severity, Silence, Slot,
    SlotSet, SlowEntry, Stall, View,
};

use super::testing::{Cluster, NOW_MS, id};
use super::{Options, Profile};

/// A range of slots.
pub fn slots(first: u16, last: u16) -> SlotSet {
    SlotSet::range(Slot::new(first).unwrap(), Slot::new(last).unwrap())
}

fn sound() -> Cluster {
    Cluster::sound()
}

/// The line that a stranger would have in a table.
fn stranger(flags: &str) -> Peer {
    let id = "f".repeat(40);
    let line = format!("{id} 10.0.0.9:7000@17000 {flags} - 0 0 0 disconnected");
    View::parse(&line).unwrap().peers.remove(0)
}

/// A process that is gone: nothing listens, and all bus links to it are cut.
fn dead(n: usize) -> Cluster {
    sound()
        .silent(n, Silence::Refused)
        .lines(n, |peer| peer.is_linked = false)
}

fn add_line(cluster: Cluster, viewer: usize, peer: Peer) -> Cluster {
    cluster.facts(viewer, |facts| {
        facts.view.peers.push(peer);
        facts.view.peers.sort_by(|a, b| a.id.cmp(&b.id));
    })
}

fn forget(cluster: Cluster, viewer: usize, n: usize) -> Cluster {
    cluster.facts(viewer, |facts| {
        facts.view.peers.retain(|peer| peer.id != id(n));
    })
}

/// A cluster for each code that must come of it, and how grave it must be.
pub fn faults() -> Vec<(&'static str, Severity, Options, Cluster)> {
    use Severity::{Critical, Info, Warning};
    let mut all: Vec<(&'static str, Severity, Options, Cluster)> = Vec::new();
    let mut cache =
        |code, severity, cluster| all.push((code, severity, Options::default(), cluster));
    cache("node.down", Critical, sound().silent(4, Silence::Timeout));
    cache("node.loading", Warning, sound().silent(4, Silence::Loading));
    cache(
        "node.password",
        Critical,
        sound().silent(4, Silence::PasswordWrong),
    );
    cache(
        "node.forbidden",
        Critical,
        sound().silent(4, Silence::Forbidden),
    );
    cache("node.tls", Critical, sound().silent(4, Silence::Tls));
    cache(
        "node.not_redis",
        Critical,
        sound().silent(4, Silence::NotRedis),
    );
    cache(
        "node.not_asked",
        Critical,
        sound().silent(4, Silence::NotAsked),
    );
    cache(
        "node.not_cluster",
        Critical,
        sound().silent(4, Silence::NotCluster),
    );
    cache(
        "node.failed",
        Critical,
        sound().line(0, 4, |peer| peer.flags.failed = true),
    );
    cache(
        "node.suspected",
        Warning,
        sound().line(0, 4, |peer| peer.flags.suspected = true),
    );
    cache(
        "node.ghost",
        Warning,
        add_line(sound(), 0, stranger("handshake")),
    );
    let forgotten = [0, 1, 2, 3, 4]
        .into_iter()
        .fold(sound(), |c, viewer| forget(c, viewer, 5));
    cache("node.forgotten", Warning, forgotten.clone());
    let alone = (0..5).fold(forgotten, |cluster, n| forget(cluster, 5, n));
    cache("node.alone", Warning, alone);
    cache(
        "node.restarted",
        Warning,
        sound().info(4, "uptime_in_seconds:30"),
    );
    cache(
        "cluster.state",
        Critical,
        sound().facts(1, |facts| {
            facts.cluster.set("cluster_state", "fail");
        }),
    );
    let hundreds = sound().facts(0, |facts| {
        for n in 0..600 {
            let line = format!(
                "{n:040x} 10.1.0.1:7000@17000 slave {} 0 0 0 connected",
                id(0)
            );
            facts
                .view
                .peers
                .push(View::parse(&line).unwrap().peers.remove(0));
        }
        facts.view.peers.sort_by(|a, b| a.id.cmp(&b.id));
    });
    cache("cluster.too_large", Warning, hundreds);

    cache(
        "slots.uncovered",
        Critical,
        sound().lines(1, |peer| peer.slots = slots(5461, 9000)),
    );
    cache("slots.failed", Critical, dead(1));
    cache(
        "slots.open",
        Warning,
        sound().line(0, 0, |peer| {
            peer.migrating.push((Slot::new(7).unwrap(), id(1)));
        }),
    );
    cache(
        "slots.two_owners",
        Critical,
        sound().line(0, 0, |peer| peer.slots = slots(0, 5500)),
    );
    cache(
        "slots.foreign_keys",
        Warning,
        sound().facts(0, |facts| {
            facts.foreign_keys.push(OpenSlot {
                slot: Slot::new(9000).unwrap(),
                keys: 3,
            });
        }),
    );
    cache(
        "slots.imbalance",
        Warning,
        sound()
            .lines(0, |peer| peer.slots = slots(0, 1000))
            .lines(1, |peer| peer.slots = slots(1001, 10922)),
    );
    cache(
        "slots.fragmented",
        Warning,
        sound().lines(0, |peer| {
            peer.slots = (0..5461).step_by(2).filter_map(Slot::new).collect()
        }),
    );
    cache(
        "shard.empty",
        Info,
        sound().lines(5, |peer| {
            peer.flags.replica = false;
            peer.flags.master = true;
            peer.master = None;
            peer.epoch = 9;
        }),
    );

    cache(
        "views.disagree",
        Critical,
        sound().line(4, 3, |peer| peer.master = Some(id(1))),
    );
    cache(
        "epoch.collision",
        Warning,
        sound().lines(1, |peer| peer.epoch = 1),
    );
    cache(
        "bus.disconnected",
        Warning,
        sound().line(0, 4, |peer| peer.is_linked = false),
    );
    cache(
        "address.unreachable",
        Warning,
        sound().with(|survey| {
            survey.dialled.push(Dialled {
                id: id(1),
                endpoint: NodeAddr::new("172.18.0.3", 7000),
                error: Some("no route to host".into()),
            })
        }),
    );

    cache(
        "address.unreachable",
        Critical,
        sound().silent(4, Silence::Refused),
    );

    cache(
        "replica.link_down",
        Critical,
        sound().info(
            3,
            "master_link_status:down\nmaster_link_down_since_seconds:45",
        ),
    );
    cache(
        "replica.lag",
        Critical,
        sound().later(
            0,
            "slave0:ip=10.0.0.4,port=7000,state=online,offset=1000,lag=15",
        ),
    );
    cache(
        "replica.lag_bytes",
        Critical,
        sound()
            .later(0, "master_repl_offset:900000")
            .info(0, "repl_backlog_size:1000")
            .facts(0, |facts| facts.sample_ms = 9_000),
    );
    cache(
        "replica.syncing",
        Warning,
        sound().info(
            3,
            "master_link_status:down\nmaster_sync_in_progress:1\nmaster_sync_left_bytes:5000000",
        ),
    );
    cache(
        "replica.full_sync_loop",
        Critical,
        sound().later(
            0,
            "sync_full:2\nclient_output_buffer_limit_disconnections:1",
        ),
    );
    cache("replica.backlog_short", Warning, sound()
        .later(0, "master_repl_offset:100000\nslave0:ip=10.0.0.4,port=7000,state=online,offset=100000,lag=0"));
    cache(
        "replica.partial_refused",
        Warning,
        sound().later(0, "sync_partial_err:1"),
    );
    cache(
        "replica.not_electable",
        Warning,
        sound().lines(3, |peer| peer.flags.nofailover = true),
    );
    cache(
        "replica.writable",
        Warning,
        sound().info(3, "slave_read_only:0"),
    );
    cache(
        "replica.chained",
        Warning,
        sound().lines(3, |peer| peer.master = Some(id(4))),
    );
    cache(
        "replica.smaller",
        Warning,
        sound().info(3, "maxmemory:500000000"),
    );
    cache(
        "replica.too_few_good",
        Critical,
        sound()
            .config(0, "min-replicas-to-write", "1")
            .info(0, "min_slaves_good_slaves:0"),
    );

    cache("shard.no_replica", Warning, dead(4));
    cache(
        "shard.uneven",
        Warning,
        sound().lines(4, |peer| peer.master = Some(id(0))),
    );
    let two = sound()
        .lines(0, |peer| peer.slots = slots(0, 8191))
        .lines(1, |peer| peer.slots = slots(8192, 16383))
        .lines(2, |peer| peer.slots = SlotSet::new());
    cache("quorum.small", Warning, two);
    cache("loss.host", Warning, sound().host(1, "host-0"));
    cache(
        "loss.zone",
        Warning,
        sound().with(|survey| {
            for (n, node) in survey.nodes.iter_mut().enumerate() {
                node.site.zone = Some(if n % 2 == 0 { "west" } else { "east" }.into());
            }
        }),
    );
    cache("replica.same_host", Warning, sound().host(3, "host-0"));

    cache(
        "memory.high",
        Warning,
        sound().info(0, "used_memory:850000000\nused_memory_rss:900000000"),
    );
    cache("memory.unlimited", Warning, sound().info(0, "maxmemory:0"));
    cache("memory.evicting", Info, sound().later(0, "evicted_keys:50"));
    cache(
        "memory.no_ttl",
        Warning,
        sound().info(
            0,
            "maxmemory_policy:volatile-lru\ndb0:keys=1000,expires=10,avg_ttl=0",
        ),
    );
    cache(
        "memory.oom_errors",
        Critical,
        sound().later(0, "errorstat_OOM:count=3"),
    );
    cache(
        "memory.fragmented",
        Warning,
        sound().info(
            0,
            "allocator_frag_ratio:1.5\nallocator_frag_bytes:500000000",
        ),
    );
    cache(
        "memory.swapped",
        Critical,
        sound().info(0, "used_memory:700000000\nused_memory_rss:300000000"),
    );
    cache(
        "memory.rss_kept",
        Warning,
        sound().info(0, "allocator_rss_ratio:1.5\nallocator_rss_bytes:500000000"),
    );
    cache(
        "memory.skew",
        Warning,
        sound()
            .info(0, "used_memory_dataset:700000000")
            .info(1, "used_memory_dataset:10000000")
            .info(2, "used_memory_dataset:10000000"),
    );

    cache(
        "persistence.save_failed",
        Critical,
        sound().info(0, "rdb_last_bgsave_status:err"),
    );
    cache(
        "persistence.save_old",
        Warning,
        sound().info(
            0,
            "aof_enabled:0\nrdb_changes_since_last_save:5\nrdb_last_save_time:1794900000",
        ),
    );
    cache(
        "persistence.aof_failed",
        Critical,
        sound().info(0, "aof_last_write_status:err"),
    );
    cache(
        "persistence.fsync_slow",
        Warning,
        sound().later(0, "aof_delayed_fsync:2"),
    );
    cache(
        "persistence.cow",
        Warning,
        sound().info(
            0,
            "rdb_last_cow_size:900000000\ntotal_system_memory:1000000000",
        ),
    );

    cache(
        "clients.near_limit",
        Warning,
        sound().info(0, "connected_clients:8500"),
    );
    cache(
        "clients.rejected",
        Critical,
        sound().later(0, "rejected_connections:2"),
    );
    cache(
        "clients.buffer_cut",
        Warning,
        sound().later(0, "client_query_buffer_limit_disconnections:1"),
    );

    cache(
        "latency.ping",
        Warning,
        sound().facts(0, |facts| {
            facts.pings_us = (0..20)
                .map(|n| if n % 5 == 0 { 30_000 } else { 200 })
                .collect();
        }),
    );
    cache(
        "latency.slow_commands",
        Warning,
        sound().facts(0, |facts| {
            facts.slow.push(SlowEntry {
                id: 1,
                at_s: NOW_MS / 1000 - 60,
                took_us: 250_000,
                command: "KEYS".into(),
            });
        }),
    );
    cache(
        "latency.stalls",
        Warning,
        sound().facts(0, |facts| {
            facts.stalls.push(Stall {
                event: "aof-write".into(),
                at_s: NOW_MS / 1000 - 60,
                latest_ms: 80,
                max_ms: 90,
            });
        }),
    );
    cache(
        "latency.fork",
        Warning,
        sound().info(0, "latest_fork_usec:200000"),
    );
    cache(
        "latency.cpu",
        Warning,
        sound().later(0, "used_cpu_user_main_thread:1.95"),
    );
    cache(
        "latency.clock_skew",
        Critical,
        sound().facts(0, |facts| facts.clock_ahead_ms = Some(-9_000)),
    );
    cache(
        "latency.replication",
        Warning,
        sound().facts(0, |facts| {
            facts.canary = Some(Reply::Acknowledged {
                replicas: 1,
                took_us: 80_000,
            });
        }),
    );
    cache(
        "canary.refused",
        Critical,
        sound().facts(0, |facts| {
            facts.canary = Some(Reply::Refused("MISCONF Redis is configured to save".into()));
        }),
    );

    cache(
        "errors.failed",
        Critical,
        sound().later(0, "total_error_replies:400\nerrorstat_WRONGTYPE:count=400"),
    );
    cache(
        "errors.redirected",
        Warning,
        sound().later(0, "total_error_replies:200\nerrorstat_MOVED:count=200"),
    );
    cache(
        "errors.cluster_down",
        Critical,
        sound().later(0, "errorstat_CLUSTERDOWN:count=1"),
    );
    cache(
        "errors.readonly",
        Warning,
        sound().later(3, "errorstat_READONLY:count=1"),
    );
    cache(
        "errors.refused_writes",
        Critical,
        sound().later(0, "errorstat_MISCONF:count=1"),
    );
    cache(
        "errors.denied",
        Warning,
        sound().later(0, "errorstat_NOAUTH:count=9"),
    );
    cache(
        "errors.client_bugs",
        Warning,
        sound().later(0, "errorstat_CROSSSLOT:count=1"),
    );
    cache(
        "errors.untracked",
        Warning,
        sound().later(0, "errorstat_ERRORSTATS_DISABLED:count=1"),
    );

    cache(
        "settings.drift",
        Warning,
        sound().config(2, "cluster-node-timeout", "15000"),
    );
    cache(
        "settings.acl_drift",
        Critical,
        sound().facts(2, |facts| facts.acl_digest = Some("d2".into())),
    );
    cache(
        "settings.modules_drift",
        Critical,
        sound().facts(2, |facts| {
            facts.modules.insert("bf".into(), 80_000);
        }),
    );
    cache(
        "settings.masterauth_missing",
        Critical,
        sound().config(2, "masterauth", ""),
    );

    cache(
        "version.mixed",
        Critical,
        sound().info(3, "redis_version:8.8.2"),
    );
    cache(
        "version.vendors",
        Critical,
        sound().info(3, "valkey_version:9.1.1"),
    );
    cache(
        "version.vulnerable",
        Critical,
        sound().info(3, "redis_version:8.8.1"),
    );
    cache(
        "version.old_patch",
        Info,
        sound()
            .info(3, "redis_version:8.10.1")
            .with(|survey| {
                for n in 0..6 {
                    *survey = Cluster::sound().info(n, "").survey();
                }
            })
            .every(|facts| {
                facts.info.set("valkey_version", "9.0.5");
            }),
    );

    cache(
        "security.open",
        Critical,
        sound().facts(0, |facts| facts.answers_without_password = Some(true)),
    );
    cache(
        "security.default_user",
        Info,
        sound().facts(0, |facts| facts.users.push(user("default", false))),
    );
    cache(
        "security.nopass_user",
        Critical,
        sound().facts(0, |facts| facts.users.push(user("old", true))),
    );
    cache(
        "security.plaintext",
        Warning,
        sound().config(0, "port", "7000"),
    );
    cache(
        "security.protected_mode_off",
        Warning,
        sound()
            .facts(0, |facts| facts.answers_without_password = Some(true))
            .config(0, "protected-mode", "no"),
    );
    cache(
        "security.certificate",
        Warning,
        sound().facts(0, |facts| facts.certificate_days_left = Some(20)),
    );
    cache(
        "security.unsafe_settings",
        Warning,
        sound().config(0, "enable-debug-command", "yes"),
    );

    let durable = Options {
        profile: Profile::Durable,
        ..Options::default()
    };
    let years_on = Options {
        now_ms: NOW_MS + 15 * 365 * 86_400_000,
        ..Options::default()
    };
    let valkey = sound().every(|facts| {
        facts.info.set("valkey_version", "9.0.6");
    });
    all.push(("version.end_of_life", Warning, years_on, valkey));
    all.push((
        "persistence.none",
        Critical,
        durable,
        sound().info(0, "aof_enabled:0").config(0, "save", ""),
    ));
    all.extend(sentinels());
    all
}

/// An ACL user that may do everything.
pub fn user(name: &str, is_nopass: bool) -> AclUser {
    AclUser {
        name: name.into(),
        is_on: true,
        is_nopass,
        passwords: 1,
        rules: "~* &* +@all".into(),
    }
}

/// Of a master with replicas and Sentinels.
fn sentinels() -> Vec<(&'static str, Severity, Options, Cluster)> {
    use Severity::{Critical, Info, Warning};
    let watched = Cluster::watched;
    let silent = |n: usize| {
        watched().with(move |survey| {
            survey.sentinels.as_mut().unwrap().asked[n].answer = SentinelAnswer::Silent {
                silence: Silence::Refused,
                detail: "as the system said".into(),
                after_ms: 1,
            };
        })
    };
    let alone = |watchers: u64| {
        watched()
            .with(|survey| survey.sentinels = None)
            .every(move |facts| facts.watchers = Some(watchers))
    };
    let all = |cluster: Cluster, name: &str, value: &str| {
        (0..3).fold(cluster, |c, n| c.watched_as(n, name, value))
    };
    let found = [
        (
            "replication.two_masters",
            Critical,
            watched().line(2, 2, |me| {
                me.flags.replica = false;
                me.flags.master = true;
                me.master = None;
                me.slots = SlotSet::full();
            }),
        ),
        (
            "replication.wrong_master",
            Warning,
            watched().line(2, 2, |me| me.master = Some(id(1))),
        ),
        ("sentinel.none", Info, alone(0)),
        ("sentinel.not_asked", Info, alone(3)),
        ("sentinel.unreachable", Warning, silent(0)),
        (
            "sentinel.stranger",
            Warning,
            watched().sentinel(0, |facts| facts.master = None),
        ),
        (
            "sentinel.no_quorum",
            Critical,
            watched().sentinel(1, |facts| {
                facts.quorum = "NOQUORUM 1 usable Sentinels".into()
            }),
        ),
        ("sentinel.quorum", Critical, all(watched(), "quorum", "4")),
        ("sentinel.quorum", Warning, all(watched(), "quorum", "1")),
        (
            "sentinel.few",
            Warning,
            watched()
                .with(|survey| survey.sentinels.as_mut().unwrap().asked.truncate(1))
                .sentinel(0, |facts| facts.others.clear()),
        ),
        (
            "sentinel.one_host",
            Warning,
            watched().with(|survey| {
                for report in &mut survey.sentinels.as_mut().unwrap().asked {
                    report.addr.host = "10.0.0.9".into();
                }
            }),
        ),
        (
            "sentinel.disagree",
            Warning,
            watched().sentinel(1, |facts| facts.replicas.truncate(1)),
        ),
        (
            "sentinel.master_disputed",
            Critical,
            watched().watched_as(1, "port", "7001"),
        ),
        (
            "sentinel.master_down",
            Critical,
            watched().watched_as(1, "flags", "s_down,o_down,master"),
        ),
        (
            "sentinel.replica_down",
            Warning,
            watched().sentinel(1, |facts| facts.replicas[0].set("flags", "s_down,slave")),
        ),
        (
            "sentinel.tilt",
            Critical,
            watched().sentinel(1, |facts| facts.info.set("sentinel_tilt", "1")),
        ),
        (
            "sentinel.timing",
            Warning,
            watched().watched_as(2, "failover-timeout", "3000"),
        ),
        (
            "sentinel.min_replicas",
            Info,
            watched().config(0, "min-replicas-to-write", "0"),
        ),
        (
            "sentinel.open",
            Critical,
            watched().sentinel(1, |facts| facts.answers_without_password = Some(true)),
        ),
    ];
    found
        .into_iter()
        .map(|(code, severity, cluster)| (code, severity, Options::default(), cluster))
        .collect()
}
