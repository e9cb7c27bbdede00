//! Which snapshot is meant: by its name, by the beginning of it, or the latest, of one cluster or of all.

use crate::archive::{ArchiveError, Manifest, Repository};

/// The manifest of the snapshot that is meant. `latest` of a cluster passes over those of others.
///
/// # Errors
/// When there is none, or its manifest is not what was written.
pub async fn find(
    repository: &Repository,
    asked: &str,
    cluster: Option<&str>,
) -> Result<Manifest, ArchiveError> {
    let (Some(cluster), "latest") = (cluster, asked) else {
        return repository.manifest(asked).await;
    };
    let ids = repository.snapshots().await?;
    for id in ids.iter().rev() {
        let manifest = repository.manifest_of(id).await?;
        if manifest.cluster == cluster {
            return Ok(manifest);
        }
    }
    let place = repository.place().to_owned();
    Err(match ids.last() {
        None => ArchiveError::NoSnapshots { place },
        latest => ArchiveError::NoSuchSnapshot {
            place,
            asked: format!("latest of {cluster}"),
            latest: latest.cloned(),
        },
    })
}
