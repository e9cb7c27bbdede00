//! What is restored: the snapshot that is named, the latest, the one for a moment, or RDB files.

use std::sync::Arc;

use super::Restoring;
use super::folder::Folder;
use crate::archive::{Access as ArchiveAccess, Creation, Manifest, Moment, Repository, SnapshotId};
use crate::cli::backup::open::{self, failure};
use crate::cli::backup::{import_failure, name_of, this_run};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::restore::Args;
use crate::cli::reach::now_ms;
use crate::cli::values;
use crate::ops::backup::keep;

/// The word for the latest snapshot.
const LATEST: &str = "latest";

/// The snapshot's name stands first, where there is one.
pub(super) fn split(args: &Args) -> (String, Vec<String>) {
    match args.words.split_first() {
        Some((first, rest)) if args.rdb.is_empty() && is_snapshot(first) => {
            (first.clone(), rest.to_vec())
        }
        _ => (LATEST.to_owned(), args.words.clone()),
    }
}

/// Snapshots are called by their time: 20261124T163114.123Z-9f3a2c1b, of which the beginning is enough.
/// A cluster may be called 2024prod.
fn is_snapshot(word: &str) -> bool {
    let fits = |(n, byte): (usize, u8)| match n {
        8 => byte == b'T',
        15 => byte == b'.',
        19 => byte == b'Z',
        20 => byte == b'-',
        21..29 => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        29.. => false,
        _ => byte.is_ascii_digit(),
    };
    word == LATEST || word.len() >= 4 && word.bytes().enumerate().all(fits)
}

/// What is restored, and what holds it meanwhile.
pub(super) struct Found {
    pub repository: Repository,
    pub manifest: Manifest,
    pub moment: Option<Arc<Moment>>,
    /// A repository of files that go again at the end.
    _folder: Option<Folder>,
}

impl Restoring<'_> {
    pub(super) async fn find(&self) -> Result<Found, Failure> {
        if !self.args.rdb.is_empty() {
            return self.files().await;
        }
        let (repository, _) = open::open(self.repository.access()?).await?;
        if let Some(at) = self.args.at {
            return self.at(repository, at.before(now_ms())).await;
        }
        let manifest = match (self.asked.as_str(), &self.args.of) {
            (LATEST, Some(name)) => keep::find(&repository, LATEST, Some(name)).await,
            (LATEST, None) => return self.latest(repository).await,
            (id, _) => keep::find(&repository, id, None).await,
        };
        Ok(Found {
            manifest: manifest.map_err(failure)?,
            repository,
            moment: None,
            _folder: None,
        })
    }

    /// The target's own latest; another cluster's only when there is no other it could be.
    async fn latest(&self, repository: Repository) -> Result<Found, Failure> {
        let own = name_of(self.settings);
        let mut clusters = std::collections::BTreeSet::new();
        let mut latest = None;
        for id in repository.snapshots().await.map_err(failure)?.iter().rev() {
            let manifest = repository.manifest_of(id).await.map_err(failure)?;
            let is_own = manifest.cluster == own;
            clusters.insert(manifest.cluster.clone());
            if is_own || latest.is_none() {
                latest = Some(manifest);
            }
            if is_own {
                clusters = [own].into();
                break;
            }
        }
        match (latest, clusters.len()) {
            (Some(manifest), 1) => Ok(Found {
                manifest,
                repository,
                moment: None,
                _folder: None,
            }),
            (Some(_), _) => {
                let names = crate::model::words::listed(clusters, 8);
                let what = format!("the repository has snapshots of several clusters: {names}");
                Err(Failure::usage(what).next("say whose latest is meant: --of NAME"))
            }
            (None, _) => {
                let place = repository.place().to_owned();
                Err(failure(crate::archive::ArchiveError::NoSnapshots { place }))
            }
        }
    }

    /// The last snapshot before that moment, and what was archived from there to it.
    async fn at(&self, repository: Repository, at_ms: u64) -> Result<Found, Failure> {
        if self.args.words.first().is_some_and(|word| word != LATEST) && self.asked != LATEST {
            return Err(Failure::usage("--at finds the snapshot by itself")
                .next(format!("leave {} out", self.asked)));
        }
        let cluster = match &self.args.of {
            Some(name) => name.clone(),
            None => self.latest(repository.clone()).await?.manifest.cluster,
        };
        let moment = repository.moment(&cluster, at_ms).await.map_err(failure)?;
        let moment = moment.map_err(|none| {
            let hint = none.hint();
            Failure::new(Exit::Refused, none).next(hint)
        })?;
        let told = crate::model::words::timestamp(at_ms);
        if matches!(self.args.at, Some(values::When::Ago(_))) {
            self.screen.say(&format!(
                "goodcache: restoring {told}; should it stop half-way, go on with --at {told}"
            ));
        }
        Ok(Found {
            manifest: moment.base.clone(),
            moment: Some(Arc::new(moment)),
            repository,
            _folder: None,
        })
    }

    /// RDB files become a repository of their own, so that all that holds for snapshots holds for them.
    async fn files(&self) -> Result<Found, Failure> {
        let sources = keep::sources(&self.args.rdb).map_err(unreadable)?;
        let folder = Folder::make().map_err(|error| Failure::new(Exit::Failed, error))?;
        let access = ArchiveAccess {
            url: folder.repository().display().to_string(),
            ..ArchiveAccess::default()
        };
        let creation = Creation {
            now_ms: now_ms(),
            ..Creation::default()
        };
        let repository = Repository::create_or_open(&access, &creation).await;
        let repository = repository.map_err(failure)?;
        let (run, events) = (this_run(), self.screen.events());
        let name = name_of(self.settings);
        let report = keep::import(&repository, &sources, &name, &run, now_ms(), &events)
            .await
            .map_err(unreadable)?;
        let id: &SnapshotId = report.id();
        let manifest = repository.manifest_of(id).await.map_err(failure)?;
        Ok(Found {
            repository,
            manifest,
            moment: None,
            _folder: Some(folder),
        })
    }
}

/// A file that cannot be read is here what a repository is that cannot be opened.
fn unreadable(error: keep::ImportError) -> Failure {
    let mut failure = import_failure(error);
    if failure.exit == Exit::Failed {
        failure.exit = Exit::CouldNotLook;
    }
    match failure.next.is_empty() {
        true => failure.next("name an RDB file, or a folder that has some: --rdb FILE|DIR"),
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_told_from_a_target() {
        for (word, is_one) in [
            ("latest", true),
            ("20261124T163114", true),
            ("20261124T163114.123Z-9f3a2c1b", true),
            ("20261124T163114.123Z-9f3a2c1b0", false),
            ("2026", true),
            ("202", false),
            ("2024prod", false),
            ("2024-prod", false),
            ("20261124Tprod", false),
            ("shop", false),
            ("10.0.0.5:7001", false),
            ("10.0.0.5", false),
        ] {
            assert_eq!(is_snapshot(word), is_one, "{word}");
        }
    }
}
