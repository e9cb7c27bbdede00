//! A terminal of its own for a program, as a person has one: it can be read, typed into, and asked
//! whether what is typed shows.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::wait::{eventually, until};

const LIMIT: Duration = Duration::from_secs(30);

/// A program at a terminal; dropped, it is killed.
pub struct Terminal {
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    /// Runs the program with those arguments at a new terminal.
    pub fn run(program: &str, args: &[&str]) -> Terminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let open = || {
            let path = OsStr::from_bytes(name.as_bytes());
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap()
        };
        // In a session of its own the terminal is the one that /dev/tty means.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let keyboard = File::from(keyboard);
        let shown = Arc::default();
        watch(keyboard.try_clone().unwrap(), Arc::clone(&shown));
        Terminal {
            keyboard,
            shown,
            child,
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until that is shown.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        until(&format!("'{words}' is shown"), LIMIT, || {
            self.shown().contains(words)
        });
    }

    /// Whether what is typed shows.
    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ECHO)
    }

    /// Types that.
    pub fn types(&mut self, keys: &str) {
        std::io::Write::write_all(&mut self.keyboard, keys.as_bytes()).unwrap();
    }

    /// Waits for its end: the exit code, or 128 and the number of the signal that ended it.
    pub fn wait(&mut self) -> i32 {
        let status = eventually("the program ends", LIMIT, || self.child.try_wait().unwrap());
        status
            .code()
            .or(status.signal().map(|number| 128 + number))
            .unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the program has closed the terminal, which Linux tells as an error.
fn watch(mut screen: File, shown: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut some = [0; 4096];
        while let Ok(count) = screen.read(&mut some) {
            shown.lock().unwrap().extend(&some[..count]);
        }
    });
}
