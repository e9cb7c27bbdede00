//! What a restore's plan and its result look like, by snapshot.

use std::collections::BTreeMap;

use super::*;
use crate::archive::SnapshotId;
use crate::model::{Slot, Vendor, Version};
use crate::ops::restore::{
    Database, Existing, Expected, HeldBack, Impossible, KeyFault, Master, Plan, Refusal, Refused,
    Resumed, Share, Source, Values, Warmth,
};
use crate::render::{Look, json, markdown, terminal};

const AT: u64 = 1_795_538_274_123;

fn id() -> SnapshotId {
    SnapshotId::new(AT, 0x9f3a_2c1b)
}

fn page(doc: &Doc, width: usize) -> String {
    let look = Look {
        width: Some(width),
        colour: false,
    };
    terminal::text(doc, look)
}

fn envelope(report: &impl serde::Serialize) -> String {
    json::envelope("restore", Some(AT), report).replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

fn share(port: u16, slots: &str, maxmemory: u64) -> Share {
    Share {
        master: Master {
            addr: format!("10.0.0.5:{port}").parse().unwrap(),
            slots: slots.parse().unwrap(),
            vendor: Vendor::Valkey,
            version: Version(9, 1, 0),
            keys: 0,
            maxmemory,
            policy: "noeviction".into(),
            used_memory: 2_000_000,
            machine_memory: 16 << 30,
            clock_ahead_ms: Some(3),
            modules: BTreeMap::new(),
            replicas: 1,
            withheld: BTreeMap::new(),
        },
        gets_keys: 390_061,
        gets_bytes: 125_829_120,
        needs_memory: 301_989_888,
    }
}

fn planned() -> Plan {
    let types = [("hash", 63_424), ("string", 600_000), ("zset", 53_425)];
    Plan {
        target: "shop-new".into(),
        source: Source {
            place: "s3://backups/shop".into(),
            snapshot: id().to_string(),
            cluster: "goodbooks".into(),
            taken_at_ms: AT,
            servers: vec!["redis 8.2.1".into()],
        },
        moment_ms: None,
        existing: Existing::Refuse,
        is_at_most: false,
        keys: 780_123,
        bytes: 251_658_240,
        types: types.map(|(name, keys)| (name.to_owned(), keys)).into(),
        log_commands: 1204,
        masters: vec![share(7001, "0-8191", 0), share(7002, "8192-16383", 1 << 30)],
        target_keys: 0,
        resumed: None,
        values: Values {
            as_they_are: 726_697,
            in_another_layout: 53_425,
            unless_fields_expire: 0,
            cannot_go: 1,
        },
        expected: Expected {
            least_ms: 5_368,
            most_ms: 44_689,
            basis: "85.8 MiB/s sent and 153 MiB/s read back, as measured on one machine with 2 \
                    cores, to a tenth of that"
                .into(),
        },
        warnings: vec!["1 key cannot go there: a vector set, which only Redis 8 has".into()],
        refusals: Vec::new(),
    }
}

fn refused() -> Plan {
    let refusals = [
        (
            "the target holds 12 keys already",
            "say what becomes of them: --skip-existing leaves them, --replace replaces those that \
             the snapshot has, --flush removes all first",
        ),
        (
            "10.0.0.5:7002 needs about 288 MiB more and may use 128 MiB of which 1.91 MiB are \
             taken: it would refuse what comes last",
            "raise maxmemory, add masters, or restore a part: --keys, --slots",
        ),
    ];
    Plan {
        target_keys: 12,
        warnings: Vec::new(),
        refusals: refusals
            .map(|(what, next)| Refusal {
                what: what.into(),
                next: next.into(),
            })
            .into(),
        ..planned()
    }
}

fn equal() -> Proof {
    Proof {
        slots_equal: 16_382,
        keys_equal: 778_911,
        ending: 8,
        played: 1203,
        ..Proof::default()
    }
}

fn good() -> Restored {
    let step = |percent, after_ms, keys| Warmth {
        percent,
        after_ms,
        keys,
    };
    Restored {
        snapshot: id(),
        cluster: "goodbooks".into(),
        taken_at_ms: AT,
        moment_ms: AT,
        keys: 780_122,
        bytes: 251_658_240,
        expired: 1,
        kept: 0,
        in_parts: 2,
        without_database: 0,
        databases: Vec::new(),
        in_the_way: 0,
        lacks_functions: false,
        lacks_users: false,
        impossible: Vec::new(),
        refused: 0,
        first_refused: Vec::new(),
        log_commands: 1204,
        log_overtaken: 0,
        sent_again: 0,
        is_resumed: false,
        load_ms: 9_300,
        duration_ms: 12_204,
        slowest_answer_ms: Some(4.2),
        held_back: Some(HeldBack {
            late_answers: 3,
            least_under_way_bytes: 4096,
            longest_rest_us: 2000,
        }),
        warmth: vec![step(50, 410, 9_000), step(90, 2_120, 120_000)],
        proof: Some(equal()),
        remarks: vec![
            "2 users restored on every node; write them down there: ACL SAVE, or CONFIG REWRITE"
                .into(),
        ],
        plan: planned(),
    }
}

fn bad() -> Restored {
    let fault = |slot, key: &str, how| KeyFault {
        slot: Slot::new(slot).unwrap(),
        key: key.into(),
        how,
    };
    Restored {
        impossible: vec![Impossible {
            why: "a vector set, which only Redis 8 has".into(),
            keys: 1,
            first: "similar:books".into(),
            named: vec!["similar:books".into()],
        }],
        without_database: 7,
        databases: vec![Database {
            db: 3,
            keys: 7,
            first: "queue:1".into(),
        }],
        in_the_way: 1,
        log_overtaken: 3,
        refused: 1,
        first_refused: vec![Refused {
            command: "RESTORE".into(),
            key: "search:index".into(),
            said: "ERR Bad data format".into(),
        }],
        is_resumed: true,
        kept: 1,
        proof: Some(Proof {
            slots_differing: "12 9001".parse().unwrap(),
            missing: 2,
            different: 1,
            first: vec![
                fault(12, "similar:books", "missing"),
                fault(12, "search:index", "missing"),
                fault(9001, "session:4bd1", "different"),
            ],
            ..equal()
        }),
        remarks: Vec::new(),
        ..good()
    }
}

#[test]
fn a_plan() {
    let doc = plan(&planned());
    for width in [60, 80, 140] {
        insta::assert_snapshot!(format!("plan_{width}"), page(&doc, width));
    }
    insta::assert_snapshot!("plan_markdown", markdown::text(&doc));
    insta::assert_snapshot!("plan_json", envelope(&planned()));
}

#[test]
fn a_plan_that_must_not_begin() {
    let doc = plan(&refused());
    insta::assert_snapshot!("refused_60", page(&doc, 60));
    insta::assert_snapshot!("refused_80", page(&doc, 80));
    insta::assert_snapshot!("refused_markdown", markdown::text(&doc));
}

#[test]
fn a_plan_for_a_target_that_holds_keys() {
    let part = Plan {
        existing: Existing::Replace,
        target_keys: 12,
        is_at_most: true,
        moment_ms: Some(AT + 60_000),
        resumed: Some(Resumed {
            began_ms: AT + 90_000,
            pieces_done: 3,
            pieces: 9,
            is_old: true,
            is_emptied: false,
        }),
        ..planned()
    };
    insta::assert_snapshot!("part_80", page(&plan(&part), 80));
    for (existing, words) in [
        (Existing::Flush, "12 keys: all are removed first"),
        (Existing::Replace, "the others stay"),
        (Existing::Skip, "only keys that are absent come"),
    ] {
        let text = page(
            &plan(&Plan {
                existing,
                ..part.clone()
            }),
            200,
        );
        assert!(text.contains(words), "{text}");
    }
    let emptied = Plan {
        existing: Existing::Flush,
        resumed: part.resumed.clone().map(|run| Resumed {
            is_emptied: true,
            ..run
        }),
        ..part
    };
    let text = page(&plan(&emptied), 200);
    assert!(text.contains("and is not again"), "{text}");
}

#[test]
fn all_restored() {
    let doc = restored("shop-new", &good());
    insta::assert_snapshot!("restored_60", page(&doc, 60));
    insta::assert_snapshot!("restored_80", page(&doc, 80));
    insta::assert_snapshot!("restored_json", envelope(&good()));
    let unproven = Restored {
        proof: None,
        ..good()
    };
    let text = page(&restored("shop-new", &unproven), 80);
    assert!(text.contains("RESTORED, NOT PROVEN"), "{text}");
}

#[test]
fn not_all_restored() {
    let doc = restored("shop-new", &bad());
    insta::assert_snapshot!("not_all_60", page(&doc, 60));
    insta::assert_snapshot!("not_all_80", page(&doc, 80));
    insta::assert_snapshot!("not_all_json", envelope(&bad()));
}
