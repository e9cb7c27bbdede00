//! What is applied is there, and what is put back is as it was, byte for byte.

use super::{apply, configs, run, setting};
use crate::support::server::Spec;
use crate::support::{Fleet, Home};

#[test]
fn what_is_applied_and_put_back_is_as_it_was_matrix() {
    let fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let before = configs(&fleet);
    let applied = run(&home, &apply(&fleet, &[])).expect(0);
    assert!(applied.stdout.contains("DONE"), "{}", applied.stdout);
    for server in fleet.iter() {
        assert_eq!(setting(server, "maxmemory-policy"), "allkeys-lru");
        assert_eq!(setting(server, "maxmemory"), "2147483648");
        assert_eq!(setting(server, "save"), "900 1 300 10 60 10000");
        assert_eq!(setting(server, "timeout"), "300");
    }
    // A second time there is nothing to set.
    let again = run(&home, &apply(&fleet, &[])).expect(0);
    assert!(again.stdout.contains("NOTHING TO SET"), "{}", again.stdout);

    let first = fleet[0].addr();
    let undo = ["tune", &first, "--undo", "undo.json", "--yes"];
    // Replicas may have become masters meanwhile: nodes are known by their ids.
    let back = home.goodcache(&undo).run().expect(0);
    assert!(back.stdout.contains("PUT BACK"), "{}", back.stdout);
    assert_eq!(configs(&fleet), before);
    let again = home.goodcache(&undo).run().expect(0);
    assert!(again.stdout.contains("ALREADY SO"), "{}", again.stdout);
}

#[test]
fn a_plan_and_a_missing_yes_change_nothing() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let before = configs(&fleet);
    let planned = run(&home, &apply(&fleet, &["--dry-run"])).expect(0);
    assert!(planned.stdout.contains("3 masters"), "{}", planned.stdout);
    let mut words = apply(&fleet, &[]);
    words.retain(|word| word != "--yes");
    let refused = run(&home, &words).expect(5);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    assert_eq!(configs(&fleet), before);
    assert!(!home.path().join("undo.json").exists());
}

#[test]
fn settings_are_written_to_files_where_there_are_any() {
    let fleet = Fleet::start_with(3, |_| Spec {
        has_file: true,
        ..Spec::default()
    });
    fleet.join(3);
    let home = Home::new();
    let applied = run(&home, &apply(&fleet, &["--rewrite", "-o", "json"])).expect(0);
    let nodes = applied.json()["report"]["applied"]["changed"].clone();
    for node in nodes.as_array().unwrap() {
        assert_eq!(node["is_rewritten"], true, "{node}");
    }
    let file = std::fs::read_to_string(fleet[0].dir().join("server.conf")).unwrap();
    assert!(file.contains("maxmemory-policy allkeys-lru"), "{file}");
}

#[test]
fn a_server_without_a_file_says_so_and_keeps_what_was_set() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let applied = run(&home, &apply(&fleet, &["--rewrite"])).expect(0);
    assert!(
        applied.stdout.contains("does not keep it over a restart")
            && applied.stdout.contains("without a config file"),
        "{}",
        applied.stdout
    );
    assert_eq!(setting(&fleet[0], "timeout"), "300");
}

#[test]
fn an_undo_file_is_refused_by_another_cluster_and_where_somebody_changed_a_value() {
    let (fleet, other) = (Fleet::cluster(3, 0), Fleet::cluster(3, 0));
    let home = Home::new();
    run(&home, &apply(&fleet, &[])).expect(0);
    let undo = |fleet: &Fleet, more: &[&str]| {
        let first = fleet[0].addr();
        let words = [&["tune", &first, "--undo", "undo.json", "--yes"], more].concat();
        home.goodcache(&words).run()
    };
    let before = configs(&other);
    let refused = undo(&other, &[]).expect(5);
    assert!(
        refused.stderr.contains("another cluster"),
        "{}",
        refused.stderr
    );
    assert_eq!(configs(&other), before);

    assert_eq!(fleet[1].cli(&["CONFIG", "SET", "timeout", "77"]), "OK");
    let refused = undo(&fleet, &[]).expect(5);
    assert!(refused.stderr.contains("is '77'"), "{}", refused.stderr);
    assert_eq!(setting(&fleet[0], "timeout"), "300");
    undo(&fleet, &["--even-if-changed"]).expect(0);
    assert_eq!(setting(&fleet[1], "timeout"), "0");

    home.file("undo.json", "{\"schema\": 1, \"kind\": \"survey\"}");
    let refused = undo(&fleet, &[]).expect(1);
    assert!(
        refused.stderr.contains("no undo file"),
        "{}",
        refused.stderr
    );
}
