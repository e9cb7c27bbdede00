//! `goodcache backup` on real servers: what it takes is whole and of one moment, and whatever happens
//! on the way, the cluster is left as it was and the repository stays valid.

mod cut;
mod every;
mod faults;
mod follow;
mod killed;
mod load;
mod matrix;
mod secrets;
mod store;
mod whole;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::TryStreamExt;
use goodcache::archive::{Access, Manifest, Repository, SlotRow, Stretch};
use goodcache::model::Secret;
use goodcache::ops::backup::{Contents, Cutter, PieceSize};
use goodcache::rdb::{LogReader, Reader, Step};

use crate::load::goodbooks::{Books, Load, fill};
use crate::support::{Fleet, Goodcache, Home, Outcome, Server, eventually, signal, until};

const LIMIT: Duration = Duration::from_secs(60);
const DELAY: &str = "repl-diskless-sync-delay";
const COMPRESSION: &str = "rdbcompression";

/// A cluster with a home for goodcache and a repository in it.
struct Stage {
    home: Home,
    fleet: Fleet,
    masters: usize,
}

impl Stage {
    fn of(masters: usize, replicas: usize) -> Stage {
        Stage::with(Fleet::cluster(masters, replicas), masters)
    }

    /// With the servers' own sync delay, whatever was set to join them.
    fn with(fleet: Fleet, masters: usize) -> Stage {
        let stage = Stage {
            home: Home::new(),
            fleet,
            masters,
        };
        stage.set(DELAY, "5");
        stage
    }

    fn set(&self, setting: &str, value: &str) {
        for server in self.fleet.iter() {
            server.cli(&["CONFIG", "SET", setting, value]);
        }
    }

    fn setting(&self, server: &Server, setting: &str) -> String {
        let told = server.cli(&["CONFIG", "GET", setting]);
        told.lines().last().unwrap_or_default().to_owned()
    }

    /// Data of every type, some hundred keys.
    fn fill(&self, password: Option<&str>) -> u64 {
        let books = Books::excerpt();
        let load = Load {
            books: &books,
            scale: 0.0005,
            seed: 1,
            now: 4_000_000_000,
        };
        fill(&self.fleet[0].addr(), password, &load).unwrap().keys()
    }

    /// That many small keys on each master, so that a base can be made to take its time.
    fn sow(&self, each: usize) {
        for server in self.fleet.iter().take(self.masters) {
            let mut wire = server.connect().unwrap();
            let mut stored = 0;
            for n in 0.. {
                let reply = wire.ask(&["SET", &format!("seed:{n}"), "v"]).unwrap();
                stored += usize::from(reply.text().is_ok());
                if stored == each {
                    break;
                }
            }
        }
    }

    /// Each key takes so long in every base that begins from now on.
    fn slow(&self, per_key: Duration) {
        self.set("rdb-key-save-delay", &per_key.as_micros().to_string());
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("repository")
    }

    fn backup(&self, args: &[&str]) -> Goodcache {
        self.backup_to(&self.folder().display().to_string(), args)
    }

    fn backup_to(&self, url: &str, args: &[&str]) -> Goodcache {
        let addr = self.fleet[0].addr();
        let mut words = vec!["backup", &addr, "--repo", url, "-o", "json"];
        words.extend(args);
        self.home.goodcache(&words).within(LIMIT)
    }

    fn repository(&self) -> Repository {
        open(&self.folder(), None)
    }

    /// The snapshot that a run says it took, proven.
    #[track_caller]
    fn proven(&self, outcome: &Outcome) -> Snapshot {
        let id = snapshot(outcome)["id"].as_str().unwrap().to_owned();
        prove(&self.repository(), &id)
    }

    /// What a capture changes on its way is as before, and nobody's writes stand still.
    #[track_caller]
    fn expect_as_before(&self) {
        for server in self.fleet.iter() {
            for (setting, usual) in [(DELAY, "5"), (COMPRESSION, "yes")] {
                assert_eq!(self.setting(server, setting), usual, "{}", server.addr());
            }
        }
        self.expect_no_pause();
    }

    #[track_caller]
    fn expect_no_pause(&self) {
        for server in self.fleet.iter().take(self.masters) {
            let begun = std::time::Instant::now();
            // Moved or not: a pause holds up either answer.
            server.ask(&["SET", "seed:0", "v"]).unwrap();
            assert!(begun.elapsed() < Duration::from_millis(1500));
        }
    }

    /// The master that has the key.
    fn owner(&self, key: &str) -> &Server {
        self.fleet
            .iter()
            .take(self.masters)
            .find(|server| server.ask(&["SET", key, "0"]).unwrap().text().is_ok())
            .unwrap()
    }

    /// Waits until a server has begun a base, and stops the child that writes it. The base must take
    /// long enough for that.
    fn hold_base(&self) -> Held {
        let (server, child) = eventually("a base begins", LIMIT, || {
            let of = |server: &Server| children_of(server.pid()).first().copied();
            let servers = self.fleet.iter().enumerate();
            servers
                .filter_map(|(n, server)| Some((n, of(server)?)))
                .next()
        });
        signal(child, "STOP");
        Held { server, child }
    }

    /// Counts in two shards in turn, each step only when the one before was acknowledged.
    fn count(&self) -> Counting {
        let mut wires = (
            self.owner("a").connect().unwrap(),
            self.owner("b").connect().unwrap(),
        );
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let writer = std::thread::spawn(move || {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                wires.0.ask(&["INCR", "a"]).unwrap().text().unwrap();
                wires.1.ask(&["INCR", "b"]).unwrap().text().unwrap();
                count += 1;
            }
            count
        });
        Counting { over, writer }
    }
}

/// A writer under way.
struct Counting {
    over: Arc<AtomicBool>,
    writer: JoinHandle<u64>,
}

impl Counting {
    /// Ends it; gives how far it came. A lost connection or an error is a failed test.
    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.writer.join().unwrap()
    }
}

/// A base that goes no further; dropped, it does.
struct Held {
    server: usize,
    child: u32,
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = std::process::Command::new("sh")
            .args(["-c", &format!("kill -CONT {} 2>/dev/null", self.child)])
            .status();
    }
}

/// The processes that a process has started.
fn children_of(pid: u32) -> Vec<u32> {
    let parent_of = |stat: String| -> Option<u32> {
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.split(' ').nth(1)?.parse().ok()
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    pids.filter(|child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat"));
        stat.ok().and_then(parent_of) == Some(pid)
    })
    .collect()
}

fn snapshot(outcome: &Outcome) -> serde_json::Value {
    outcome.json()["report"]["snapshot"].clone()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

fn open(folder: &Path, passphrase: Option<&str>) -> Repository {
    let access = Access {
        url: folder.display().to_string(),
        passphrase: passphrase.map(Secret::new),
        ..Access::default()
    };
    run(Repository::open(&access)).unwrap()
}

/// A snapshot that was read again.
struct Snapshot {
    manifest: Manifest,
    repository: Repository,
    shards: Vec<Walked>,
}

/// One shard of it.
struct Walked {
    base: Vec<u8>,
    log: Vec<u8>,
    contents: Contents,
}

/// Reads all of it and compares it with what its manifest and its tables say.
#[track_caller]
fn prove(repository: &Repository, id: &str) -> Snapshot {
    run(async {
        let manifest = repository.manifest(id).await.unwrap();
        let verified = repository.verify_objects(&manifest.id, true).await.unwrap();
        assert_eq!((verified.faults, verified.strays), (vec![], vec![]));
        let mut shards = Vec::new();
        for number in 0..manifest.shards.len() {
            shards.push(walk(repository, &manifest, number).await);
        }
        Snapshot {
            manifest,
            repository: repository.clone(),
            shards,
        }
    })
}

async fn walk(repository: &Repository, manifest: &Manifest, number: usize) -> Walked {
    let shard = &manifest.shards[number];
    let base = bytes(repository, manifest, number, Stretch::Base).await;
    let mut cutter = Cutter::new(PieceSize::for_shards(manifest.shards.len()));
    cutter.push(&base).unwrap();
    let (_, contents) = cutter.finish().unwrap();
    assert_eq!(
        (contents.keys, contents.expires),
        (shard.keys, shard.expires)
    );
    assert_eq!(contents.rdb, shard.rdb);
    let offset = contents.aux.get("repl-offset").unwrap();
    assert_eq!(*offset, shard.base_offset.to_string());
    let table = repository.slot_table(manifest, number).await.unwrap();
    let stored = table.unwrap().rows.into_iter();
    let stored: Vec<SlotRow> = stored.filter(|row| row.keys > 0).map(essence).collect();
    let walked = contents.table.rows.iter().cloned().map(essence);
    assert_eq!(walked.collect::<Vec<_>>(), stored);
    assert!(stored.iter().all(|row| shard.slots.contains(row.slot)));
    let log = bytes(repository, manifest, number, Stretch::Log).await;
    assert_eq!(shard.base_offset + log.len() as u64, shard.cut_offset);
    Walked {
        base,
        log,
        contents,
    }
}

/// Without where it lies, and without what came later.
fn essence(row: SlotRow) -> SlotRow {
    SlotRow {
        chunks: (0, 0),
        logged: 0,
        ..row
    }
}

async fn bytes(
    repository: &Repository,
    manifest: &Manifest,
    number: usize,
    stretch: Stretch,
) -> Vec<u8> {
    let pieces = repository.pieces(manifest, number, stretch, None, 2);
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    pieces.into_iter().flat_map(|piece| piece.raw).collect()
}

impl Snapshot {
    fn keys(&self) -> u64 {
        self.manifest.keys()
    }

    /// A key that counts, as it is at the cut.
    fn counter(&self, key: &str) -> i64 {
        let slot = goodcache::model::Slot::of_key(key.as_bytes());
        let shards = self.manifest.shards.iter();
        let number = shards
            .take_while(|shard| !shard.slots.contains(slot))
            .count();
        let walked = &self.shards[number];
        value(&walked.base, key.as_bytes()) + walked.increments(key.as_bytes())
    }

    fn parts(&self, kind: &str) -> Vec<Vec<u8>> {
        let kind = goodcache::archive::Kind::new(kind).unwrap();
        run(self.repository.parts(&self.manifest, &kind)).unwrap()
    }
}

impl Walked {
    fn increments(&self, key: &[u8]) -> i64 {
        let mut reader = LogReader::new(0);
        reader.push(&self.log);
        let mut found = 0;
        while let Some(command) = reader.step().unwrap() {
            let is_one = command.name() == "incr" && command.words[1] == key;
            found += i64::from(is_one);
        }
        found
    }
}

/// The number that a string holds in a base.
fn value(base: &[u8], key: &[u8]) -> i64 {
    let mut reader = Reader::new();
    reader.push(base);
    while let Step::Item(item) = reader.step().unwrap() {
        let goodcache::rdb::Item::Entry(entry) = item else {
            continue;
        };
        if entry.key != key {
            continue;
        }
        let value = entry.value;
        return match value[0] {
            0xc0 => i64::from(value[1] as i8),
            0xc1 => i64::from(i16::from_le_bytes([value[1], value[2]])),
            0xc2 => i64::from(i32::from_le_bytes([value[1], value[2], value[3], value[4]])),
            _ => std::str::from_utf8(&value[1..]).unwrap().parse().unwrap(),
        };
    }
    panic!("{} is not in the base", String::from_utf8_lossy(key));
}
