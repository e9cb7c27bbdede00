//! A new password for one user of a running cluster, without an outage.
//!
//! Users are each node's own and passwords can be several, so the new one is added everywhere before
//! the old one goes anywhere: [`next`] decides, purely, from the [`Journal`] and what the nodes hold
//! ([`Standing`]), which step comes; [`Rotating::run`] takes steps until one is not its own (files of the
//! caller, the clients' turn) or all is done. The journal holds hashes and never a password, and every
//! step can be taken twice, so the same command goes on after whatever ended the one before.

mod decide;
mod drive;
mod journal;
mod preflight;
mod report;
mod server;
mod standing;

pub use decide::{Step, Until, next};
pub use drive::{Paused, Rotating, Trouble};
pub use journal::{Journal, JournalError, Noted};
pub use preflight::{Asked, is_settling, preflight, replicates};
pub use report::{Lingering, NodeRow, Report, State};
pub use standing::{Link, Seen, Standing, look};

use sha2::{Digest, Sha256};

use crate::model::Secret;

/// A password as the servers keep it: SHA-256 in 64 small hexadecimal digits (`ACL SETUSER #...`).
pub fn hash_of(password: &Secret) -> String {
    let digest = Sha256::digest(password.expose().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
