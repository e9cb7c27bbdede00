//! Plain RDB files into the repository, each as a shard of one snapshot: a node's dump.rdb, what a
//! managed service exports, the folder that `redis-cli --cluster backup` leaves.
//!
//! A file is packed while it is read for the first time, entry by entry up to its checksum; the manifest
//! comes only when all were read to their ends. Files of different moments are no snapshot.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::list::Snapshot;
use super::nodes_json::{self, Known};
use crate::archive::{
    ArchiveError, Consistency, FORMAT, Held, Kind, Manifest, More, Part, Repository, Run, Server,
    Shard, SnapshotId, Writer,
};
use crate::model::{Event, Events, SlotSet};
use crate::ops::backup::base::{Contents, Cutter, PieceSize, RawPiece};
use crate::rdb::{RdbError, function_payload};

/// Read at a time.
const STEP: usize = 1 << 20;

/// A file to take in.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written last, ms since the epoch.
    pub written_ms: u64,
    known: Option<Known>,
}

/// What was taken in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// The snapshot that became of it, in short.
    pub snapshot: Snapshot,
    /// The files, in the order of the shards.
    pub files: Vec<Imported>,
    /// Slots that more than one file has keys of.
    pub shared_slots: SlotSet,
}

impl ImportReport {
    /// The snapshot that became of it.
    pub fn id(&self) -> &SnapshotId {
        &self.snapshot.id
    }
}

/// A file that is in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// As which shard, from 1.
    pub shard: usize,
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Its keys.
    pub keys: u64,
    /// Its magic, such as `REDIS0010`.
    pub rdb: String,
    /// The server that wrote it, as far as it says.
    pub server: Option<String>,
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The repository.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be read.
    #[error("could not read {}: {why}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// A file is no whole RDB file.
    #[error("{} cannot be taken in: {why}", path.display())]
    Rdb {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        why: RdbError,
    },
    /// A folder has none.
    #[error("there is no *.rdb file in {}", path.display())]
    NoFiles {
        /// Which.
        path: PathBuf,
    },
}

/// The files that the paths mean: those named, and those in folders that were named; masters of a known
/// layout in the order of their slots.
///
/// # Errors
/// When one is not there, or a folder has none.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, ImportError> {
    let mut found = Vec::new();
    for path in paths {
        let (files, known) = match path.is_dir() {
            true => in_folder(path)?,
            false => (vec![path.clone()], Vec::new()),
        };
        for file in files {
            let known = nodes_json::of_file(&known, &file).cloned();
            found.push(source(file, known)?);
        }
    }
    found.sort_by_key(|source| {
        let known = source.known.as_ref();
        known.and_then(|known| known.slots.iter().next())
    });
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<(Vec<PathBuf>, Vec<Known>), ImportError> {
    let failed = |why| ImportError::Read {
        path: folder.to_path_buf(),
        why,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && path.extension().is_some_and(|ending| ending == "rdb") {
            files.push(path);
        }
    }
    if files.is_empty() {
        let path = folder.to_path_buf();
        return Err(ImportError::NoFiles { path });
    }
    files.sort();
    let text = fs::read_to_string(folder.join("nodes.json")).unwrap_or_default();
    Ok((files, nodes_json::read(&text).unwrap_or_default()))
}

fn source(path: PathBuf, known: Option<Known>) -> Result<Source, ImportError> {
    let facts = fs::metadata(&path).map_err(|why| ImportError::Read {
        path: path.clone(),
        why,
    })?;
    let since = facts
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(Source {
        bytes: facts.len(),
        written_ms: since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0)),
        path,
        known,
    })
}

/// Takes them in, as a snapshot of that cluster, of the moment at which the youngest file was written.
///
/// # Errors
/// As [`ImportError`]; what was written until then is given up and swept by the next prune.
pub async fn import(
    repository: &Repository,
    sources: &[Source],
    cluster: &str,
    run: &Run,
    now_ms: u64,
    events: &Events,
) -> Result<ImportReport, ImportError> {
    let written = sources.iter().map(|source| source.written_ms).max();
    let taken_at_ms = written.unwrap_or(now_ms).min(now_ms);
    let id = repository.name_snapshot(taken_at_ms)?;
    let writer = repository.begin(id, run).await?;
    let mut taking = Taking {
        writer: &writer,
        events,
        done: 0,
        of: sources.iter().map(|source| source.bytes).sum(),
        shards: Vec::new(),
        contents: Vec::new(),
    };
    let manifest = taking.all(sources, cluster, taken_at_ms).await;
    let (shards, contents) = (taking.shards, taking.contents);
    let mut manifest = match manifest {
        Ok(manifest) => manifest,
        Err(error) => {
            // The first trouble is told; what it left is swept sooner or later.
            let _ = writer.abandon().await;
            return Err(error);
        }
    };
    manifest.shards = shards;
    manifest.took_ms = run_time(run);
    writer.finish(&manifest).await?;
    Ok(report(&manifest, sources, &contents))
}

fn run_time(run: &Run) -> u64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0));
    now.saturating_sub(run.started_at_ms)
}

struct Taking<'a> {
    writer: &'a Writer,
    events: &'a Events,
    done: u64,
    of: u64,
    shards: Vec<Shard>,
    contents: Vec<Contents>,
}

impl Taking<'_> {
    /// Everything but the shards, which are kept aside.
    async fn all(
        &mut self,
        sources: &[Source],
        cluster: &str,
        taken_at_ms: u64,
    ) -> Result<Manifest, ImportError> {
        self.events.begin("taking files in, MiB");
        for (index, source) in (0..).zip(sources) {
            self.file(index, source).await?;
        }
        let parts = self.functions().await?;
        Ok(Manifest {
            format: FORMAT,
            id: self.writer.id().clone(),
            goodcache: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: cluster.to_owned(),
            taken_at_ms,
            took_ms: 0,
            consistency: Consistency::Scan,
            write_stall_us: None,
            servers: servers(&self.contents),
            shards: Vec::new(),
            parts,
            modules: BTreeMap::new(),
            config: BTreeMap::new(),
            labels: BTreeMap::from([("imported".to_owned(), "from RDB files".to_owned())]),
            more: More::new(),
        })
    }

    async fn file(&mut self, index: u32, source: &Source) -> Result<(), ImportError> {
        let unreadable = |why| ImportError::Read {
            path: source.path.clone(),
            why,
        };
        let damaged = |why| ImportError::Rdb {
            path: source.path.clone(),
            why,
        };
        let mut file = File::open(&source.path).map_err(unreadable)?;
        let mut cutter = Cutter::new(PieceSize::for_shards(1));
        let (mut base, mut step) = (Vec::new(), vec![0; STEP]);
        loop {
            let read = in_place(|| -> Result<usize, ImportError> {
                let read = file.read(&mut step).map_err(unreadable)?;
                cutter.push(&step[..read]).map_err(damaged)?;
                Ok(read)
            })?;
            if read == 0 {
                break;
            }
            self.done += read as u64;
            self.events
                .tell(Event::Progress(self.done >> 20, self.of >> 20));
            while let Some(piece) = cutter.piece() {
                base.push(self.put(index, piece).await?);
            }
        }
        let (rest, contents) = cutter.finish().map_err(damaged)?;
        for piece in rest {
            base.push(self.put(index, piece).await?);
        }
        let table = self.writer.put_slot_table(index, &contents.table).await?;
        self.shards.push(Shard {
            slots: slots(source, &contents),
            shard_id: None,
            nodes: source
                .known
                .iter()
                .map(|known| known.node.clone())
                .collect(),
            read_from: source.known.as_ref().map(|known| known.node.id.clone()),
            replid: None,
            base_offset: 0,
            cut_offset: 0,
            rdb: contents.rdb.clone(),
            base,
            log: Vec::new(),
            slot_table: Some(table),
            keys: contents.keys,
            expires: contents.expires,
            more: Shard::told(&contents.kinds, contents.used_memory()),
        });
        self.contents.push(contents);
        Ok(())
    }

    async fn put(
        &self,
        shard: u32,
        piece: RawPiece,
    ) -> Result<crate::archive::Chunk, ArchiveError> {
        let RawPiece { seq, raw, held } = piece;
        self.writer
            .put(Some(shard), Kind::base(), seq, raw, held)
            .await
    }

    /// Every master has the same libraries; the first that has any speaks for all.
    async fn functions(&self) -> Result<Vec<Part>, ArchiveError> {
        let sources = self.contents.iter().map(|contents| &contents.functions);
        let found = sources.into_iter().find(|functions| !functions.is_empty());
        let (Some(functions), Some(kind)) = (found, Kind::new("functions")) else {
            return Ok(Vec::new());
        };
        let payload = function_payload(functions.iter().map(Vec::as_slice));
        let held = Held {
            entries: functions.len() as u64,
            ..Held::default()
        };
        let chunk = self
            .writer
            .put(None, kind.clone(), 0, payload, held)
            .await?;
        Ok(vec![Part { kind, chunk }])
    }
}

/// Those that the layout gives to the node, else those of its keys.
fn slots(source: &Source, contents: &Contents) -> SlotSet {
    match &source.known {
        Some(known) => known.slots.clone(),
        None => contents.table.rows.iter().map(|row| row.slot).collect(),
    }
}

/// `redis 7.0.15`, as the file says.
fn server(contents: &Contents) -> Option<(&'static str, &String)> {
    let of = |vendor, key: &str| contents.aux.get(key).map(|version| (vendor, version));
    of("valkey", "valkey-ver").or_else(|| of("redis", "redis-ver"))
}

fn servers(contents: &[Contents]) -> Vec<Server> {
    let mut counts: BTreeMap<(&str, &String), u32> = BTreeMap::new();
    for server in contents.iter().filter_map(server) {
        *counts.entry(server).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((vendor, version), nodes)| Server {
            vendor: vendor.to_owned(),
            version: version.clone(),
            nodes,
        })
        .collect()
}

fn report(manifest: &Manifest, sources: &[Source], contents: &[Contents]) -> ImportReport {
    let (mut seen, mut shared_slots) = (SlotSet::new(), SlotSet::new());
    for contents in contents {
        let own: SlotSet = contents.table.rows.iter().map(|row| row.slot).collect();
        shared_slots = shared_slots.union(&seen.intersection(&own));
        seen = seen.union(&own);
    }
    let files = (1..)
        .zip(sources.iter().zip(contents))
        .map(|(shard, (source, contents))| Imported {
            shard,
            path: source.path.clone(),
            bytes: contents.bytes,
            keys: contents.keys,
            rdb: contents.rdb.clone(),
            server: server(contents).map(|(vendor, version)| format!("{vendor} {version}")),
        })
        .collect();
    ImportReport {
        snapshot: Snapshot::of(manifest),
        files,
        shared_slots,
    }
}
/// Does what may wait for a disk; on a runtime of one thread all else waits with it.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => work(),
        _ => block_in_place(work),
    }
}
