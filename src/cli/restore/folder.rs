//! The folder that RDB files are taken into: its owner's alone, under a name that nobody can know
//! beforehand, and gone with the run. What a killed run left goes with the next: its lock tells that
//! nobody has it any more, in whatever container that was.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PREFIX: &str = "goodcache-restore-";
/// Held as long as the folder is in use.
const LOCK: &str = "lock";
/// What has no lock yet is being made, or was left in that moment.
const BEING_MADE: Duration = Duration::from_secs(3600);

/// A folder that goes with this.
pub(super) struct Folder {
    folder: TempDir,
    _lock: File,
}

impl Folder {
    /// Makes one below the system's folder for such things (`TMPDIR`), and removes what was left there.
    pub(super) fn make() -> Result<Folder> {
        let within = std::env::temp_dir();
        sweep(&within);
        make_in(&within).with_context(|| format!("could not make a folder in {}", within.display()))
    }

    /// Where the repository of the files is to be.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }
}

fn make_in(within: &Path) -> std::io::Result<Folder> {
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(within)?;
    let lock = File::create_new(folder.path().join(LOCK))?;
    lock.lock()?;
    Ok(Folder {
        folder,
        _lock: lock,
    })
}

/// Removes this user's folders that nobody has any more. One that cannot be removed is left to the next.
fn sweep(within: &Path) {
    let Ok(entries) = fs::read_dir(within) else {
        return;
    };
    for entry in entries.flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Of a link this says what the link is: it is not followed.
        let facts = entry.metadata().ok().filter(|_| is_named);
        if facts.is_some_and(|facts| is_own(&facts) && is_left(&entry.path(), &facts)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_own(facts: &Metadata) -> bool {
    facts.is_dir() && facts.uid() == rustix::process::geteuid().as_raw()
}

fn is_left(folder: &Path, facts: &Metadata) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => {
            let age = facts.modified().ok().and_then(|at| at.elapsed().ok());
            age.is_some_and(|age| age > BEING_MADE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_owner_s_alone_and_what_was_left_goes_with_the_next() {
        let within = tempfile::tempdir().unwrap();
        let folder = make_in(within.path()).unwrap();
        let path = folder.folder.path().to_owned();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let left = within.path().join(format!("{PREFIX}left"));
        let made = within.path().join(format!("{PREFIX}made"));
        let link = within.path().join(format!("{PREFIX}link"));
        fs::create_dir_all(left.join("repository")).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::create_dir(&made).unwrap();
        std::os::unix::fs::symlink(&left, &link).unwrap();
        sweep(within.path());
        assert!(path.exists() && made.exists() && !left.exists());
        assert!(link.symlink_metadata().is_ok());
        drop(folder);
        assert!(!path.exists());
    }
}
