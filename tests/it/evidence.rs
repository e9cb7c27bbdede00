//! The evidence that advice rests on, on real servers: clients that are known, keys that are known, and a
//! machine that tells the same to everybody.

use std::fs;
use std::time::{Duration, Instant};

use goodcache::cli::evidence::gather;
use goodcache::cluster::{Access, Ask, Depth, Node, clients, sample_keys};
use goodcache::model::{Evidence, KeysSeen};

use crate::core::{addr, look};
use crate::support::{Fleet, Server, Spec, Wire, until};

const LIMIT: Duration = Duration::from_secs(10);

/// 3,000 sessions that expire in a day, 300 books of 23 fields, 200 sets of three numbers, 100 sorted sets
/// of 200 members of 40 letters, and a few keys that belong to nobody.
const FILL: &str = "
    for i = 1, 3000 do
        redis.call('SET', 'session:' .. redis.sha1hex(i), string.rep('x', 500), 'EX', 86400)
    end
    for i = 1, 300 do
        for f = 1, 23 do redis.call('HSET', 'book:' .. i, 'field' .. f, 'value of it') end
    end
    for i = 1, 200 do redis.call('SADD', 'book:' .. i .. ':tags', 1, 2, 3) end
    for i = 1, 100 do
        for m = 1, 200 do
            redis.call('ZADD', 'recs:{user:' .. i .. '}', m, string.rep('y', 36) .. (1000 + m))
        end
    end
    redis.call('SET', 'config', 1)
    redis.call('SET', 'lock', 1)
    return redis.call('DBSIZE')";

/// The counters of use of all keys together.
const USES: &str = "
    local sum = 0
    for _, key in ipairs(redis.call('KEYS', '*')) do
        sum = sum + redis.call('OBJECT', 'FREQ', key)
    end
    return sum";

fn filled(args: &[&str]) -> Server {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::with_args(args)
    });
    assert_eq!(server.cli(&["EVAL", FILL, "0"]), "3602");
    server
}

fn sample(server: &Server, depth: Depth) -> KeysSeen {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let access = Access::to([addr(server)]);
        let node = Node::connect(&access, &addr(server)).await.unwrap();
        sample_keys(&node, depth).await.unwrap()
    })
}

/// Less than one percent of a core, by the server's own count.
#[track_caller]
fn assert_gentle(keys: &KeysSeen) {
    let (cost, took) = (keys.cost_us, keys.took_ms);
    eprintln!("{} keys: {cost} us in {took} ms", keys.sampled);
    assert!(cost > 0, "the server tells what it spent");
    assert!(cost * 100 < took * 1000, "{cost} us in {took} ms");
}

fn is_at_least(server: &Server, major: u32, minor: u32) -> bool {
    let version = server.field(&["INFO", "server"], "redis_version").unwrap();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap());
    (parts.next().unwrap(), parts.next().unwrap()) >= (major, minor)
}

#[test]
fn matrix_a_light_sample_tells_families_types_and_expiries() {
    let server = filled(&[]);
    let keys = sample(&server, Depth::Light);
    assert_eq!((keys.keys, keys.is_deep), (3602, false));
    // A machine that has more to do ends it by its time.
    assert!((150..=200).contains(&keys.sampled), "{}", keys.sampled);
    let patterns: Vec<&str> = keys.families.iter().map(|f| f.pattern.as_str()).collect();
    assert_eq!(patterns[0], "session:*", "{patterns:?}");
    assert!(patterns.contains(&"book:*"), "{patterns:?}");
    let sessions = &keys.families[0];
    // 83 of a hundred are to be expected; six standard deviations are left below.
    let least = keys.sampled * 65 / 100;
    let is_likely = (least..keys.sampled).contains(&sessions.count);
    assert!(is_likely, "{} of {}", sessions.count, keys.sampled);
    assert_eq!(sessions.with_expiry, sessions.count);
    assert!((86_000..=86_400).contains(&sessions.expiry_s.unwrap()));
    assert_eq!(
        (sessions.kind.as_str(), sessions.mean_bytes),
        ("string", None)
    );
    let strings = &keys.types["string"];
    assert!(strings.count >= sessions.count && strings.encodings.is_empty());
    assert_eq!(keys.types["hash"].with_expiry, 0);
    assert_gentle(&keys);
    assert!(keys.took_ms < 5_000, "{} ms", keys.took_ms);
}

#[test]
fn matrix_a_deep_sample_tells_encodings_sizes_and_elements() {
    let server = filled(&["--maxmemory-policy", "noeviction"]);
    let keys = sample(&server, Depth::Deep);
    assert!(keys.is_deep);
    assert!((1_000..=2_000).contains(&keys.sampled), "{}", keys.sampled);
    assert_gentle(&keys);
    let packed = match is_at_least(&server, 7, 0) {
        true => "listpack",
        false => "ziplist",
    };
    let books = &keys.types["hash"].encodings[packed];
    assert_eq!(books.elements.unwrap().p50, 23);
    assert_eq!(books.longest_bytes.unwrap().max, 11);
    assert!(books.memory_bytes / books.count > 300);
    let tags = &keys.types["set"].encodings["intset"];
    assert_eq!(tags.elements.unwrap().max, 3);
    let recs = &keys.types["zset"].encodings["skiplist"];
    assert_eq!(recs.elements.unwrap().min, 200);
    assert_eq!(recs.longest_bytes.unwrap().p95, 40);
    let sessions = &keys.types["string"].encodings["raw"];
    assert_eq!(sessions.elements.unwrap().p95, 500);
    assert!(keys.families[0].mean_bytes.unwrap() > 500);
    assert!(keys.families.iter().any(|f| f.pattern == "recs:{user:*}"));
    assert!(keys.idle_s.is_some() && keys.frequencies.is_none());
}

#[test]
fn matrix_sampling_leaves_the_use_of_keys_as_it_was() {
    let server = filled(&["--maxmemory-policy", "allkeys-lfu", "--lfu-decay-time", "0"]);
    // Some are used far more than others.
    let mut wire = server.connect().unwrap();
    for book in 1..=100 {
        for _ in 0..30 {
            wire.ask(&["HGET", &format!("book:{book}"), "field1"])
                .unwrap();
        }
    }
    let before = server.cli(&["EVAL", USES, "0"]);
    let keys = sample(&server, Depth::Deep);
    assert_eq!(server.cli(&["EVAL", USES, "0"]), before);
    let frequencies = keys.frequencies.expect("an LFU policy");
    assert!(frequencies.max > frequencies.p50, "{frequencies:?}");
    assert!(keys.hottest_tenth_percent.unwrap() > 50.0);
    assert_eq!(keys.idle_s, None);
    let strings = &keys.types["string"].encodings["raw"];
    assert!(strings.memory_bytes > 0);
    let may_count = is_at_least(&server, 7, 2);
    assert_eq!(strings.elements.is_some(), may_count, "only under NO-TOUCH");
}

#[test]
fn a_node_of_few_keys_or_none_is_sampled_whole() {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::default()
    });
    let none = sample(&server, Depth::Light);
    assert_eq!((none.sampled, none.keys), (0, 0));
    for n in 0..150 {
        server.cli(&["SET", &format!("user:{n}"), "x"]);
    }
    let all = sample(&server, Depth::Light);
    assert_eq!((all.sampled, all.keys), (150, 150));
    let families = all.families.iter().map(|f| (f.pattern.as_str(), f.count));
    let families: Vec<_> = families.collect();
    assert_eq!(families, [("user:*", 150)]);
    assert_gentle(&all);
}

#[test]
fn a_sample_where_the_user_may_not_ask_everything_is_smaller_and_not_wrong() {
    let server = filled(&[]);
    server.cli(&[
        "ACL", "SETUSER", "default", "-object", "-memory", "-info", "-hlen", "-client",
    ]);
    let keys = sample(&server, Depth::Deep);
    assert!((1_000..=2_000).contains(&keys.sampled), "{}", keys.sampled);
    assert_eq!(keys.cost_us, 0);
    assert!(keys.types["hash"].encodings.is_empty());
    assert_eq!(keys.families[0].mean_bytes, None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let node = Node::connect(&Access::to([addr(&server)]), &addr(&server)).await;
        clients(&node.unwrap()).await.unwrap_err()
    });
    assert!(refused.to_string().contains("no permissions"), "{refused}");
}

#[test]
fn matrix_clients_are_counted_by_what_they_do() {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::default()
    });
    let connect = || Wire::plain(&server.addr(), LIMIT).unwrap();
    let mut idle = connect();
    idle.ask(&["PING"]).unwrap();
    let mut blocked = connect();
    blocked.send(b"BLPOP queue 0\r\n").unwrap();
    let mut subscriber = connect();
    subscriber.ask(&["SUBSCRIBE", "news"]).unwrap();
    until("one waits", LIMIT, || {
        server
            .field(&["INFO", "clients"], "blocked_clients")
            .as_deref()
            == Some("1")
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut seen = Default::default();
    // The connections by which this test asked may be listed a moment longer.
    until("what was closed is gone", LIMIT, || {
        seen = runtime.block_on(async {
            let node = Node::connect(&Access::to([addr(&server)]), &addr(&server)).await;
            clients(&node.unwrap()).await.unwrap()
        });
        seen.normal == 2
    });
    assert_eq!((seen.blocked, seen.subscribers), (1, 1));
    assert_eq!((seen.younger_than_1min, seen.idle_over_5min), (2, 0));
    assert!(seen.memory_bytes >= seen.largest_memory_bytes && seen.largest_memory_bytes > 1_000);
    drop((idle, blocked, subscriber));
}

fn evidence(fleet: &Fleet, is_deep: bool, then: impl FnOnce()) -> (Evidence, Duration) {
    let access = Access::to([addr(&fleet[0])]);
    let ask = Ask {
        has_all_settings: true,
        ..Ask::default()
    };
    let survey = look(&access, &ask);
    assert_eq!(survey.answered().count(), fleet.len());
    then();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let begun = Instant::now();
    let evidence = runtime.block_on(gather(&access, survey, is_deep));
    (evidence, begun.elapsed())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_cluster_on_this_machine_is_seen_as_proc_tells_it() {
    let fleet = Fleet::cluster(3, 1);
    let (evidence, took) = evidence(&fleet, false, || {});
    assert_eq!(evidence.nodes.len(), 6);
    assert!(took < Duration::from_secs(3), "{took:?}");
    for (n, server) in fleet.iter().enumerate() {
        let seen = &evidence.nodes[&addr(server)];
        assert_eq!(seen.not_seen, Default::default(), "{}", server.addr());
        assert_eq!(seen.keys.is_some(), n < 3, "keys of masters only");
        assert!(seen.clients.is_some());
        let host = seen.host.as_ref().unwrap();
        assert_eq!(host.by, "proc");
        assert_eq!(host.machine, read("/proc/sys/kernel/hostname").trim());
        let limits = read(&format!("/proc/{}/limits", server.pid()));
        let files = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let files = files.unwrap().split_whitespace().nth(3).unwrap();
        assert_eq!(host.open_files, files.parse().ok());
        let total = read("/proc/meminfo");
        let total: u64 = total.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(host.memory_bytes, Some(total * 1024));
        let somaxconn = read("/proc/sys/net/core/somaxconn");
        assert_eq!(host.somaxconn, somaxconn.trim().parse().ok());
        let overcommit = read("/proc/sys/vm/overcommit_memory");
        assert_eq!(host.overcommit, overcommit.trim().parse().ok());
        let cores = std::thread::available_parallelism().unwrap().get() as f64;
        assert!(host.cores.unwrap() <= cores && host.cores.unwrap() > 0.0);
        assert!(host.disk_free_bytes.is_some() && host.listen_overflows.is_some());
        assert!(host.huge_pages.is_some() && host.clock_source.is_some());
    }
}

#[test]
fn nodes_that_hang_cost_one_deadline_together() {
    let fleet = Fleet::cluster(3, 0);
    let (evidence, took) = evidence(&fleet, false, || {
        fleet[1].pause();
        fleet[2].pause();
    });
    fleet[1].resume();
    fleet[2].resume();
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    for n in [1, 2] {
        let seen = &evidence.nodes[&addr(&fleet[n])];
        for what in ["clients", "keys"] {
            let why = &seen.not_seen[what];
            assert!(why.ends_with("did not answer within 2 s"), "{why}");
        }
        assert!(seen.host.is_some(), "its machine does not hang");
    }
    assert!(evidence.nodes[&addr(&fleet[0])].keys.is_some());
}
