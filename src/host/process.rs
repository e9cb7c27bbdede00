//! Servers as plain processes of this machine: started in a folder of their own, found again by it,
//! stopped by signal.
//!
//! `create --local` uses this, and drills on local processes will. A process counts as ours only
//! when the pid in its pid file runs in its folder (`/proc/PID/cwd`; servers change to their
//! `dir`), so a pid that was given to somebody else meanwhile is never touched.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::certificates::Authority;
use super::inherited::inherited;
use super::local_conf::settings;
use super::users::{self, Users};
use rustix::process::{Pid, Signal, kill_process};

/// The file that marks a folder as made by goodcache; without it nothing is ever removed.
const MARK: &str = "made-by-goodcache";
/// How long a server may take to write its pid file, and to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks while waiting.
const PAUSE: Duration = Duration::from_millis(10);

/// A cluster of local processes, as it is to be.
#[derive(Clone)]
pub struct LocalSpec {
    /// Its folder; each node gets one below it, named by its port.
    pub folder: PathBuf,
    /// The server program: a path, or a name that PATH knows.
    pub server: PathBuf,
    /// A port a node. The bus takes the port 10,000 above.
    pub ports: Vec<u16>,
    /// `cluster-node-timeout`.
    pub node_timeout: Duration,
    /// `requirepass` and `masterauth`; written to files of mode 0600 only.
    pub password: Option<String>,
    /// They speak TLS and nothing else, with what that authority made for each (by its port).
    pub authority: Option<Authority>,
    /// Users set apart, in the place of one password for all.
    pub users: Option<Users>,
}

/// What became of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It was running already.
    Already,
    /// It was started just now.
    Now,
}

/// Why local servers could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not there.
    #[error("could not start {}: {source}", program.display())]
    NoProgram {
        /// Which.
        program: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Somebody else listens on a port.
    #[error("port {port} of 127.0.0.1 is taken by another program{}", .bus_of.map(|p| format!(" (it is the bus port of {p})")).unwrap_or_default())]
    PortTaken {
        /// Which.
        port: u16,
        /// The client port that it would be the bus port of.
        bus_of: Option<u16>,
    },
    /// The port is too high for its bus port.
    #[error("port {0} is above 55535, so its bus port (10000 higher) does not exist")]
    PortTooHigh(u16),
    /// The server ended or did not come up.
    #[error("the server on port {port} did not come up; the end of its log:\n{log}")]
    NotUp {
        /// Which.
        port: u16,
        /// The last lines of its log.
        log: String,
    },
    /// It did not end.
    #[error("process {pid} (port {port}) did not end after SIGKILL")]
    NotDown {
        /// Which.
        port: u16,
        /// Its pid.
        pid: i32,
    },
    /// The folder is not one of goodcache's.
    #[error("{} was not made by goodcache (no file {MARK} in it)", .0.display())]
    NotOurs(PathBuf),
    /// The folder holds something already, and not a cluster of ours.
    #[error("{} holds something already, and nothing that goodcache made", .0.display())]
    Occupied(PathBuf),
    /// A file could not be written or read.
    #[error("could not use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl ProcessError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            ProcessError::NoProgram { .. } => {
                "install redis-server or valkey-server, or name the program with --server PATH"
            }
            ProcessError::PortTaken { .. } | ProcessError::PortTooHigh(_) => {
                "choose other ports with --base-port"
            }
            ProcessError::NotUp { .. } => {
                "mend what the log complains of, or name another server with --server PATH, then run it again"
            }
            ProcessError::NotDown { .. } => "look at the process; it may wait for a disk",
            ProcessError::NotOurs(_) => "give the folder that goodcache create --local made",
            ProcessError::Occupied(_) => "name a folder that is empty or not there yet with --dir",
            ProcessError::File { .. } => "check the folder, its owner and the space left",
        }
    }
}

/// Starts every node that is not running, and waits until each has its pid file. What stands in the
/// way of any of them is told before the first is started.
pub fn start(spec: &LocalSpec) -> Result<Vec<Started>, ProcessError> {
    let is_new = !spec.folder.exists();
    require_ours(&spec.folder)?;
    let is_down = |port: &u16| running(&spec.folder, *port).is_none();
    for port in spec.ports.iter().copied().filter(is_down) {
        require_free(port)?;
    }
    make_folder(&spec.folder)?;
    write_file(&spec.folder.join(MARK), "")?;
    let started = start_all(spec);
    let runs_any = || {
        spec.ports
            .iter()
            .any(|&port| running(&spec.folder, port).is_some())
    };
    if started.is_err() && is_new && !runs_any() {
        // Nothing came to be: leave nothing behind.
        let _ = fs::remove_dir_all(&spec.folder);
    }
    started
}

fn start_all(spec: &LocalSpec) -> Result<Vec<Started>, ProcessError> {
    let mut started = Vec::new();
    for &port in &spec.ports {
        started.push(start_node(spec, port)?);
    }
    for &port in &spec.ports {
        wait_until_up(&spec.folder, port)?;
    }
    Ok(started)
}

/// A folder that holds something and was not made here is somebody's: `remove` would take it away.
fn require_ours(folder: &Path) -> Result<(), ProcessError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(source) => {
            let path = folder.to_owned();
            return Err(ProcessError::File { path, source });
        }
    };
    match is_empty || folder.join(MARK).is_file() {
        true => Ok(()),
        false => Err(ProcessError::Occupied(folder.to_owned())),
    }
}

fn start_node(spec: &LocalSpec, port: u16) -> Result<Started, ProcessError> {
    if running(&spec.folder, port).is_some() {
        return Ok(Started::Already);
    }
    let folder = node_folder(&spec.folder, port);
    make_folder(&folder)?;
    let _ = fs::remove_file(folder.join("pid"));
    let conf = folder.join("redis.conf");
    write_file(&conf, &settings(spec, &folder, port))?;
    let known = folder.join(users::FILE);
    if let Some(users) = spec.users.as_ref().filter(|_| !known.exists()) {
        write_file(&known, &users.file())?;
    }
    let status = std::process::Command::new(&spec.server)
        .arg(&conf)
        .env_clear()
        .envs(inherited())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|source| ProcessError::NoProgram {
            program: spec.server.clone(),
            source,
        })?;
    match status.success() {
        true => Ok(Started::Now),
        false => Err(not_up(&spec.folder, port)),
    }
}

fn require_free(port: u16) -> Result<(), ProcessError> {
    let bus = port
        .checked_add(10_000)
        .ok_or(ProcessError::PortTooHigh(port))?;
    for (port, bus_of) in [(port, None), (bus, Some(port))] {
        TcpListener::bind(("127.0.0.1", port))
            .map_err(|_| ProcessError::PortTaken { port, bus_of })?;
    }
    Ok(())
}

fn wait_until_up(folder: &Path, port: u16) -> Result<(), ProcessError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if running(folder, port).is_some()
            && std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(not_up(folder, port))
}

fn not_up(folder: &Path, port: u16) -> ProcessError {
    let log = fs::read_to_string(node_folder(folder, port).join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines[lines.len().saturating_sub(5)..].join("\n");
    ProcessError::NotUp {
        port,
        log: if tail.is_empty() {
            "(it wrote none)".into()
        } else {
            tail
        },
    }
}

/// The process of the node on that port, when it runs.
pub fn running(folder: &Path, port: u16) -> Option<i32> {
    let pid = fs::read_to_string(node_folder(folder, port).join("pid")).ok()?;
    let pid: i32 = pid.trim().parse().ok()?;
    lives(folder, port, pid).then_some(pid)
}

/// Whether that process is there and at home in the node's folder.
fn lives(folder: &Path, port: u16, pid: i32) -> bool {
    let folder = fs::canonicalize(node_folder(folder, port));
    let home = fs::read_link(format!("/proc/{pid}/cwd"));
    matches!((folder, home), (Ok(folder), Ok(home)) if folder == home)
}

/// The ports of the nodes whose folders are there, in order.
pub fn ports(folder: &Path) -> Vec<u16> {
    let mut ports: Vec<u16> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("redis.conf").is_file())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    ports.sort_unstable();
    ports
}

/// Ends every node (SIGTERM, then SIGKILL) and removes their folders with all data in them; what
/// somebody else put beside them stays. Returns how many processes were ended.
pub fn remove(folder: &Path) -> Result<usize, ProcessError> {
    if !folder.join(MARK).is_file() {
        return Err(ProcessError::NotOurs(folder.to_owned()));
    }
    let ports = ports(folder);
    let nodes: Vec<(u16, i32)> = ports
        .iter()
        .filter_map(|&port| Some((port, running(folder, port)?)))
        .collect();
    for &(_, pid) in &nodes {
        // A node that was frozen for a drill would not hear SIGTERM.
        signal(pid, Signal::CONT);
        signal(pid, Signal::TERM);
    }
    for &(port, pid) in &nodes {
        end(folder, port, pid)?;
    }
    for port in ports {
        let folder = node_folder(folder, port);
        fs::remove_dir_all(&folder).map_err(|source| ProcessError::File {
            path: folder,
            source,
        })?;
    }
    // The mark goes last: until then the next destroy can go on.
    let mark = folder.join(MARK);
    fs::remove_file(&mark).map_err(|source| ProcessError::File { path: mark, source })?;
    // The folder stays when something of somebody else is in it.
    let _ = fs::remove_dir(folder);
    Ok(nodes.len())
}

fn end(folder: &Path, port: u16, pid: i32) -> Result<(), ProcessError> {
    for last_resort in [None, Some(Signal::KILL)] {
        if let Some(signal_) = last_resort {
            signal(pid, signal_);
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            // A server that ends removes its pid file first, and writes to its log after that.
            if !lives(folder, port, pid) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
    Err(ProcessError::NotDown { port, pid })
}

fn signal(pid: i32, signal: Signal) {
    // One that is gone already needs no signal.
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn node_folder(folder: &Path, port: u16) -> PathBuf {
    folder.join(port.to_string())
}

fn make_folder(path: &Path) -> Result<(), ProcessError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| ProcessError::File {
            path: path.to_owned(),
            source,
        })
}

fn write_file(path: &Path, text: &str) -> Result<(), ProcessError> {
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| ProcessError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "x").unwrap();
        assert!(matches!(
            remove(folder.path()),
            Err(ProcessError::NotOurs(_))
        ));
        assert!(folder.path().join("precious").exists());
    }

    #[test]
    fn nodes_are_not_put_into_a_folder_of_somebody_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("precious"), "x").unwrap();
        let spec = LocalSpec {
            folder: folder.path().to_owned(),
            server: "no-such-server".into(),
            ports: Vec::new(),
            node_timeout: Duration::from_secs(5),
            password: None,
            authority: None,
            users: None,
        };
        assert!(matches!(start(&spec), Err(ProcessError::Occupied(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_server_that_cannot_be_started_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let spec = LocalSpec {
            folder: parent.path().join("cluster"),
            server: "/no/such/server".into(),
            ports: vec![
                TcpListener::bind("127.0.0.1:0")
                    .unwrap()
                    .local_addr()
                    .unwrap()
                    .port()
                    / 4
                    + 9000,
            ],
            node_timeout: Duration::from_secs(5),
            password: None,
            authority: None,
            users: None,
        };
        assert!(matches!(start(&spec), Err(ProcessError::NoProgram { .. })));
        assert!(!spec.folder.exists());
    }

    #[test]
    fn what_somebody_put_beside_the_nodes_survives_them() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("7001");
        fs::create_dir(&node).unwrap();
        for path in [
            folder.path().join(MARK),
            node.join("redis.conf"),
            folder.path().join("notes"),
        ] {
            fs::write(path, "").unwrap();
        }
        assert_eq!(remove(folder.path()).unwrap(), 0);
        assert!(folder.path().join("notes").exists() && !node.exists());
    }

    #[test]
    fn a_process_without_its_pid_file_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("7001");
        fs::create_dir(&node).unwrap();
        let mut ending = std::process::Command::new("sleep")
            .arg("600")
            .current_dir(&node)
            .spawn()
            .unwrap();
        let pid = i32::try_from(ending.id()).unwrap();
        assert_eq!(running(folder.path(), 7001), None);
        assert!(lives(folder.path(), 7001, pid));
        signal(pid, Signal::TERM);
        end(folder.path(), 7001, pid).unwrap();
        assert!(!lives(folder.path(), 7001, pid));
        ending.wait().unwrap();
    }

    #[test]
    fn a_pid_that_belongs_to_another_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("7001");
        fs::create_dir(&node).unwrap();
        fs::write(node.join("pid"), std::process::id().to_string()).unwrap();
        assert_eq!(running(folder.path(), 7001), None);
    }
}
