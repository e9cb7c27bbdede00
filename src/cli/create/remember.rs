//! What create remembers of a cluster: the profile under which check finds it and destroy takes it
//! away.

use super::Running;
use super::provision::{local_spec, ports, reached_at, shape};
use super::users;
use crate::cli::acl::ADMIN_USER;
use crate::cli::exit::Failure;
use crate::cli::profile::{Made, Profile};
use crate::cli::settings::Source;
use crate::cluster::Access;
use crate::model::NodeAddr;

/// Saves the profile under which check finds the cluster and destroy takes it away.
pub(super) fn remember(running: &Running<'_>, access: &Access) -> Result<(), Failure> {
    let Some(profiles) = &running.layers.profiles else {
        running
            .screen
            .say("goodcache: no home folder is known, so the cluster is not remembered by name");
        return Ok(());
    };
    let name = running.name();
    let users = users::files(running);
    let given = running.settings.password_file.as_ref();
    let mut password_file =
        given.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    // One that we made up is known to nobody else; one that was typed is not ours to write down.
    let is_made_up = running.source() == Source::Docker
        && running.settings.password.value.is_none()
        && users.is_empty();
    if let Some(file) = users.get(ADMIN_USER) {
        password_file = Some(file.clone());
    }
    if let Some(password) = access.credentials.password.as_ref().filter(|_| is_made_up) {
        password_file = Some(profiles.save_password(name, password)?);
    }
    profiles.save(&Profile {
        schema: 1,
        name: name.to_owned(),
        made: made(running)?,
        nodes: nodes(running),
        node_map: running.settings.node_map.value.clone(),
        zones: running.settings.zones.value.clone(),
        user: match users.is_empty() {
            true => running.settings.user.value.clone(),
            false => Some(ADMIN_USER.to_owned()),
        },
        password_file,
        users,
        tls: running.settings.tls.value.as_ref().map(Into::into),
    })?;
    Ok(())
}

/// Whether the name is known already.
pub(super) fn is_remembered(running: &Running<'_>) -> bool {
    let Some(profiles) = &running.layers.profiles else {
        return false;
    };
    matches!(profiles.load(running.name()), Ok(Some(_)))
}

/// Takes back a name under which nothing came to be.
pub(super) fn forget(running: &Running<'_>) {
    if let Some(profiles) = &running.layers.profiles {
        // The failure that led here is the one to tell.
        let _ = profiles.remove(running.name());
    }
}

fn nodes(running: &Running<'_>) -> Vec<NodeAddr> {
    match running.source() {
        Source::Nodes => running.settings.nodes.value.clone(),
        Source::Docker | Source::Local => {
            let shape = shape(running);
            ports(&shape)
                .map(|port| NodeAddr::new(reached_at(shape.bind), port))
                .collect()
        }
    }
}

fn made(running: &Running<'_>) -> Result<Made, Failure> {
    Ok(match running.source() {
        Source::Nodes => Made::Nodes,
        // What compose makes, compose takes away.
        Source::Docker if running.create.write_compose.is_some() => Made::Nodes,
        Source::Docker => Made::Docker {
            engine: std::env::var("DOCKER_HOST").ok(),
            image: running.create.image.value.clone(),
            shape: shape(running),
        },
        Source::Local => {
            let spec = local_spec(running)?;
            Made::Local {
                dir: spec.folder,
                server: spec.server,
                shape: shape(running),
            }
        }
    })
}
