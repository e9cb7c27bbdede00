//! One shard is read: its base over one link and, beside it, the log over another, up to the cut.
//!
//! The log is received from the moment that the base begins, so nothing waits in the server. While the
//! cut is made what comes is only kept; what lies behind the cut is thrown away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, interval, timeout_at};

use super::base::{Contents, Cutter, PieceSize};
use super::gauge::{Gauge, Gauges, Stage};
use super::log::{LogCutter, Marked};
use super::order::{BaseWatch, Beginning, Wire};
use super::puts::Puts;
use super::rate::Rate;
use super::sources::Source;
use super::trouble::Trouble;
use crate::archive::{Buffers, Chunk, Kind, Writer};
use crate::cluster::replica::{Base, Log, Resumed};
use crate::cluster::{Access, Momentary, NodeError, Wanted};
use crate::host::here::is_here;

/// How long a log may take to reach the cut: a replica has it as soon as it came to it.
const LOG_PATIENCE: Duration = Duration::from_secs(30);
/// How large pieces of a log become at the most.
const LOG_PIECE: usize = 1 << 20;
/// Servers drop a link that says nothing for `repl-timeout` (60 s).
const ACKNOWLEDGE: Duration = Duration::from_secs(1);

/// What all shards of a capture share.
pub(super) struct Shared {
    pub access: Access,
    pub writer: Arc<Writer>,
    /// For pieces of bases on their way.
    pub buffers: Buffers,
    pub size: PieceSize,
    /// Pieces of bases that are being packed and stored at once, over all shards.
    pub packing: Arc<Semaphore>,
    /// The same for pieces of logs.
    pub logging: Arc<Semaphore>,
    /// What is changed on a node until its child is there.
    pub settings: Momentary,
    pub wire: Wire,
    pub rate: Rate,
    pub gauges: Arc<Gauges>,
    pub now_ms: fn() -> u64,
    /// Who else hears of each base that begins.
    pub told: Option<BaseWatch>,
}

/// Where the capture as a whole is.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Logs run.
    Running,
    /// A moment for the cut is waited for: bases wait, so that masters have the machine for themselves,
    /// and logs run on.
    Calming,
    /// The cut is being made: bases wait, and logs are only kept.
    Cutting,
    /// It was made, and is compared with what was there before.
    Checking,
    /// It is made: the offset for each shard.
    Cut(Arc<Vec<u64>>),
    /// It is made by the clock: what came so far, up to the last whole command.
    Now,
}

/// A shard has begun: its log goes on after this.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub shard: usize,
    pub replid: String,
    pub offset: u64,
}

/// A shard that was read.
pub(super) struct Read {
    pub replid: Option<String>,
    pub base_offset: u64,
    pub cut_offset: u64,
    pub contents: Contents,
    pub marked: Marked,
    pub base: Vec<Chunk>,
    pub log: Vec<Chunk>,
    pub log_bytes: u64,
}

impl Read {
    /// A shard that was read key by key: it belongs to no history and to no moment.
    pub(super) fn scanned((contents, base): (Contents, Vec<Chunk>)) -> Read {
        Read {
            replid: None,
            base_offset: 0,
            cut_offset: 0,
            contents,
            marked: Marked::default(),
            base,
            log: Vec::new(),
            log_bytes: 0,
        }
    }
}

/// One shard's reading.
pub(super) struct Reading {
    pub shared: Arc<Shared>,
    pub shard: usize,
    pub source: Source,
    pub turn: Arc<Semaphore>,
    pub begun: mpsc::Sender<Begun>,
    pub phase: watch::Receiver<Phase>,
}

impl Reading {
    pub(super) async fn run(self) -> Result<Read, Trouble> {
        // Never closed, so there is always a turn in the end.
        let turn = self.turn.clone().acquire_owned().await.ok();
        let base = self.begin().await?;
        let (replid, base_offset) = (base.replid.clone(), base.offset);
        // The offset was named when the child was forked: what is set from now on is nothing to it.
        let (access, addr) = (&self.shared.access, &self.source.addr);
        let log = tokio::join!(
            self.log_after(&replid, base_offset),
            self.shared.settings.put_back_on(access, addr),
        );
        let log = log.0?;
        if let Some(tell) = &self.shared.told {
            tell(Beginning {
                snapshot: self.shared.writer.id().clone(),
                shard: self.shard,
                shards: self.shared.gauges.shards.len(),
                source: self.source.clone(),
                replid: replid.clone(),
                offset: base_offset,
            });
        }
        let told = Begun {
            shard: self.shard,
            replid: replid.clone(),
            offset: base_offset,
        };
        // Whoever listened has given up, and with it this.
        let _ = self.begun.send(told).await;
        self.gauge().stage(Stage::Base);
        let based = async {
            let read = self.base(base).await;
            drop(turn);
            self.gauge().stage(Stage::Log);
            read
        };
        let ((contents, base), logged) = tokio::try_join!(based, self.log(log, base_offset))?;
        self.gauge().stage(Stage::Done);
        Ok(Read {
            replid: Some(replid),
            base_offset,
            cut_offset: logged.cut,
            contents,
            marked: logged.marked,
            base,
            log: logged.chunks,
            log_bytes: logged.bytes,
        })
    }

    fn gauge(&self) -> &Gauge {
        // A gauge a shard, made with them.
        &self.shared.gauges.shards[self.shard]
    }

    async fn begin(&self) -> Result<Base, Trouble> {
        let (shared, addr) = (&self.shared, &self.source.addr);
        let wanted = wanted(shared.wire, || is_here(addr, shared.access.deadline)).await;
        let addrs = std::slice::from_ref(addr);
        shared.settings.set(&shared.access, addrs, &wanted).await;
        let asked = Base::ask(&shared.access, addr).await;
        asked.map_err(|error| Trouble::of_asking(self.shard + 1, error))
    }

    async fn log_after(&self, replid: &str, offset: u64) -> Result<Log, Trouble> {
        let (access, addr) = (&self.shared.access, &self.source.addr);
        match Log::resume(access, addr, replid, offset).await {
            Ok(Resumed::Log(log)) => Ok(log),
            Ok(Resumed::Gap) => Err(Trouble::Gap {
                shard: self.shard + 1,
                addr: addr.clone(),
            }),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: NodeError) -> Trouble {
        let shard = self.shard + 1;
        Trouble::Source { shard, error }
    }

    fn unreadable(&self, error: crate::rdb::RdbError) -> Trouble {
        Trouble::Sent {
            shard: self.shard + 1,
            addr: self.source.addr.clone(),
            error,
        }
    }

    async fn base(&self, mut base: Base) -> Result<(Contents, Vec<Chunk>), Trouble> {
        let mut cutter = Cutter::new(self.shared.size).sharing(&self.shared.buffers);
        let places = &self.shared.packing;
        let mut puts = Puts::new(&self.shared, self.shard, Kind::base(), places);
        let mut phase = self.phase.clone();
        while let Some(bytes) = base.next().await.map_err(|error| self.failed(error))? {
            self.shared.rate.take(bytes.len()).await;
            // An error means that the capture is over, and this with it.
            let _ = phase
                .wait_for(|phase| !matches!(phase, Phase::Calming | Phase::Cutting))
                .await;
            cutter
                .push(&bytes)
                .map_err(|error| self.unreadable(error))?;
            self.gauge().base(bytes.len(), cutter.keys());
            while let Some(piece) = cutter.piece() {
                puts.put(piece).await?;
            }
        }
        let (last, contents) = cutter.finish().map_err(|error| self.unreadable(error))?;
        for piece in last {
            puts.put(piece).await?;
        }
        Ok((contents, puts.all().await?))
    }

    async fn log(&self, mut log: Log, begins: u64) -> Result<Logged, Trouble> {
        let mut phase = self.phase.clone();
        let wanted = self.shared.size.wanted.min(LOG_PIECE);
        let mut kept = Kept::new(LogCutter::new(begins, wanted));
        let places = &self.shared.logging;
        let mut puts = Puts::new(&self.shared, self.shard, Kind::log(), places);
        let mut acknowledge = interval(ACKNOWLEDGE);
        loop {
            let at = phase.borrow_and_update().clone();
            match at {
                Phase::Running | Phase::Calming => {
                    for (bytes, ms) in kept.held.drain(..) {
                        let piece = kept.cutter.push(&bytes, ms);
                        if let Some(piece) = piece.map_err(|error| self.unreadable(error))? {
                            puts.put(piece).await?;
                        }
                    }
                }
                Phase::Cutting | Phase::Checking => {}
                Phase::Cut(cuts) => {
                    let cut = cuts.get(self.shard).copied().unwrap_or(begins);
                    self.up_to(cut, &mut log, &mut kept).await?;
                    let logged = self.end(cut, kept, puts).await?;
                    if logged.cut != cut {
                        let addr = &self.source.addr;
                        let what = format!("the log of {addr} has no whole command at the cut");
                        return Err(Trouble::Changed(what));
                    }
                    return Ok(logged);
                }
                Phase::Now => {
                    let cut = log.offset;
                    return self.end(cut, kept, puts).await;
                }
            }
            tokio::select! {
                bytes = log.next() => {
                    let bytes = bytes.map_err(|error| self.failed(error))?;
                    self.gauge().log(bytes.len());
                    kept.held.push((bytes, (self.shared.now_ms)()));
                }
                _ = phase.changed() => {}
                // The first offset again and again keeps the link alive, and is never taken by WAIT
                // for a replica that has the write.
                _ = acknowledge.tick() => {
                    log.acknowledge(begins).await.map_err(|error| self.failed(error))?;
                }
            }
        }
    }

    /// Receives the log until the cut is in.
    async fn up_to(&self, cut: u64, log: &mut Log, kept: &mut Kept) -> Result<(), Trouble> {
        let until = Instant::now() + LOG_PATIENCE;
        while log.offset < cut {
            let late = || Trouble::LogLate {
                shard: self.shard + 1,
                addr: self.source.addr.clone(),
                seconds: LOG_PATIENCE.as_secs(),
            };
            let bytes = timeout_at(until, log.next()).await.map_err(|_| late())?;
            let bytes = bytes.map_err(|error| self.failed(error))?;
            self.gauge().log(bytes.len());
            kept.held.push((bytes, (self.shared.now_ms)()));
        }
        Ok(())
    }

    async fn end(&self, cut: u64, mut kept: Kept, mut puts: Puts) -> Result<Logged, Trouble> {
        for (bytes, ms) in kept.before(cut) {
            let piece = kept.cutter.push(&bytes, ms);
            if let Some(piece) = piece.map_err(|error| self.unreadable(error))? {
                puts.put(piece).await?;
            }
        }
        let end = kept.cutter.offset();
        let (last, marked) = kept.cutter.finish();
        if let Some(piece) = last {
            puts.put(piece).await?;
        }
        Ok(Logged {
            cut: end,
            bytes: end - kept.begins,
            marked,
            chunks: puts.all().await?,
        })
    }
}

/// What a node's settings must be when it forks.
async fn wanted<F: Future<Output = bool>>(wire: Wire, is_here: impl FnOnce() -> F) -> Vec<Wanted> {
    let mut wanted = vec![Wanted::NO_SYNC_DELAY];
    match wire {
        Wire::Plain => wanted.push(Wanted::PLAIN_VALUES),
        Wire::Packed => wanted.push(Wanted::PACKED_VALUES),
        Wire::Auto if is_here().await => wanted.push(Wanted::PLAIN_VALUES),
        Wire::Auto => {}
    }
    wanted
}

/// What became of a log.
struct Logged {
    cut: u64,
    bytes: u64,
    marked: Marked,
    chunks: Vec<Chunk>,
}

/// A log so far, and what of it is only kept.
struct Kept {
    cutter: LogCutter,
    begins: u64,
    held: Vec<(bytes::Bytes, u64)>,
}

impl Kept {
    fn new(cutter: LogCutter) -> Kept {
        Kept {
            begins: cutter.offset(),
            cutter,
            held: Vec::new(),
        }
    }

    /// What is kept and lies before the cut.
    fn before(&mut self, cut: u64) -> Vec<(bytes::Bytes, u64)> {
        let mut at = self.cutter.pushed();
        let mut before = Vec::new();
        for (mut bytes, ms) in self.held.drain(..) {
            let left = usize::try_from(cut.saturating_sub(at)).unwrap_or(usize::MAX);
            at += bytes.len() as u64;
            bytes.truncate(left);
            before.push((bytes, ms));
        }
        before
    }
}
