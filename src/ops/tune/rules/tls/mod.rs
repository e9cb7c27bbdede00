//! Rules about TLS: which versions, how dear a handshake is, and where plain text is still spoken.

mod plain;
mod protocol;

use crate::ops::tune::case::NodeCase;
use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    protocol::PROTOCOLS,
    protocol::SESSIONS,
    plain::BUS,
    plain::PORT,
];

/// Whether clients may speak TLS to the node; `None` where CONFIG could not be read or the server
/// was built without.
fn speaks_tls(node: &NodeCase) -> Option<bool> {
    Some(node.setting_number("tls-port")? > 0)
}
