//! goodcache: create, check, drill, back up, restore and tune Redis and Valkey Clusters.
//!
//! The floors, from the ground up; imports go down only, and rooms on one floor do not import each
//! other (`tests/it/floors.rs` holds the code to it):
//!
//! | floor | room | what it knows |
//! |---|---|---|
//! | 4 | `cli` | terminals: arguments, settings, prompts, progress, exit codes |
//! | 3 | `render` | text: a report becomes a `Doc`, a `Doc` becomes text |
//! | 2 | `ops` | the trade: create, check |
//! | 1 | `cluster`, `host`, `health` | servers; machines; what sound means |
//! | 0 | `model` | nothing: values |

pub mod cli;
pub mod cluster;
pub mod health;
pub mod host;
pub mod model;
pub mod ops;
pub mod render;
