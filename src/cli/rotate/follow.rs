//! Goodcache's own files, when the password is the one that it logs in with, or that of a user which
//! create set apart: the saved cluster's password file, and the copy in containers for their health
//! check. What is not goodcache's own is
//! left alone, and told.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::Rotation;
use super::files::{Files, write_secret};
use super::journal_failure;
use crate::cli::acl::CHECK_USER;
use crate::cli::create::docker_failure;
use crate::cli::exit::{Exit, Failure};
use crate::cli::profile::{Made, Profile, Profiles};
use crate::host::docker::{self, Engine};
use crate::model::Secret;
use crate::ops::rotate::{Journal, State};

impl Rotation<'_> {
    /// What create saved of the cluster, when goodcache logs in with this password by it.
    fn saved(&self) -> Option<(&Profiles, &Profile)> {
        let (profiles, profile) = (
            self.layers.profiles.as_ref()?,
            self.layers.profile.as_ref()?,
        );
        let is_of_user = profile.user.as_deref().unwrap_or("default") == self.user;
        (self.is_login && is_of_user && profile.password_file.is_some())
            .then_some((profiles, profile))
    }

    /// The file of a user that create set apart.
    pub(super) fn file_of_user(&self) -> Option<&Path> {
        let profile = self.layers.profile.as_ref()?;
        profile.users.get(&self.user).map(PathBuf::as_path)
    }

    /// Whether the saved cluster keeps this password.
    pub(super) fn is_saved(&self) -> bool {
        self.file_of_user().is_some() || self.saved().is_some()
    }

    /// The file of a user that was set apart takes that password, and whatever logs in by it.
    async fn follow_user(&self, file: &Path, password: &Secret) -> Result<(), Failure> {
        write_secret(file, password)?;
        match &self.layers.profile {
            Some(profile) if self.user == CHECK_USER => tell_containers(profile, password).await,
            _ => Ok(()),
        }
    }

    /// The saved cluster takes the new password.
    pub(super) async fn follow(
        &self,
        files: &Files,
        journal: &mut Journal,
        new: &Secret,
    ) -> Result<(), Failure> {
        if let Some(file) = self.file_of_user() {
            self.follow_user(file, new).await?;
        } else if let Some((profiles, profile)) = self.saved() {
            let own = profiles.password_path(&profile.name)?;
            if profile.password_file.as_ref() != Some(&own) {
                journal.followed_from.clone_from(&profile.password_file);
            }
            profiles.save_password(&profile.name, new)?;
            self.point_at(profiles, profile, Some(own))?;
            if profile.user.is_none() {
                tell_containers(profile, new).await?;
            }
        }
        journal.is_followed = true;
        journal.write(&files.journal()).map_err(journal_failure)
    }

    /// The saved cluster takes the old password again.
    pub(super) async fn unfollow(
        &self,
        files: &Files,
        journal: &mut Journal,
        old: Option<&Secret>,
    ) -> Result<(), Failure> {
        let old = || {
            old.ok_or_else(|| {
                Failure::new(
                    Exit::HalfWay,
                    anyhow!("the old password is not known any more, so the saved cluster cannot take it back"),
                )
                .next("give it with --password-file FILE")
            })
        };
        if let Some(file) = self.file_of_user() {
            self.follow_user(file, old()?).await?;
        } else if let Some((profiles, profile)) = self.saved() {
            let old = old()?;
            match &journal.followed_from {
                // It was never written to, and holds the old one.
                Some(file) => self.point_at(profiles, profile, Some(file.clone()))?,
                None => {
                    profiles.save_password(&profile.name, old)?;
                }
            }
            if profile.user.is_none() {
                tell_containers(profile, old).await?;
            }
        }
        journal.is_followed = false;
        journal.write(&files.journal()).map_err(journal_failure)
    }

    fn point_at(
        &self,
        profiles: &Profiles,
        profile: &Profile,
        file: Option<PathBuf>,
    ) -> Result<(), Failure> {
        if profile.password_file == file {
            return Ok(());
        }
        let profile = Profile {
            password_file: file,
            ..profile.clone()
        };
        Ok(profiles.update(&profile)?)
    }

    /// What the user is to know besides.
    pub(super) fn notes(&self, journal: &Journal, state: State) -> Vec<String> {
        let mut notes = Vec::new();
        let is_new = matches!(state, State::ClientsTurn | State::Done);
        if is_new && self.is_login && !self.is_saved() {
            notes.push(format!(
                "goodcache logged in with a password that came from {}: put the new one there",
                self.settings.password.origin
            ));
        }
        if let (true, Some(file)) = (is_new && self.saved().is_some(), &journal.followed_from) {
            notes.push(format!(
                "the saved cluster no longer reads {}, which still holds the old password",
                file.display()
            ));
        }
        notes
    }
}

/// The health check inside a container logs in as well.
async fn tell_containers(profile: &Profile, password: &Secret) -> Result<(), Failure> {
    if !matches!(profile.made, Made::Docker { .. }) {
        return Ok(());
    }
    let engine = Engine::connect().await.map_err(docker_failure)?;
    docker::change_password(&engine, &profile.name, password.expose())
        .await
        .map_err(docker_failure)
}
