//! What Linux tells of its processes under `/proc`. Where there is none, there is nobody to strike.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a drill needs of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `T` (stopped by a signal), `Z` (ended, not collected yet) and so on.
    pub(super) state: char,
    /// When it began, in clock ticks since the machine did. With the pid it names a process for as
    /// long as the machine runs; the pid alone may be given to another.
    pub(super) started: u64,
}

impl Stat {
    /// Whether it has ended and only waits for its parent to notice.
    pub(super) fn has_ended(self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Whether a signal or a debugger holds it.
    pub(super) fn is_stopped(self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// Of that process; `None` when there is none.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the program's name in parentheses, and may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The folder that it works in.
pub(super) fn folder(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The file that it runs; `None` when that was removed or replaced since.
pub(super) fn program(pid: i32) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    path.is_file().then_some(path)
}

/// The user and group that it acts as.
pub(super) fn owner(pid: i32) -> Option<(u32, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    // Real, effective, saved, file system.
    let effective = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    Some((effective("Uid:")?, effective("Gid:")?))
}

/// The process that works in that folder and listens on that port.
pub(super) fn listener(folder: &Path, port: u16) -> Option<i32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let is_there = self::folder(pid).is_some_and(|there| there == folder);
        (is_there && listens(pid, port)).then_some(pid)
    })
}

/// Whether one of its sockets listens on that port, on any address.
fn listens(pid: i32, port: u16) -> bool {
    let mut listening = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        listening.extend(listening_sockets(&text, port));
    }
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    files.flatten().any(|file| {
        let target = fs::read_link(file.path()).unwrap_or_default();
        listening.contains(target.to_string_lossy().as_ref())
    })
}

/// `socket:[INODE]` of each line of a socket table that listens (state 0A) on that port.
fn listening_sockets(table: &str, port: u16) -> impl Iterator<Item = String> {
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let local = fields.get(1)?.rsplit_once(':')?.1;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&"0A");
        is_it.then(|| Some(format!("socket:[{}]", fields.get(9)?)))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_program_may_be_called_anything() {
        let rest = (4..=21)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        let text = format!("7 (a) Z (b) S {rest} 4242 0 0");
        let stat = parse_stat(&text).unwrap();
        assert_eq!((stat.state, stat.started), ('S', 4242));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn this_process_is_found_by_its_folder_and_port() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let pid = i32::try_from(std::process::id()).unwrap();
        let here = folder(pid).unwrap();
        assert_eq!(listener(&here, port), Some(pid));
        drop(socket);
        assert_eq!(listener(&here, port), None);
        assert_eq!(listener(Path::new("/nowhere"), port), None);
    }
}
