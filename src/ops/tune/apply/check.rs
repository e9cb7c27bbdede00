//! Whether a change made the cluster worse: the findings of `check` before and after, compared.

use std::time::Duration;

use crate::cluster::{Access, Ask, Settled, settle, survey};
use crate::health::{self, Options, Profile};
use crate::model::{Finding, Severity, Subject, Survey, Topology};

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
    ailments: Vec<Finding>,
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

    /// What ails the cluster now and did not before, a line each.
    pub async fn news(&self, access: &Access) -> Vec<String> {
        self.news_of(&survey(access, &ask()).await, Stage::Complete)
    }

    fn news_of(&self, seen: &Survey, stage: Stage) -> Vec<String> {
        let new = ailments(seen, self.profile).into_iter();
        let new = new.filter(|finding| !self.had(finding) && !is_passing(finding, stage));
        new.map(|f| format!("{} {}: {}, {}", f.severity, f.code, f.subject, f.summary))
            .collect()
    }

    /// Whether that ailed it before, as gravely. What all nodes share is said of the cluster, until
    /// the first of them is set.
    fn had(&self, now: &Finding) -> bool {
        self.ailments.iter().any(|before| {
            let is_of_all = matches!(before.subject, Subject::Cluster(_));
            before.code == now.code
                && before.severity >= now.severity
                && (is_of_all || before.subject == now.subject)
        })
    }

    /// Waits until nothing ails the cluster that did not before; what still does, a line each, when
    /// that takes too long.
    pub async fn hold(&self, access: &Access, stage: Stage) -> Result<(), Vec<String>> {
        let missing = |seen: &Survey| self.news_of(seen, stage);
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

fn is_passing(finding: &Finding, stage: Stage) -> bool {
    stage == Stage::Underway && PASSING.contains(&finding.code.as_str())
}

fn ailments(seen: &Survey, profile: Profile) -> Vec<Finding> {
    let options = Options {
        profile,
        ..Options::default()
    };
    let mut findings = health::judge(seen, &Topology::of(seen), &options).findings;
    findings.retain(|finding| finding.severity >= Severity::Warning);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &str, severity: Severity, subject: Subject) -> Finding {
        Finding {
            code: code.into(),
            severity,
            subject,
            summary: String::new(),
            evidence: String::new(),
            next: String::new(),
        }
    }

    #[test]
    fn what_was_said_of_all_nodes_is_not_news_of_one() {
        let node = || Subject::Node("127.0.0.1:7001".into());
        let cluster = || Subject::Cluster("shop".into());
        let before = |subject| Baseline {
            ailments: vec![finding("memory.unlimited", Severity::Warning, subject)],
            profile: Profile::Cache,
        };
        let now = finding("memory.unlimited", Severity::Warning, node());
        assert!(before(cluster()).had(&now));
        assert!(before(node()).had(&now));
        assert!(!before(Subject::Node("127.0.0.1:7002".into())).had(&now));
        let graver = finding("memory.unlimited", Severity::Critical, node());
        assert!(!before(node()).had(&graver));
    }
}
