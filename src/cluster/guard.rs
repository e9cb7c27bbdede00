//! The guard below the parser: it remembers how an answer began and what broke the stream, and
//! cuts off an answer that never ends.
//!
//! It must sit here: the client library keeps an endless line in memory until the line ends, and
//! makes a value of 56 bytes out of three bytes on the wire, so both bytes and lines are counted.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::Bytes;
use super::tls;

/// The most that may come back between two questions. CLUSTER NODES of 1,000 nodes with shattered
/// slots stays below 1 MiB; 16 MiB leaves room for pipelines.
pub(super) const FLOOD_LIMIT: u64 = 16 << 20;

/// The most protocol lines between two questions, each of which may become a value.
const LINE_LIMIT: u64 = 512 << 10;

/// How much of a beginning is remembered, and how much of that is quoted.
const MEMORY: usize = 256;
const QUOTED: usize = 48;

/// What broke the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Break {
    /// TLS, in an operator's words.
    Tls(String),
    /// The system, in its own words.
    System(String),
}

/// What has come in.
#[derive(Debug, Default)]
pub(super) struct Seen {
    is_tls: bool,
    kept: Mutex<Kept>,
    /// More than [`FLOOD_LIMIT`] where data is asked for.
    allowed: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    /// The first bytes that ever came.
    first: Vec<u8>,
    /// The first bytes since the last answer.
    latest: Vec<u8>,
    bytes: u64,
    lines: u64,
    ends_in_cr: bool,
    is_flooded: bool,
    /// The other side closed or broke it; otherwise an end is the parser's doing.
    is_over: bool,
    broken: Option<Break>,
}

impl Seen {
    pub(super) fn new(is_tls: bool) -> Seen {
        Seen {
            is_tls,
            kept: Mutex::default(),
            allowed: AtomicU64::new(FLOOD_LIMIT),
        }
    }

    /// From now on so many bytes may come back between two questions.
    pub(super) fn allow(&self, bytes: u64) {
        self.allowed.store(bytes, Ordering::Relaxed);
    }

    /// The most that may come back between two questions.
    pub(super) fn limit(&self) -> u64 {
        self.allowed.load(Ordering::Relaxed).max(FLOOD_LIMIT)
    }

    /// A question was put; counting starts anew.
    pub(super) fn question(&self) {
        let mut kept = self.kept();
        (kept.bytes, kept.lines) = (0, 0);
    }

    /// An answer was understood. What a server said before that explains nothing any more. (Not
    /// when a question is put: some servers speak first, and close.)
    pub(super) fn answered(&self) {
        self.kept().latest.clear();
    }

    /// Whether a limit was passed.
    pub(super) fn is_flooded(&self) -> bool {
        self.kept().is_flooded
    }

    /// Whether the other side ended it.
    pub(super) fn is_over(&self) -> bool {
        self.kept().is_over
    }

    /// What broke the stream, if it did.
    pub(super) fn broken(&self) -> Option<Break> {
        self.kept().broken.clone()
    }

    /// The first line that ever came, quoted; `None` when nothing did.
    pub(super) fn beginning(&self) -> Option<String> {
        quoted(&self.kept().first)
    }

    /// The first line since the last answer, quoted.
    pub(super) fn latest(&self) -> Option<String> {
        quoted(&self.kept().latest)
    }

    /// The error reply that came last and answered nothing: a server that is full says so and
    /// closes.
    pub(super) fn last_words(&self) -> Option<String> {
        let kept = self.kept();
        let line = first_line(&kept.latest).strip_prefix(b"-")?;
        Some(String::from_utf8_lossy(line).into_owned())
    }

    /// Whether the beginning could be a server's: a reply begins with one of the protocol's signs.
    pub(super) fn looks_like_redis(&self) -> bool {
        let first = self.kept().first.first().copied();
        first.is_none_or(|byte| b"+-:$*_#,(!=%~>|".contains(&byte))
    }

    /// Whether the beginning is a TLS record (an alert or a handshake) on a plain connection.
    pub(super) fn looks_like_tls(&self) -> bool {
        !self.is_tls && matches!(self.kept().first.as_slice(), [0x15 | 0x16, 3, ..])
    }

    /// Whether it is a TLS connection on which nothing came after the handshake. With TLS 1.3 a
    /// server that misses our certificate says so, or just closes, only then.
    pub(super) fn is_mute_tls(&self) -> bool {
        self.is_tls && self.kept().first.is_empty()
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        let kept = &mut *self.kept();
        kept.is_over |= bytes.is_empty();
        for beginning in [&mut kept.first, &mut kept.latest] {
            let room = MEMORY.saturating_sub(beginning.len());
            beginning.extend_from_slice(&bytes[..room.min(bytes.len())]);
        }
        kept.bytes += bytes.len() as u64;
        // Pairs of neighbours rather than a state a byte: this is done with every byte that comes.
        let is_cut = kept.ends_in_cr && bytes.first() == Some(&b'\n');
        let pairs = bytes.iter().zip(bytes.iter().skip(1));
        let whole = pairs.filter(|&(a, b)| *a == b'\r' && *b == b'\n').count();
        kept.lines += u64::from(is_cut) + whole as u64;
        if let Some(&last) = bytes.last() {
            kept.ends_in_cr = last == b'\r';
        }
        if kept.bytes > self.limit() || kept.lines > LINE_LIMIT {
            kept.is_flooded = true;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "too much in one answer",
            ));
        }
        Ok(())
    }

    fn note_break(&self, error: &io::Error) {
        let mut kept = self.kept();
        kept.is_over = true;
        if !kept.is_flooded && kept.broken.is_none() {
            kept.broken = Some(match tls::words(error) {
                Some(words) => Break::Tls(words),
                None => Break::System(error.to_string()),
            });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Notes stay true when another thread panicked over them.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn quoted(bytes: &[u8]) -> Option<String> {
    let line = first_line(bytes);
    let end = line.len().min(QUOTED);
    let dots = if end < line.len() { "..." } else { "" };
    (!bytes.is_empty()).then(|| format!("\"{}{dots}\"", line[..end].escape_ascii()))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default()
}

/// A stream that notes what comes in.
pub(super) struct Guarded {
    pub(super) stream: Box<dyn Bytes>,
    pub(super) seen: std::sync::Arc<Seen>,
}

impl Guarded {
    fn noting<T>(&self, outcome: io::Result<T>) -> Poll<io::Result<T>> {
        if let Err(error) = &outcome {
            self.seen.note_break(error);
        }
        Poll::Ready(outcome)
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let before = buf.filled().len();
        let outcome = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        let outcome = outcome.and_then(|()| self.seen.note(&buf.filled()[before..]));
        self.noting(outcome)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        // A broken pipe says less than what can still be read, so it is not noted.
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_quoted_by_its_first_line_and_cut() {
        let seen = Seen::new(false);
        assert_eq!(seen.beginning(), None);
        seen.note(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n")
            .unwrap();
        assert_eq!(seen.beginning().unwrap(), "\"HTTP/1.1 400 Bad Request\"");
        assert!(!seen.looks_like_redis());
        let long = Seen::new(false);
        long.note(&[0x1b; 100]).unwrap();
        let quoted = long.beginning().unwrap();
        assert!(quoted.starts_with("\"\\x1b") && quoted.ends_with("...\""));
    }

    #[test]
    fn last_words_are_those_that_answered_nothing() {
        let seen = Seen::new(false);
        seen.note(b"-ERR max number of clients reached\r\n")
            .unwrap();
        assert_eq!(
            seen.last_words().unwrap(),
            "ERR max number of clients reached"
        );
        seen.answered();
        assert_eq!(seen.last_words(), None);
    }

    #[test]
    fn many_bytes_and_many_lines_are_a_flood_however_they_are_cut() {
        let bytes = Seen::new(false);
        let chunk = [b'x'; 1 << 20];
        assert!((0..17).any(|_| bytes.note(&chunk).is_err()));
        assert!(bytes.is_flooded());
        let lines = Seen::new(false);
        assert!((0..LINE_LIMIT + 1).any(|_| {
            lines.note(b"_\r").unwrap();
            lines.note(b"\n").is_err()
        }));
    }
}
