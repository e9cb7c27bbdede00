//! `create --acl-users`: users set apart for application, replication, backup, check and admin, each
//! with the least it needs and a password of its own, on every node from its first start on.
//!
//! The default user is off: nobody gets in without a name. Goodcache itself logs in as the user that
//! fits the command, by the passwords that lie beside the saved cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;

use super::provision::server;
use super::{Running, apart};
use crate::cli::acl::{self, ADMIN_USER, CHECK_USER, REPLICATION_USER};
use crate::cli::exit::{Exit, Failure};
use crate::cli::password;
use crate::cli::profile::Profiles;
use crate::cli::settings::{CreateSettings, Layers, Origin, Settings, Source};
use crate::cluster::{Access, Credentials};
use crate::host::programs::Program;
use crate::host::users::{Login, Users};
use crate::model::{Secret, Version};
use crate::ops::create::{Report, prove_logins};
use crate::ops::rotate::hash_of;

/// The default user, who is not let in and could do nothing if it were.
const NOBODY: &str = "user default off resetkeys -@all";

/// The settings with the admin of users set apart as who logs in, when there are to be such users.
pub(super) fn with_own_users(
    layers: &Layers,
    settings: &Settings,
    create: &CreateSettings,
) -> Result<Option<Settings>, Failure> {
    if !create.acl_users.value {
        return Ok(None);
    }
    let no = |why: &str, next: &str| Err(Failure::usage(why).next(next));
    if create.write_compose.is_some() {
        return no(
            "a compose file has one password for all",
            "leave --acl-users out, or let create make the containers",
        );
    }
    if layers.profiles.is_none() {
        return no(
            "no home folder is known, so passwords of users could not be kept",
            "set HOME or XDG_STATE_HOME",
        );
    }
    if create.source.value == Source::Nodes && layers.profile.is_none() {
        // Who they let in now makes the users.
        return Ok(None);
    }
    let is_other = |user: &String| user != ADMIN_USER;
    if settings.user.value.as_ref().is_some_and(is_other) {
        return no(
            "create --acl-users logs in as the user admin, which it makes",
            "leave --user out",
        );
    }
    let made = layers.profile.as_ref();
    if made.is_some_and(|profile| profile.users.is_empty()) {
        return Err(Failure::new(
            Exit::Refused,
            anyhow!(
                "{} was made without users of its own; nothing was changed",
                create.name.value
            ),
        )
        .next(
            "make another, or add users by hand: goodcache COMMAND --print-acl prints each rule",
        ));
    }
    let mut settings = settings.clone();
    settings.user.value = Some(ADMIN_USER.to_owned());
    if settings.user.origin == Origin::Default {
        settings.user.origin = Origin::Argument("--acl-users");
    }
    Ok(Some(settings))
}

/// Makes the passwords that are not there yet, and has the admin log in.
pub(super) fn make(running: &Running<'_>, access: &mut Access) -> Result<(), Failure> {
    let Some(profiles) = profiles(running) else {
        return Ok(());
    };
    if apart::is_due(running) {
        return Ok(());
    }
    make_up_missing(running)?;
    access.credentials = Credentials {
        user: Some(ADMIN_USER.to_owned()),
        password: Some(password_of(running, profiles, ADMIN_USER)?),
    };
    Ok(())
}

/// Makes the passwords that are not there yet.
pub(super) fn make_up_missing(running: &Running<'_>) -> Result<(), Failure> {
    let Some(profiles) = profiles(running) else {
        return Ok(());
    };
    let is_known = running.layers.profile.is_some();
    for user in made_up(running) {
        if profiles.user_path(running.name(), user).exists() {
            continue;
        }
        if is_known {
            // The nodes know another than would be made up now.
            let path = profiles.user_path(running.name(), user);
            return Err(Failure::new(
                Exit::Refused,
                anyhow!(
                    "the password of the user {user} is gone ({}); nothing was changed",
                    path.display()
                ),
            )
            .next("put the file back, with the password in its first line"));
        }
        let password = Secret::generate().ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                anyhow!("the system gave no randomness for a password"),
            )
        })?;
        profiles.save_user(running.name(), user, &password)?;
    }
    Ok(())
}

/// The password of one of them.
pub(super) fn password(running: &Running<'_>, user: &str) -> Result<Secret, Failure> {
    match profiles(running) {
        Some(profiles) => password_of(running, profiles, user),
        None => Err(Failure::usage("no home folder is known")),
    }
}

/// What the nodes are to be born with; `None` when no users are set apart.
pub(super) fn wanted(running: &Running<'_>) -> Result<Option<Users>, Failure> {
    let Some(profiles) = profiles(running) else {
        return Ok(None);
    };
    let version = version(running);
    let mut lines = vec![NOBODY.to_owned()];
    for user in acl::USERS {
        let hash = hash_of(&password_of(running, profiles, user)?);
        let rule = acl::of_user(user, version).unwrap_or_default();
        lines.push(format!("user {user} on #{hash} {rule}"));
    }
    let login = |user: &str| {
        password_of(running, profiles, user).map(|password| Login {
            user: user.to_owned(),
            password,
        })
    };
    Ok(Some(Users {
        lines,
        replication: login(REPLICATION_USER)?,
        probe: login(CHECK_USER)?,
    }))
}

/// Sees that each of them gets in at every node, and nobody without a name; tells where their passwords
/// are.
pub(super) async fn prove(
    running: &Running<'_>,
    access: &Access,
    report: &mut Report,
) -> Result<(), Failure> {
    let Some(profiles) = profiles(running) else {
        return Ok(());
    };
    let mut logins = Vec::new();
    for user in acl::USERS {
        logins.push(Credentials {
            user: Some(user.to_owned()),
            password: Some(password_of(running, profiles, user)?),
        });
    }
    let wrong = prove_logins(access, &logins).await;
    report.is_usable &= wrong.is_empty();
    report.missing.extend(wrong);
    report.notes.push(format!(
        "the users {} are set apart, and the default user is off; their passwords are in {}",
        acl::USERS.join(", "),
        profiles.users_folder(running.name()).display()
    ));
    Ok(())
}

/// The file of each user's password, as far as it is create's own.
pub(super) fn files(running: &Running<'_>) -> BTreeMap<String, PathBuf> {
    let Some(profiles) = profiles(running) else {
        return BTreeMap::new();
    };
    made_up(running)
        .map(|user| (user.to_owned(), profiles.user_path(running.name(), user)))
        .collect()
}

fn profiles<'a>(running: &'a Running<'_>) -> Option<&'a Profiles> {
    let profiles = running.layers.profiles.as_ref();
    profiles.filter(|_| running.create.acl_users.value)
}

/// Those whose passwords create makes up: the admin's may be given.
fn made_up(running: &Running<'_>) -> impl Iterator<Item = &'static str> {
    let is_given = admin_given(running).is_some();
    let users = acl::USERS.into_iter();
    users.filter(move |user| *user != ADMIN_USER || !is_given)
}

/// The admin's password, where it is not one that create keeps.
fn admin_given<'a>(running: &'a Running<'_>) -> Option<&'a Secret> {
    let own = running.layers.profiles.as_ref()?;
    let own = own.user_path(running.name(), ADMIN_USER);
    let is_own = running.settings.password_file.as_ref() == Some(&own);
    let given = running.settings.password.value.as_ref();
    // What is given to make users on nodes that run is whoever's they let in now.
    let is_admins = !apart::is_due(running);
    given.filter(|_| !is_own && is_admins)
}

fn password_of(running: &Running<'_>, profiles: &Profiles, user: &str) -> Result<Secret, Failure> {
    if let Some(given) = admin_given(running).filter(|_| user == ADMIN_USER) {
        return Ok(given.clone());
    }
    let path = profiles.user_path(running.name(), user);
    let (password, _) = password::from_file(&path, "password")
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(password)
}

/// The version of the server that is to be started, where that can be told beforehand; containers are
/// made of 7.0 and later.
fn version(running: &Running<'_>) -> Option<Version> {
    if running.source() != Source::Local {
        return None;
    }
    let server = server(running.create.server.value.as_ref()).ok()?;
    Program::ask(&server).map(|program| program.version)
}
