//! Whether a change made the cluster worse: the findings of `check` before and after, compared.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::{Access, Ask, Settled, settle, survey};
use crate::health::{self, Options, Profile};
use crate::model::{Severity, Survey, Topology};

/// How long a node may take to be as sound as before; gossip and links need a moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// What ailed the cluster before anything was changed.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    ailments: BTreeSet<String>,
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
    pub async fn hold(&self, access: &Access) -> Result<(), Vec<String>> {
        let missing = |seen: &Survey| {
            let now = ailments(seen, self.profile);
            now.difference(&self.ailments).cloned().collect()
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

/// What is wrong, as text that is the same as long as the same is wrong with the same.
fn ailments(seen: &Survey, profile: Profile) -> BTreeSet<String> {
    let options = Options {
        profile,
        ..Options::default()
    };
    let verdict = health::judge(seen, &Topology::of(seen), &options);
    let grave = (verdict.findings.iter())
        .filter(|finding| finding.severity >= Severity::Warning)
        // Nodes differ while one after the other is changed.
        .filter(|finding| finding.code != "settings.drift");
    grave
        .map(|finding| format!("{} {}: {}", finding.severity, finding.code, finding.subject))
        .collect()
}
