//! What the tests stand on: servers that end by themselves, a runner for the program, a client that
//! owes nothing to the code under test.
//!
//! Nothing here uses the library: a bug there must not hide itself by being in both.
#![allow(
    dead_code,
    unused_imports,
    reason = "shared by the tests and the benchmark, each of which uses a part"
)]

pub mod command;
pub mod fleet;
pub mod resp;
pub mod s3;
pub mod sentinel;
pub mod server;
pub mod standin;
pub mod terminal;
pub mod tls;
pub mod wait;

pub use command::{Goodcache, Home, Outcome, Running, goodcache};
pub use fleet::Fleet;
pub use resp::{Reply, Wire};
pub use sentinel::Watched;
pub use server::{Server, Spec, free_ports, signal};
pub use standin::{DRESSES, Dress, StandIn};
pub use terminal::Terminal;
pub use tls::Certificates;
pub use wait::{eventually, until};
