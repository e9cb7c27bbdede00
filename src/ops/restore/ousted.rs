//! A master that says nothing: it may be busy with a large value, or frozen and no master any more.
//!
//! Its connection tells neither, for a frozen process keeps it open. The others know: when one of them
//! has its slots, what is under way there is not waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::routes::{Routes, Table};
use crate::cluster::Access;
use crate::model::{NodeAddr, Topology};
use crate::ops::backup::{Depth, Ground, look};

/// How long an answer may take before the others are asked.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// The target as those see it who can be asked.
#[derive(Clone)]
pub(super) struct Watch {
    pub access: Access,
    pub ground: Ground,
    pub routes: Arc<Routes>,
}

impl Watch {
    /// Looks who owns what now, and notes it where anybody does.
    pub(super) async fn look(&self) -> Option<Arc<Table>> {
        let survey = look(&self.access, &self.ground, Depth::Brief).await.ok()?;
        self.routes.set(Table::of(&Topology::of(&survey)));
        Some(self.routes.now())
    }

    /// Ends when that node is no master any more and another one has the slot.
    pub(super) async fn ousted(&self, addr: &NodeAddr, slot: u16) {
        loop {
            sleep(SILENCE).await;
            if let Some(table) = self.look().await
                && is_ousted(&table, addr, slot)
            {
                return;
            }
        }
    }
}

/// One of which nobody says anything is waited for: it may only be slow.
pub(super) fn is_ousted(table: &Table, addr: &NodeAddr, slot: u16) -> bool {
    let has_other = table.addr(slot).is_some_and(|owner| owner != addr);
    has_other && !table.masters.contains(addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Survey;

    #[test]
    fn a_master_is_given_up_when_another_has_its_slots_only() {
        let (old, new) = (NodeAddr::new("127.0.0.1", 1), NodeAddr::new("127.0.0.1", 2));
        let mut table = Table::of(&Topology::of(&Survey::default()));
        assert!(!is_ousted(&table, &old, 7), "nobody has the slot");
        table.give(&new, 7);
        assert!(is_ousted(&table, &old, 7));
        assert!(!is_ousted(&table, &new, 7));
        table.give(&old, 8);
        assert!(!is_ousted(&table, &old, 7), "it is a master of others");
    }
}
