//! Machines: what nodes run on, and how they are put there, found again and taken away.
//!
//! `ops` asks for a cluster's nodes here and joins them itself; this room knows engines, containers,
//! processes and files, never slots. Containers made at once ([`docker`]), or by a compose file
//! later, are read from one [`ClusterSpec`]; servers as plain processes of this machine are
//! [`process`].

pub mod compose;
pub mod context;
pub mod docker;
mod node_conf;
pub mod process;
mod spec;
mod tarball;

pub use spec::{ClusterSpec, Labels, MadeBy, NodeSpec, SpecError};
