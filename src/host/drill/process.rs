//! Nodes that are plain processes of this machine: struck by signal, put back by starting the same
//! program on the same configuration file.
//!
//! Once it is proven (`proof`), a process is the same only as long as its start time and its folder
//! are. So a pid that was given to somebody else meanwhile is never touched.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::error::HostError;
use super::place::{History, Struck, Undone};
use super::{conf, proc, restart};
use crate::model::{Fault, NodeId};

/// How long a server may take to end after SIGTERM where it does not say: a master waits 10 s for
/// its replicas by default (`shutdown-timeout`, 7.0), and may save.
const GOODBYE: Duration = Duration::from_secs(15);
/// How much longer than `shutdown-timeout` it may take.
const GOODBYE_MARGIN: Duration = Duration::from_secs(5);
/// How long the system may take to end a process after SIGKILL: it has its memory to give back.
const DEATH: Duration = Duration::from_secs(10);
/// How long it may take until it shows that a process is held.
const STOP: Duration = Duration::from_secs(1);
/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(10);

/// What a process of this machine can take, given that it can be started again.
const POSSIBLE: [Fault; 6] = [
    Fault::Stop,
    Fault::Kill,
    Fault::Pause,
    Fault::Slow,
    Fault::FastRestart,
    Fault::Shutdown,
];

/// A process that proved to be a node, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The node.
    pub node: NodeId,
    /// Its pid.
    pub pid: i32,
    /// When it began, in clock ticks since the machine did (`/proc/PID/stat`).
    pub started: u64,
    /// The folder that it works in, where its cluster file is.
    pub folder: PathBuf,
    /// The port that it listens on.
    pub port: u16,
    /// The program.
    pub executable: PathBuf,
    /// What it was called by. Redis and its tools are one file, which looks at this (Debian's
    /// `redis-server` is a link to `redis-check-rdb`).
    pub called: PathBuf,
    /// Its configuration file; `None` when it was started with arguments only.
    pub config_file: Option<PathBuf>,
    /// The user and group that it acts as.
    pub owner: (u32, u32),
    /// `shutdown-timeout` in seconds, where the server says.
    pub shutdown_timeout_s: Option<u64>,
}

/// What putting a process back takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUndo {
    /// The process as it was.
    pub process: Process,
    /// What was done to it.
    pub fault: Fault,
    /// The folder in which its program is started.
    pub start_folder: PathBuf,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)
    }
}

impl Process {
    /// What the system says of it; `None` when it has ended, also when its pid is another's now.
    pub(super) fn stat(&self) -> Option<proc::Stat> {
        let stat = proc::stat(self.pid)?;
        let is_it = stat.started == self.started && !stat.has_ended();
        (is_it && proc::folder(self.pid).as_deref() == Some(&self.folder)).then_some(stat)
    }

    /// Whether it has ended for good: one that is ending has no folder any more, and still its port.
    fn is_gone(&self) -> bool {
        proc::stat(self.pid).is_none_or(|stat| stat.started != self.started || stat.has_ended())
    }

    /// Stops it in its tracks.
    pub(super) fn freeze(&self) -> Result<(), HostError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(super) fn thaw(&self) -> Result<(), HostError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), HostError> {
        let pid = self.stat().and_then(|_| Pid::from_raw(self.pid));
        let Some(pid) = pid else {
            return Err(self.down("it has ended"));
        };
        kill_process(pid, signal).map_err(|error| HostError::System {
            what: format!("signal {self}"),
            why: error.to_string(),
        })
    }

    fn down(&self, state: &str) -> HostError {
        HostError::AlreadyDown {
            place: self.to_string(),
            state: state.to_owned(),
            by_hand: format!(
                "let it run again: kill -CONT {}, or start the server where it has ended",
                self.pid
            ),
        }
    }

    /// Whether it ends within that time.
    async fn ends_within(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while !self.is_gone() {
            if begun.elapsed() > patience {
                return false;
            }
            sleep(PAUSE).await;
        }
        true
    }

    /// Waits until the system shows that it is held: the signal takes a moment.
    async fn await_stop(&self) {
        let begun = Instant::now();
        while begun.elapsed() < STOP && self.stat().is_some_and(|stat| !stat.is_stopped()) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn goodbye(&self) -> Duration {
        let own = self.shutdown_timeout_s.map(Duration::from_secs);
        own.map_or(GOODBYE, |own| GOODBYE.max(own + GOODBYE_MARGIN))
    }
}

pub(super) fn prepare(process: &Process, fault: Fault) -> Result<ProcessUndo, HostError> {
    let cannot = |why: &str, can: &[Fault]| HostError::CannotDo {
        place: process.to_string(),
        fault,
        why: why.to_owned(),
        can: can.to_vec(),
    };
    if matches!(fault, Fault::Isolate | Fault::IsolatePeers) {
        return Err(cannot(
            "a network of its own takes Docker or hooks",
            &POSSIBLE,
        ));
    }
    if !POSSIBLE.contains(&fault) {
        return Err(cannot("the servers do it themselves", &POSSIBLE));
    }
    match process.stat() {
        None => return Err(process.down("it has ended")),
        Some(stat) if stat.is_stopped() => {
            return Err(process.down("it is held by a signal (SIGSTOP)"));
        }
        Some(_) => {}
    }
    let start_folder = if fault.ends_process() {
        start_folder(process).map_err(|why| cannot(&why, &[Fault::Pause, Fault::Slow]))?
    } else {
        process.folder.clone()
    };
    Ok(ProcessUndo {
        process: process.clone(),
        fault,
        start_folder,
    })
}

/// Where the program must be started so that the same server comes of it; or why it cannot be.
fn start_folder(process: &Process) -> Result<PathBuf, String> {
    let path = process.config_file.as_deref().ok_or(
        "it was started without a configuration file, so it could not be started again the same way",
    )?;
    if !process.executable.is_file() {
        let program = process.executable.display();
        return Err(format!(
            "its program {program} is not there, so it could not be started again"
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "its configuration file {} cannot be read: {error}",
            path.display()
        )
    })?;
    conf::start_folder(&text, &process.folder, process.port).map_err(|why| {
        format!(
            "its configuration file {} {why}, so it could not be started again the same way",
            path.display()
        )
    })
}

/// Returns when the signal was sent; a stop goes on by itself.
pub(super) async fn strike(process: &Process, fault: Fault) -> Result<Struck, HostError> {
    match fault {
        Fault::Stop => process.signal(Signal::TERM)?,
        Fault::Kill | Fault::FastRestart => process.signal(Signal::KILL)?,
        Fault::Pause => {
            process.freeze()?;
            process.await_stop().await;
        }
        // Pulses are kept by the caller; the rest is asked of the server.
        _ => {}
    }
    Ok(Struck::default())
}

pub(super) async fn undo(undo: &ProcessUndo, history: History) -> Result<Undone, HostError> {
    let process = &undo.process;
    if undo.fault.ends_process() {
        return put_back(undo, history).await;
    }
    let Some(stat) = process.stat() else {
        let what = format!("{process} had been ended by somebody else");
        return Ok(Undone::found(history, what));
    };
    process.thaw()?;
    // Between two pulses it is not held, and nobody else had a hand in that.
    if undo.fault == Fault::Pause && !stat.is_stopped() {
        let what = format!("{process} had been resumed already");
        return Ok(Undone::found(history, what));
    }
    Ok(Undone::default())
}

/// Has the server run again, once the old process is gone.
async fn put_back(undo: &ProcessUndo, history: History) -> Result<Undone, HostError> {
    let process = &undo.process;
    if !process.is_gone() {
        if history == History::Untouched {
            return Ok(Undone::default());
        }
        if let Some(undone) = await_end(undo, history).await? {
            return Ok(undone);
        }
    }
    if let Some(pid) = proc::listener(&process.folder, process.port) {
        let what = format!("{process} had been started again already, as process {pid}");
        return Ok(Undone::found(history, what));
    }
    restart::start(undo, history).await
}

/// Waits until the old process is gone. Where it is not known that it was struck, one that goes on
/// is taken for one that never was: that is what is given then.
async fn await_end(undo: &ProcessUndo, history: History) -> Result<Option<Undone>, HostError> {
    let process = &undo.process;
    let is_slow = matches!(undo.fault, Fault::Stop | Fault::Shutdown);
    let patience = if is_slow { process.goodbye() } else { DEATH };
    if process.ends_within(patience).await {
        return Ok(None);
    }
    if history == History::Unknown || undo.fault == Fault::Shutdown {
        return Ok(Some(Undone {
            notes: vec![format!("{process} runs on: nothing had been done to it")],
            by_others: None,
        }));
    }
    // It may have ended this very moment.
    let _ = process.signal(Signal::KILL);
    if process.ends_within(DEATH).await {
        return Ok(None);
    }
    Err(HostError::Stuck {
        place: process.to_string(),
        what: "did not end".to_owned(),
        seconds: (patience + DEATH).as_secs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_process() -> Process {
        let pid = i32::try_from(std::process::id()).unwrap();
        Process {
            node: "a".repeat(40).parse().unwrap(),
            pid,
            started: proc::stat(pid).unwrap().started,
            folder: proc::folder(pid).unwrap(),
            port: 1,
            executable: std::env::current_exe().unwrap(),
            called: "redis-server".into(),
            config_file: None,
            owner: proc::owner(pid).unwrap(),
            shutdown_timeout_s: None,
        }
    }

    #[tokio::test]
    async fn a_pid_that_was_given_to_another_is_not_touched() {
        let mut process = this_process();
        assert!(process.stat().is_some());
        process.started += 1;
        // SIGKILL would end this very test.
        let error = strike(&process, Fault::Kill).await.unwrap_err();
        assert!(matches!(error, HostError::AlreadyDown { .. }), "{error}");
        let mut process = this_process();
        process.folder = "/nowhere".into();
        assert!(strike(&process, Fault::Kill).await.is_err());
    }

    #[test]
    fn without_a_configuration_file_nothing_ends_it() {
        let process = this_process();
        for fault in [
            Fault::Stop,
            Fault::Kill,
            Fault::FastRestart,
            Fault::Shutdown,
        ] {
            let error = prepare(&process, fault).unwrap_err();
            assert!(
                error.to_string().contains("without a configuration file"),
                "{error}"
            );
            assert!(error.hint().contains("pause, slow"), "{}", error.hint());
        }
        assert!(prepare(&process, Fault::Pause).is_ok());
        assert!(prepare(&process, Fault::Isolate).is_err());
        assert!(prepare(&process, Fault::Failover).is_err());
    }

    #[tokio::test]
    async fn what_another_run_did_not_strike_is_left_alone() {
        let undo = ProcessUndo {
            process: this_process(),
            fault: Fault::Kill,
            start_folder: "/".into(),
        };
        assert_eq!(
            put_back(&undo, History::Untouched).await.unwrap(),
            Undone::default()
        );
    }
}
