//! The proof, and what it finds missing sent again: a failover loses what was not replicated.

use tokio::sync::mpsc;

use super::brake::Brake;
use super::jobs::{Job, jobs};
use super::load::{Counts, Loading};
use super::order::Existing;
use super::pack::Part;
use super::prove::{Proof, Proving};
use super::replicas::replicated;
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

impl Running {
    /// Reads back and compares; what a failover lost is sent again.
    pub(super) async fn prove(
        &mut self,
        brake: &Brake,
        was_disturbed: bool,
    ) -> Result<Proof, Trouble> {
        let mut repairs = 0;
        loop {
            let proof = self.prove_once().await?;
            let may_repair = proof.missing > 0 && repairs < REPAIRS;
            if proof.is_equal() || !may_repair {
                return Ok(proof);
            }
            repairs += 1;
            let lost = match was_disturbed {
                true => "the target failed over or moved slots meanwhile",
                false => "they were lost or have been deleted since",
            };
            self.place.events.note(format!(
                "{} keys are missing ({lost}): they are sent again",
                count(proof.missing)
            ));
            self.look_again().await;
            self.repair(brake, &proof.slots_differing).await?;
            let behind = replicated(&self.place.access, &self.place.ground).await;
            self.remarks.extend(behind);
        }
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
        for left in settings.put_back(access).await {
            self.place.events.note(left);
        }
        proof
    }

    /// Sends the keys of those slots again, where they are missing.
    async fn repair(&self, brake: &Brake, slots: &SlotSet) -> Result<(), Trouble> {
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
            packing: packing.adding(),
            routes: &self.routes,
            feeds: &feeds,
            big: &big,
            brake,
            counts: &Counts::default(),
            events: &crate::model::Events::ignored(),
            heats: None,
            sums: None,
            done,
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
