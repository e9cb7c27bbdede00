//! Machines: what nodes run on, and how they are put there, found again and taken away.
//!
//! `ops` asks for a cluster's nodes here and joins them itself; this room knows engines, containers,
//! processes and files, never slots. Containers made at once ([`docker`]), or by a compose file
//! later, are read from one [`ClusterSpec`]; servers as plain processes of this machine are
//! [`process`]. What a drill breaks and puts back again is [`drill`], and what is broken at the moment
//! stands in the [`journal`]. How busy this machine is itself, [`here`] tells; what limits and settings
//! the machines of nodes have, [`seen`]; which users nodes are born with, [`users`]; which server programs
//! there are here, [`programs`]. Whether a process of this machine still runs, [`alive`]; what a started
//! program takes over of the environment, `inherited`.

pub mod alive;
pub mod certificates;
pub mod compose;
pub mod context;
pub mod docker;
pub mod drill;
pub mod here;
mod inherited;
pub mod journal;
mod local_conf;
mod node_conf;
pub mod process;
pub mod programs;
pub mod scratch;
pub mod seen;
mod spec;
mod tarball;
pub mod users;

pub use spec::{ClusterSpec, Labels, MadeBy, NodeSpec, SpecError};
