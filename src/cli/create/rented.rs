//! `create --provider NAME --emit LANGUAGE`: the definition of a managed cluster, on stdout.

use anyhow::Context;

use super::Running;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::create::Emit;
use crate::cli::settings::Emitting;
use crate::model::Provider;
use crate::ops::create::rented::{self, Language, Wanted};

/// Masters where nobody said how many.
const MASTERS: u16 = 3;

/// Writes it.
pub(super) fn write(running: &Running<'_>, emitting: &Emitting) -> Result<Exit, Failure> {
    let Provider::Is(service) = running.settings.provider.value else {
        return Err(Failure::usage(
            "--emit writes the definition for a managed service, and none was named",
        )
        .next("add --provider aws, gcp or azure"));
    };
    let wanted = Wanted {
        name: running.name().to_owned(),
        shards: running.create.masters.value.unwrap_or(MASTERS),
        replicas: running.create.replicas.value,
        node_size: emitting.node_size.clone(),
        region: emitting.region.clone(),
    };
    let language = match emitting.language {
        Emit::Terraform => Language::Terraform,
        Emit::Cli => Language::Cli,
    };
    let text = rented::write(service, language, &wanted).map_err(|error| {
        let next = error.next.clone();
        Failure::usage(error).next(next)
    })?;
    running
        .screen
        .answer(&text)
        .context("could not write the answer to stdout")?;
    Ok(Exit::Good)
}
