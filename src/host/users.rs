//! Users set apart, as the nodes know them from their first start on: a file of users, with hashes of
//! their passwords only, and what a node logs in with at its master.
//!
//! Servers keep users each for itself, and a replica copies none of its master's. So every node gets
//! the same file and the same login for replication: whichever is promoted lets in whom the one
//! before did. The file (`aclfile`) is written once, and from then on it is the server's (`ACL SAVE`).

use crate::model::Secret;

/// The file's name in the folder of a node's configuration.
pub const FILE: &str = "users.acl";

/// A user and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// The users of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// A line for each, as the server's file of users has them: `user NAME on #HASH RULES`.
    pub lines: Vec<String>,
    /// What a node logs in with at its master (`masteruser`, `masterauth`).
    pub replication: Login,
    /// What the health check inside a container logs in with.
    pub probe: Login,
}

impl Users {
    /// The file of users.
    pub fn file(&self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }
}
