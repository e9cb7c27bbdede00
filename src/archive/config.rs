//! `config.json`: what makes a folder or a prefix a repository. Written once, never changed.

use serde::{Deserialize, Serialize};

use super::crypto::{Protection, WrappedKey};
use super::identity::KeyFor;

/// Of the repository. Raised when an older program must not touch it.
pub const FORMAT: u32 = 1;
/// The most bytes that it may have.
pub const MOST: u64 = 1 << 20;
/// The object's name.
pub const NAME: &str = "config.json";

/// What is written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// [`FORMAT`] of the program that made it.
    pub goodcache_repository: u32,
    /// Random, hexadecimal: two repositories are never taken for one.
    pub id: String,
    /// The version of goodcache that made it.
    pub goodcache: String,
    /// When, ms since the epoch.
    pub created_at_ms: u64,
    /// What its passphrase protects.
    pub protection: Protection,
    /// The data key, wrapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<WrappedKey>,
    /// The data key for age recipients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<KeyFor>,
}

impl Config {
    /// What the wrapped key is bound to: a sealed repository does not open once its config says `signed`.
    pub fn bound(&self) -> String {
        let Config {
            goodcache_repository,
            id,
            protection,
            ..
        } = self;
        format!("goodcache repository {goodcache_repository} {id} {protection:?}")
    }
}
