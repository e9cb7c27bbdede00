//! Whom the login is sent to.
//!
//! Nodes name each other, and a name is only a claim: a node that means harm, or was set up wrongly,
//! could send us, and with us the password, anywhere. Over TLS the certificate vouches for whoever
//! answers. In clear the login goes to addresses that somebody named here, to those that the node map
//! names, and into the networks of these; nowhere else. What counts is the IP that was really connected
//! to: a name may lead elsewhere the second time it is asked for.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The networks of the addresses that were named, as far as they are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Vouched(Arc<Mutex<BTreeSet<IpAddr>>>);

impl Vouched {
    /// Takes note of where a named address leads.
    pub(super) fn add(&self, ip: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(ip.to_canonical());
    }

    /// Whether that address is in the network of a named one.
    pub(super) fn covers(&self, ip: IpAddr) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|known| is_near(*known, ip.to_canonical()))
    }
}

/// Which networks count as one.
#[derive(Debug, PartialEq, Eq)]
enum Network {
    /// This machine.
    Loopback,
    /// Private addresses: the whole block (10/8, 172.16/12, 192.168/16, 100.64/10), for a cluster may
    /// well be spread over several networks of one owner. 169.254/16 and fe80::/10 are links.
    Private(u8),
    /// Unique local addresses: the /48, which is one site's.
    Site([u8; 6]),
    /// Any other: of IPv4 the /24, of IPv6 the /64.
    Public([u8; 8]),
}

fn is_near(one: IpAddr, other: IpAddr) -> bool {
    one == other || network(one) == network(other)
}

fn network(ip: IpAddr) -> Network {
    match ip {
        IpAddr::V4(ip) => network_v4(ip),
        IpAddr::V6(ip) => network_v6(ip),
    }
}

fn network_v4(ip: Ipv4Addr) -> Network {
    let [a, b, c, _] = ip.octets();
    match (a, b) {
        (127, _) => Network::Loopback,
        (10, _) => Network::Private(10),
        (172, 16..=31) => Network::Private(172),
        (192, 168) => Network::Private(192),
        (100, 64..=127) => Network::Private(100),
        (169, 254) => Network::Private(169),
        _ => Network::Public([4, a, b, c, 0, 0, 0, 0]),
    }
}

fn network_v6(ip: Ipv6Addr) -> Network {
    let bytes = ip.octets();
    if ip.is_loopback() {
        Network::Loopback
    } else if ip.is_unicast_link_local() {
        Network::Private(0xfe)
    } else if ip.is_unique_local() {
        let mut site = [0; 6];
        site.copy_from_slice(&bytes[..6]);
        Network::Site(site)
    } else {
        let mut subnet = [0; 8];
        subnet.copy_from_slice(&bytes[..8]);
        Network::Public(subnet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_count_as_one() {
        for (named, announced, is_covered) in [
            ("127.0.0.1", "127.0.0.9", true),
            ("127.0.0.1", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "10.0.0.1", false),
            ("10.0.0.1", "127.0.0.1", false),
            ("10.0.0.1", "10.9.0.1", true),
            ("10.0.0.1", "192.168.0.1", false),
            ("172.18.0.2", "172.31.0.2", true),
            ("172.18.0.2", "172.32.0.2", false),
            ("10.0.0.1", "203.0.113.9", false),
            ("10.0.0.1", "169.254.169.254", false),
            ("203.0.113.1", "203.0.113.9", true),
            ("203.0.113.1", "203.0.114.9", false),
            ("203.0.113.1", "10.0.0.1", false),
            ("fd00:1:2::1", "fd00:1:2:3::1", true),
            ("fd00:1:2::1", "fd00:1:3::1", false),
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8:0:1::2", false),
        ] {
            let vouched = Vouched::default();
            vouched.add(named.parse().unwrap());
            let ip = announced.parse().unwrap();
            assert_eq!(vouched.covers(ip), is_covered, "{named} {announced}");
        }
    }
}
