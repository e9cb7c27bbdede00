//! Machines: what nodes run on, and how they are put there and taken away.
//!
//! `ops` asks for a cluster's nodes here and joins them itself; this room knows engines, containers
//! and files, never slots. Two ways to have the same nodes: containers made at once ([`docker`]),
//! or a compose file that makes them later ([`compose`]); both are read from one [`ClusterSpec`].

pub mod compose;
pub mod context;
pub mod docker;
mod node_conf;
mod spec;
mod tarball;

pub use spec::{ClusterSpec, Labels, MadeBy, NodeSpec, SpecError};
