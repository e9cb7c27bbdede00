//! Putting back what this drill, or one that was killed, left broken.

use std::fmt::Display;
use std::time::Duration;

use anyhow::anyhow;

use super::Running;
use super::refused::{host_failure, journal_failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::reach;
use crate::cli::signal::unless_signalled_again;
use crate::cluster::Access;
use crate::cluster::load::sweep;
use crate::host::drill::Hosts;
use crate::host::journal::{self, Entry, Journal};
use crate::model::words::counted;
use crate::ops::failover;

/// How long the keys of a drill that was cut off are looked for.
const SWEEPING: Duration = Duration::from_secs(5);
/// Between two looks, while the cluster finds itself again.
const PAUSE: Duration = Duration::from_millis(200);

impl Running<'_> {
    /// Puts back what a run that was killed left broken, before anything else is begun; tells whether
    /// there was anything.
    pub(super) async fn heal_leftovers(&self, journal: &Journal) -> Result<bool, Failure> {
        let entries = journal.entries().map_err(journal_failure)?;
        if entries.is_empty() {
            return Ok(false);
        }
        if entries.iter().all(|entry| entry.is_held) {
            let error = anyhow!(
                "an earlier drill left {} broken on purpose (--hold); nothing was changed",
                counted(entries.len(), "node")
            );
            let next = format!(
                "put it back first: goodcache failover-test {} --heal",
                self.name()
            );
            return Err(Failure::new(Exit::Refused, error).next(next));
        }
        self.screen.say(&format!(
            "goodcache: an earlier drill left {} broken; putting it back first",
            counted(entries.len(), "node")
        ));
        let _lock = journal.lock().map_err(journal_failure)?;
        self.put_back(journal, None, None).await?;
        Ok(true)
    }

    /// Says what is broken, and leaves it so: nothing will have been put back.
    pub(super) fn tell_leftovers(&self) -> bool {
        if let Some(told) = super::broken::told(self.layers, self.settings) {
            self.screen.say(&format!("goodcache: {told}"));
        }
        false
    }

    /// `--heal`.
    pub(super) async fn heal(&self) -> Result<Exit, Failure> {
        let journal = self.journal()?;
        let entries = journal.entries().map_err(journal_failure)?;
        if entries.is_empty() {
            self.screen
                .say("goodcache: no drill left anything broken here");
            return Ok(Exit::Good);
        }
        let _lock = journal.lock().map_err(journal_failure)?;
        self.put_back(&journal, None, None).await?;
        if let Ok(access) = reach::access_to_every_form(self.settings) {
            self.sweep(&access).await;
        }
        self.screen.say(&format!(
            "goodcache: put {} back; 'goodcache check' tells whether the cluster is whole",
            counted(entries.len(), "node")
        ));
        Ok(Exit::Good)
    }

    /// Removes the keys that a drill which was cut off could not, and says what becomes of them.
    pub(super) async fn sweep(&self, access: &Access) -> &'static str {
        let swept = async {
            while !sweep(access).await {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let swept = tokio::time::timeout(SWEEPING, swept);
        let expire = "the load's keys expire within an hour";
        match unless_signalled_again(swept, &format!("nothing; {expire}")).await {
            Ok(()) => "the load's keys are removed",
            Err(_) => expire,
        }
    }

    /// Puts back all that the journal lists; gives how many nodes that were.
    pub(super) async fn put_back(
        &self,
        journal: &Journal,
        hosts: Option<&Hosts>,
        access: Option<&Access>,
    ) -> Result<usize, Failure> {
        let entries = journal.entries().map_err(journal_failure)?;
        let by_hand = format!("goodcache failover-test {} --heal", self.name());
        let mended = match failover::is_bus_cut(&entries) {
            true => self.mend(journal, access, &by_hand).await,
            false => Ok(0),
        };
        // All is tried, whatever could not be.
        let is_bus = |entry: &Entry| failover::is_bus_cut(std::slice::from_ref(entry));
        let healed = match entries.iter().all(is_bus) {
            true => Ok(0),
            false => self.restore(journal, hosts, &by_hand).await,
        };
        Ok(mended? + healed?)
    }

    /// Through the machines.
    async fn restore(
        &self,
        journal: &Journal,
        hosts: Option<&Hosts>,
        by_hand: &str,
    ) -> Result<usize, Failure> {
        let own;
        let hosts = match hosts {
            Some(hosts) => hosts,
            None => {
                own = Hosts::connect(&self.host_options()?)
                    .await
                    .map_err(host_failure)?;
                &own
            }
        };
        let healed = unless_signalled_again(journal::heal(journal, hosts), by_hand).await;
        for (entry, undone) in &healed.undone {
            let others = undone.by_others.iter().cloned();
            for note in undone.notes.iter().cloned().chain(others) {
                self.screen.detail(&format!("{}: {note}", entry.addr));
            }
        }
        match healed.failed.first() {
            None => Ok(healed.undone.len()),
            Some((entry, error)) => Err(still_broken(entry, error, error.hint(), by_hand)),
        }
    }

    /// Through the servers themselves.
    async fn mend(
        &self,
        journal: &Journal,
        access: Option<&Access>,
        by_hand: &str,
    ) -> Result<usize, Failure> {
        let own;
        let access = match access {
            Some(access) => access,
            None => {
                own = reach::access_to_every_form(self.settings)?;
                &own
            }
        };
        let mended = unless_signalled_again(failover::mend_all(access, journal), by_hand).await;
        let mended = mended.map_err(journal_failure)?;
        for note in mended.done.iter().filter_map(|(_, note)| note.as_ref()) {
            self.screen.detail(note);
        }
        match mended.failed.first() {
            None => Ok(mended.done.len()),
            Some((entry, error)) => Err(still_broken(entry, error, error.hint(), by_hand)),
        }
    }
}

fn still_broken(entry: &Entry, error: &dyn Display, hint: String, by_hand: &str) -> Failure {
    let told = anyhow!(
        "could not put {} ({}) back: {error}",
        entry.addr,
        entry.place
    );
    Failure::new(Exit::HalfWay, told).next(hint).next(by_hand)
}
