//! One object: what was read from a server, packed, sealed where the repository is sealed, and named
//! from within; and back, where each step proves the one before.
//!
//! It opens with a frame that zstd skips, which says which piece it is. So an unsealed object is an
//! ordinary zstd file (`zstd -dc base-000000` gives the raw bytes), and an object that stands in
//! another's place says whose it is.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use zstd::bulk::{Compressor, Decompressor};

use super::buffers::Buffers;
use super::crypto::{CryptoError, Keys, OVERHEAD, SEAL_HEAD};
use super::hex;
use super::id::{Identity, Kind};

/// The most raw bytes that one object may hold. A reader takes an object whole into memory.
pub const MOST_RAW: u64 = 256 << 20;

/// The most that packing, sealing and the label add to raw bytes that do not pack.
pub const MOST_ADDED: u64 = 4 << 20;

/// A skippable frame (RFC 8878, 3.1.2).
pub(super) const SKIP: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
const LONGEST_LABEL: usize = 400;
/// Packers that wait to be used again: each has about a MiB of its own, which must go round as buffers do.
static PACKERS: Mutex<Vec<Compressor<'static>>> = Mutex::new(Vec::new());
const PACKERS_KEPT: usize = 4;
/// The label's frame is not longer.
pub(super) const LONGEST_HEAD: u64 = 8 + LONGEST_LABEL as u64;

/// What the manifest says of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// Before packing.
    pub raw_bytes: u64,
    /// As stored.
    pub stored_bytes: u64,
    /// SHA-256 before packing, hexadecimal, where an older program wrote it: one hash over what is stored
    /// says as much, since nothing else can come out of the same bytes, and zstd's own checksum stands in
    /// them as well.
    pub raw_sha256: Option<String>,
    /// SHA-256 as stored, hexadecimal: what `sha256sum` says of the file.
    pub stored_sha256: String,
}

/// How thoroughly an object is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The stored bytes are those that the manifest means. What they unpack to is then what was packed, by
    /// the length and by the checksum that stands in them: nothing else can come out of the same bytes.
    Stored,
    /// The raw bytes are hashed as well, where the manifest says what comes out, so that it is seen too when
    /// packing or unpacking went wrong.
    StoredAndRaw,
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It is not there.
    #[error("{name} is missing")]
    Missing {
        /// Which.
        name: String,
    },
    /// It ends too early.
    #[error("{name} is cut short: {found} of {expected} bytes are there")]
    Truncated {
        /// Which.
        name: String,
        /// What the manifest says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// It goes on too long.
    #[error("{name} has {found} bytes instead of {expected}")]
    TooLong {
        /// Which.
        name: String,
        /// What the manifest says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// It is another piece.
    #[error("{name} holds {found} instead: objects were swapped")]
    Swapped {
        /// Which.
        name: String,
        /// What it says that it is.
        found: String,
    },
    /// Its bytes are not those that were written.
    #[error("{name} is damaged: its SHA-256 is not the manifest's")]
    Damaged {
        /// Which.
        name: String,
    },
    /// It is not sealed in a sealed repository, or the other way round.
    #[error("{name} is {}", if *is_sealed { "sealed, and this repository is not" } else { "not sealed, though this repository is" })]
    Unlike {
        /// Which.
        name: String,
        /// What it is.
        is_sealed: bool,
    },
    /// The keys do not open it.
    #[error("{name} is not what this repository's keys sealed")]
    NotOurs {
        /// Which.
        name: String,
    },
    /// What is in it is not what went in.
    #[error("{name} does not unpack to what was packed: {why}")]
    Unpacked {
        /// Which.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// More than one object may hold.
    #[error("{name} would hold {raw_bytes} bytes, and an object holds at most {MOST_RAW}")]
    TooLarge {
        /// Which.
        name: String,
        /// Its raw bytes.
        raw_bytes: u64,
    },
    /// It could not be packed.
    #[error("{name} could not be packed: {why}")]
    NotPacked {
        /// Which.
        name: String,
        /// The reason.
        why: String,
    },
}

impl ChunkError {
    /// The object's name.
    pub fn name(&self) -> &str {
        match self {
            ChunkError::Missing { name }
            | ChunkError::Truncated { name, .. }
            | ChunkError::TooLong { name, .. }
            | ChunkError::Swapped { name, .. }
            | ChunkError::Damaged { name }
            | ChunkError::Unlike { name, .. }
            | ChunkError::NotOurs { name }
            | ChunkError::Unpacked { name, .. }
            | ChunkError::TooLarge { name, .. }
            | ChunkError::NotPacked { name, .. } => name,
        }
    }

    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            ChunkError::TooLarge { .. } => "cut it into smaller pieces",
            ChunkError::NotPacked { .. } => "check the free memory, then run again",
            ChunkError::NotOurs { .. } | ChunkError::Unlike { .. } | ChunkError::Swapped { .. } => {
                "somebody or something put it there: restore another snapshot, or this one's copy in \
                 another repository, and look into who can write here"
            }
            _ => {
                "restore another snapshot, or this one's copy in another repository, and check the \
                 storage"
            }
        }
        .to_owned()
    }
}

/// Packs raw bytes into an object. Takes its time: not for an async thread.
pub fn pack(
    identity: &Identity,
    raw: &[u8],
    level: i32,
    keys: Option<&Keys>,
) -> Result<(Vec<u8>, Sizes), ChunkError> {
    pack_as(&identity.name(), raw, level, keys)
}

/// The same of an object that belongs to no snapshot, under its name.
pub fn pack_as(
    name: &str,
    raw: &[u8],
    level: i32,
    keys: Option<&Keys>,
) -> Result<(Vec<u8>, Sizes), ChunkError> {
    pack_into(Vec::with_capacity(room(raw.len())), name, raw, level, keys)
}

/// What an object of so many raw bytes may take.
pub fn room(raw_bytes: usize) -> usize {
    8 + LONGEST_LABEL + OVERHEAD + zstd::zstd_safe::compress_bound(raw_bytes)
}

/// The same in an empty buffer with that [`room`].
pub fn pack_into(
    mut stored: Vec<u8>,
    name: &str,
    raw: &[u8],
    level: i32,
    keys: Option<&Keys>,
) -> Result<(Vec<u8>, Sizes), ChunkError> {
    let name = name.to_owned();
    let raw_bytes = raw.len() as u64;
    if raw_bytes > MOST_RAW {
        return Err(ChunkError::TooLarge { name, raw_bytes });
    }
    let not_packed = |why: String| ChunkError::NotPacked {
        name: name.clone(),
        why,
    };
    let label = label(&name, keys.is_some());
    stored.extend_from_slice(&label);
    if keys.is_some() {
        stored.extend_from_slice(&[0; SEAL_HEAD]);
    }
    let mut stored = compress(stored, raw, level).map_err(|why| not_packed(why.to_string()))?;
    if let Some(keys) = keys {
        keys.seal_in_place(&label, &mut stored, label.len())
            .map_err(|why: CryptoError| not_packed(why.to_string()))?;
    }
    let sizes = Sizes {
        raw_bytes,
        stored_bytes: stored.len() as u64,
        raw_sha256: None,
        stored_sha256: sha256(&stored),
    };
    Ok((stored, sizes))
}

/// Proves an object to be what the manifest says, and gives its raw bytes. Takes its time: not for an
/// async thread.
pub fn unpack(
    identity: &Identity,
    stored: &[u8],
    sizes: &Sizes,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    proven(&Buffers::default(), identity, stored, sizes, keys)
}

/// The same in buffers that go round, and as thoroughly as that.
pub fn unpack_within(
    buffers: &Buffers,
    identity: &Identity,
    stored: &[u8],
    sizes: &Sizes,
    keys: Option<&Keys>,
    proof: Proof,
) -> Result<Bytes, ChunkError> {
    let raw = match proof {
        Proof::Stored => opened(buffers, identity, stored, sizes, keys),
        Proof::StoredAndRaw => proven(buffers, identity, stored, sizes, keys),
    };
    raw.map(|raw| buffers.lend(raw))
}

fn proven(
    buffers: &Buffers,
    identity: &Identity,
    stored: &[u8],
    sizes: &Sizes,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    let raw = opened(buffers, identity, stored, sizes, keys)?;
    if sizes
        .raw_sha256
        .as_ref()
        .is_none_or(|said| sha256(&raw) == *said)
    {
        return Ok(raw);
    }
    let (name, why) = (
        identity.name(),
        "its SHA-256 is not the manifest's".to_owned(),
    );
    Err(ChunkError::Unpacked { name, why })
}

fn opened(
    buffers: &Buffers,
    identity: &Identity,
    stored: &[u8],
    sizes: &Sizes,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    prove_stored(identity, stored, sizes)?;
    let raw = open(buffers, &identity.name(), stored, sizes.raw_bytes, keys)?;
    if raw.len() as u64 == sizes.raw_bytes {
        return Ok(raw);
    }
    let why = format!("{} bytes instead of {}", raw.len(), sizes.raw_bytes);
    let name = identity.name();
    Err(ChunkError::Unpacked { name, why })
}

/// The same without anything that the manifest says of the stored bytes: for what is in no manifest
/// yet, of which at most so many raw bytes are taken.
pub fn unpack_unlisted(
    identity: &Identity,
    stored: &[u8],
    most_raw: u64,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    unpack_as(&identity.name(), stored, most_raw, keys)
}

/// The same of an object that belongs to no snapshot, under its name.
pub fn unpack_as(
    name: &str,
    stored: &[u8],
    most_raw: u64,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    open(&Buffers::default(), name, stored, most_raw, keys)
}

fn open(
    buffers: &Buffers,
    name: &str,
    stored: &[u8],
    most_raw: u64,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ChunkError> {
    let own = name;
    let name = || own.to_owned();
    let Some((label, body, is_sealed)) = split(stored) else {
        return Err(ChunkError::Damaged { name: name() });
    };
    if is_sealed != keys.is_some() {
        let name = name();
        return Err(ChunkError::Unlike { name, is_sealed });
    }
    if label != self::label(own, is_sealed) {
        return Err(swapped(own, label));
    }
    let unpacked = match keys {
        Some(keys) => {
            let mut sealed = buffers.take(body.len());
            sealed.extend_from_slice(body);
            let packed = keys
                .unseal_in_place(label, &mut sealed)
                .ok_or_else(|| ChunkError::NotOurs { name: name() })?;
            let unpacked = decompress(buffers, packed, most_raw);
            buffers.give(sealed);
            unpacked
        }
        None => decompress(buffers, body, most_raw),
    };
    unpacked.map_err(|why| ChunkError::Unpacked {
        name: name(),
        why: why.to_string(),
    })
}

/// Proves the stored bytes alone, without unpacking: what a copy needs.
pub fn prove_stored(identity: &Identity, stored: &[u8], sizes: &Sizes) -> Result<(), ChunkError> {
    let name = identity.name();
    let (expected, found) = (sizes.stored_bytes, stored.len() as u64);
    if let Some((label, _, is_sealed)) = split(stored)
        && label != self::label(&name, is_sealed)
    {
        return Err(swapped(&name, label));
    }
    if found < expected {
        return Err(ChunkError::Truncated {
            name,
            expected,
            found,
        });
    }
    if found > expected {
        return Err(ChunkError::TooLong {
            name,
            expected,
            found,
        });
    }
    if sha256(stored) != sizes.stored_sha256 {
        return Err(ChunkError::Damaged { name });
    }
    Ok(())
}

/// The fault of an object whose first bytes say that it is another one.
pub(super) fn other_than(identity: &Identity, head: &[u8]) -> Option<ChunkError> {
    let (label, _, is_sealed) = split(head)?;
    let name = identity.name();
    (label != self::label(&name, is_sealed)).then(|| swapped(&name, label))
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

fn swapped(name: &str, label: &[u8]) -> ChunkError {
    let text = String::from_utf8_lossy(&label[8..]);
    let found = text
        .split(' ')
        .nth(2)
        .unwrap_or("something else")
        .to_owned();
    ChunkError::Swapped {
        name: name.to_owned(),
        found,
    }
}

/// `goodcache-object/1 sealed data/<snapshot>/03/base-000017 1f2e3d4c` in a frame that zstd skips. The
/// last word is the beginning of the SHA-256 of the others, so that a flipped bit is not taken for a swap.
fn label(name: &str, is_sealed: bool) -> Vec<u8> {
    let mode = if is_sealed { "sealed" } else { "plain" };
    let mut text = format!("goodcache-object/1 {mode} {name}");
    let check = sha256(text.as_bytes());
    text.push(' ');
    text.push_str(&check[..8]);
    let length = u32::try_from(text.len()).unwrap_or(0);
    [&SKIP, length.to_le_bytes().as_slice(), text.as_bytes()].concat()
}

/// The label with its frame, what follows, and whether that is sealed; `None` when there is no sound one.
fn split(stored: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let rest = stored.strip_prefix(&SKIP)?;
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    if length > LONGEST_LABEL || stored.len() < 8 + length {
        return None;
    }
    let (label, body) = stored.split_at(8 + length);
    let text = str::from_utf8(&label[8..]).ok()?;
    let (said, check) = text.rsplit_once(' ')?;
    let mode = said
        .strip_prefix("goodcache-object/1 ")?
        .split(' ')
        .next()?;
    (sha256(said.as_bytes()).get(..8) == Some(check)).then_some(())?;
    Some((label, body, mode == "sealed"))
}

/// Packs behind what is there, so that an object is not copied to be put together.
fn compress(mut front: Vec<u8>, raw: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let waiting = || PACKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let packer = waiting().pop();
    let mut packer = packer.map_or_else(|| Compressor::new(level), Ok)?;
    packer.set_compression_level(level)?;
    packer.include_checksum(true)?;
    front.reserve(zstd::zstd_safe::compress_bound(raw.len()));
    let at = front.len() as u64;
    let mut behind = io::Cursor::new(front);
    behind.set_position(at);
    packer.compress_to_buffer(raw, &mut behind)?;
    let mut waiting = waiting();
    if waiting.len() < PACKERS_KEPT {
        waiting.push(packer);
    }
    Ok(behind.into_inner())
}

fn decompress(buffers: &Buffers, packed: &[u8], most_raw: u64) -> io::Result<Vec<u8>> {
    // A manifest may lie about the size; the frame may as well. Neither gets more than the most.
    let most = usize::try_from(most_raw.min(MOST_RAW)).unwrap_or(0);
    let mut raw = buffers.take(most);
    Decompressor::new()?.decompress_to_buffer(packed, &mut raw)?;
    // The buffer may have more room than was asked for.
    match raw.len() > most {
        true => Err(io::Error::other("there is more in it than may be")),
        false => Ok(raw),
    }
}

/// The identity under which a sealed manifest is packed.
pub(super) fn manifest_identity(snapshot: &super::id::SnapshotId) -> Identity {
    Identity {
        snapshot: snapshot.clone(),
        shard: None,
        kind: Kind::manifest(),
        seq: 0,
    }
}

#[cfg(test)]
mod tests;
