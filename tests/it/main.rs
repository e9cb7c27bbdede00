//! Every test that needs more than one function to show what it shows: whole commands on real
//! servers, the floors, the documents. One binary, so that it links once.
//!
//! A test whose name holds `matrix` is run by `make matrix` over every server version that could be
//! had; one whose name or module holds `docker` needs a Docker Engine,
//! and one whose name holds `s3` an S3-compatible server (`tests/tools.sh s3`).

mod acl;
mod acl_users;
mod archive;
mod backup;
mod capabilities;
mod capture;
mod check;
mod core;
mod core_tls;
mod create;
mod create_tls;
mod docker;
mod evidence;
mod failover;
mod floors;
mod host_drills;
mod hostile;
mod hostile_data;
mod load;
mod managed;
mod rdb;
mod replication;
mod restore;
mod rotate;
mod secrets;
mod servers;
mod settings;
mod support;
mod tune;
mod usage;
mod watched;
