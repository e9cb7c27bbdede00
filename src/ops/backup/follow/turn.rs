//! One follower of a cluster at a time: whose turn it is, and what becomes of the others. Those wait, and
//! take over when the one before gives its lease back, has ended, or has not been heard of for a while.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Told, stopped};
use crate::archive::lease::{BEAT, Beaten, Holder, Lease, STALE};
use crate::archive::{ArchiveError, Repository};

/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_secs(2);
/// How long giving it back may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A turn that is had. Dropped, it is not kept any more.
pub(super) struct Turn {
    repository: Repository,
    cluster: String,
    lease: Lease,
    /// Who has it instead, as soon as somebody has.
    lost: watch::Receiver<Option<Option<Holder>>>,
    _beating: AbortOnDropHandle<()>,
}

/// What is to be thought of a lease that is another's: pure.
#[derive(Debug, Default)]
struct Watched {
    /// Which was seen last, how often it was written by then, and since when it stands so.
    seen: Option<(Lease, Instant)>,
}

impl Watched {
    /// Whether its holder is there no more.
    fn is_stale(&mut self, lease: &Lease, now: Instant) -> bool {
        match &self.seen {
            Some((seen, since)) if seen == lease => now.duration_since(*since) >= STALE,
            _ => {
                self.seen = Some((lease.clone(), now));
                false
            }
        }
    }
}

/// Waits for the turn; `None` when it was stopped meanwhile.
///
/// # Errors
/// When the repository cannot be read or written.
pub(super) async fn turn(
    repository: &Repository,
    cluster: &str,
    holder: Holder,
    has_ended: fn(&str) -> bool,
    told: &mpsc::UnboundedSender<Told>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Turn>, ArchiveError> {
    let mut watched = Watched::default();
    let mut is_told = false;
    loop {
        let there = repository.lease(cluster).await?;
        let is_free = there.as_ref().is_none_or(|lease| {
            lease.holder.mark.as_deref().is_some_and(has_ended)
                || watched.is_stale(lease, Instant::now())
        });
        if is_free {
            let taken = repository
                .take_lease(cluster, there.as_ref(), holder.clone())
                .await?;
            if let Some(lease) = taken {
                if let Some(before) = there {
                    // Nobody listens any more when the program ends.
                    let _ = told.send(Told::TakenOver(before.holder));
                }
                return Ok(Some(Turn::begin(repository, cluster, lease)));
            }
        } else if let Some(lease) = there.filter(|_| !is_told) {
            is_told = true;
            let _ = told.send(Told::Waits(lease.holder));
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stopped(stop) => return Ok(None),
        }
    }
}

impl Turn {
    fn begin(repository: &Repository, cluster: &str, lease: Lease) -> Turn {
        let (lose, lost) = watch::channel(None);
        let beating = beat(repository.clone(), cluster.to_owned(), lease.clone(), lose);
        Turn {
            repository: repository.clone(),
            cluster: cluster.to_owned(),
            lease,
            lost,
            _beating: AbortOnDropHandle::new(tokio::spawn(beating)),
        }
    }

    /// Ends when another has it, and tells who if that is known.
    pub(super) async fn lost(&mut self) -> Option<Holder> {
        match self.lost.wait_for(Option::is_some).await {
            Ok(lost) => lost.clone().flatten(),
            // The beating ends with a loss only.
            Err(_) => None,
        }
    }

    /// Gives it back. Where that cannot be done others wait until it is stale.
    pub(super) async fn end(self) {
        let Turn {
            repository,
            cluster,
            lease,
            _beating: beating,
            ..
        } = self;
        drop(beating);
        let giving = repository.release_lease(&cluster, &lease);
        let _ = tokio::time::timeout(LAST_WORDS, giving).await;
    }
}

/// Says again and again that somebody is there. A store that fails is asked at the next beat.
async fn beat(
    repository: Repository,
    cluster: String,
    mut lease: Lease,
    lose: watch::Sender<Option<Option<Holder>>>,
) {
    loop {
        sleep(BEAT).await;
        if let Ok(Beaten::Lost(holder)) = repository.beat_lease(&cluster, &mut lease).await {
            // What it may have written after it was lost is nobody's.
            let _ = repository.release_lease(&cluster, &lease).await;
            lose.send_replace(Some(holder));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Creation, Store};

    #[tokio::test]
    async fn a_count_that_stands_still_for_long_is_stale() {
        let (store, creation) = (Store::memory(), Creation::default());
        let repository = Repository::create_or_open_in(store, None, &creation);
        let repository = repository.await.unwrap();
        let taken = repository.take_lease("shop", None, Holder::default()).await;
        let mut lease = taken.unwrap().unwrap();
        let (mut watched, begin) = (Watched::default(), Instant::now());
        assert!(!watched.is_stale(&lease, begin));
        assert!(!watched.is_stale(&lease, begin + STALE - BEAT));
        lease.beat += 1;
        assert!(!watched.is_stale(&lease, begin + STALE));
        assert!(!watched.is_stale(&lease, begin + STALE * 2 - BEAT));
        assert!(watched.is_stale(&lease, begin + STALE * 2));
    }
}
