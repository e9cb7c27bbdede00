//! `failover-test`: break the cluster on purpose, under a load, and judge what that did.
//!
//! | file | what |
//! |---|---|
//! | `target`, `preflight`, `plan` | whom to strike, whether it may be done, the steps; pure |
//! | `permitted` | whether the servers permit what the plan asks of them; pure |
//! | `outlook` | what a plan will break and what survives it; pure |
//! | `drive`, `round` | the driver: load, fault, recovery, healing, reading back |
//! | `standing`, `spacing` | the cluster before a round; room between elections |
//! | `strike`, `handover`, `bus`, `whole`, `counters` | what the driver asks of the servers |
//! | `report`, `judge` | a recording becomes a report; pure |

mod bus;
mod counters;
mod drive;
mod handover;
mod judge;
mod outlook;
mod permitted;
mod plan;
mod preflight;
mod report;
mod round;
#[cfg(test)]
pub(crate) mod samples;
mod spacing;
mod standing;
mod strike;
mod target;
mod whole;

pub use bus::{Mended, bus_refusals, cut_off, is_bus_cut, mend_all};
pub use drive::{DrillError, Drilling, apply};
pub use judge::judge;
pub use outlook::{Outlook, Prospect, outlook};
pub use permitted::withheld;
pub use plan::{
    NoPlan, Options, Order, Plan, SecondOrder, SecondStep, Step, conditions, faults_to, plan,
    shards, victims,
};
pub use preflight::{Accepted, Refusal, is_catching_up};
pub use report::{
    BudgetLine, Comparison, Dominant, Latency, Moment, Outage, Phase, Promotion, Recovery, Report,
    RoundReport, ShardWrites, Statistics, Term, Verdict, Writes,
};
pub use standing::at_host;
pub use target::{Target, TargetError};
pub use whole::settled;
