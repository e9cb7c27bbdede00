//! From a moment to the base and the line with which it is restored.
//!
//! Whoever restores puts back the base with its own log, up to each shard's `cut_offset`, as a snapshot
//! alone is restored. Then comes what [`Repository::replay`] gives, in that order: it begins for each shard
//! right behind its cut and ends with the moment. [`Anchored::starts`] tells which shard of the line is
//! which of the manifest. What is done in a slot counts only from the shard that has it (see [`Replay`]).

use super::super::error::ArchiveError;
use super::super::id::SnapshotId;
use super::super::manifest::Manifest;
use super::super::repository::Repository;
use super::line::{Anchor, Anchored, TimeLine};
use super::name::folder_of;
use super::replay::Replay;
use crate::model::words::timestamp;

/// A moment that can be restored.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Which, ms since the epoch.
    pub at_ms: u64,
    /// The base to begin with: the last before it.
    pub base: Manifest,
    /// The line on which it lies; `None` when it is the very moment of the base.
    pub line: Option<TimeLine>,
    /// Where the base lies on the line.
    pub anchored: Option<Anchored>,
}

/// Why a moment cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    /// Nothing of that cluster is there.
    #[error("there is nothing of {cluster} in {place} that could be restored")]
    Nothing {
        /// Of which.
        cluster: String,
        /// Where.
        place: String,
    },
    /// It lies in a gap, or outside.
    #[error(
        "{} lies {} what can be restored: {}", timestamp(*at_ms),
        where_it_lies(*before_ms, *after_ms), nearest(*before_ms, *after_ms)
    )]
    Outside {
        /// What was asked for.
        at_ms: u64,
        /// The nearest moment before it.
        before_ms: Option<u64>,
        /// The nearest after it.
        after_ms: Option<u64>,
    },
}

impl NoMoment {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            NoMoment::Nothing { .. } => "see what there is: goodcache backup list".to_owned(),
            NoMoment::Outside { .. } => {
                "ask for one of these, or see them all: goodcache backup list".to_owned()
            }
        }
    }
}

impl Repository {
    /// Finds what a cluster was at a moment, ms since the epoch: the best base, and what came after it.
    /// Snapshots whose manifest is not believed are passed over.
    ///
    /// # Errors
    /// When the repository cannot be read. The inner one: the moment cannot be restored, and it names the
    /// nearest that can.
    pub async fn moment(
        &self,
        cluster: &str,
        at_ms: u64,
    ) -> Result<Result<Moment, NoMoment>, ArchiveError> {
        let manifests = self.manifests_of(cluster).await?;
        let lines = self.time_lines(Some(cluster)).await?;
        let anchors: Vec<Anchor> = manifests.iter().filter_map(Anchor::of).collect();
        let Some((id, place)) = best(&anchors, &lines, at_ms) else {
            return Ok(Err(self.no_moment(cluster, at_ms, &anchors, &lines)));
        };
        let Some(base) = manifests.into_iter().find(|manifest| manifest.id == id) else {
            return Ok(Err(self.no_moment(cluster, at_ms, &anchors, &lines)));
        };
        let (line, anchored) = place.unzip();
        Ok(Ok(Moment {
            at_ms,
            base,
            line,
            anchored,
        }))
    }

    /// What came after a moment's base, up to the moment.
    pub fn replay(&self, moment: &Moment) -> Replay {
        Replay::of(self, moment)
    }

    async fn manifests_of(&self, cluster: &str) -> Result<Vec<Manifest>, ArchiveError> {
        let mut own = Vec::new();
        for id in self.snapshots().await? {
            match self.manifest_of(&id).await {
                Ok(manifest) if folder_of(&manifest.cluster) == folder_of(cluster) => {
                    own.push(manifest);
                }
                // Of another cluster, deleted since it was listed, or not to be believed.
                Ok(_) | Err(ArchiveError::NoSuchSnapshot { .. } | ArchiveError::Manifest(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(own)
    }

    fn no_moment(
        &self,
        cluster: &str,
        at_ms: u64,
        anchors: &[Anchor],
        lines: &[TimeLine],
    ) -> NoMoment {
        // A snapshot without a line is one moment.
        let points = anchors.iter().map(|anchor| (anchor.at_ms, anchor.at_ms));
        let lines = lines.iter().flat_map(|line| line.ranges(anchors));
        let ranges: Vec<(u64, u64)> = points.chain(lines).collect();
        let before = ranges
            .iter()
            .map(|range| range.1)
            .filter(|end| *end < at_ms);
        let after = ranges
            .iter()
            .map(|range| range.0)
            .filter(|start| *start > at_ms);
        match (before.max(), after.min()) {
            (None, None) => NoMoment::Nothing {
                cluster: cluster.to_owned(),
                place: self.place().to_owned(),
            },
            (before_ms, after_ms) => NoMoment::Outside {
                at_ms,
                before_ms,
                after_ms,
            },
        }
    }
}

/// The latest base from which the moment can be reached, and where it lies.
fn best(
    anchors: &[Anchor],
    lines: &[TimeLine],
    at_ms: u64,
) -> Option<(SnapshotId, Option<(TimeLine, Anchored)>)> {
    let mut anchors: Vec<&Anchor> = anchors.iter().filter(|one| one.at_ms <= at_ms).collect();
    anchors.sort_by_key(|anchor| std::cmp::Reverse((anchor.at_ms, anchor.id.clone())));
    anchors.into_iter().find_map(|anchor| {
        let mut places = lines.iter().rev().filter_map(|line| {
            let anchored = line.anchored(anchor)?;
            (anchored.from_ms..=anchored.until_ms)
                .contains(&at_ms)
                .then(|| (line.clone(), anchored))
        });
        match places.next() {
            None if anchor.at_ms == at_ms => Some((anchor.id.clone(), None)),
            None => None,
            place => Some((anchor.id.clone(), place)),
        }
    })
}

fn where_it_lies(before: Option<u64>, after: Option<u64>) -> &'static str {
    match (before, after) {
        (Some(_), Some(_)) => "in a gap of",
        (Some(_), None) => "after",
        (None, _) => "before",
    }
}

fn nearest(before: Option<u64>, after: Option<u64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!(
            "the nearest moments are {} and {}",
            timestamp(before),
            timestamp(after)
        ),
        (Some(at), None) | (None, Some(at)) => format!("the nearest moment is {}", timestamp(at)),
        (None, None) => "there is none".to_owned(),
    }
}
