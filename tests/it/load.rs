//! The GoodBooks load does what it says: the same from the same seed, every kind, every key.

#[path = "../../benches/goodbooks/mod.rs"]
pub mod goodbooks;

use goodbooks::{Books, Kind, Load, fill};

use crate::support::Fleet;

fn load(books: &Books, scale: f64, seed: u64) -> Load<'_> {
    Load {
        books,
        scale,
        seed,
        now: 1_800_000_000,
    }
}

#[test]
fn the_whole_load_has_as_many_keys_as_it_says() {
    let books = Books::excerpt();
    assert_eq!((books.rows.len(), books.columns.len()), (300, 23));
    assert_eq!(load(&books, 1.0, 1).keys(), 780_537);
}

#[test]
fn the_same_seed_gives_the_same_load() {
    let books = Books::excerpt();
    let commands = |seed| -> Vec<Vec<Vec<u8>>> {
        let load = load(&books, 0.001, seed);
        let kinds = Kind::ALL.into_iter();
        kinds
            .flat_map(|kind| {
                load.commands(kind)
                    .map(|command| command.args)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(commands(7), commands(7));
    assert_ne!(commands(7), commands(8));
}

#[test]
fn sessions_are_json_of_300_to_800_bytes() {
    let books = Books::excerpt();
    for session in load(&books, 0.002, 3).commands(Kind::Session) {
        let json = &session.args[2];
        assert!((300..=800).contains(&json.len()), "{}", json.len());
        serde_json::from_slice::<serde_json::Value>(json).unwrap();
    }
}

#[test]
fn matrix_every_key_of_the_load_arrives() {
    let fleet = Fleet::cluster(3, 0);
    let books = Books::excerpt();
    let filled = fill(&fleet[1].addr(), None, &load(&books, 0.002, 1)).unwrap();
    let stored: u64 = fleet
        .iter()
        .map(|server| server.cli(&["DBSIZE"]).parse::<u64>().unwrap())
        .sum();
    assert_eq!(stored, filled.keys());
    let ask = |command: &[&str]| {
        let replies = fleet
            .iter()
            .map(|server| server.ask(command).unwrap().text());
        replies.into_iter().find_map(Result::ok).unwrap()
    };
    for (key, kind) in [
        ("book:1", "hash"),
        ("book:1:tags", "set"),
        ("recs:user:1", "zset"),
        ("viewed:user:1", "list"),
        ("counter:book:1:0", "string"),
        ("events:0", "stream"),
        ("", "string"),
    ] {
        assert_eq!(ask(&["TYPE", key]), kind, "{key}");
    }
    assert_eq!(
        ask(&["HGET", "book:1", "original_title"]),
        "The Hunger Games"
    );
    assert_eq!(ask(&["HLEN", "ratings:user:1"]), "112");
    assert_eq!(ask(&["ZCARD", "leaderboard:{all}"]), "600");
}
