//! Slowness: a node is held for a moment and let go, again and again, so that every answer comes
//! late and none fails to come.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::HostError;
use super::process::Process;
use crate::host::docker::{self, Container, Engine};

/// How long the node is held, and then how long it is let go: 40 ms of every 80 ms, to which an
/// engine adds what its pause and unpause take (20 to 30 ms each). Far below any node timeout, so
/// nobody suspects the node, and far above the few ms within which a client expects its answers.
pub const PULSE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(40));
/// How long the last pulse may take to end.
const PATIENCE: Duration = Duration::from_secs(35);

/// What is held and let go.
#[derive(Clone)]
pub(super) enum Grip {
    /// By the engine.
    Container(Engine, Container),
    /// By signals.
    Process(Process),
}

impl Grip {
    async fn hold(&self) -> Result<(), HostError> {
        match self {
            Grip::Container(engine, container) => docker::pause(engine, container).await,
            Grip::Process(process) => process.freeze(),
        }
    }

    async fn release(&self) -> Result<(), HostError> {
        match self {
            Grip::Container(engine, container) => docker::unpause(engine, container).await,
            Grip::Process(process) => process.thaw(),
        }
    }
}

/// Pulses that go on until they are stopped, or dropped, or the node ends.
pub(super) struct Pulses {
    stop: Arc<CancellationToken>,
    task: JoinHandle<Result<(), HostError>>,
}

impl Pulses {
    /// Begins; the first hold has happened when this returns.
    pub(super) async fn begin(grip: Grip) -> Result<Pulses, HostError> {
        let stop = Arc::new(CancellationToken::new());
        grip.hold().await?;
        let task = tokio::spawn(go_on(grip, stop.clone()));
        Ok(Pulses { stop, task })
    }

    /// Stops them and waits for the last to end; gives why they ended early, if they did.
    pub(super) async fn end(mut self) -> Option<String> {
        self.stop.cancel();
        match timeout(PATIENCE, &mut self.task).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(why))) => Some(why.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the last did not end in {} s", PATIENCE.as_secs())),
        }
    }
}

impl Drop for Pulses {
    /// Lets the task release the node by itself rather than ending it while it holds.
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn go_on(grip: Grip, stop: Arc<CancellationToken>) -> Result<(), HostError> {
    loop {
        // Held: whatever comes now, the node is let go first.
        wait(PULSE.0, &stop).await;
        grip.release().await?;
        wait(PULSE.1, &stop).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        grip.hold().await?;
    }
}

async fn wait(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
