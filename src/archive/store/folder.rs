//! What only a folder has: the files that a process was writing when it was killed.
//!
//! An object is written as `name#1` beside its place and renamed. Listings leave such files out, so
//! they would stay for ever.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::error::{Asked, StoreError};

/// Files that never became objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Torn {
    /// Which.
    pub files: Vec<PathBuf>,
    /// Their bytes in all.
    pub bytes: u64,
    /// When the latest was written to, ms since the epoch.
    pub latest_ms: u64,
}

/// Looks for them.
pub(super) async fn torn(under: PathBuf, place: String) -> Result<Torn, StoreError> {
    blocking("list", place, move || {
        let mut torn = Torn::default();
        walk(&under, &mut torn)?;
        Ok(torn)
    })
    .await
}

/// Deletes them; says how many, and how many bytes.
pub(super) async fn delete_torn(under: PathBuf, place: String) -> Result<(u64, u64), StoreError> {
    let found = torn(under, place.clone()).await?;
    let counts = (found.files.len() as u64, found.bytes);
    blocking("delete", place, move || {
        for file in &found.files {
            missing_is_fine(fs::remove_file(file))?;
            // Folders that are empty now go as well; one that is not stays.
            for folder in file.ancestors().skip(1).take(2) {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        Ok(())
    })
    .await?;
    Ok(counts)
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    place: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|source| {
            let error = object_store::Error::Generic {
                store: "folder",
                source: Box::new(source),
            };
            let asked = Asked {
                what,
                name: "what was half written",
                place: &place,
            };
            asked.failed(&error)
        })
}

fn walk(folder: &Path, torn: &mut Torn) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // Symbolic links are not followed.
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), torn)?;
        } else if is_torn(&entry) {
            note(&entry, torn)?;
        }
    }
    Ok(())
}

fn note(entry: &DirEntry, torn: &mut Torn) -> io::Result<()> {
    let meta = match entry.metadata() {
        // Renamed into place meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta?,
    };
    let age = meta
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    torn.files.push(entry.path());
    torn.bytes += meta.len();
    torn.latest_ms = torn
        .latest_ms
        .max(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    Ok(())
}

/// `base-000001#1`: what `object_store` calls a file until it is whole.
fn is_torn(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    name.to_str()
        .and_then(|name| name.rsplit_once('#'))
        .is_some_and(|(_, digits)| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
