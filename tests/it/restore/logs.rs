//! The logs behind the bases: played exactly once in effect, with the expiries of their time.

use super::handmade::{dump, now_ms, take, wire};
use super::*;

/// A home with one snapshot: what the commands made, then the log.
fn snapshot(made: &[&str], log: &[&str]) -> Home {
    let (server, home) = (alone(), Home::new());
    let mut connection = server.connect().unwrap();
    for line in made {
        let words: Vec<&str> = line.split(' ').collect();
        connection.ask(&words).unwrap();
    }
    take(&home, &dump(&server), log);
    home
}

fn restore(home: &Home, target: &str, more: &[&str]) -> Goodcache {
    let url = home.path().join("repository").display().to_string();
    let mut words = vec!["restore", "latest", target, "--repo", &url, "-o", "json"];
    words.extend(more);
    home.goodcache(&words).within(LIMIT)
}

#[test]
fn commands_of_the_log_come_on_top_of_the_base() {
    let home = snapshot(
        &[
            "SET count 5",
            "SET gone 1",
            "RPUSH list a b",
            "SET still 1",
            "HSET h f 1",
        ],
        &[
            "SELECT 0",
            "INCR count",
            "MULTI",
            "INCRBY count 10",
            "EXEC",
            "DEL gone",
            "RPUSH list c",
            "SET new x",
            "PING",
            "HSET h g 2",
            "UNLINK new",
            "SET new y",
        ],
    );
    let target = empty(2);
    let report = proven(restore(&home, &target[0].addr(), &[]).run());
    assert_eq!(report["proof"]["keys_equal"], 1, "{report:#}");
    assert_eq!(report["proof"]["played"], 5, "{report:#}");
    let get = |words: &[&str]| {
        let answers = target.iter().filter_map(|server| {
            // Of the other one's slots there is a refusal.
            let is_own = server.ask(words).unwrap().text().is_ok();
            is_own.then(|| server.cli(words))
        });
        answers.last().unwrap_or_default().trim().to_owned()
    };
    assert_eq!(get(&["GET", "count"]), "16");
    assert_eq!(get(&["EXISTS", "gone"]), "0");
    assert_eq!(get(&["LRANGE", "list", "0", "-1"]), "a\nb\nc");
    assert_eq!(get(&["GET", "new"]), "y");
    assert_eq!(get(&["HGET", "h", "g"]), "2");
    assert_eq!(get(&["GET", "still"]), "1");
    let again = restore(
        &home,
        &target[0].addr(),
        &["--replace", "--confirm", &target[0].addr()],
    );
    proven(again.run());
    assert_eq!(get(&["GET", "count"]), "16");
}

#[test]
fn a_key_that_was_renewed_in_the_log_survives_its_first_expiry() {
    let (soon, later) = (now_ms() + 1500, now_ms() + 3_600_000);
    let home = snapshot(
        &[
            &format!("SET renewed v PXAT {soon}"),
            &format!("SET changed v PXAT {soon}"),
            &format!("SET untouched v PXAT {soon}"),
            &format!("SET lasting v PXAT {later}"),
            &format!("SET kept v PXAT {later}"),
        ],
        &[
            &format!("PEXPIREAT renewed {later}"),
            "APPEND changed w",
            "APPEND kept w",
            "PERSIST lasting",
            "SET relative v EX 1000",
        ],
    );
    std::thread::sleep(Duration::from_millis(1600));
    let target = alone();
    let report = proven(restore(&home, &target.addr(), &[]).run());
    assert_eq!(report["expired"], 1, "{report:#}");
    let ask = |words: &[&str]| target.cli(words).trim().to_owned();
    assert_eq!(ask(&["GET", "renewed"]), "v");
    assert_eq!(ask(&["PEXPIRETIME", "renewed"]), later.to_string());
    assert_eq!(ask(&["EXISTS", "changed", "untouched"]), "0");
    assert_eq!(ask(&["GET", "kept"]), "vw");
    assert_eq!(ask(&["PEXPIRETIME", "kept"]), later.to_string());
    assert_eq!(ask(&["PTTL", "lasting"]), "-1");
    let ttl: i64 = ask(&["TTL", "relative"]).parse().unwrap();
    assert!((900..=1000).contains(&ttl), "{ttl}");
}

#[test]
fn what_was_emptied_in_the_log_stays_empty() {
    let home = snapshot(&["SET a 1", "SET b 2"], &["SET c 3", "FLUSHALL", "SET d 4"]);
    let target = alone();
    proven(restore(&home, &target.addr(), &[]).run());
    assert_eq!(target.cli(&["KEYS", "*"]).trim(), "d");
}

#[test]
fn a_command_that_nobody_knows_is_refused_before_the_first_key() {
    let home = snapshot(&["SET a 1"], &["SET b 1", "BRANDNEW b"]);
    let target = alone();
    let refused = restore(&home, &target.addr(), &[]).run().expect(5);
    assert!(refused.stderr.contains("brandnew"), "{}", refused.stderr);
    assert_eq!(keys(&[&target]), 0);
}

#[test]
fn keys_that_are_there_are_spared_by_the_log_too() {
    let home = snapshot(
        &["SET a 1", "SET b 1"],
        &["APPEND a x", "APPEND b x", "SET c 1"],
    );
    let target = alone();
    target.cli(&["SET", "a", "own"]);
    proven(restore(&home, &target.addr(), &["--skip-existing"]).run());
    let ask = |key: &str| target.cli(&["GET", key]).trim().to_owned();
    assert_eq!(
        (ask("a").as_str(), ask("b").as_str(), ask("c").as_str()),
        ("own", "1x", "1")
    );
}

#[test]
fn killed_in_the_middle_of_the_log_it_is_played_once_in_effect() {
    let commands: Vec<String> = (0..3000).map(|n| format!("INCR n:{}", n % 7)).collect();
    let log: Vec<&str> = commands.iter().map(String::as_str).collect();
    let home = snapshot(&["SET n:0 100"], &log);
    assert!(wire(&log).len() > 50_000);
    let target = alone();
    let addr = target.addr();
    // One that came to its end before it was killed may be followed by another.
    let again = |more: &[&str]| {
        let mut words = vec!["--replace", "--confirm", &addr];
        words.extend(more);
        restore(&home, &addr, &words)
    };
    for moment in 1..=6 {
        let mut running = again(&["--rate", "400KiB"]).spawn();
        std::thread::sleep(Duration::from_millis(30 * moment));
        running.kill();
        drop(running);
    }
    proven(again(&[]).run());
    let ask = |key: &str| target.cli(&["GET", key]).trim().parse::<u64>().unwrap();
    let sum: u64 = (0..7).map(|n| ask(&format!("n:{n}"))).sum();
    assert_eq!(sum, 3100);
}

#[test]
fn keys_of_other_databases_go_where_there_are_any() {
    let home = snapshot(
        &["SET zero 1", "SELECT 3", "SET three 1"],
        &["SELECT 3", "APPEND three x", "SELECT 5", "SET five 1"],
    );
    let target = alone();
    proven(restore(&home, &target.addr(), &[]).run());
    let mut wire = target.connect().unwrap();
    for (db, key, value) in [("3", "three", "1x"), ("5", "five", "1")] {
        wire.ask(&["SELECT", db]).unwrap();
        let found = wire.ask(&["GET", key]).unwrap();
        assert_eq!(found.text().unwrap(), value);
    }
    assert_eq!(target.cli(&["DBSIZE"]).trim(), "1");
}

/// A log played slowly into three masters with a replica each, the owner of one of its keys ending in
/// the middle.
fn played_over(how: impl FnOnce(&mut Server)) -> Fleet {
    let commands: Vec<String> = (0..4000).map(|n| format!("INCR n:{}", n % 7)).collect();
    let log: Vec<&str> = commands.iter().map(String::as_str).collect();
    let home = snapshot(&["SET n:0 100"], &log);
    let mut target = Fleet::cluster(3, 1);
    let addr = target[1].addr();
    let running = restore(&home, &addr, &["--rate", "30KiB"]).spawn();
    let owner = || (0..3).find(|n| keys(&[&target[*n]]) > 0);
    let mut victim = None;
    crate::support::until("the log is played", LIMIT, || {
        victim = owner();
        victim.is_some()
    });
    std::thread::sleep(Duration::from_millis(500));
    how(&mut target[victim.unwrap()]);
    proven(running.wait());
    let living = (0..6).filter(|n| Some(*n) != victim);
    let sum: u64 = living
        .map(|n| &target[n])
        .filter(|server| server.cli(&["ROLE"]).starts_with("master"))
        .flat_map(|server| {
            let names = server.cli(&["KEYS", "n:*"]);
            let values = names.lines().map(|key| server.cli(&["GET", key]));
            values.collect::<Vec<_>>()
        })
        .map(|value| value.trim().parse::<u64>().unwrap())
        .sum();
    assert_eq!(sum, 4100);
    target
}

#[test]
fn a_failover_in_the_middle_of_the_log_is_survived() {
    played_over(Server::kill);
}

#[test]
fn a_master_that_freezes_in_the_middle_of_the_log_is_survived() {
    let target = played_over(|server| server.pause());
    target.iter().for_each(Server::resume);
}

#[test]
fn a_slot_that_stays_half_moved_takes_the_log_where_it_goes_to() {
    let soon = now_ms() + 1_000_000;
    let home = snapshot(
        &[
            "SET {h}n 5",
            "SET {h}gone 1",
            "RPUSH {h}l a",
            &format!("SET {{h}}e v PXAT {soon}"),
            "SET {o}n 1",
        ],
        &[
            "INCR {h}n",
            "INCR {o}n",
            "DEL {h}gone",
            "RPUSH {h}l b",
            "APPEND {h}e w",
            "SET {h}new x EX 1000",
            "INCR {h}n",
        ],
    );
    let target = empty(2);
    // One that is left there, and not in the way.
    let owner = target.iter().find(|server| {
        let said = server.ask(&["SET", "{h}n", "old"]).unwrap();
        said.text().is_ok()
    });
    assert!(owner.is_some());
    let (_, to) = half_move(&target, "h");
    let addr = target[0].addr();
    let words = ["--replace", "--confirm", &addr];
    proven(restore(&home, &addr, &words).run());
    let get = |words: &[&str]| asked(&target[to], words);
    assert_eq!(get(&["GET", "{h}n"]), "7");
    assert_eq!(get(&["EXISTS", "{h}gone"]), "0");
    assert_eq!(get(&["LLEN", "{h}l"]), "2");
    assert_eq!(get(&["PEXPIRETIME", "{h}e"]), soon.to_string());
    let ttl: i64 = get(&["TTL", "{h}new"]).parse().unwrap();
    assert!((900..=1000).contains(&ttl), "{ttl}");
    let servers: Vec<&Server> = target.iter().collect();
    assert_eq!(keys(&servers), 5);
}
