//! `goodcache destroy`: takes away what create made under a name, its data included, and nothing
//! else. Of servers that ran already only the name is forgotten.

use anyhow::{Context, anyhow};

use super::check::look;
use super::create::{docker_failure, process_failure};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::options::Format;
use super::options::destroy::Args;
use super::profile::{Made, Profile, Profiles};
use super::screen::{Asked, Screen};
use crate::host::docker::{self, Engine};
use crate::host::process;
use crate::render;
use crate::render::doc::{Block, Cell, Doc, Tone};

/// What was, or would be, taken away.
#[derive(serde::Serialize)]
struct Removal {
    name: String,
    /// Containers, processes, folders, volumes, networks; a line each.
    things: Vec<String>,
    is_removed: bool,
}

/// Runs it.
pub async fn run(environment: &Environment, args: &Args, screen: &Screen) -> Result<Exit, Failure> {
    let profiles = Profiles::of(environment).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            anyhow!("no home folder is known, so no cluster is either"),
        )
    })?;
    let Some(profile) = profiles.load(&args.name)? else {
        let known = profiles.list()?;
        let failure = Failure::new(
            Exit::Refused,
            anyhow!(
                "create made no cluster called '{}'; nothing was removed",
                args.name
            ),
        );
        return Err(match known.as_slice() {
            [] => failure.next("nothing to do: create has made no cluster for this user here"),
            known => failure.next(format!("the clusters made here: {}", known.join(", "))),
        });
    };
    let things = things(&profile).await?;
    if args.dry_run {
        return answer(
            args,
            screen,
            Removal {
                name: args.name.clone(),
                things,
                is_removed: false,
            },
        );
    }
    consent(args, &things, screen)?;
    remove(&profile).await?;
    profiles.remove(&args.name)?;
    answer(
        args,
        screen,
        Removal {
            name: args.name.clone(),
            things,
            is_removed: true,
        },
    )
}

/// What is there to be taken away.
async fn things(profile: &Profile) -> Result<Vec<String>, Failure> {
    let mut things = match &profile.made {
        Made::Nodes => Vec::new(),
        Made::Docker { .. } => {
            let engine = Engine::connect().await.map_err(docker_failure)?;
            let found = docker::find(&engine, &profile.name)
                .await
                .map_err(docker_failure)?;
            let containers = found
                .nodes
                .iter()
                .map(|node| format!("container {}", node.container));
            let volumes = found
                .volumes
                .iter()
                .map(|name| format!("volume {name} with its data"));
            let networks = found.networks.iter().map(|name| format!("network {name}"));
            containers.chain(volumes).chain(networks).collect()
        }
        Made::Local { dir, .. } => {
            let processes = process::ports(dir).into_iter().filter_map(|port| {
                Some(format!(
                    "process {} on port {port}",
                    process::running(dir, port)?
                ))
            });
            let mut things: Vec<String> = processes.collect();
            if dir.exists() {
                things.push(format!("folder {} with its data", dir.display()));
            }
            things
        }
    };
    things.push(format!("the saved name {}", profile.name));
    Ok(things)
}

fn consent(args: &Args, things: &[String], screen: &Screen) -> Result<(), Failure> {
    let name = &args.name;
    match &args.confirm {
        Some(typed) if typed == name => return Ok(()),
        Some(typed) => {
            let failure = Failure::new(
                Exit::Refused,
                anyhow!(
                    "--confirm says '{typed}', the cluster is called '{name}'; nothing was removed"
                ),
            );
            return Err(failure.next(format!("repeat the name: --confirm {name}")));
        }
        None => {}
    }
    let question = format!("this will be removed for good:\n  {}", things.join("\n  "));
    match screen
        .confirm_name(&question, name)
        .map_err(|error| Failure::new(Exit::Failed, error))?
    {
        Asked::Yes(_) => Ok(()),
        Asked::No => Err(Failure::new(
            Exit::Refused,
            anyhow!("not confirmed; nothing was removed"),
        )),
        Asked::Nobody => Err(Failure::new(
            Exit::Refused,
            anyhow!("nobody is there to confirm (no terminal); nothing was removed"),
        )
        .next(format!("confirm on the command line: --confirm {name}"))),
    }
}

async fn remove(profile: &Profile) -> Result<(), Failure> {
    match &profile.made {
        Made::Nodes => Ok(()),
        Made::Docker { .. } => {
            let engine = Engine::connect().await.map_err(docker_failure)?;
            docker::remove(&engine, &profile.name)
                .await
                .map_err(half_way)?;
            Ok(())
        }
        Made::Local { dir, .. } if !dir.exists() => Ok(()),
        Made::Local { dir, .. } => {
            process::remove(dir).map_err(|error| process_failure(&error))?;
            Ok(())
        }
    }
}

/// Something may be gone already.
fn half_way(error: docker::DockerError) -> Failure {
    let mut failure = docker_failure(error);
    if failure.exit == Exit::Failed {
        failure.exit = Exit::HalfWay;
    }
    failure
}

fn answer(args: &Args, screen: &Screen, removal: Removal) -> Result<Exit, Failure> {
    let mut doc = Doc::new();
    let (word, rest) = match removal.is_removed {
        true => ("REMOVED", "and nothing else was touched"),
        false => ("PLAN", "this would be removed for good"),
    };
    doc.push(Block::Verdict {
        subject: removal.name.clone(),
        word: word.into(),
        tone: Tone::Strong,
        rest: rest.into(),
    });
    doc.push(Block::Lines(
        removal.things.iter().map(Cell::plain).collect(),
    ));
    let text = match args.output.unwrap_or(Format::Table) {
        Format::Json => render::json::envelope("destroy", Some(super::reach::now_ms()), &removal),
        Format::Markdown => render::markdown::text(&doc),
        _ => render::terminal::text(&doc, look(screen)),
    };
    screen
        .answer(&text)
        .context("could not write the answer to stdout")?;
    Ok(Exit::Good)
}
