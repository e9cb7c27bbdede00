//! The keys of some slots of a snapshot, each with its hash: read from those pieces only that may hold
//! them.
//!
//! Pieces that follow each other are one stream. Where one was passed over, the next begins between
//! two entries of the first database, and the stream's magic is put before it; only a value longer than a
//! piece goes on in the next, and pieces of which that is so, or that hold keys of other databases, are
//! never passed over.

use std::collections::BTreeMap;

use futures_util::{TryStreamExt, pin_mut};

use crate::archive::{ArchiveError, ChunkError, Manifest, Repository, Stretch};
use crate::model::{Slot, SlotSet};
use crate::rdb::{Digester, Entry, Item, LONG, Place, RdbError, Reader, Step, preamble};

const AHEAD: usize = 2;

/// Keys with their databases, and their hashes.
pub(in crate::ops::backup) type Keys = BTreeMap<(u64, Vec<u8>), u128>;

/// Reads them.
pub(super) async fn keys_of(
    repository: &Repository,
    manifest: &Manifest,
    slots: &SlotSet,
) -> Result<Keys, ArchiveError> {
    let (mut keys, mut digester) = (Keys::new(), Digester::new());
    for (index, shard) in manifest.shards.iter().enumerate() {
        let (mut reader, mut due) = (Reader::in_parts(LONG), 0);
        let pieces = repository.pieces(manifest, index, Stretch::Base, Some(slots), AHEAD);
        pin_mut!(pieces);
        while let Some(piece) = pieces.try_next().await? {
            let place = shard.base.iter().position(|own| own == piece.chunk);
            if place != Some(due) {
                reader = Reader::in_parts(LONG);
                reader.push(&preamble(&shard.rdb, piece.chunk.db()));
            }
            due = place.map_or(0, |place| place + 1);
            reader.push(&piece.raw);
            let is_last = due == shard.base.len();
            take(&mut reader, slots, &mut digester, &mut keys, is_last).map_err(|why| {
                ChunkError::Unpacked {
                    name: piece.chunk.name.clone(),
                    why: why.to_string(),
                }
            })?;
        }
    }
    Ok(keys)
}

/// Keeps what of those slots has come.
pub(in crate::ops::backup) fn take(
    reader: &mut Reader,
    slots: &SlotSet,
    digester: &mut Digester,
    keys: &mut Keys,
    is_last: bool,
) -> Result<(), RdbError> {
    let mut keep = |entry: &Entry<'_>, place: Option<Place>| {
        let is_wanted = Slot::new(entry.slot()).is_some_and(|slot| slots.contains(slot));
        if is_wanted && let Some(hash) = digester.fold(entry, place)? {
            keys.insert((entry.db, entry.key.to_vec()), hash);
        }
        Ok(())
    };
    loop {
        match reader.step() {
            Ok(Step::Item(Item::Entry(entry))) => keep(&entry, None)?,
            Ok(Step::Item(Item::Part(part))) => keep(&part.entry, Some(part.place))?,
            Ok(Step::Item(_)) => {}
            Ok(Step::NeedMore | Step::Done) => return Ok(()),
            // The checksum is that of the whole stream; each piece was proven by its own.
            Err(RdbError {
                fault: crate::rdb::Fault::Checksum { .. },
                ..
            }) if is_last => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
