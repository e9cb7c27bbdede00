//! What a node keeps over a restart of what was changed while it ran: its users in the file of users
//! (`aclfile`) or, without one, like its settings in the configuration file, if it has one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::NodeError;
use super::node::{Node, Reply};
use crate::model::Info;

/// Writing a file waits for the disk, and the server for it: that may take longer than an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// Whether a node's change lasts beyond its restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// ACL SAVE wrote it to the node's file of users.
    AclFile,
    /// CONFIG REWRITE wrote it to the node's configuration.
    ConfigFile,
    /// It does not, and why.
    Not(String),
}

/// Which files a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// A file of users.
    pub has_acl_file: bool,
    /// A configuration file.
    pub has_config_file: bool,
}

impl Files {
    /// Asks the node.
    ///
    /// # Errors
    /// As [`NodeError`].
    pub async fn of(node: &Node) -> Result<Files, NodeError> {
        let acl_file = node.say("CONFIG GET aclfile").await?;
        let server = node.say("INFO server").await?;
        let is_told = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let server = Info::parse(&server.text().unwrap_or_default());
        Ok(Files {
            has_acl_file: is_told(acl_file.list().get(1).and_then(Reply::text).as_deref()),
            has_config_file: is_told(server.get("config_file")),
        })
    }

    /// Has the node keep its users.
    pub async fn keep_users(self, node: &Node) -> Kept {
        if !self.has_acl_file {
            return self.keep_settings(node).await;
        }
        match node.with_deadline(WRITE_PATIENCE).say("ACL SAVE").await {
            Ok(_) => Kept::AclFile,
            Err(error) => Kept::Not(error.to_string()),
        }
    }

    /// Has the node keep its settings.
    pub async fn keep_settings(self, node: &Node) -> Kept {
        if !self.has_config_file {
            return Kept::Not("it was started without a configuration file".to_owned());
        }
        match node
            .with_deadline(WRITE_PATIENCE)
            .say("CONFIG REWRITE")
            .await
        {
            Ok(_) => Kept::ConfigFile,
            Err(error) => Kept::Not(error.to_string()),
        }
    }
}
