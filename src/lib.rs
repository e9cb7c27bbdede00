//! goodcache: create, check, drill, back up, restore and tune Redis and Valkey Clusters.
//!
//! The floors, from the ground up; imports go down only, and rooms on one floor do not import each
//! other (`tests/it/floors.rs` holds the code to it):
//!
//! | floor | room | what it knows |
//! |---|---|---|
//! | 5 | `cli` | terminals: arguments, settings, prompts, progress, exit codes |
//! | 4 | `render` | text: a report becomes a `Doc`, a `Doc` becomes text |
//! | 3 | `ops` | the trade: create, check, failover-test, backup |
//! | 2 | `cluster`, `host`, `archive`, `health` | servers; machines; where backups lie; what sound means |
//! | 1 | `rdb` | the servers' data format; of `model` what a slot is |
//! | 0 | `model` | nothing: values |

pub mod archive;
pub mod cli;
pub mod cluster;
pub mod health;
pub mod host;
pub mod model;
pub mod ops;
pub mod rdb;
pub mod render;
