//! What became of a time line afterwards: listed, searched, proven, copied, pruned, and damaged.

use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}

impl Stage {
    fn keep(&self, args: &[&str]) -> Goodcache {
        let folder = self.folder().display().to_string();
        let mut words = vec!["backup"];
        words.extend(args);
        words.extend(["--repo", &folder, "-o", "json"]);
        self.home.goodcache(&words).within(LIMIT)
    }

    /// The first line of a listing, and what can be restored of it.
    fn listed(&self, place: &Path) -> (serde_json::Value, u64, u64) {
        let place = place.display().to_string();
        let words = ["backup", "list", "--repo", &place, "-o", "json"];
        let listing = self.home.goodcache(&words).run().expect(0).json();
        let line = listing["report"]["lines"][0].clone();
        let range = line["ranges"][0].clone();
        let at = |name: &str| range[name].as_u64().unwrap();
        let (from, until) = (at("from_ms"), at("until_ms"));
        (line, from, until)
    }
}

#[test]
fn a_line_is_listed_searched_proven_copied_and_pruned() {
    let stage = Stage::of(1, 0);
    stage.sow(5);
    let server = &stage.fleet[0];
    let before = now_ms();
    let running = stage.follow(&["--base-every", "2s"]);
    server.cli(&["SET", "k", "one"]);
    until("more bases follow", LIMIT, || stage.bases() >= 3);
    stage.wait_for(server, "k", "two words");
    stop(running);
    let after = now_ms();
    let bases = stage.bases() as u64;

    let (line, from, until) = stage.listed(&stage.folder());
    assert_eq!(line["snapshots"], bases);
    assert!(line["ended"].is_null() && line["ranges"].as_array().unwrap().len() == 1);
    assert!(before <= from && from < until && until <= after);

    let found = stage.keep(&["log", "k"]).run().expect(0).json();
    let writes = found["report"]["writes"].as_array().unwrap().clone();
    let values: Vec<&str> = writes
        .iter()
        .map(|write| write["words"][1].as_str().unwrap())
        .collect();
    assert!(
        values.ends_with(&["two words"]) && values.len() <= 2,
        "{values:?}"
    );
    let last = &writes[writes.len() - 1];
    assert_eq!(
        (last["command"].as_str(), last["shard"].as_u64()),
        (Some("SET"), Some(1))
    );
    let at_ms = last["at_ms"].as_u64().unwrap();
    assert!(before <= at_ms && at_ms <= until);
    let named = stage
        .keep(&["log", "--key", "k", "--since", "1h ago"])
        .run();
    assert_eq!(
        named.expect(0).json()["report"]["writes"],
        serde_json::Value::from(writes.clone())
    );
    stage.keep(&["log", "--since", "1h"]).run().expect(2);
    let none = stage
        .keep(&["log", "k", "--until", "1h"])
        .run()
        .expect(0)
        .json();
    assert_eq!(none["report"]["writes"].as_array().unwrap().len(), 0);
    stage
        .keep(&["log", "k", "--since", "yesterday"])
        .run()
        .expect(2);

    let first = run(stage.repository().snapshots()).unwrap()[0].to_string();
    let proven = stage
        .keep(&["verify", &first, "--read-data"])
        .run()
        .expect(0)
        .json();
    let proof = &proven["report"]["line"];
    assert!(proof["commands"].as_u64().unwrap() > 0, "{proof}");
    assert_eq!(proof["range"]["until_ms"], until);

    let shown = stage.keep(&["show", &first]).run().expect(0).json();
    let told = &shown["report"]["line"];
    assert_eq!(told["range"]["until_ms"], until, "{told:#}");
    assert_eq!(told["segments"], proof["segments"], "{told:#}");
    assert_eq!(told["bytes_stored"], proof["bytes_stored"], "{told:#}");
    assert!(told["ended"].is_null() && told["gaps"] == serde_json::json!([]));

    let far = stage.home.path().join("far");
    let place = far.display().to_string();
    let copied = stage
        .keep(&["copy", "--all", "--to", &place])
        .run()
        .expect(0)
        .json();
    let objects = copied["report"]["lines"][0]["objects"].as_u64().unwrap();
    assert!(objects > 0);
    assert_eq!(stage.listed(&far), (line, from, until));
    let again = stage
        .keep(&["copy", "--all", "--to", &place])
        .run()
        .expect(0)
        .json();
    assert_eq!(again["report"]["lines"][0]["already"], objects);

    let segments = |stage: &Stage| stage.lines()[0].segments();
    let all = segments(&stage);
    stage
        .keep(&["prune", "--keep-last", "1", "--yes"])
        .run()
        .expect(0);
    assert_eq!(stage.bases(), 1);
    let (line, later, same) = stage.listed(&stage.folder());
    assert_eq!((line["snapshots"].as_u64(), same), (Some(1), until));
    assert!(later > from && segments(&stage) <= all);
    let played = stage.played(&stage.last_moment());
    assert!(writes_of(&played, "k").ends_with(&["two words".to_owned()]));
    // Nothing of what is left is superfluous.
    let plan = stage
        .keep(&["prune", "--keep-last", "1", "--dry-run"])
        .run()
        .expect(0)
        .json();
    assert_eq!(plan["report"]["plan"]["lines"].as_array().unwrap().len(), 0);
}

fn writes_of(played: &[Logged], key: &str) -> Vec<String> {
    let words = writes(played).filter(|words| words.len() > 2 && words[1] == key);
    words.map(|words| words[2].clone()).collect()
}

#[test]
fn a_damaged_segment_is_named_and_not_played() {
    let stage = Stage::of(1, 0);
    let running = stage.follow(&[]);
    stage.wait_for(&stage.fleet[0], "k", "v");
    stop(running);
    let line = &stage.lines()[0];
    let name = line.strands[0].joined[0].segments[0].name.name();
    let path = stage.folder().join(&name);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let found = stage
        .keep(&["verify", "latest", "--read-data"])
        .run()
        .expect(3)
        .json();
    let faults = found["report"]["faults"].as_array().unwrap();
    assert_eq!(faults[0]["object"], name.as_str());
    let refused = stage.keep(&["log", "k"]).run().expect(3);
    assert!(refused.stderr.contains(&name), "{}", refused.stderr);
}
