//! A byte stream to a node: TCP, TLS over it when asked for, and the guard over both.
//!
//! Our own rather than the redis crate's, because the guard must sit below the parser and because
//! the replication link needs a raw stream. All of the opening happens before one point in time, so
//! that a server that is slow at every step costs one deadline and not one a step.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::access::Access;
use super::error::NodeError;
use super::guard::{Guarded, Seen};
use super::tls;
use crate::model::NodeAddr;

/// Any two-way byte stream.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Opens a TCP connection within the deadline; nothing is sent.
pub async fn dial(access: &Access, addr: &NodeAddr) -> Result<TcpStream, NodeError> {
    dial_until(access, addr, Instant::now() + access.deadline).await
}

async fn dial_until(
    access: &Access,
    addr: &NodeAddr,
    until: Instant,
) -> Result<TcpStream, NodeError> {
    let connecting = TcpStream::connect((addr.host.as_str(), addr.port));
    let stream = match timeout_at(until, connecting).await {
        Ok(connected) => connected.map_err(|e| from_io(addr, &e))?,
        Err(_) => {
            return Err(NodeError::NoConnection {
                addr: addr.clone(),
                after: access.deadline,
            });
        }
    };
    // A deadline that is missed by Nagle's 40 ms would be our own fault.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Waits until that moment at the longest.
async fn before<T>(
    until: Instant,
    access: &Access,
    addr: &NodeAddr,
    doing: impl Future<Output = T>,
) -> Result<T, NodeError> {
    timeout_at(until, doing)
        .await
        .map_err(|_| NodeError::Timeout {
            addr: addr.clone(),
            after: access.deadline,
        })
}

/// A stream, and what is known of it.
pub(super) struct Opened {
    pub(super) stream: Guarded,
    pub(super) seen: Arc<Seen>,
    /// When the node's certificate, or one above it, stops being valid.
    pub(super) certificate_ends: Option<SystemTime>,
    /// SHA-256 of the node's certificate.
    pub(super) certificate: Option<[u8; 32]>,
}

/// Opens the stream that the access asks for, guarded.
pub(super) async fn open(
    access: &Access,
    addr: &NodeAddr,
    until: Instant,
) -> Result<Opened, NodeError> {
    let tcp = dial_until(access, addr, until).await?;
    require_trust(access, addr, &tcp)?;
    let (mut certificate_ends, mut certificate) = (None, None);
    let stream: Box<dyn Bytes> = match &access.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let fail = |why: String| NodeError::Tls {
                addr: addr.clone(),
                why,
            };
            let name: ServerName<'static> = tls.server_name(&addr.host).map_err(fail)?;
            let connector = TlsConnector::from(tls.config.clone());
            let shaken = tokio::select! {
                shaken = before(until, access, addr, connector.connect(name, tcp)) => shaken?,
                Some(()) = answers_plainly(access, addr, until) => {
                    let why = "it answers without TLS (leave --tls out for a plain server)";
                    return Err(fail(why.into()));
                }
            };
            let shaken = shaken.map_err(|e| fail(handshake_words(&e)))?;
            let chain = shaken.get_ref().1.peer_certificates();
            certificate_ends = tls::first_end(chain);
            certificate = tls::digest_of(chain);
            Box::new(shaken)
        }
    };
    let seen = Arc::new(Seen::new(access.is_tls()));
    let guarded = Guarded {
        stream,
        seen: seen.clone(),
    };
    Ok(Opened {
        stream: guarded,
        seen,
        certificate_ends,
        certificate,
    })
}

/// Before anything is sent: where the login may not go, nothing is said.
fn require_trust(access: &Access, addr: &NodeAddr, tcp: &TcpStream) -> Result<(), NodeError> {
    let peer = tcp.peer_addr().map_err(|e| from_io(addr, &e))?.ip();
    let local = tcp.local_addr().map_err(|e| from_io(addr, &e))?.ip();
    match access.trusts(addr, peer, local) {
        true => Ok(()),
        false => Err(NodeError::NotTrusted {
            addr: addr.clone(),
            ip: peer,
        }),
    }
}

/// Whether a server that leaves a handshake unanswered answers a plain PING. A plain server takes
/// the handshake for the beginning of a command and waits for its end, so it looks like one that
/// hangs; half of the deadline is given to the handshake before this is tried.
async fn answers_plainly(access: &Access, addr: &NodeAddr, until: Instant) -> Option<()> {
    tokio::time::sleep_until(until - access.deadline / 2).await;
    let mut stream = dial_until(access, addr, until).await.ok()?;
    stream.write_all(b"PING\r\n").await.ok()?;
    let sign = stream.read_u8().await.ok()?;
    matches!(sign, b'+' | b'-').then_some(())
}

fn handshake_words(error: &io::Error) -> String {
    tls::words(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the server closed the connection during the handshake; it may not speak TLS".into()
        }
        _ => plain(&error.to_string()),
    })
}

/// What the system's error means for a node.
pub(super) fn from_io(addr: &NodeAddr, error: &io::Error) -> NodeError {
    use io::ErrorKind as Kind;
    let addr = addr.clone();
    let why = error.to_string();
    match error.kind() {
        Kind::ConnectionRefused => NodeError::Refused { addr },
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof => NodeError::Closed {
            addr,
            why: plain(&why),
        },
        _ => NodeError::Unreachable {
            addr,
            why: plain(&why),
        },
    }
}

/// The system's words without the `(os error 111)` that says it again.
pub(super) fn plain(why: &str) -> String {
    let end = why.find(" (os error").unwrap_or(why.len());
    why[..end].to_lowercase()
}
