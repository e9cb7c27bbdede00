//! From pieces to durable segments, one after the other. A store that fails is tried until it does not,
//! or until the follower is stopped: meanwhile the log waits, here and then in the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::cutter::Cut;
use super::gauge::LineGauges;
use crate::archive::{
    ArchiveError, EventKind, EventName, LineId, Owners, Repository, SegmentHead, SegmentName,
    encode_segment,
};
use crate::model::{Events, SlotSet};

/// The pause after the first failure, and the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A piece to be sealed.
pub(super) struct Piece {
    pub cut: Cut,
    pub replid: String,
    pub slots: SlotSet,
}

/// What seals the pieces of one shard.
pub(super) struct Sealer {
    pub repository: Repository,
    pub line: LineId,
    pub shard: u32,
    /// The number of the next segment.
    pub seq: u32,
    pub gauges: Arc<LineGauges>,
    pub events: Events,
    /// The offset up to which all is durable.
    pub durable: watch::Sender<u64>,
}

impl Sealer {
    /// Until nothing more comes.
    pub(super) async fn run(mut self, mut pieces: mpsc::Receiver<Piece>) {
        while let Some(piece) = pieces.recv().await {
            let span = piece.cut.span;
            let name = SegmentName {
                line: self.line.clone(),
                shard: self.shard,
                seq: self.seq,
                replid: piece.replid.chars().take(8).collect(),
                span,
            };
            let head = SegmentHead {
                format: 0,
                replid: piece.replid,
                first_command: piece.cut.first_command,
                commands: piece.cut.commands,
                ends_inside: piece.cut.ends_inside,
                slots: piece.slots,
            };
            let raw = Bytes::from(encode_segment(head, &piece.cut.frames));
            drop(piece.cut.frames);
            let bytes = until_stored(&self.events, || {
                self.repository.put_segment(&name, raw.clone())
            })
            .await;
            self.seq += 1;
            if let Some(gauge) = self.gauges.shards.get(self.shard as usize) {
                gauge.sealed(span.last_offset, span.last_ms, bytes);
            }
            self.durable.send_replace(span.last_offset);
        }
    }
}

/// Stores what happens to a line as a whole.
pub(super) async fn events(
    repository: Repository,
    line: LineId,
    mut seq: u32,
    told: Events,
    mut owners: mpsc::Receiver<Owners>,
) {
    while let Some(owners) = owners.recv().await {
        let name = EventName {
            line: line.clone(),
            seq,
            kind: EventKind::Owners,
            at_ms: owners.at_ms,
        };
        until_stored(&told, || repository.put_event(&name, &owners)).await;
        seq += 1;
    }
}

/// Tries until it is stored; says so when it takes more than one try.
async fn until_stored<T, F>(events: &Events, store: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, ArchiveError>>,
{
    let mut pause = PAUSE;
    let mut has_failed = false;
    loop {
        match store().await {
            Ok(stored) => {
                if has_failed {
                    events.note("the time line is being stored again");
                }
                return stored;
            }
            Err(error) => {
                if !has_failed {
                    events.note(format!(
                        "the time line cannot be stored, trying on: {error}"
                    ));
                }
                has_failed = true;
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
