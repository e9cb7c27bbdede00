//! From settings to a survey: how every subcommand gets to the cluster, asks for a password when one
//! is wanted and somebody can type it, and finds containers through Docker.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;

use super::exit::{Exit, Failure};
use super::options::DockerMap;
use super::password::prompt_password;
use super::screen::Screen;
use super::settings::Settings;
use crate::cluster::{Access, Ask, NodeMap, survey};
use crate::host::docker;
use crate::model::{Answer, NodeAddr, NodeReport, SentinelAnswer, Sentinels, Silence, Survey};

/// The access that the settings describe.
pub fn access(settings: &Settings) -> Result<Access, Failure> {
    let mut access = Access::to(settings.nodes.value.iter().cloned());
    access.credentials = settings.credentials();
    access.map = NodeMap::new(settings.node_map.value.clone());
    access.deadline = settings.deadline.value;
    access.sentinel = settings.sentinel();
    access.is_trusting = settings.is_trusting;
    match &settings.tls.value {
        None => Ok(access),
        Some(tls) => access.over_tls(tls).map_err(|error| {
            Failure::new(Exit::CouldNotLook, error)
                .next("check --cacert, --cert and --key, or the tls section of goodcache.yaml")
        }),
    }
}

/// The same, for what works without cluster mode as well.
pub fn access_to_every_form(settings: &Settings) -> Result<Access, Failure> {
    let mut access = access(settings)?;
    access.takes_every_form = true;
    Ok(access)
}

/// Surveys the cluster. What it took to get there (a typed password, Docker's map) stays in `access`.
pub async fn look(
    settings: &Settings,
    access: &mut Access,
    ask: &Ask,
    screen: &Screen,
) -> Result<Survey, Failure> {
    if settings.docker_map.value == DockerMap::On {
        add_docker_map(access)
            .await
            .map_err(|error| Failure::new(Exit::CouldNotLook, anyhow!(error)))?;
    }
    let mut seen = survey(access, ask).await;
    if nobody_answers(&seen) && settings.retry_on_fail.value {
        seen = survey(access, ask).await;
    }
    if wants_password(access, &seen) && ask_password(settings, access, screen)? {
        seen = survey(access, ask).await;
    }
    if settings.docker_map.value == DockerMap::Auto
        && is_behind_nat(&seen)
        && add_docker_map(access).await.is_ok_and(|is_new| is_new)
    {
        screen.detail("asked Docker where announced addresses can be reached");
        seen = survey(access, ask).await;
    }
    seen.name = settings.cluster.value.clone();
    seen.note_service(settings.provider.value);
    Ok(seen)
}

/// The failure when not one node answered; `Ok` as soon as one did.
pub fn require_answer(seen: &Survey) -> Result<(), Failure> {
    if let Some(sentinels) = &seen.sentinels {
        // What Sentinels say of servers that are all silent is an answer too.
        return match sentinels.watching().next() {
            Some(_) => Ok(()),
            None => require_master(sentinels, seen),
        };
    }
    if !nobody_answers(seen) {
        return Ok(());
    }
    let mut by_silence: BTreeMap<Silence, Vec<&NodeReport>> = BTreeMap::new();
    for node in &seen.nodes {
        if let Some(silence) = node.silence() {
            by_silence.entry(silence).or_default().push(node);
        }
    }
    let details: Vec<String> = by_silence.values().map(|nodes| told(nodes)).collect();
    let mut failure = Failure::new(
        Exit::CouldNotLook,
        anyhow!(details.join("; ")).context("could not look at the cluster"),
    );
    for silence in by_silence.keys() {
        failure = failure.next(silence.hint());
    }
    Err(failure)
}

/// The failure of Sentinels that watch no such master, or several of which none was named.
fn require_master(sentinels: &Sentinels, seen: &Survey) -> Result<(), Failure> {
    let mut watches: Vec<&str> = sentinels
        .answered()
        .flat_map(|(_, facts)| facts.watches.iter().map(String::as_str))
        .collect();
    watches.sort_unstable();
    watches.dedup();
    let Some((first, _)) = sentinels.answered().next() else {
        // Not one Sentinel answered; what servers were given beside them counts.
        if !nobody_answers(seen) {
            return Ok(());
        }
        let details = sentinels
            .asked
            .iter()
            .filter_map(|report| match &report.answer {
                SentinelAnswer::Silent { detail, .. } => Some(detail.as_str()),
                SentinelAnswer::Facts(_) => None,
            });
        let details: Vec<&str> = details.collect();
        return Err(Failure::new(
            Exit::CouldNotLook,
            anyhow!(details.join("; ")).context("could not ask the Sentinel"),
        )
        .next("give its login: --sentinel-user, --sentinel-password-file FILE"));
    };
    let (what, step) = match (&sentinels.name, watches.as_slice()) {
        (_, []) => (
            format!("the Sentinel {} watches no master", first.addr),
            "tell it to: SENTINEL MONITOR, or sentinel monitor in its file".to_owned(),
        ),
        (Some(name), _) => (
            format!(
                "the Sentinel {} watches no master named '{name}'",
                first.addr
            ),
            format!(
                "name one that it watches: --master-name {}",
                watches.join(", ")
            ),
        ),
        (None, _) => (
            format!(
                "the Sentinel {} watches {} masters",
                first.addr,
                watches.len()
            ),
            format!(
                "name the one that is meant: --master-name {}",
                watches.join(", ")
            ),
        ),
    };
    Err(Failure::new(Exit::CouldNotLook, anyhow!(what)).next(step))
}

/// What one node said, and how many others said alike.
fn told(nodes: &[&NodeReport]) -> String {
    let detail = match &nodes[0].answer {
        Answer::Silent { detail, .. } => detail.as_str(),
        Answer::Facts(_) => "",
    };
    match nodes.len() {
        1 => detail.to_owned(),
        more => format!("{detail} (and {} more alike)", more - 1),
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|now| u64::try_from(now.as_millis()).ok())
        .unwrap_or(0)
}

fn nobody_answers(seen: &Survey) -> bool {
    seen.answered().next().is_none()
}

fn wants_password(access: &Access, seen: &Survey) -> bool {
    access.credentials.password.is_none()
        && nobody_answers(seen)
        && seen
            .nodes
            .iter()
            .any(|node| node.silence() == Some(Silence::PasswordWanted))
}

/// Whether a password was typed.
pub fn ask_password(
    settings: &Settings,
    access: &mut Access,
    screen: &Screen,
) -> Result<bool, Failure> {
    let Some(addr) = access.seeds.first().cloned() else {
        return Ok(false);
    };
    screen.clear();
    let typed = prompt_password(settings.user.value.as_deref(), &addr)?;
    let is_typed = typed.is_some();
    access.credentials.password = typed;
    Ok(is_typed)
}

/// Whether some node answers while another cannot be reached at a private address: the way a
/// cluster in containers looks from outside.
fn is_behind_nat(seen: &Survey) -> bool {
    let is_lost = |node: &NodeReport| {
        let unreachable = [
            Silence::Timeout,
            Silence::NoConnection,
            Silence::Refused,
            Silence::Unreachable,
            Silence::NotAsked,
        ];
        node.silence()
            .is_some_and(|silence| unreachable.contains(&silence))
            && is_private(&node.addr)
    };
    !nobody_answers(seen) && seen.nodes.iter().any(is_lost)
}

fn is_private(addr: &NodeAddr) -> bool {
    addr.host
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|ip| ip.is_private())
}

/// Adds what Docker knows; whether there was anything new.
async fn add_docker_map(access: &mut Access) -> Result<bool, docker::DockerError> {
    let engine = docker::Engine::connect().await?;
    let before = access.map.clone();
    let found = docker::node_map(&engine).await?;
    access.map.extend(
        found
            .into_iter()
            .map(|mapped| (mapped.announced, mapped.reachable)),
    );
    Ok(access.map != before)
}
