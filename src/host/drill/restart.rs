//! How a server that a drill ended is started again: the same program on the same file, as the same
//! user, in a process group of its own, so that neither Ctrl-C nor the end of this program reaches
//! it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{getegid, geteuid};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::error::HostError;
use super::place::{History, Undone};
use super::proc;
use super::process::{Process, ProcessUndo};
use crate::host::inherited::inherited;

/// How long a started server may take until it listens. It does so before it reads its data.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(5);
/// How often a start is tried: a child of the old server that was saving may hold its files for a
/// moment longer.
const ATTEMPTS: usize = 3;
/// Between two attempts.
const BREATH: Duration = Duration::from_millis(300);

/// Starts it, unless somebody else does so first, and waits until it listens.
pub(super) async fn start(undo: &ProcessUndo, history: History) -> Result<Undone, HostError> {
    let process = &undo.process;
    let mut why = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(BREATH).await;
        }
        let child = spawn(undo).map_err(|error| not_started(undo, error.to_string()))?;
        match await_listener(process, child).await {
            Started::Up(pid) => {
                return Ok(Undone {
                    notes: vec![format!("{process} was started again as process {pid}")],
                    by_others: None,
                });
            }
            Started::By(pid) => {
                let what = format!("{process} had been started again already, as process {pid}");
                return Ok(Undone::found(history, what));
            }
            Started::Ended(status) => why = format!("it ended at once ({status})"),
            Started::Mute => {
                why = format!(
                    "it does not listen on port {} after {} s",
                    process.port,
                    PATIENCE.as_secs()
                );
                break;
            }
        }
    }
    Err(not_started(undo, why))
}

fn spawn(undo: &ProcessUndo) -> std::io::Result<Child> {
    let process = &undo.process;
    let (user, group) = process.owner;
    let mut command = Command::new(&process.executable);
    command
        .arg0(&process.called)
        .args(&process.config_file)
        .current_dir(&undo.start_folder)
        .env_clear()
        .envs(inherited())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if (geteuid().as_raw(), getegid().as_raw()) != (user, group) {
        command.uid(user).gid(group);
    }
    command.spawn()
}

/// What came of a start.
enum Started {
    /// It listens, as that process.
    Up(i32),
    /// It ended, and another listens.
    By(i32),
    /// It ended.
    Ended(ExitStatus),
    /// It runs, and does not listen.
    Mute,
}

/// A server that goes to the background by itself ends well at once, and another process listens.
async fn await_listener(process: &Process, mut child: Child) -> Started {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let ended = child.try_wait().ok().flatten();
        let listener = proc::listener(&process.folder, process.port);
        match (listener, ended) {
            (Some(pid), Some(status)) if !status.success() => return Started::By(pid),
            (Some(pid), _) => return Started::Up(pid),
            (None, Some(status)) if !status.success() => return Started::Ended(status),
            (None, _) => sleep(PAUSE).await,
        }
    }
    Started::Mute
}

fn not_started(undo: &ProcessUndo, why: String) -> HostError {
    let process = &undo.process;
    let file = process.config_file.as_deref().unwrap_or(&process.folder);
    let program = match process.executable.file_name() == process.called.file_name() {
        true => process.executable.as_os_str(),
        false => process.called.file_name().unwrap_or_default(),
    };
    HostError::NotStarted {
        place: process.to_string(),
        why,
        by_hand: format!(
            "cd '{}' && '{}' '{}'",
            undo.start_folder.display(),
            program.display(),
            file.display()
        ),
    }
}
