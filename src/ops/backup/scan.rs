//! The way for services that keep replication to themselves: key by key.
//!
//! It is no snapshot: what changes meanwhile is caught early or late, a key that is renamed may be
//! missed.

use std::sync::Arc;

use super::base::{Contents, Cutter};
use super::gauge::Stage;
use super::keywise::Keywise;
use super::puts::Puts;
use super::shard::Shared;
use super::sources::Source;
use super::trouble::Trouble;
use crate::archive::{Chunk, Kind};
use crate::rdb::RdbError;

/// One shard, key by key.
pub(super) struct Scan {
    pub shared: Arc<Shared>,
    pub shard: usize,
    pub source: Source,
}

impl Scan {
    pub(super) async fn run(self) -> Result<(Contents, Vec<Chunk>), Trouble> {
        let gauge = &self.shared.gauges.shards[self.shard];
        gauge.stage(Stage::Base);
        let shared = &self.shared;
        let opened = Keywise::open(&shared.access, &self.source, self.shard + 1, shared.now_ms);
        let mut keywise = opened.await?;
        let mut cutter = Cutter::new(shared.size).sharing(&shared.buffers);
        cutter.announce(keywise.keys());
        let mut puts = Puts::new(shared, self.shard, Kind::base(), &shared.packing);
        while let Some(flight) = keywise.next().await? {
            shared.rate.take(flight.bytes).await;
            let pushed = cutter.push(&flight.rdb);
            pushed.map_err(|error| self.unreadable(error))?;
            gauge.base(flight.bytes, cutter.keys());
            while let Some(piece) = cutter.piece() {
                puts.put(piece).await?;
            }
        }
        let (pieces, contents) = cutter.finish().map_err(|error| self.unreadable(error))?;
        for piece in pieces {
            puts.put(piece).await?;
        }
        gauge.stage(Stage::Done);
        Ok((contents, puts.all().await?))
    }

    fn unreadable(&self, error: RdbError) -> Trouble {
        Trouble::Sent {
            shard: self.shard + 1,
            addr: self.source.addr.clone(),
            error,
        }
    }
}
