//! Whether a node runs on this machine, as far as its address tells: then what it sends costs no
//! network, and the processors that pack it are those that unpack it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::model::NodeAddr;

/// Whether every address that its name stands for is a loopback address or one of this machine's own.
/// A name that is not resolved in time is taken for somewhere else.
pub async fn is_here(addr: &NodeAddr, patience: Duration) -> bool {
    let looking_up = timeout(patience, lookup_host((addr.host.as_str(), addr.port)));
    let Ok(Ok(found)) = looking_up.await else {
        return false;
    };
    let mut found = found.peekable();
    found.peek().is_some() && found.all(is_own)
}

fn is_own(addr: SocketAddr) -> bool {
    addr.ip().is_loopback() || speaks_as(addr).is_ok_and(|own| own.ip() == addr.ip())
}

/// The address from which this machine would speak to that one: to its own from the same. Nothing is
/// sent.
fn speaks_as(addr: SocketAddr) -> io::Result<SocketAddr> {
    let socket = match addr {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }?;
    socket.connect(addr)?;
    socket.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loopback_is_here_and_other_machines_are_not() {
        // The last three are set aside for examples, and nobody's.
        for (host, expected) in [
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
                expected,
                "{host}"
            );
        }
    }

    #[test]
    fn an_address_of_its_own_is_seen_by_speaking_to_it() {
        let own = speaks_as(SocketAddr::from((Ipv4Addr::LOCALHOST, 9))).unwrap();
        assert_eq!(own.ip(), Ipv4Addr::LOCALHOST);
    }
}
