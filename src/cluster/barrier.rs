//! The barrier: one moment in the histories of all masters, such that whatever an application did
//! after seeing the effect of something else is cut off with it or kept with it.
//!
//! Writes are paused on every master at once, each says how far its history goes, and all are let go.
//! It takes two round trips to the slowest of them, whatever the size of the data. A try that takes
//! longer than that is given up at once and made again, so that one slow master does not hold up the
//! others' writes; only the last takes what comes. The servers end the pause by themselves after its
//! limit, so a barrier that is killed in the middle does no harm. Reads go on; scripts that may write,
//! PUBLISH, expiry and eviction wait as writes do.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::aside::{Aside, finished};
use super::calm::calm;
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use crate::model::{Info, NodeAddr, words};

/// How often it is tried to cut quickly before it is cut however long that takes.
const QUICK_TRIES: u32 = 8;
/// How long a quick try may wait for the last answer, where that is more than two round trips. Timers
/// may be late by one millisecond.
const QUICK: Duration = Duration::from_millis(2);
/// Between two tries: what was held up goes on.
const REST: Duration = Duration::from_millis(10);
/// How long a calm moment is waited for at the most.
const CALM: Duration = Duration::from_secs(1);

/// Where one master's history was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The master.
    pub addr: NodeAddr,
    /// Its history.
    pub replid: String,
    /// All up to this offset is before the cut.
    pub offset: u64,
}

/// A cut through all masters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barrier {
    /// A cut a master, in the order in which they were given.
    pub cuts: Vec<Cut>,
    /// The longest that a master held writes up, in this try or in one that was given up: by its own
    /// clock, else from the first pause that was asked for to the last release that was answered.
    pub stall: Duration,
    /// How many tries it took.
    pub tries: u32,
}

/// Why there is no cut. No master is paused any more, or its limit ends that.
#[derive(Debug, thiserror::Error)]
pub enum NoBarrier {
    /// A master could not be asked or refused.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It took longer than the pause lasts, so writes may have got in between.
    #[error("the cut took {}, and the pause holds for {} at most", words::duration(*took), words::duration(*limit))]
    TooSlow {
        /// How long it took.
        took: Duration,
        /// How long the pause holds.
        limit: Duration,
    },
    /// A master no longer is one.
    #[error("{addr} is no longer a master")]
    NoMaster {
        /// Which.
        addr: NodeAddr,
    },
}

/// All that a cut needs, ready. It runs on a thread of its own: whatever else the program does must
/// not lengthen the pause.
pub struct Gate {
    masters: Arc<[Master]>,
    /// The shortest time in which all have answered.
    best: Duration,
    aside: Aside,
}

struct Master {
    addr: NodeAddr,
    node: Node,
}

/// One try.
struct Held {
    /// What the masters said; `None` when it was given up.
    histories: Option<Vec<Option<History>>>,
    /// Until the last of them was known to be paused.
    took: Duration,
    stall: Duration,
}

struct History {
    replid: String,
    offset: u64,
}

/// What a master said that was paused, and the time by its clock just before.
struct Paused {
    at: Option<Duration>,
    /// `None` from a node that is no master.
    history: Option<History>,
}

impl Gate {
    /// Connects to the masters and waits for a moment at which all of them answer quickly, for a
    /// while at most.
    ///
    /// # Errors
    /// When one is not reached.
    pub async fn to(access: &Access, masters: &[NodeAddr]) -> Result<Gate, NodeError> {
        let aside = Aside::start("barrier");
        let (access, addrs) = (access.clone(), masters.to_vec());
        let ready = on(&aside, async move {
            let connecting = addrs.iter().map(|addr| Node::connect(&access, addr));
            let nodes: Vec<Node> = all(join_all(connecting).await)?;
            let best = calm(&nodes, CALM).await;
            let masters = addrs.into_iter().zip(nodes);
            let masters = masters.map(|(addr, node)| Master { addr, node });
            Ok((masters.collect(), best))
        });
        let (masters, best) = ready.await?;
        Ok(Gate {
            masters,
            best,
            aside,
        })
    }

    /// Cuts. `limit` is how long the servers hold a pause at the most.
    ///
    /// # Errors
    /// As [`NoBarrier`].
    pub async fn cut(&self, limit: Duration) -> Result<Barrier, NoBarrier> {
        let (masters, patience) = (self.masters.clone(), QUICK.max(self.best * 2));
        on(
            &self.aside,
            async move { cut(&masters, limit, patience).await },
        )
        .await
    }
}

/// Cuts at the next calm moment: see [`Gate`].
///
/// # Errors
/// As [`NoBarrier`].
pub async fn barrier(
    access: &Access,
    masters: &[NodeAddr],
    limit: Duration,
) -> Result<Barrier, NoBarrier> {
    Gate::to(access, masters).await?.cut(limit).await
}

async fn on<T: Send + 'static>(aside: &Aside, work: impl Future<Output = T> + Send + 'static) -> T {
    let task = {
        let _entered = aside.enter();
        AbortOnDropHandle::new(tokio::spawn(work))
    };
    finished(task).await
}

async fn cut(
    masters: &[Master],
    limit: Duration,
    patience: Duration,
) -> Result<Barrier, NoBarrier> {
    let mut longest = Duration::ZERO;
    let mut tries = 0;
    loop {
        tries += 1;
        let is_quick = tries <= QUICK_TRIES && patience < limit;
        let held = hold(masters, limit, is_quick.then_some(patience)).await?;
        longest = longest.max(held.stall);
        let Some(histories) = held.histories else {
            sleep(REST).await;
            continue;
        };
        if held.took >= limit {
            let took = held.took;
            return Err(NoBarrier::TooSlow { took, limit });
        }
        let cuts = histories.into_iter().zip(masters).map(|(history, master)| {
            let addr = master.addr.clone();
            match history {
                None => Err(NoBarrier::NoMaster { addr }),
                Some(History { replid, offset }) => Ok(Cut {
                    addr,
                    replid,
                    offset,
                }),
            }
        });
        return Ok(Barrier {
            cuts: cuts.collect::<Result<_, NoBarrier>>()?,
            stall: longest,
            tries,
        });
    }
}

/// Pauses all and lets all go, whatever came of it. Where not all are paused in time, nobody waits for
/// the last before the others are let go, and nothing is known of a common moment.
async fn hold(
    masters: &[Master],
    limit: Duration,
    patience: Option<Duration>,
) -> Result<Held, NodeError> {
    let begun = Instant::now();
    let mut pausing = pin!(join_all(
        masters.iter().map(|master| pause(&master.node, limit))
    ));
    let in_time = match patience {
        Some(patience) => timeout(patience, pausing.as_mut()).await.ok(),
        None => Some(pausing.as_mut().await),
    };
    let took = begun.elapsed();
    let releasing = join_all(masters.iter().map(|master| release(&master.node)));
    let is_held = in_time.is_some();
    let (paused, released) = match in_time {
        Some(paused) => (paused, releasing.await),
        None => tokio::join!(pausing, releasing),
    };
    let by_our_clock = begun.elapsed();
    let (paused, released) = (all(paused)?, all(released)?);
    let stall = by_their_clocks(&paused, &released).unwrap_or(by_our_clock);
    let histories = paused.into_iter().map(|paused| paused.history);
    Ok(Held {
        histories: is_held.then(|| histories.collect()),
        took,
        stall: stall.min(by_our_clock),
    })
}

/// The longest that one of them was paused; `None` when not all of them told the time.
fn by_their_clocks(paused: &[Paused], released: &[Option<Duration>]) -> Option<Duration> {
    let stalls = paused.iter().zip(released);
    let stalls = stalls.map(|(paused, released)| released.as_ref()?.checked_sub(paused.at?));
    stalls.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Asks for the time, pauses writes and reads the history in one flight.
async fn pause(node: &Node, limit: Duration) -> Result<Paused, NodeError> {
    let commands = [
        Command::words("TIME"),
        Command::words("CLIENT PAUSE")
            .arg(limit.as_millis().to_string())
            .arg("WRITE"),
        Command::words("INFO replication"),
    ];
    let mut replies = node.ask_all(&commands).await?.into_iter();
    let at = replies.next().and_then(time);
    if let Some(paused) = replies.next() {
        paused?;
    }
    let info = match replies.next() {
        Some(reply) => reply?,
        None => Reply::Nil,
    };
    let info = Info::parse(&info.text().unwrap_or_default());
    let is_master = info.get("role") == Some("master");
    let history = info
        .get("master_replid")
        .zip(info.number("master_repl_offset"))
        .filter(|_| is_master)
        .map(|(replid, offset)| History {
            replid: replid.to_owned(),
            offset,
        });
    Ok(Paused { at, history })
}

/// Lets writes go and asks for the time, in one flight.
async fn release(node: &Node) -> Result<Option<Duration>, NodeError> {
    let commands = [Command::words("CLIENT UNPAUSE"), Command::words("TIME")];
    let mut replies = node.ask_all(&commands).await?.into_iter();
    if let Some(released) = replies.next() {
        released?;
    }
    Ok(replies.next().and_then(time))
}

/// The time of a node's clock; `None` where it may not be asked for.
fn time(reply: Result<Reply, NodeError>) -> Option<Duration> {
    let reply = reply.ok()?;
    let [seconds, micros] = reply.list() else {
        return None;
    };
    let number = |reply: &Reply| reply.text()?.parse::<u64>().ok();
    Some(Duration::from_secs(number(seconds)?) + Duration::from_micros(number(micros)?))
}

fn all<T>(outcomes: Vec<Result<T, NodeError>>) -> Result<Vec<T>, NodeError> {
    outcomes.into_iter().collect()
}
