//! Servers: how they are reached and asked.

mod credentials;

pub use credentials::{Credentials, Secret, TlsSettings};
