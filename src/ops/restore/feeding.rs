//! One lane and what goes on it: a queue for one master, emptied as fast as it answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::feed::{ANSWER, Inner};
use super::parcel::Parcel;
use super::trouble::Trouble;
use crate::cluster::NodeError;
use crate::cluster::lane::{Answered, Batch, Lane};
use crate::model::NodeAddr;

/// Sends what is queued for one master, for as long as anything may come.
pub(super) async fn feed(
    inner: Arc<Inner>,
    addr: NodeAddr,
    mut queue: mpsc::UnboundedReceiver<Parcel>,
) {
    loop {
        let Some(first) = queue.recv().await else {
            return;
        };
        let opened = Lane::open(inner.access(), &addr, ANSWER).await;
        let lost = match opened {
            Ok(lane) => {
                let mut feeding = Feeding {
                    inner: &inner,
                    addr: &addr,
                    lane,
                    db: 0,
                    under_way: VecDeque::new(),
                    next: Some(first),
                    bytes: 0,
                };
                let ended = feeding.run(&mut queue).await;
                let on_lane = feeding.under_way.into_iter().flatten();
                let lost = on_lane.chain(feeding.next).collect();
                match ended {
                    Ok(()) => return,
                    Err(error) => (lost, error),
                }
            }
            Err(error) => (vec![first], error),
        };
        let (mut parcels, error): (Vec<Parcel>, NodeError) = lost;
        while let Ok(parcel) = queue.try_recv() {
            parcels.push(parcel);
        }
        match error {
            NodeError::PasswordWanted { .. }
            | NodeError::PasswordWrong { .. }
            | NodeError::Forbidden { .. } => inner.fail(Trouble::Node(error)),
            error => {
                for parcel in parcels {
                    inner.stray(parcel, None, error.to_string());
                }
            }
        }
    }
}

/// A lane being fed.
struct Feeding<'a> {
    inner: &'a Arc<Inner>,
    addr: &'a NodeAddr,
    lane: Lane,
    /// The database that the connection is in.
    db: u64,
    /// What is on the lane; a change of database is nobody's parcel.
    under_way: VecDeque<Option<Parcel>>,
    /// What goes on the lane as soon as there is room.
    next: Option<Parcel>,
    bytes: usize,
}

impl Feeding<'_> {
    async fn run(&mut self, queue: &mut mpsc::UnboundedReceiver<Parcel>) -> Result<(), NodeError> {
        loop {
            if self.has_room()
                && let Some(parcel) = self.next.take()
            {
                self.put(parcel).await;
            }
            let waits_for = self.under_way.iter().flatten().next();
            let slot = waits_for.and_then(|parcel| parcel.slots.first().copied());
            tokio::select! {
                answered = self.lane.answered(), if !self.lane.is_idle() => {
                    self.take(answered?);
                }
                () = self.inner.ousted(self.addr, slot.unwrap_or(0)), if slot.is_some() => {
                    return Err(NodeError::Closed {
                        addr: self.addr.clone(),
                        why: "it is no master any more".to_owned(),
                    });
                }
                parcel = queue.recv(), if self.next.is_none() => match parcel {
                    Some(parcel) => self.next = Some(parcel),
                    None => return Ok(()),
                },
            }
        }
    }

    /// One parcel may always be under way.
    fn has_room(&self) -> bool {
        let window = self.inner.window.load(Ordering::Relaxed);
        // Two at the most go on the lane for one parcel.
        self.under_way.is_empty() || (self.under_way.len() < 14 && self.bytes < window)
    }

    async fn put(&mut self, parcel: Parcel) {
        if parcel.db != self.db {
            self.db = parcel.db;
            let mut select = Batch::default();
            select.push(&[b"SELECT", parcel.db.to_string().as_bytes()]);
            self.under_way.push_back(None);
            self.lane.send(Arc::new(select)).await;
        }
        let batch = parcel.batch.clone();
        self.bytes += batch.size();
        self.under_way.push_back(Some(parcel));
        self.lane.send(batch).await;
    }

    fn take(&mut self, answered: Answered) {
        match self.under_way.pop_front().flatten() {
            Some(parcel) => {
                let Answered { batch, answers } = answered;
                self.bytes -= batch.size().min(self.bytes);
                // So that it is held by its parcel alone, and can be filled again.
                drop(batch);
                self.inner.answered(self.addr, parcel, answers);
            }
            None => {
                if let Some((_, said)) = answered.answers.refused.into_iter().next() {
                    let addr = self.addr.clone();
                    self.inner.fail(Trouble::NotTaken { addr, said });
                }
            }
        }
    }
}
