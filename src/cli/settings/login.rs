//! Who logs in, and with which password.

use std::path::PathBuf;

use super::layers::Layers;
use super::origin::{First, Setting};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Shared;
use crate::cli::password;
use crate::cli::seed::Seed;
use crate::cluster::Secret;

/// The ACL user. One in an address counts more than one that lies around, as it came with the address.
pub(super) fn user(
    layers: &Layers,
    shared: &Shared,
    seeds: &Setting<Vec<Seed>>,
) -> Result<Setting<Option<String>>, Failure> {
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
        )
        .profile(
            layers,
            layers
                .profile
                .as_ref()
                .and_then(|profile| profile.user.clone()),
        )
        .or_none())
}

/// The password, read from where the first origin says that it is, and the file if it was one.
pub(super) fn password(
    layers: &Layers,
    shared: &Shared,
    notices: &mut Vec<String>,
) -> Result<(Setting<Option<Secret>>, Option<PathBuf>), Failure> {
    let environment = &layers.environment;
    let secret = |text: &str| Ok(Source::Text(text.to_string()));
    let file = |text: &str| Ok(Source::File(PathBuf::from(text)));
    let in_section = layers
        .section()
        .and_then(|section| section.password_file.as_ref());
    let saved = layers
        .profile
        .as_ref()
        .and_then(|profile| profile.password_file.clone());
    let source = First::argument(
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
    )
    .profile(layers, saved.map(Source::File))
    .or_none();
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

/// A password, or the file that holds it.
enum Source {
    Text(String),
    File(PathBuf),
}
