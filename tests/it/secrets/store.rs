//! Secrets in the environment: the password of a cluster, the keys of a bucket and of the one that copies
//! go to, both passphrases. A real server of buckets takes the backups, refuses them, and is gone.

use std::path::Path;

use super::{Watching, expect_hidden, expect_silence, sow};
use crate::support::s3::S3;
use crate::support::{Home, Outcome, free_ports};

const PASSWORD: &str = "PlantedPassword-a94f";
const KEY: &str = "PlantedBucketKey-e4d0";
const TO_KEY: &str = "PlantedOtherBucketKey-19b6";
const TOKEN: &str = "PlantedSessionToken-5c7a";
const PASSPHRASE: &str = "PlantedPassphrase-b21c";
const TO_PASSPHRASE: &str = "PlantedOtherPassphrase-803e";
const VALUE: &str = "PlantedValue-3df9";
const SECRETS: [&str; 7] = [
    PASSWORD,
    KEY,
    TO_KEY,
    TOKEN,
    PASSPHRASE,
    TO_PASSPHRASE,
    VALUE,
];
const REPO: [&str; 2] = ["--repo", "s3://goodcache/near"];

fn run(home: &Home, s3: &S3, args: &[&str]) -> Outcome {
    let mut run = home.goodcache(args);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", s3.endpoint().as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE"),
        ("AWS_SECRET_ACCESS_KEY", KEY),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("GOODCACHE_TO_AWS_SECRET_ACCESS_KEY", TO_KEY),
        ("GOODCACHE_PASSPHRASE", PASSPHRASE),
        ("GOODCACHE_TO_PASSPHRASE", TO_PASSPHRASE),
        ("REDIS_PASSWORD", PASSWORD),
    ] {
        run = run.env(name, value);
    }
    run.run()
}

/// What create saved, and what its servers keep themselves.
fn may_hold(path: &Path) -> bool {
    let is_server_s = path.to_str().unwrap().contains("/goodcache/data/shop/");
    is_server_s || path.ends_with("shop.password")
}

#[test]
fn s3_keys_and_passphrases_of_the_environment_stay_there() {
    let (home, s3) = (Home::new(), S3::start());
    let first = free_ports(3);
    let base = first.to_string();
    let watching = Watching::start(&SECRETS);
    let step = |args: &[&str], code: i32| {
        let outcome = run(&home, &s3, args).expect(code);
        expect_silence(&args, &outcome, &SECRETS);
        expect_hidden(&args, home.path(), &SECRETS, may_hold);
        outcome
    };
    let create = ["create", "shop", "--local", "--masters", "3", "--yes", "-v"];
    let ports = ["--replicas", "0", "--base-port", &base];
    step(&[&create[..], &ports].concat(), 0);
    sow(first..first + 3, PASSWORD, VALUE);

    let with = |args: &[&'static str]| [args, &REPO, &["-v"]].concat();
    step(&with(&["backup", "shop", "-o", "json"]), 0);
    step(&with(&["backup", "list"]), 0);
    step(&with(&["backup", "show", "latest", "-o", "json"]), 0);
    step(&with(&["backup", "verify", "latest", "--read-data"]), 0);
    let copy = ["backup", "copy", "latest", "--to", "s3://goodcache/far"];
    step(&with(&copy), 0);
    let restore = ["restore", "latest", "shop", "--flush", "--confirm", "shop"];
    step(&with(&restore), 0);
    step(&["tune", "shop", "--sample", "0s", "-o", "json", "-v"], 0);

    s3.refuse_all();
    let refused = step(&with(&["backup", "shop"]), 4);
    assert!(refused.stderr.contains("next: "), "{}", refused.stderr);
    step(&with(&copy), 4);
    let destroy = ["destroy", "shop", "--confirm", "shop", "-v"];
    step(&destroy, 0);
    watching.end();
}
