//! From the server under test into a cluster of each of the others: all that can exist there is there
//! and proven, and what cannot is named.
//!
//! `tests/matrix.sh` names all servers in `GOODCACHE_TEST_SERVERS`; without it the server under test
//! stands in for the others.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use super::*;
use crate::rdb::{fill, knows};
use crate::support::server::default_binary;

/// Keys that only some servers can hold.
const TIMED: [&str; 2] = ["h:timed", "h:timed:many"];

/// All servers that a snapshot is restored into.
pub fn targets() -> Vec<PathBuf> {
    match env::var("GOODCACHE_TEST_SERVERS") {
        Ok(programs) => programs.split(':').map(PathBuf::from).collect(),
        Err(_) => vec![default_binary()],
    }
}

fn cluster_of(program: &std::path::Path, masters: usize) -> Fleet {
    let fleet = Fleet::start_with(masters, |_| Spec {
        binary: program.to_path_buf(),
        ..Spec::default()
    });
    fleet.join(masters);
    fleet
}

/// The keys of the source that this target cannot hold.
fn impossible(source: &Server, target: &Server) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    if knows(source, "HPEXPIREAT") && !knows(target, "HPEXPIREAT") {
        keys.extend(TIMED.map(str::to_owned));
    }
    if knows(source, "VADD") && !knows(target, "VADD") {
        keys.insert("v".to_owned());
    }
    keys
}

fn named(report: &Value) -> BTreeSet<String> {
    let reasons = report["impossible"].as_array().unwrap().iter();
    let names = reasons.flat_map(|reason| reason["named"].as_array().unwrap());
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_snapshot_is_restored_into_a_cluster_of_every_server_matrix() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    let source = &stage.source[0];
    fill(source);
    if knows(source, "VADD") {
        source.cli(&["VADD", "v", "VALUES", "3", "1", "2", "3", "one"]);
    }
    stage.backup();
    let all = keys(&[source]);
    for program in targets() {
        let name = program.display();
        let target = cluster_of(&program, 3);
        let cannot = impossible(source, &target[0]);
        let lacks_functions = knows(source, "FUNCTION") && !knows(&target[0], "FUNCTION");
        let outcome = stage.restore(&target[0].addr(), &[]).run();
        println!("{name}: {}", outcome.stderr);
        let code = if cannot.is_empty() && !lacks_functions {
            0
        } else {
            3
        };
        let report = outcome.expect(code).json()["report"].clone();
        assert_eq!(named(&report), cannot, "{name}");
        assert_eq!(
            report["lacks_functions"], lacks_functions,
            "{name}: {report:#}"
        );
        let proof = &report["proof"];
        for fault in ["missing", "different", "extra"] {
            assert_eq!(proof[fault], 0, "{name}: {report:#}");
        }
        assert_eq!(report["refused"], 0, "{name}: {report:#}");
        let servers: Vec<&Server> = target.iter().collect();
        assert_eq!(keys(&servers), all - cannot.len() as u64, "{name}");
        assert_eq!(proof["keys_equal"], keys(&servers), "{name}");
        if knows(source, "FUNCTION") && !lacks_functions {
            for server in target.iter() {
                assert_eq!(server.cli(&["FCALL", "f", "0"]), "1", "{name}");
            }
        }
        fields_expire_as_before(source, &target, &name.to_string());
    }
}

fn fields_expire_as_before(source: &Server, target: &Fleet, name: &str) {
    if !knows(source, "HPEXPIREAT") || !knows(&target[0], "HPEXPIREAT") {
        return;
    }
    let asked = ["HPEXPIRETIME", "h:timed", "FIELDS", "3", "f1", "f2", "f3"];
    let is_own = |server: &&Server| !server.ask(&asked).unwrap().to_string().contains("MOVED");
    let owner = target.iter().find(is_own).unwrap();
    let found = owner.ask(&asked).unwrap().to_string();
    assert_eq!(found, source.ask(&asked).unwrap().to_string(), "{name}");
}
