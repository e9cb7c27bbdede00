//! This machine: how busy it is, and which addresses are its own.
//!
//! Both counts are the whole machine's, also from within a container, whose share is another matter:
//! what a server's child competes with is everybody.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::model::NodeAddr;

/// This machine at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Here {
    /// Tasks that ran or waited to, on average over the last minute.
    pub load: f64,
    /// Its cores.
    pub cores: usize,
    /// Those of the hosts that were asked about that are this machine.
    pub own: BTreeSet<String>,
}

impl Here {
    /// Looks; `None` where the system does not tell (other than Linux).
    pub fn look<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Option<Here> {
        let load = one_minute(&read_to_string("/proc/loadavg").ok()?)?;
        let cores = count(&read_to_string("/sys/devices/system/cpu/online").ok()?)?;
        let own = hosts.into_iter().filter(|host| is_own(host));
        Some(Here {
            load,
            cores,
            own: own.map(str::to_owned).collect(),
        })
    }
}

fn one_minute(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// How many a list such as `0-3,8` names.
fn count(text: &str) -> Option<usize> {
    let parts = text.trim().split(',').map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    parts.sum()
}

/// Whether every address that its name stands for is one of this machine's. A name that is not resolved
/// in time is taken for somewhere else.
pub async fn is_here(addr: &NodeAddr, patience: Duration) -> bool {
    if addr.is_loopback() {
        return true;
    }
    let found = timeout(patience, lookup_host((addr.host.as_str(), 0))).await;
    let Ok(Ok(found)) = found else {
        return false;
    };
    let mut found = found.peekable();
    found.peek().is_some() && found.all(|at| is_bound(at.ip()))
}

fn is_own(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(is_bound)
}

/// The system lets nobody listen at an address that is another machine's.
fn is_bound(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_writes_is_read() {
        assert_eq!(one_minute("0.52 1.02 0.56 2/345 6789\n"), Some(0.52));
        assert_eq!(one_minute(""), None);
        for (text, cores) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-1,4,6-7", Some(5)),
            ("3-1", None),
            ("", None),
        ] {
            assert_eq!(count(text), cores, "{text}");
        }
    }

    #[tokio::test]
    async fn this_machine_is_known_by_its_addresses() {
        // The last three are set aside for examples, and nobody's.
        for (host, is_ours) in [
            ("127.0.0.1", true),
            ("127.0.0.77", true),
            ("localhost", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("nowhere.invalid", false),
        ] {
            let addr = NodeAddr::new(host, 6379);
            assert_eq!(
                is_here(&addr, Duration::from_secs(5)).await,
                is_ours,
                "{host}"
            );
        }
    }

    #[test]
    fn an_address_of_another_machine_is_not_ours() {
        for (host, is_ours) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("192.0.2.1", false),
            ("db.example.org", false),
        ] {
            assert_eq!(is_own(host), is_ours, "{host}");
        }
    }
}
