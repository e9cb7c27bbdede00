//! Evidence for tests of rules: a sound cluster with the settings that Redis 7.0.15 has when
//! nothing is set, and what to do to it.
//!
//! Three masters (0, 1, 2) and their replicas (3, 4, 5), as in `health::testing`, whose surveys these
//! are: a rule is tried by changing what it reads and asking it alone.

use super::{Options, Recommendation, Report, judge};
use crate::health::Profile;
use crate::health::testing::{Cluster, addr};
use crate::model::{ClientsSeen, Evidence, HostSeen, Info, KeysSeen, Seen, Skipped};

/// CONFIG GET * of Redis 7.0.15 in cluster mode, as it was answered.
const DEFAULTS: &str = include_str!("samples/redis-7.0.15.txt");

/// A cluster, and what tune is asked with.
#[derive(Clone)]
pub struct Setup {
    evidence: Evidence,
    options: Options,
}

impl Setup {
    /// Nothing is wrong with it; its keys are not sampled and its machines out of sight.
    pub fn sound() -> Setup {
        let lines = DEFAULTS.lines();
        let defaults: Vec<(String, String)> = lines
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let cluster = Cluster::sound().every(|facts| {
            let told = std::mem::replace(&mut facts.config, defaults.iter().cloned().collect());
            facts.config.extend(told);
            facts.sample_ms = 60_000;
        });
        Setup {
            evidence: Evidence {
                survey: cluster.survey(),
                ..Evidence::default()
            },
            options: Options::default(),
        }
    }

    /// Says what the cluster is for.
    pub fn profile(mut self, profile: Profile) -> Setup {
        self.options.profile = Some(profile);
        self
    }

    /// Changes what tune is asked with.
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Setup {
        change(&mut self.options);
        self
    }

    /// Sets a setting on every node.
    pub fn config(self, name: &str, value: &str) -> Setup {
        (0..6).fold(self, |setup, n| setup.config_of(n, name, value))
    }

    /// Sets a setting on node `n`.
    pub fn config_of(self, n: usize, name: &str, value: &str) -> Setup {
        self.facts(n, |facts| {
            facts.config.insert(name.into(), value.into());
        })
    }

    /// Takes a setting away from every node, as a version that does not know it.
    pub fn without(self, name: &str) -> Setup {
        (0..6).fold(self, |setup, n| {
            setup.facts(n, |facts| {
                facts.config.remove(name);
            })
        })
    }

    /// Sets INFO fields of every node, in both samples.
    pub fn info(self, text: &str) -> Setup {
        (0..6).fold(self, |setup, n| setup.info_of(n, text))
    }

    /// Sets INFO fields of node `n`, in both samples.
    pub fn info_of(self, n: usize, text: &str) -> Setup {
        self.facts(n, |facts| {
            let fields = Info::parse(text);
            facts.info.take_over(&fields);
            if let Some(later) = &mut facts.later {
                later.take_over(&fields);
            }
        })
    }

    /// Sets INFO fields of every node in the second sample only: counters that grew.
    pub fn later(self, text: &str) -> Setup {
        (0..6).fold(self, |setup, n| setup.later_of(n, text))
    }

    /// Sets INFO fields of node `n` in the second sample only.
    pub fn later_of(self, n: usize, text: &str) -> Setup {
        self.facts(n, |facts| {
            let later = facts.later.get_or_insert_default();
            later.take_over(&Info::parse(text));
        })
    }

    /// Changes the facts of node `n`.
    pub fn facts(mut self, n: usize, change: impl FnOnce(&mut crate::model::Facts)) -> Setup {
        if let crate::model::Answer::Facts(facts) = &mut self.evidence.survey.nodes[n].answer {
            change(facts);
        }
        self
    }

    /// Puts every node on a machine of this kind, each on its own.
    pub fn hosts(self, host: &HostSeen) -> Setup {
        (0..6).fold(self, |setup, n| {
            let machine = format!("machine-{n}");
            let host = HostSeen {
                machine,
                ..host.clone()
            };
            setup.seen(n, |seen| seen.host = Some(host))
        })
    }

    /// Shows this sample of keys on every master.
    pub fn keys(self, keys: &KeysSeen) -> Setup {
        (0..3).fold(self, |setup, n| {
            setup.seen(n, |seen| seen.keys = Some(keys.clone()))
        })
    }

    /// Shows these clients on every node.
    pub fn clients(self, clients: &ClientsSeen) -> Setup {
        (0..6).fold(self, |setup, n| {
            setup.seen(n, |seen| seen.clients = Some(clients.clone()))
        })
    }

    /// Changes what was seen of node `n`.
    pub fn seen(mut self, n: usize, change: impl FnOnce(&mut Seen)) -> Setup {
        change(self.evidence.nodes.entry(addr(n)).or_default());
        self
    }

    /// What is judged, and what it is asked with.
    pub fn parts(&self) -> (&Evidence, &Options) {
        (&self.evidence, &self.options)
    }

    /// What tune says.
    pub fn report(&self) -> Report {
        judge(&self.evidence, &self.options)
    }

    /// What that rule alone recommends.
    pub fn rule(&self, id: &str) -> Vec<Recommendation> {
        self.asked(id).recommendations
    }

    /// Where that rule could not look.
    pub fn skipped(&self, id: &str) -> Vec<Skipped> {
        let mut skipped = self.asked(id).skipped;
        skipped.retain(|one| one.code == id);
        skipped
    }

    /// Changes where node `n` stands.
    pub fn site(mut self, n: usize, change: impl FnOnce(&mut crate::model::Site)) -> Setup {
        change(&mut self.evidence.survey.nodes[n].site);
        self
    }

    /// Puts the replica of the second master under the first in all views: two replicas there,
    /// none here.
    pub fn moved(self) -> Setup {
        (0..6).fold(self, |setup, n| {
            setup.facts(n, |facts| {
                let peers = facts.view.peers.iter_mut();
                let replica = peers.filter(|peer| peer.id == crate::health::testing::id(4));
                replica.for_each(|peer| peer.master = Some(crate::health::testing::id(0)));
            })
        })
    }

    /// What a whole group of rules says, such as `memory`.
    pub fn rules_of(&self, group: &str) -> Report {
        let mut setup = self.clone();
        setup.options.only.insert(group.to_owned());
        setup.report()
    }

    fn asked(&self, id: &str) -> Report {
        assert!(super::explain(id).is_some(), "there is no rule {id}");
        let mut setup = self.clone();
        setup.options.only.insert(id.to_owned());
        setup.report()
    }

    /// Lets node `n` announce that address in all views.
    pub fn announced(self, n: usize, ip: &str) -> Setup {
        let id = crate::health::testing::id(n);
        (0..6).fold(self, |setup, viewer| {
            setup.facts(viewer, |facts| {
                let mut peers = facts.view.peers.iter_mut();
                let peer = peers.find(|peer| peer.id == id).unwrap();
                peer.announced.ip = ip.into();
            })
        })
    }
}
