//! The bytes that a walk has before it: pieces that were copied, one behind the other, or one piece that
//! is lent and walked over where it lies.
//!
//! A record that begins in one piece and ends in the next is put together by copying. As soon as the next
//! record begins, the walk goes on in the piece itself, so that of pieces much larger than their records
//! hardly anything is copied.

use bytes::Bytes;

/// A buffer larger than this is given back once it is mostly empty.
const KEPT_BYTES: usize = 1 << 20;
/// How much of a lent piece is copied at first, behind the beginning of a record.
const FIRST: usize = 16 << 10;

/// Bytes of a stream, from one place in it to another.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Where in the stream they begin.
    pub(super) base: u64,
    copied: Vec<u8>,
    piece: Bytes,
    /// Where in the stream the piece begins.
    piece_at: u64,
    /// Whether the walk is in the piece, and not in what was copied.
    is_lent: bool,
}

impl Held {
    /// What there is to walk over.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self.is_lent {
            true => &self.piece,
            false => &self.copied,
        }
    }

    /// Where in the stream all that has come ends.
    pub(super) fn end(&self) -> u64 {
        match self.piece.is_empty() {
            true => self.base + self.copied.len() as u64,
            false => self.piece_at + self.piece.len() as u64,
        }
    }

    /// Takes a copy of the next piece; what comes before that place is needed no more.
    pub(super) fn copy(&mut self, keep: u64, piece: &[u8]) {
        self.leave(keep);
        self.forget(keep, false);
        let free = self.copied.capacity() - self.copied.len();
        if free < piece.len() && self.copied.len() > KEPT_BYTES {
            // A long value. To double the buffer again and again would take up to twice its bytes.
            let more = piece.len().max(self.copied.len() / 8);
            self.copied.reserve_exact(more);
        }
        self.copied.extend_from_slice(piece);
    }

    /// Takes the next piece as it lies there; what comes before that place is needed no more.
    pub(super) fn lend(&mut self, keep: u64, piece: Bytes) {
        self.leave(keep);
        self.forget(keep, true);
        self.piece_at = self.end();
        self.piece = piece;
        self.go_over(keep);
        self.more();
    }

    /// Copies some more of the piece, behind a record that begins before it; whether there was any.
    pub(super) fn more(&mut self) -> bool {
        if self.is_lent || self.piece.is_empty() {
            return false;
        }
        let copied = self.base + self.copied.len() as u64;
        let from = usize::try_from(copied - self.piece_at).unwrap_or(usize::MAX);
        let rest = self.piece.get(from..).unwrap_or_default();
        let more = rest.len().min(from.max(FIRST));
        self.copied.extend_from_slice(&rest[..more]);
        more > 0
    }

    /// Whether the walk may go over into the piece, now that nothing before that place is needed.
    #[inline]
    pub(super) fn may_go_over(&self, at: u64) -> bool {
        !self.is_lent && !self.piece.is_empty() && at >= self.piece_at
    }

    /// Goes on in the piece, if it may.
    pub(super) fn go_over(&mut self, at: u64) {
        if self.may_go_over(at) {
            self.copied.clear();
            self.shrink();
            self.base = self.piece_at;
            self.is_lent = true;
        }
    }

    /// Gives the piece back; of what is needed a copy is made.
    fn leave(&mut self, keep: u64) {
        if self.is_lent {
            let from = usize::try_from(keep - self.base).unwrap_or(usize::MAX);
            let rest = self.piece.get(from..).unwrap_or_default();
            self.copied.extend_from_slice(rest);
            self.base = keep;
            self.is_lent = false;
        } else {
            while self.more() {}
        }
        self.piece = Bytes::new();
    }

    /// Drops what comes before that place; where some may stay, only when that is at least half, so that each
    /// byte moves once at most.
    fn forget(&mut self, keep: u64, is_all: bool) {
        let given = usize::try_from(keep - self.base).unwrap_or(usize::MAX);
        if given > 0 && (is_all || given >= self.copied.len() / 2) {
            self.copied.drain(..given);
            self.base += given as u64;
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.copied.capacity() > KEPT_BYTES && self.copied.len() < self.copied.capacity() / 4 {
            self.copied.shrink_to(KEPT_BYTES);
        }
    }
}
