//! The repository of backups against what it really lies on: an S3-compatible server, a folder that may
//! not be written, a disk that is full, a process that is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use futures_util::TryStreamExt;
use goodcache::archive::{
    Access, ArchiveError, Consistency, Cost, Creation, FORMAT, Held, Kind, Limits, Manifest, More,
    Protection, Repository, Run, RunState, Shard, SnapshotId, StoreError, StoreOptions, Stretch,
    Writer,
};
use goodcache::model::{Secret, SlotSet};
use tempfile::TempDir;

use crate::support::s3::S3;

const HOUR: Duration = Duration::from_secs(3600);
/// Of the process that [`a_process_that_dies_leaves_a_valid_repository`] starts and kills.
const DOOMED: &str = "GOODCACHE_TEST_DOOMED_REPOSITORY";

fn creation(protection: Option<Protection>) -> Creation {
    let cost = Cost {
        memory_kib: 64,
        passes: 1,
    };
    Creation {
        protection,
        cost,
        now_ms: now_ms(),
        ..Creation::default()
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn run() -> Run {
    Run {
        started_at_ms: now_ms(),
        host: "here".to_owned(),
        pid: std::process::id(),
    }
}

fn in_bucket(s3: &S3, url: &str, passphrase: Option<&str>) -> Access {
    let variables = [
        ("AWS_ENDPOINT_URL", s3.endpoint().as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret-key"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let limits = Limits {
        call: Duration::from_secs(10),
        pause: Duration::from_millis(10),
        ..Limits::default()
    };
    Access {
        url: url.to_owned(),
        passphrase: passphrase.map(Secret::new),
        options: StoreOptions {
            variables: variables.to_vec(),
            allow_http: false,
            limits,
        },
    }
}

fn in_folder(path: &Path) -> Access {
    Access {
        url: path.display().to_string(),
        ..Access::default()
    }
}

/// A piece of a base; half of it does not pack, so that objects have a size.
fn raw(seq: u32) -> Vec<u8> {
    let mut state = u64::from(seq) + 1;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let mut raw: Vec<u8> = (0..100_000).map(|_| noise()).collect();
    raw.resize(200_000, b'x');
    raw
}

async fn put(writer: &Writer, seq: u32) -> Result<goodcache::archive::Chunk, ArchiveError> {
    writer
        .put(Some(0), Kind::base(), seq, raw(seq), Held::default())
        .await
}

async fn take(repository: &Repository, pieces: u32) -> Result<SnapshotId, ArchiveError> {
    let id = repository.name_snapshot(now_ms())?;
    let writer = repository.begin(id.clone(), &run()).await?;
    let mut base = Vec::new();
    for seq in 0..pieces {
        base.push(put(&writer, seq).await?);
    }
    let shard = Shard {
        slots: SlotSet::full(),
        shard_id: None,
        nodes: Vec::new(),
        read_from: None,
        replid: None,
        base_offset: 0,
        cut_offset: 0,
        rdb: String::new(),
        base,
        log: Vec::new(),
        slot_table: None,
        keys: 1,
        expires: 0,
        more: More::new(),
    };
    writer.finish(&manifest(&id, shard)).await?;
    Ok(id)
}

fn manifest(id: &SnapshotId, shard: Shard) -> Manifest {
    Manifest {
        format: FORMAT,
        id: id.clone(),
        goodcache: "0.1.0".to_owned(),
        cluster: "goodbooks".to_owned(),
        taken_at_ms: id.at_ms(),
        took_ms: 1,
        consistency: Consistency::Barrier,
        write_stall_us: None,
        servers: Vec::new(),
        shards: vec![shard],
        parts: Vec::new(),
        modules: BTreeMap::new(),
        config: BTreeMap::new(),
        labels: BTreeMap::new(),
        more: More::new(),
    }
}

async fn read(repository: &Repository, asked: &str) -> Vec<Vec<u8>> {
    let manifest = repository.manifest(asked).await.unwrap();
    repository
        .pieces(&manifest, 0, Stretch::Base, None, 3)
        .map_ok(|piece| piece.raw.to_vec())
        .try_collect()
        .await
        .unwrap()
}

async fn assert_whole(repository: &Repository, id: &SnapshotId) {
    let verified = repository.verify_objects(id, true).await.unwrap();
    assert_eq!((verified.faults, verified.strays), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_an_s3_server_holds_a_repository() {
    let s3 = S3::start();
    let expected: Vec<_> = (0..5).map(raw).collect();
    for passphrase in [None, Some("correct horse")] {
        let url = format!("s3://goodcache/nightly/{}", passphrase.is_some());
        let access = in_bucket(&s3, &url, passphrase);
        let repository = Repository::create_or_open(&access, &creation(None))
            .await
            .unwrap();
        let old = take(&repository, 5).await.unwrap();
        let new = take(&repository, 5).await.unwrap();

        let again = Repository::create_or_open(&access, &creation(None))
            .await
            .unwrap();
        assert_eq!(again.snapshots().await.unwrap(), [old.clone(), new.clone()]);
        assert_eq!(read(&again, "latest").await, expected);
        assert_whole(&again, &old).await;
        again.delete(&old).await.unwrap();
        assert_eq!(again.find("latest").await.unwrap(), new);
        assert_whole(&again, &new).await;

        // Into a folder, and back into another prefix.
        let dir = TempDir::new().unwrap();
        let folder = in_folder(dir.path());
        let folder = Repository::create_or_open(&folder, &creation(None))
            .await
            .unwrap();
        again.copy_to(&folder, &new, &run()).await.unwrap();
        assert_whole(&folder, &new).await;
        let access = in_bucket(&s3, &format!("{url}-copy"), Some("other"));
        let copy = Repository::create_or_open(&access, &creation(None))
            .await
            .unwrap();
        folder.copy_to(&copy, &new, &run()).await.unwrap();
        assert_eq!(read(&copy, "latest").await, expected);

        // A run that never ended.
        let half = repository.name_snapshot(now_ms()).unwrap();
        let writer = repository.begin(half.clone(), &run()).await.unwrap();
        put(&writer, 0).await.unwrap();
        writer.abandon().await.unwrap();
        let leftovers = repository.leftovers(now_ms(), HOUR).await.unwrap();
        assert_eq!(leftovers[0].state, RunState::Dead);
        assert_eq!(repository.sweep(&leftovers).await.unwrap()[0].id, half);
        assert_eq!(repository.leftovers(now_ms(), HOUR).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_s3_server_refuses_is_named() {
    let s3 = S3::start();
    let access = in_bucket(&s3, "s3://goodcache/a", None);
    let repository = Repository::create_or_open(&access, &creation(None))
        .await
        .unwrap();

    let missing = in_bucket(&s3, "s3://no-such-bucket/a", None);
    let error = Repository::create_or_open(&missing, &creation(None))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArchiveError::Store(StoreError::NoBucket { .. })),
        "{error}"
    );

    s3.refuse_all();
    let error = repository.snapshots().await.unwrap_err();
    let is_named = matches!(
        error,
        ArchiveError::Store(StoreError::CredentialsRefused { .. })
    );
    assert!(is_named, "{error}");
    assert!(!format!("{error} {error:?} {access:?}").contains("very-secret-key"));

    let mut hasty = access.clone();
    hasty.options.limits.call = Duration::from_millis(300);
    hasty.options.limits.tries = 2;
    s3.pause();
    let start = Instant::now();
    let error = Repository::open(&hasty).await.unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "a silent store is left"
    );
    let ArchiveError::Store(StoreError::Timeout { .. }) = error else {
        panic!("{error}");
    };
    drop(s3);
    let error = Repository::open(&hasty).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Store(StoreError::Unreachable { .. })),
        "{error}"
    );
}

/// A small file system of its own, as root; ended with the test.
struct Mounted {
    dir: TempDir,
}

impl Mounted {
    /// `None` where nothing may be mounted.
    fn tmpfs(size: &str) -> Option<Mounted> {
        let dir = TempDir::new().unwrap();
        let options = format!("size={size}");
        let arguments = ["-t", "tmpfs", "-o", &options, "goodcache-test"];
        let mounted = Command::new("mount")
            .args(arguments)
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Mounted { dir })
    }

    fn make_read_only(&self) {
        let status = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.dir.path())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_what_was_there_stays() {
    let Some(disk) = Mounted::tmpfs("1m") else {
        eprintln!("nothing may be mounted here: a full disk is not tried");
        return;
    };
    let access = in_folder(disk.dir.path());
    let repository = Repository::create_or_open(&access, &creation(None))
        .await
        .unwrap();
    let whole = take(&repository, 3).await.unwrap();
    let error = take(&repository, 20).await.unwrap_err();
    assert!(
        matches!(error, ArchiveError::Store(StoreError::Full { .. })),
        "{error}"
    );
    assert_eq!(
        repository.snapshots().await.unwrap(),
        std::slice::from_ref(&whole)
    );
    assert_whole(&repository, &whole).await;
    // Sweeping needs no space for anything but its mark, and gives the space back.
    let leftovers = repository
        .leftovers(now_ms() + 7_200_000, HOUR)
        .await
        .unwrap();
    assert_eq!(leftovers[0].state, RunState::Silent);
    repository.sweep(&leftovers).await.unwrap();
    take(&repository, 3).await.unwrap();
}

#[tokio::test]
async fn a_read_only_folder_is_read_and_not_written() {
    let Some(disk) = Mounted::tmpfs("2m") else {
        eprintln!("nothing may be mounted here: a read-only folder is not tried");
        return;
    };
    let access = in_folder(disk.dir.path());
    let repository = Repository::create_or_open(&access, &creation(None))
        .await
        .unwrap();
    let id = take(&repository, 2).await.unwrap();
    disk.make_read_only();
    assert_whole(&repository, &id).await;
    for error in [
        take(&repository, 1).await.unwrap_err(),
        repository.delete(&id).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, ArchiveError::Store(StoreError::ReadOnly { .. })),
            "{error}"
        );
        assert!(error.hint().contains("writable"), "{}", error.hint());
    }
    assert_whole(&repository, &id).await;
}

#[tokio::test]
async fn a_process_that_dies_leaves_a_valid_repository() {
    let dir = TempDir::new().unwrap();
    let access = in_folder(dir.path());
    let repository = Repository::create_or_open(&access, &creation(None))
        .await
        .unwrap();
    let whole = take(&repository, 3).await.unwrap();
    for pieces in [0, 1, 4] {
        kill_after(dir.path(), pieces);
        assert_eq!(
            repository.snapshots().await.unwrap(),
            std::slice::from_ref(&whole)
        );
        assert_whole(&repository, &whole).await;
    }
    let leftovers = repository.leftovers(now_ms(), HOUR).await.unwrap();
    assert_eq!(leftovers.len(), 3);
    assert!(leftovers.iter().all(|run| run.state == RunState::MayLive));
    assert_eq!(repository.sweep(&leftovers).await.unwrap(), []);

    let later = now_ms() + 7_200_000;
    let leftovers = repository.leftovers(later, HOUR).await.unwrap();
    assert_eq!(repository.sweep(&leftovers).await.unwrap().len(), 3);
    assert_eq!(repository.leftovers(later, HOUR).await.unwrap(), []);
    assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 1);
    assert_whole(&repository, &whole).await;
}

/// Runs [`the_process_that_is_killed`] and kills it once it has written so many pieces.
fn kill_after(repository: &Path, pieces: usize) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "archive::the_process_that_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(DOOMED, repository)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let seen = lines
        .map_while(Result::ok)
        .filter(|line| line.ends_with("written"))
        .take(pieces + 1)
        .count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(seen, pieces + 1, "the writer ended by itself");
}

#[tokio::test]
#[ignore = "started by the test that kills it"]
async fn the_process_that_is_killed() {
    let Some(path) = env::var_os(DOOMED) else {
        return;
    };
    let repository = Repository::open(&in_folder(Path::new(&path)))
        .await
        .unwrap();
    let id = repository.name_snapshot(now_ms()).unwrap();
    let writer = repository.begin(id, &run()).await.unwrap();
    println!("\nnothing written");
    for seq in 0.. {
        put(&writer, seq).await.unwrap();
        println!("{seq} written");
    }
}
