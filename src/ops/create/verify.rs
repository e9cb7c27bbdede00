//! The proof that a cluster is usable: a value written to and read back from every shard, the key
//! goodcache's own, short-lived, and taken away again.

use futures_util::future::join_all;

use crate::cluster::{Access, Command, Node, NodeError, key_in};
use crate::model::{NodeAddr, SlotSet};

/// Writes, reads back and deletes a key on each master; what failed, a line each.
pub async fn write_everywhere(access: &Access, masters: &[(NodeAddr, SlotSet)]) -> Vec<String> {
    let tries = masters.iter().map(|(addr, slots)| async move {
        let key = key_in(slots)?;
        match write_and_read(access, addr, &key).await {
            Ok(true) => None,
            Ok(false) => Some(format!("{addr} did not give back what was written")),
            Err(error) => Some(error.to_string()),
        }
    });
    join_all(tries).await.into_iter().flatten().collect()
}

async fn write_and_read(access: &Access, addr: &NodeAddr, key: &str) -> Result<bool, NodeError> {
    let node = Node::connect(access, addr).await?;
    let value = "written by goodcache create";
    let set = Command::words("SET")
        .arg(key)
        .arg(value)
        .arg("PX")
        .arg("5000");
    let commands = [
        set,
        Command::words("GET").arg(key),
        Command::words("DEL").arg(key),
    ];
    let mut replies = node.ask_all(&commands).await?.into_iter();
    let (Some(set), Some(get)) = (replies.next(), replies.next()) else {
        return Ok(false);
    };
    set?;
    Ok(get?.text().as_deref() == Some(value))
}
