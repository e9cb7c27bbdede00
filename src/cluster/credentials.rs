//! What opens a server's door: a user, a password, TLS files. A secret prints as nothing but that.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// A text that no log, report or debug print may show.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a text.
    pub fn new(text: String) -> Secret {
        Secret(SecretString::from(text))
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

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

/// Who logs in, and with what.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The ACL user; `None` is the default user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// How TLS is spoken; that it is spoken at all is said by there being such settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates to trust, PEM; the system's when `None`.
    pub ca: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub cert: Option<PathBuf>,
    /// The client's key, PEM.
    pub key: Option<PathBuf>,
    /// The server name to ask for and to verify; the address's host when `None`.
    pub sni: Option<String>,
    /// Whether the server's certificate is not verified.
    pub is_insecure: bool,
}
