//! Whether a process that said who it is still runs, as far as this machine can tell.
//!
//! A pid alone tells little: it is given out again, and in another container it means another process.
//! So a mark names the boot, the pid namespace, the pid and when the process began; only where the
//! first two are one's own can anything be said.

use std::fs;

/// The mark of this process; `None` where there is no `/proc`.
pub fn mark() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {pid} {}", here()?, began(pid)?))
}

/// Whether the process of that mark is known to have ended; `false` where nothing can be said.
pub fn has_ended(mark: &str) -> bool {
    let Some((place, pid, then)) = taken_apart(mark) else {
        return false;
    };
    here().is_some_and(|here| here == place) && began(pid) != Some(then)
}

fn taken_apart(mark: &str) -> Option<(String, u32, u64)> {
    let mut words = mark.rsplitn(3, ' ');
    let then = words.next()?.parse().ok()?;
    let pid = words.next()?.parse().ok()?;
    Some((words.next()?.to_owned(), pid, then))
}

/// The boot and the pid namespace.
fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pids = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), pids.display()))
}

/// When a process began, in clock ticks since the boot: field 22 of `/proc/PID/stat`, behind the name,
/// which may hold anything.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    // One that has ended and that nobody has asked about yet does nothing any more.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_have_ended_has() {
        let own = mark().unwrap();
        assert!(!has_ended(&own), "{own}");
        let (place, pid, then) = taken_apart(&own).unwrap();
        // Its pid was given to another since.
        assert!(has_ended(&format!("{place} {pid} {}", then - 1)));
        assert!(has_ended(&format!("{place} {} {then}", u32::MAX)));
        // Of another boot, or of another container, nothing is known.
        assert!(!has_ended(&format!("other pid:[1] {} {then}", u32::MAX)));
        assert!(!has_ended("nonsense") && !has_ended(""));
    }
}
