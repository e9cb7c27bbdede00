//! `create --local --tls` and `--docker --tls`: the certificates of nodes that goodcache starts itself.

use anyhow::anyhow;

use super::Running;
use super::provision::{ports, reached_at, shape};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::{CreateSettings, Layers, Settings, Source};
use crate::host::certificates::{Authority, CertificateError, names};

/// The settings with the cluster's own authority trusted, when it is to have one.
pub(super) fn with_own_authority(
    layers: &Layers,
    settings: &Settings,
    create: &CreateSettings,
) -> Result<Option<Settings>, Failure> {
    let Some(tls) = &settings.tls.value else {
        return Ok(None);
    };
    match create.source.value {
        Source::Nodes => return Ok(None),
        Source::Docker if create.write_compose.is_some() => return Ok(None),
        Source::Docker | Source::Local => {}
    }
    let Some(profiles) = &layers.profiles else {
        return Err(
            Failure::usage("no home folder is known, so certificates could not be kept")
                .next("set HOME or XDG_STATE_HOME"),
        );
    };
    let authority = Authority::of(&profiles.tls_folder(&create.name.value), &create.name.value);
    let is_other = tls.ca.as_ref().is_some_and(|ca| *ca != authority.trusted());
    if is_other || tls.cert.is_some() {
        return Err(
            Failure::usage("create --tls makes an authority and certificates itself")
                .next("leave --cacert, --cert and --key out"),
        );
    }
    let mut settings = settings.clone();
    if let Some(tls) = &mut settings.tls.value {
        tls.ca = Some(authority.trusted());
    }
    Ok(Some(settings))
}

/// The cluster's own authority, when its nodes speak TLS and are ours.
pub(super) fn authority(running: &Running<'_>) -> Option<Authority> {
    let is_started = match running.source() {
        Source::Nodes => false,
        // Whoever starts containers by a compose file lays the certificates beside it.
        Source::Docker => running.create.write_compose.is_none(),
        Source::Local => true,
    };
    let is_ours = is_started && running.settings.tls.value.is_some();
    let profiles = running.layers.profiles.as_ref().filter(|_| is_ours)?;
    let folder = profiles.tls_folder(running.name());
    Some(Authority::of(&folder, running.name()))
}

/// Makes the certificates that are not there yet.
pub(super) fn make(running: &Running<'_>) -> Result<(), Failure> {
    let Some(authority) = authority(running) else {
        return Ok(());
    };
    let shape = shape(running);
    let names = names(&reached_at(shape.bind));
    ports(&shape)
        .try_for_each(|port| authority.ensure(&port.to_string(), &names))
        .map_err(failure)
}

pub(super) fn failure(error: CertificateError) -> Failure {
    Failure::new(Exit::Failed, anyhow!(error))
        .next("check the folder, its owner and the space left")
}
