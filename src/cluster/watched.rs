//! The Sentinels of one master, as a survey meets them: each once, whatever it is called.

use std::collections::BTreeMap;

use super::access::Access;
use super::sentinel::leads;
use crate::model::{NodeAddr, SentinelReport, Sentinels};

/// The most Sentinels that are asked. A handful is usual.
const MOST: usize = 100;

/// Sentinels that were met so far.
#[derive(Default)]
pub(super) struct Watched {
    asked: Vec<SentinelReport>,
    /// Which process stands in which row.
    processes: BTreeMap<String, usize>,
}

impl Watched {
    /// Takes note of one, and says where it leads: servers, then Sentinels.
    pub(super) fn note(
        &mut self,
        access: &Access,
        report: SentinelReport,
    ) -> (Vec<NodeAddr>, Vec<NodeAddr>) {
        let Some(facts) = report.facts() else {
            self.asked.push(report);
            return (Vec::new(), Vec::new());
        };
        if let Some(run_id) = facts.info.get("run_id").map(str::to_owned) {
            // Met before under another name.
            if let Some(&row) = self.processes.get(&run_id) {
                // The smaller name, so that the row does not depend on who was quicker.
                if report.addr < self.asked[row].addr {
                    self.asked[row] = report;
                }
                return (Vec::new(), Vec::new());
            }
            self.processes.insert(run_id, self.asked.len());
        }
        let (servers, mut sentinels) = leads(access, facts);
        sentinels.truncate(MOST.saturating_sub(self.asked.len()));
        self.asked.push(report);
        (servers, sentinels)
    }

    /// All of them; `None` when none was met.
    pub(super) fn told(mut self, access: &Access) -> Option<Sentinels> {
        if self.asked.is_empty() {
            return None;
        }
        self.asked.sort_by(|a, b| a.addr.cmp(&b.addr));
        let mut told = Sentinels {
            name: access.sentinel.master.clone(),
            asked: self.asked,
        };
        if told.name.is_none() {
            let names = told
                .watching()
                .filter_map(|(_, _, master)| master.get("name"));
            let name = names.map(str::to_owned).next();
            told.name = name;
        }
        Some(told)
    }
}
