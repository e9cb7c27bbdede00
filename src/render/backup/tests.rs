//! What each report looks like, by snapshot.

use std::collections::BTreeMap;

use super::*;
use crate::archive::{
    Chunk, FORMAT, Kind, Manifest, More, Part, Protection, Server, Shard, ShardNode, SnapshotId,
    Span,
};
use crate::model::{Role, Slot, SlotSet};
use crate::ops::backup::keep::{
    After, CopiedLine, CopiedSnapshot, CopyReport, DiffReport, ExportReport, Exported, History,
    ImportReport, Imported, KeyChange, KeyDiff, KeyWrite, Line, LinePlan, LineProof, Listing,
    LiveSide, PrunePlan, PruneRow, Pruned, Range, ShardProof, Shown, ShownLine, ShownShard,
    SlotDiff, Snapshot, Unfinished, Unreadable, Verification, VerifyFault,
};
use crate::render::{Doc, Look, json, markdown, terminal};

const AT: u64 = 1_795_538_274_123;

fn id(days: u64) -> SnapshotId {
    SnapshotId::new(AT - days * 86_400_000, 0x9f3a_2c1b)
}

fn page(doc: &Doc, width: usize) -> String {
    let look = Look {
        width: Some(width),
        colour: false,
    };
    terminal::text(doc, look)
}

fn snapshot(days: u64, cut: Consistency) -> Snapshot {
    Snapshot {
        id: id(days),
        cluster: "goodbooks".into(),
        taken_at_ms: AT - days * 86_400_000,
        duration_ms: 4210,
        shards: 3,
        keys: 780_123,
        bytes_raw: 251_658_240,
        bytes_stored: 62_914_560,
        cut,
        consistent: cut == Consistency::Barrier,
        write_stall_ms: Some(0.78),
    }
}

fn left() -> Unfinished {
    Unfinished {
        id: id(3),
        objects: 12,
        bytes: 99_000_000,
        latest_ms: AT,
        may_go_on: false,
    }
}

fn listing() -> Listing {
    Listing {
        repository: "s3://backups/goodbooks".into(),
        protection: Protection::Sealed,
        snapshots: vec![
            snapshot(0, Consistency::Barrier),
            snapshot(1, Consistency::Scan),
        ],
        lines: vec![
            Line {
                run: id(1),
                cluster: "goodbooks".into(),
                ranges: vec![Range {
                    from_ms: AT - 86_400_000,
                    until_ms: AT - 5000,
                }],
                snapshots: 2,
                shards: 3,
                segments: 25_920,
                bytes_stored: 99_000_000,
                ended: None,
            },
            Line {
                run: id(4),
                cluster: "goodbooks".into(),
                ranges: Vec::new(),
                snapshots: 0,
                shards: 3,
                segments: 12,
                bytes_stored: 9000,
                ended: Some("shard 2: 10.0.0.2:7000 has begun a new history".into()),
            },
        ],
        unreadable: vec![Unreadable {
            id: id(2),
            why: "the manifest is not signed with this repository's key".into(),
        }],
        unfinished: vec![left()],
    }
}

#[test]
fn a_listing() {
    insta::assert_snapshot!("list_100", page(&list(&listing()), 100));
    insta::assert_snapshot!("list_60", page(&list(&listing()), 60));
    insta::assert_snapshot!("list_markdown", markdown::text(&list(&listing())));
    insta::assert_snapshot!(
        "list_json",
        json::envelope("backup list", Some(AT), &listing())
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    );
    let going = Unfinished {
        may_go_on: true,
        ..left()
    };
    assert_eq!(unfinished(&[]), None);
    let told = unfinished(&[left(), going]).unwrap();
    assert_eq!(
        told,
        "2 backups were not finished (189 MiB), and 1 of them may still be going on; \
         backup prune removes what is left of them"
    );
}

fn chunk(name: &str) -> Chunk {
    Chunk {
        name: name.into(),
        raw_bytes: 4 << 20,
        stored_bytes: 1 << 20,
        raw_sha256: None,
        stored_sha256: "1".repeat(64),
        first_slot: Slot::new(0),
        last_slot: Slot::new(100),
        entries: 12_000,
        span: Some(Span {
            first_offset: 1,
            last_offset: 2,
            first_ms: 3,
            last_ms: 4,
        }),
        more: More::new(),
    }
}

fn shown() -> Shown {
    let node = |id: &str, addr: &str, role| ShardNode {
        id: id.parse().unwrap(),
        addr: addr.parse().unwrap(),
        role,
        epoch: 3,
        host: Some("h1".into()),
        zone: None,
    };
    let master = "07c37dfeb235213a872192d90877d0cd55635b91";
    let replica = "17c37dfeb235213a872192d90877d0cd55635b92";
    let shard = Shard {
        slots: "0-5460".parse().unwrap(),
        shard_id: None,
        nodes: vec![
            node(master, "10.0.0.1:7001", Role::Master),
            node(replica, "10.0.0.2:7001", Role::Replica),
        ],
        read_from: Some(replica.parse().unwrap()),
        replid: None,
        base_offset: 1,
        cut_offset: 2,
        rdb: "REDIS0010".into(),
        base: vec![chunk("base")],
        log: vec![chunk("log")],
        slot_table: None,
        keys: 260_041,
        expires: 133_000,
        more: More::new(),
    };
    let manifest = Manifest {
        format: FORMAT,
        id: id(0),
        goodcache: "0.1.0".into(),
        cluster: "goodbooks".into(),
        taken_at_ms: AT,
        took_ms: 4210,
        consistency: Consistency::Barrier,
        write_stall_us: Some(780),
        servers: vec![Server {
            vendor: "redis".into(),
            version: "7.0.15".into(),
            nodes: 6,
        }],
        shards: vec![shard],
        parts: vec![Part {
            kind: Kind::new("functions").unwrap(),
            chunk: chunk("functions"),
        }],
        modules: BTreeMap::from([("search".into(), 20_804)]),
        config: BTreeMap::from([("maxmemory".into(), "1gb".into())]),
        labels: BTreeMap::from([("before".into(), "the sale".into())]),
        more: More::new(),
    };
    Shown {
        repository: "/var/backups/goodbooks".into(),
        protection: Protection::Signed,
        snapshot: Snapshot::of(&manifest),
        shards: vec![ShownShard {
            number: 1,
            base_objects: 1,
            base_bytes_raw: 4 << 20,
            log_commands: 12_000,
            log_bytes_raw: 4 << 20,
            bytes_stored: 2 << 20,
        }],
        line: Some(ShownLine {
            run: manifest.id.clone(),
            range: Range {
                from_ms: manifest.taken_at_ms,
                until_ms: manifest.taken_at_ms + 3_600_000,
            },
            segments: 57,
            bytes_stored: 3 << 20,
            ended: Some("shard 2: the master's backlog no longer reaches back".into()),
            gaps: Vec::new(),
            next_from_ms: Some(manifest.taken_at_ms + 3_605_000),
        }),
        manifest,
    }
}

#[test]
fn one_snapshot() {
    insta::assert_snapshot!("show_140", page(&show(&shown()), 140));
    insta::assert_snapshot!("show_60", page(&show(&shown()), 60));
}

fn verification(faults: Vec<VerifyFault>) -> Verification {
    Verification {
        id: id(0),
        repository: "/var/backups/goodbooks".into(),
        snapshot: Some(snapshot(0, Consistency::Barrier)),
        is_data_read: true,
        objects: 66,
        bytes_stored: 62_914_560,
        shards: vec![
            ShardProof {
                number: 1,
                keys: 260_041,
                expires: 133_000,
                slots_proven: Some(5461),
                log_commands: 1200,
            },
            ShardProof {
                number: 2,
                keys: 1000,
                expires: 3,
                slots_proven: None,
                log_commands: 0,
            },
        ],
        line: Some(LineProof {
            run: id(1),
            range: Range {
                from_ms: AT,
                until_ms: AT + 60_000,
            },
            segments: 18,
            bytes_stored: 70_000,
            commands: Some(1234),
        }),
        boot: None,
        faults,
        strays: vec!["data/x/00/base-000099".into()],
        duration_ms: 900,
    }
}

#[test]
fn a_verification() {
    let fault = |code, object: &str, slots: SlotSet, what: &str| VerifyFault {
        code,
        object: object.into(),
        shard: Some(2),
        slots,
        what: what.into(),
        next: "restore another snapshot".into(),
    };
    let faults = vec![
        fault(
            "object.missing",
            "data/x/01/base-000003",
            SlotSet::new(),
            "it is missing",
        ),
        fault(
            "slots.digest",
            "data/x/01/slots-000000",
            "5461-5490 9000".parse().unwrap(),
            "31 slots in the base are not as the table of slots says",
        ),
    ];
    insta::assert_snapshot!(
        "verify_sound",
        page(&verify(&verification(Vec::new())), 100)
    );
    insta::assert_snapshot!(
        "verify_damaged",
        page(&verify(&verification(faults.clone())), 100)
    );
    insta::assert_snapshot!(
        "verify_json",
        json::envelope("backup verify", Some(AT), &verification(faults))
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    );
    let quick = Verification {
        is_data_read: false,
        shards: Vec::new(),
        strays: Vec::new(),
        ..verification(Vec::new())
    };
    insta::assert_snapshot!("verify_quick", page(&verify(&quick), 100));
}

#[test]
fn a_plan_and_what_went() {
    let row = |days, is_kept, reason: &str| PruneRow {
        snapshot: snapshot(days, Consistency::Barrier),
        is_kept,
        reason: reason.into(),
    };
    let made = PrunePlan {
        repository: "/var/backups/goodbooks".into(),
        snapshots: vec![
            row(0, true, "last, daily, weekly"),
            row(1, true, "daily"),
            row(9, false, "no rule keeps it"),
        ],
        unreadable: Vec::new(),
        lines: vec![LinePlan {
            run: id(9),
            cluster: "goodbooks".into(),
            objects: 69_000,
            bytes: 299_000_000,
            is_whole: false,
            names: Vec::new(),
        }],
        unfinished: vec![left()],
        leftovers: Vec::new(),
    };
    insta::assert_snapshot!("prune_plan", page(&plan(&made), 100));
    let gone = Pruned {
        removed: vec![id(9)],
        swept: vec![id(3)],
        line_objects: 69_000,
        bytes: 161_914_560,
    };
    insta::assert_snapshot!("prune_done", page(&pruned(&made, &gone), 100));
}

#[test]
fn what_was_written_to_a_key() {
    let write = |at_ms, command: &str, words: &[&str], is_named| KeyWrite {
        at_ms,
        cluster: "goodbooks".into(),
        run: id(1),
        shard: 2,
        offset: 123_456_789,
        command: command.into(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        is_named,
    };
    let mut found = History {
        repository: "s3://backups/goodbooks".into(),
        key: "session:42".into(),
        since_ms: 0,
        until_ms: AT,
        commands: 98_765,
        writes: vec![
            write(
                AT - 9000,
                "SET",
                &["session:42", "two words", "PXAT", "1795"],
                true,
            ),
            write(AT - 10, "FLUSHALL", &[], false),
        ],
        left_out: 3,
    };
    insta::assert_snapshot!("history", page(&history(&found), 100));
    found.writes.clear();
    found.left_out = 0;
    insta::assert_snapshot!("history_of_nothing", page(&history(&found), 100));
}

#[test]
fn copies_and_files() {
    let copied = |days, objects, already| CopiedSnapshot {
        id: id(days),
        objects,
        bytes: objects << 20,
        already,
    };
    let report = CopyReport {
        from: "/var/backups/goodbooks".into(),
        to: "s3://far/goodbooks".into(),
        snapshots: vec![copied(1, 0, 66), copied(0, 66, 0)],
        lines: vec![CopiedLine {
            run: id(1),
            objects: 120,
            bytes: 9000,
            already: 3,
        }],
    };
    insta::assert_snapshot!("copy", page(&copy(&report), 100));
    let file = |path: &str, is_log| Exported {
        shard: 1,
        path: path.into(),
        bytes: 83_886_080,
        entries: 260_041,
        is_log,
    };
    let report = ExportReport {
        id: id(0),
        files: vec![
            file("/tmp/rdb/shard-1.rdb", false),
            file("/tmp/rdb/shard-1.aof", true),
        ],
    };
    insta::assert_snapshot!("export", page(&export(&report), 100));
    let report = ImportReport {
        snapshot: snapshot(0, Consistency::Scan),
        files: vec![Imported {
            shard: 1,
            path: "/tmp/saved/dump.rdb".into(),
            bytes: 83_886_080,
            keys: 260_041,
            rdb: "REDIS0010".into(),
            server: Some("redis 7.0.15".into()),
        }],
        shared_slots: "7-8".parse().unwrap(),
    };
    insta::assert_snapshot!("import", page(&import(&report), 100));
}

#[test]
fn a_comparison() {
    let slot = |number| Slot::new(number).unwrap();
    let key = |number, key: &str, change| KeyDiff {
        slot: slot(number),
        db: 0,
        key: key.into(),
        change,
    };
    let report = DiffReport {
        before: snapshot(1, Consistency::Barrier),
        after: After::Snapshot(snapshot(0, Consistency::Barrier)),
        slots_compared: 16_384,
        slots: (0..60)
            .map(|number| SlotDiff {
                slot: slot(number),
                keys_before: 47,
                keys_after: 48,
            })
            .collect(),
        logged: "5-7".parse().unwrap(),
        shards_without_table: 1,
        keys: Some(vec![
            key(3, "session:1", KeyChange::Added),
            key(4, "session:\\xff", KeyChange::Changed),
        ]),
    };
    insta::assert_snapshot!("diff_keys", page(&diff(&report), 100));
    let mut databases = report.clone();
    databases.keys.as_mut().unwrap()[1].db = 3;
    insta::assert_snapshot!("diff_keys_of_databases", page(&diff(&databases), 100));
    let slots = DiffReport {
        keys: None,
        ..report.clone()
    };
    insta::assert_snapshot!("diff_slots", page(&diff(&slots), 100));
    let live = DiffReport {
        after: After::Live(LiveSide {
            id: "live",
            cluster: "goodbooks".into(),
            looked_at_ms: 1_795_500_000_000,
            shards: 3,
            keys: 780_000,
        }),
        slots: Vec::new(),
        shards_without_table: 0,
        ..slots
    };
    insta::assert_snapshot!("diff_live", page(&diff(&live), 100));
    let same = DiffReport {
        slots: Vec::new(),
        keys: None,
        ..report
    };
    let known = DiffReport {
        shards_without_table: 0,
        ..same.clone()
    };
    let quiet = DiffReport {
        logged: SlotSet::new(),
        ..known.clone()
    };
    for (report, word) in [(same, "UNKNOWN"), (known, "SAME BASES"), (quiet, "SAME")] {
        let text = page(&diff(&report), 140);
        assert!(text.contains(&format!(": {word} ")), "{text}");
    }
}
