//! Whole stories of a repository, over a folder and over memory.

use std::path::Path;
use std::time::Duration;
use std::{fs, iter};

use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::crypto::tests::CHEAP;
use super::testing::{NOW, raw, run, slot, table, taken, written};
use super::*;
use crate::model::{Secret, SlotSet};

const PROTECTIONS: [Protection; 3] = [Protection::None, Protection::Signed, Protection::Sealed];
const HOUR: Duration = Duration::from_secs(3600);

fn secret(protection: Protection) -> Option<Secret> {
    (protection != Protection::None).then(|| Secret::new("correct horse"))
}

fn creation(protection: Protection) -> Creation {
    Creation {
        protection: Some(protection),
        cost: CHEAP,
        now_ms: NOW,
        ..Creation::default()
    }
}

async fn made_in(store: Store, protection: Protection) -> Repository {
    let secret = secret(protection);
    Repository::create_or_open_in(store, secret.as_ref(), &creation(protection))
        .await
        .unwrap()
}

fn access(dir: &Path) -> Access {
    Access {
        url: dir.display().to_string(),
        ..Access::default()
    }
}

async fn in_folder(protection: Protection) -> (TempDir, Repository) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(
        dir.path().to_str().unwrap(),
        false,
        &StoreOptions::default(),
    )
    .unwrap();
    (dir, made_in(store, protection).await)
}

/// All of a shard's base, as a restore reads it.
async fn read(
    repository: &Repository,
    manifest: &Manifest,
    shard: usize,
    slots: Option<&SlotSet>,
) -> Vec<Vec<u8>> {
    repository
        .pieces(manifest, shard, Stretch::Base, slots, 2)
        .map_ok(|piece| piece.raw.to_vec())
        .try_collect()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_written_is_read_back_whatever_the_place_and_the_protection() {
    for protection in PROTECTIONS {
        let (_dir, folder) = in_folder(protection).await;
        for repository in [folder, made_in(Store::memory(), protection).await] {
            let id = taken(&repository, NOW).await;
            let manifest = repository.manifest("latest").await.unwrap();
            assert_eq!(manifest.id, id);
            for shard in 0..2 {
                let expected: Vec<_> = (0..3).map(|seq| raw(shard, seq)).collect();
                assert_eq!(
                    read(&repository, &manifest, shard as usize, None).await,
                    expected
                );
            }
            assert_eq!(
                repository.slot_table(&manifest, 1).await.unwrap(),
                Some(table())
            );
            assert_eq!(repository.slot_table(&manifest, 0).await.unwrap(), None);
            let acl = repository
                .parts(&manifest, &Kind::new("acl").unwrap())
                .await
                .unwrap();
            assert_eq!(acl, [b"user default on"]);
            for read_data in [false, true] {
                let verified = repository.verify_objects(&id, read_data).await.unwrap();
                assert_eq!(verified.objects, 8);
                assert_eq!(verified.bytes, manifest.stored_bytes());
                assert_eq!((verified.faults, verified.strays), (vec![], vec![]));
            }
        }
    }
}

#[tokio::test]
async fn of_some_slots_only_their_objects_are_read() {
    let repository = made_in(Store::memory(), Protection::None).await;
    taken(&repository, NOW).await;
    let manifest = repository.manifest("latest").await.unwrap();
    for (first, last, expected) in [
        (0, 5, vec![0]),
        (2000, 2000, vec![0, 1]),
        (4001, 9000, vec![2]),
        (9000, 9001, vec![]),
    ] {
        let slots = SlotSet::range(slot(first), slot(last));
        let expected: Vec<_> = expected.into_iter().map(|seq| raw(0, seq)).collect();
        assert_eq!(
            read(&repository, &manifest, 0, Some(&slots)).await,
            expected
        );
    }
    assert!(read(&repository, &manifest, 9, None).await.is_empty());
}

#[tokio::test]
async fn a_snapshot_is_found_by_what_names_it_alone() {
    let repository = made_in(Store::memory(), Protection::None).await;
    let error = repository.find("latest").await.unwrap_err();
    assert!(matches!(error, ArchiveError::NoSnapshots { .. }), "{error}");
    let (old, new) = (
        taken(&repository, NOW).await,
        taken(&repository, NOW + 86_400_000).await,
    );
    assert_eq!(
        repository.snapshots().await.unwrap(),
        [old.clone(), new.clone()]
    );
    for (asked, found) in [
        ("latest", &new),
        (old.as_str(), &old),
        ("20240301", &new),
        ("20240229", &old),
    ] {
        assert_eq!(repository.find(asked).await.unwrap(), *found);
    }
    let error = repository.find("2024").await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Ambiguous { ref found, .. } if found.len() == 2),
        "{error}"
    );
    for asked in ["2025", "", "../config"] {
        let error = repository.find(asked).await.unwrap_err();
        assert!(
            matches!(error, ArchiveError::NoSuchSnapshot { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_passphrase_is_asked_for_and_must_be_the_one() {
    for protection in [Protection::Signed, Protection::Sealed] {
        let store = Store::memory();
        made_in(store.clone(), protection).await;
        let error = Repository::open_in(store.clone(), None).await.unwrap_err();
        assert!(
            matches!(error, ArchiveError::NeedsPassphrase { .. }),
            "{error}"
        );
        let wrong = Secret::new("wrong");
        let error = Repository::open_in(store.clone(), Some(&wrong))
            .await
            .unwrap_err();
        assert_eq!(error, CryptoError::WrongPassphrase.into());
        // A config that calls a sealed repository signed, or the other way round.
        let text =
            String::from_utf8(store.get("config.json", 9999).await.unwrap().to_vec()).unwrap();
        let edited = match protection {
            Protection::Sealed => text.replace("sealed", "signed"),
            _ => text.replace("signed", "sealed"),
        };
        store.put("config.json", edited.into()).await.unwrap();
        let secret = secret(protection);
        let error = Repository::open_in(store.clone(), secret.as_ref())
            .await
            .unwrap_err();
        assert_eq!(error, CryptoError::WrongPassphrase.into());
        // One that calls it open is not believed by whoever has a passphrase.
        let edited = text.replace("sealed", "none").replace("signed", "none");
        store.put("config.json", edited.into()).await.unwrap();
        let error = Repository::open_in(store, secret.as_ref())
            .await
            .unwrap_err();
        assert!(
            matches!(error, ArchiveError::NotProtected { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_no_repository_is_named() {
    let dir = TempDir::new().unwrap();
    let error = Repository::open(&access(dir.path())).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::NoRepository { .. }),
        "{error}"
    );
    fs::write(dir.path().join("letter.txt"), "dear").unwrap();
    let creation = creation(Protection::None);
    let error = Repository::create_or_open(&access(dir.path()), &creation)
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotEmpty { .. }), "{error}");
    for (config, is_newer) in [
        ("{\"goodcache_repository\": 2}", true),
        ("{}", false),
        ("no", false),
    ] {
        fs::write(dir.path().join("config.json"), config).unwrap();
        let error = Repository::open(&access(dir.path())).await.unwrap_err();
        assert_eq!(
            matches!(error, ArchiveError::Newer { .. }),
            is_newer,
            "{error}"
        );
        assert!(!error.hint().is_empty());
    }
    let error = Repository::open(&access(&dir.path().join("none")))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::Store(StoreError::NoFolder { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn harm_to_an_object_is_found_and_says_which() {
    for protection in PROTECTIONS {
        let (dir, repository) = in_folder(protection).await;
        let id = taken(&repository, NOW).await;
        let file = |name: &str| dir.path().join(format!("data/{id}/{name}"));
        let mut bytes = fs::read(file("00/base-000000")).unwrap();
        let middle = bytes.len() - 20;
        bytes[middle] ^= 1;
        fs::write(file("00/base-000000"), bytes).unwrap();
        let bytes = fs::read(file("00/base-000001")).unwrap();
        fs::write(file("00/base-000001"), &bytes[..50]).unwrap();
        fs::remove_file(file("00/base-000002")).unwrap();
        fs::rename(file("01/base-000000"), file("swap")).unwrap();
        fs::rename(file("01/base-000001"), file("01/base-000000")).unwrap();
        fs::rename(file("swap"), file("01/base-000001")).unwrap();
        fs::write(file("stray"), "x").unwrap();

        let verified = repository.verify_objects(&id, true).await.unwrap();
        let found: Vec<String> = verified
            .faults
            .iter()
            .map(|fault| match fault {
                ChunkError::Damaged { name } => format!("damaged {name}"),
                ChunkError::Truncated { name, found, .. } => format!("{found} of {name}"),
                ChunkError::Missing { name } => format!("missing {name}"),
                ChunkError::Swapped { name, found } => format!("{found} in {name}"),
                other => format!("{other:?}"),
            })
            .collect();
        let name = |name: &str| format!("data/{id}/{name}");
        assert_eq!(
            found,
            [
                format!("missing {}", name("00/base-000002")),
                format!("damaged {}", name("00/base-000000")),
                format!("50 of {}", name("00/base-000001")),
                format!("{} in {}", name("01/base-000001"), name("01/base-000000")),
                format!("{} in {}", name("01/base-000000"), name("01/base-000001")),
            ]
        );
        assert_eq!(verified.strays, [name("stray")]);
        // A restore meets the same and stops.
        let manifest = repository.manifest_of(&id).await.unwrap();
        let pieces = repository.pieces(&manifest, 0, Stretch::Base, None, 1);
        let error = pieces.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(
            matches!(error, ArchiveError::Chunk(ChunkError::Damaged { .. })),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_manifest_lists_all_that_was_put_and_nothing_else() {
    let repository = made_in(Store::memory(), Protection::None).await;
    let id = SnapshotId::new(NOW, 1);
    let begun = || async { repository.begin(id.clone(), &run()).await.unwrap() };
    let writer = begun().await;
    let error = repository.begin(id.clone(), &run()).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::SnapshotExists { .. }),
        "{error}"
    );

    let mut fewer = written(&writer).await;
    fewer.shards[0].base.pop();
    let error = writer.finish(&fewer).await.unwrap_err();
    assert!(matches!(error, ArchiveError::NotWritten { .. }), "{error}");
    assert_eq!(repository.snapshots().await.unwrap(), []);

    let other = SnapshotId::new(NOW, 2);
    let writer = repository.begin(other.clone(), &run()).await.unwrap();
    let mut more = written(&writer).await;
    let mut invented = more.shards[0].base[2].clone();
    invented.name = invented.name.replace("000002", "000003");
    more.shards[0].base.push(invented);
    let error = writer.finish(&more).await.unwrap_err();
    assert!(matches!(error, ArchiveError::NotWritten { .. }), "{error}");
}

#[tokio::test]
async fn a_writer_whose_objects_were_taken_away_does_not_finish() {
    let repository = made_in(Store::memory(), Protection::None).await;
    let writer = repository
        .begin(SnapshotId::new(NOW, 1), &run())
        .await
        .unwrap();
    let manifest = written(&writer).await;
    let far = NOW + 100 * 365 * 86_400_000;
    let leftovers = repository.leftovers(far, HOUR).await.unwrap();
    repository.sweep(&leftovers).await.unwrap();
    let error = writer.finish(&manifest).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Swept { .. }), "{error}");
    assert_eq!(repository.snapshots().await.unwrap(), []);
}

#[tokio::test]
async fn only_what_is_dead_or_silent_is_swept() {
    let (dir, repository) = in_folder(Protection::None).await;
    let whole = taken(&repository, NOW).await;
    let run = run();
    let begin = |random| repository.begin(SnapshotId::new(NOW, random), &run);
    let living = begin(1).await.unwrap();
    written(&living).await;
    let dead = begin(2).await.unwrap();
    written(&dead).await;
    let dead_id = dead.id().clone();
    dead.abandon().await.unwrap();
    // What a process killed in the middle of a write leaves.
    let torn = dir
        .path()
        .join(format!("data/{}/00/base-000003#1", living.id()));
    fs::write(&torn, "half").unwrap();

    let written_ms = repository
        .store
        .head(&format!("data/{}/run.json", living.id()))
        .await
        .unwrap()
        .written_ms;
    let states = |leftovers: &[Leftover]| -> Vec<(SnapshotId, u64, RunState)> {
        leftovers
            .iter()
            .map(|run| (run.id.clone(), run.objects, run.state))
            .collect()
    };
    let leftovers = repository.leftovers(written_ms + 1000, HOUR).await.unwrap();
    assert_eq!(
        states(&leftovers),
        [
            (living.id().clone(), 10, RunState::MayLive),
            (dead_id.clone(), 10, RunState::Dead),
        ]
    );
    let swept = repository.sweep(&leftovers).await.unwrap();
    assert_eq!(states(&swept), [(dead_id, 10, RunState::Dead)]);

    let later = written_ms + 2 * 3_600_000;
    let leftovers = repository.leftovers(later, HOUR).await.unwrap();
    assert_eq!(
        states(&leftovers),
        [(living.id().clone(), 10, RunState::Silent)]
    );
    repository.sweep(&leftovers).await.unwrap();
    assert_eq!(repository.leftovers(later, HOUR).await.unwrap(), []);
    let left: Vec<_> = fs::read_dir(dir.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [whole.as_str()]);
    assert!(
        repository
            .verify_objects(&whole, true)
            .await
            .unwrap()
            .faults
            .is_empty()
    );
}

#[tokio::test]
async fn a_deleted_snapshot_is_gone_and_the_others_stay() {
    let (dir, repository) = in_folder(Protection::Sealed).await;
    let (old, new) = (
        taken(&repository, NOW).await,
        taken(&repository, NOW + 1).await,
    );
    repository.delete(&old).await.unwrap();
    assert_eq!(
        repository.snapshots().await.unwrap(),
        iter::once(new.clone()).collect::<Vec<_>>()
    );
    assert!(!dir.path().join(format!("data/{old}")).exists());
    assert!(
        repository
            .verify_objects(&new, true)
            .await
            .unwrap()
            .faults
            .is_empty()
    );
    let error = repository.delete(&old).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::NoSuchSnapshot { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_copy_brings_what_is_missing_between_any_two_repositories() {
    for from in PROTECTIONS {
        let source = made_in(Store::memory(), from).await;
        let id = taken(&source, NOW).await;
        for to in PROTECTIONS {
            let (dir, target) = in_folder(to).await;
            // An earlier copy got so far: two pieces, one of them damaged since.
            let half = source.copy_to(&target, &id, &run()).await.unwrap();
            assert_eq!((half.objects, half.already), (8, 0));
            fs::remove_file(dir.path().join(target.manifest_name(&id))).unwrap();
            let file = |name: &str| dir.path().join(format!("data/{id}/{name}"));
            fs::remove_file(file("00/base-000001")).unwrap();
            let mut bytes = fs::read(file("01/base-000001")).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(file("01/base-000001"), bytes).unwrap();

            let copied = source.copy_to(&target, &id, &run()).await.unwrap();
            assert_eq!(
                (copied.objects, copied.already),
                (2, 6),
                "{from:?} to {to:?}"
            );
            let verified = target.verify_objects(&id, true).await.unwrap();
            assert_eq!((verified.faults, verified.strays), (vec![], vec![]));
            let manifest = target.manifest_of(&id).await.unwrap();
            assert_eq!(read(&target, &manifest, 1, None).await[2], raw(1, 2));

            let again = source.copy_to(&target, &id, &run()).await.unwrap();
            assert_eq!((again.objects, again.already), (0, 8));
            fs::remove_file(file("00/base-000001")).unwrap();
            let error = source.copy_to(&target, &id, &run()).await.unwrap_err();
            assert!(
                matches!(error, ArchiveError::Chunk(ChunkError::Missing { .. })),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_damaged_object_is_not_copied() {
    let (dir, source) = in_folder(Protection::None).await;
    let id = taken(&source, NOW).await;
    let file = dir.path().join(format!("data/{id}/00/base-000000"));
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).unwrap();
    let target = made_in(Store::memory(), Protection::None).await;
    let error = source.copy_to(&target, &id, &run()).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Chunk(ChunkError::Damaged { .. })),
        "{error}"
    );
    assert_eq!(target.snapshots().await.unwrap(), []);
}
