//! The proof, and what it finds missing sent again: a failover loses what was not replicated. Where keys are
//! replaced it brings what they held before back, so then those go again too; without one whatever differs
//! was written by somebody else meanwhile, and stays.

use tokio::sync::mpsc;

use super::brake::Brake;
use super::jobs::{Job, jobs};
use super::load::{Counts, Loading};
use super::order::Existing;
use super::pack::Part;
use super::prove::{Proof, Proving};
use super::replicas::{histories, replicated};
use super::run::{READERS, Running};
use super::trouble::Trouble;
use crate::cluster::Wanted;
use crate::host::here::is_here;
use crate::model::SlotSet;
use crate::model::words::count;
use crate::ops::backup::From;
use crate::ops::backup::live::Live;

/// How often what is missing afterwards is sent again.
const REPAIRS: u32 = 3;

/// What is to be sent again.
#[derive(Debug, PartialEq, Eq)]
struct Lost {
    /// In words.
    what: String,
    /// Whether what is there is replaced.
    is_replaced: bool,
}

impl Lost {
    fn of(proof: &Proof, may_replace: bool) -> Option<Lost> {
        let is_replaced = may_replace && proof.different > 0;
        let parts = [
            (true, proof.missing, "are missing"),
            (is_replaced, proof.different, "hold something else"),
        ];
        let parts = parts
            .iter()
            .filter(|(is_meant, keys, _)| *is_meant && *keys > 0);
        let parts: Vec<String> = parts
            .map(|(_, keys, how)| format!("{} keys {how}", count(*keys)))
            .collect();
        (!parts.is_empty()).then(|| Lost {
            what: parts.join(" and "),
            is_replaced,
        })
    }
}

impl Running {
    /// Reads back and compares; what a failover lost is sent again. `is_known` when one was seen.
    pub(super) async fn prove(&mut self, brake: &Brake, is_known: bool) -> Result<Proof, Trouble> {
        let (mut repairs, mut before) = (0, None);
        loop {
            let proof = self.prove_once().await?;
            // What the target refuses it refuses again.
            let found = Some((proof.missing, proof.different));
            let is_in_vain = std::mem::replace(&mut before, found) == found;
            if proof.is_equal() || is_in_vain || repairs >= REPAIRS {
                return Ok(proof);
            }
            let was_disturbed = is_known || self.has_other_masters().await;
            let Some(lost) = Lost::of(&proof, self.may_replace() && was_disturbed) else {
                return Ok(proof);
            };
            repairs += 1;
            let why = match was_disturbed {
                true => "the target failed over or moved slots meanwhile",
                false => "they were lost or have been deleted since",
            };
            let told = format!("{} ({why}): they are sent again", lost.what);
            self.place.events.note(told);
            self.look_again().await;
            self.free_aside().await;
            let slots = &proof.slots_differing;
            self.repair(brake, slots, lost.is_replaced).await?;
            let behind = replicated(&self.place.access, &self.place.ground).await;
            self.remarks.extend(behind);
        }
    }

    fn may_replace(&self) -> bool {
        matches!(self.options.existing, Existing::Replace | Existing::Flush)
    }

    /// Whether a master is another one than when this began, or that is not known.
    async fn has_other_masters(&self) -> bool {
        let now = histories(&self.place.access, &self.place.ground).await;
        now.ok() != self.journal.noted.histories
    }

    async fn prove_once(&self) -> Result<Proof, Trouble> {
        let (access, ground) = (self.place.access.clone(), self.place.ground.clone());
        let live = Live::choose_from(access, ground, From::Masters).await;
        let live = live.map_err(|error| Trouble::NoLook(error.to_string()))?;
        let (settings, access) = (&self.place.settings, &self.place.access);
        for addr in live.addrs() {
            // What does not go over a network need not be compressed for it.
            let is_near = is_here(&addr, access.deadline).await;
            let plain = is_near.then_some(Wanted::PLAIN_VALUES);
            let wanted: Vec<Wanted> = [Wanted::NO_SYNC_DELAY].into_iter().chain(plain).collect();
            settings.set(access, &[addr], &wanted).await;
        }
        let proving = Proving {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
            packing: self.packing().of_part(Part::Compared),
            live: &live,
            sums: self.sums.as_ref(),
            events: &self.place.events,
            has_others: self.journal.noted.had_keys,
            keeps_others: self.journal.noted.had_keys && self.options.existing == Existing::Skip,
            now_ms: (self.options.now_ms)(),
        };
        let proof = proving.run().await;
        self.put_back().await;
        proof
    }

    /// Sends the keys of those slots again, where they are missing, or all of them.
    async fn repair(
        &self,
        brake: &Brake,
        slots: &SlotSet,
        is_replaced: bool,
    ) -> Result<(), Trouble> {
        let feeds = self.feeds(false, brake);
        let big = self.big();
        let (done, _ignored) = mpsc::unbounded_channel();
        let mut packing = self.packing().of_part(Part::Compared);
        packing.select.slots = Some(match &packing.select.slots {
            Some(own) => own.intersection(slots),
            None => slots.clone(),
        });
        let all = jobs(&self.place.manifest, &self.routes.now());
        let touches = |job: &Job| {
            let shard = &self.place.manifest.shards[job.shard];
            shard.base[job.pieces.clone()]
                .iter()
                .any(|chunk| chunk.touches(slots))
        };
        let loading = Loading {
            bases: self.bases(),
            packing: match is_replaced {
                true => packing,
                false => packing.adding(),
            },
            routes: &self.routes,
            feeds: &feeds,
            big: &big,
            brake,
            counts: &Counts::default(),
            events: &crate::model::Events::ignored(),
            heats: None,
            sums: None,
            done,
            is_warming: false,
            pieces: 0,
        };
        let sent = async {
            loading
                .run(all.into_iter().filter(touches).collect(), READERS)
                .await?;
            feeds.drain().await.map_err(Trouble::from)
        };
        feeds.beside(sent).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_goes_again_only_where_it_may_replace_what_is_there() {
        let proof = |missing, different| Proof {
            missing,
            different,
            ..Proof::default()
        };
        let lost = |what: &str, is_replaced| {
            let what = what.to_owned();
            Some(Lost { what, is_replaced })
        };
        for (found, may_replace, expected) in [
            (proof(3, 0), true, lost("3 keys are missing", false)),
            (proof(3, 2), false, lost("3 keys are missing", false)),
            (proof(0, 2), false, None),
            (proof(0, 2), true, lost("2 keys hold something else", true)),
            (
                proof(1000, 2),
                true,
                lost(
                    "1,000 keys are missing and 2 keys hold something else",
                    true,
                ),
            ),
        ] {
            assert_eq!(Lost::of(&found, may_replace), expected, "{found:?}");
        }
    }
}
