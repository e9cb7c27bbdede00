//! The bases of a snapshot, walked over entry by entry; long values come in parts.

use futures_util::{TryStreamExt, pin_mut};

use super::trouble::Trouble;
use crate::archive::{Manifest, Repository, Stretch};
use crate::rdb::{Entry, Item, LONG, Place, RdbError, Reader, Step};

/// Pieces read ahead.
const AHEAD: usize = 2;
/// How much is walked over before others get their turn.
const STRIDE: usize = 256 << 10;

/// The bases of all shards.
#[derive(Clone, Copy)]
pub(super) struct Bases<'a> {
    pub repository: &'a Repository,
    pub manifest: &'a Manifest,
}

impl Bases<'_> {
    /// Gives every entry of a shard's base away, and of long ones every part.
    pub(super) async fn walk(
        &self,
        shard: usize,
        mut take: impl FnMut(&Entry<'_>, Option<Place>) -> Result<(), RdbError>,
    ) -> Result<(), Trouble> {
        let unreadable = |error| Trouble::Unreadable {
            shard: shard + 1,
            error,
        };
        let (repository, manifest) = (self.repository, self.manifest);
        let pieces = repository.pieces(manifest, shard, Stretch::Base, None, AHEAD);
        pin_mut!(pieces);
        let mut reader = Reader::in_parts(LONG);
        while let Some(piece) = pieces.try_next().await? {
            for bytes in piece.raw.chunks(STRIDE) {
                reader.push(bytes);
                each(&mut reader, &mut take).map_err(unreadable)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// Gives every entry that has come away, and of long ones every part.
pub(super) fn each(
    reader: &mut Reader,
    take: &mut impl FnMut(&Entry<'_>, Option<Place>) -> Result<(), RdbError>,
) -> Result<(), RdbError> {
    loop {
        match reader.step()? {
            Step::Item(Item::Entry(entry)) => take(&entry, None)?,
            Step::Item(Item::Part(part)) => take(&part.entry, Some(part.place))?,
            Step::Item(_) => {}
            Step::NeedMore | Step::Done => return Ok(()),
        }
    }
}
