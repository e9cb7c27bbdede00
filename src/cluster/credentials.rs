//! What a login needs. A secret never shows in a debug print, a plan, a report or a log.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// A password. Prints as `(set)`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps the text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// A new one of 160 random bits, as 40 hexadecimal digits; `None` when the system has no
    /// randomness to give.
    pub fn generate() -> Option<Secret> {
        let mut bytes = [0; 20];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut bytes)
            .ok()?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Secret::new(digits))
    }

    /// The text itself, for the wire alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

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
