//! The barrier: one moment in the histories of all masters, such that whatever an application did
//! after seeing the effect of something else is cut off with it or kept with it.
//!
//! Writes are paused on every master at once, each says how far its history goes, and all are let go.
//! It takes two round trips to the slowest of them, whatever the size of the data. The servers end
//! the pause by themselves after its limit, so a barrier that is killed in the middle does no harm.
//! Reads go on; scripts that may write, PUBLISH, expiry and eviction wait as writes do.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::aside::{Aside, finished};
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use crate::model::{Info, NodeAddr, words};

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
    /// For how long writes were held up at the most: from the first pause that was asked for to the
    /// last release that was answered.
    pub stall: Duration,
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

/// Cuts. `limit` is how long the servers hold the pause at the most. It runs on a thread of its own:
/// whatever else the program does must not lengthen the pause.
pub async fn barrier(
    access: &Access,
    masters: &[NodeAddr],
    limit: Duration,
) -> Result<Barrier, NoBarrier> {
    let aside = Aside::start("barrier");
    let (access, masters) = (access.clone(), masters.to_vec());
    let task = {
        let _entered = aside.enter();
        AbortOnDropHandle::new(tokio::spawn(
            async move { cut(&access, &masters, limit).await },
        ))
    };
    finished(task).await
}

async fn cut(access: &Access, masters: &[NodeAddr], limit: Duration) -> Result<Barrier, NoBarrier> {
    let connecting = masters.iter().map(|addr| Node::connect(access, addr));
    let nodes: Vec<Node> = all(join_all(connecting).await)?;
    let begun = Instant::now();
    let asked = join_all(nodes.iter().map(|node| pause(node, limit))).await;
    let held = begun.elapsed();
    // Let go whatever came of it.
    let released = join_all(nodes.iter().map(|node| node.say("CLIENT UNPAUSE"))).await;
    let stall = begun.elapsed();
    let cuts = all(asked)?;
    all(released)?;
    if held >= limit {
        return Err(NoBarrier::TooSlow { took: held, limit });
    }
    let cuts = cuts.into_iter().zip(masters).map(|(history, addr)| {
        let (replid, offset) = history.ok_or_else(|| NoBarrier::NoMaster { addr: addr.clone() })?;
        Ok(Cut {
            addr: addr.clone(),
            replid,
            offset,
        })
    });
    let cuts: Vec<Cut> = cuts.collect::<Result<_, NoBarrier>>()?;
    Ok(Barrier { cuts, stall })
}

/// Pauses writes and reads the history in one flight; `None` from a node that is no master.
async fn pause(node: &Node, limit: Duration) -> Result<Option<(String, u64)>, NodeError> {
    let commands = [
        Command::words("CLIENT PAUSE")
            .arg(limit.as_millis().to_string())
            .arg("WRITE"),
        Command::words("INFO replication"),
    ];
    let mut replies = node.ask_all(&commands).await?.into_iter();
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
        .zip(info.number("master_repl_offset"));
    Ok(history
        .filter(|_| is_master)
        .map(|(replid, offset)| (replid.to_owned(), offset)))
}

fn all<T>(outcomes: Vec<Result<T, NodeError>>) -> Result<Vec<T>, NodeError> {
    outcomes.into_iter().collect()
}
