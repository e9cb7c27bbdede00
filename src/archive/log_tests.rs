//! Whole stories of a time line in a repository: sealed, listed, read, refused.

use bytes::Bytes;

use super::crypto::tests::CHEAP;
use super::testing::{NOW, run};
use super::*;
use crate::model::{NodeAddr, NodeId, Secret, SlotSet};

const REPLID: &str = "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb";
const PROTECTIONS: [Protection; 3] = [Protection::None, Protection::Signed, Protection::Sealed];

async fn made_in(store: Store, protection: Protection) -> Repository {
    let secret = (protection != Protection::None).then(|| Secret::new("correct horse"));
    let creation = Creation {
        protection: Some(protection),
        cost: CHEAP,
        now_ms: NOW,
        ..Creation::default()
    };
    Repository::create_or_open_in(store, secret.as_ref(), &creation)
        .await
        .unwrap()
}

fn line() -> LineId {
    LineId {
        folder: folder_of("goodbooks"),
        run: SnapshotId::new(NOW, 9),
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len());
    for word in words {
        out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    out.into_bytes()
}

/// Writes shards' segments as a follower does.
struct Sealing {
    repository: Repository,
    shard: u32,
    seq: u32,
    at: u64,
}

impl Sealing {
    fn of(repository: &Repository, shard: u32, at: u64) -> Sealing {
        Sealing {
            repository: repository.clone(),
            shard,
            seq: 0,
            at,
        }
    }

    /// Batches with their stamps, up to that time.
    async fn seal(&mut self, batches: &[(u64, Vec<u8>)], last_ms: u64) -> SegmentName {
        let bytes: u64 = batches.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let name = SegmentName {
            line: line(),
            shard: self.shard,
            seq: self.seq,
            replid: REPLID[..8].to_owned(),
            span: Span {
                first_offset: self.at,
                last_offset: self.at + bytes,
                first_ms: batches.first().map_or(last_ms, |batch| batch.0),
                last_ms,
            },
        };
        let head = SegmentHead {
            format: 0,
            replid: REPLID.to_owned(),
            first_command: self.at,
            commands: 0,
            ends_inside: false,
            slots: SlotSet::full(),
        };
        let frames: Vec<(u64, Bytes)> = batches
            .iter()
            .map(|(at_ms, bytes)| (*at_ms, Bytes::from(bytes.clone())))
            .collect();
        let raw = encode_segment(head, &frames);
        self.repository
            .put_segment(&name, raw.into())
            .await
            .unwrap();
        (self.seq, self.at) = (self.seq + 1, self.at + bytes);
        name
    }
}

async fn owners(repository: &Repository, seq: u32, at_ms: u64) {
    let name = EventName {
        line: line(),
        seq,
        kind: EventKind::Owners,
        at_ms,
    };
    let owner = Owner {
        shard: 0,
        slots: SlotSet::full(),
        leaving: SlotSet::new(),
        master: "07c37dfeb235213a872192d90877d0cd55635b91"
            .parse::<NodeId>()
            .unwrap(),
        addr: "127.0.0.1:7000".parse::<NodeAddr>().unwrap(),
        nodes: Vec::new(),
    };
    let owners = Owners::new("goodbooks", at_ms, vec![owner]);
    repository.put_event(&name, &owners).await.unwrap();
}

/// A base of one shard, cut at that offset.
async fn base(repository: &Repository, at_ms: u64, cut: u64) -> SnapshotId {
    let id = repository.name_snapshot(at_ms).unwrap();
    let writer = repository.begin(id.clone(), &run()).await.unwrap();
    let mut manifest = testing::written(&writer).await;
    manifest.shards[0].replid = Some(REPLID.to_owned());
    manifest.shards[0].cut_offset = cut;
    manifest.shards[1].replid = Some(REPLID.to_owned());
    manifest.shards[1].cut_offset = 10_000 + cut;
    writer.finish(&manifest).await.unwrap();
    id
}

/// `shard at name` of each, owners as `owners`.
async fn told(replay: &mut Replay) -> Result<Vec<String>, ArchiveError> {
    let mut told = Vec::new();
    while let Some(logged) = replay.next().await? {
        told.push(match logged {
            Logged::Owners(owners) => format!("owners {}", owners.at_ms - NOW),
            Logged::Write(write) => {
                let last = write.words.last().unwrap();
                let last = String::from_utf8_lossy(last);
                format!("{} {} {last}", write.shard, write.at_ms - NOW)
            }
        });
    }
    Ok(told)
}

fn set(value: &str) -> Vec<u8> {
    command(&["SET", "key", value])
}

/// Two shards, of which the second begins at another offset; a transaction that ends in the next batch,
/// and a command in two halves over two segments.
async fn story(repository: &Repository) -> SnapshotId {
    let base = base(repository, NOW + 5, set("a").len() as u64).await;
    owners(repository, 0, NOW).await;
    owners(repository, 1, NOW + 30).await;
    let (mut first, mut second) = (
        Sealing::of(repository, 0, 0),
        Sealing::of(repository, 1, 10_000),
    );
    let half = set("halved");
    let transaction = [command(&["MULTI"]), set("in")].concat();
    let batches = [
        (NOW + 1, set("a")),
        (NOW + 10, set("b")),
        (NOW + 20, transaction),
        (NOW + 40, [command(&["EXEC"]), half[..9].to_vec()].concat()),
    ];
    first.seal(&batches, NOW + 45).await;
    first
        .seal(&[(NOW + 50, half[9..].to_vec())], NOW + 99)
        .await;
    let batches = [(NOW + 2, set("x")), (NOW + 15, set("y"))];
    second.seal(&batches, NOW + 45).await;
    second.seal(&[(NOW + 60, set("z"))], NOW + 90).await;
    base
}

#[tokio::test]
async fn a_moment_is_played_in_the_order_of_its_stamps() {
    for protection in PROTECTIONS {
        let repository = made_in(Store::memory(), protection).await;
        let base = story(&repository).await;
        for (at, expected) in [
            (5, vec!["owners 0"]),
            (14, vec!["owners 0", "0 10 b"]),
            // The transaction has not ended.
            (39, vec!["owners 0", "0 10 b", "1 15 y", "owners 30"]),
            (
                90,
                vec![
                    "owners 0",
                    "0 10 b",
                    "1 15 y",
                    "owners 30",
                    "0 40 MULTI",
                    "0 40 in",
                    "0 40 EXEC",
                    "0 50 halved",
                    "1 60 z",
                ],
            ),
        ] {
            let moment = repository
                .moment("goodbooks", NOW + at)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(moment.base.id, base);
            let mut replay = repository.replay(&moment);
            assert_eq!(
                told(&mut replay).await.unwrap(),
                expected,
                "{protection:?} {at}"
            );
        }
    }
}

#[tokio::test]
async fn outside_the_nearest_moments_are_named() {
    let repository = made_in(Store::memory(), Protection::None).await;
    let nothing = repository.moment("goodbooks", NOW).await.unwrap();
    assert!(matches!(nothing.unwrap_err(), NoMoment::Nothing { .. }));
    story(&repository).await;
    base(&repository, NOW + 500, 7_000).await;
    for (at, before_ms, after_ms) in [
        (4, None, Some(NOW + 5)),
        (91, Some(NOW + 90), Some(NOW + 500)),
        (501, Some(NOW + 500), None),
    ] {
        let no = repository.moment("goodbooks", NOW + at).await.unwrap();
        let expected = NoMoment::Outside {
            at_ms: NOW + at,
            before_ms,
            after_ms,
        };
        assert_eq!(no.unwrap_err(), expected);
    }
    let of_another = repository.moment("other", NOW + 10).await.unwrap();
    assert!(matches!(of_another.unwrap_err(), NoMoment::Nothing { .. }));
    let of_a_snapshot = repository.moment("goodbooks", NOW + 500).await.unwrap();
    assert_eq!(of_a_snapshot.unwrap().line, None);
}

#[tokio::test]
async fn what_is_not_as_it_was_written_is_named() {
    for protection in PROTECTIONS {
        let store = Store::memory();
        let repository = made_in(store.clone(), protection).await;
        story(&repository).await;
        let line = &repository.time_lines(None).await.unwrap()[0];
        let segments = &line.strands[0].joined[0].segments;
        let (name, other) = (segments[1].name.name(), segments[0].name.name());
        let stored = store.get(&name, 1 << 20).await.unwrap();
        let mut flipped = stored.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let swapped = store.get(&other, 1 << 20).await.unwrap();
        for bad in [
            flipped,
            stored[..stored.len() - 1].to_vec(),
            swapped.to_vec(),
            vec![],
        ] {
            store.put(&name, bad.into()).await.unwrap();
            let moment = repository
                .moment("goodbooks", NOW + 90)
                .await
                .unwrap()
                .unwrap();
            let error = told(&mut repository.replay(&moment)).await.unwrap_err();
            assert!(error.to_string().contains(&name), "{protection:?}: {error}");
        }
        store.delete(&name).await.unwrap();
        let no = repository.moment("goodbooks", NOW + 90).await.unwrap();
        assert!(matches!(no.unwrap_err(), NoMoment::Outside { .. }));
    }
}

#[tokio::test]
async fn a_segment_of_another_key_does_not_pass_for_ours() {
    let (ours, theirs) = (Store::memory(), Store::memory());
    let repository = made_in(ours.clone(), Protection::Signed).await;
    story(&repository).await;
    story(&made_in(theirs.clone(), Protection::Signed).await).await;
    let line = &repository.time_lines(None).await.unwrap()[0];
    let name = line.strands[0].joined[0].segments[0].name.clone();
    let forged = theirs.get(&name.name(), 1 << 20).await.unwrap();
    ours.put(&name.name(), forged).await.unwrap();
    let error = repository.segment(&name).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Chunk(ChunkError::NotOurs { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_stored_twice_is_played_once() {
    let repository = made_in(Store::memory(), Protection::None).await;
    story(&repository).await;
    let mut again = Sealing::of(&repository, 0, set("a").len() as u64);
    again.seq = 7;
    again.seal(&[(NOW + 11, set("b"))], NOW + 12).await;
    let moment = repository
        .moment("goodbooks", NOW + 16)
        .await
        .unwrap()
        .unwrap();
    let told = told(&mut repository.replay(&moment)).await.unwrap();
    assert_eq!(told, ["owners 0", "0 10 b", "1 15 y"]);
}

#[tokio::test]
async fn a_time_is_read_without_a_base() {
    let repository = made_in(Store::memory(), Protection::None).await;
    story(&repository).await;
    let line = &repository.time_lines(Some("goodbooks")).await.unwrap()[0];
    assert_eq!(
        (line.cluster(), line.segments()),
        ("goodbooks".to_owned(), 4)
    );
    let mut replay = Replay::between(&repository, line, NOW + 15, NOW + 50);
    let told = told(&mut replay).await.unwrap();
    let expected = [
        "owners 0",
        "1 15 y",
        "owners 30",
        "0 40 MULTI",
        "0 40 in",
        "0 40 EXEC",
        "0 50 halved",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_line_goes_over_to_another_repository_once() {
    let repository = made_in(Store::memory(), Protection::Signed).await;
    let other = made_in(Store::memory(), Protection::Sealed).await;
    story(&repository).await;
    let line = &repository.time_lines(None).await.unwrap()[0];
    let copied = repository.copy_line(&other, line).await.unwrap();
    assert_eq!((copied.objects, copied.already), (6, 0));
    let again = repository.copy_line(&other, line).await.unwrap();
    assert_eq!((again.objects, again.already), (0, 6));
    let name = &line.strands[0].joined[0].segments[0].name;
    assert_eq!(
        other.segment(name).await.unwrap(),
        repository.segment(name).await.unwrap()
    );
}
