//! `verify`: what is whole is called sound, and whatever was done to a snapshot is found and named.

use std::fs;

use goodcache::archive::{SlotTable, SnapshotId};

use super::{PASSPHRASE, Repo, dumps, flip, now_ms, take, take_with};

/// The codes and objects of all that is wrong.
fn faults(repo: &Repo, args: &[&str], code: i32) -> Vec<(String, String)> {
    let mut all = vec!["verify", "latest", "-o", "json"];
    all.extend(args);
    let report = repo.backup(&all).expect(code).json();
    let faults = report["report"]["faults"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = faults
        .iter()
        .map(|fault| (text(&fault["code"]), text(&fault["object"])))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_is_sound() {
    for passphrase in [None, Some(PASSPHRASE)] {
        let (repo, dumps) = (Repo::new(passphrase), dumps());
        take(&repo.open().await, now_ms(), &dumps).await;
        let quick = repo.backup(&["verify"]).expect(0);
        assert!(quick.stdout.contains(": SOUND") && quick.stdout.contains("--read-data"));
        let whole = repo.backup(&["verify", "--read-data"]).expect(0);
        assert!(
            whole.stdout.contains("1,127 keys walked over"),
            "{}",
            whole.stdout
        );
        let json = repo
            .backup(&["verify", "--read-data", "-o", "json"])
            .expect(0)
            .json();
        let shards = json["report"]["shards"].as_array().unwrap();
        assert_eq!((shards.len(), &shards[0]["keys"]), (2, &751.into()));
        assert_eq!(shards[0]["log_commands"], 3);
        assert!(shards[0]["slots_proven"].as_u64().unwrap() > 500);
    }
}

/// What was done, what it is called, and whether sizes alone show it.
type Deed = (fn(&Repo, &SnapshotId), &'static str, &'static str, bool);

const DEEDS: [Deed; 5] = [
    (
        |repo, id| flip(&repo.object(id, "00/base-000001")),
        "object.damaged",
        "00/base-000001",
        false,
    ),
    (
        |repo, id| flip(&repo.object(id, "01/log-000001")),
        "object.damaged",
        "01/log-000001",
        false,
    ),
    (
        |repo, id| {
            let path = repo.object(id, "01/base-000000");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        },
        "object.truncated",
        "01/base-000000",
        true,
    ),
    (
        |repo, id| fs::remove_file(repo.object(id, "00/slots-000000")).unwrap(),
        "object.missing",
        "00/slots-000000",
        true,
    ),
    (
        |repo, id| fs::remove_file(repo.object(id, "00/base-000002")).unwrap(),
        "object.missing",
        "00/base-000002",
        true,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_is_found_and_named() {
    let dumps = dumps();
    for (deed, code, object, is_seen_by_size) in DEEDS {
        let repo = Repo::new(None);
        let id = take(&repo.open().await, now_ms(), &dumps).await;
        deed(&repo, &id);
        let expected = vec![(code.to_owned(), format!("data/{id}/{object}"))];
        assert_eq!(faults(&repo, &["--read-data"], 3), expected);
        match is_seen_by_size {
            true => assert_eq!(faults(&repo, &[], 3), expected),
            false => assert_eq!(faults(&repo, &[], 0), []),
        }
        let told = repo.backup(&["verify", "--read-data"]).expect(3);
        assert!(told.stdout.contains("DAMAGED") && told.stdout.contains(object));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_objects_tell_whose_they_are() {
    let dumps = dumps();
    for passphrase in [None, Some(PASSPHRASE)] {
        let repo = Repo::new(passphrase);
        let id = take(&repo.open().await, now_ms(), &dumps).await;
        let [a, b] = ["00/base-000000", "00/base-000001"].map(|name| repo.object(&id, name));
        let (first, second) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        fs::write(&a, second).unwrap();
        fs::write(&b, first).unwrap();
        let found = faults(&repo, &["--read-data"], 3);
        assert_eq!(found.len(), 2);
        assert!(
            found.iter().all(|(code, _)| code == "object.swapped"),
            "{found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_manifest_is_not_believed() {
    let dumps = dumps();
    for passphrase in [None, Some(PASSPHRASE)] {
        let repo = Repo::new(passphrase);
        let id = take(&repo.open().await, now_ms(), &dumps[..1]).await;
        let ending = if passphrase.is_some() {
            "sealed"
        } else {
            "json"
        };
        let path = repo.path().join(format!("snapshots/{id}.{ending}"));
        let text = fs::read(&path).unwrap();
        match passphrase {
            None => {
                let text = String::from_utf8(text).unwrap();
                fs::write(&path, text.replace("goodbooks", "badbooks!")).unwrap();
            }
            Some(_) => flip(&path),
        }
        let expected = vec![("manifest".to_owned(), format!("snapshots/{id}.{ending}"))];
        assert_eq!(faults(&repo, &[], 3), expected);
        let listed = repo.backup(&["list"]).expect(3);
        assert!(listed.stdout.contains("FAULT") && listed.stdout.contains(id.as_str()));
        repo.backup(&["show"]).expect(3);
    }
}

/// Each object is what was written, and yet the snapshot is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_data_is_found() {
    let dumps = dumps();
    let repo = Repo::new(None);
    let repository = repo.open().await;
    let id = take_with(&repository, now_ms(), &dumps, |manifest| {
        manifest.shards[0].keys += 1;
        manifest.shards[0].base[1].entries -= 1;
        manifest.shards[1].log[1]
            .span
            .as_mut()
            .unwrap()
            .first_offset += 1;
        manifest.shards[1].rdb = "REDIS0001".into();
    })
    .await;
    let object = |name: &str| format!("data/{id}/{name}");
    let expected = [
        ("base.count", object("00/base-000001")),
        ("log.gap", object("01/log-000001")),
        ("shard.count", format!("snapshots/{id}.json")),
        ("shard.rdb", format!("snapshots/{id}.json")),
    ]
    .map(|(code, object)| (code.to_owned(), object));
    assert_eq!(faults(&repo, &["--read-data"], 3), expected);
    assert_eq!(faults(&repo, &[], 3), expected[1..2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_whose_digests_differ_are_named() {
    let dumps = dumps();
    let repo = Repo::new(None);
    let mut slots = String::new();
    let id = with_table(&repo, &dumps[0], |table| {
        table.rows[3].digest[0] ^= 1;
        table.rows[7].keys += 1;
        slots = format!("{} {}", table.rows[3].slot, table.rows[7].slot);
    })
    .await;
    let args = ["verify", id.as_str(), "--read-data", "-o", "json"];
    let report = repo.backup(&args).expect(3).json();
    let fault = &report["report"]["faults"][0];
    assert_eq!(fault["code"], "slots.digest");
    assert_eq!(fault["object"], format!("data/{id}/00/slots-000000"));
    assert_eq!(fault["slots"], slots);
    assert_eq!(fault["shard"], 1);
}

/// A snapshot of which the table is changed before it is stored.
pub async fn with_table(
    repo: &Repo,
    dump: &[u8],
    change: impl FnOnce(&mut SlotTable),
) -> SnapshotId {
    let repository = repo.open().await;
    let good = take(&repository, now_ms(), &[dump.to_vec()]).await;
    let manifest = repository.manifest_of(&good).await.unwrap();
    let mut table: SlotTable = repository.slot_table(&manifest, 0).await.unwrap().unwrap();
    change(&mut table);
    let id = repository.name_snapshot(now_ms() + 1).unwrap();
    let writer = repository.begin(id.clone(), &super::run()).await.unwrap();
    let mut shard = super::shard(&writer, 0, dump).await;
    shard.slot_table = Some(writer.put_slot_table(0, &table).await.unwrap());
    let manifest = super::manifest(id.clone(), id.at_ms(), vec![shard]);
    writer.finish(&manifest).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_names_other_pieces_or_changes_is_found() {
    let [dump, _] = dumps();
    let repo = Repo::new(None);
    let mut slots = Vec::new();
    let id = with_table(&repo, &dump, |table| {
        let rows = &mut table.rows;
        let last = rows.iter().map(|row| row.chunks.1).max().unwrap();
        let spread = rows.iter().position(|row| row.chunks.1 < last).unwrap();
        rows[spread].chunks = (last, last);
        let logged = rows.iter().position(|row| row.logged > 0).unwrap();
        rows[logged].logged += 1;
        slots = vec![rows[spread].slot.to_string(), rows[logged].slot.to_string()];
    })
    .await;
    let args = ["verify", id.as_str(), "--read-data", "-o", "json"];
    let report = repo.backup(&args).expect(3).json();
    let faults = report["report"]["faults"].as_array().unwrap();
    let found: Vec<_> = faults
        .iter()
        .map(|fault| {
            (
                fault["code"].as_str().unwrap(),
                fault["slots"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("slots.pieces", slots[0].as_str()),
        ("slots.logged", &slots[1]),
    ];
    assert_eq!(found, expected);
}

/// A base that ends too early, packed and listed as it stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_without_its_end_is_found() {
    let dumps = dumps();
    let repo = Repo::new(None);
    let repository = repo.open().await;
    let id = repository.name_snapshot(now_ms()).unwrap();
    let writer = repository.begin(id.clone(), &super::run()).await.unwrap();
    let mut shard = super::shard(&writer, 0, &dumps[0]).await;
    let last = shard.base.len() as u32 - 1;
    let kind = goodcache::archive::Kind::base();
    let held = goodcache::archive::Held::default();
    shard.base[last as usize] = writer.put(Some(0), kind, last, "", held).await.unwrap();
    let manifest = super::manifest(id.clone(), id.at_ms(), vec![shard]);
    writer.finish(&manifest).await.unwrap();
    let found = faults(&repo, &["--read-data"], 3);
    let name = format!("data/{id}/00/base-{last:06}");
    assert_eq!(found, [("base.unreadable".to_owned(), name)]);
}
