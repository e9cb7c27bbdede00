//! Values and nothing else: the words in which every other floor speaks of a cluster.
//!
//! Nothing here opens a socket, reads the clock or prints. Each type is parsed once, at the edge,
//! and keeps what it did not understand, so that a server newer than this program is shown rather
//! than refused.

mod capability;
mod consent;
mod drill;
mod event;
mod evidence;
mod facts;
mod fault;
mod finding;
pub mod form;
mod info;
mod node;
mod placement;
mod secret;
mod service;
mod settings;
mod slot;
mod survey;
mod topology;
mod view;
pub mod words;

pub use capability::{Capabilities, Capability, Known, Permit, Signs, Withheld, is_refusal};
pub use consent::Consent;
pub use drill::{
    Account, Act, Budgets, Change, Conditions, Deed, DrilledNode, DrilledShard, LoadShape, Op,
    Outcome, Recording, Resync, Round, Second, Sighting, Trace, Victim, Watch,
};
pub use event::{Event, Events};
pub use evidence::{
    ClientsSeen, EncodingSeen, Evidence, Family, HostSeen, KeysSeen, Seen, Spread, TypeSeen,
};
pub use facts::{AclUser, Dialled, Facts, NotRead, OpenSlot, Probe, Reply, SlowEntry, Stall};
pub use fault::Fault;
pub use finding::{Finding, Health, Severity, Skipped, Subject};
pub use form::{Form, SentinelAnswer, SentinelFacts, SentinelReport, Sentinels};
pub use info::{Info, ReplicaLine, Vendor, Version};
pub use node::{Announced, NodeAddr, NodeId, ParseAddrError, ParseNodeIdError};
pub use placement::{
    Host, Layout, LayoutError, Losses, Placement, PlacementError, Site, even_slots, losses, place,
};
pub use secret::Secret;
pub use service::{
    Drill as ServiceDrill, Provider, Recognised, Remedy, Service, UnknownProvider, recognise,
};
pub use settings::SETTINGS;
pub use slot::{SLOT_COUNT, Slot, SlotSet};
pub use survey::{Answer, NodeReport, Silence, Survey};
pub use topology::{Member, Role, Shard, Topology};
pub use view::{Flags, ParseViewError, Peer, View};
