//! The way for services that keep replication to themselves: keys are listed by SCAN and fetched by
//! DUMP, a few at a time, and written as the RDB that a server would have sent.
//!
//! It is no snapshot: what changes meanwhile is caught early or late, a key that is renamed may be
//! missed. SCAN may name a key twice, which no RDB may hold, so what was seen is remembered (16 bytes a
//! key). All of it runs on the server's main thread; after each flight it is left alone for as long as
//! the flight took, longer when it answers slowly.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::base::{Contents, Cutter};
use super::gauge::Stage;
use super::puts::Puts;
use super::shard::Shared;
use super::sources::Source;
use super::trouble::Trouble;
use crate::archive::{Chunk, Kind};
use crate::cluster::{Command, Node, NodeError, Reply};
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

/// One shard, key by key.
pub(super) struct Scan {
    pub shared: Arc<Shared>,
    pub shard: usize,
    pub source: Source,
}

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

/// A shard's RDB under construction.
struct Made {
    cutter: Cutter,
    writer: Option<Writer>,
    seen: HashSet<u64>,
    /// Bytes of a value, in the latest flight.
    mean: usize,
}

impl Scan {
    pub(super) async fn run(self) -> Result<(Contents, Vec<Chunk>), Trouble> {
        let gauge = &self.shared.gauges.shards[self.shard];
        gauge.stage(Stage::Base);
        let node = self.open().await.map_err(|error| self.failed(error))?;
        let info = node.say("INFO").await.map_err(|error| self.failed(error))?;
        let info = Info::parse(&info.text().unwrap_or_default());
        let mut made = Made {
            cutter: Cutter::new(self.shared.size).sharing(&self.shared.buffers),
            writer: None,
            seen: HashSet::new(),
            mean: 0,
        };
        let mut puts = Puts::new(&self.shared, self.shard, Kind::base(), &self.shared.packing);
        for (db, keys, _) in info.databases() {
            made.cutter.announce(keys);
            self.database(&node, u64::from(db), asks(&info), &mut made, &mut puts)
                .await?;
        }
        let last = made.end().map_err(|error| self.unreadable(error))?;
        let (pieces, contents) = last;
        for piece in pieces {
            puts.put(piece).await?;
        }
        gauge.stage(Stage::Done);
        Ok((contents, puts.all().await?))
    }

    /// A replica answers for its master's slots only when it is told that old data will do.
    async fn open(&self) -> Result<Node, NodeError> {
        let node = Node::connect(&self.shared.access, &self.source.addr).await?;
        node.allow(LARGEST);
        if self.source.node != self.source.master {
            node.say("READONLY").await?;
        }
        Ok(node)
    }

    async fn database(
        &self,
        node: &Node,
        db: u64,
        asks: Asks,
        made: &mut Made,
        puts: &mut Puts,
    ) -> Result<(), Trouble> {
        if db != 0 {
            let select = Command::words("SELECT").arg(db.to_string());
            node.ask(&select)
                .await
                .map_err(|error| self.failed(error))?;
        }
        made.seen.clear();
        let mut cursor = "0".to_owned();
        loop {
            let scan = Command::words("SCAN")
                .arg(&cursor)
                .arg("COUNT")
                .arg(NAMED.to_string());
            let reply = node.ask(&scan).await.map_err(|error| self.failed(error))?;
            let [next, keys] = reply.list() else {
                return Err(self.failed(NodeError::BadReply {
                    addr: self.source.addr.clone(),
                    to: "SCAN",
                    why: "it has no cursor".to_owned(),
                }));
            };
            let fresh = made.fresh(keys.list());
            let mut left = fresh.as_slice();
            while !left.is_empty() {
                let (keys, rest) = left.split_at(made.flight().min(left.len()));
                left = rest;
                self.flight(node, db, asks, keys, made).await?;
                while let Some(piece) = made.cutter.piece() {
                    puts.put(piece).await?;
                }
            }
            cursor = next.text().unwrap_or_default();
            if cursor == "0" || cursor.is_empty() {
                return Ok(());
            }
        }
    }

    /// Fetches some keys, then leaves the server alone.
    async fn flight(
        &self,
        node: &Node,
        db: u64,
        asks: Asks,
        keys: &[Vec<u8>],
        made: &mut Made,
    ) -> Result<(), Trouble> {
        let began = Instant::now();
        let commands: Vec<Command> = keys.iter().flat_map(|key| asks.commands(key)).collect();
        let replies = node
            .ask_all(&commands)
            .await
            .map_err(|error| self.failed(error))?;
        let took = began.elapsed();
        let now_ms = (self.shared.now_ms)();
        let mut all = 0;
        for (key, replies) in keys.iter().zip(replies.chunks(asks.count())) {
            let bytes = self.entry(db, asks, key, replies, made, now_ms)?;
            self.shared.rate.take(bytes).await;
            self.shared.gauges.shards[self.shard].base(bytes, made.cutter.keys());
            all += bytes;
        }
        made.mean = all / keys.len().max(1);
        let began = Instant::now();
        node.say("PING").await.map_err(|error| self.failed(error))?;
        sleep(pause(took, began.elapsed())).await;
        Ok(())
    }

    /// Writes a key; gives the bytes of its value. One that is gone by now is none.
    fn entry(
        &self,
        db: u64,
        asks: Asks,
        key: &[u8],
        replies: &[Result<Reply, NodeError>],
        made: &mut Made,
        now_ms: u64,
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
        let entry = Entry {
            dialect: payload.dialect,
            db,
            key,
            kind: payload.kind,
            value: payload.value,
            meta: payload.meta,
            expires_ms: asks.expires(expires, now_ms),
            freq: used
                .filter(|_| asks.is_lfu)
                .and_then(|used| u8::try_from(used).ok()),
            idle_s: used
                .filter(|_| asks.is_lru)
                .and_then(|used| u64::try_from(used).ok()),
            range: 0..0,
        };
        made.write(&entry).map_err(|error| self.unreadable(error))?;
        Ok(dump.len())
    }

    fn failed(&self, error: NodeError) -> Trouble {
        Trouble::Source {
            shard: self.shard + 1,
            error,
        }
    }

    fn unreadable(&self, error: RdbError) -> Trouble {
        Trouble::Sent {
            shard: self.shard + 1,
            addr: self.source.addr.clone(),
            error,
        }
    }
}

impl Made {
    /// How many keys are fetched next, by what the last ones were.
    fn flight(&self) -> usize {
        (FLIGHT_BYTES / self.mean.max(1)).clamp(1, FLIGHT)
    }

    /// Those that were not named before.
    fn fresh(&mut self, keys: &[Reply]) -> Vec<Vec<u8>> {
        let bytes = keys.iter().filter_map(|key| match key {
            Reply::Bytes(bytes) => Some(bytes.clone()),
            Reply::Integer(number) => Some(number.to_string().into_bytes()),
            _ => None,
        });
        bytes
            .filter(|key| self.seen.insert(xxhash_rust::xxh3::xxh3_64(key)))
            .collect()
    }

    fn write(&mut self, entry: &Entry<'_>) -> Result<(), RdbError> {
        let writer = self
            .writer
            .get_or_insert_with(|| Writer::new(entry.dialect));
        writer.entry(entry)?;
        self.cutter.push(&writer.take())
    }

    fn end(mut self) -> Result<(Vec<super::base::RawPiece>, Contents), RdbError> {
        // What an empty shard would be written in does not matter; every server reads this.
        let writer = self
            .writer
            .take()
            .unwrap_or_else(|| Writer::new(Dialect::redis(9)));
        self.cutter.push(&writer.finish())?;
        self.cutter.finish()
    }
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
