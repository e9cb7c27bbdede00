//! A byte stream to a node: TCP, TLS over it when asked for, and a guard that remembers how an
//! answer began and cuts off one that never ends.
//!
//! Our own rather than the redis crate's, because the guard must sit below the parser (which keeps
//! an endless line in memory until it ends) and because the replication link needs a raw stream.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::SystemTime;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::access::Access;
use super::error::NodeError;
use super::tls;
use crate::model::NodeAddr;

/// The most that may come back between two questions. CLUSTER NODES of 1,000 nodes with shattered
/// slots stays below 1 MiB; 16 MiB leaves room for pipelines.
pub(super) const FLOOD_LIMIT: u64 = 16 << 20;

/// How much of an answer's beginning is remembered.
const MEMORY: usize = 48;

/// Any two-way byte stream.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Opens a TCP connection within the deadline; nothing is sent.
pub async fn dial(access: &Access, addr: &NodeAddr) -> Result<TcpStream, NodeError> {
    let connecting = TcpStream::connect((addr.host.as_str(), addr.port));
    let stream = timeout(access.deadline, connecting)
        .await
        .map_err(|_| NodeError::Timeout {
            addr: addr.clone(),
            after: access.deadline,
        })?
        .map_err(|e| from_io(addr, &e))?;
    // A deadline that is missed by Nagle's 40 ms would be our own fault.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A stream, and what is known of it.
pub(super) struct Opened {
    pub(super) stream: Guarded,
    pub(super) seen: Arc<Seen>,
    /// When the node's certificate, or one above it, stops being valid.
    pub(super) certificate_ends: Option<SystemTime>,
}

/// Opens the stream that the access asks for, guarded.
pub(super) async fn open(access: &Access, addr: &NodeAddr) -> Result<Opened, NodeError> {
    let tcp = dial(access, addr).await?;
    let mut certificate_ends = None;
    let stream: Box<dyn Bytes> = match &access.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let fail = |why: String| NodeError::Tls {
                addr: addr.clone(),
                why,
            };
            let name: ServerName<'static> = tls.server_name(&addr.host).map_err(fail)?;
            let connector = TlsConnector::from(tls.config.clone());
            let shaken = timeout(access.deadline, connector.connect(name, tcp))
                .await
                .map_err(|_| NodeError::Timeout {
                    addr: addr.clone(),
                    after: access.deadline,
                })?;
            let shaken = shaken.map_err(|e| fail(tls_words(&e)))?;
            certificate_ends = tls::first_end(shaken.get_ref().1.peer_certificates());
            Box::new(shaken)
        }
    };
    let seen = Arc::new(Seen::default());
    let guarded = Guarded {
        stream,
        seen: seen.clone(),
    };
    Ok(Opened {
        stream: guarded,
        seen,
        certificate_ends,
    })
}

fn tls_words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "the server closed the connection during the handshake".into();
    }
    error.to_string()
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
fn plain(why: &str) -> String {
    let end = why.find(" (os error").unwrap_or(why.len());
    why[..end].to_lowercase()
}

/// What has come in: the beginning, and how much since the last question.
#[derive(Debug, Default)]
pub(super) struct Seen {
    beginning: Mutex<Vec<u8>>,
    since_question: AtomicU64,
    is_flooded: AtomicBool,
}

impl Seen {
    /// A question was put; counting starts anew.
    pub(super) fn question(&self) {
        self.since_question.store(0, Ordering::Relaxed);
    }

    /// Whether the limit was passed.
    pub(super) fn is_flooded(&self) -> bool {
        self.is_flooded.load(Ordering::Relaxed)
    }

    /// The first bytes that ever came, quoted; `None` when none did.
    pub(super) fn beginning(&self) -> Option<String> {
        let bytes = self
            .beginning
            .lock()
            .map(|kept| kept.clone())
            .unwrap_or_default();
        (!bytes.is_empty()).then(|| format!("\"{}\"", bytes.escape_ascii()))
    }

    /// Whether the beginning could be a server's: a reply begins with one of the protocol's signs.
    pub(super) fn looks_like_redis(&self) -> bool {
        let first = self
            .beginning
            .lock()
            .ok()
            .and_then(|kept| kept.first().copied());
        first.is_none_or(|byte| b"+-:$*_#,(!=%~>|".contains(&byte))
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        if let Ok(mut beginning) = self.beginning.lock() {
            let room = MEMORY.saturating_sub(beginning.len());
            beginning.extend_from_slice(&bytes[..room.min(bytes.len())]);
        }
        let total = self
            .since_question
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if total > FLOOD_LIMIT {
            self.is_flooded.store(true, Ordering::Relaxed);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "too much in one answer",
            ));
        }
        Ok(())
    }
}

/// A stream that notes what comes in.
pub(super) struct Guarded {
    stream: Box<dyn Bytes>,
    seen: Arc<Seen>,
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = poll
            && let Err(error) = self.seen.note(&buf.filled()[before..])
        {
            return Poll::Ready(Err(error));
        }
        poll
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
