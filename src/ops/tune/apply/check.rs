//! Whether a change made the cluster worse: the findings of `check` before and after, compared.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::{Access, Ask, Settled, settle, survey};
use crate::health::{self, Options, Profile};
use crate::model::{Severity, Survey, Topology};

/// How long a node may take to be as sound as before; gossip and links need a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// Findings that come of nodes being set one after the other, and go when the last is set.
const PASSING: &[&str] = &["settings.drift", "replica.smaller"];

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Some nodes are set and others are not.
    Underway,
    /// All are.
    Complete,
}

/// What ailed the cluster before anything was changed.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    ailments: BTreeSet<(String, String)>,
    profile: Profile,
}

impl Baseline {
    /// Looks at the cluster as it is.
    pub async fn look(access: &Access, profile: Profile) -> Baseline {
        let seen = survey(access, &ask()).await;
        Baseline {
            ailments: ailments(&seen, profile),
            profile,
        }
    }

    /// Waits until nothing ails the cluster that did not before; what still does, a line each, when
    /// that takes too long.
    pub async fn hold(&self, access: &Access, stage: Stage) -> Result<(), Vec<String>> {
        let missing = |seen: &Survey| {
            let now = ailments(seen, self.profile);
            let new = now.difference(&self.ailments);
            let is_passing = |(code, _): &&(String, String)| {
                stage == Stage::Underway && PASSING.contains(&code.as_str())
            };
            new.filter(|ailment| !is_passing(ailment))
                .map(|(_, told)| told.clone())
                .collect()
        };
        match settle(access, &ask(), PATIENCE, missing).await.settled {
            Settled::Held => Ok(()),
            Settled::Missing(worse) => Err(worse),
        }
    }
}

fn ask() -> Ask {
    Ask {
        // A burst would measure this machine rather than the change.
        pings: 0,
        ..Ask::default()
    }
}

/// What is wrong: the code, and a text that is the same as long as the same is wrong with the same.
fn ailments(seen: &Survey, profile: Profile) -> BTreeSet<(String, String)> {
    let options = Options {
        profile,
        ..Options::default()
    };
    let verdict = health::judge(seen, &Topology::of(seen), &options);
    let grave = (verdict.findings.iter()).filter(|finding| finding.severity >= Severity::Warning);
    grave
        .map(|finding| {
            let told = format!("{} {}: {}", finding.severity, finding.code, finding.subject);
            (finding.code.clone(), told)
        })
        .collect()
}
