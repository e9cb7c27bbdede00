//! What is secret stays so: in no file, no message, no process list.

use super::*;
use crate::support::Spec;

const PASSWORD: &str = "PasswordOfTheCluster-7c1e";
const PASSPHRASE: &str = "PassphraseOfTheVault-93ab";
const VALUE: &str = "ValueOfOneKey-5d20c4e19b7f";

fn guarded() -> Stage {
    let fleet = Fleet::start_with(1, |_| Spec {
        password: Some(PASSWORD.to_owned()),
        ..Spec::default()
    });
    fleet.join(1);
    Stage::with(fleet, 1)
}

/// The files under a folder that hold those words.
fn holding(folder: &Path, words: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, words));
        } else if fs::read(&path)
            .unwrap_or_default()
            .windows(words.len())
            .any(|window| window == words.as_bytes())
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn nothing_secret_is_in_a_file_a_message_or_the_process_list() {
    let stage = guarded();
    stage.sow(20);
    stage.fleet[0].cli(&["SET", VALUE, VALUE]);
    stage.slow(Duration::from_millis(50));
    let sealed = |args: &[&str]| {
        let backup = stage.backup(args);
        backup
            .env("REDIS_PASSWORD", PASSWORD)
            .env("GOODCACHE_PASSPHRASE", PASSPHRASE)
    };
    let running = sealed(&["--verbose"]).spawn();
    let held = stage.hold_base();
    let line = fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    assert!(line.contains("backup"), "{line}");
    // Half-way too, with what is written to put things back by.
    for secret in [PASSWORD, PASSPHRASE, VALUE] {
        assert!(!line.contains(secret));
        assert_eq!(holding(stage.home.path(), secret), Vec::<PathBuf>::new());
    }
    drop(held);
    let outcome = running.wait().expect(0);
    for secret in [PASSWORD, PASSPHRASE, VALUE] {
        assert!(!outcome.stderr.contains(secret) && !outcome.stdout.contains(secret));
        assert_eq!(holding(stage.home.path(), secret), Vec::<PathBuf>::new());
    }
    let taken = prove(&open(&stage.folder(), Some(PASSPHRASE)), "latest");
    assert_eq!(taken.keys(), 21);
    let users = String::from_utf8(taken.parts("acl").remove(0)).unwrap();
    assert!(!users.contains("(not kept)"), "sealed, users are whole");

    let wrong = sealed(&[])
        .env("GOODCACHE_PASSPHRASE", "wrong")
        .run()
        .expect(4);
    assert_eq!(wrong.stdout, "");
    let lines: Vec<&str> = wrong.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", wrong.stderr);
    assert!(lines[0].contains("passphrase") && lines[1].starts_with("next: "));
    stage.expect_as_before();
}

#[test]
fn an_open_repository_holds_no_password_either() {
    let stage = guarded();
    stage.sow(5);
    let outcome = stage
        .backup(&[])
        .env("REDIS_PASSWORD", PASSWORD)
        .run()
        .expect(0);
    assert_eq!(stage.proven(&outcome).keys(), 5);
    assert_eq!(holding(stage.home.path(), PASSWORD), Vec::<PathBuf>::new());
}
