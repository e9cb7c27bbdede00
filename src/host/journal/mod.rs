//! What is broken at the moment and must be healed: one file per cluster, on disk before anything
//! is struck, so that the next run finds it after this one was killed.
//!
//! A file that cannot be understood is an error that names it: to pass over it would leave nodes
//! broken that nobody remembers.

mod error;
mod heal;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::drill::{Place, Undo};
use crate::model::{Fault, NodeAddr, NodeId};

pub use error::JournalError;
pub use heal::{Healed, heal};

/// Of the file. Raised when an older program could not heal from it any more.
const SCHEMA: u32 = 1;
/// The longest name of a cluster that becomes a file name as it is.
const LONGEST: usize = 80;

/// One node that is broken, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The node.
    pub node: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// What it runs on.
    pub place: Place,
    /// What is done to it.
    pub fault: Fault,
    /// What putting it back takes.
    pub undo: Undo,
    /// Whether it was left broken on purpose.
    pub is_held: bool,
}

/// A cluster's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    path: PathBuf,
    /// `None` when any cluster's will do.
    cluster: Option<String>,
}

/// Nobody else drills the cluster while this is held. The system gives it back when its process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

#[derive(Serialize, Deserialize)]
struct Text {
    schema: u32,
    cluster: String,
    entries: Vec<Entry>,
}

impl Journal {
    /// The cluster's journal in that folder, which is made when it is not there. Its name may be an
    /// address.
    pub fn open(folder: &Path, cluster: &str) -> Result<Journal, JournalError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| JournalError::File {
                what: "make",
                path: folder.to_owned(),
                source,
            })?;
        Ok(Journal::of(folder, cluster))
    }

    /// The cluster's journal in that folder, for a look: nothing is made.
    pub fn of(folder: &Path, cluster: &str) -> Journal {
        Journal {
            path: folder.join(file_name(cluster)),
            cluster: Some(cluster.to_owned()),
        }
    }

    /// The journal in that file, whosever it is.
    pub fn at(path: &Path) -> Journal {
        Journal {
            path: path.to_owned(),
            cluster: None,
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the cluster for this process, or says who has it.
    pub fn lock(&self) -> Result<Lock, JournalError> {
        let path = self.path.with_extension("lock");
        let fail = |source| JournalError::File {
            what: "lock",
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by = holder(&mut file);
                return Err(JournalError::Locked { path, by });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        // The lock is what counts; the words in it are for whoever meets it.
        let _ = file.set_len(0);
        let _ = write!(file, "process {}, since {now},", std::process::id());
        Ok(Lock { _file: file })
    }

    /// What is broken, oldest first; empty when there is no file.
    pub fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        Ok(self.read()?.map_or_else(Vec::new, |text| text.entries))
    }

    /// When it was written last, which is when the last node was broken, put back or left so.
    pub fn changed_at(&self) -> Option<SystemTime> {
        fs::metadata(&self.path)
            .and_then(|file| file.modified())
            .ok()
    }

    /// Adds one; when this returns, it is on disk.
    pub fn add(&self, entry: &Entry) -> Result<(), JournalError> {
        self.change(|entries| entries.push(entry.clone()))
    }

    /// Takes away all of that node. The file goes with the last.
    pub fn remove(&self, node: &NodeId) -> Result<(), JournalError> {
        self.change(|entries| entries.retain(|entry| entry.node != *node))
    }

    /// Marks all as left broken on purpose.
    pub fn hold(&self) -> Result<(), JournalError> {
        self.change(|entries| entries.iter_mut().for_each(|entry| entry.is_held = true))
    }

    /// Takes away that one.
    pub fn forget(&self, gone: &Entry) -> Result<(), JournalError> {
        self.change(|entries| entries.retain(|entry| entry != gone))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) -> Result<(), JournalError> {
        let mut text = self.read()?.unwrap_or_else(|| Text {
            schema: SCHEMA,
            cluster: self.cluster.clone().unwrap_or_default(),
            entries: Vec::new(),
        });
        change(&mut text.entries);
        self.write(&text).map_err(|source| JournalError::File {
            what: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn read(&self) -> Result<Option<Text>, JournalError> {
        let path = || self.path.clone();
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let what = "read";
                return Err(JournalError::File {
                    what,
                    path: path(),
                    source,
                });
            }
        };
        let damaged = |error: serde_json::Error| JournalError::Damaged {
            path: path(),
            why: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        // Before the rest, which another schema may write otherwise.
        if let Some(found) = value["schema"].as_u64().filter(|&n| n != u64::from(SCHEMA)) {
            return Err(JournalError::Schema {
                path: path(),
                found,
            });
        }
        let text: Text = serde_json::from_value(value).map_err(damaged)?;
        match &self.cluster {
            Some(cluster) if *cluster != text.cluster => Err(JournalError::Foreign {
                path: path(),
                found: text.cluster,
            }),
            _ => Ok(Some(text)),
        }
    }

    /// Whole or not at all, and on disk when it returns.
    fn write(&self, text: &Text) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if text.entries.is_empty() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return File::open(folder)?.sync_all(),
            }
        }
        // Readable by its owner only (0600), as this crate makes all its files.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, text)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }
}

/// The words of who holds the lock; it may be about to write them.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.is_empty() => text,
        _ => "another process".to_owned(),
    }
}

/// A cluster's name as a file name. What had to be changed is told apart by a digest of the name.
fn file_name(cluster: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    let safe: String = cluster
        .chars()
        .take(LONGEST)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    if safe == cluster && !safe.starts_with('.') && !safe.is_empty() {
        return format!("{safe}.drill.json");
    }
    let digest = Sha256::digest(cluster.as_bytes());
    let digest: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{digest}.drill.json", safe.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::drill::{HookUndo, Subject};
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    pub(super) fn entry(node: char, command: &str) -> Entry {
        let node: NodeId = node.to_string().repeat(40).parse().unwrap();
        let subject = Subject {
            node: node.clone(),
            addr: "127.0.0.1:7001".parse().unwrap(),
            role: "master".into(),
            shard: 1,
            cluster: "shop".into(),
        };
        Entry {
            node,
            addr: subject.addr.clone(),
            place: Place::Hooks(subject.clone()),
            fault: Fault::Stop,
            undo: Undo::Hook(HookUndo {
                subject,
                fault: Fault::Stop,
                command: Some(("start".into(), command.into())),
                environment: BTreeMap::new(),
                deadline_ms: 5000,
            }),
            is_held: false,
        }
    }

    #[test]
    fn what_is_added_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("state/drills");
        let journal = Journal::open(&home, "127.0.0.1:7001").unwrap();
        assert_eq!(journal.entries().unwrap(), []);
        let (one, other) = (entry('a', "true"), entry('b', "true"));
        journal.add(&one).unwrap();
        journal.add(&other).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(journal.path()), mode(&home)), (0o600, 0o700));
        let again = Journal::at(journal.path());
        assert_eq!(again.entries().unwrap(), [one, other.clone()]);
        again.remove(&"a".repeat(40).parse().unwrap()).unwrap();
        again.hold().unwrap();
        let held = Entry {
            is_held: true,
            ..other
        };
        assert_eq!(journal.entries().unwrap(), std::slice::from_ref(&held));
        journal.remove(&held.node).unwrap();
        assert!(!journal.path().exists());
        assert_eq!(
            fs::read_dir(&home).unwrap().count(),
            0,
            "nothing is left lying"
        );
    }

    #[test]
    fn what_cannot_be_understood_is_told_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "shop").unwrap();
        journal.add(&entry('a', "true")).unwrap();
        let good = fs::read_to_string(journal.path()).unwrap();
        for (text, wanted) in [
            (&good[..good.len() / 2], "no journal of a drill"),
            ("", "no journal of a drill"),
            ("{}", "no journal of a drill"),
            (r#"{"schema":7,"other":true}"#, "schema 7"),
            (
                r#"{"schema":1,"cluster":"other","entries":[]}"#,
                "of cluster 'other'",
            ),
        ] {
            fs::write(journal.path(), text).unwrap();
            let error = journal.entries().unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
            assert!(error.to_string().contains("shop.drill.json"), "{error}");
            assert!(journal.add(&entry('b', "true")).is_err());
            assert_eq!(fs::read_to_string(journal.path()).unwrap(), text);
        }
    }

    #[test]
    fn one_drill_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "shop").unwrap();
        let lock = journal.lock().unwrap();
        let error = journal.lock().unwrap_err().to_string();
        let by = format!("process {}, since 2", std::process::id());
        assert!(error.starts_with(&by), "{error}");
        assert!(
            Journal::open(folder.path(), "other")
                .unwrap()
                .lock()
                .is_ok()
        );
        drop(lock);
        assert!(journal.lock().is_ok());
    }

    #[test]
    fn every_name_makes_a_file_name_of_its_own() {
        let names = [
            "shop",
            "127.0.0.1:7001",
            "127.0.0.1_7001",
            "[::1]:7001",
            "../shop",
            ".",
            "",
            "a/b",
            "ü",
        ];
        let long = "x".repeat(300);
        let files: Vec<String> = names
            .iter()
            .copied()
            .chain([long.as_str()])
            .map(file_name)
            .collect();
        let unique: std::collections::BTreeSet<&String> = files.iter().collect();
        assert_eq!(unique.len(), files.len(), "{files:?}");
        assert_eq!(files[0], "shop.drill.json");
        for file in &files {
            assert!(
                !file.contains('/') && !file.starts_with('.') && file.len() < 200,
                "{file}"
            );
        }
    }
}
