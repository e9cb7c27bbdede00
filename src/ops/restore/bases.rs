//! The bases of a snapshot, walked over entry by entry; long values come in parts.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};
use tokio_util::task::AbortOnDropHandle;

use super::jobs::Job;
use super::trouble::Trouble;
use crate::archive::{ArchiveError, Identity, Kind, Manifest, Proof, Repository};
use crate::rdb::{Entry, Item, LONG, Place, RdbError, Reader, Step, preamble};

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
        take: impl FnMut(&Entry<'_>, Option<Place>) -> Result<(), RdbError>,
    ) -> Result<(), Trouble> {
        let base = self.manifest.shards.get(shard).map(|shard| &shard.base);
        let pieces = 0..base.map_or(0, Vec::len);
        self.walk_job(&Job { shard, pieces }, take).await
    }

    /// The same of a run of pieces.
    pub(super) async fn walk_job(
        &self,
        job: &Job,
        mut take: impl FnMut(&Entry<'_>, Option<Place>) -> Result<(), RdbError>,
    ) -> Result<(), Trouble> {
        let unreadable = |error| Trouble::Unreadable {
            shard: job.shard + 1,
            error,
        };
        let pieces = stream::iter(job.pieces.clone())
            .map(|piece| self.read(job.shard, piece))
            .buffered(AHEAD);
        pin_mut!(pieces);
        // Each piece was proven by its own sum.
        let mut reader = Reader::in_parts(LONG).unsummed();
        reader.push(&self.before(job));
        while let Some(raw) = pieces.try_next().await? {
            for from in (0..raw.len()).step_by(STRIDE) {
                reader.lend(raw.slice(from..raw.len().min(from + STRIDE)));
                each(&mut reader, &mut take).map_err(unreadable)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// What stands before a run of pieces, so that it can be read: nothing before the first.
    pub(super) fn before(&self, job: &Job) -> Vec<u8> {
        match self.manifest.shards.get(job.shard) {
            Some(shard) if job.pieces.start > 0 => {
                let db = shard
                    .base
                    .get(job.pieces.start)
                    .map_or(0, |chunk| chunk.db());
                preamble(&shard.rdb, db)
            }
            _ => Vec::new(),
        }
    }

    /// A piece, proven and unpacked.
    pub(super) async fn read(&self, shard: usize, piece: usize) -> Result<Bytes, ArchiveError> {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let identity = Identity {
            snapshot: self.manifest.id.clone(),
            shard: Some(number(shard)),
            kind: Kind::base(),
            seq: number(piece),
        };
        let chunk = self.manifest.shards[shard].base[piece].clone();
        let repository = self.repository.clone();
        let reading = async move { repository.read_by(&identity, &chunk, Proof::Stored).await };
        by_itself(reading).await
    }
}

/// Goes on while whoever waits for it does something else; dropped, it ends.
async fn by_itself<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends: nobody waits for the answer.
            Err(_) => std::future::pending().await,
        },
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
