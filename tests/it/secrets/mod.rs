//! Planted secrets through whole runs: no process shows one in its arguments or environment, nothing that
//! is said or logged holds one, and no file but those that are meant to, which only their owner can read.

mod crash;
mod life;
mod shown;
mod store;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use crate::support::{Home, Outcome, Reply, Wire};

/// What a drill tells each of its hooks.
const OF_A_HOOK: &str = "GOODCACHE_FAULT=";

/// Looks at every process of this machine again and again, until it is told to end.
pub struct Watching {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    found: JoinHandle<Vec<String>>,
}

impl Watching {
    /// For those secrets. The program itself may have been given one in its environment; what it starts
    /// may not have it from there.
    pub fn start(secrets: &'static [&'static str]) -> Watching {
        let (stop, looks) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let found = {
            let (stop, looks) = (stop.clone(), looks.clone());
            thread::spawn(move || {
                let mut found = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    look(secrets, &mut found);
                    looks.fetch_add(1, Ordering::Relaxed);
                }
                found
            })
        };
        Watching { stop, looks, found }
    }

    /// That nothing was shown, however often it was looked.
    #[track_caller]
    pub fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert_eq!(self.found.join().unwrap(), Vec::<String>::new());
        assert!(self.looks.load(Ordering::Relaxed) > 2);
    }
}

fn look(secrets: &[&str], found: &mut Vec<String>) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        // Read first: what is about to become another program still has this one's environment.
        let program = fs::read_link(process.path().join("exe")).unwrap_or_default();
        let is_ours = program == Path::new(env!("CARGO_BIN_EXE_goodcache"));
        for part in ["cmdline", "environ"] {
            let bytes = fs::read(process.path().join(part)).unwrap_or_default();
            if part == "environ" && is_ours {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            // A hook, and what it starts, has the environment of whoever runs the drill: its token is there.
            if part == "environ" && text.contains(OF_A_HOOK) {
                continue;
            }
            let shown = secrets.iter().filter(|secret| text.contains(**secret));
            found.extend(shown.map(|secret| format!("{secret} in {part} of {program:?}: {text}")));
        }
    }
}

/// Writes a secret to a file of its own, as its owner keeps it.
pub fn keep(home: &Home, name: &str, secret: &str) {
    let path = home.file(name, secret);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// That nothing of it was said.
#[track_caller]
pub fn expect_silence(what: &dyn std::fmt::Debug, outcome: &Outcome, secrets: &[&str]) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for secret in secrets {
        assert!(!said.contains(secret), "{what:?} says {secret}: {said}");
    }
}

/// That no file below the home holds one, but those that may, which nobody else can read.
#[track_caller]
pub fn expect_hidden(
    what: &dyn std::fmt::Debug,
    home: &Path,
    secrets: &[&str],
    may_hold: impl Fn(&Path) -> bool,
) {
    let mut all = Vec::new();
    files(home, &mut all);
    for path in all {
        let text = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if let Some(secret) = secrets.iter().find(|secret| text.contains(**secret)) {
            let shown = path.display();
            assert!(may_hold(&path), "{what:?} wrote {secret} to {shown}");
            assert!(is_private(&path, home), "{what:?}: {shown}");
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    // What is removed meanwhile holds nothing.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

/// Whether somebody else could read it: by its own mode, or by that of a folder above it.
fn is_private(path: &Path, home: &Path) -> bool {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    let folders = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != home);
    mode(path) == 0 || folders.into_iter().any(|folder| mode(folder) == 0)
}

/// Sets a key whose name and value are secret, on whichever of those nodes takes it.
pub fn sow(ports: std::ops::Range<u16>, password: &str, secret: &str) {
    let taken = |port: u16| -> io::Result<bool> {
        let mut wire = Wire::plain(&format!("127.0.0.1:{port}"), Duration::from_secs(15))?;
        wire.ask(&["AUTH", password])?;
        let reply = wire.ask(&["SET", secret, secret])?;
        Ok(reply == Reply::Simple("OK".into()))
    };
    assert!(ports.into_iter().any(|port| taken(port).unwrap()));
}
