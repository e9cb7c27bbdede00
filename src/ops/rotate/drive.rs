//! Takes the steps. Each is noted on disk after it is done, and can be taken twice.

use tokio_util::sync::CancellationToken;

use super::decide::{Step, Until, next};
use super::journal::{Journal, JournalError, Noted};
use super::report::Lingering;
use super::server::{self, Relinked};
use super::standing::{Link, Standing, look_again};
use crate::cluster::{Access, Kept, NodeError};
use crate::model::{Consent, Events, NodeAddr, NodeId, Secret};

/// So many names of connections are kept of a node.
const NAMES: usize = 10;

/// What a rotation needs.
pub struct Rotating<'a> {
    /// The way to the nodes, as somebody who may set users.
    pub access: &'a Access,
    /// The new password.
    pub new: &'a Secret,
    /// The old one, where it is known.
    pub old: Option<&'a Secret>,
    /// What replicas logged in with before, where it is known.
    pub old_auth: Option<&'a Secret>,
    /// Told to stop: after the step that is under way.
    pub stop: &'a CancellationToken,
    /// Where progress is told.
    pub events: &'a Events,
    /// The time now, ms since the epoch.
    pub now_ms: fn() -> u64,
    /// Puts the journal on disk.
    pub write: &'a (dyn Fn(&Journal) -> Result<(), JournalError> + Sync),
}

/// Where it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// The caller's files are to take the new password.
    Follow,
    /// The caller's files are to take the old one.
    Unfollow,
    /// The clients' turn.
    Clients,
    /// All is done.
    Done,
    /// All is as it was.
    Undone,
    /// It was told to stop.
    Stopped,
}

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A node.
    #[error("{0}")]
    Node(#[from] NodeError),
    /// The journal.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// What was seen is not what must be.
    #[error("{at}: {why}")]
    Seen {
        /// The node.
        at: NodeAddr,
        /// What is wrong.
        why: String,
    },
    /// A step left everything as it was.
    #[error("the step {0} changed nothing: somebody else sets this user at the same time")]
    Stuck(String),
}

impl Rotating<'_> {
    /// Takes steps until one is not its own.
    pub async fn run(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        until: Until,
        _consent: &Consent,
    ) -> Result<Paused, Trouble> {
        let mut last = None;
        loop {
            let step = next(journal, nodes, until);
            let paused = match step {
                Step::Follow => Some(Paused::Follow),
                Step::Unfollow => Some(Paused::Unfollow),
                Step::Clients => Some(Paused::Clients),
                Step::Done => Some(Paused::Done),
                Step::Undone => Some(Paused::Undone),
                _ if self.stop.is_cancelled() => Some(Paused::Stopped),
                _ => None,
            };
            if let Some(paused) = paused {
                return Ok(paused);
            }
            // Each step changes what the next is decided from; one that does not would come for ever.
            if last.as_ref() == Some(&step) {
                return Err(Trouble::Stuck(format!("{step:?}")));
            }
            self.take(&step, journal, nodes).await?;
            (self.write)(journal)?;
            last = Some(step);
        }
    }

    async fn take(
        &self,
        step: &Step,
        journal: &mut Journal,
        nodes: &mut [Standing],
    ) -> Result<(), Trouble> {
        match step {
            Step::Add(id) => self.add(journal, nodes, id).await,
            Step::Verify => self.verify(journal, nodes).await,
            Step::Authorise(id) => self.authorise(journal, nodes, id).await,
            Step::Reconnect(id) => self.reconnect(journal, nodes, id).await,
            Step::Remove(id) => self.remove(journal, nodes, id).await,
            Step::Confirm => self.confirm(journal, nodes).await,
            Step::Unauthorise(id) => self.unauthorise(journal, nodes, id).await,
            Step::Withdraw(id) => self.withdraw(journal, nodes, id).await,
            Step::Follow | Step::Clients | Step::Done | Step::Unfollow | Step::Undone => Ok(()),
        }
    }

    /// Changes one node by `change`, sees what it holds then, and notes what became of it.
    async fn with<F>(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
        change: impl FnOnce(Standing) -> F,
        note: fn(&mut Noted, Kept),
    ) -> Result<(), Trouble>
    where
        F: Future<Output = Result<Kept, NodeError>>,
    {
        let Some(node) = nodes.iter_mut().find(|node| node.id == *id) else {
            return Ok(());
        };
        let kept = change(node.clone()).await?;
        *node = look_again(self.access, node, &journal.user).await?;
        note(journal.note(node), kept);
        Ok(())
    }

    async fn add(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        self.begin("adding the new password", nodes, id);
        let (user, new) = (journal.user.clone(), journal.new.clone());
        let change =
            |node: Standing| async move { server::add(self.access, &node, &user, &new).await };
        self.with(journal, nodes, id, change, |noted, kept| {
            noted.added = Some(kept);
            // Of a node that forgot it: whatever came after is to be done again.
            (noted.authorised, noted.reconnected, noted.removed) = (None, None, None);
        })
        .await?;
        let is_everywhere = nodes.iter().all(|node| node.has(&journal.new));
        if is_everywhere && journal.added_at_ms.is_none() {
            journal.added_at_ms = Some((self.now_ms)());
        }
        self.events
            .done(format!("{} takes both passwords", addr_of(nodes, id)));
        Ok(())
    }

    async fn verify(&self, journal: &mut Journal, nodes: &[Standing]) -> Result<(), Trouble> {
        self.events
            .begin("logging in at every node with both passwords");
        for node in nodes {
            server::log_in(self.access, &node.addr, &journal.user, self.new).await?;
            if let Some(old) = self.old {
                server::log_in(self.access, &node.addr, &journal.user, old).await?;
            }
        }
        journal.is_verified = true;
        self.events.done(match self.old {
            Some(_) => "every node takes the new password, and the old one still",
            None => "every node takes the new password",
        });
        Ok(())
    }

    async fn authorise(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        self.begin("setting masterauth", nodes, id);
        let change =
            |node: Standing| async move { server::authorise(self.access, &node, self.new).await };
        self.with(journal, nodes, id, change, |noted, kept| {
            noted.authorised = Some(kept)
        })
        .await?;
        self.events.done(format!(
            "{} will log in at its master with it",
            addr_of(nodes, id)
        ));
        Ok(())
    }

    async fn reconnect(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        self.begin("reconnecting", nodes, id);
        let Some(node) = nodes.iter().find(|node| node.id == *id) else {
            return Ok(());
        };
        let Some(master) = node.master.clone() else {
            return Ok(());
        };
        let needs_all = nodes
            .iter()
            .any(|other| other.addr == master && other.min_replicas > 0);
        let told = if needs_all {
            // The master would refuse writes meanwhile; the password was seen to be taken above.
            "left alone: its master refuses writes without it (min-replicas-to-write)".to_owned()
        } else {
            match server::reconnect(self.access, &node.addr, &master).await? {
                Relinked::Partial => "partial".to_owned(),
                Relinked::Full => {
                    let why = format!(
                        "its reconnect copied all data from {master}: replicas are not reconnected any further"
                    );
                    return Err(Trouble::Seen {
                        at: node.addr.clone(),
                        why,
                    });
                }
                Relinked::Down(status) => {
                    let why = format!("its link to {master} did not come back ({status})");
                    return Err(Trouble::Seen {
                        at: node.addr.clone(),
                        why,
                    });
                }
            }
        };
        self.events.done(format!("{}: {told}", node.addr));
        journal.note(node).reconnected = Some(told);
        Ok(())
    }

    async fn remove(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        if !journal.is_removing {
            journal.is_removing = true;
            (self.write)(journal)?;
        }
        self.begin("removing the old password", nodes, id);
        let (user, old) = (journal.user.clone(), journal.old.clone());
        let change = |node: Standing| async move {
            let is_setting = user == "default" && node.has_requirepass && !node.files.has_acl_file;
            match is_setting {
                true => server::require(self.access, &node, self.new).await,
                false => server::remove(self.access, &node, &user, &old).await,
            }
        };
        self.with(journal, nodes, id, change, |noted, kept| {
            noted.removed = Some(kept)
        })
        .await?;
        self.events.done(format!(
            "{} takes the new password only",
            addr_of(nodes, id)
        ));
        Ok(())
    }

    async fn confirm(&self, journal: &mut Journal, nodes: &mut [Standing]) -> Result<(), Trouble> {
        self.events
            .begin("seeing that the old password is refused everywhere");
        for node in nodes.iter_mut() {
            *node = look_again(self.access, node, &journal.user).await?;
            let seen = |why: String| Trouble::Seen {
                at: node.addr.clone(),
                why,
            };
            server::log_in(self.access, &node.addr, &journal.user, self.new).await?;
            if let Some(old) = self.old {
                match server::log_in(self.access, &node.addr, &journal.user, old).await {
                    Err(NodeError::PasswordWrong { .. }) => {}
                    Ok(()) => return Err(seen("it still takes the old password".to_owned())),
                    Err(error) => return Err(error.into()),
                }
            }
            if node.link == Some(Link::Down) {
                return Err(seen("its link to its master is down".to_owned()));
            }
        }
        journal.is_confirmed = true;
        self.events
            .done("every node refuses the old password, and every link stands");
        Ok(())
    }

    async fn unauthorise(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        let Some(old) = self.old_auth else {
            let why =
                "what it logged in with at its master before is not known: set masterauth by hand"
                    .to_owned();
            return Err(Trouble::Seen {
                at: addr_of(nodes, id),
                why,
            });
        };
        self.begin("setting masterauth back", nodes, id);
        let change =
            |node: Standing| async move { server::authorise(self.access, &node, old).await };
        self.with(journal, nodes, id, change, |noted, kept| {
            noted.authorised = Some(kept)
        })
        .await
    }

    async fn withdraw(
        &self,
        journal: &mut Journal,
        nodes: &mut [Standing],
        id: &NodeId,
    ) -> Result<(), Trouble> {
        self.begin("removing the new password", nodes, id);
        let (user, new) = (journal.user.clone(), vec![journal.new.clone()]);
        let change =
            |node: Standing| async move { server::remove(self.access, &node, &user, &new).await };
        self.with(journal, nodes, id, change, |noted, kept| {
            noted.removed = Some(kept);
            noted.added = None;
        })
        .await?;
        self.events.done(format!(
            "{} takes the old password only",
            addr_of(nodes, id)
        ));
        Ok(())
    }

    fn begin(&self, what: &str, nodes: &[Standing], id: &NodeId) {
        self.events.begin(format!("{what}: {}", addr_of(nodes, id)));
    }

    /// The user's connections that are older than the new password.
    pub async fn lingering(
        &self,
        journal: &Journal,
        nodes: &[Standing],
    ) -> Result<Vec<Lingering>, Trouble> {
        let added = journal.added_at_ms.unwrap_or(journal.begun_at_ms);
        let mut lingering = Vec::new();
        for node in nodes {
            let all = server::connections(self.access, &node.addr, &journal.user).await?;
            // The server counts whole seconds: in doubt a connection counts as older.
            let since_ms = (self.now_ms)().saturating_sub(added);
            let may_be_older = |age_s: u64| (age_s + 1).saturating_mul(1000) > since_ms;
            let older: Vec<_> = (all.iter()).filter(|one| may_be_older(one.age_s)).collect();
            let mut names: Vec<String> = older.iter().map(|one| one.name.clone()).collect();
            names.sort();
            names.dedup();
            names.truncate(NAMES);
            lingering.push(Lingering {
                addr: node.addr.clone(),
                older: older.len(),
                connections: all.len(),
                names,
            });
        }
        Ok(lingering)
    }
}

fn addr_of(nodes: &[Standing], id: &NodeId) -> NodeAddr {
    let node = nodes.iter().find(|node| node.id == *id);
    node.map_or_else(|| NodeAddr::new("?", 0), |node| node.addr.clone())
}
