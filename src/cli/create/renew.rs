//! `create NAME --renew-tls`: a new certificate for each node, loaded while it runs, one node at a time.
//!
//! The authority stays, so whoever trusts it goes on; connections that stand are not touched. A node that
//! is down finds its new certificate when it is started.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::Running;
use super::provision::{docker_failure, reached_at};
use super::tls::failure;
use crate::cli::check::look;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Format;
use crate::cli::profile::{Made, Profile};
use crate::cli::reach::{self, now_ms};
use crate::cluster::{Access, Command, Node, NodeError};
use crate::host::certificates::{Authority, NODE_DAYS, names};
use crate::host::docker::{self, Engine};
use crate::model::NodeAddr;
use crate::model::words::counted;
use crate::render;
use crate::render::doc::{Block, Cell, Doc, Tone};

/// What became of the nodes.
#[derive(Serialize)]
struct Renewal {
    name: String,
    /// The nodes that show their new certificate.
    renewed: Vec<NodeAddr>,
    /// Those that do not answer, and load it when they are started.
    down: Vec<NodeAddr>,
    /// Where it stopped, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// What to do then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<String>,
    /// How long the new certificates are good.
    days: u64,
    is_plan: bool,
}

/// Runs it.
pub(super) async fn run(running: &Running<'_>) -> Result<Exit, Failure> {
    let (profile, authority) = made_here(running)?;
    let mut renewal = Renewal {
        name: profile.name.clone(),
        renewed: Vec::new(),
        down: Vec::new(),
        stopped: None,
        next: Vec::new(),
        days: NODE_DAYS,
        is_plan: running.create.is_dry_run,
    };
    if renewal.is_plan {
        renewal.renewed.clone_from(&profile.nodes);
        return answer(running, &renewal, Exit::Good);
    }
    let nodes = counted(profile.nodes.len(), "node");
    let question = format!("give {nodes} of {} new certificates?", profile.name);
    running.consent(&question, None)?;
    let access = reach::access(running.settings)?;
    all_answer_or_are_down(&access, profile).await?;
    let events = running.screen.events();
    for addr in &profile.nodes {
        events.begin(format!("renewing the certificate of {addr}"));
        match renew(&access, &authority, addr, profile).await {
            Ok(true) => {
                events.done(format!("{addr} shows its new certificate"));
                renewal.renewed.push(addr.clone());
            }
            Ok(false) => {
                events.done(format!("{addr} is down, and loads it when it is started"));
                renewal.down.push(addr.clone());
            }
            Err(why) => {
                let why_here = why.error.to_string();
                let is_named = why_here.contains(&addr.to_string());
                renewal.stopped = Some(match is_named {
                    true => why_here,
                    false => format!("{addr}: {why_here}"),
                });
                renewal.next = why.next;
                let again = format!("goodcache create {} --renew-tls", profile.name);
                renewal
                    .next
                    .push(format!("then all of them again: {again}"));
                break;
            }
        }
    }
    running.screen.clear();
    let exit = match renewal.stopped {
        None => Exit::Good,
        Some(_) => Exit::HalfWay,
    };
    answer(running, &renewal, exit)
}

/// A node that is down is none in the way. One that hangs, or does not let goodcache in, would stop the run
/// half-way.
async fn all_answer_or_are_down(access: &Access, profile: &Profile) -> Result<(), Failure> {
    for addr in &profile.nodes {
        match Node::connect(access, addr).await {
            Ok(_) | Err(NodeError::Refused { .. }) => {}
            Err(error) => {
                let next = error.hint();
                let why = anyhow!("{error}; nothing was changed");
                return Err(Failure::new(Exit::CouldNotLook, why).next(next));
            }
        }
    }
    Ok(())
}

fn made_here<'a>(running: &'a Running<'_>) -> Result<(&'a Profile, Authority), Failure> {
    let refused = |why: &str| Failure::new(Exit::Refused, anyhow!("{why}; nothing was changed"));
    let (Some(profile), Some(profiles)) = (&running.layers.profile, &running.layers.profiles)
    else {
        return Err(refused("create made no cluster of that name"));
    };
    let authority = Authority::of(&profiles.tls_folder(&profile.name), &profile.name);
    if matches!(profile.made, Made::Nodes) || !authority.is_made() {
        return Err(
            refused("create --tls did not make this cluster's certificates").next(
                "renew them where they were made, and load them: CONFIG SET tls-cert-file FILE",
            ),
        );
    }
    Ok((profile, authority))
}

/// Whether the node runs and shows a new certificate now.
async fn renew(
    access: &Access,
    authority: &Authority,
    addr: &NodeAddr,
    profile: &Profile,
) -> Result<bool, Failure> {
    let bind = match &profile.made {
        Made::Local { shape, .. } | Made::Docker { shape, .. } => reached_at(shape.bind),
        Made::Nodes => addr.host.clone(),
    };
    let before = Node::connect(access, addr).await;
    let names = names(&bind);
    let issue = || issue(authority, addr, profile, &names);
    let lost = |error: NodeError| {
        let next = error.hint();
        Failure::new(Exit::HalfWay, error).next(next)
    };
    let node = match before {
        Ok(node) => node,
        Err(NodeError::Refused { .. }) => return issue().await.map(|_| false),
        Err(error) => return Err(lost(error)),
    };
    let pem = issue().await?;
    // Setting it to what it is makes the server read the files anew.
    let load = Command::words("CONFIG SET tls-cert-file").arg(pem.to_string_lossy().as_bytes());
    node.ask(&load).await.map_err(lost)?;
    let after = Node::connect(access, addr).await.map_err(lost)?;
    match after.certificate() == node.certificate() {
        false => Ok(true),
        true => Err(Failure::new(
            Exit::HalfWay,
            anyhow!(
                "it still shows its old certificate: it reads the new one when it is started again"
            ),
        )
        .next(format!("restart {addr}"))),
    }
}

/// Makes a node's new certificate and puts it where the server reads it; gives that path.
async fn issue(
    authority: &Authority,
    addr: &NodeAddr,
    profile: &Profile,
    names: &[String],
) -> Result<PathBuf, Failure> {
    let port = addr.port.to_string();
    authority.issue(&port, names).map_err(failure)?;
    let pem = authority.of_node(&port);
    if !matches!(profile.made, Made::Docker { .. }) {
        return Ok(pem);
    }
    let engine = Engine::connect().await.map_err(docker_failure)?;
    let inside = docker::change_certificate(&engine, &profile.name, addr.port, &pem)
        .await
        .map_err(docker_failure)?;
    inside.map(PathBuf::from).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            anyhow!(
                "no container of {} has a certificate for port {port}",
                profile.name
            ),
        )
        .next("look at its containers: docker ps -a")
    })
}

fn answer(running: &Running<'_>, renewal: &Renewal, exit: Exit) -> Result<Exit, Failure> {
    let mut doc = Doc::new();
    let nodes = counted(renewal.renewed.len(), "node");
    let good = format!("good for {} days; no connection was broken", renewal.days);
    let (word, tone, rest) = match (&renewal.stopped, renewal.is_plan) {
        (_, true) => (
            "PLAN",
            Tone::Strong,
            format!("new certificates for {nodes}, one after the other; nothing was changed"),
        ),
        (Some(why), _) => ("STOPPED", Tone::Bad, why.clone()),
        (None, _) => (
            "RENEWED",
            Tone::Good,
            format!("{nodes} show new certificates, {good}"),
        ),
    };
    doc.push(Block::Verdict {
        subject: renewal.name.clone(),
        word: word.to_owned(),
        tone,
        rest,
    });
    let down = renewal.down.iter();
    let down = down.map(|addr| {
        Cell::new(
            format!("{addr} is down, and loads its own when it is started"),
            Tone::Warn,
        )
    });
    doc.push(Block::Lines(down.collect()));
    let next = renewal.next.iter();
    let next = next.map(|step| Cell::plain(format!("next: {step}")));
    doc.push(Block::Lines(next.collect()));
    let text = match running.create.output.value {
        Format::Json => render::json::envelope("create", Some(now_ms()), renewal),
        Format::Markdown => render::markdown::text(&doc),
        _ => render::terminal::text(&doc, look(running.screen)),
    };
    running
        .screen
        .answer(&text)
        .context("could not write the answer to stdout")?;
    Ok(exit)
}
