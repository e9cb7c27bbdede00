//! Settings: what counts, and where it came from.
//!
//! Each setting is looked for on the command line, in the environment, in the settings file and in
//! the saved profile, in this order, and has a default. The first that says something counts, and
//! its origin is kept, so that `-v` can answer "why does it do that?".

mod backup;
mod check;
mod connection;
mod create;
mod failover;
mod layers;
mod login;
mod origin;
mod tls;
mod tune;

pub use backup::{RepositorySettings, Second};
pub use check::{CheckSettings, Watch};
pub use connection::{Settings, color};
pub use create::{CreateSettings, Emitting, Source};
pub use failover::FailoverTest;
pub use layers::{Layers, Surroundings, Target};
pub use origin::{Origin, Row, Setting, rows_text};
pub use tune::{TuneSettings, known as known_rule};
