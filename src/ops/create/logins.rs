//! The proof that users which were set apart get in at every node, and that nobody does without a name.

use futures_util::future::join_all;

use crate::cluster::{Access, Credentials, Node, NodeError};
use crate::model::NodeAddr;

/// Logs in at every node as each of them, and as nobody; what is not as it should be, a line each.
pub async fn prove_logins(access: &Access, logins: &[Credentials]) -> Vec<String> {
    let nodes = access
        .seeds
        .iter()
        .map(|addr| at_node(access, addr, logins));
    join_all(nodes).await.into_iter().flatten().collect()
}

async fn at_node(access: &Access, addr: &NodeAddr, logins: &[Credentials]) -> Vec<String> {
    let mut wrong = Vec::new();
    for login in logins {
        let user = login.user.as_deref().unwrap_or("default");
        if let Err(error) = enter(access, addr, login).await {
            wrong.push(format!("{addr} does not let the user {user} in: {error}"));
        }
    }
    match enter(access, addr, &Credentials::default()).await {
        Err(NodeError::PasswordWanted { .. }) => {}
        Err(error) => wrong.push(format!(
            "{addr} could not be asked without a login: {error}"
        )),
        Ok(()) => wrong.push(format!("{addr} serves connections that do not log in")),
    }
    wrong
}

async fn enter(access: &Access, addr: &NodeAddr, login: &Credentials) -> Result<(), NodeError> {
    let mut access = access.clone();
    access.credentials = login.clone();
    let node = Node::connect(&access, addr).await?;
    node.say("PING").await.map(|_| ())
}
