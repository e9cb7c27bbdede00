//! `create --docker --write-compose FILE`: the same cluster for `docker compose up`, its password in a
//! file of its own beside it.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::anyhow;

use super::Running;
use super::provision::Provision;
use super::remember::remember;
use crate::cli::check::look;
use crate::cli::exit::{Exit, Failure};
use crate::host::compose;
use crate::render::doc::{Block, Doc, Tone};

/// Writes the same cluster as a compose file, with its password in a file of its own beside it.
pub(super) fn write_compose(running: &Running<'_>, path: &Path) -> Result<Exit, Failure> {
    let provision = Provision::of(running)?;
    let access = provision.access(running)?;
    let Provision::Docker(spec) = &provision else {
        return Err(Failure::usage(
            "--write-compose writes containers: add --docker",
        ));
    };
    let options = compose::Options {
        replicas: running.create.replicas.value,
        has_password: true,
        is_tls: access.is_tls(),
    };
    spec.validate().map_err(Failure::usage)?;
    let text =
        compose::compose(spec, options).map_err(|error| Failure::new(Exit::Failed, error))?;
    if running.create.is_dry_run {
        running
            .screen
            .answer(&text)
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        return Ok(Exit::Good);
    }
    let password_path = path.with_file_name(compose::password_file(running.name()));
    if let Some(password) = &access.credentials.password {
        write_new(&password_path, &format!("{}\n", password.expose()))?;
    }
    write_new(path, &text)?;
    remember(running, &access)?;
    let name = running.name();
    let mut doc = Doc::new();
    doc.push(Block::Verdict {
        subject: name.to_owned(),
        word: "WRITTEN".into(),
        tone: Tone::Good,
        rest: format!(
            "{}, and the password in {}",
            path.display(),
            password_path.display()
        ),
    });
    doc.commands([
        format!("docker compose -p {name} -f {} up -d", path.display()),
        format!("goodcache check {name} --wait healthy"),
    ]);
    let text = crate::render::terminal::text(&doc, look(running.screen));
    running
        .screen
        .answer(&text)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(Exit::Good)
}

/// Writes a file that is not there yet, for its owner only: an older one may be in use.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(
            Exit::Refused,
            anyhow!("{} is there already, and is left as it is", path.display()),
        )
        .next("name another file, or move that one away"),
        _ => Failure::new(
            Exit::Failed,
            anyhow!("could not write {}: {error}", path.display()),
        ),
    })
}
