//! Users set apart on servers that run already.
//!
//! On every node first all of the users and what replicas log in with, kept in the node's file; only when
//! the admin gets in everywhere, the default user off. Whatever breaks it off leaves a door open, and
//! the same again goes on.

use futures_util::future::try_join_all;

use crate::cluster::{Access, Command, Credentials, Files, Kept, Node, NodeError};
use crate::model::{NodeAddr, Secret};

/// Whom to set apart.
pub struct Apart {
    /// Each as ACL SETUSER takes it: a name, and rules with the password's hash among them.
    pub users: Vec<(String, String)>,
    /// Whom nodes log in at their masters as.
    pub replication: (String, Secret),
    /// Who turns the default user off.
    pub admin: Credentials,
}

/// Where it stopped.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotApart {
    /// What the node said.
    pub error: NodeError,
    /// Whether the default user may be off by now, on some nodes or all.
    pub is_closing: bool,
}

/// Sets them apart on every node; what a node does not keep over a restart, a line each.
///
/// # Errors
/// What a node refused, and how far it came.
pub async fn set_apart(
    access: &Access,
    nodes: &[NodeAddr],
    apart: &Apart,
) -> Result<Vec<String>, NotApart> {
    let not_yet = |error| NotApart {
        error,
        is_closing: false,
    };
    let adding = nodes.iter().map(|addr| add(access, addr, apart));
    try_join_all(adding).await.map_err(not_yet)?;
    let mut admin = access.clone();
    admin.credentials = apart.admin.clone();
    let entering = nodes.iter().map(|addr| Node::connect(&admin, addr));
    let entered = try_join_all(entering).await.map_err(not_yet)?;
    let closing = entered.iter().zip(nodes);
    let closing = closing.map(|(node, addr)| close(node, addr));
    let kept = try_join_all(closing).await.map_err(|error| NotApart {
        error,
        is_closing: true,
    })?;
    Ok(kept.into_iter().flatten().collect())
}

async fn add(access: &Access, addr: &NodeAddr, apart: &Apart) -> Result<(), NodeError> {
    let node = Node::connect(access, addr).await?;
    for (user, rules) in &apart.users {
        let command = Command::words("ACL SETUSER").arg(user).arg("reset");
        let rules = rules.split_ascii_whitespace();
        node.ask(&rules.fold(command, Command::arg)).await?;
    }
    let (user, password) = &apart.replication;
    let named = Command::words("CONFIG SET masteruser").arg(user);
    node.ask(&named).await?;
    let login = Command::words("CONFIG SET masterauth").arg(password.expose());
    let set = node.ask(&login).await;
    set.map_err(|error| error.without(password))?;
    keep(&node, Files::of(&node).await?).await;
    Ok(())
}

/// Turns the default user off, and has the node keep that too; what it does not keep.
async fn close(node: &Node, addr: &NodeAddr) -> Result<Option<String>, NodeError> {
    let files = Files::of(node).await?;
    node.say("ACL SETUSER default off resetkeys -@all").await?;
    let not_kept = keep(node, files).await;
    Ok(not_kept.map(|why| {
        format!(
            "{addr} forgets its users, or how to log in at its master, when it is restarted: {why}"
        )
    }))
}

/// Has the node keep its users, and what it logs in with at its master; why not, where it does not.
async fn keep(node: &Node, files: Files) -> Option<String> {
    let mut kept = vec![files.keep_users(node).await];
    if files.has_acl_file {
        // Without one both stand in the same file.
        kept.push(files.keep_settings(node).await);
    }
    kept.into_iter().find_map(|kept| match kept {
        Kept::Not(why) => Some(why),
        Kept::AclFile | Kept::ConfigFile => None,
    })
}
