//! The files of a rotation, below the state folder, all of mode 0600: the journal (hashes only), the
//! old password as long as there is a way back, and a new one that was made up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::journal_failure;
use crate::cli::exit::{Exit, Failure};
use crate::cli::password;
use crate::cli::settings::Layers;
use crate::model::Secret;
use crate::ops::rotate::{Journal, hash_of};

/// The longest name that stands in a file's name as it is.
const LONGEST: usize = 60;

/// Where they lie.
pub(super) struct Files {
    folder: PathBuf,
    stem: String,
}

impl Files {
    /// Those of that cluster's user; the folder is made.
    pub(super) fn of(layers: &Layers, cluster: &str, user: &str) -> Result<Files, Failure> {
        let Some(profiles) = &layers.profiles else {
            return Err(Failure::new(
                Exit::Failed,
                anyhow!("no home folder is known, so a rotation could not be noted"),
            )
            .next("set HOME or XDG_STATE_HOME"));
        };
        let folder = profiles
            .rotations_folder()
            .context("could not make the folder of rotations")?;
        Ok(Files {
            folder,
            stem: format!("{}.{}", plain(cluster), plain(user)),
        })
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.stem))
    }

    /// The journal.
    pub(super) fn journal(&self) -> PathBuf {
        self.path("json")
    }

    /// A new password that was made up, when no other place was named.
    pub(super) fn made_up(&self) -> PathBuf {
        self.path("new-password")
    }

    fn old_password(&self) -> PathBuf {
        self.path("old-password")
    }

    /// What replicas logged in with, where it is another than the old password.
    fn old_masterauth(&self) -> PathBuf {
        self.path("old-masterauth")
    }

    /// Nobody else rotates this password while it is held; the system gives it back.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let path = self.path("lock");
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let file = options
            .open(&path)
            .with_context(|| format!("could not open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Exit::Refused,
                anyhow!(
                    "another goodcache rotates this password at the moment; nothing was changed"
                ),
            )
            .next("wait for it")),
            Err(TryLockError::Error(error)) => Err(anyhow::Error::new(error)
                .context(format!("could not lock {}", path.display()))
                .into()),
        }
    }

    /// Keeps the old password for the way back.
    pub(super) fn keep_old(
        &self,
        old: Option<&Secret>,
        auth: Option<&Secret>,
    ) -> Result<(), Failure> {
        for (path, secret) in [(self.old_password(), old), (self.old_masterauth(), auth)] {
            if let Some(secret) = secret.filter(|_| !path.exists()) {
                write_secret(&path, secret)?;
            }
        }
        Ok(())
    }

    /// The old password, when it was kept and is one of that journal's.
    pub(super) fn old(&self, journal: &Journal) -> Option<Secret> {
        read_of(&self.old_password(), journal)
    }

    /// What replicas logged in with before.
    pub(super) fn old_auth(&self, journal: &Journal) -> Option<Secret> {
        read_of(&self.old_masterauth(), journal)
    }

    /// The rotation is over: the journal goes last, and with it every old password. Where the new one
    /// is kept now: one that was made up moves to where the next rotation does not write over it, or
    /// goes, where the saved cluster keeps it.
    pub(super) fn close(
        &self,
        journal: &Journal,
        is_saved: bool,
    ) -> Result<Option<PathBuf>, Failure> {
        let mut kept = journal.new_file.clone();
        if kept.as_ref() == Some(&self.made_up()) {
            let place = self.path("password");
            if is_saved {
                gone(&self.made_up())?;
                kept = None;
            } else {
                std::fs::rename(self.made_up(), &place).with_context(|| {
                    format!("could not move the new password to {}", place.display())
                })?;
                kept = Some(place);
            }
        }
        self.forget()?;
        Ok(kept)
    }

    /// All is as it was: one that was made up goes too.
    pub(super) fn take_back(&self, journal: &Journal) -> Result<(), Failure> {
        if journal.new_file.as_ref() == Some(&self.made_up()) {
            gone(&self.made_up())?;
        }
        self.forget()
    }

    fn forget(&self) -> Result<(), Failure> {
        gone(&self.old_password())?;
        gone(&self.old_masterauth())?;
        Journal::remove(&self.journal()).map_err(journal_failure)
    }
}

fn gone(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(anyhow::Error::new(error)
                .context(format!("could not remove {}", path.display()))
                .into())
        }
        _ => Ok(()),
    }
}

/// Writes a password that only its owner can read, whole or not at all.
pub(super) fn write_secret(path: &Path, secret: &Secret) -> Result<(), Failure> {
    let write = || {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        writeln!(file, "{}", secret.expose())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|error| {
        Failure::new(
            Exit::Failed,
            anyhow!("could not write a password to {}: {error}", path.display()),
        )
        .next("check the folder, its owner and the space left")
    })
}

fn read_of(path: &Path, journal: &Journal) -> Option<Secret> {
    let (secret, _) = password::from_file(path, "password").ok()?;
    journal.old.contains(&hash_of(&secret)).then_some(secret)
}

/// A name that may stand in a file's name; one that is not plain gets its digest.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let safe: String = name
        .chars()
        .take(LONGEST)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let digest = hash_of(&Secret::new(name));
    format!("{safe}-{}", &digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_a_file_name_of_its_own() {
        let names = [
            "shop",
            "127.0.0.1:7001",
            "127.0.0.1_7001",
            "[::1]:7001",
            "../shop",
            "",
            "ü",
        ];
        let made: std::collections::BTreeSet<String> =
            names.iter().map(|name| plain(name)).collect();
        assert_eq!(made.len(), names.len(), "{made:?}");
        assert!(made.iter().all(|name| !name.contains(['/', '.'])));
    }
}
