//! A moment of a cluster that was written to at random: every key of it is compared, value and expiry, with
//! what the cluster itself said then, in a cluster of another shape.

use std::collections::BTreeMap;

use goodcache::model::words::timestamp;

use super::handmade::now_ms;
use super::moment::Followed;
use super::*;
use crate::support::{Wire, until};

/// Commands by their words: `s h c z l x p g` and a colon are keys of that kind (strings, hashes, sets, sorted
/// sets, lists, streams, counts of distinct things, places); N a number, V a value, F a field; SOON and LATE
/// times, `soon` and `late` such from now on.
const COMMANDS: &[&str] = &[
    "SET s: V",
    "SET s: V PX soon",
    "SET s: V PXAT LATE",
    "SET s: V KEEPTTL",
    "SET s: V NX",
    "SET s: V XX GET",
    "SETEX s: 7200 V",
    "GETSET s: V",
    "GETEX s: PERSIST",
    "GETEX s: PX late",
    "GETDEL s:",
    "APPEND s: V",
    "SETRANGE s: N V",
    "SETBIT s: N 1",
    "BITFIELD s: INCRBY u8 N 7",
    "BITOP XOR s: s: s:",
    "MSET s: V s: V",
    "MSETNX s: V s: V",
    "SET n: N",
    "INCRBY n: N",
    "INCRBYFLOAT n: 1.5",
    "DECR n:",
    "HSET h: F V F V",
    "HSETNX h: F V",
    "HINCRBY h: count N",
    "HINCRBYFLOAT h: float 0.25",
    "HDEL h: F",
    "SADD c: V V N",
    "SREM c: N",
    "SPOP c:",
    "SPOP c: 2",
    "SMOVE c: c: N",
    "SUNIONSTORE c: c: c:",
    "SINTERSTORE c: c: c:",
    "SDIFFSTORE c: c: c:",
    "ZADD z: N V N V",
    "ZADD z: GT CH N V",
    "ZINCRBY z: N V",
    "ZREM z: V",
    "ZPOPMIN z:",
    "ZREMRANGEBYRANK z: 0 1",
    "ZUNIONSTORE z: 2 z: c: WEIGHTS 2 3",
    "ZINTERSTORE z: 2 z: z:",
    "ZDIFFSTORE z: 2 z: z:",
    "ZRANGESTORE z: z: 0 3",
    "RPUSH l: V V N",
    "LPUSH l: V",
    "LPUSHX l: V",
    "LPOP l: 2",
    "RPOP l:",
    "LSET l: 0 V",
    "LINSERT l: BEFORE N V",
    "LREM l: 0 N",
    "LTRIM l: 0 9",
    "LMOVE l: l: LEFT RIGHT",
    "RPOPLPUSH l: l:",
    "LMPOP 1 l: LEFT",
    "SORT l: ALPHA STORE l:",
    "XADD x: * F V",
    "XADD x: MAXLEN 5 * F V",
    "XTRIM x: MAXLEN 3",
    "XGROUP CREATE x: readers 0 MKSTREAM",
    "XREADGROUP GROUP readers one COUNT 2 STREAMS x: >",
    "XGROUP DESTROY x: readers",
    "PFADD p: V N",
    "PFMERGE p: p: p:",
    "PFCOUNT p:",
    "GEOADD g: 13.N 38.N V",
    "GEOSEARCHSTORE g: g: FROMLONLAT 13.5 38.5 BYRADIUS 40 km",
    "GEOSEARCHSTORE z: g: FROMLONLAT 13.5 38.5 BYRADIUS 40 km STOREDIST",
    "PEXPIRE any: soon",
    "PEXPIRE any: late",
    "PEXPIREAT any: LATE",
    "PEXPIREAT any: SOON",
    "EXPIRE any: 7200 GT",
    "PERSIST any:",
    "RENAME s: s:",
    "RENAME c: c:",
    "RENAME z: z:",
    "RENAMENX l: l:",
    "RENAME any: any:",
    "COPY any: any:",
    "COPY any: any: REPLACE",
    "DEL any: any:",
    "UNLINK any:",
    "EVAL return{redis.call('INCR',KEYS[1]),redis.call('LPUSH',KEYS[2],ARGV[1])} 2 n: l: V",
];
/// Groups of keys: each in a slot of its own.
const TAGS: u64 = 9;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, many: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % many
    }

    fn word(&mut self, word: &str, tag: u64) -> String {
        let kinds = ["s", "n", "h", "c", "z", "l", "x", "p", "g"];
        match word {
            "any:" => {
                let kind = kinds[self.below(kinds.len() as u64) as usize];
                format!("{{{tag}}}{kind}{}", self.below(5))
            }
            "V" => match self.below(8) {
                0 => "long ".repeat(30),
                _ => format!("v{}", self.below(12)),
            },
            "F" => format!("f{}", self.below(6)),
            "soon" => (50 + self.below(2500)).to_string(),
            "SOON" => (now_ms() + 50 + self.below(2500)).to_string(),
            "late" => (3_600_000 + self.below(1000)).to_string(),
            "LATE" => (now_ms() + 3_600_000 + self.below(1000)).to_string(),
            _ if word.ends_with(':') => format!("{{{tag}}}{}{}", &word[..1], self.below(5)),
            _ => match word.strip_suffix('N') {
                Some(before) if before.is_empty() || before.ends_with('.') => {
                    format!("{before}{}", self.below(20))
                }
                _ => word.to_owned(),
            },
        }
    }

    fn command(&mut self, tag: u64) -> Vec<String> {
        let line = COMMANDS[self.below(COMMANDS.len() as u64) as usize];
        line.split(' ').map(|word| self.word(word, tag)).collect()
    }
}

/// Who writes: a connection to the owner of each tag.
struct Writer {
    dice: Dice,
    owners: Vec<Wire>,
}

impl Writer {
    fn of(cluster: &Fleet, seed: u64) -> Writer {
        let owner = |tag| {
            let key = format!("{{{tag}}}none");
            let has = |server: &&Server| server.ask(&["GET", &key]).unwrap().text().is_ok();
            cluster.iter().find(has).unwrap()
        };
        Writer {
            dice: Dice(seed),
            owners: (0..TAGS).map(|tag| owner(tag).connect().unwrap()).collect(),
        }
    }

    /// So many commands, some in transactions. What a server refuses changes nothing.
    fn write(&mut self, commands: usize) {
        for _ in 0..commands {
            let tag = self.dice.below(TAGS);
            let many = match self.dice.below(6) {
                0 => 2 + self.dice.below(3),
                _ => 1,
            };
            let lines: Vec<Vec<String>> = (0..many).map(|_| self.dice.command(tag)).collect();
            let wire = &mut self.owners[tag as usize];
            let mut say = |words: &[String]| {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                wire.ask(&words).unwrap();
            };
            let is_transaction = many > 1;
            if is_transaction {
                say(&["MULTI".to_owned()]);
            }
            lines.iter().for_each(|line| say(line));
            if is_transaction {
                say(&["EXEC".to_owned()]);
            }
        }
    }
}

/// Every key of the tags with its value, in words, and when it expires.
fn all<'a>(servers: impl Iterator<Item = &'a Server>) -> BTreeMap<String, (String, i64)> {
    let mut found = BTreeMap::new();
    for server in servers {
        let mut wire = server.connect().unwrap();
        let mut ask = |line: &[&str]| wire.ask(line).unwrap();
        for key in ask(&["KEYS", "*"]).texts() {
            let kind = ask(&["TYPE", &key]).text().unwrap();
            let said = match kind.as_str() {
                "none" => continue,
                "string" => ask(&["GET", &key]),
                "hash" => ask(&["HGETALL", &key]),
                "set" => ask(&["SMEMBERS", &key]),
                "zset" => ask(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                "list" => ask(&["LRANGE", &key, "0", "-1"]),
                _ => ask(&["XRANGE", &key, "-", "+"]),
            };
            let mut said = said.to_string();
            match kind.as_str() {
                "hash" | "set" => said = sorted(&said, if kind == "set" { 1 } else { 2 }),
                "stream" => {
                    // Neither consumers that have read nothing are replicated, nor how many entries were read.
                    let group = ask(&["XINFO", "GROUPS", &key]).to_string();
                    let id = group
                        .lines()
                        .skip_while(|line| *line != "last-delivered-id");
                    said += id.take(2).last().unwrap_or_default();
                    said += &ask(&["XPENDING", &key, "readers"]).to_string();
                }
                _ => {}
            }
            let ends = ask(&["PEXPIRETIME", &key]).text();
            let ends = ends.map_or_else(
                // Redis 6.2 says how long it lives; of which no more is asked than whether it is long.
                |_| match ask(&["PTTL", &key]).text().unwrap().parse().unwrap() {
                    60_000.. => i64::MAX,
                    soon => soon,
                },
                |ends| ends.parse().unwrap(),
            );
            found.insert(key, (format!("{kind} {said}"), ends));
        }
    }
    found
}

/// Lines, so many of which belong together, in an order of their own.
fn sorted(lines: &str, together: usize) -> String {
    let lines: Vec<&str> = lines.lines().collect();
    let mut parts: Vec<String> = lines.chunks(together).map(|part| part.join(" ")).collect();
    parts.sort();
    parts.join("\n")
}

/// Restores that moment.
fn restored(followed: &Followed, moment: u64, target: &Fleet, more: &[&str]) -> Value {
    let (of, at) = (followed.stage.source[0].addr(), timestamp(moment));
    let (url, addr) = (followed.stage.repository(), target[0].addr());
    let mut words = vec![
        "restore", &addr, "--of", &of, "--at", &at, "--repo", &url, "-o", "json",
    ];
    words.extend(more);
    let report = proven(followed.stage.home.goodcache(&words).within(LIMIT).run());
    assert_eq!(report["log_overtaken"], 0, "{report:#}");
    report
}

/// Keys with their values and expiries.
type Keys = BTreeMap<String, (String, i64)>;

/// Whether it is there for long.
fn lasts((_, (_, ends)): &(&String, &(String, i64))) -> bool {
    *ends < 0 || *ends > (now_ms() + 60_000) as i64
}

fn lasting(keys: &Keys) -> Keys {
    let lasting = keys.iter().filter(lasts);
    lasting.map(|(key, is)| (key.clone(), is.clone())).collect()
}

/// Waits until all that ends soon is over.
fn wait_for_the_end(written: u64) {
    until("what was to end soon is over", LIMIT, || {
        now_ms() > written + 3000
    });
}

#[track_caller]
fn is_the_same(is: &Keys, expected: &Keys, what: &str) {
    for (key, value) in expected {
        assert_eq!(is.get(key), Some(value), "{key}: {what}");
    }
    let more: Vec<&String> = is
        .keys()
        .filter(|key| !expected.contains_key(*key))
        .collect();
    assert_eq!(more, [""; 0], "{what}");
}

#[test]
fn every_key_is_what_it_was_at_that_moment_matrix() {
    let mut followed = Followed::of(3, 0);
    let mut writer = Writer::of(&followed.stage.source, 0x9e37_79b9_7f4a_7c15);
    writer.write(1200);
    followed.follow();
    let mut moments = Vec::new();
    for commands in [900, 1500] {
        writer.write(commands);
        let moment = followed.moment();
        moments.push((moment, all(followed.stage.source.iter())));
    }
    writer.write(900);
    followed.end(&[0, 1, 2]);
    let written = now_ms();
    for (moment, was) in moments {
        let (target, was) = (empty(2), lasting(&was));
        assert!(was.len() > 200, "{}", was.len());
        restored(&followed, moment, &target, &[]);
        wait_for_the_end(written);
        is_the_same(&all(target.iter()), &was, &format!("at {moment}"));
    }
}

#[test]
fn a_part_of_a_moment_leaves_all_else_as_it_is_matrix() {
    let mut followed = Followed::of(2, 0);
    let mut writer = Writer::of(&followed.stage.source, 0x2545_f491_4f6c_dd1d);
    writer.write(900);
    followed.follow();
    writer.write(1200);
    let moment = followed.moment();
    let was = all(followed.stage.source.iter());
    writer.write(300);
    followed.end(&[0, 1]);
    let target = empty(3);
    let addr = target[0].addr();
    for (n, glob, replaces) in [(1, "*", false), (2, "*[0-2]", false), (3, "*[1-3]", true)] {
        target
            .iter()
            .for_each(|server| drop(server.cli(&["FLUSHALL"])));
        Writer::of(&target, n).write(400);
        wait_for_the_end(now_ms());
        let own = all(target.iter());
        let mut more = vec!["--keys", glob];
        match replaces {
            true => more.extend(["--replace", "--confirm", &addr]),
            false => more.push("--undelete"),
        }
        restored(&followed, moment, &target, &more);
        let is_meant = |key: &str| match glob {
            "*[0-2]" => key.ends_with(['0', '1', '2']),
            "*[1-3]" => key.ends_with(['1', '2', '3']),
            _ => true,
        };
        let mut expected = own.clone();
        for (key, value) in lasting(&was) {
            if is_meant(&key) && (replaces || !own.contains_key(&key)) {
                expected.insert(key, value);
            }
        }
        let kept = expected
            .iter()
            .filter(|(key, is)| own.get(*key) == Some(is))
            .count();
        assert!(
            kept > 20 && expected.len() > kept + 20,
            "{kept} of {}",
            expected.len()
        );
        is_the_same(&all(target.iter()), &expected, glob);
    }
}
