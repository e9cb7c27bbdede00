//! The data of a snapshot, read once from end to end.
//!
//! The walk is that of the capture ([`Cutter`]), over the stored pieces: the same entries, the server's
//! own checksum at the end, the same sums. One piece is walked while the next is read; what is held in
//! memory does not grow with the snapshot.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, pin_mut, stream};
use tokio::task::spawn_blocking;

use super::proof::{ShardProof, VerifyFault};
use super::verify::{is_missing, of_object};
use crate::archive::{
    ArchiveError, Chunk, ChunkError, Identity, Manifest, Repository, Shard, SlotTable, Stretch,
};
use crate::cluster::finished;
use crate::model::{Event, Events, SlotSet, words};
use crate::ops::backup::base::{Contents, Cutter, PieceSize};
use crate::ops::backup::log::Marked;
use crate::rdb::{LogReader, RdbError};

/// Pieces read ahead of the walk.
const AHEAD: usize = 2;

/// The data, read once.
pub(super) struct Reading<'a> {
    repository: &'a Repository,
    manifest: &'a Manifest,
    events: &'a Events,
    missing: BTreeSet<String>,
    objects: u64,
    done: u64,
    pub shards: Vec<ShardProof>,
    pub faults: Vec<VerifyFault>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        repository: &'a Repository,
        manifest: &'a Manifest,
        missing: Vec<ChunkError>,
        events: &'a Events,
    ) -> Reading<'a> {
        let faults = missing.iter().map(|error| of_object(manifest, error));
        Reading {
            repository,
            manifest,
            events,
            objects: manifest.objects().count() as u64,
            done: 0,
            shards: Vec::new(),
            faults: faults.collect(),
            missing: missing
                .iter()
                .map(|error| error.name().to_owned())
                .collect(),
        }
    }

    pub(super) async fn read_all(&mut self) -> Result<(), ArchiveError> {
        self.events.begin("reading every object");
        let manifest = self.manifest;
        for (index, shard) in manifest.shards.iter().enumerate() {
            let mut proof = ShardProof {
                number: index + 1,
                ..ShardProof::default()
            };
            let contents = self.base(index, shard, &mut proof).await?;
            let table = self.table(index, shard).await?;
            let (commands, marked) = self.log(index, shard).await?;
            proof.log_commands = commands;
            if let (Some(contents), Some(table)) = (&contents, &table) {
                proof.slots_proven = self.compare(&proof, shard, contents, table);
                self.table_fits(shard, proof.number, contents, table);
            }
            if let (Some(table), Some(marked)) = (&table, &marked) {
                self.log_fits(shard, proof.number, marked, table);
            }
            self.shards.push(proof);
        }
        self.parts().await?;
        let outcome = match self.faults.len() {
            0 => "every object was read and is what was written".to_owned(),
            _ => "every object was read".to_owned(),
        };
        self.events.done(outcome);
        Ok(())
    }

    /// Walks the base; what it holds, when it could be walked to its end.
    async fn base(
        &mut self,
        index: usize,
        shard: &'a Shard,
        proof: &mut ShardProof,
    ) -> Result<Option<Contents>, ArchiveError> {
        let mut walk = Some(Cutter::new(PieceSize::for_shards(1)));
        let mut last = "its base".to_owned();
        let pieces = self.pieces(index, shard, Stretch::Base);
        pin_mut!(pieces);
        while let Some((chunk, piece)) = pieces.try_next().await? {
            self.step();
            last.clone_from(&chunk.name);
            let (cutter, raw) = match (walk.take(), piece) {
                (_, Err(fault)) => {
                    self.note(fault, index + 1);
                    continue;
                }
                (None, Ok(_)) => continue,
                (Some(cutter), Ok(raw)) => (cutter, raw),
            };
            let before = cutter.keys().0;
            match walked(cutter, raw).await {
                Ok(cutter) => {
                    proof.keys = cutter.keys().0;
                    self.count(chunk, proof.keys - before, index + 1);
                    walk = Some(cutter);
                }
                Err(error) => self.faults.push(not_walked(chunk, &error, index + 1)),
            }
        }
        match walk.map(Cutter::finish) {
            None => Ok(None),
            Some(Ok((_, contents))) => {
                (proof.keys, proof.expires) = (contents.keys, contents.expires);
                self.totals(shard, &contents, index + 1);
                Ok(Some(contents))
            }
            Some(Err(error)) => {
                let what = format!("the base cannot be walked over: {error}");
                self.faults.push(VerifyFault::inside(
                    "base.unreadable",
                    &last,
                    index + 1,
                    what,
                ));
                Ok(None)
            }
        }
    }

    /// The pieces that are there, each with what was found when it was unpacked.
    fn pieces(
        &self,
        index: usize,
        shard: &'a Shard,
        stretch: Stretch,
    ) -> impl Stream<Item = Result<(&'a Chunk, Result<Bytes, ChunkError>), ArchiveError>> + use<'a>
    {
        let (repository, manifest) = (self.repository, self.manifest);
        let chunks = match stretch {
            Stretch::Base => &shard.base,
            Stretch::Log => &shard.log,
        };
        let missing = self.missing.clone();
        let objects = manifest
            .objects()
            .filter(move |(identity, chunk)| {
                identity.shard == u32::try_from(index).ok()
                    && chunks.iter().any(|own| std::ptr::eq(own, *chunk))
            })
            .collect::<Vec<_>>();
        stream::iter(objects)
            .map(move |(identity, chunk)| {
                let is_missing = missing.contains(&chunk.name);
                async move {
                    if is_missing {
                        let name = chunk.name.clone();
                        return Ok((chunk, Err(ChunkError::Missing { name })));
                    }
                    let raw = proven(repository, &identity, chunk).await?;
                    Ok((chunk, raw))
                }
            })
            .buffered(AHEAD)
    }

    /// A missing object was told of already.
    fn note(&mut self, fault: ChunkError, shard: usize) {
        if !is_missing(&fault) || !self.missing.contains(fault.name()) {
            self.faults
                .push(VerifyFault::of_object(&fault, Some(shard)));
        }
    }

    fn step(&mut self) {
        self.done += 1;
        self.events.tell(Event::Progress(self.done, self.objects));
    }

    fn count(&mut self, chunk: &Chunk, found: u64, shard: usize) {
        if found != chunk.entries {
            let what = format!(
                "it holds {found} entries, and the manifest says {}",
                chunk.entries
            );
            self.faults
                .push(VerifyFault::inside("base.count", &chunk.name, shard, what));
        }
    }

    fn totals(&mut self, shard: &Shard, contents: &Contents, number: usize) {
        let object = self.repository.manifest_place(&self.manifest.id);
        for (what, said, found) in [
            ("keys", shard.keys, contents.keys),
            ("keys with an expiry", shard.expires, contents.expires),
        ] {
            if said != found {
                let what =
                    format!("it says that the shard has {said} {what}, and {found} are there");
                self.faults
                    .push(VerifyFault::inside("shard.count", &object, number, what));
            }
        }
        if !shard.rdb.is_empty() && shard.rdb != contents.rdb {
            let what = format!(
                "it says that the base is {}, and it is {}",
                shard.rdb, contents.rdb
            );
            self.faults
                .push(VerifyFault::inside("shard.rdb", &object, number, what));
        }
    }

    async fn table(
        &mut self,
        index: usize,
        shard: &Shard,
    ) -> Result<Option<SlotTable>, ArchiveError> {
        let Some(chunk) = &shard.slot_table else {
            return Ok(None);
        };
        self.step();
        if self.missing.contains(&chunk.name) {
            return Ok(None);
        }
        match self.repository.slot_table(self.manifest, index).await {
            Err(ArchiveError::Chunk(fault)) => {
                self.note(fault, index + 1);
                Ok(None)
            }
            table => table,
        }
    }

    /// How many slots have the digest that was kept, when all have.
    fn compare(
        &mut self,
        proof: &ShardProof,
        shard: &Shard,
        contents: &Contents,
        kept: &SlotTable,
    ) -> Option<usize> {
        let differing = differing(&contents.table, kept);
        if differing.is_empty() {
            return Some(contents.table.rows.len());
        }
        let what = format!(
            "{} in the base {} not as the table of slots says",
            words::counted(differing.len(), "slot"),
            if differing.len() == 1 { "is" } else { "are" },
        );
        self.note_table("slots.digest", shard, proof.number, differing, what);
        None
    }

    /// Who reads some slots alone looks for them in those pieces that the table names.
    fn table_fits(&mut self, shard: &Shard, number: usize, contents: &Contents, kept: &SlotTable) {
        let slots = lying_elsewhere(contents, kept, &shard.base);
        let what = format!(
            "{} not within the pieces of the base that the table names",
            words::plural(slots.len(), "slot lies", "slots lie"),
        );
        self.note_table("slots.pieces", shard, number, slots, what);
    }

    /// Slots that the log changes are not proven against the table, so it must say which they are.
    fn log_fits(&mut self, shard: &Shard, number: usize, marked: &Marked, kept: &SlotTable) {
        let slots = marked_otherwise(marked, kept);
        let what = format!(
            "{} by the log another number of times than the table says",
            words::plural(slots.len(), "slot is changed", "slots are changed"),
        );
        self.note_table("slots.logged", shard, number, slots, what);
    }

    /// Notes what is wrong with those slots of a table, where there are any.
    fn note_table(
        &mut self,
        code: &'static str,
        shard: &Shard,
        number: usize,
        slots: SlotSet,
        what: String,
    ) {
        if slots.is_empty() {
            return;
        }
        let object = shard.slot_table.as_ref().map(|chunk| chunk.name.as_str());
        self.faults.push(VerifyFault {
            slots,
            ..VerifyFault::inside(code, object.unwrap_or("?"), number, what)
        });
    }

    /// Reads the log command by command: how many there are, and, when it could be read to its end,
    /// what they change.
    async fn log(
        &mut self,
        index: usize,
        shard: &'a Shard,
    ) -> Result<(u64, Option<Marked>), ArchiveError> {
        let mut reader = Some(LogReader::new(shard.base_offset));
        let (mut commands, mut marked) = (0, Marked::default());
        let pieces = self.pieces(index, shard, Stretch::Log);
        pin_mut!(pieces);
        while let Some((chunk, piece)) = pieces.try_next().await? {
            self.step();
            let raw = match piece {
                Ok(raw) => raw,
                Err(fault) => {
                    self.note(fault, index + 1);
                    reader = None;
                    continue;
                }
            };
            let Some(log) = &mut reader else { continue };
            log.push(&raw);
            match commands_in(log, &mut marked) {
                Ok(found) if found == chunk.entries => commands += found,
                Ok(found) => {
                    commands += found;
                    let said = chunk.entries;
                    let what = format!("it holds {found} commands, and the manifest says {said}");
                    let fault = VerifyFault::inside("log.count", &chunk.name, index + 1, what);
                    self.faults.push(fault);
                }
                Err(error) => {
                    let what = format!("the log cannot be read: {error}");
                    let fault = VerifyFault::inside("log.unreadable", &chunk.name, index + 1, what);
                    self.faults.push(fault);
                    reader = None;
                }
            }
        }
        Ok((commands, reader.map(|_| marked)))
    }

    async fn parts(&mut self) -> Result<(), ArchiveError> {
        let (repository, manifest) = (self.repository, self.manifest);
        for (identity, chunk) in manifest.objects() {
            if identity.shard.is_some() {
                continue;
            }
            self.step();
            if self.missing.contains(&chunk.name) {
                continue;
            }
            if let Err(fault) = proven(repository, &identity, chunk).await? {
                self.faults.push(VerifyFault::of_object(&fault, None));
            }
        }
        Ok(())
    }
}

async fn proven(
    repository: &Repository,
    identity: &Identity,
    chunk: &Chunk,
) -> Result<Result<Bytes, ChunkError>, ArchiveError> {
    match repository.read(identity, chunk).await {
        Ok(raw) => Ok(Ok(raw)),
        Err(ArchiveError::Chunk(fault)) => Ok(Err(fault)),
        Err(error) => Err(error),
    }
}

/// Walks over a piece, away from the async threads; the pieces that it would make are not wanted.
async fn walked(mut cutter: Cutter, raw: Bytes) -> Result<Cutter, RdbError> {
    let walk = spawn_blocking(move || {
        // In steps, so that what the walk holds back stays small.
        for bytes in raw.chunks(1 << 20) {
            cutter.push(bytes)?;
            while cutter.piece().is_some() {}
        }
        Ok(cutter)
    });
    finished(walk).await
}

fn not_walked(chunk: &Chunk, error: &RdbError, shard: usize) -> VerifyFault {
    let what = format!("the base cannot be walked over: {error}");
    VerifyFault::inside("base.unreadable", &chunk.name, shard, what)
}

fn commands_in(log: &mut LogReader, marked: &mut Marked) -> Result<u64, RdbError> {
    let mut found = 0;
    while let Some(command) = log.step()? {
        marked.note(&command.changes());
        found += 1;
    }
    Ok(found)
}

/// The slots of which the two do not say the same. Rows without keys are those that only a log changes.
fn differing(found: &SlotTable, kept: &SlotTable) -> SlotSet {
    let mut slots = SlotSet::new();
    for row in &found.rows {
        let is_same = kept.get(row.slot).is_some_and(|kept| {
            (kept.keys, kept.expires, kept.bytes, kept.digest)
                == (row.keys, row.expires, row.bytes, row.digest)
        });
        if !is_same {
            slots.insert(row.slot);
        }
    }
    for row in kept.rows.iter().filter(|row| row.keys > 0) {
        if found.get(row.slot).is_none() {
            slots.insert(row.slot);
        }
    }
    slots
}

/// The slots of which an entry lies in no piece that the table names. It may name more: where a piece
/// was cut at its largest, it is not known yet of which slot the next entry is.
fn lying_elsewhere(found: &Contents, kept: &SlotTable, base: &[Chunk]) -> SlotSet {
    let mut at = 0;
    let mut ends = vec![0];
    for chunk in base {
        at += chunk.raw_bytes;
        ends.push(at);
    }
    let mut slots = SlotSet::new();
    for row in &kept.rows {
        let Some(range) = found.ranges.get(&row.slot) else {
            continue;
        };
        let begins = ends.get(row.chunks.0 as usize);
        let end = ends.get(row.chunks.1 as usize + 1);
        let is_within = begins.is_some_and(|begins| *begins <= range.start)
            && end.is_some_and(|end| range.end <= *end);
        if !is_within {
            slots.insert(row.slot);
        }
    }
    slots
}

/// The slots that the log changes as often as the table does not say.
fn marked_otherwise(marked: &Marked, kept: &SlotTable) -> SlotSet {
    let mut expected = kept.clone();
    marked.mark(&mut expected);
    let mut slots = SlotSet::new();
    for row in &expected.rows {
        let said = kept.get(row.slot).map_or(0, |kept| kept.logged);
        if said != row.logged {
            slots.insert(row.slot);
        }
    }
    slots
}
