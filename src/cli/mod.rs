//! The terminal: arguments, settings, and how the program ends.

pub mod config;
pub mod environment;
pub mod exit;
pub mod nearest;
pub mod options;
pub mod profile;
pub mod progress;
pub mod screen;
pub mod seed;
pub mod signal;
pub mod values;

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
