//! Parcels that a master did not take go out again: to who owns their slots now, or to where ASK points.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::feed::{ANSWER, Inner, PATIENCE};
use super::parcel::Parcel;
use super::trouble::Trouble;
use crate::cluster::NodeError;
use crate::cluster::lane::{Answered, Answers, Batch, Lane};
use crate::model::NodeAddr;

/// Between two looks at a target that is not whole.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// A parcel that has to go out again.
pub(super) struct Stray {
    pub parcel: Parcel,
    /// Where to, when ASK said so.
    pub ask: Option<NodeAddr>,
    pub why: String,
}

/// Sends strays out again: all that there are, after one look at who owns what now.
pub(super) async fn recover(inner: &Arc<Inner>, strays: &mut mpsc::UnboundedReceiver<Stray>) {
    let mut is_told = false;
    loop {
        let first = tokio::select! {
            first = strays.recv() => first,
            () = inner.doubt.notified() => {
                if let Some(table) = inner.watch.look().await {
                    is_told = inner.tell(&table, is_told);
                }
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut all = vec![first];
        while let Ok(stray) = strays.try_recv() {
            all.push(stray);
        }
        if all.iter().any(|stray| stray.ask.is_none()) {
            sleep(LOOK_AGAIN).await;
            if let Some(table) = inner.watch.look().await {
                is_told = inner.tell(&table, is_told);
            }
        }
        for stray in all {
            let since = stray.parcel.since.unwrap_or_else(Instant::now);
            if since.elapsed() > PATIENCE {
                inner.fail(Trouble::Lost {
                    why: stray.why,
                    seconds: PATIENCE.as_secs(),
                });
                continue;
            }
            match stray.ask {
                Some(to) => asked(inner, &to, stray.parcel).await,
                None => routed(inner, stray.parcel, &stray.why),
            }
        }
    }
}

/// A slot is on its way: its keys are taken where ASK points.
async fn asked(inner: &Arc<Inner>, to: &NodeAddr, parcel: Parcel) {
    let mut batch = Batch::with_capacity(parcel.batch.size());
    for n in 0..parcel.batch.len() {
        batch.push(&[b"ASKING"]);
        batch.push_raw(parcel.batch.command(n));
    }
    let slot = parcel.slots.first().copied().unwrap_or(0);
    let answered = tokio::select! {
        answered = answer(inner, to, parcel.db, batch) => answered,
        () = inner.watch.ousted(to, slot) => Err(NodeError::Closed {
            addr: to.clone(),
            why: "it is no master any more".to_owned(),
        }),
    };
    match answered {
        Ok(answered) => {
            inner.answered(to, parcel, without_asking(answered.answers));
        }
        Err(error) => {
            sleep(LOOK_AGAIN).await;
            inner.stray(parcel, None, error.to_string());
        }
    }
}

/// The answers to every second command, in the places of those.
fn without_asking(answers: Answers) -> Answers {
    let is_asked = |n: &usize| n % 2 == 1;
    let refused = answers.refused.into_iter().filter(|(n, _)| is_asked(n));
    Answers {
        refused: refused.map(|(n, words)| (n / 2, words)).collect(),
        nothing: answers
            .nothing
            .into_iter()
            .filter(is_asked)
            .map(|n| n / 2)
            .collect(),
    }
}

/// What a node says to that, in that database.
async fn answer(
    inner: &Arc<Inner>,
    to: &NodeAddr,
    db: u64,
    batch: Batch,
) -> Result<Answered, NodeError> {
    let mut lane = Lane::open(inner.access(), to, ANSWER).await?;
    if db != 0 {
        let mut select = Batch::default();
        select.push(&[b"SELECT", db.to_string().as_bytes()]);
        lane.send(Arc::new(select)).await;
        lane.answered().await?;
    }
    lane.send(Arc::new(batch)).await;
    lane.answered().await
}

/// Sends the commands to those who own their slots now.
fn routed(inner: &Arc<Inner>, parcel: Parcel, why: &str) {
    let table = inner.watch.routes.now();
    let mut places = BTreeMap::<Option<NodeAddr>, Vec<usize>>::new();
    for (n, slot) in parcel.slots.iter().enumerate() {
        places
            .entry(table.addr(*slot).cloned())
            .or_default()
            .push(n);
    }
    inner
        .out
        .fetch_add(places.len().saturating_sub(1), Ordering::AcqRel);
    let many = places.len() > 1;
    let mut left = Some(parcel);
    for (addr, places) in places {
        let whole = match (&left, many) {
            (Some(parcel), true) => parcel.twin(),
            _ => match left.take() {
                Some(parcel) => parcel,
                None => return,
            },
        };
        let part = whole.part(&places);
        match addr {
            Some(addr) => inner.queue(&addr, part),
            None => inner.stray(part, None, why.to_owned()),
        }
    }
    if let Some(parcel) = left {
        parcel.finish();
    }
}
