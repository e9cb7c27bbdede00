//! What a drill does to a container, and how that is undone.
//!
//! Everything is asked of the engine by the container's id, since names are given anew. Undoing
//! looks at the container first and does what is missing, so it may be done twice, and by another
//! process than the one that struck.

use std::time::Duration;

use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use tokio::time::{Instant, sleep};

use super::inspect::{Container, ContainerUndo, Present, look};
use super::{Engine, isolate};
use crate::host::drill::{History, HostError, Struck, Undone};
use crate::model::Fault;

/// How long a stopped server may take before the engine kills it: a master waits 10 s for its
/// replicas (`shutdown-timeout`, 7.0) and may save. Below what one answer of the engine may take.
const STOP_SECONDS: i32 = 25;
/// How long a container may take to end that was stopped or killed by a run that is no more.
const GOODBYE: Duration = Duration::from_secs(STOP_SECONDS as u64 + 2);
/// How long the engine may take to end one that was killed.
const DEATH: Duration = Duration::from_secs(10);
/// How long a container may take to be running after its start.
const START: Duration = Duration::from_secs(30);
/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(20);

/// Does it. A stop returns when the container has ended, the others at once.
pub async fn strike(
    engine: &Engine,
    container: &Container,
    fault: Fault,
) -> Result<Struck, HostError> {
    match fault {
        Fault::Stop => stop(engine, container).await?,
        Fault::Kill | Fault::FastRestart => kill(engine, container).await?,
        Fault::Pause => pause(engine, container).await?,
        Fault::Isolate => isolate::isolate(engine, container).await?,
        Fault::IsolatePeers => isolate::isolate_from_peers(engine, container).await?,
        // Pulses are kept by the caller; the rest is asked of the server.
        _ => {}
    }
    Ok(Struck::default())
}

async fn stop(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
    let asked = engine.docker.stop_container(&container.id, Some(options));
    let stopped = engine.ask(format!("stop {container}"), asked).await;
    stopped.map_err(|error| container.error(error))
}

async fn kill(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    let asked = engine.docker.kill_container(&container.id, Some(options));
    let killed = engine.ask(format!("kill {container}"), asked).await;
    killed.map_err(|error| container.error(error))
}

/// Freezes it.
pub async fn pause(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let asked = engine.docker.pause_container(&container.id);
    let paused = engine.ask(format!("pause {container}"), asked).await;
    paused.map_err(|error| container.error(error))
}

/// Lets it go on.
pub async fn unpause(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let asked = engine.docker.unpause_container(&container.id);
    let resumed = engine.ask(format!("unpause {container}"), asked).await;
    resumed.map_err(|error| container.error(error))
}

/// Puts it back, as far as it is not back already.
pub async fn undo(
    engine: &Engine,
    undo: &ContainerUndo,
    history: History,
) -> Result<Undone, HostError> {
    match undo.fault {
        Fault::Pause | Fault::Slow => resume(engine, undo, history).await,
        Fault::Isolate | Fault::IsolatePeers => isolate::reconnect(engine, undo, history).await,
        fault if fault.ends_process() => put_back(engine, undo, history).await,
        _ => Ok(Undone::default()),
    }
}

/// The engine answers 500 when there is nothing to unpause, so the container is looked at.
async fn resume(
    engine: &Engine,
    undo: &ContainerUndo,
    history: History,
) -> Result<Undone, HostError> {
    let container = &undo.container;
    let present = look(engine, container).await?;
    if !present.is_running {
        return Ok(Undone::found(history, ended(container, &present)));
    }
    if !present.is_paused {
        // Between two pulses it is not held, and nobody else had a hand in that.
        if undo.fault == Fault::Slow || history == History::Unknown {
            return settle(engine, container).await;
        }
        let what = format!("{container} had been resumed already");
        return Ok(Undone::found(history, what));
    }
    match unpause(engine, container).await {
        Err(error) if look(engine, container).await?.is_paused => Err(error),
        _ if undo.fault == Fault::Pause && history == History::Struck => Ok(Undone::default()),
        _ => settle(engine, container).await,
    }
}

/// A pause that was asked for by a run that was cut off may still be on its way to the engine.
async fn settle(engine: &Engine, container: &Container) -> Result<Undone, HostError> {
    sleep(5 * PAUSE).await;
    if look(engine, container).await?.is_paused {
        unpause(engine, container).await?;
    }
    Ok(Undone::default())
}

pub(super) fn ended(container: &Container, present: &Present) -> String {
    format!(
        "{container} had been ended by somebody else (the engine calls it {})",
        present.status
    )
}

/// Starts it, unless somebody else did, and waits until it runs. As long as the run of it that was
/// struck goes on, its end is waited for.
async fn put_back(
    engine: &Engine,
    undo: &ContainerUndo,
    history: History,
) -> Result<Undone, HostError> {
    let container = &undo.container;
    let is_slow = matches!(undo.fault, Fault::Stop | Fault::Shutdown);
    let patience = if is_slow { GOODBYE } else { DEATH };
    let begun = Instant::now();
    let mut started = None;
    loop {
        let present = look(engine, container).await?;
        let is_old = present.started_at == undo.started_at;
        match (present.is_running, is_old) {
            (true, true) if history == History::Untouched => return Ok(Undone::default()),
            (true, true) if begun.elapsed() > patience => {
                return Ok(untouched(container));
            }
            (true, true) => {}
            (true, false) if started.is_some() => return Ok(Undone::default()),
            (true, false) => return Ok(Undone::found(history, again(undo, &present))),
            (false, _) if started.is_none_or(|at: Instant| at.elapsed() > START / 2) => {
                if started.is_some() && begun.elapsed() > patience + START {
                    return Err(stuck(container, "did not start", patience + START));
                }
                start(engine, container).await?;
                started = Some(Instant::now());
                continue;
            }
            (false, _) => {}
        }
        sleep(PAUSE).await;
    }
}

async fn start(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let asked = engine.docker.start_container(&container.id, None);
    let started = engine.ask(format!("start {container}"), asked).await;
    started.map_err(|error| container.error(error))
}

/// The engine would have ended it by now: the run that meant to strike it was cut off before.
fn untouched(container: &Container) -> Undone {
    Undone {
        notes: vec![format!("{container} runs on: nothing had been done to it")],
        by_others: None,
    }
}

fn stuck(container: &Container, what: &str, waited: Duration) -> HostError {
    HostError::Stuck {
        place: container.to_string(),
        what: what.to_owned(),
        seconds: waited.as_secs(),
    }
}

fn again(undo: &ContainerUndo, present: &Present) -> String {
    let whom = if present.restarts > undo.restarts {
        "by its restart policy"
    } else {
        "by somebody else"
    };
    format!(
        "{} had been started again {whom} (restart policy {})",
        undo.container, undo.policy
    )
}
