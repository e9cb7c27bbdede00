//! Typed wrongly, or into a place where it cannot work: one clear error, the next step, the right exit
//! code, and nothing changed.

use super::*;

/// Runs it and gives what was said, having made sure that it is an error with a next step.
#[track_caller]
fn wrong(stage: &Stage, words: &[&str], code: i32) -> String {
    let outcome = stage.home.goodcache(words).within(LIMIT).run().expect(code);
    assert_eq!(outcome.stdout, "", "{words:?}");
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    outcome.stderr
}

#[test]
fn values_that_make_no_sense_are_named() {
    let stage = Stage::new();
    let target = empty(1);
    let (addr, url) = (target[0].addr(), stage.repository());
    for (flags, said) in [
        (&["--type", "strings"][..], "string, list, set"),
        (&["--slots", "0-16384"], "0 to 16383"),
        (&["--slots", "x"], "0 to 16383"),
        (&["--order", "coldest"], "hottest"),
        (&["--rate", "fast"], "--rate"),
        (&["--max-latency", "5"], "--max-latency"),
        (&["--min-ttl", "soon"], "--min-ttl"),
        (&["--replace", "--flush"], "--flush"),
        (&["--replace", "--skip-existing"], "--skip-existing"),
        (&["--relpace"], "--replace"),
        (&["--passphrase", "x"], "--passphrase"),
    ] {
        let mut words = vec!["restore", "latest", &addr, "--repo", &url];
        words.extend(flags);
        let told = wrong(&stage, &words, 2);
        assert!(told.contains(said), "{flags:?}: {told}");
    }
    assert_eq!(keys(&[&target[0]]), 0);
}

#[test]
fn what_is_not_there_is_named_with_a_next_step() {
    let stage = Stage::new();
    let target = empty(1);
    let (addr, url) = (target[0].addr(), stage.repository());
    let dead = format!("127.0.0.1:{}", crate::support::free_ports(1));
    let guarded = Server::start_with(Spec {
        password: Some("pl4nted".to_owned()),
        ..Spec::default()
    });
    let guarded = guarded.addr();
    let damaged = stage
        .home
        .file("damaged.rdb", "no dump at all, but some text");
    let empty_file = stage.home.file("empty.rdb", "");
    let (damaged, empty_file) = (
        damaged.display().to_string(),
        empty_file.display().to_string(),
    );
    let folder = stage.home.path().join("none");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.display().to_string();
    let mut others = Vec::new();
    for (words, code, said) in [
        (&["latest", &addr][..], 2, "--repo"),
        (
            &["20200101T000000", &addr, "--repo", &url],
            2,
            "20200101T000000",
        ),
        (
            &["latest", &addr, "--repo", &url, "--of", "nobody"],
            2,
            "nobody",
        ),
        (&["latest", &dead, "--repo", &url], 4, &dead),
        (&["latest", &guarded, "--repo", &url], 4, "password"),
        (&["latest", "--repo", &url], 2, "no cluster is named"),
        (&[&addr, "--rdb", "/nowhere/x.rdb"], 4, "/nowhere/x.rdb"),
        (&[&addr, "--rdb", &damaged], 4, "damaged.rdb"),
        (&[&addr, "--rdb", &empty_file], 4, "empty.rdb"),
        (&[&addr, "--rdb", &folder], 2, &folder),
        (
            &["latest", &addr, "--repo", &url, "--confirm", "other"],
            5,
            "--confirm",
        ),
    ] {
        let mut all = vec!["restore"];
        all.extend(words);
        let run = stage.home.goodcache(&all).within(LIMIT).run();
        let told = &run.stderr;
        if run.code != code || !told.contains(said) || !told.contains("next: ") {
            others.push(format!(
                "{words:?}: {} rather than {code}: {told}",
                run.code
            ));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert_eq!(keys(&[&target[0]]), 0);
}

#[test]
fn a_wrong_password_changes_nothing() {
    let stage = Stage::new();
    let guarded = Server::start_with(Spec {
        password: Some("pl4nted-right".to_owned()),
        ..Spec::with_args(&["--cluster-enabled", "no"])
    });
    let run = stage
        .restore(&guarded.addr(), &[])
        .env("GOODCACHE_PASSWORD", "pl4nted-wrong");
    let outcome = run.run().expect(4);
    assert!(outcome.stderr.contains("password") && outcome.stderr.contains("next: "));
    assert!(!outcome.stderr.contains("pl4nted"), "{}", outcome.stderr);
    assert_eq!(keys(&[&guarded]), 0);
}

#[test]
fn a_journal_that_cannot_be_written_stops_it_before_the_first_key() {
    let stage = Stage::new();
    let target = empty(1);
    let addr = target[0].addr();
    target[0].cli(&["SET", "own", "1"]);
    // A file where a folder is wanted: also root cannot write below it.
    let no_folder = stage.home.file("no-folder", "").into_os_string();
    let flush = ["--flush", "--confirm", &addr];
    let mut run = stage.restore(&addr, &flush);
    for kind in ["XDG_STATE_HOME", "XDG_DATA_HOME"] {
        run = run.env(kind, no_folder.clone());
    }
    let outcome = run.run().expect(4);
    let told = &outcome.stderr;
    assert!(
        told.contains("journal") && told.contains("next: "),
        "{told}"
    );
    assert!(!told.contains("half-way"), "{told}");
    assert_eq!(target[0].cli(&["GET", "own"]).trim(), "1");
    assert_eq!(keys(&[&target[0]]), 1);
    // A look changes nothing and needs none.
    let look = stage.restore(&addr, &["--flush", "--dry-run"]);
    look.env("XDG_DATA_HOME", no_folder).run().expect(0);
}
