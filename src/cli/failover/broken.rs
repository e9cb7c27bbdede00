//! What a drill holds broken at the moment, told to whoever looks at the cluster meanwhile: a node
//! that is down on purpose looks like any other.

use crate::cli::settings::{Layers, Settings};
use crate::host::journal::{Entry, Journal};

/// What the cluster's journal lists, in a line; `None` when nothing is broken. A journal that cannot
/// be read is for a drill to refuse.
pub fn told(layers: &Layers, settings: &Settings) -> Option<String> {
    let folder = layers.profiles.as_ref()?.drills_folder();
    let name = settings.called();
    let journal = Journal::of(&folder, &name);
    let entries = journal.entries().ok()?;
    let nodes = nodes(&entries)?;
    let since = journal.changed_at().map(|at| {
        let at = humantime::format_rfc3339_millis(at);
        format!(" since {at}")
    });
    let since = since.unwrap_or_default();
    let state = match entries.iter().all(|entry| entry.is_held) {
        true => format!("holds {nodes} broken{since} (--hold)"),
        false => format!("has {nodes} broken{since}"),
    };
    Some(format!(
        "a drill of '{name}' {state}; put back with: goodcache failover-test {name} --heal"
    ))
}

/// `127.0.0.1:7001 (kill) and 127.0.0.1:7004 (pause)`.
fn nodes(entries: &[Entry]) -> Option<String> {
    let nodes: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} ({})", entry.addr, entry.fault))
        .collect();
    (!nodes.is_empty()).then(|| nodes.join(" and "))
}
