//! How a manifest lies in the repository: JSON with the SHA-256 of the manifest's very bytes, and with
//! their signature where there is a key; or, in a sealed repository, as a sealed object.
//!
//! The hash is over bytes as they stand, so nothing has to agree on how JSON is written; a file that
//! was edited, or only formatted anew, is found out.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{self, ChunkError, sha256};
use super::crypto::{Keys, Protection};
use super::id::SnapshotId;
use super::manifest::{FORMAT, Manifest};

/// The most bytes that a manifest may have.
pub const MOST: u64 = 128 << 20;

/// Why a manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be understood.
    #[error("the manifest of {id} cannot be understood: {why}")]
    Damaged {
        /// Whose.
        id: SnapshotId,
        /// What is wrong.
        why: String,
    },
    /// It was changed after it was written.
    #[error("the manifest of {id} is not as it was written: its SHA-256 does not fit")]
    Edited {
        /// Whose.
        id: SnapshotId,
    },
    /// It has no signature, or not ours.
    #[error("the manifest of {id} is not signed with this repository's key")]
    NotSigned {
        /// Whose.
        id: SnapshotId,
    },
    /// It does not open.
    #[error("the manifest of {id} does not open: {source}")]
    Sealed {
        /// Whose.
        id: SnapshotId,
        /// The reason.
        source: ChunkError,
    },
    /// It is another snapshot's.
    #[error("the manifest of {id} is that of {found}")]
    Swapped {
        /// Whose it should be.
        id: SnapshotId,
        /// Whose it is.
        found: SnapshotId,
    },
    /// A newer program wrote it.
    #[error("the manifest of {id} has format {found}, and this goodcache reads {FORMAT}")]
    Newer {
        /// Whose.
        id: SnapshotId,
        /// What it says.
        found: u32,
    },
}

impl ManifestError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            ManifestError::Newer { .. } => "use the goodcache that took it, or a newer one",
            ManifestError::NotSigned { .. } | ManifestError::Swapped { .. } => {
                "do not restore it; look into who can write to this repository"
            }
            _ => "restore another snapshot, or this one's copy in another repository",
        }
        .to_owned()
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    sha256: String,
    mac: Option<String>,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

/// What of a manifest must be known before the rest is read.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The bytes to store.
pub fn encode(
    manifest: &Manifest,
    protection: Protection,
    keys: Option<&Keys>,
) -> Result<Vec<u8>, ManifestError> {
    let id = &manifest.id;
    let body = serde_json::to_string_pretty(manifest).map_err(|why| damaged(id, why))?;
    if let (Protection::Sealed, Some(keys)) = (protection, keys) {
        let identity = chunk::manifest_identity(id);
        let (stored, _) =
            chunk::pack(&identity, body.as_bytes(), 3, Some(keys)).map_err(|source| {
                ManifestError::Sealed {
                    id: id.clone(),
                    source,
                }
            })?;
        return Ok(stored);
    }
    let hash = sha256(body.as_bytes());
    let mac = keys.map_or_else(
        || "null".to_owned(),
        |keys| format!("\"{}\"", keys.sign(body.as_bytes())),
    );
    Ok(
        format!("{{\n\"sha256\": \"{hash}\",\n\"mac\": {mac},\n\"manifest\": {body}\n}}\n")
            .into_bytes(),
    )
}

/// Proves stored bytes to be the manifest of that snapshot.
pub fn decode(
    id: &SnapshotId,
    stored: &[u8],
    protection: Protection,
    keys: Option<&Keys>,
) -> Result<Manifest, ManifestError> {
    let manifest = match (protection, keys) {
        (Protection::Sealed, Some(keys)) => {
            let identity = chunk::manifest_identity(id);
            let body =
                chunk::unpack_unlisted(&identity, stored, MOST, Some(keys)).map_err(|source| {
                    ManifestError::Sealed {
                        id: id.clone(),
                        source,
                    }
                })?;
            parse(id, &body)
        }
        _ => parse(id, proven(id, stored, keys)?.as_bytes()),
    }?;
    if manifest.id != *id {
        let (id, found) = (id.clone(), manifest.id);
        return Err(ManifestError::Swapped { id, found });
    }
    match manifest.fault() {
        Some(why) => Err(damaged(id, why)),
        None => Ok(manifest),
    }
}

/// The manifest's bytes, once hash and signature fit.
fn proven<'a>(
    id: &SnapshotId,
    stored: &'a [u8],
    keys: Option<&Keys>,
) -> Result<&'a str, ManifestError> {
    let envelope: Envelope<'a> = serde_json::from_slice(stored).map_err(|why| damaged(id, why))?;
    let body = envelope.manifest.get();
    if sha256(body.as_bytes()) != envelope.sha256 {
        return Err(ManifestError::Edited { id: id.clone() });
    }
    let is_signed = keys.is_none_or(|keys| {
        let mac = envelope.mac.as_deref().unwrap_or_default();
        keys.is_signature(body.as_bytes(), mac)
    });
    if !is_signed {
        return Err(ManifestError::NotSigned { id: id.clone() });
    }
    Ok(body)
}

fn parse(id: &SnapshotId, body: &[u8]) -> Result<Manifest, ManifestError> {
    let head: Head = serde_json::from_slice(body).map_err(|why| damaged(id, why))?;
    if head.format > FORMAT {
        let (id, found) = (id.clone(), head.format);
        return Err(ManifestError::Newer { id, found });
    }
    serde_json::from_slice(body).map_err(|why| damaged(id, why))
}

fn damaged(id: &SnapshotId, why: impl ToString) -> ManifestError {
    ManifestError::Damaged {
        id: id.clone(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::crypto::tests::keys;
    use super::super::testing::manifest;
    use super::*;

    #[test]
    fn there_and_back_with_keys_it_does_not_know() {
        let keys = keys();
        let mut manifest = manifest(SnapshotId::new(1, 2));
        manifest.more.insert("new".to_owned(), 7.into());
        manifest.shards[0]
            .more
            .insert("newer".to_owned(), "x".into());
        manifest.shards[0].base[0]
            .more
            .insert("newest".to_owned(), true.into());
        for (protection, keys) in [
            (Protection::None, None),
            (Protection::Signed, Some(&keys)),
            (Protection::Sealed, Some(&keys)),
        ] {
            let stored = encode(&manifest, protection, keys).unwrap();
            assert_eq!(
                decode(&manifest.id, &stored, protection, keys).unwrap(),
                manifest
            );
        }
    }

    #[test]
    fn an_edited_manifest_is_found_out() {
        let (ours, theirs) = (keys(), keys());
        let mut manifest = manifest(SnapshotId::new(1, 2));
        let id = manifest.id.clone();
        let text =
            String::from_utf8(encode(&manifest, Protection::Signed, Some(&ours)).unwrap()).unwrap();
        let open = |text: &str| decode(&id, text.as_bytes(), Protection::Signed, Some(&ours));
        for (from, to) in [
            ("goodbooks", "badbooks"),
            ("\"format\": 2", "\"format\":  2"),
            ("barrier", "clock"),
        ] {
            let edited = text.replacen(from, to, 1);
            assert_ne!(edited, text);
            assert_eq!(open(&edited), Err(ManifestError::Edited { id: id.clone() }));
        }
        assert!(matches!(
            open(&text[..text.len() / 2]),
            Err(ManifestError::Damaged { .. })
        ));
        assert!(matches!(open(""), Err(ManifestError::Damaged { .. })));

        // Whoever edits it can make the hash fit, but not the signature.
        let not_signed = ManifestError::NotSigned { id: id.clone() };
        manifest.cluster = "badbooks".to_owned();
        for (protection, keys) in [
            (Protection::None, None),
            (Protection::Signed, Some(&theirs)),
        ] {
            let forged = encode(&manifest, protection, keys).unwrap();
            let error = decode(&id, &forged, Protection::Signed, Some(&ours)).unwrap_err();
            assert_eq!(error, not_signed);
        }
        let forged = encode(&manifest, Protection::Sealed, Some(&theirs)).unwrap();
        let error = decode(&id, &forged, Protection::Sealed, Some(&ours)).unwrap_err();
        assert!(matches!(error, ManifestError::Sealed { .. }), "{error}");
    }

    #[test]
    fn another_snapshots_manifest_is_found_out() {
        let keys = keys();
        let id = SnapshotId::new(5, 5);
        for (protection, keys) in [(Protection::None, None), (Protection::Sealed, Some(&keys))] {
            let stored = encode(&manifest(SnapshotId::new(1, 2)), protection, keys).unwrap();
            let error = decode(&id, &stored, protection, keys).unwrap_err();
            let is_named = matches!(
                error,
                ManifestError::Swapped { .. }
                    | ManifestError::Sealed {
                        source: ChunkError::Swapped { .. },
                        ..
                    }
            );
            assert!(is_named, "{error}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let id = SnapshotId::new(1, 2);
        let mut newer = manifest(id.clone());
        newer.format = FORMAT + 1;
        let stored = encode(&newer, Protection::None, None).unwrap();
        let error = decode(&id, &stored, Protection::None, None).unwrap_err();
        assert!(matches!(error, ManifestError::Newer { .. }), "{error}");

        let mut outside = manifest(id.clone());
        outside.shards[0].base[0].name = "data/../../etc/passwd".to_owned();
        let stored = encode(&outside, Protection::None, None).unwrap();
        let error = decode(&id, &stored, Protection::None, None).unwrap_err();
        assert!(matches!(error, ManifestError::Damaged { .. }), "{error}");
    }
}
