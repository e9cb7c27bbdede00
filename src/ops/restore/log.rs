//! The logs of a snapshot, read command by command with the database and the time of each.

use futures_util::{TryStreamExt, pin_mut};

use super::touched::Touched;
use super::trouble::Trouble;
use crate::archive::{Manifest, Repository, Stretch};
use crate::rdb::{LogCommand, LogReader};

/// Pieces read ahead.
const AHEAD: usize = 2;

/// A command in its place.
pub(super) struct Logged<'a> {
    pub shard: usize,
    pub db: u64,
    /// When it was received, at the latest, ms since the epoch.
    pub came_ms: i64,
    pub command: LogCommand<'a>,
}

/// The logs of all shards.
#[derive(Clone, Copy)]
pub(super) struct Logs<'a> {
    pub repository: &'a Repository,
    pub manifest: &'a Manifest,
}

impl Logs<'_> {
    /// What they touch.
    pub(super) async fn touched(&self) -> Result<Touched, Trouble> {
        let mut touched = Touched::default();
        for shard in 0..self.manifest.shards.len() {
            let note = async |logged: Logged<'_>| {
                touched.note(logged.shard, logged.db, &logged.command);
                Ok(())
            };
            self.each(shard, note).await?;
        }
        Ok(touched)
    }

    /// Gives each command of a shard's log away, in order.
    pub(super) async fn each(
        &self,
        shard: usize,
        mut take: impl AsyncFnMut(Logged<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let Some(of) = self.manifest.shards.get(shard) else {
            return Ok(());
        };
        let unreadable = |error| Trouble::Unreadable {
            shard: shard + 1,
            error,
        };
        let mut reader = LogReader::new(of.base_offset);
        let mut db = 0;
        let pieces = self
            .repository
            .pieces(self.manifest, shard, Stretch::Log, None, AHEAD);
        pin_mut!(pieces);
        while let Some(piece) = pieces.try_next().await? {
            reader.push(&piece.raw);
            let came_ms = piece.chunk.span.map_or(0, |span| span.last_ms);
            while let Some(command) = reader.step().map_err(unreadable)? {
                if command.name() == "select" {
                    db = selected(&command).unwrap_or(db);
                }
                let logged = Logged {
                    shard,
                    db,
                    came_ms: i64::try_from(came_ms).unwrap_or(i64::MAX),
                    command,
                };
                take(logged).await?;
            }
        }
        Ok(())
    }
}

fn selected(command: &LogCommand<'_>) -> Option<u64> {
    std::str::from_utf8(command.words.get(1)?)
        .ok()?
        .parse()
        .ok()
}
