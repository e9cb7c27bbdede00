//! Server programs of this machine: where they are, and which vendor and version they say they are.
//!
//! A copy of a node is only worth a trial when it runs what the node runs, and a machine may have
//! several servers: one in PATH, another that the node itself was started from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::inherited::inherited;
use crate::model::{Vendor, Version};

/// What servers are called.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// A server says it in a line; what says more is none.
const MOST: u64 = 4_096;

/// A server program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub vendor: Vendor,
    /// Its version.
    pub version: Version,
}

impl Program {
    /// Asks it (`--version`); `None` when it is no server, or does not say within two seconds.
    pub fn ask(path: &Path) -> Option<Program> {
        let mut child = Command::new(path)
            .arg("--version")
            .env_clear()
            .envs(inherited())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let until = Instant::now() + PATIENCE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                // It may end by itself at this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            std::thread::sleep(PAUSE);
        }
        let mut text = String::new();
        let out = child.stdout.take()?;
        out.take(MOST).read_to_string(&mut text).ok()?;
        Program::saying(path, &text)
    }

    /// Reads what it said: `Redis server v=7.0.15 sha=...`.
    fn saying(path: &Path, text: &str) -> Option<Program> {
        let (whose, rest) = text.split_once(" server v=")?;
        let vendor = match whose.trim() {
            "Redis" => Vendor::Redis,
            "Valkey" => Vendor::Valkey,
            _ => return None,
        };
        let version = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Program {
            path: path.to_owned(),
            vendor,
            version,
        })
    }

    /// Whether it has the major and minor version of that one: what differs below is mended faults.
    pub fn is_like(&self, version: Version) -> bool {
        (self.version.0, self.version.1) == (version.0, version.1)
    }
}

/// As what it is told: `/usr/bin/redis-server (Redis 7.0.15)`.
impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({} {})",
            self.path.display(),
            self.vendor,
            self.version
        )
    }
}

/// The servers in PATH, as it is ordered; those of both vendors.
pub fn in_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let each = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    each.filter(|program| program.is_file()).collect()
}

/// Of that vendor's programs the one whose version is the nearest; of like ones the first.
pub fn nearest(vendor: Vendor, version: Version, programs: &[Program]) -> Option<&Program> {
    let apart = |program: &&Program| {
        let Version(major, minor, patch) = program.version;
        (
            major.abs_diff(version.0),
            minor.abs_diff(version.1),
            patch.abs_diff(version.2),
        )
    };
    let of_vendor = programs.iter().filter(|program| program.vendor == vendor);
    of_vendor.min_by_key(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saying(text: &str) -> Option<Program> {
        Program::saying(Path::new("/x"), text)
    }

    #[test]
    fn what_programs_say_is_read() {
        let redis = saying("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n");
        assert_eq!(redis.unwrap().to_string(), "/x (Redis 7.0.15)");
        let valkey = saying("Valkey server v=9.1.0 sha=0 malloc=libc bits=64 build=0\n").unwrap();
        assert_eq!(valkey.vendor, Vendor::Valkey);
        assert!(valkey.is_like(Version(9, 1, 4)) && !valkey.is_like(Version(9, 0, 0)));
        for text in ["", "tail (GNU coreutils) 9.1", "Redis server v=latest"] {
            assert_eq!(saying(text), None, "{text}");
        }
    }

    #[test]
    fn the_nearest_of_the_vendor_is_taken() {
        let of = |path: &str, vendor, version| Program {
            path: path.into(),
            vendor,
            version,
        };
        let programs = [
            of("old", Vendor::Redis, Version(6, 2, 7)),
            of("new", Vendor::Redis, Version(8, 2, 2)),
            of("other", Vendor::Valkey, Version(8, 0, 1)),
        ];
        let take = |vendor, version| {
            let taken = nearest(vendor, version, &programs);
            taken.map(|program| program.path.to_str().unwrap().to_owned())
        };
        for (version, path) in [
            (Version(6, 2, 20), "old"),
            (Version(7, 0, 15), "old"),
            (Version(8, 0, 1), "new"),
        ] {
            assert_eq!(take(Vendor::Redis, version).as_deref(), Some(path));
        }
        let valkey = take(Vendor::Valkey, Version(9, 1, 0));
        assert_eq!(valkey.as_deref(), Some("other"));
        assert_eq!(
            nearest(Vendor::Valkey, Version(8, 0, 1), &programs[..2]),
            None
        );
    }

    #[test]
    fn what_is_no_server_is_not_taken_for_one() {
        assert_eq!(Program::ask(Path::new("/bin/true")), None);
        assert_eq!(Program::ask(Path::new("/no/such/program")), None);
    }
}
