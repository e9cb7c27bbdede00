//! What a panic or a log line would print of the values that carry secrets.

use goodcache::archive::{self, StoreOptions};
use goodcache::cluster::{Access, Credentials, SentinelAccess};
use goodcache::model::Secret;

const SECRETS: [&str; 4] = [
    "PlantedPassword-27cc",
    "PlantedSentinelPassword-f03d",
    "PlantedPassphrase-4e18",
    "PlantedBucketKey-91ab",
];

fn login(password: &str) -> Credentials {
    Credentials {
        user: Some("ann".to_owned()),
        password: Some(Secret::new(password)),
    }
}

#[test]
fn no_secret_is_in_a_debug_print() {
    let mut access = Access::to(["127.0.0.1:1".parse().unwrap()]);
    access.credentials = login(SECRETS[0]);
    access.sentinel = SentinelAccess {
        credentials: Some(login(SECRETS[1])),
        ..SentinelAccess::default()
    };
    let store = archive::Access {
        url: "s3://bucket/near".to_owned(),
        passphrase: Some(Secret::new(SECRETS[2])),
        options: StoreOptions {
            variables: vec![("AWS_SECRET_ACCESS_KEY".to_owned(), SECRETS[3].to_owned())],
            ..StoreOptions::default()
        },
    };
    for printed in [
        format!("{access:?} {access:#?}"),
        format!("{store:?} {store:#?}"),
        format!("{:?}", Some(Secret::new(SECRETS[0]))),
        format!("{}", Secret::new(SECRETS[0])),
    ] {
        for secret in SECRETS {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert!(printed.contains("(set)"), "{printed}");
    }
}
