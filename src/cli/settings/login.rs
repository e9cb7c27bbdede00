//! Who logs in, and with which password.

use std::path::PathBuf;

use super::layers::Layers;
use super::origin::{First, Setting};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Shared;
use crate::cli::password;
use crate::cli::profile::Profile;
use crate::cli::seed::Seed;
use crate::cluster::Secret;

/// A login, and where its password was read from.
pub(super) struct Login {
    /// The ACL user.
    pub(super) user: Setting<Option<String>>,
    /// Its password.
    pub(super) password: Setting<Option<Secret>>,
    /// The file that the password was read from; `None` when it came another way.
    pub(super) file: Option<PathBuf>,
}

/// Who logs in. Of a cluster whose users were set apart: the one for the command, unless a user or a
/// password was given; and a user that is named has the password that was kept for it.
pub(super) fn login(
    layers: &Layers,
    shared: &Shared,
    seeds: &Setting<Vec<Seed>>,
    notices: &mut Vec<String>,
) -> Result<Login, Failure> {
    let given = password_given(layers, shared)?.found();
    let profile = layers.profile.as_ref();
    let is_set_apart = |user: &&str| profile.is_some_and(|of| of.users.contains_key(*user));
    let role = layers.role.filter(is_set_apart).filter(|_| given.is_none());
    let saved = profile.and_then(|profile| profile.user.clone());
    let user = user_given(layers, shared, seeds)?
        .profile(layers, role.map(str::to_owned).or(saved))
        .or_none();
    let source = match given {
        Some(given) => Setting {
            value: Some(given.value),
            origin: given.origin,
        },
        None => First::nothing()
            .profile(
                layers,
                profile.and_then(|of| kept_for(of, user.value.as_deref())),
            )
            .or_none(),
    };
    let (password, file) = read(source, notices)?;
    Ok(Login {
        user,
        password,
        file,
    })
}

/// Where create kept that user's password.
fn kept_for(profile: &Profile, user: Option<&str>) -> Option<Source> {
    let own = user.and_then(|user| profile.users.get(user)).cloned();
    let is_other = !profile.users.is_empty() && profile.user.as_deref() != user;
    let login = profile.password_file.clone().filter(|_| !is_other);
    own.or(login).map(Source::File)
}

/// The ACL user that is named. One in an address counts more than one that lies around, as it came with
/// the address.
fn user_given(
    layers: &Layers,
    shared: &Shared,
    seeds: &Setting<Vec<Seed>>,
) -> Result<First<String>, Failure> {
    let mut users = seeds.value.iter().filter_map(|seed| seed.user.as_ref());
    let in_url = users.next().cloned();
    if users.any(|other| Some(other) != in_url.as_ref()) {
        return Err(Failure::usage(
            "the addresses name different users; one cluster has one login",
        ));
    }
    Ok(First::argument(shared.connection.user.clone(), "--user")
        .or(in_url, || seeds.origin.clone())
        .variable(&layers.environment, "GOODCACHE_USER", |text| {
            Ok(text.trim().to_string())
        })?
        .section(
            layers,
            "user",
            layers.section().and_then(|section| section.user.clone()),
        ))
}

/// Where a password is, as far as one was given.
fn password_given(layers: &Layers, shared: &Shared) -> Result<First<Source>, Failure> {
    let environment = &layers.environment;
    let secret = |text: &str| Ok(Source::Text(text.to_string()));
    let file = |text: &str| Ok(Source::File(PathBuf::from(text)));
    let in_section = layers
        .section()
        .and_then(|section| section.password_file.as_ref());
    Ok(First::argument(
        shared.connection.password_file.clone().map(Source::File),
        "--password-file",
    )
    .variable(environment, "GOODCACHE_PASSWORD", secret)?
    .variable(environment, "GOODCACHE_PASSWORD_FILE", file)?
    .variable(environment, "REDIS_PASSWORD", secret)?
    .variable(environment, "REDISCLI_AUTH", secret)?
    .section(
        layers,
        "password_file",
        layers.path_in_file(in_section).map(Source::File),
    ))
}

/// The password that a source names, and the file if it was one.
fn read(
    source: Setting<Option<Source>>,
    notices: &mut Vec<String>,
) -> Result<(Setting<Option<Secret>>, Option<PathBuf>), Failure> {
    let mut kept = None;
    let value = match source.value {
        None => None,
        Some(Source::Text(text)) => Some(Secret::new(text)),
        Some(Source::File(path)) => {
            let (secret, notice) = password::from_file(&path, "password").map_err(|error| {
                Failure::new(Exit::Usage, error)
                    .next(format!("the file was named by {}", source.origin))
            })?;
            notices.extend(notice);
            kept = Some(path).filter(|path| path.as_os_str() != "-");
            Some(secret)
        }
    };
    let setting = Setting {
        value,
        origin: source.origin,
    };
    Ok((setting, kept))
}

/// Of several masters that a Sentinel watches, the one that is meant.
pub(super) fn master_name(
    layers: &Layers,
    shared: &Shared,
) -> Result<Setting<Option<String>>, Failure> {
    let in_section = layers.section().and_then(|s| s.master_name.clone());
    Ok(
        First::argument(shared.connection.master_name.clone(), "--master-name")
            .variable(&layers.environment, "GOODCACHE_MASTER_NAME", word)?
            .section(layers, "master_name", in_section)
            .or_none(),
    )
}

/// The Sentinels' ACL user.
pub(super) fn sentinel_user(
    layers: &Layers,
    shared: &Shared,
) -> Result<Setting<Option<String>>, Failure> {
    let in_section = layers.section().and_then(|s| s.sentinel_user.clone());
    Ok(
        First::argument(shared.connection.sentinel_user.clone(), "--sentinel-user")
            .variable(&layers.environment, "GOODCACHE_SENTINEL_USER", word)?
            .section(layers, "sentinel_user", in_section)
            .or_none(),
    )
}

/// The Sentinels' own password.
pub(super) fn sentinel_password(
    layers: &Layers,
    shared: &Shared,
    notices: &mut Vec<String>,
) -> Result<Setting<Option<Secret>>, Failure> {
    let secret = |text: &str| Ok(Source::Text(text.to_string()));
    let file = |text: &str| Ok(Source::File(PathBuf::from(text)));
    let in_section = layers
        .section()
        .and_then(|section| section.sentinel_password_file.as_ref());
    let typed = shared.connection.sentinel_password_file.clone();
    let source = First::argument(typed.map(Source::File), "--sentinel-password-file")
        .variable(&layers.environment, "GOODCACHE_SENTINEL_PASSWORD", secret)?
        .variable(
            &layers.environment,
            "GOODCACHE_SENTINEL_PASSWORD_FILE",
            file,
        )?
        .section(
            layers,
            "sentinel_password_file",
            layers.path_in_file(in_section).map(Source::File),
        )
        .or_none();
    Ok(read(source, notices)?.0)
}

fn word(text: &str) -> Result<String, String> {
    Ok(text.trim().to_string())
}

/// A password, or the file that holds it.
enum Source {
    Text(String),
    File(PathBuf),
}
