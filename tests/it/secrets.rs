//! A cluster's whole life with planted secrets: no process shows one in its arguments or environment, and
//! no file holds one but those that are meant to, which only their owner can read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fs, thread};

use crate::support::{Home, free_ports};

const PASSWORD: &str = "PlantedPassword-6b1d";
const NEW: &str = "PlantedNewPassword-f2a9";
const PASSPHRASE: &str = "PlantedPassphrase-77e3";
const VALUE: &str = "PlantedValue-0c58";
const SECRETS: [&str; 4] = [PASSWORD, NEW, PASSPHRASE, VALUE];

/// Looks at every process of this machine again and again.
fn watch(stop: Arc<AtomicBool>, looks: Arc<AtomicUsize>) -> Vec<String> {
    let mut found = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            for part in ["cmdline", "environ"] {
                let text = fs::read(process.path().join(part)).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let shown = SECRETS.iter().filter(|secret| text.contains(**secret));
                found.extend(shown.map(|secret| format!("{secret} in {part}: {text}")));
            }
        }
        looks.fetch_add(1, Ordering::Relaxed);
    }
    found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

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

/// Whether somebody else could read it: by its own mode, or by that of a folder above it.
fn is_private(path: &Path, home: &Path) -> bool {
    let folders = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != home);
    mode(path) & 0o077 == 0 || folders.into_iter().any(|folder| mode(folder) & 0o077 == 0)
}

#[test]
fn a_cluster_s_whole_life_shows_no_secret() {
    let home = Home::new();
    for (name, secret) in [
        ("password.txt", PASSWORD),
        ("new.txt", NEW),
        ("passphrase.txt", PASSPHRASE),
    ] {
        let path = home.file(name, secret);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (stop, looks) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let watching = {
        let (stop, looks) = (stop.clone(), looks.clone());
        thread::spawn(move || watch(stop, looks))
    };
    let base = free_ports(6).to_string();
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
        for secret in SECRETS {
            let said = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(!said.contains(secret), "{step:?} says {secret}");
        }
        if number == 0 {
            sow(base.parse().unwrap());
        }
        let mut all = Vec::new();
        files(home.path(), &mut all);
        for path in all {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let held = SECRETS.iter().find(|secret| text.contains(**secret));
            if let Some(secret) = held {
                assert!(
                    may_hold(&path),
                    "{step:?} wrote {secret} to {}",
                    path.display()
                );
                assert!(
                    is_private(&path, home.path()),
                    "{step:?}: {}",
                    path.display()
                );
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(watching.join().unwrap(), Vec::<String>::new());
    assert!(looks.load(Ordering::Relaxed) > 20);
    home.goodcache(&["destroy", "shop", "--confirm", "shop"])
        .run()
        .expect(0);
}

/// A key whose name and value are secret, on whichever node takes it.
fn sow(base: u16) {
    let limit = std::time::Duration::from_secs(15);
    let is_taken = (base..base + 6).any(|port| {
        let mut wire = crate::support::Wire::plain(&format!("127.0.0.1:{port}"), limit).unwrap();
        wire.ask(&["AUTH", PASSWORD]).unwrap();
        let reply = wire.ask(&["SET", VALUE, VALUE]).unwrap();
        reply == crate::support::Reply::Simple("OK".into())
    });
    assert!(is_taken);
}
