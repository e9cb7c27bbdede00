//! Snapshots that are there: listed, proven, pruned, copied, compared, exported, imported. They are made
//! of files that a real server saved, cut and packed as a backup does it.

mod boot;
mod copy;
mod diff;
mod export;
mod import;
mod list;
mod live;
mod prune;
mod runbook;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use goodcache::archive::{
    Access, Consistency, Cost, Creation, FORMAT, Held, Kind, Manifest, More, Repository, Run,
    Server as Version, Shard, SnapshotId, Span, Writer,
};
use goodcache::model::{Secret, SlotSet};
use goodcache::ops::backup::{Cutter, LogCutter, PieceSize};
use tempfile::TempDir;

use crate::support::{Home, Outcome, Server, Spec};

pub const DAY_MS: u64 = 24 * 3_600_000;
pub const PASSPHRASE: &str = "pl4nted-passphrase";

/// The commands after the base, as a replication link brings them.
const LOG: [&str; 2] = [
    "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$3\r\nnew\r\n$1\r\n1\r\n",
    "*2\r\n$3\r\nDEL\r\n$5\r\nkey:1\r\n",
];

pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

pub fn run() -> Run {
    Run {
        started_at_ms: now_ms(),
        host: "here".to_owned(),
        pid: std::process::id(),
    }
}

/// A server whose data is to be saved; it needs no slots.
pub fn server() -> Server {
    Server::start_with(Spec::with_args(&["--cluster-enabled", "no"]))
}

/// What the server holds, as SAVE writes it.
pub fn dump(server: &Server) -> Vec<u8> {
    assert_eq!(server.cli(&["SAVE"]).trim(), "OK");
    fs::read(server.dir().join("dump.rdb")).unwrap()
}

/// Keys of all types, some that expire, and bytes that are no text.
pub fn fill(server: &Server, prefix: &str, keys: u32) {
    let script = format!(
        "for i = 1, {keys} do
            local n = '{prefix}:' .. i
            redis.call('SET', n, string.rep('v' .. i, 40))
            if i % 5 == 0 then redis.call('PEXPIREAT', n, 4102444800000 + i) end
            if i % 20 == 0 then
                redis.call('HSET', n .. ':h', 'a', i, 'b', '\\255\\0')
                redis.call('RPUSH', n .. ':l', 1, 'two', i)
                redis.call('SADD', n .. ':s', 1, 2, i)
                redis.call('ZADD', n .. ':z', 1.5, 'x', i, 'y')
                redis.call('XADD', n .. ':x', i .. '-1', 'f', 'v')
            end
        end
        redis.call('SET', '\\255{prefix}', 'binary')"
    );
    server.cli(&["EVAL", &script, "0"]);
}

/// Two dumps of a hundred keys and more.
pub fn dumps() -> [Vec<u8>; 2] {
    let server = server();
    fill(&server, "key", 600);
    let first = dump(&server);
    server.cli(&["FLUSHALL"]);
    fill(&server, "other", 300);
    [first, dump(&server)]
}

/// A repository in a folder of its own.
pub struct Repo {
    pub home: Home,
    folder: TempDir,
    pub passphrase: Option<&'static str>,
}

impl Repo {
    pub fn new(passphrase: Option<&'static str>) -> Repo {
        Repo {
            home: Home::new(),
            folder: TempDir::new().unwrap(),
            passphrase,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    pub fn url(&self) -> String {
        self.path().display().to_string()
    }

    pub fn access(&self) -> Access {
        Access {
            url: self.url(),
            passphrase: self.passphrase.map(Secret::new),
            ..Access::default()
        }
    }

    pub async fn open(&self) -> Repository {
        open_or_make(&self.access()).await
    }

    /// `goodcache backup ...` on it.
    pub fn backup(&self, args: &[&str]) -> Outcome {
        let url = self.url();
        let mut all = vec!["backup", "--repo", &url];
        all.extend(args);
        let mut run = self.home.goodcache(&all);
        if let Some(passphrase) = self.passphrase {
            run = run.env("GOODCACHE_PASSPHRASE", passphrase);
        }
        run.run()
    }

    /// The file of an object of a snapshot, such as `00/base-000001`.
    pub fn object(&self, id: &SnapshotId, name: &str) -> PathBuf {
        self.path().join(format!("data/{id}/{name}"))
    }
}

pub async fn open_or_make(access: &Access) -> Repository {
    let creation = Creation {
        protection: None,
        cost: Cost {
            memory_kib: 64,
            passes: 1,
        },
        now_ms: now_ms(),
        ..Creation::default()
    };
    Repository::create_or_open(access, &creation).await.unwrap()
}

/// A snapshot of those dumps, each a shard, of that moment.
pub async fn take(repository: &Repository, at_ms: u64, dumps: &[Vec<u8>]) -> SnapshotId {
    take_with(repository, at_ms, dumps, |_| {}).await
}

/// The same, with the manifest changed before it is written.
pub async fn take_with(
    repository: &Repository,
    at_ms: u64,
    dumps: &[Vec<u8>],
    change: impl FnOnce(&mut Manifest),
) -> SnapshotId {
    let id = repository.name_snapshot(at_ms).unwrap();
    let writer = repository.begin(id.clone(), &run()).await.unwrap();
    let mut shards = Vec::new();
    for (index, dump) in (0..).zip(dumps) {
        shards.push(shard(&writer, index, dump).await);
    }
    let mut manifest = manifest(id.clone(), at_ms, shards);
    change(&mut manifest);
    writer.finish(&manifest).await.unwrap();
    id
}

async fn shard(writer: &Writer, index: u32, dump: &[u8]) -> Shard {
    let mut cutter = Cutter::new(PieceSize {
        wanted: 8 << 10,
        most: 16 << 10,
    });
    for bytes in dump.chunks(1000) {
        cutter.push(bytes).unwrap();
    }
    let mut pieces: Vec<_> = std::iter::from_fn(|| cutter.piece()).collect();
    let (rest, mut contents) = cutter.finish().unwrap();
    pieces.extend(rest);
    assert!(pieces.len() > 1, "only {} pieces", pieces.len());
    let mut base = Vec::new();
    for piece in pieces {
        let (seq, held) = (piece.seq, piece.held);
        let put = writer.put(Some(index), Kind::base(), seq, piece.raw, held);
        base.push(put.await.unwrap());
    }
    let (mut log, mut at) = (Vec::new(), 1000);
    let mut logged = LogCutter::new(at, 1 << 20);
    for (seq, (text, entries)) in (0..).zip(LOG.iter().zip([2, 1])) {
        let span = Span {
            first_offset: at,
            last_offset: at + text.len() as u64,
            first_ms: 1,
            last_ms: 2,
        };
        at = span.last_offset;
        logged.push(text.as_bytes(), 2).unwrap();
        let held = Held {
            entries,
            span: Some(span),
            ..Held::default()
        };
        let put = writer.put(Some(index), Kind::log(), seq, text.as_bytes(), held);
        log.push(put.await.unwrap());
    }
    logged.finish().1.mark(&mut contents.table);
    let table = writer.put_slot_table(index, &contents.table).await.unwrap();
    Shard {
        slots: SlotSet::full(),
        shard_id: None,
        nodes: Vec::new(),
        read_from: None,
        replid: None,
        base_offset: 1000,
        cut_offset: at,
        rdb: contents.rdb,
        base,
        log,
        slot_table: Some(table),
        keys: contents.keys,
        expires: contents.expires,
        more: More::new(),
    }
}

fn manifest(id: SnapshotId, at_ms: u64, shards: Vec<Shard>) -> Manifest {
    Manifest {
        format: FORMAT,
        id,
        goodcache: "0.1.0".to_owned(),
        cluster: "goodbooks".to_owned(),
        taken_at_ms: at_ms,
        took_ms: 1234,
        consistency: Consistency::Barrier,
        write_stall_us: Some(780),
        servers: vec![Version {
            vendor: "redis".to_owned(),
            version: "7.0.15".to_owned(),
            nodes: 2,
        }],
        shards,
        parts: Vec::new(),
        modules: BTreeMap::new(),
        config: BTreeMap::new(),
        labels: BTreeMap::new(),
        more: More::new(),
    }
}

/// Changes a byte in the middle of a file.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}
