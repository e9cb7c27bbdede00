//! Every test that needs more than one function to show what it shows: whole commands on real
//! servers, the floors, the documents. One binary, so that it links once.
//!
//! A test whose name holds `matrix` is run by `make matrix` over every server version that could be
//! had; one whose name or module holds `docker` needs a Docker Engine.

mod check;
mod core;
mod core_tls;
mod create;
mod docker;
mod floors;
mod hostile;
mod load;
mod servers;
mod support;
mod usage;
