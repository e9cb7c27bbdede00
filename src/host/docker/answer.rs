//! Whether a server behind a published port answers: the engine accepts connections for it long before
//! it runs, so only what the server itself says counts.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::NodeAddr;

/// A record of a handshake, by which a server that speaks TLS answers a greeting.
const HANDSHAKE: u8 = 22;

/// Whether it says anything that a server says: a reply to PING, be it an error; over TLS its part of
/// a handshake, which is not gone on with, for nothing is to be trusted here.
pub(super) async fn replies(addr: &NodeAddr, is_tls: bool) -> bool {
    let greeting = match is_tls {
        false => Some(b"PING\r\n".to_vec()),
        true => hello(),
    };
    let Some(greeting) = greeting else {
        return false;
    };
    let Ok(mut stream) = TcpStream::connect((addr.host.as_str(), addr.port)).await else {
        return false;
    };
    let mut first = [0u8; 1];
    let is_answered =
        stream.write_all(&greeting).await.is_ok() && stream.read_exact(&mut first).await.is_ok();
    is_answered
        && match is_tls {
            false => matches!(first[0], b'+' | b'-'),
            true => first[0] == HANDSHAKE,
        }
}

/// The first words of a client that speaks TLS.
fn hello() -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut greeting = ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    greeting.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_a_record_of_a_handshake() {
        assert_eq!(hello().unwrap()[0], HANDSHAKE);
    }
}
