//! Pieces on their way into the repository: packed and stored beside the reading, a bounded number at
//! once over all shards, so that memory stays flat.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::base::RawPiece;
use super::shard::Shared;
use super::trouble::Trouble;
use crate::archive::{ArchiveError, Chunk, Kind};

/// The pieces of one shard, in order.
pub(super) struct Puts {
    shared: Arc<Shared>,
    shard: usize,
    kind: Kind,
    places: Arc<Semaphore>,
    under_way: VecDeque<AbortOnDropHandle<Result<Chunk, ArchiveError>>>,
    done: Vec<Chunk>,
}

impl Puts {
    pub(super) fn new(
        shared: &Arc<Shared>,
        shard: usize,
        kind: Kind,
        places: &Arc<Semaphore>,
    ) -> Puts {
        Puts {
            shared: shared.clone(),
            shard,
            kind,
            places: places.clone(),
            under_way: VecDeque::new(),
            done: Vec::new(),
        }
    }

    /// Returns when there is room for it; a failure of an earlier piece comes out here.
    pub(super) async fn put(&mut self, piece: RawPiece) -> Result<(), Trouble> {
        let shared = &self.shared;
        let place = self.places.clone().acquire_owned().await.ok();
        let (writer, kind) = (shared.writer.clone(), self.kind.clone());
        let shard = u32::try_from(self.shard).ok();
        let putting = async move {
            let put = writer
                .put(shard, kind, piece.seq, piece.raw, piece.held)
                .await;
            drop(place);
            put
        };
        self.under_way
            .push_back(AbortOnDropHandle::new(tokio::spawn(putting)));
        while self.under_way.front().is_some_and(|put| put.is_finished()) {
            self.collect().await?;
        }
        Ok(())
    }

    async fn collect(&mut self) -> Result<(), Trouble> {
        if let Some(put) = self.under_way.pop_front() {
            let put = put.await.map_err(|error| ArchiveError::NotWritten {
                why: error.to_string(),
            });
            self.done.push(put??);
        }
        Ok(())
    }

    pub(super) async fn all(mut self) -> Result<Vec<Chunk>, Trouble> {
        while !self.under_way.is_empty() {
            self.collect().await?;
        }
        Ok(self.done)
    }
}
