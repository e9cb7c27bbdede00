//! What must never show: a password or a passphrase. It prints as `(set)`, so that no plan, report
//! or log can carry it by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A password or a passphrase. Prints as `(set)`.
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

    /// The text itself, for the wire or a key derivation alone.
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
