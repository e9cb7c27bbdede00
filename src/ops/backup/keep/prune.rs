//! Which snapshots go and why; then they go, the oldest first, and with them what was left unfinished and
//! what of the time lines lies before the oldest snapshot that stays.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::list::{Snapshot, Unfinished, Unreadable, manifests};
use crate::archive::retention::{self, Candidate, EmptyPolicy, Policy};
use crate::archive::{
    Anchor, ArchiveError, ChunkError, Leftover, LogName, Manifest, Repository, RunState,
    SnapshotId, TimeLine,
};
use crate::model::{Consent, Event, Events};

/// What is to go and what stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrunePlan {
    /// Where.
    pub repository: String,
    /// The snapshots, the newest first.
    pub snapshots: Vec<PruneRow>,
    /// Those whose manifest is not believed: they are left alone.
    pub unreadable: Vec<Unreadable>,
    /// What goes of the time lines: what no snapshot that stays has a use for.
    pub lines: Vec<LinePlan>,
    /// What was left unfinished; what may still go on is left alone.
    pub unfinished: Vec<Unfinished>,
    /// The same, as the repository takes them.
    #[serde(skip)]
    pub(crate) leftovers: Vec<Leftover>,
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PruneRow {
    /// In short.
    pub snapshot: Snapshot,
    /// Whether it stays.
    pub is_kept: bool,
    /// Why it stays, or why it goes.
    pub reason: String,
}

/// What goes of a time line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinePlan {
    /// Which.
    pub run: SnapshotId,
    /// Of which cluster.
    pub cluster: String,
    /// Objects that go.
    pub objects: u64,
    /// Their bytes as stored.
    pub bytes: u64,
    /// Whether that is all of it.
    pub is_whole: bool,
    #[serde(skip)]
    pub(crate) names: Vec<(LogName, u64)>,
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Snapshots.
    pub removed: Vec<SnapshotId>,
    /// Unfinished ones.
    pub swept: Vec<SnapshotId>,
    /// Objects of time lines.
    pub line_objects: u64,
    /// Bytes that they took in the store.
    pub bytes: u64,
}

/// Makes the plan, for one cluster or for all; each snapshot's objects are looked for.
///
/// # Errors
/// When the repository cannot be read. The inner one: the policy keeps nothing.
pub async fn plan(
    repository: &Repository,
    policy: &Policy,
    cluster: Option<&str>,
    now_ms: u64,
    grace: Duration,
) -> Result<Result<PrunePlan, EmptyPolicy>, ArchiveError> {
    // Asked for nothing, so that an empty policy is refused before anything is read.
    if let Err(empty) = retention::judge(policy, &[], now_ms) {
        return Ok(Err(empty));
    }
    let (mut manifests, unreadable) = manifests(repository).await?;
    manifests.retain(|manifest| cluster.is_none_or(|cluster| manifest.cluster == cluster));
    let mut broken = BTreeMap::new();
    for manifest in &manifests {
        let found = repository.verify_objects(&manifest.id, false).await?;
        if let Some(fault) = found.faults.into_iter().next() {
            broken.insert(manifest.id.clone(), fault);
        }
    }
    let leftovers = repository.leftovers(now_ms, grace).await?;
    let snapshots = match rows(policy, &manifests, &broken, now_ms) {
        Ok(snapshots) => snapshots,
        Err(empty) => return Ok(Err(empty)),
    };
    // A snapshot that is not believed may lie on a line, and tells not where.
    let lines = match unreadable.is_empty() {
        true => {
            let lines = repository.time_lines(cluster).await?;
            line_plans(&lines, &manifests, &snapshots, now_ms, grace)
        }
        false => Vec::new(),
    };
    Ok(Ok(PrunePlan {
        repository: repository.place().to_owned(),
        snapshots,
        unreadable,
        lines,
        unfinished: leftovers.iter().map(Unfinished::from).collect(),
        leftovers,
    }))
}

/// What goes of each line. A line without any snapshot may be one whose first is being taken.
fn line_plans(
    lines: &[TimeLine],
    manifests: &[Manifest],
    rows: &[PruneRow],
    now_ms: u64,
    grace: Duration,
) -> Vec<LinePlan> {
    let is_kept = |id: &SnapshotId| rows.iter().any(|row| row.snapshot.id == *id && row.is_kept);
    let (kept, all): (Vec<Anchor>, Vec<Anchor>) = {
        let anchors: Vec<Anchor> = manifests.iter().filter_map(Anchor::of).collect();
        let kept = anchors.iter().filter(|anchor| is_kept(&anchor.id)).cloned();
        (kept.collect(), anchors)
    };
    let may_begin = |line: &TimeLine| {
        let age = Duration::from_millis(now_ms.saturating_sub(line.last_ms()));
        age <= grace && line.end().is_none() && line.ranges(&all).is_empty()
    };
    let lines = lines.iter().filter(|line| !may_begin(line));
    lines
        .filter_map(|line| {
            let names = line.unused(&kept);
            (!names.is_empty()).then(|| LinePlan {
                run: line.id.run.clone(),
                cluster: line.cluster(),
                objects: names.len() as u64,
                bytes: names.iter().map(|(_, bytes)| bytes).sum(),
                is_whole: names.len() == line.objects.len(),
                names,
            })
        })
        .collect()
}

fn rows(
    policy: &Policy,
    manifests: &[Manifest],
    broken: &BTreeMap<SnapshotId, ChunkError>,
    now_ms: u64,
) -> Result<Vec<PruneRow>, EmptyPolicy> {
    let candidates: Vec<Candidate> = manifests
        .iter()
        .map(|manifest| Candidate {
            id: manifest.id.clone(),
            cluster: manifest.cluster.clone(),
            taken_at_ms: manifest.taken_at_ms,
            is_restorable: !broken.contains_key(&manifest.id),
        })
        .collect();
    let by_id: BTreeMap<&SnapshotId, &Manifest> = manifests
        .iter()
        .map(|manifest| (&manifest.id, manifest))
        .collect();
    let verdicts = retention::judge(policy, &candidates, now_ms)?;
    Ok(verdicts
        .iter()
        .filter_map(|verdict| {
            let reasons: Vec<&str> = verdict
                .reasons
                .iter()
                .map(|reason| reason.words())
                .collect();
            let reason = match (broken.get(&verdict.id), verdict.is_kept()) {
                (Some(fault), true) => {
                    format!("{}; cannot be restored: {fault}", reasons.join(", "))
                }
                (Some(fault), false) => format!("cannot be restored: {fault}"),
                (None, true) => reasons.join(", "),
                (None, false) => "no rule keeps it".to_owned(),
            };
            Some(PruneRow {
                snapshot: Snapshot::of(by_id.get(&verdict.id)?),
                is_kept: verdict.is_kept(),
                reason,
            })
        })
        .collect())
}

impl PrunePlan {
    /// The snapshots that go, the oldest first.
    pub fn going(&self) -> impl Iterator<Item = &Snapshot> {
        let rows = self.snapshots.iter().rev();
        rows.filter(|row| !row.is_kept).map(|row| &row.snapshot)
    }

    /// The unfinished ones that go.
    pub fn sweeping(&self) -> impl Iterator<Item = &Unfinished> {
        self.unfinished.iter().filter(|left| !left.may_go_on)
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.going().next().is_none() && self.sweeping().next().is_none() && self.lines.is_empty()
    }

    /// Objects of time lines that go.
    pub fn line_objects(&self) -> u64 {
        self.lines.iter().map(|line| line.objects).sum()
    }
}

/// Removes what the plan says. What went until then comes with an error.
pub async fn apply(
    repository: &Repository,
    plan: &PrunePlan,
    _consent: Consent,
    events: &Events,
) -> (Pruned, Result<(), ArchiveError>) {
    let mut pruned = Pruned::default();
    let result = remove(repository, plan, &mut pruned, events).await;
    (pruned, result)
}

async fn remove(
    repository: &Repository,
    plan: &PrunePlan,
    pruned: &mut Pruned,
    events: &Events,
) -> Result<(), ArchiveError> {
    let of = plan.going().count() as u64;
    if of > 0 {
        events.begin("removing snapshots");
    }
    for snapshot in plan.going() {
        match repository.delete(&snapshot.id).await {
            // Another prune was faster.
            Ok(()) | Err(ArchiveError::NoSuchSnapshot { .. }) => {}
            Err(error) => return Err(error),
        }
        pruned.removed.push(snapshot.id.clone());
        pruned.bytes += snapshot.bytes_stored;
        events.tell(Event::Progress(pruned.removed.len() as u64, of));
    }
    // Only now: a line without its snapshots is of no use, but not the other way round.
    for (name, bytes) in plan.lines.iter().flat_map(|line| &line.names) {
        repository.delete_log(name).await?;
        pruned.line_objects += 1;
        pruned.bytes += bytes;
    }
    let gone: Vec<Leftover> = plan
        .leftovers
        .iter()
        .filter(|left| left.state != RunState::MayLive)
        .cloned()
        .collect();
    for swept in repository.sweep(&gone).await? {
        pruned.bytes += swept.bytes;
        pruned.swept.push(swept.id);
    }
    Ok(())
}
