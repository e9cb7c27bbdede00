//! Real clusters that are set up badly, as people do it: what `goodcache tune` must say of each, what it
//! must keep quiet about, and that it has nothing left to say once its advice was followed.

mod clients;
mod data;
mod settings;

use std::collections::BTreeSet;

use goodcache::model::Slot;
use serde_json::Value;

use crate::support::resp::encode;
use crate::support::{Fleet, Home, Reply};

/// Advice that must be there: severity, rule, parameter, value.
type Must = (&'static str, &'static str, &'static str, &'static str);

/// What tune said of a cluster.
struct Told(Value);

/// Asks tune of a cluster, with a sample of a second.
fn tune(fleet: &Fleet, more: &[&str]) -> Told {
    tune_at_once(fleet, &[more, &["--sample", "1s"]].concat())
}

/// The same without the words for a sample.
fn tune_at_once(fleet: &Fleet, more: &[&str]) -> Told {
    let first = fleet[0].addr();
    let words = ["tune", &first, "-o", "json"];
    let words = [&words[..], more].concat();
    let said = Home::new().goodcache(&words).run().expect(0);
    Told(said.json()["report"].clone())
}

impl Told {
    fn recommendations(&self) -> &[Value] {
        self.0["recommendations"].as_array().unwrap()
    }

    /// The advice of that rule on that setting.
    fn advice(&self, rule: &str, parameter: &str) -> Option<&Value> {
        let mut all = self.recommendations().iter();
        all.find(|one| one["rule"] == rule && one["parameter"] == parameter)
    }

    /// The rules that speak, a word each.
    fn rules(&self) -> BTreeSet<&str> {
        let all = self.recommendations().iter();
        all.filter_map(|one| one["rule"].as_str()).collect()
    }

    /// All of that is said, with that value on every node that it is said of.
    #[track_caller]
    fn must(&self, all: &[Must]) {
        for (severity, rule, parameter, value) in all {
            let Some(advice) = self.advice(rule, parameter) else {
                panic!(
                    "{rule} says nothing of {parameter}; said: {:?}",
                    self.rules()
                )
            };
            assert_eq!(advice["severity"], *severity, "{advice:#}");
            for change in advice["changes"].as_array().unwrap() {
                assert_eq!(change["proposed"], *value, "{advice:#}");
            }
            assert_ne!(advice["why"], "", "{advice:#}");
        }
    }

    /// None of these rules says anything.
    #[track_caller]
    fn must_not(&self, rules: &[&str]) {
        for one in self.recommendations() {
            let rule = one["rule"].as_str().unwrap();
            assert!(!rules.contains(&rule), "{one:#}");
        }
    }
}

/// The rules of what must be said, once each.
fn rules_of(all: &[Must]) -> Vec<&'static str> {
    let rules: BTreeSet<&str> = all.iter().map(|(_, rule, _, _)| *rule).collect();
    rules.into_iter().collect()
}

/// Sets all of these on every node.
fn set(fleet: &Fleet, settings: &[(&str, &str)]) {
    for server in fleet.iter() {
        for (name, value) in settings {
            let set = server.cli(&["CONFIG", "SET", name, value]);
            assert_eq!(set, "OK", "{name} {value}");
        }
    }
}

/// Sends each command to the master, of so many, that has the slot of its key; none may be refused.
pub(super) fn send(fleet: &Fleet, masters: usize, commands: impl IntoIterator<Item = Vec<String>>) {
    let mut each = vec![(Vec::new(), 0); masters];
    for command in commands {
        let slot = usize::from(Slot::of_key(command[1].as_bytes()).number());
        let owner = (0..masters).rfind(|n| n * 16_384 / masters <= slot);
        let (bytes, count) = &mut each[owner.unwrap()];
        let words: Vec<&[u8]> = command.iter().map(String::as_bytes).collect();
        encode(bytes, &words);
        *count += 1;
    }
    for (n, (bytes, count)) in each.into_iter().enumerate() {
        let mut wire = fleet[n].connect().unwrap();
        wire.send(&bytes).unwrap();
        for _ in 0..count {
            if let Reply::Error(said) = wire.read().unwrap() {
                panic!("{}: {said}", fleet[n].addr());
            }
        }
    }
}

/// A string of 200 bytes under that key, with further words.
pub(super) fn string(key: String, more: &[&str]) -> Vec<String> {
    let words = ["SET".to_owned(), key, "x".repeat(200)];
    let more = more.iter().map(|word| (*word).to_owned());
    words.into_iter().chain(more).collect()
}
