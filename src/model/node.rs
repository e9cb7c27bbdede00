//! What names a node: its id, and the addresses at which it is reached or says that it is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The 40 hexadecimal digits by which a cluster knows a node; the only name that stays the same
/// when addresses move.
///
/// Kept in place rather than on the heap: a survey of 100 nodes holds tens of thousands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId([u8; 40]);

/// A node id that is not 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no node id (40 hexadecimal digits)")]
pub struct ParseNodeIdError(String);

impl NodeId {
    /// An id made of the first twenty bytes of a digest, for what has none of its own. A shorter
    /// one is filled up with zeros.
    pub fn of_digest(digest: &[u8]) -> NodeId {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 40];
        for (two, byte) in digits.chunks_exact_mut(2).zip(digest) {
            two[0] = HEX[usize::from(byte >> 4)];
            two[1] = HEX[usize::from(byte & 15)];
        }
        NodeId(digits)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        // Only hexadecimal digits ever get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its first eight digits, for tables.
    pub fn short(&self) -> &str {
        &self.as_str()[..8]
    }
}

impl FromStr for NodeId {
    type Err = ParseNodeIdError;
    fn from_str(text: &str) -> Result<NodeId, ParseNodeIdError> {
        match <[u8; 40]>::try_from(text.as_bytes()) {
            Ok(mut digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
                digits.make_ascii_lowercase();
                Ok(NodeId(digits))
            }
            _ => Err(ParseNodeIdError(text.chars().take(60).collect())),
        }
    }
}

impl TryFrom<String> for NodeId {
    type Error = ParseNodeIdError;
    fn try_from(text: String) -> Result<NodeId, ParseNodeIdError> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> String {
        id.as_str().to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// An address at which a client connects: a name or literal IP, and a port. IPv6 is kept without
/// brackets and printed with them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeAddr {
    /// A name, or an IP without brackets.
    pub host: String,
    /// 1 to 65,535.
    pub port: u16,
}

/// Why a text is no address; says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no address: {why} (write host:port, or [::1]:7001 for IPv6)")]
pub struct ParseAddrError {
    text: String,
    why: &'static str,
}

impl NodeAddr {
    /// An address from its two parts.
    pub fn new(host: impl Into<String>, port: u16) -> NodeAddr {
        NodeAddr {
            host: host.into(),
            port,
        }
    }

    /// Whether it names this machine by a literal loopback address or as `localhost`.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for NodeAddr {
    type Err = ParseAddrError;
    /// Reads `host:port`, `[v6]:port` and `v6:port` (the last colon counts when there are several,
    /// as in CLUSTER NODES). A port is required.
    fn from_str(text: &str) -> Result<NodeAddr, ParseAddrError> {
        let fail = |why| ParseAddrError {
            text: text.chars().take(80).collect(),
            why,
        };
        let trimmed = text.trim();
        let (host, port) = match trimmed.strip_prefix('[') {
            Some(rest) => rest
                .split_once("]:")
                .ok_or_else(|| fail("after '[' comes an IPv6 address, then ']:' and a port"))?,
            None => trimmed
                .rsplit_once(':')
                .ok_or_else(|| fail("the port is missing"))?,
        };
        if host.is_empty() {
            return Err(fail("the host is missing"));
        }
        if trimmed.starts_with('[') || host.contains(':') {
            let (ip, zone) = match host.split_once('%') {
                Some((ip, zone)) => (ip, Some(zone)),
                None => (host, None),
            };
            if ip.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(fail("what stands before the port is no IPv6 address"));
            }
            let is_odd = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
            if zone.is_some_and(|zone| zone.is_empty() || zone.contains(is_odd)) {
                return Err(fail("what stands behind the '%' is no interface"));
            }
        } else if host
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "/@,[]".contains(c))
        {
            return Err(fail("the host holds a character that no host has"));
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(NodeAddr::new(host, port)),
            _ => Err(fail("the port is not a number from 1 to 65535")),
        }
    }
}

impl TryFrom<String> for NodeAddr {
    type Error = ParseAddrError;
    fn try_from(text: String) -> Result<NodeAddr, ParseAddrError> {
        text.parse()
    }
}

impl From<NodeAddr> for String {
    fn from(addr: NodeAddr) -> String {
        addr.to_string()
    }
}

impl fmt::Display for NodeAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The address field of a CLUSTER NODES line: what a node tells the others of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Literal IP; empty before the node has learnt its own.
    pub ip: String,
    /// The client port (the TLS one when asked over TLS); 0 when that listener is off.
    pub port: u16,
    /// The cluster bus port; 0 in lines too old to have one.
    pub bus_port: u16,
    /// `cluster-announce-hostname`, from 7.0 on.
    pub hostname: Option<String>,
    /// Auxiliary fields (`shard-id`, `nodename`, `tls-port`...), kept as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aux: BTreeMap<String, String>,
}

impl Announced {
    /// Where a client is sent: the hostname when there is one, else the IP; `None` while the node
    /// has no address or no open client port.
    pub fn endpoint(&self) -> Option<NodeAddr> {
        let host = self.hostname.as_deref().unwrap_or(&self.ip);
        (!host.is_empty() && self.port != 0).then(|| NodeAddr::new(host, self.port))
    }

    /// The address that its peers use: the IP and the client port.
    pub fn ip_endpoint(&self) -> Option<NodeAddr> {
        (!self.ip.is_empty() && self.port != 0).then(|| NodeAddr::new(self.ip.clone(), self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_shape() {
        for (text, host, port) in [
            ("127.0.0.1:7001", "127.0.0.1", 7001),
            ("[::1]:7001", "::1", 7001),
            ("::1:7001", "::1", 7001),
            ("redis-1.shop.example:6379", "redis-1.shop.example", 6379),
            (" localhost:1 ", "localhost", 1),
            ("[fe80::1%eth0.2]:7001", "fe80::1%eth0.2", 7001),
        ] {
            let addr: NodeAddr = text.parse().unwrap();
            assert_eq!((addr.host.as_str(), addr.port), (host, port), "{text}");
            assert_eq!(addr.to_string().parse::<NodeAddr>().unwrap(), addr);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("localhost", "the port is missing"),
            (":7001", "the host is missing"),
            ("a:0", "the port is not"),
            ("a:70000", "the port is not"),
            ("a:x", "the port is not"),
            ("a b:1", "no host has"),
            ("[::1", "after '['"),
            ("[nonsense]:1", "no IPv6 address"),
            ("a:b:1", "no IPv6 address"),
            ("fe80::1%:1", "no interface"),
            ("fe80::1%a]:2]:1", "no interface"),
            ("", "the port is missing"),
        ] {
            let error = text.parse::<NodeAddr>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_client_is_sent_to_the_hostname_and_peers_to_the_ip() {
        let announced = Announced {
            ip: "172.18.0.2".into(),
            port: 7001,
            bus_port: 17001,
            hostname: Some("127.0.0.1".into()),
            ..Announced::default()
        };
        assert_eq!(announced.endpoint().unwrap().to_string(), "127.0.0.1:7001");
        assert_eq!(announced.ip_endpoint().unwrap().host, "172.18.0.2");
        assert!(Announced::default().endpoint().is_none());
    }
}
