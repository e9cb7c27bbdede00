//! The environment: which variables count, and what they are called.
//!
//! The process's variables are copied once, so that everything above is a function of a value and
//! can be tested without touching the process. An empty variable counts as not set, as compose files
//! and CI systems pass on variables that nobody filled in.

use std::collections::BTreeMap;

use super::exit::Failure;
use super::nearest::nearest;

/// Every variable that sets something.
pub const KNOWN: &[&str] = &[
    "GOODCACHE_ACL_USERS",
    "GOODCACHE_ALLOW_SMALL",
    "GOODCACHE_ALSO_PASSPHRASE",
    "GOODCACHE_ALSO_PASSPHRASE_FILE",
    "GOODCACHE_BASE_PORT",
    "GOODCACHE_BIND",
    "GOODCACHE_CACERT",
    "GOODCACHE_CERT",
    "GOODCACHE_CLUSTER",
    "GOODCACHE_COLOR",
    "GOODCACHE_CONFIG",
    "GOODCACHE_DEADLINE",
    "GOODCACHE_DIR",
    "GOODCACHE_DOCKER_MAP",
    "GOODCACHE_FAIL_ON",
    "GOODCACHE_IMAGE",
    "GOODCACHE_INSECURE",
    "GOODCACHE_KEY",
    "GOODCACHE_MASTERS",
    "GOODCACHE_MASTER_NAME",
    "GOODCACHE_NODES",
    "GOODCACHE_NODE_MAP",
    "GOODCACHE_NODE_TIMEOUT",
    "GOODCACHE_OUTPUT",
    "GOODCACHE_PASSPHRASE",
    "GOODCACHE_PASSPHRASE_FILE",
    "GOODCACHE_PASSWORD",
    "GOODCACHE_PASSWORD_FILE",
    "GOODCACHE_PROFILE",
    "GOODCACHE_REPLICAS",
    "GOODCACHE_REPO",
    "GOODCACHE_REQUIRE_TOLERATE",
    "GOODCACHE_SAMPLE",
    "GOODCACHE_SENTINEL_PASSWORD",
    "GOODCACHE_SENTINEL_PASSWORD_FILE",
    "GOODCACHE_SENTINEL_USER",
    "GOODCACHE_SERVER",
    "GOODCACHE_SNI",
    "GOODCACHE_TIMEOUT",
    "GOODCACHE_TLS",
    "GOODCACHE_TO_PASSPHRASE",
    "GOODCACHE_TO_PASSPHRASE_FILE",
    "GOODCACHE_TRUST_ANNOUNCED",
    "GOODCACHE_USER",
    "GOODCACHE_ZONES",
    "REDIS_CLUSTER_ENABLED",
    "REDIS_CLUSTER_MAX_REDIRECTIONS",
    "REDIS_CLUSTER_NODES",
    "REDIS_CLUSTER_RETRY_ON_FAIL",
    "REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL",
    "REDIS_PASSWORD",
    "REDISCLI_AUTH",
];

/// How those begin that are for the store that a snapshot is copied to; which there are, it knows.
const OF_A_STORE: &[&str] = &[
    "GOODCACHE_TO_AWS_",
    "GOODCACHE_TO_AZURE_",
    "GOODCACHE_TO_GOOGLE_",
    "GOODCACHE_ALSO_AWS_",
    "GOODCACHE_ALSO_AZURE_",
    "GOODCACHE_ALSO_GOOGLE_",
];

/// Variables that say where files are, and what terminals like.
const SURROUNDING: &[&str] = &["HOME", "NO_COLOR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];

/// The variables that count, as they were when the program started.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's.
    pub fn of_process() -> Result<Environment, Failure> {
        let mut kept = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else {
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| Failure::usage(format!("{name} holds bytes that are no UTF-8")))?;
            kept.insert(name.to_string(), value);
        }
        Ok(Environment(kept))
    }

    /// The variable's value, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.trim().is_empty())
    }

    /// A line for each `GOODCACHE_*` that sets nothing, with the one that may have been meant.
    pub fn strangers(&self) -> Vec<String> {
        self.0
            .keys()
            .filter(|name| name.starts_with("GOODCACHE_") && !KNOWN.contains(&name.as_str()))
            .filter(|name| !OF_A_STORE.iter().any(|start| name.starts_with(start)))
            .map(|name| match nearest(name, KNOWN.iter().copied()) {
                Some(known) => format!("the variable {name} sets nothing; did you mean {known}?"),
                None => format!("the variable {name} sets nothing"),
            })
            .collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Environment {
        Environment(pairs.into_iter().collect())
    }
}

#[cfg(test)]
impl Environment {
    /// One made of literals.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
        pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("GOODCACHE_") || KNOWN.contains(&name) || SURROUNDING.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = Environment::of([("REDIS_PASSWORD", ""), ("GOODCACHE_USER", "ann")]);
        assert_eq!(environment.get("REDIS_PASSWORD"), None);
        assert_eq!(environment.get("GOODCACHE_USER"), Some("ann"));
    }

    #[test]
    fn a_mistyped_variable_is_told_of() {
        let environment = Environment::of([
            ("GOODCACHE_DEADLIN", "1s"),
            ("GOODCACHE_NODES", "a"),
            ("GOODCACHE_TO_AWS_REGION", "x"),
            ("GOODCACHE_ALSO_AWS_REGION", "x"),
        ]);
        assert_eq!(
            environment.strangers(),
            ["the variable GOODCACHE_DEADLIN sets nothing; did you mean GOODCACHE_DEADLINE?"]
        );
    }

    #[test]
    fn no_variable_is_listed_twice() {
        let once: std::collections::BTreeSet<_> = KNOWN.iter().collect();
        assert_eq!(once.len(), KNOWN.len());
    }
}
