use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};

use object_store::Error;
use tempfile::TempDir;

use super::*;

fn quick(tries: u32) -> Limits {
    Limits {
        call: Duration::from_millis(100),
        tries,
        pause: Duration::from_millis(1),
        ..Limits::default()
    }
}

fn folder(dir: &TempDir) -> Store {
    Store::open(
        dir.path().to_str().unwrap(),
        false,
        &StoreOptions::default(),
    )
    .unwrap()
}

#[tokio::test]
async fn objects_come_and_go() {
    let dir = TempDir::new().unwrap();
    for store in [folder(&dir), Store::memory()] {
        assert!(store.is_empty().await.unwrap());
        store.put("a/b", "one".into()).await.unwrap();
        store.put("a/b", "two!".into()).await.unwrap();
        store.put("a/c/d", "3".into()).await.unwrap();
        store.put("ab", "4".into()).await.unwrap();
        assert!(!store.is_empty().await.unwrap());
        assert_eq!(store.get("a/b", 9).await.unwrap(), "two!");
        let error = store.get("a/b", 3).await.unwrap_err();
        assert!(
            matches!(error, StoreError::TooLarge { bytes: 4, .. }),
            "{error}"
        );
        let error = store.get_sized("a/b", 3).await.unwrap_err();
        assert!(
            matches!(error, StoreError::TooLarge { bytes: 4, .. }),
            "{error}"
        );
        assert_eq!(store.get_range("a/b", 1..3).await.unwrap(), "wo");
        assert_eq!(store.head("a/b").await.unwrap().bytes, 4);
        let names: Vec<String> = store
            .list("a")
            .await
            .unwrap()
            .into_iter()
            .map(|o| o.name)
            .collect();
        assert_eq!(names, ["a/b", "a/c/d"]);
        assert_eq!(store.list("none").await.unwrap(), []);

        store.create("a/b", "two!".into()).await.unwrap();
        let error = store.create("a/b", "five".into()).await.unwrap_err();
        assert!(matches!(error, StoreError::Exists { .. }), "{error}");
        store.delete("a/b").await.unwrap();
        store.delete("a/b").await.unwrap();
        for error in [
            store.get("a/b", 9).await.unwrap_err(),
            store.head("a/b").await.unwrap_err(),
            store.get_range("a/b", 0..1).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_vanished_is_named_and_not_made_anew() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("volume");
    let store = Store::open(root.to_str().unwrap(), true, &StoreOptions::default()).unwrap();
    store.put("a", "1".into()).await.unwrap();
    fs::remove_dir_all(&root).unwrap();
    for error in [
        store.put("b", "2".into()).await.unwrap_err(),
        store.get("a", 9).await.unwrap_err(),
        store.head("a").await.unwrap_err(),
        store.list("").await.unwrap_err(),
        store.delete("a").await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Vanished { .. }), "{error}");
        assert!(!error.hint().is_empty());
    }
    assert!(!root.exists());
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_one_that_stays_is_not() {
    let mut store = Store::memory();
    store.limits = quick(3);
    let passing = || Error::Generic {
        store: "test",
        source: "503 slow down".into(),
    };
    let staying = || Error::PermissionDenied {
        path: "a".into(),
        source: "403".into(),
    };
    let calls = AtomicU32::new(0);
    let call = || calls.fetch_add(1, Ordering::SeqCst);

    let third = store.tried("read", "a", 0, || async {
        if call() < 2 { Err(passing()) } else { Ok(7) }
    });
    assert_eq!(third.await, Ok(7));
    calls.store(0, Ordering::SeqCst);
    let error = store
        .tried("read", "a", 0, || async {
            call();
            Err::<(), _>(passing())
        })
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    assert_eq!(calls.swap(0, Ordering::SeqCst), 3);
    let error = store
        .tried("read", "a", 0, || async {
            call();
            Err::<(), _>(staying())
        })
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::CredentialsRefused { .. }),
        "{error}"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_store_that_hangs_is_left_after_the_deadline() {
    let mut store = Store::memory();
    store.limits = quick(2);
    let hangs = || std::future::pending::<object_store::Result<()>>();
    let error = store
        .tried("list", "snapshots", 0, hangs)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "memory did not list snapshots within 100 ms"
    );
}

#[test]
fn causes_are_told_apart() {
    let asked = Asked {
        what: "write",
        name: "a",
        place: "here",
    };
    let io = |kind: ErrorKind| Error::Generic {
        store: "test",
        source: Box::new(io::Error::from(kind)),
    };
    let s3 = |text: &str| Error::Generic {
        store: "S3",
        source: text.to_owned().into(),
    };
    for (error, words) in [
        (
            io(ErrorKind::StorageFull),
            "could not write a: here is full",
        ),
        (
            io(ErrorKind::QuotaExceeded),
            "could not write a: here is full",
        ),
        (
            io(ErrorKind::ReadOnlyFilesystem),
            "could not write a: here is read-only",
        ),
        (
            io(ErrorKind::PermissionDenied),
            "could not write a in here: permission denied",
        ),
        (
            s3("<Error><Code>NoSuchBucket</Code></Error>"),
            "here: there is no such bucket",
        ),
        (
            s3("status code: 403 Forbidden: <Code>AccessDenied</Code>"),
            "here: the credentials were refused: AccessDenied",
        ),
        (
            s3("error sending request for url (http://169.254.169.254/latest)"),
            "here: no credentials",
        ),
    ] {
        assert_eq!(asked.failed(&error).to_string(), words);
    }
}
