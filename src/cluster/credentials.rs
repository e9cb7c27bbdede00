//! What a login needs. A secret never shows in a debug print, a plan, a report or a log.

use std::path::PathBuf;

pub use crate::model::Secret;

/// How to log in: nothing, a password for the default user, or an ACL user with one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// ACL user; `None` is the server's `default`.
    pub user: Option<String>,
    /// Its password; without one no AUTH is sent.
    pub password: Option<Secret>,
}

/// How to speak TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust; `None` trusts the system's.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// The server name to ask for and to verify, instead of the host dialled.
    pub sni: Option<String>,
    /// Verify nothing.
    pub is_insecure: bool,
}
