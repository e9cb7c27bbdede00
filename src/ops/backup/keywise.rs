//! Keys listed by SCAN and fetched by DUMP, a few at a time, and given as the RDB that a server would have
//! sent: the way to what a service holds that keeps replication to itself.
//!
//! SCAN may name a key twice, which no RDB may hold, so what was seen is remembered (16 bytes a key). All of
//! it runs on the server's main thread; after each flight it is left alone for as long as the flight took,
//! longer when it answers slowly.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::sources::Source;
use super::trouble::Trouble;
use crate::cluster::{Access, Command, Node, NodeError, Reply};
use crate::model::Info;
use crate::rdb::{Dialect, Entry, Payload, RdbError, Writer};

/// Keys that one SCAN is to name.
const NAMED: u64 = 512;
/// Keys that are fetched in one flight, fewer when they are large.
const FLIGHT: usize = 64;
/// Bytes that one flight is to bring.
const FLIGHT_BYTES: usize = 4 << 20;
/// The largest value: the servers' `proto-max-bulk-len`, and what stands around it.
const LARGEST: u64 = 600 << 20;
/// A PING that takes so long means that clients wait too.
const SLOW: Duration = Duration::from_millis(5);
/// The longest that a slow server is left alone between two flights.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What was asked of each key, by what the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asks {
    /// PEXPIRETIME (7.0 and later), else PTTL.
    has_expiretime: bool,
    /// The server's policy counts uses.
    is_lfu: bool,
    /// The server's policy looks at when a key was used last.
    is_lru: bool,
}

/// One shard, under way.
pub(super) struct Keywise {
    node: Node,
    source: Source,
    shard: usize,
    now_ms: fn() -> u64,
    asks: Asks,
    /// Databases that are left, with their keys.
    databases: VecDeque<(u64, u64)>,
    /// The database whose keys are fetched.
    db: u64,
    /// Where SCAN goes on in it; none at its end.
    cursor: Option<String>,
    /// Keys that were named and not fetched yet.
    named: VecDeque<Vec<u8>>,
    seen: HashSet<u64>,
    /// Bytes of a value, in the latest flight.
    mean: usize,
    writer: Option<Writer>,
    is_over: bool,
}

/// What came of one flight.
pub(super) struct Flight {
    /// The next bytes of the RDB.
    pub rdb: Vec<u8>,
    /// How many bytes came over the wire.
    pub bytes: usize,
}

impl Keywise {
    /// Connects, and asks what there is. A replica answers for its master's slots only when it is told that
    /// old data will do. `shard` counts from 1.
    pub(super) async fn open(
        access: &Access,
        source: &Source,
        shard: usize,
        now_ms: fn() -> u64,
    ) -> Result<Keywise, Trouble> {
        let opened = open(access, source).await;
        let (node, info) = opened.map_err(|error| Trouble::Source { shard, error })?;
        let databases = info.databases().map(|(db, keys, _)| (u64::from(db), keys));
        Ok(Keywise {
            node,
            source: source.clone(),
            shard,
            now_ms,
            asks: asks(&info),
            databases: databases.collect(),
            db: 0,
            cursor: None,
            named: VecDeque::new(),
            seen: HashSet::new(),
            mean: 0,
            writer: None,
            is_over: false,
        })
    }

    /// How many keys there are, by the server's own count.
    pub(super) fn keys(&self) -> u64 {
        self.databases.iter().map(|(_, keys)| keys).sum()
    }

    /// The next bytes of the RDB; `None` after its end.
    pub(super) async fn next(&mut self) -> Result<Option<Flight>, Trouble> {
        loop {
            if !self.named.is_empty() {
                return self.fetch().await.map(Some);
            }
            match self.cursor.take() {
                Some(cursor) => self.list(&cursor).await?,
                None => match self.databases.pop_front() {
                    Some((db, _)) => self.begin(db).await?,
                    None if self.is_over => return Ok(None),
                    None => {
                        self.is_over = true;
                        return Ok(Some(Flight {
                            rdb: self.end(),
                            bytes: 0,
                        }));
                    }
                },
            }
        }
    }

    async fn begin(&mut self, db: u64) -> Result<(), Trouble> {
        if db != 0 {
            let select = Command::words("SELECT").arg(db.to_string());
            let selected = self.node.ask(&select).await;
            selected.map_err(|error| self.failed(error))?;
        }
        self.seen.clear();
        self.db = db;
        self.cursor = Some("0".to_owned());
        Ok(())
    }

    /// One SCAN. At the end of the database there is no cursor any more.
    async fn list(&mut self, cursor: &str) -> Result<(), Trouble> {
        let scan = Command::words("SCAN")
            .arg(cursor)
            .arg("COUNT")
            .arg(NAMED.to_string());
        let reply = self.node.ask(&scan).await;
        let reply = reply.map_err(|error| self.failed(error))?;
        let [next, keys] = reply.list() else {
            return Err(self.failed(NodeError::BadReply {
                addr: self.source.addr.clone(),
                to: "SCAN",
                why: "it has no cursor".to_owned(),
            }));
        };
        self.named = fresh(&mut self.seen, keys.list());
        let next = next.text().unwrap_or_default();
        self.cursor = Some(next).filter(|next| next != "0" && !next.is_empty());
        Ok(())
    }

    /// Fetches some keys, then leaves the server alone.
    async fn fetch(&mut self) -> Result<Flight, Trouble> {
        let count = (FLIGHT_BYTES / self.mean.max(1)).clamp(1, FLIGHT);
        let keys: Vec<Vec<u8>> = self.named.drain(..count.min(self.named.len())).collect();
        let began = Instant::now();
        let asks = self.asks;
        let commands: Vec<Command> = keys.iter().flat_map(|key| asks.commands(key)).collect();
        let replies = self.node.ask_all(&commands).await;
        let replies = replies.map_err(|error| self.failed(error))?;
        let took = began.elapsed();
        let mut bytes = 0;
        for (key, replies) in keys.iter().zip(replies.chunks(asks.count())) {
            bytes += self.entry(key, replies)?;
        }
        self.mean = bytes / keys.len().max(1);
        let began = Instant::now();
        let ping = self.node.say("PING").await;
        ping.map_err(|error| self.failed(error))?;
        sleep(pause(took, began.elapsed())).await;
        let rdb = self.writer.as_mut().map(Writer::take).unwrap_or_default();
        Ok(Flight { rdb, bytes })
    }

    /// Writes a key; gives the bytes of its value. One that is gone by now is none.
    fn entry(
        &mut self,
        key: &[u8],
        replies: &[Result<Reply, NodeError>],
    ) -> Result<usize, Trouble> {
        let reply = |n: usize| match replies.get(n) {
            Some(Ok(reply)) => Ok(reply.clone()),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Reply::Nil),
        };
        let refused = |said: String| {
            self.failed(NodeError::Server {
                addr: self.source.addr.clone(),
                said,
            })
        };
        let Reply::Bytes(dump) = reply(0).map_err(refused)? else {
            return Ok(0);
        };
        let expires = reply(1).map_err(refused)?.integer().unwrap_or(-1);
        if expires == -2 {
            return Ok(0);
        }
        let used = reply(2).ok().and_then(|reply| reply.integer());
        let payload = Payload::parse(&dump).map_err(|error| self.unreadable(error))?;
        let asks = self.asks;
        let entry = Entry {
            dialect: payload.dialect,
            db: self.db,
            key,
            kind: payload.kind,
            value: payload.value,
            meta: payload.meta,
            expires_ms: asks.expires(expires, (self.now_ms)()),
            freq: used
                .filter(|_| asks.is_lfu)
                .and_then(|used| u8::try_from(used).ok()),
            idle_s: used
                .filter(|_| asks.is_lru)
                .and_then(|used| u64::try_from(used).ok()),
            range: 0..0,
        };
        let writer = (self.writer).get_or_insert_with(|| Writer::new(entry.dialect));
        let written = writer.entry(&entry);
        written.map_err(|error| self.unreadable(error))?;
        Ok(dump.len())
    }

    fn end(&mut self) -> Vec<u8> {
        // What an empty shard would be written in does not matter; every server reads this.
        let writer = self.writer.take();
        writer
            .unwrap_or_else(|| Writer::new(Dialect::redis(9)))
            .finish()
    }

    fn failed(&self, error: NodeError) -> Trouble {
        Trouble::Source {
            shard: self.shard,
            error,
        }
    }

    fn unreadable(&self, error: RdbError) -> Trouble {
        Trouble::Sent {
            shard: self.shard,
            addr: self.source.addr.clone(),
            error,
        }
    }
}

async fn open(access: &Access, source: &Source) -> Result<(Node, Info), NodeError> {
    let node = Node::connect(access, &source.addr).await?;
    node.allow(LARGEST);
    if source.node != source.master {
        node.say("READONLY").await?;
    }
    let info = node.say("INFO").await?;
    Ok((node, Info::parse(&info.text().unwrap_or_default())))
}

/// Those that were not named before.
fn fresh(seen: &mut HashSet<u64>, keys: &[Reply]) -> VecDeque<Vec<u8>> {
    let bytes = keys.iter().filter_map(|key| match key {
        Reply::Bytes(bytes) => Some(bytes.clone()),
        Reply::Integer(number) => Some(number.to_string().into_bytes()),
        _ => None,
    });
    bytes
        .filter(|key| seen.insert(xxhash_rust::xxh3::xxh3_64(key)))
        .collect()
}

impl Asks {
    fn count(self) -> usize {
        if self.is_lfu || self.is_lru { 3 } else { 2 }
    }

    fn commands(self, key: &[u8]) -> Vec<Command> {
        let expiry = if self.has_expiretime {
            "PEXPIRETIME"
        } else {
            "PTTL"
        };
        let mut commands = vec![
            Command::words("DUMP").arg(key),
            Command::words(expiry).arg(key),
        ];
        if self.is_lfu {
            commands.push(Command::words("OBJECT FREQ").arg(key));
        } else if self.is_lru {
            commands.push(Command::words("OBJECT IDLETIME").arg(key));
        }
        commands
    }

    /// When a key expires, of what the server answered: negative is never.
    fn expires(self, answer: i64, now_ms: u64) -> Option<i64> {
        let begins = if self.has_expiretime {
            0
        } else {
            i64::try_from(now_ms).ok()?
        };
        (answer >= 0).then(|| begins + answer)
    }
}

fn asks(info: &Info) -> Asks {
    let policy = info.get("maxmemory_policy").unwrap_or_default();
    Asks {
        // Valkey counts on from Redis 7.2.
        has_expiretime: info.version().is_none_or(|version| version.0 >= 7),
        is_lfu: policy.contains("lfu"),
        is_lru: policy.contains("lru"),
    }
}

/// How long the server is left alone after a flight that took so long, when a PING takes so long.
fn pause(took: Duration, ping: Duration) -> Duration {
    let factor = if ping > SLOW { 4 } else { 1 };
    (took * factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_asked_what_it_knows() {
        let of = |text: &str| asks(&Info::parse(text));
        let old = of("redis_version:6.2.5\nmaxmemory_policy:noeviction\n");
        assert_eq!((old.has_expiretime, old.count()), (false, 2));
        assert_eq!(old.expires(500, 1_000_000), Some(1_000_500));
        assert_eq!(old.expires(-1, 1_000_000), None);
        let lfu = of("redis_version:7.0.15\nmaxmemory_policy:allkeys-lfu\n");
        assert_eq!(
            (lfu.has_expiretime, lfu.is_lfu, lfu.count()),
            (true, true, 3)
        );
        assert_eq!(lfu.expires(1_700_000_000_000, 5), Some(1_700_000_000_000));
    }

    #[test]
    fn a_slow_server_is_left_alone_for_longer() {
        let ms = Duration::from_millis;
        assert_eq!(pause(ms(3), ms(1)), ms(3));
        assert_eq!(pause(ms(3), ms(6)), ms(12));
        assert_eq!(pause(ms(3000), ms(6)), LONGEST_PAUSE);
    }
}
