//! The proof that counts: a snapshot is loaded by a real server, its log is played, and what the server
//! then holds is compared slot by slot with what was kept when the snapshot was taken.
//!
//! Each shard gets a throw-away server on this machine, one after the other, so that no more memory is
//! needed than the largest takes. How long loading took is told: it is the better part of a restore.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{TryStreamExt, pin_mut};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::base::{Contents, Cutter, PieceSize};
use crate::archive::{ArchiveError, Manifest, Repository, Shard, SlotTable, Stretch};
use crate::cluster::{Access, Command, Node, NodeError};
use crate::host::process::ProcessError;
use crate::host::scratch::{Bed, Scratch};
use crate::model::words::counted;
use crate::model::{Event, Events, Info, SlotSet};
use crate::rdb::{Changes, LogReader, RdbError};

/// How long a server may load, and save.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long it may take to come to what it is to load.
const BEGINNING: Duration = Duration::from_secs(30);
/// Between two looks at a server that loads.
const PAUSE: Duration = Duration::from_millis(20);
/// Commands of a log in one flight.
const FLIGHT: usize = 500;
/// Refusals that are kept.
const REFUSED: usize = 5;
/// Pieces read ahead.
const AHEAD: usize = 2;

/// What booting a snapshot came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Booted {
    /// Its vendor and version; `None` when not one shard was loaded.
    pub server: Option<String>,
    /// Shard by shard.
    pub shards: Vec<BootedShard>,
    /// How long loading took, all shards together.
    pub load_ms: u64,
}

/// A shard that a server has loaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BootedShard {
    /// Its number, from 1.
    pub number: usize,
    /// Keys that the server holds after the log.
    pub keys: u64,
    /// How long it took to load.
    pub load_ms: u64,
    /// Commands of the log that were played.
    pub played: u64,
    /// Those that the server refused, by its words, at most a few.
    pub refused: Vec<String>,
    /// Those that named a key whose time is over by now; they are no fault.
    pub overtaken: u64,
    /// Slots that hold what was kept when the snapshot was taken.
    pub slots_proven: usize,
    /// Slots that the log changes: what they must hold was never seen.
    pub slots_logged: usize,
    /// Slots that hold something else.
    pub slots_differing: SlotSet,
    /// Why the server would not load it.
    pub not_loaded: Option<String>,
}

/// Why it could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum NoBoot {
    /// The repository failed, or an object is not what was written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// No server could be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// What was started is no server, or none that takes these settings.
    #[error("{} is no server that could load it: {how}", program.display())]
    NoServer {
        /// What was started.
        program: PathBuf,
        /// What it did instead, and said.
        how: String,
    },
    /// The server failed on the way.
    #[error("the throw-away server: {0}")]
    Server(#[from] NodeError),
    /// What it saved cannot be read.
    #[error("what the throw-away server saved cannot be read: {0}")]
    Saved(#[from] RdbError),
    /// A file could not be written or read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

impl BootedShard {
    /// Whether it is as it should be.
    pub fn is_sound(&self) -> bool {
        self.not_loaded.is_none() && self.refused.is_empty() && self.slots_differing.is_empty()
    }
}

/// Boots every shard with that server program.
///
/// # Errors
/// When it could not be tried; what is wrong with the snapshot stands in the answer.
pub async fn boot(
    repository: &Repository,
    manifest: &Manifest,
    server: &std::path::Path,
    events: &Events,
) -> Result<Booted, NoBoot> {
    let mut booted = Booted {
        server: None,
        shards: Vec::new(),
        load_ms: 0,
    };
    events.begin("booting throw-away servers");
    for (index, shard) in manifest.shards.iter().enumerate() {
        let bed = Bed::make()?;
        write_base(repository, manifest, index, bed.file()).await?;
        let began = Instant::now();
        let scratch = bed.start(server)?;
        let booting = Booting {
            repository,
            manifest,
            index,
            shard,
        };
        let (server, found) = booting.run(scratch, began).await?;
        booted.server = server.or(booted.server);
        booted.load_ms += found.load_ms;
        booted.shards.push(found);
        let of = manifest.shards.len() as u64;
        events.tell(Event::Progress(index as u64 + 1, of));
    }
    let sound = booted.shards.iter().filter(|shard| shard.is_sound());
    events.done(format!(
        "{} of {} loaded by a throw-away server and as they were kept",
        sound.count(),
        counted(booted.shards.len(), "shard")
    ));
    Ok(booted)
}

async fn write_base(
    repository: &Repository,
    manifest: &Manifest,
    index: usize,
    path: PathBuf,
) -> Result<(), NoBoot> {
    let failed = |source| NoBoot::File {
        path: path.clone(),
        source,
    };
    let mut file = tokio::fs::File::create(&path).await.map_err(failed)?;
    let pieces = repository.pieces(manifest, index, Stretch::Base, None, AHEAD);
    pin_mut!(pieces);
    while let Some(piece) = pieces.try_next().await? {
        file.write_all(&piece.raw).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

/// One shard under way.
struct Booting<'a> {
    repository: &'a Repository,
    manifest: &'a Manifest,
    index: usize,
    shard: &'a Shard,
}

impl Booting<'_> {
    async fn run(
        &self,
        mut scratch: Scratch,
        began: Instant,
    ) -> Result<(Option<String>, BootedShard), NoBoot> {
        let mut found = BootedShard {
            number: self.index + 1,
            ..BootedShard::default()
        };
        let (node, info) = match loaded(&mut scratch, began).await? {
            Ok(loaded) => loaded,
            Err(log) => {
                found.not_loaded = Some(log);
                return Ok((None, found));
            }
        };
        found.load_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.play(&node, &mut found).await?;
        let contents = saved(&node, &scratch).await?;
        found.keys = contents.keys;
        if let Some(kept) = self
            .repository
            .slot_table(self.manifest, self.index)
            .await?
        {
            compare(&kept, &contents.table, self.shard, &mut found);
        }
        Ok((Some(server_of(&info)), found))
    }

    /// Plays the log as a client; what is no change of keys is left out.
    async fn play(&self, node: &Node, found: &mut BootedShard) -> Result<(), NoBoot> {
        let mut reader = LogReader::new(self.shard.base_offset);
        let pieces = self
            .repository
            .pieces(self.manifest, self.index, Stretch::Log, None, AHEAD);
        pin_mut!(pieces);
        let mut flight = Vec::new();
        while let Some(piece) = pieces.try_next().await? {
            reader.push(&piece.raw);
            while let Some(command) = reader.step()? {
                let name = command.name();
                let is_bracket = matches!(name.as_str(), "select" | "multi" | "exec" | "function");
                if is_bracket || command.changes() != Changes::Nothing {
                    let words = command.words.iter();
                    flight.push(words.fold(Command::words(""), |line, word| line.arg(word)));
                }
                if flight.len() >= FLIGHT {
                    fly(node, &mut flight, found).await?;
                }
            }
        }
        fly(node, &mut flight, found).await
    }
}

async fn fly(
    node: &Node,
    flight: &mut Vec<Command>,
    found: &mut BootedShard,
) -> Result<(), NoBoot> {
    let replies = node.ask_all(flight).await?;
    found.played += flight.len() as u64;
    flight.clear();
    for error in replies.into_iter().filter_map(Result::err) {
        let said = error.to_string();
        if is_overtaken(&said) {
            found.overtaken += 1;
        } else if found.refused.len() < REFUSED {
            found.refused.push(said);
        }
    }
    Ok(())
}

/// A key whose time is over cannot be renamed, say, by a client; when the log was written it could.
fn is_overtaken(said: &str) -> bool {
    ["no such key", "requires the key to exist"]
        .iter()
        .any(|words| said.contains(words))
}

fn server_of(info: &Info) -> String {
    let version = info.version().map(|version| version.to_string());
    format!("{} {}", info.vendor(), version.as_deref().unwrap_or("?"))
}

/// Waits until it has loaded; or gives its last words when it would not.
async fn loaded(
    scratch: &mut Scratch,
    began: Instant,
) -> Result<Result<(Node, Info), String>, NoBoot> {
    let mut access = Access::to([scratch.addr.clone()]);
    access.credentials.password = Some(scratch.password.clone());
    loop {
        if let Some(status) = scratch.ended() {
            return match scratch.has_begun() {
                true => Ok(Err(scratch.last_words())),
                false => Err(no_server(scratch, format!("it ended ({status})"))),
            };
        }
        if began.elapsed() > BEGINNING && !scratch.has_begun() {
            let how = format!("it did not begin within {} s", BEGINNING.as_secs());
            return Err(no_server(scratch, how));
        }
        let looked = async {
            let node = Node::connect(&access, &scratch.addr).await?;
            let info = node.say("INFO").await?;
            Ok((node, Info::parse(&info.text().unwrap_or_default())))
        };
        match looked.await {
            Ok((node, info)) if info.number("loading") == Some(0) => {
                return Ok(Ok((node.with_deadline(PATIENCE), info)));
            }
            Err(NodeError::Refused { .. } | NodeError::Loading { .. }) | Ok(_) => {}
            Err(error) if began.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn no_server(scratch: &Scratch, did: String) -> NoBoot {
    let said = scratch.last_words();
    NoBoot::NoServer {
        program: scratch.program.clone(),
        how: match said.is_empty() {
            true => format!("{did} and said nothing"),
            false => format!("{did}; its last words: {said}"),
        },
    }
}

/// Lets it save, and walks over that.
async fn saved(node: &Node, scratch: &Scratch) -> Result<Contents, NoBoot> {
    // Over the file that it loaded: newer servers do not let its name be changed.
    node.say("SAVE").await?;
    let path = scratch.file();
    let failed = |source| NoBoot::File {
        path: path.clone(),
        source,
    };
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    let mut cutter = Cutter::new(PieceSize::for_shards(1));
    let mut bytes = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut bytes).await.map_err(failed)?;
        if count == 0 {
            let (_, contents) = cutter.finish()?;
            return Ok(contents);
        }
        cutter.push(&bytes[..count])?;
        while cutter.piece().is_some() {}
    }
}

fn compare(kept: &SlotTable, held: &SlotTable, shard: &Shard, found: &mut BootedShard) {
    for row in &kept.rows {
        if row.logged > 0 {
            found.slots_logged += 1;
            continue;
        }
        let same = held.get(row.slot).is_some_and(|other| {
            (other.keys, other.expires, other.digest) == (row.keys, row.expires, row.digest)
        });
        match same {
            true => found.slots_proven += 1,
            false => found.slots_differing.insert(row.slot),
        }
    }
    let strangers = held.rows.iter().filter(|row| kept.get(row.slot).is_none());
    for row in strangers.filter(|row| shard.slots.contains(row.slot)) {
        found.slots_differing.insert(row.slot);
    }
}
