//! Putting back all that a journal lists.

use super::{Entry, Journal, JournalError, Undo};
use crate::host::drill::{HostError, Hosts, Undone};

/// What came of healing.
#[derive(Debug, Default)]
pub struct Healed {
    /// Put back, and taken from the journal.
    pub undone: Vec<(Entry, Undone)>,
    /// Still broken, and still in the journal.
    pub failed: Vec<(Entry, HostError)>,
    /// Where the journal itself could not be read or written.
    pub journal: Vec<JournalError>,
}

impl Healed {
    /// Whether nothing is left to be healed.
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.journal.is_empty()
    }
}

/// Puts everything back that the journal lists and a machine can, newest first, what is held
/// included. All is tried; what was put back is taken from the journal at once. What a server undoes
/// itself is left to whoever can ask it.
pub async fn heal(journal: &Journal, hosts: &Hosts) -> Healed {
    let mut healed = Healed::default();
    let entries = match journal.entries() {
        Ok(entries) => entries,
        Err(error) => {
            healed.journal.push(error);
            return healed;
        }
    };
    let by_machine = |entry: &Entry| !matches!(entry.undo, Undo::Bus(_));
    for entry in entries.into_iter().rev().filter(by_machine) {
        match hosts.undo(&entry.undo).await {
            Ok(undone) => {
                healed.journal.extend(journal.forget(&entry).err());
                healed.undone.push((entry, undone));
            }
            Err(error) => healed.failed.push((entry, error)),
        }
    }
    healed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::tests::entry;
    use super::*;
    use crate::host::drill::{HookCommands, HostOptions, Which};

    #[tokio::test]
    async fn healing_tries_all_newest_first_and_keeps_what_failed() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "shop").unwrap();
        journal.add(&entry('a', "echo a")).unwrap();
        journal.add(&entry('b', "echo no; exit 1")).unwrap();
        journal.add(&entry('c', "echo c")).unwrap();
        let hooks = HookCommands {
            mind: None,
            commands: BTreeMap::from([("start".into(), "true".into())]),
            deadline: Duration::from_secs(5),
        };
        let options = HostOptions {
            which: Which::Hooks,
            hooks: Some(hooks),
        };
        let hosts = Hosts::connect(&options).await.unwrap();
        let healed = heal(&journal, &hosts).await;
        let notes: Vec<&str> = healed
            .undone
            .iter()
            .map(|(_, undone)| undone.notes[0].as_str())
            .collect();
        assert_eq!(notes, ["start hook: c", "start hook: a"]);
        assert_eq!(healed.failed.len(), 1);
        assert!(!healed.is_whole());
        assert_eq!(journal.entries().unwrap(), [healed.failed[0].0.clone()]);
    }
}
