//! What `tune --resilience` tells. Keys carry their units; what is not known is `null`.

use serde::Serialize;

use super::backoff::Backoff;
use super::clients::Client;
use super::fallback::Fallback;
use super::outage::Outage;
use super::timeouts::Timeouts;
use super::warm_up::Step;

/// How clients ride out what happened to the cluster, and what they do when they cannot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The cluster's name, or the seed that was given.
    pub cluster: String,
    /// What is to be ridden out.
    pub outage: Outage,
    /// How to pause between tries.
    pub backoff: Backoff,
    /// How long one try may take.
    pub timeouts: Timeouts,
    /// What to set, client by client.
    pub clients: Vec<Client>,
    /// What in today's settings does not ride it out, a line each.
    pub today: Vec<String>,
    /// What sessions fall back on.
    pub fallback: Fallback,
    /// What to do after recovery, in order.
    pub warm_up: Vec<Step>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}
