//! Small surveys for tests: a sound cluster, and what to do to it so that it no longer is.
//!
//! Three masters (0, 1, 2) and their replicas (3, 4, 5) at 10.0.0.1:7000 to 10.0.0.6:7000, each on
//! its own host.

use crate::model::{
    AclUser, Answer, Facts, Form, Info, NodeAddr, NodeId, NodeReport, Peer, Reply, SentinelAnswer,
    SentinelFacts, SentinelReport, Sentinels, Silence, Site, Survey, View,
};

/// When the surveys are taken.
pub const NOW_MS: u64 = 1_795_000_000_000;

/// A cluster under construction.
#[derive(Clone)]
pub struct Cluster {
    survey: Survey,
}

/// The id of node `n`.
pub fn id(n: usize) -> NodeId {
    format!("{:x}", n + 10).repeat(40).parse().unwrap()
}

/// The address of node `n`.
pub fn addr(n: usize) -> NodeAddr {
    NodeAddr::new(format!("10.0.0.{}", n + 1), 7000)
}

fn lines(viewer: usize) -> String {
    let slots = ["0-5460", "5461-10922", "10923-16383"];
    (0..6)
        .map(|n| {
            let me = if n == viewer { "myself," } else { "" };
            let at = addr(n);
            let part = if n < 3 {
                format!("{me}master - 0 1 {} connected {}", n + 1, slots[n])
            } else {
                format!("{me}slave {} 0 1 {} connected", id(n - 3), n - 2)
            };
            format!("{} {at}@17000 {part}\n", id(n))
        })
        .collect()
}

fn info(n: usize) -> Info {
    let role = if n < 3 {
        let replica = addr(n + 3);
        format!(
            "role:master\nconnected_slaves:1\nmaster_repl_offset:1000\nrepl_backlog_size:1048576\n\
             slave0:ip={},port=7000,state=online,offset=1000,lag=0\n",
            replica.host
        )
    } else {
        "role:slave\nmaster_link_status:up\nslave_read_only:1\nmaster_sync_in_progress:0\n".into()
    };
    Info::parse(&format!(
        "redis_version:8.10.1\nrun_id:{n}\nuptime_in_seconds:100000\nos:Linux\nloading:0\n\
         connected_clients:10\ncluster_connections:10\nmaxclients:10000\n\
         used_memory:1000000\nused_memory_rss:9000000\nmaxmemory:1000000000\n\
         maxmemory_policy:noeviction\nmem_not_counted_for_evict:0\n\
         total_system_memory:8000000000\nrdb_last_bgsave_status:ok\nrdb_changes_since_last_save:0\n\
         rdb_last_save_time:1794999000\naof_enabled:1\naof_last_write_status:ok\n\
         aof_last_bgrewrite_status:ok\naof_delayed_fsync:0\nevicted_keys:0\nkeyspace_hits:0\n\
         keyspace_misses:0\nrejected_connections:0\nsync_full:1\nsync_partial_err:0\n\
         client_output_buffer_limit_disconnections:0\nclient_query_buffer_limit_disconnections:0\n\
         total_commands_processed:1000000\ntotal_error_replies:0\nlatest_fork_usec:300\n\
         used_cpu_sys_main_thread:1.0\nused_cpu_user_main_thread:1.0\n{role}"
    ))
}

/// The id of Sentinel `n`.
fn sentinel_id(n: usize) -> String {
    format!("{n}").repeat(40)
}

fn sentinel(n: usize) -> SentinelReport {
    let line = |n: usize| format!("ip:{}\nport:7000\nflags:slave\n", addr(n).host);
    let others = (0..3).filter(|other| *other != n);
    let facts = SentinelFacts {
        id: sentinel_id(n),
        info: Info::parse("redis_version:8.10.1\nsentinel_tilt:0\n"),
        watches: vec!["shop".into()],
        master: Some(Info::parse(
            "name:shop\nip:10.0.0.1\nport:7000\nflags:master\nquorum:2\nconfig-epoch:0\n\
             down-after-milliseconds:5000\nfailover-timeout:60000\n",
        )),
        replicas: (1..3).map(|n| Info::parse(&line(n))).collect(),
        others: others
            .map(|n| {
                Info::parse(&format!(
                    "runid:{}\nip:10.0.0.{}\nport:26379\n",
                    sentinel_id(n),
                    n + 11
                ))
            })
            .collect(),
        quorum: "OK 3 usable Sentinels. Quorum and failover authorization can be reached".into(),
        answers_without_password: Some(false),
    };
    SentinelReport {
        addr: NodeAddr::new(format!("10.0.0.{}", n + 11), 26_379),
        answer: SentinelAnswer::Facts(Box::new(facts)),
    }
}

fn set_all(info: &mut Info, fields: &Info) {
    for (name, value) in fields.iter() {
        info.set(name, value);
    }
}

fn facts(n: usize) -> Facts {
    let info = info(n);
    let mut later = info.clone();
    later.set("total_commands_processed", "1001000");
    let config = [
        ("port", "0"),
        ("tls-port", "7000"),
        ("requirepass", "(set)"),
        ("masterauth", "(set)"),
        ("save", "3600 1"),
        ("appendonly", "yes"),
        ("cluster-node-timeout", "5000"),
        ("protected-mode", "yes"),
        ("latency-monitor-threshold", "100"),
        ("enable-debug-command", "no"),
    ];
    let user = AclUser {
        name: "app".into(),
        is_on: true,
        is_nopass: false,
        passwords: 1,
        rules: "~app:* +@read +@write".into(),
    };
    Facts {
        view: View::parse(&lines(n)).unwrap(),
        cluster: Info::parse("cluster_state:ok\ncluster_slots_assigned:16384\n"),
        info,
        later: Some(later),
        sample_ms: 1_000,
        config: config.map(|(k, v)| (k.into(), v.into())).into(),
        users: vec![user],
        acl_digest: Some("d1".into()),
        pings_us: vec![200; 20],
        canary: (n < 3).then_some(Reply::Acknowledged {
            replicas: 1,
            took_us: 400,
        }),
        clock_ahead_ms: Some(3),
        answers_without_password: Some(false),
        is_deep: true,
        certificate_days_left: Some(300),
        ..Facts::default()
    }
}

impl Cluster {
    /// Nothing is wrong with it.
    pub fn sound() -> Cluster {
        let nodes = (0..6).map(|n| NodeReport {
            id: Some(id(n)),
            addr: addr(n),
            site: Site {
                host: format!("host-{n}"),
                zone: None,
            },
            answer: Answer::Facts(Box::new(facts(n))),
        });
        Cluster {
            survey: Survey {
                taken_at_ms: NOW_MS,
                name: Some("shop".into()),
                seeds: vec![addr(0)],
                nodes: nodes.collect(),
                ..Survey::default()
            },
        }
    }

    /// A master and two replicas without cluster mode, and three Sentinels that watch them at
    /// 10.0.0.11:26379 to 10.0.0.13:26379.
    pub fn watched() -> Cluster {
        let view = |viewer: usize| {
            let me = |n| if n == viewer { "myself," } else { "" };
            let lines = (0..3).map(|n| match n {
                0 => format!(
                    "{} {}@0 {}master - 0 0 2 connected 0-16383\n",
                    id(0),
                    addr(0),
                    me(0)
                ),
                n => format!(
                    "{} {}@0 {}slave {} 0 0 1 connected\n",
                    id(n),
                    addr(n),
                    me(n),
                    id(0)
                ),
            });
            View::parse(&lines.collect::<String>()).unwrap()
        };
        let answer = |n: usize| {
            // Of the cluster's six the first is a master, the fourth and fifth are replicas.
            let mut facts = facts([0, 3, 4][n]);
            facts.view = view(n);
            facts.cluster = Info::default();
            facts.stands_alone = true;
            Answer::Facts(Box::new(facts))
        };
        let mut cluster = Cluster::sound();
        let survey = &mut cluster.survey;
        survey.form = Form::Replication;
        survey.nodes.truncate(3);
        for n in 0..3 {
            survey.nodes[n].answer = answer(n);
        }
        survey.sentinels = Some(Sentinels {
            name: Some("shop".into()),
            asked: (0..3).map(sentinel).collect(),
        });
        cluster.info(
            0,
            "connected_slaves:2\nslave0:ip=10.0.0.2,port=7000,state=online,offset=1000,lag=0\n\
             slave1:ip=10.0.0.3,port=7000,state=online,offset=1000,lag=0",
        )
    }

    /// Changes what Sentinel `n` says.
    pub fn sentinel(mut self, n: usize, change: impl FnOnce(&mut SentinelFacts)) -> Cluster {
        let sentinels = self.survey.sentinels.as_mut().unwrap();
        if let SentinelAnswer::Facts(facts) = &mut sentinels.asked[n].answer {
            change(facts);
        }
        self
    }

    /// Sets a value of what Sentinel `n` says of the master.
    pub fn watched_as(self, n: usize, name: &str, value: &str) -> Cluster {
        self.sentinel(n, |facts| facts.master.as_mut().unwrap().set(name, value))
    }

    /// What was asked of it.
    pub fn survey(self) -> Survey {
        self.survey
    }

    /// Changes anything.
    pub fn with(mut self, change: impl FnOnce(&mut Survey)) -> Cluster {
        change(&mut self.survey);
        self
    }

    /// Changes what node `n` says.
    pub fn facts(mut self, n: usize, change: impl FnOnce(&mut Facts)) -> Cluster {
        if let Answer::Facts(facts) = &mut self.survey.nodes[n].answer {
            change(facts);
        }
        self
    }

    /// Changes what every node says.
    pub fn every(mut self, change: impl Fn(&mut Facts)) -> Cluster {
        for node in &mut self.survey.nodes {
            if let Answer::Facts(facts) = &mut node.answer {
                change(facts);
            }
        }
        self
    }

    /// Changes the line about node `n` in the view of node `viewer`.
    pub fn line(self, viewer: usize, n: usize, change: impl Fn(&mut Peer)) -> Cluster {
        self.facts(viewer, |facts| {
            let peer = facts.view.peers.iter_mut().find(|peer| peer.id == id(n));
            change(peer.unwrap());
        })
    }

    /// Changes the line about node `n` in all views.
    pub fn lines(self, n: usize, change: impl Fn(&mut Peer)) -> Cluster {
        (0..6).fold(self, |cluster, viewer| cluster.line(viewer, n, &change))
    }

    /// Sets INFO fields of node `n`, in both samples.
    pub fn info(self, n: usize, text: &str) -> Cluster {
        self.facts(n, |facts| {
            let fields = Info::parse(text);
            set_all(&mut facts.info, &fields);
            if let Some(later) = &mut facts.later {
                set_all(later, &fields);
            }
        })
    }

    /// Sets INFO fields of node `n` in the second sample.
    pub fn later(self, n: usize, text: &str) -> Cluster {
        self.facts(n, |facts| {
            let later = facts.later.get_or_insert_default();
            set_all(later, &Info::parse(text));
        })
    }

    /// Sets a CONFIG value of node `n`.
    pub fn config(self, n: usize, name: &str, value: &str) -> Cluster {
        self.facts(n, |facts| {
            facts.config.insert(name.into(), value.into());
        })
    }

    /// Silences node `n`.
    pub fn silent(mut self, n: usize, silence: Silence) -> Cluster {
        self.survey.nodes[n].answer = Answer::Silent {
            silence,
            detail: "as the system said".into(),
            after_ms: 2_000,
        };
        self
    }

    /// Puts node `n` on a host.
    pub fn host(mut self, n: usize, host: &str) -> Cluster {
        self.survey.nodes[n].site.host = host.into();
        self
    }
}
