//! Runs the program as a user would, in a home of its own, and never for longer than a limit.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs};

use tempfile::TempDir;

use super::server::signal;

/// A run that takes longer is killed and fails the test.
const LIMIT: Duration = Duration::from_secs(90);

/// An empty home folder: settings and profiles of one test do not reach another.
pub struct Home(TempDir);

impl Home {
    /// Makes one.
    pub fn new() -> Home {
        Home(TempDir::new().unwrap())
    }

    /// Where it is; also where the program is run.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into it and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A run in this home.
    pub fn goodcache(&self, args: &[&str]) -> Goodcache {
        self.program(env!("CARGO_BIN_EXE_goodcache"), args)
    }

    /// A run of another program in this home, under the same rules.
    pub fn program(&self, program: &str, args: &[&str]) -> Goodcache {
        let home = self.path();
        let mut command = Command::new(program);
        command.args(args).current_dir(home).env_clear();
        // What a run may take over: where programs are, and which Docker Engine.
        for name in ["PATH", "DOCKER_HOST", "LLVM_PROFILE_FILE"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", home).env("TMPDIR", home);
        for name in ["CONFIG", "STATE", "DATA", "CACHE"] {
            command.env(
                format!("XDG_{name}_HOME"),
                home.join(name.to_ascii_lowercase()),
            );
        }
        Goodcache {
            command,
            stdin: None,
            limit: LIMIT,
            home: None,
        }
    }
}

/// What `create --local` started in a home ends with it, also when the test has panicked.
impl Drop for Home {
    fn drop(&mut self) {
        for pid in processes_in(self.path()) {
            // It may have ended by itself just now.
            let _ = Command::new("sh")
                .args(["-c", &format!("kill -KILL {pid}")])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The processes that run in a folder or below it.
fn processes_in(folder: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter(|process| {
            fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
        })
        .filter_map(|process| process.file_name().into_string().ok())
        .filter(|name| name.parse::<u32>().is_ok())
        .collect()
}

/// A run in a home of its own.
pub fn goodcache(args: &[&str]) -> Goodcache {
    let home = Home::new();
    let mut run = home.goodcache(args);
    run.home = Some(home);
    run
}

/// A run that has not begun.
pub struct Goodcache {
    command: Command,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    home: Option<Home>,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub stdout: String,
    /// What was said on the way.
    pub stderr: String,
    /// The exit code; of a run ended by a signal, 128 and the signal's number.
    pub code: i32,
    /// From start to end.
    pub elapsed: Duration,
    /// The most memory it had in use, in KiB, as seen a few milliseconds before its end.
    pub peak_kib: u64,
    /// The time that it kept a core busy, as seen a few milliseconds before its end.
    pub cpu: Duration,
    /// Whether it was killed because its time was over.
    pub is_overdue: bool,
}

impl Goodcache {
    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Goodcache {
        self.command.env(name, value.into());
        self
    }

    /// Gives it that on stdin, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Goodcache {
        self.stdin = Some(bytes.into());
        self
    }

    /// Allows it another time than 90 s.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Goodcache {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts it.
    pub fn spawn(mut self) -> Running {
        self.command
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = self.command.spawn().unwrap();
        if let (Some(bytes), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // A program that does not read its stdin closes the pipe; that is its right.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        Running {
            stdout: Some(collect(child.stdout.take().unwrap())),
            stderr: Some(collect(child.stderr.take().unwrap())),
            what: format!("{:?}", self.command.get_args().collect::<Vec<_>>()),
            limit: self.limit,
            child,
            start,
            _home: self.home,
        }
    }
}

/// A run under way; dropped, it is killed.
pub struct Running {
    child: Child,
    start: Instant,
    limit: Duration,
    what: String,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    _home: Option<Home>,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it what Ctrl-C sends.
    pub fn interrupt(&self) {
        signal(self.pid(), "INT");
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within its limit, with all that it had said.
    pub fn wait(self) -> Outcome {
        let (what, limit) = (self.what.clone(), self.limit);
        let outcome = self.wait_or_kill();
        assert!(
            !outcome.is_overdue,
            "{what} still ran after {limit:?}\nstdout:\n{}\nstderr:\n{}",
            outcome.stdout, outcome.stderr
        );
        outcome
    }

    /// Waits for its end, or kills it when its time is over.
    pub fn wait_or_kill(mut self) -> Outcome {
        let deadline = self.start + self.limit;
        let (mut peak_kib, mut cpu, mut is_overdue) = (0, Duration::ZERO, false);
        let status = loop {
            peak_kib = peak_memory(self.pid()).unwrap_or(peak_kib);
            cpu = cpu_time(&self.pid().to_string()).unwrap_or(cpu);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline && !is_overdue {
                is_overdue = true;
                self.kill();
            }
            thread::sleep(Duration::from_millis(2));
        };
        let elapsed = self.start.elapsed();
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        Outcome {
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: self.stderr.take().unwrap().join().unwrap(),
            code: code.unwrap(),
            elapsed,
            peak_kib,
            cpu,
            is_overdue,
        }
    }
}

/// The high-water mark that Linux keeps; `None` elsewhere, and of a process that has ended.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// User and system time of a process (`self` is this one) and of all its threads, in steps of 10 ms;
/// `None` as with the memory.
pub fn cpu_time(process: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in brackets, and may hold blanks and brackets itself.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Asserts the exit code, showing everything when it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Outcome {
        assert_eq!(
            self.code, code,
            "\nstdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}\n{}", self.stdout, self.stderr))
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read is what there is; a broken pipe ends it.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
