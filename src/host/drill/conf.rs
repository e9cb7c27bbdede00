//! Whether a server that is started on its configuration file alone becomes the same server.
//!
//! It was perhaps started with arguments besides (which the servers do not tell), and from another
//! folder than the one that it works in. What shows either is looked for.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The port of a server whose configuration names none.
const DEFAULT_PORT: u16 = 6379;

/// The folder in which the program must be started; or what is odd about the file.
pub(super) fn start_folder(text: &str, folder: &Path, port: u16) -> Result<PathBuf, String> {
    // Another file may say anything, and nobody reads it here.
    if last(text, "include").is_none() {
        check_port(text, port)?;
    }
    let dir = last(text, "dir").unwrap_or(".");
    let dir = Path::new(dir);
    let start = if dir.is_absolute() {
        // The server may have been told another since (CONFIG SET dir).
        let there = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        (there == folder).then_some(there)
    } else {
        without_end(folder, dir)
    };
    start.ok_or_else(|| {
        let (dir, folder) = (dir.display(), folder.display());
        format!("says 'dir {dir}', which does not lead to {folder}")
    })
}

fn check_port(text: &str, port: u16) -> Result<(), String> {
    let named = |name| last(text, name).map(|port| port.parse::<u16>());
    let plain = named("port").unwrap_or(Ok(DEFAULT_PORT));
    if plain == Ok(port) || named("tls-port") == Some(Ok(port)) {
        return Ok(());
    }
    Err(format!("does not name its port {port}"))
}

/// The last value of that name; the servers take the last one, too.
fn last<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| {
        let (own, value) = line.trim().split_once(char::is_whitespace)?;
        own.eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches(['"', '\'']))
    };
    text.lines().rev().find_map(value)
}

/// The folder from which that relative path leads there.
fn without_end(folder: &Path, relative: &Path) -> Option<PathBuf> {
    let mut start = folder.to_owned();
    for part in relative.components().rev() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) if start.file_name() == Some(name) => {
                start.pop();
            }
            _ => return None,
        }
    }
    Some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_server_is_started() {
        for (text, wanted) in [
            ("port 7001\ndir /data/7001\n", Some("/data/7001")),
            ("port 7001\nDIR \"/data/7001\"\n", Some("/data/7001")),
            ("port 7001\n", Some("/data/7001")),
            ("port 7001\ndir ./\n", Some("/data/7001")),
            ("port 7001\ndir 7001\n", Some("/data")),
            ("port 7001\ndir ./data/7001/\n", Some("/")),
            ("port 7001\ndir other\n", None),
            ("port 7001\ndir /data/7002\n", None),
            ("port 7001\ndir ..\n", None),
            ("port 1\nport 7001\n# dir other\n", Some("/data/7001")),
            ("port 0\ntls-port 7001\n", Some("/data/7001")),
            ("include common.conf\n", Some("/data/7001")),
            ("dir /data/7001\n", None),
            ("port 7001\nport 7002\n", None),
            ("port x\n", None),
        ] {
            let found = start_folder(text, Path::new("/data/7001"), 7001);
            assert_eq!(found.ok().as_deref(), wanted.map(Path::new), "{text}");
        }
    }
}
