//! Whether TLS is spoken, and with which files.

use std::path::PathBuf;

use super::layers::Layers;
use super::origin::{First, Origin, Setting, show_list};
use crate::cli::exit::Failure;
use crate::cli::options::Shared;
use crate::cli::seed::Seed;
use crate::cli::values;
use crate::cluster::TlsSettings;

/// The TLS settings, when it is spoken.
pub(super) fn tls(
    layers: &Layers,
    shared: &Shared,
    seeds: &Setting<Vec<Seed>>,
) -> Result<Setting<Option<TlsSettings>>, Failure> {
    let is_on = tls_is_on(layers, shared, seeds)?;
    if !is_on.value {
        return Ok(Setting {
            value: None,
            origin: is_on.origin,
        });
    }
    let typed = &shared.connection;
    let environment = &layers.environment;
    let section = layers.section().and_then(|section| section.tls.as_ref());
    let saved = layers
        .profile
        .as_ref()
        .and_then(|profile| profile.tls.as_ref());
    let path = |text: &str| Ok(PathBuf::from(text));
    let file = |flag: &Option<PathBuf>,
                variable,
                in_section: Option<&PathBuf>,
                saved: Option<&PathBuf>| {
        First::argument(flag.clone(), "")
            .variable(environment, variable, path)
            .map(|first| first.section(layers, "tls", layers.path_in_file(in_section)))
            .map(|first| first.profile(layers, saved.cloned()).or_none().value)
    };
    let value = TlsSettings {
        ca: file(
            &typed.cacert,
            "GOODCACHE_CACERT",
            section.and_then(|t| t.ca.as_ref()),
            saved.and_then(|t| t.ca.as_ref()),
        )?,
        cert: file(
            &typed.cert,
            "GOODCACHE_CERT",
            section.and_then(|t| t.cert.as_ref()),
            saved.and_then(|t| t.cert.as_ref()),
        )?,
        key: file(
            &typed.key,
            "GOODCACHE_KEY",
            section.and_then(|t| t.key.as_ref()),
            saved.and_then(|t| t.key.as_ref()),
        )?,
        sni: First::argument(typed.sni.clone(), "--sni")
            .variable(environment, "GOODCACHE_SNI", |text| {
                Ok(text.trim().to_string())
            })?
            .section(layers, "tls.sni", section.and_then(|tls| tls.sni.clone()))
            .profile(layers, saved.and_then(|tls| tls.sni.clone()))
            .or_none()
            .value,
        is_insecure: First::argument(typed.insecure.then_some(true), "--insecure")
            .variable(environment, "GOODCACHE_INSECURE", values::yes_or_no)?
            .section(layers, "tls.insecure", section.map(|tls| tls.insecure))
            .profile(layers, saved.map(|tls| tls.insecure))
            .or_default(false)
            .value,
    };
    match (&value.cert, &value.key) {
        (Some(_), None) => {
            Err(Failure::usage("a client certificate needs its key").next("add --key FILE"))
        }
        (None, Some(_)) => {
            Err(Failure::usage("a key needs its certificate").next("add --cert FILE"))
        }
        _ => Ok(Setting {
            value: Some(value),
            origin: is_on.origin,
        }),
    }
}

/// Whether TLS is spoken. Whoever gives a certificate means it, so no second flag is asked for.
fn tls_is_on(
    layers: &Layers,
    shared: &Shared,
    seeds: &Setting<Vec<Seed>>,
) -> Result<Setting<bool>, Failure> {
    let typed = &shared.connection;
    let any = |is_given: bool| is_given.then_some(true);
    let mut first = First::argument(any(typed.tls), "--tls")
        .or(any(typed.cacert.is_some()), || Origin::Argument("--cacert"))
        .or(any(typed.cert.is_some()), || Origin::Argument("--cert"))
        .or(any(typed.key.is_some()), || Origin::Argument("--key"))
        .or(any(typed.sni.is_some()), || Origin::Argument("--sni"))
        .or(any(typed.insecure), || Origin::Argument("--insecure"))
        .or(any(seeds.value.iter().any(|seed| seed.is_tls)), || {
            seeds.origin.clone()
        })
        .variable(&layers.environment, "GOODCACHE_TLS", values::yes_or_no)?;
    for variable in [
        "GOODCACHE_CACERT",
        "GOODCACHE_CERT",
        "GOODCACHE_KEY",
        "GOODCACHE_SNI",
    ] {
        first = first.variable(&layers.environment, variable, |_| Ok(true))?;
    }
    let section = layers.section().and_then(|section| section.tls.as_ref());
    let saved = layers
        .profile
        .as_ref()
        .and_then(|profile| profile.tls.as_ref());
    Ok(first
        .section(layers, "tls", any(section.is_some()))
        .profile(layers, any(saved.is_some()))
        .or_default(false))
}

/// A value for `-v`.
pub(super) fn show_tls(tls: &Option<TlsSettings>) -> String {
    let Some(tls) = tls else {
        return "off".to_string();
    };
    let path = |name, path: &Option<PathBuf>| {
        path.as_ref()
            .map(|path| format!("{name} {}", path.display()))
    };
    let parts = [
        Some("on".to_string()),
        path("ca", &tls.ca),
        path("cert", &tls.cert),
        path("key", &tls.key),
        tls.sni.as_ref().map(|sni| format!("sni {sni}")),
        tls.is_insecure.then(|| "insecure".to_string()),
    ];
    show_list(parts.into_iter().flatten())
}
