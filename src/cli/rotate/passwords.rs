//! Where the passwords of a rotation come from: the new one from a file, standard input, the prompt, or
//! made up; the old one from where goodcache logs in with it, or from where an earlier run kept it.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::Rotation;
use super::files::{Files, write_secret};
use crate::cli::exit::{Exit, Failure};
use crate::cli::password;
use crate::model::Secret;
use crate::ops::rotate::{Journal, Seen, hash_of};

/// A new password, and the file that holds it.
pub(super) struct New {
    pub(super) password: Secret,
    pub(super) file: Option<PathBuf>,
    /// Made up just now: the file is written when nothing stands in the way any more.
    pub(super) is_made_up: bool,
}

impl New {
    /// Writes the file of one that was made up.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        match &self.file {
            Some(file) if self.is_made_up => write_secret(file, &self.password),
            _ => Ok(()),
        }
    }
}

impl Rotation<'_> {
    /// The new password; `None` for a plan that does not need it.
    pub(super) fn new_password(
        &self,
        files: &Files,
        earlier: Option<&Journal>,
    ) -> Result<Option<New>, Failure> {
        let Some(journal) = earlier else {
            return match self.args.dry_run {
                true => Ok(None),
                false => self.given(files).map(Some),
            };
        };
        let kept = journal
            .new_file
            .clone()
            .filter(|_| self.args.new_password_file.is_none());
        let new = match kept {
            Some(path) => read(&path)?,
            None if self.args.undo => New {
                // The way back removes it by its hash.
                password: Secret::new(String::new()),
                file: None,
                is_made_up: false,
            },
            None if self.args.dry_run => return Ok(None),
            None => self.given(files)?,
        };
        if self.args.undo || hash_of(&new.password) == journal.new {
            return Ok(Some(new));
        }
        Err(Failure::new(
            Exit::Refused,
            anyhow!("the rotation that is under way has another new password; nothing was changed"),
        )
        .next("give the one it began with, or take it back first: the same command with --undo"))
    }

    fn given(&self, files: &Files) -> Result<New, Failure> {
        match (&self.args.new_password_file, self.args.generate) {
            (None, true) => make_up(files.made_up()),
            (Some(path), true) if path == Path::new("-") || path.exists() => {
                let what = format!(
                    "{} is there already, and is not written over",
                    path.display()
                );
                Err(Failure::usage(what)
                    .next("leave --generate out to use it, or name another file"))
            }
            (Some(path), true) => {
                make_up(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            }
            (Some(path), false) => read(path),
            (None, false) => self.typed(),
        }
    }

    fn typed(&self) -> Result<New, Failure> {
        let typed = password::prompt_new_password(&self.user)?;
        typed
            .map(|password| New {
                password,
                file: None,
                is_made_up: false,
            })
            .ok_or_else(|| {
                Failure::new(
                    Exit::Refused,
                    anyhow!("no new password was given; nothing was changed"),
                )
                .next("make one up with --generate, or give one with --new-password-file FILE")
            })
    }

    /// The old password, where it is known: what an earlier run kept, else what logs in.
    pub(super) fn old_password(&self, files: &Files, earlier: Option<&Journal>) -> Option<Secret> {
        let login = match (self.is_login, self.file_of_user()) {
            (true, _) => self.settings.password.value.clone(),
            (false, Some(file)) => password::from_file(file, "password").ok().map(|(it, _)| it),
            (false, None) => None,
        };
        match earlier {
            None => login,
            Some(journal) => files
                .old(journal)
                .or(login.filter(|login| journal.old.contains(&hash_of(login)))),
        }
    }

    /// What to log in with, of a user whose own password changes: the old one until every node was seen
    /// to take the new one, and on the way back.
    pub(super) fn login_with(
        &self,
        earlier: Option<&Journal>,
        new: &Option<New>,
        old: &Option<Secret>,
    ) -> Option<Secret> {
        let given = || self.settings.password.value.clone();
        match earlier {
            Some(journal) if journal.is_verified && !self.args.undo && !journal.is_undoing => {
                new.as_ref().map(|new| new.password.clone()).or_else(given)
            }
            Some(_) => old.clone().or_else(given),
            None => given(),
        }
    }

    /// Keeps what the way back needs, before the first change.
    pub(super) fn keep_old(
        &self,
        files: &Files,
        journal: &Journal,
        old: Option<&Secret>,
        seen: &Seen,
    ) -> Result<(), Failure> {
        let auth = seen
            .master_auth
            .as_ref()
            .filter(|_| journal.is_for_replication);
        let auth = auth.filter(|auth| journal.old.contains(&hash_of(auth)));
        files.keep_old(old, auth)
    }
}

fn read(path: &Path) -> Result<New, Failure> {
    let (password, _) = password::from_file(path, "new password").map_err(|error| {
        Failure::new(Exit::Usage, error).next("name a file whose first line is the new password")
    })?;
    let is_stdin = path == Path::new("-");
    Ok(New {
        password,
        file: (!is_stdin).then(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
        is_made_up: false,
    })
}

fn make_up(path: PathBuf) -> Result<New, Failure> {
    let password = Secret::generate().ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            anyhow!("the system gave no randomness for a password"),
        )
        .next("give one with --new-password-file FILE")
    })?;
    Ok(New {
        password,
        file: Some(path),
        is_made_up: true,
    })
}
