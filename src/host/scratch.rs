//! A throw-away server on this machine, for one of two ends, and when it is dropped the process and all
//! that it wrote are gone.
//!
//! To load an RDB file as it stands it is a replica of nobody: such a server keeps keys whose time is
//! over, as the file has them, where a master would drop them. To be tried out it is an empty master with
//! the settings that the server has by itself, and those that it is given. It listens on loopback with a random password, which it reads from its
//! standard input; its folder is its owner's alone. Both go too when this program is killed and can
//! drop nothing: a watchdog outlives it.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use ring::rand::SecureRandom;

use super::inherited::inherited;
use super::node_conf::quoted;
use super::process::ProcessError;
use crate::model::{NodeAddr, Secret};

/// The file that is loaded.
const LOADED: &str = "dump.rdb";
/// What it says for itself.
const LOG: &str = "log";
/// What it, or whatever was started in its place, says where no log is open yet.
const SAID: &str = "said";
/// The server logs this right before it loads.
const BEGUN: &str = "Server initialized";
/// Lines of what a server said last.
const LAST: usize = 3;
/// How many databases it has: more than any that is backed up may use.
const DATABASES: u32 = 1024;

/// What the watchdog does: it waits for the end of its standard input, whose other end only this program
/// has, then ends the server that it was told of and takes the folder away. By then the server's number
/// may be another's, which works elsewhere. What is being killed may still write for a moment.
const WATCH: &str = r#"
pid=; read -r pid; while read -r rest; do :; done
if [ -n "$pid" ]; then
    cwd=$(readlink "/proc/$pid/cwd") || cwd=$1
    [ "$cwd" != "$1" ] || kill -9 "$pid"
fi
for try in 1 2 3 4 5; do rm -rf -- "$1"; [ -e "$1" ] || exit 0; sleep 1; done
"#;

/// A folder for a server that does not run yet.
pub struct Bed {
    watchdog: Option<Watchdog>,
    folder: tempfile::TempDir,
}

/// A small process of its own that outlives this one. Dropped, it is ended, and does nothing.
struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

/// The server.
pub struct Scratch {
    child: Child,
    watchdog: Option<Watchdog>,
    folder: tempfile::TempDir,
    /// What was started.
    pub program: PathBuf,
    /// Where it listens.
    pub addr: NodeAddr,
    /// What it wants.
    pub password: Secret,
}

impl Bed {
    /// Below the system's folder for such things (`TMPDIR`).
    pub fn make() -> Result<Bed, ProcessError> {
        let made = tempfile::Builder::new().prefix("goodcache-boot-").tempdir();
        let path = std::env::temp_dir();
        let folder = made.map_err(|source| ProcessError::File { path, source })?;
        Ok(Bed {
            watchdog: Watchdog::start(folder.path()),
            folder,
        })
    }

    /// Where the file to be loaded is to be put.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(LOADED)
    }

    /// Starts the server on what is in the folder.
    pub fn start(self, server: &Path) -> Result<Scratch, ProcessError> {
        self.start_with(server, &to_load())
    }

    /// Starts an empty master. `settings` are names and values for its file, which has nothing else but
    /// where it listens and keeps its files: all other settings are the server's own.
    pub fn start_empty(
        self,
        server: &Path,
        settings: &[(String, String)],
    ) -> Result<Scratch, ProcessError> {
        let lines = settings.iter();
        let lines = lines.map(|(name, value)| format!("{name} {}", quoted(value)));
        self.start_with(server, &lines.collect::<Vec<_>>())
    }

    fn start_with(mut self, server: &Path, lines: &[String]) -> Result<Scratch, ProcessError> {
        let password = password(self.folder.path())?;
        let listener = TcpListener::bind(("127.0.0.1", 0));
        let port = listener.and_then(|listener| listener.local_addr());
        let failed = |path: &Path, source| {
            let path = path.to_owned();
            ProcessError::File { path, source }
        };
        let folder = self.folder.path();
        let port = port.map_err(|source| failed(folder, source))?.port();
        let said = folder.join(SAID);
        let said = File::create(&said).map_err(|source| failed(&said, source))?;
        let mut child = Command::new(server)
            .arg("-")
            .current_dir(folder)
            .env_clear()
            .envs(inherited())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .map_err(|source| ProcessError::NoProgram {
                program: server.to_owned(),
                source,
            })?;
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.tell(child.id());
        }
        let settings = settings(port, password.expose(), lines);
        if let Some(mut stdin) = child.stdin.take() {
            // A server that ended already tells why in its log.
            let _ = stdin.write_all(settings.as_bytes());
        }
        Ok(Scratch {
            child,
            watchdog: self.watchdog,
            folder: self.folder,
            program: server.to_owned(),
            addr: NodeAddr::new("127.0.0.1", port),
            password,
        })
    }
}

impl Scratch {
    /// What it loaded, and what it saves to.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(LOADED)
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether it came as far as the file that it is to load: what ends before that says nothing about
    /// the file.
    pub fn has_begun(&self) -> bool {
        self.read(LOG).contains(BEGUN)
    }

    /// The last lines of what it said, if anything.
    pub fn last_words(&self) -> String {
        let said = [self.read(SAID), self.read(LOG)].concat();
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LAST)..].join("\n")
    }

    fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Before the server's number can be another's.
        drop(self.watchdog.take());
    }
}

impl Watchdog {
    /// In a process group of its own, so that Ctrl-C at the terminal does not reach it. `None` where there
    /// is no shell: then only a kill leaves something behind.
    fn start(folder: &Path) -> Option<Watchdog> {
        let mut child = Command::new("sh")
            .args(["-c", WATCH, "goodcache-watchdog"])
            .arg(folder.canonicalize().ok()?)
            .current_dir("/")
            .env_clear()
            .envs(inherited())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .ok()?;
        let pipe = child.stdin.take();
        Some(Watchdog { child, pipe })
    }

    fn tell(&mut self, pid: u32) {
        if let Some(pipe) = &mut self.pipe {
            // One that is gone watches over nothing.
            let _ = writeln!(pipe, "{pid}");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn password(folder: &Path) -> Result<Secret, ProcessError> {
    let mut bytes = [0; 16];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| ProcessError::File {
        path: folder.to_owned(),
        source: std::io::Error::other("the system gives no random numbers"),
    })?;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret::new(digits.concat()))
}

/// The words of the password are ours: letters and digits.
fn settings(port: u16, password: &str, lines: &[String]) -> String {
    let own = [
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("requirepass {password}"),
        format!("dbfilename {LOADED}"),
        format!("logfile {LOG}"),
    ];
    let mut text = [&own, lines].concat().join("\n");
    text.push('\n');
    text
}

/// What makes it load a file as it stands, and do nothing by itself.
fn to_load() -> Vec<String> {
    let databases = format!("databases {DATABASES}");
    [
        "save \"\"",
        "appendonly no",
        &databases,
        "replicaof 127.0.0.1 1",
        "replica-read-only no",
        "replica-serve-stale-data yes",
        "maxmemory-policy noeviction",
    ]
    .map(str::to_owned)
    .to_vec()
}
