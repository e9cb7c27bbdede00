//! One real server: started on a free loopback port in a folder of its own, ended by its pid
//! whatever happens to the test.
//!
//! Cluster mode is on by default, persistence off. Which binary is started is `redis-server` of the
//! path, or what `GOODCACHE_TEST_SERVER` names, or what the [`Spec`] says.

use std::collections::hash_map::RandomState;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use tempfile::TempDir;

use super::resp::{Reply, Wire};
use super::tls::Certificates;
use super::wait::until;

/// How far above a server's port its bus port is.
pub const BUS: u16 = 10_000;

/// Both a server's port and its bus port then lie below the ports that Linux hands out by itself.
const PORTS: std::ops::Range<u16> = 11_000..22_000;
const PORTS_TRIED: usize = 30;
const START_LIMIT: Duration = Duration::from_secs(30);
const REPLY_LIMIT: Duration = Duration::from_secs(15);

/// How to start a server.
#[derive(Clone)]
pub struct Spec {
    /// What to run; by default see the module.
    pub binary: PathBuf,
    /// Whether it is a cluster node.
    pub is_cluster: bool,
    /// Whether it is a Sentinel, which needs a file of its own.
    pub is_sentinel: bool,
    /// `requirepass` and `masterauth`.
    pub password: Option<String>,
    /// TLS on its port instead of plain text.
    pub tls: Option<Arc<Certificates>>,
    /// On this port rather than any free one.
    pub port: Option<u16>,
    /// Further arguments, such as `["--maxmemory", "10mb"]`; `{port}` and `{bus}` stand for the numbers.
    pub args: Vec<String>,
    /// Whether it has a configuration file (`server.conf` in its folder), empty at first.
    pub has_file: bool,
    /// Whether that file holds all of it, so that whoever has the file can start the server again.
    pub lives_in_file: bool,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            binary: default_binary(),
            is_cluster: true,
            is_sentinel: false,
            password: None,
            tls: None,
            port: None,
            args: Vec::new(),
            has_file: false,
            lives_in_file: false,
        }
    }
}

impl Spec {
    /// The default with further arguments.
    pub fn with_args(args: &[&str]) -> Spec {
        Spec {
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            ..Spec::default()
        }
    }
}

/// The server that tests start when they do not care which.
pub fn default_binary() -> PathBuf {
    env::var_os("GOODCACHE_TEST_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// A running server.
pub struct Server {
    spec: Spec,
    dir: TempDir,
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one, as a cluster node, and waits until it answers.
    pub fn start() -> Server {
        Server::start_with(Spec::default())
    }

    /// Starts one as told and waits until it answers.
    ///
    /// # Panics
    /// With the server's own log, when it does not come up.
    pub fn start_with(spec: Spec) -> Server {
        for _ in 0..PORTS_TRIED {
            let port = spec.port.unwrap_or_else(free_port);
            let dir = TempDir::new().unwrap();
            let child = launch(&spec, dir.path(), port);
            let mut server = Server {
                spec: spec.clone(),
                dir,
                child,
                port,
            };
            match server.wait_ready() {
                Ok(()) => return server,
                // Somebody took the port between looking and binding.
                Err(log) if spec.port.is_none() && is_port_taken(&log) => {}
                Err(log) => panic!("{} did not start:\n{log}", spec.binary.display()),
            }
        }
        panic!("no free port in {PORTS_TRIED} tries");
    }

    /// `127.0.0.1:port`.
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port; the bus is 10,000 above.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder, with `nodes.conf` and `server.log`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    /// A connection, logged in where a password is set.
    pub fn connect(&self) -> io::Result<Wire> {
        let mut wire = match &self.spec.tls {
            Some(certificates) => certificates.connect(&self.addr(), REPLY_LIMIT)?,
            None => Wire::plain(&self.addr(), REPLY_LIMIT)?,
        };
        if let Some(password) = &self.spec.password {
            wire.ask(&["AUTH", password])?;
        }
        Ok(wire)
    }

    /// Asks one thing over a connection of its own.
    pub fn ask(&self, command: &[&str]) -> io::Result<Reply> {
        self.connect()?.ask(command)
    }

    /// Asks one thing and gives the answer as text.
    ///
    /// # Panics
    /// When the server answers an error, or not at all.
    pub fn cli(&self, command: &[&str]) -> String {
        self.ask(command)
            .map_err(|error| error.to_string())
            .and_then(Reply::text)
            .unwrap_or_else(|error| panic!("{} {command:?}: {error}", self.addr()))
    }

    /// Its node id.
    pub fn id(&self) -> String {
        self.cli(&["CLUSTER", "MYID"])
    }

    /// One field of INFO or CLUSTER INFO.
    pub fn field(&self, command: &[&str], name: &str) -> Option<String> {
        let text = self.ask(command).ok()?.text().ok()?;
        text.lines()
            .find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
            .map(str::to_owned)
    }

    /// Stops it in its tracks (SIGSTOP): connections are accepted, nothing is answered.
    pub fn pause(&self) {
        signal(self.pid(), "STOP");
        until("the server is stopped", REPLY_LIMIT, || {
            state_of(self.pid()).is_none_or(|state| state == 'T')
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(self.pid(), "CONT");
    }

    /// Kills it (SIGKILL); its folder stays.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills it and starts it again on the same port, in the same folder.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts it again after [`Server::kill`].
    pub fn start_again(&mut self) {
        self.child = launch(&self.spec, self.dir.path(), self.port);
        if let Err(log) = self.wait_ready() {
            panic!("{} did not start again:\n{log}", self.addr());
        }
    }

    /// Waits until **this** process answers on the port: another test's server may have taken it.
    fn wait_ready(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let pid = self.pid().to_string();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return Err(self.log());
            }
            if self.field(&["INFO", "server"], "process_id").as_ref() == Some(&pid) {
                return Ok(());
            }
            if start.elapsed() > START_LIMIT {
                return Err(self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(spec: &Spec, dir: &Path, port: u16) -> Child {
    let mut command = Command::new(&spec.binary);
    if spec.has_file {
        let file = dir.join("server.conf");
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .unwrap();
        command.arg(file);
    }
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .args(["--bind", "127.0.0.1", "--daemonize", "no"])
        .args(["--logfile", "server.log"]);
    if !spec.is_sentinel {
        command.args(["--save", "", "--appendonly", "no"]);
    }
    match &spec.tls {
        Some(certificates) => command.args(certificates.server_args(port)),
        None => command.args(["--port", &port.to_string()]),
    };
    if spec.is_sentinel {
        command.arg("--sentinel");
    }
    if spec.is_cluster {
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
    }
    if let Some(password) = &spec.password {
        command.args(["--requirepass", password]);
        match spec.is_sentinel {
            true => command.args(["--sentinel", "sentinel-pass", password]),
            false => command.args(["--masterauth", password]),
        };
    }
    let bus = port.wrapping_add(BUS).to_string();
    for arg in &spec.args {
        command.arg(
            arg.replace("{port}", &port.to_string())
                .replace("{bus}", &bus),
        );
    }
    if spec.lives_in_file {
        command = from_file(&command, &spec.binary, dir);
    }
    command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", spec.binary.display()))
}

/// The same server with all its arguments in a file. What is there already stays: servers write to it.
fn from_file(command: &Command, binary: &Path, dir: &Path) -> Command {
    let file = dir.join("server.conf");
    if !file.exists() {
        let mut text = format!("dir \"{}\"", dir.display());
        for arg in command.get_args().map(|arg| arg.to_str().unwrap()) {
            match arg.strip_prefix("--") {
                Some(name) => text.push_str(&format!("\n{name}")),
                None => text.push_str(&format!(" \"{arg}\"")),
            }
        }
        fs::write(&file, text + "\n").unwrap();
    }
    let mut command = Command::new(binary);
    command
        .arg(file)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A port that is free now, and its bus port too.
pub fn free_port() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let span = u64::from(PORTS.end - PORTS.start);
    (0..1000)
        .map(|_| PORTS.start + (random() % span) as u16)
        .find(|&port| is_free(port) && is_free(port + BUS))
        .expect("a free port")
}

/// The first of that many ports in a row that are free now, and their bus ports too.
pub fn free_ports(count: u16) -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..1000)
        .map(|_| free_port())
        .find(|&base| (base..base + count).all(|port| is_free(port) && is_free(port + BUS)))
        .expect("free ports in a row")
}

/// The standard library's own seed for hash maps is random enough to spread tests over ports.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn is_port_taken(log: &str) -> bool {
    log.contains("in use") || log.is_empty()
}

/// Sends a signal by name, such as `INT`.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .unwrap();
    assert!(status.success(), "cannot send SIG{name} to {pid}");
}

/// The letter that Linux gives a process's state; `None` where there is no /proc.
fn state_of(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
