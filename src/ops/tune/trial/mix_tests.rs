//! Loads: shares of commands, and what cannot be sent.

use super::*;

fn shape() -> Shape {
    let mut shape = Shape::unseen(3_000, 300_000);
    let mut hashes = shape.groups[0].clone();
    hashes.pattern = "book:*".into();
    hashes.kind = Type::Hash;
    hashes.keys = 1_000;
    shape.groups.push(hashes);
    shape
}

fn calls(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter()
        .map(|&(name, calls)| (name.to_owned(), calls))
        .collect()
}

fn shares(load: &Load, of: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mix = Mix::of(load, &shape(), (&calls(of), true)).unwrap();
    let shares = mix.shares().into_iter();
    shares
        .map(|(name, share)| (name, share.round() as u64))
        .collect()
}

fn pairs(of: &[(&str, u64)]) -> Vec<(String, u64)> {
    of.iter()
        .map(|&(name, share)| (name.to_owned(), share))
        .collect()
}

#[test]
fn a_synthetic_load_is_by_families_and_the_share_of_writes() {
    let usual = pairs(&[("GET", 60), ("HGET", 20), ("SET", 15), ("HSET", 5)]);
    assert_eq!(shares(&Load::Synthetic, &[]), usual);
    let half = shares(&Load::Synthetic, &[("get", 10), ("hset", 10), ("eval", 99)]);
    assert!(half.contains(&("GET".into(), 38)), "{half:?}");
}

#[test]
fn a_recorded_load_has_the_shares_of_the_counters() {
    let of = [
        ("get", 70),
        ("hgetall", 20),
        ("set", 10),
        ("zadd", 50),
        ("info", 9_999),
    ];
    let expected = pairs(&[("GET", 70), ("HGETALL", 20), ("SET", 10)]);
    assert_eq!(shares(&Load::Recorded, &of), expected);
    let mix = Mix::of(&Load::Recorded, &shape(), (&calls(&of), true)).unwrap();
    assert!(mix.about.contains("67 % can be made"), "{}", mix.about);
    let none = Mix::of(&Load::Recorded, &shape(), (&calls(&[("eval", 9)]), true));
    assert!(none.unwrap_err().contains("no command"));
}

#[test]
fn a_file_is_sent_as_it_is_written_and_bad_lines_are_named() {
    let file = |commands: &[&str]| {
        let lines = commands.iter().map(|command| Written {
            command: (*command).to_owned(),
            weight: 1.0,
        });
        Load::File(lines.collect())
    };
    let good = file(&["GET {key:key:*}", "HSET {key:book:*} {member} {value:9}"]);
    assert_eq!(shares(&good, &[]), pairs(&[("GET", 50), ("HSET", 50)]));
    for (bad, why) in [
        ("BLPOP {key:key:*} 0", "BLPOP cannot be sent"),
        ("GET {key:key:*} ; flushall", "FLUSHALL cannot be sent"),
        ("GET {key:kez:*}", "line 2: no family"),
    ] {
        let load = file(&["PING", bad]);
        let said = Mix::of(&load, &shape(), (&calls(&[]), true)).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn every_verb_can_be_made() {
    let shape = shape();
    for verb in VERBS {
        assert!(step(verb, 0, 1.0, &shape).is_some(), "{}", verb.name);
    }
}

#[test]
fn what_was_called_is_counted_on_masters_since_the_start_or_lately() {
    use crate::ops::tune::profile::guess;
    use crate::ops::tune::testing::Setup;

    let counted = |setup: &Setup| {
        let (evidence, options) = setup.parts();
        let topology = crate::model::Topology::of(&evidence.survey);
        let guess = guess(evidence, &topology, None);
        let case = Case::new(evidence, &topology, options, &guess);
        let (calls, is_lately) = super::calls(&case);
        (calls.get("get").copied().unwrap_or(0), is_lately)
    };
    let setup = Setup::sound().info("cmdstat_get:calls=700,usec=9,usec_per_call=1.00");
    assert_eq!(counted(&setup), (2_100, false));
    let busy = setup.later("cmdstat_get:calls=1700,usec=9,usec_per_call=1.00");
    assert_eq!(counted(&busy), (3_000, true));
}
