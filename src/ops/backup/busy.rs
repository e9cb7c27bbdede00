//! Which nodes and machines are busy before anything is asked of them: pure, from the two samples of a
//! survey and a look at this machine.
//!
//! A fork holds up the main thread, and every page that is written afterwards is copied there; the
//! child packs and sends on a core of its own. Where there is none to spare clients wait for both.

use std::collections::BTreeMap;

use super::sources::{Source, host_of};
use crate::health::rates;
use crate::host::here::Here;
use crate::model::words::plural;
use crate::model::{Facts, NodeReport, Survey};

/// Servers that are looked at for less than this may just have been at one command.
const LEAST_MS: u64 = 200;
/// From this share of a core on a main thread is busy: it has little left for a fork's copies.
const BUSY: f64 = 0.7;
/// From so many tasks a core on a machine is busy: some of them wait at any time.
const CROWDED: f64 = 1.5;

/// What a survey's nodes and their machines have to do.
pub struct Busy<'a> {
    survey: &'a Survey,
    here: Option<Here>,
    /// Cores that the servers of each machine used together.
    hosts: BTreeMap<&'a str, f64>,
}

impl<'a> Busy<'a> {
    /// Of a survey, and of this machine, where it was looked at.
    pub fn of(survey: &'a Survey, here: Option<Here>) -> Busy<'a> {
        let mut hosts = BTreeMap::new();
        for (report, facts) in survey.answered() {
            let used = cores(facts, rates::process_seconds(facts)).unwrap_or(0.0);
            *hosts.entry(host_of(report)).or_default() += used;
        }
        Busy {
            survey,
            here,
            hosts,
        }
    }

    /// Whether a node, or the machine that it is on, has nothing to spare.
    pub(super) fn is_busy(&self, report: &NodeReport, facts: &Facts) -> bool {
        main_thread(facts).is_some_and(|share| share >= BUSY)
            || self.crowd(&report.addr.host).is_some()
    }

    /// What the servers of that machine have to do, in halves of a core: what is less is no reason to
    /// choose another.
    pub(super) fn work_on(&self, host: &str) -> u64 {
        let used = self.hosts.get(host).copied().unwrap_or(0.0);
        (used * 2.0) as u64
    }

    /// What is to be told of those that will be read.
    pub(super) fn remarks(&self, sources: &[Source]) -> Vec<String> {
        let threads = sources.iter().filter_map(|source| {
            let share = main_thread(self.survey.facts(&source.node)?)?;
            (share >= BUSY).then(|| {
                format!(
                    "{} is busy, and is read all the same: its main thread used {:.0} % of a core",
                    source.addr,
                    share * 100.0
                )
            })
        });
        let mut remarks: Vec<String> = threads.collect();
        let crowded = sources.iter().filter_map(|s| self.crowd(&s.addr.host));
        let crowded: Vec<&Here> = crowded.collect();
        if let Some(here) = crowded.first() {
            remarks.push(format!(
                "this machine, on which {}, is busy: a load of {:.1} on {}",
                plural(crowded.len(), "node is read", "nodes are read"),
                here.load,
                plural(here.cores, "core", "cores"),
            ));
        }
        remarks
    }

    /// This machine, when it is the one of that address and is crowded.
    fn crowd(&self, host: &str) -> Option<&Here> {
        let here = self.here.as_ref()?;
        let is_crowded = here.load >= CROWDED * here.cores as f64;
        (is_crowded && here.own.contains(host)).then_some(here)
    }
}

/// The share of a core that the main thread used.
fn main_thread(facts: &Facts) -> Option<f64> {
    cores(facts, rates::main_thread_seconds(facts))
}

fn cores(facts: &Facts, seconds: Option<f64>) -> Option<f64> {
    let seconds = seconds.filter(|seconds| *seconds >= 0.0)?;
    (facts.sample_ms >= LEAST_MS).then(|| seconds * 1000.0 / facts.sample_ms as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::{Cluster, addr, id};
    use crate::model::{NodeAddr, Topology};
    use crate::ops::backup::{From, sources};

    /// Shard 1 has a second replica, node 4, instead of shard 2; shard 2 is read from its master.
    fn two_replicas() -> Cluster {
        Cluster::sound()
            .lines(4, |peer| peer.master = Some(id(0)))
            .info(
                0,
                "connected_slaves:2\nslave0:ip=10.0.0.4,port=7000,state=online,offset=1000,lag=0\n\
                 slave1:ip=10.0.0.5,port=7000,state=online,offset=999,lag=0",
            )
    }

    fn here(load: f64, own: &[&str]) -> Option<Here> {
        Some(Here {
            load,
            cores: 2,
            own: own.iter().map(|&host| host.to_owned()).collect(),
        })
    }

    fn first(cluster: Cluster, here: Option<Here>) -> (NodeAddr, Vec<String>) {
        let survey = cluster.survey();
        let (topology, busy) = (Topology::of(&survey), Busy::of(&survey, here));
        let sources = sources(&survey, &topology, From::Best, false, &busy).unwrap();
        (sources[0].addr.clone(), busy.remarks(&sources))
    }

    const AT_WORK: &str = "used_cpu_user_main_thread:1.8";

    #[test]
    fn a_replica_that_is_not_busy_is_read_before_one_that_is() {
        assert_eq!(first(two_replicas(), None), (addr(3), vec![]));
        let busy = two_replicas().later(3, AT_WORK);
        assert_eq!(first(busy, None), (addr(4), vec![]));
        let crowded = here(3.0, &["10.0.0.4"]);
        assert_eq!(first(two_replicas(), crowded), (addr(4), vec![]));
        // Its own thread has nothing to do, but another server of its machine does a core's work.
        let beside = two_replicas()
            .info(1, "used_cpu_sys:1.0\nused_cpu_user:1.0")
            .later(1, "used_cpu_user:2.0");
        let beside = beside.host(1, "one").host(3, "one");
        assert_eq!(first(beside, None), (addr(4), vec![]));
    }

    #[test]
    fn what_is_busy_and_read_all_the_same_is_told() {
        let busy = two_replicas().later(3, AT_WORK).later(4, AT_WORK);
        let told =
            "10.0.0.4:7000 is busy, and is read all the same: its main thread used 80 % of a core";
        assert_eq!(first(busy, None), (addr(3), vec![told.to_owned()]));
        let all = ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"];
        let told = "this machine, on which 3 nodes are read, is busy: a load of 3.2 on 2 cores";
        let (_, remarks) = first(two_replicas(), here(3.2, &all));
        assert_eq!(remarks, [told]);
        for here in [here(2.9, &all), here(9.0, &["10.0.0.1"]), None] {
            assert_eq!(first(two_replicas(), here).1, Vec::<String>::new());
        }
    }

    #[test]
    fn a_restart_and_too_short_a_look_tell_nothing() {
        let restarted = two_replicas().later(3, "used_cpu_user_main_thread:0.1");
        assert_eq!(first(restarted, None).0, addr(3));
        let short = two_replicas()
            .later(3, AT_WORK)
            .facts(3, |facts| facts.sample_ms = 100);
        assert_eq!(first(short, None).0, addr(3));
    }
}
