//! Large buffers that go round instead of being given back.
//!
//! A backup or a restore moves gigabytes through buffers of some MiB. The C library's allocator keeps
//! most of what is freed in such sizes, apart for each thread that freed it, so that a program which
//! never holds more than some thirty MiB at once grows with all that it ever held. Buffers that are
//! used again are not freed at all.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// Buffers that wait at the most: no more than are in use at once, which whoever uses them bounds.
const WAITING: usize = 16;
/// How large these are. What is smaller the allocator handles well; what is larger is rare.
const KEPT: RangeInclusive<usize> = 64 << 10..=16 << 20;

/// Buffers to take from. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<Waiting>);

type Waiting = Mutex<Vec<Vec<u8>>>;

/// A buffer in use.
struct Lent {
    bytes: Vec<u8>,
    home: Weak<Waiting>,
}

impl Buffers {
    /// An empty one with room for so many bytes.
    pub fn take(&self, room: usize) -> Vec<u8> {
        if room < *KEPT.start() {
            return Vec::with_capacity(room);
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = (0..waiting.len()).filter(|&at| waiting[at].capacity() >= room);
        match fitting.min_by_key(|&at| waiting[at].capacity()) {
            Some(at) => waiting.swap_remove(at),
            None => {
                drop(waiting);
                Vec::with_capacity(room)
            }
        }
    }

    /// Takes one back.
    pub fn give(&self, bytes: Vec<u8>) {
        keep(&self.0, bytes);
    }

    /// These bytes, whose buffer comes back when the last who holds them is done.
    pub fn lend(&self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            bytes,
            home: Arc::downgrade(&self.0),
        })
    }
}

/// Takes a buffer that is not used any more.
fn keep(waiting: &Waiting, mut bytes: Vec<u8>) {
    bytes.clear();
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if KEPT.contains(&bytes.capacity()) && waiting.len() < WAITING {
        waiting.push(bytes);
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            keep(&home, std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_with_the_last_who_holds_it() {
        let buffers = Buffers::default();
        let mut bytes = buffers.take(100_000);
        bytes.extend_from_slice(b"piece");
        let place = bytes.as_ptr();
        let lent = buffers.lend(bytes);
        let part = lent.slice(1..3);
        drop(lent);
        let other = buffers.take(100_000);
        assert_ne!(other.as_ptr(), place);
        assert_eq!(part, b"ie"[..]);
        drop(part);
        let again = buffers.take(90_000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(buffers.take(200_000).capacity() >= 200_000);
    }

    #[test]
    fn few_wait_and_none_that_is_tiny_or_huge() {
        let buffers = Buffers::default();
        drop(buffers.lend(Vec::with_capacity(KEPT.end() + 1)));
        drop(buffers.lend(Vec::with_capacity(10)));
        assert_eq!(buffers.0.lock().unwrap().len(), 0);
        let many: Vec<Bytes> = (0..2 * WAITING)
            .map(|_| buffers.lend(buffers.take(100_000)))
            .collect();
        drop(many);
        assert_eq!(buffers.0.lock().unwrap().len(), WAITING);
        let last = buffers.lend(Vec::new());
        drop(buffers);
        drop(last);
    }
}
