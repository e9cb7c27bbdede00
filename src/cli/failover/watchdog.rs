//! The watchdog: a small process of its own that outlives a killed drill and puts things back.
//!
//! It holds the reading end of a pipe whose other end only the drill has. When that ends, however
//! the drill ended, the kernel closes the pipe; what the journal still lists then is healed. A drill
//! that ended well has left nothing in the journal.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::exit::{Exit, Failure};
use crate::cluster::Access;
use crate::host::drill::{HostOptions, Hosts};
use crate::host::journal::{self, Journal, Lock};
use crate::ops::failover;

/// How long the lock of the drill that was killed may outlive its end of the pipe.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A watchdog that watches over this process. Dropped, it is let go, and ends.
pub struct Watchdog {
    child: Child,
    // Held open for as long as this process lives.
    pipe: Option<ChildStdin>,
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // It finds an empty journal and ends at once; a zombie is not left behind.
        let _ = self.child.wait();
    }
}

/// Starts it, in a process group of its own, so that Ctrl-C at the terminal does not reach it.
pub fn start(journal: &Path) -> Result<Watchdog, Failure> {
    let begin = || -> anyhow::Result<Watchdog> {
        let program = std::env::current_exe().context("could not find this program")?;
        let mut child = Command::new(program)
            .arg("failover-test")
            .arg("--watchdog")
            .arg(journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("could not start the watchdog that heals when goodcache is killed")?;
        let pipe = child.stdin.take();
        Ok(Watchdog { child, pipe })
    };
    begin().map_err(|error| Failure::new(Exit::Refused, error))
}

/// What the watchdog process does: waits for the end of the drill, then heals what it left.
pub async fn watch_over(path: &Path) -> Result<Exit, Failure> {
    // Whatever comes through the pipe, only its end counts.
    let mut nothing = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut nothing);
    let journal = Journal::at(path);
    if journal
        .entries()
        .is_ok_and(|entries| entries.iter().all(|entry| entry.is_held))
    {
        return Ok(Exit::Good);
    }
    // Another drill may have begun to heal already; then it is its matter.
    let Some(_lock) = lock(&journal).await else {
        return Ok(Exit::Good);
    };
    // It holds no login: where one is needed the next run mends the bus, as the plan has said.
    let mended = failover::mend_all(&Access::to([]), &journal).await;
    let is_mended = mended.is_ok_and(|mended| mended.failed.is_empty());
    let hosts = Hosts::connect(&HostOptions::default()).await;
    let hosts = hosts.map_err(|error| Failure::new(Exit::HalfWay, error))?;
    let healed = journal::heal(&journal, &hosts).await;
    match healed.failed.is_empty() && is_mended {
        true => Ok(Exit::Good),
        false => Ok(Exit::HalfWay),
    }
}

/// The lock. A process that is killed loses its files one after another, so that its end of the pipe
/// may be gone while it still holds the lock.
async fn lock(journal: &Journal) -> Option<Lock> {
    let begun = Instant::now();
    loop {
        match journal.lock() {
            Ok(lock) => return Some(lock),
            Err(_) if begun.elapsed() > PATIENCE => return None,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
