//! A survey that is not kept asks for settings by name, and a name that is forgotten there is a rule
//! that never fires: so the sources are searched for the names of settings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use goodcache::model::SETTINGS;

use crate::floors::rust_files;
use crate::support::{Reply, Server};

/// Who reads the settings of a survey.
const READERS: [&str; 4] = ["health", "ops/create", "ops/failover", "ops/restore"];

/// Every text in the readers' sources that is the name of a setting to this server.
fn named(all: &BTreeSet<String>) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for reader in READERS {
        rust_files(&root.join(reader), &mut files);
    }
    // What is written down for a managed service reads no survey.
    files.retain(|file| !file.components().any(|part| part.as_os_str() == "rented"));
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let words = texts.flat_map(|text| text.split('"').map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| all.contains(word)).collect()
}

#[test]
fn matrix_every_setting_that_a_rule_reads_is_asked_for() {
    let server = Server::start();
    let Reply::Array(pairs) = server.ask(&["CONFIG", "GET", "*"]).unwrap() else {
        panic!("CONFIG GET gave no list");
    };
    let all: BTreeSet<String> = pairs.iter().step_by(2).map(Reply::to_string).collect();
    assert!(all.len() > 100, "{all:?}");
    let named = named(&all);
    assert!(named.len() > 30, "hardly any was found: {named:?}");
    let is_forgotten = |name: &&String| !SETTINGS.contains(&name.as_str());
    let forgotten: Vec<&String> = named.iter().filter(is_forgotten).collect();
    assert!(
        forgotten.is_empty(),
        "not in model/settings.rs: {forgotten:?}"
    );
}
