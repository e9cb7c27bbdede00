//! `tune`: advice with evidence.
//!
//! Two of its parts stand for themselves, each a pure function from what was measured to a report:
//! `size` (how many shards of which size hold the load) and `resilience` (what clients must bear to
//! ride out a failover). The command asks them when told to.

pub mod resilience;
pub mod size;
