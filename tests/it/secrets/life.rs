//! A cluster's whole life with secrets in files: made, checked, tuned, backed up, given another password,
//! drilled, restored.

use std::path::Path;

use super::{Watching, expect_hidden, expect_silence, keep, sow};
use crate::support::{Home, free_ports};

const PASSWORD: &str = "PlantedPassword-6b1d";
const NEW: &str = "PlantedNewPassword-f2a9";
const PASSPHRASE: &str = "PlantedPassphrase-77e3";
const VALUE: &str = "PlantedValue-0c58";
const SECRETS: [&str; 4] = [PASSWORD, NEW, PASSPHRASE, VALUE];

/// Files that hold a secret by their purpose: what the user named, a server's own data and settings, the
/// saved cluster's password, and what a rotation keeps for the way back.
fn may_hold(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_named = ["password.txt", "new.txt", "passphrase.txt"].contains(&name);
    let is_server_s = path.to_str().unwrap().contains("/goodcache/data/shop/");
    let is_kept = [
        "shop.password",
        "shop.default.old-password",
        "shop.default.old-masterauth",
    ];
    is_named || is_server_s || is_kept.contains(&name)
}

#[test]
fn a_cluster_s_whole_life_shows_no_secret() {
    let home = Home::new();
    keep(&home, "password.txt", PASSWORD);
    keep(&home, "new.txt", NEW);
    keep(&home, "passphrase.txt", PASSPHRASE);
    let watching = Watching::start(&SECRETS);
    let first = free_ports(6);
    let base = first.to_string();
    let steps: [&[&str]; 12] = [
        &[
            "create",
            "shop",
            "--local",
            "--base-port",
            &base,
            "--password-file",
            "password.txt",
            "--yes",
            "-v",
        ],
        &[
            "check",
            "shop",
            "--sample",
            "0s",
            "--save-survey",
            "survey.json",
            "-v",
            "--fail-on",
            "never",
        ],
        &[
            "check",
            "shop",
            "--sample",
            "0s",
            "-o",
            "json",
            "--fail-on",
            "never",
        ],
        &[
            "tune",
            "shop",
            "--sample",
            "0s",
            "--save-evidence",
            "evidence.json",
            "-o",
            "json",
            "-v",
        ],
        &[
            "tune",
            "shop",
            "--sample",
            "0s",
            "--apply",
            "--rewrite",
            "--yes",
            "-o",
            "json",
            "-v",
        ],
        &[
            "backup",
            "shop",
            "--repo",
            "backups",
            "--passphrase-file",
            "passphrase.txt",
            "-v",
            "-o",
            "json",
        ],
        &[
            "backup",
            "verify",
            "latest",
            "--repo",
            "backups",
            "--passphrase-file",
            "passphrase.txt",
            "--read-data",
        ],
        &[
            "rotate-password",
            "shop",
            "--new-password-file",
            "new.txt",
            "--yes",
            "-v",
            "-o",
            "json",
        ],
        &[
            "check",
            "shop",
            "--sample",
            "0s",
            "-o",
            "prometheus",
            "--fail-on",
            "never",
        ],
        &["rotate-password", "shop", "--finish", "--yes", "-v"],
        &[
            "failover-test",
            "shop",
            "--fault",
            "failover",
            "--confirm",
            "shop",
            "-o",
            "json",
            "-v",
        ],
        &[
            "restore",
            "latest",
            "shop",
            "--repo",
            "backups",
            "--passphrase-file",
            "passphrase.txt",
            "--flush",
            "--confirm",
            "shop",
            "-v",
        ],
    ];
    for (number, step) in steps.iter().enumerate() {
        let outcome = home.goodcache(step).run();
        // A drill on a busy machine may not be able to tell (4); what it says is what matters here.
        assert!(
            [0, 3, 4].contains(&outcome.code),
            "{step:?}: {}\n{}",
            outcome.code,
            outcome.stderr
        );
        expect_silence(step, &outcome, &SECRETS);
        if number == 0 {
            sow(first..first + 6, PASSWORD, VALUE);
        }
        expect_hidden(step, home.path(), &SECRETS, may_hold);
    }
    watching.end();
    home.goodcache(&["destroy", "shop", "--confirm", "shop"])
        .run()
        .expect(0);
}
