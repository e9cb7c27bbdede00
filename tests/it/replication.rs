//! The replication link and the barrier on real servers: a base with the log that belongs to it, and a
//! cut through all masters that keeps cause and effect together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goodcache::cluster::replica::{Base, Log, Resumed};
use goodcache::cluster::{Access, Gate, NodeError, barrier};
use goodcache::model::{NodeAddr, Secret};

use crate::support::{Fleet, Server, Spec, signal};

fn access(servers: &[&Server]) -> (Access, Vec<NodeAddr>) {
    let addrs: Vec<NodeAddr> = servers.iter().map(|s| s.addr().parse().unwrap()).collect();
    (Access::to(addrs.clone()), addrs)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// A server on its own that sends a base at once.
fn lone() -> Server {
    let args = [
        "--repl-diskless-sync",
        "yes",
        "--repl-diskless-sync-delay",
        "0",
    ];
    Server::start_with(Spec {
        is_cluster: false,
        ..Spec::with_args(&args)
    })
}

async fn whole(base: &mut Base) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = base.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

async fn log_after(access: &Access, addr: &NodeAddr, base: &Base) -> Log {
    match Log::resume(access, addr, &base.replid, base.offset)
        .await
        .unwrap()
    {
        Resumed::Log(log) => log,
        Resumed::Gap => panic!("the log has a gap"),
    }
}

#[test]
fn a_base_is_a_whole_rdb_and_the_log_goes_on_where_it_began_matrix() {
    let server = lone();
    server.cli(&["SET", "before", "1"]);
    let (access, addrs) = access(&[&server]);
    run(async {
        let mut base = Base::ask(&access, &addrs[0]).await.unwrap();
        let mut log = log_after(&access, &addrs[0], &base).await;
        server.cli(&["SET", "after", "2"]);
        let bytes = whole(&mut base).await;
        assert!(bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY"));
        // The end mark, then the checksum of eight bytes.
        assert_eq!(bytes[bytes.len() - 9], 0xff);
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(has(b"before"));
        assert!(!has(b"after"));
        let mut came = Vec::new();
        while !came.windows(5).any(|window| window == b"after") {
            came.extend_from_slice(&log.next().await.unwrap());
        }
        assert_eq!(log.offset - base.offset, came.len() as u64);
    });
}

#[test]
fn a_log_that_the_backlog_no_longer_has_is_a_gap() {
    let server = lone();
    server.cli(&["SET", "x", "1"]);
    let (access, addrs) = access(&[&server]);
    run(async {
        let base = Base::ask(&access, &addrs[0]).await.unwrap();
        let other = "0123456789012345678901234567890123456789";
        let resumed = Log::resume(&access, &addrs[0], other, base.offset)
            .await
            .unwrap();
        assert!(matches!(resumed, Resumed::Gap));
    });
}

#[test]
fn a_user_who_may_not_replicate_is_told_so() {
    let server = lone();
    server.cli(&["ACL", "SETUSER", "weak", "on", "nopass", "+@all", "-psync"]);
    let (mut access, addrs) = access(&[&server]);
    access.credentials.user = Some("weak".into());
    access.credentials.password = Some(Secret::new("x"));
    let refused = run(Base::ask(&access, &addrs[0])).map(|_| ()).unwrap_err();
    assert!(matches!(refused, NodeError::Forbidden { .. }), "{refused}");
}

#[test]
fn a_server_that_dies_in_the_middle_is_an_error_and_no_end() {
    let mut server = lone();
    server.cli(&["CONFIG", "SET", "rdb-key-save-delay", "200"]);
    for n in 0..2000 {
        server.cli(&["SET", &format!("k{n}"), "v"]);
    }
    let (access, addrs) = access(&[&server]);
    run(async {
        let mut base = Base::ask(&access, &addrs[0]).await.unwrap();
        assert!(base.next().await.unwrap().is_some());
        server.kill();
        let error = loop {
            match base.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("half a base looked whole"),
                Err(error) => break error,
            }
        };
        assert!(error.silence().is_some(), "{error}");
    });
}

#[test]
fn what_follows_from_something_is_never_kept_without_it() {
    let fleet = Fleet::cluster(3, 0);
    let servers: Vec<&Server> = fleet.iter().collect();
    let (access, addrs) = access(&servers);
    // b is written only after a was acknowledged; they lie on different masters.
    let is_over = Arc::new(AtomicBool::new(false));
    let owner = |key: &str| {
        let owners = servers
            .iter()
            .position(|s| s.ask(&["SET", key, "0"]).unwrap().text().is_ok());
        owners.unwrap()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let (on_a, on_b) = (owner(&a), owner(&b));
    assert_ne!(on_a, on_b);
    let mut wires = (
        servers[on_a].connect().unwrap(),
        servers[on_b].connect().unwrap(),
    );
    let over = is_over.clone();
    let writer = std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            wires.0.ask(&["INCR", "a"]).unwrap().text().unwrap();
            wires.1.ask(&["INCR", "b"]).unwrap().text().unwrap();
        }
    });
    run(async {
        for server in &servers {
            server.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
        }
        for _ in 0..20 {
            let mut logs = Vec::new();
            let mut counted = Vec::new();
            for on in [on_a, on_b] {
                let base = Base::ask(&access, &addrs[on]).await.unwrap();
                logs.push(log_after(&access, &addrs[on], &base).await);
                counted.push(base);
            }
            let masters = [addrs[on_a].clone(), addrs[on_b].clone()];
            let cut = barrier(&access, &masters, Duration::from_secs(1))
                .await
                .unwrap();
            assert!(cut.stall < Duration::from_secs(1));
            let mut at = Vec::new();
            for ((mut base, mut log), cut) in counted.into_iter().zip(logs).zip(&cut.cuts) {
                assert_eq!(cut.replid, base.replid);
                let mut came = Vec::new();
                while log.offset < cut.offset {
                    came.extend_from_slice(&log.next().await.unwrap());
                }
                let length = usize::try_from(cut.offset - base.offset).unwrap();
                let text = String::from_utf8_lossy(&came[..length]).to_lowercase();
                let increments = text.matches("incr\r\n").count() as i64;
                let rdb = whole(&mut base).await;
                at.push(value_in(&rdb, if at.is_empty() { b'a' } else { b'b' }) + increments);
            }
            let (a, b) = (at[0], at[1]);
            assert!((0..=1).contains(&(a - b)), "a is {a}, b is {b}");
        }
    });
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_master_that_hangs_does_not_hold_up_the_writes_of_others() {
    const HANGS: Duration = Duration::from_millis(500);
    let fleet = Fleet::cluster(3, 0);
    let servers: Vec<&Server> = fleet.iter().collect();
    let (access, addrs) = access(&servers);
    run(async {
        let gate = Gate::to(&access, &addrs).await.unwrap();
        let pid = servers[1].pid();
        signal(pid, "STOP");
        let going_on = std::thread::spawn(move || {
            std::thread::sleep(HANGS);
            signal(pid, "CONT");
        });
        let cut = gate.cut(Duration::from_secs(5)).await.unwrap();
        going_on.join().unwrap();
        assert!(cut.tries > 1, "the first try was given up");
        assert_eq!(cut.cuts.len(), 3);
        assert!(cut.stall > Duration::ZERO);
        assert!(cut.stall < HANGS, "writes waited for {:?}", cut.stall);
    });
}

#[test]
fn a_user_who_may_not_ask_for_the_time_cuts_all_the_same() {
    let fleet = Fleet::cluster(3, 0);
    let servers: Vec<&Server> = fleet.iter().collect();
    for server in &servers {
        let rights = ["on", ">pw", "+@all", "-time", "-ping"];
        server.cli(&[&["ACL", "SETUSER", "weak"][..], &rights].concat());
    }
    let (mut access, addrs) = access(&servers);
    access.credentials.user = Some("weak".to_owned());
    access.credentials.password = Some(Secret::new("pw"));
    let cut = run(barrier(&access, &addrs, Duration::from_secs(5))).unwrap();
    assert_eq!(cut.cuts.len(), 3);
    assert!(cut.stall > Duration::ZERO);
}

/// The value of a key of one letter that counts: in an RDB, type 0, the key, a number in 1, 2 or 4
/// bytes or a string of digits.
fn value_in(rdb: &[u8], key: u8) -> i64 {
    let at = rdb
        .windows(3)
        .position(|window| window == [0, 1, key])
        .expect("the key is not in the base");
    let value = &rdb[at + 3..];
    match value[0] {
        0xc0 => i64::from(value[1] as i8),
        0xc1 => i64::from(i16::from_le_bytes([value[1], value[2]])),
        0xc2 => i64::from(i32::from_le_bytes([value[1], value[2], value[3], value[4]])),
        length => {
            let digits = &value[1..1 + usize::from(length)];
            std::str::from_utf8(digits).unwrap().parse().unwrap()
        }
    }
}
