//! `goodcache tune` on real servers: what is applied, what is put back, what is refused.

mod apply;
mod bad;
mod resilience;
mod size;
mod stops;
mod trial;
mod trial_on;

use crate::support::{Fleet, Home, Server};

/// CONFIG GET * of each node, in order.
fn configs(fleet: &Fleet) -> Vec<String> {
    fleet
        .iter()
        .map(|server| server.cli(&["CONFIG", "GET", "*"]))
        .collect()
}

/// `tune --profile guide --apply --yes` without a sample, and more.
fn apply(fleet: &Fleet, more: &[&str]) -> Vec<String> {
    let first = fleet[0].addr();
    let words = [
        "tune",
        &first,
        "--sample",
        "0s",
        "--profile",
        "guide",
        "--only",
        "guide",
        "--apply",
        "--yes",
        "--undo-file",
        "undo.json",
    ];
    words
        .iter()
        .chain(more)
        .map(|word| (*word).to_owned())
        .collect()
}

/// Runs those words.
fn run(home: &Home, words: &[String]) -> crate::support::Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    home.goodcache(&words).run()
}

/// A setting's value.
fn setting(server: &Server, name: &str) -> String {
    let reply = server.cli(&["CONFIG", "GET", name]);
    let value = reply.trim_end().lines().nth(1).unwrap_or_default();
    value.to_owned()
}
