//! What belongs to the cluster as a whole and stands in no RDB, or once in each: functions and users.

use super::trouble::Trouble;
use crate::archive::{Held, Kind, Part, Protection, Writer};
use crate::cluster::{Access, Command, Node, NodeError, Reply};
use crate::model::NodeAddr;
use crate::rdb::function_payload;

/// What stands in the place of a password's hash that is not kept.
const BLANK: &str = "#(not kept)";

/// Stores the function libraries as one FUNCTION RESTORE payload; every master has the same.
pub(super) async fn functions(
    writer: &Writer,
    sources: &[Vec<u8>],
) -> Result<Option<Part>, Trouble> {
    if sources.is_empty() {
        return Ok(None);
    }
    let payload = function_payload(sources.iter().map(Vec::as_slice));
    let held = Held {
        entries: sources.len() as u64,
        ..Held::default()
    };
    part(writer, "functions", payload, held).await
}

/// The same where no RDB brings the sources: as FUNCTION DUMP gives them. Servers before 7.0 have none.
/// Where they may not be read there are none, and that is said.
pub(super) async fn dumped_functions(
    writer: &Writer,
    access: &Access,
    master: &NodeAddr,
) -> Result<Result<Option<Part>, String>, Trouble> {
    let asked = async {
        let node = Node::connect(access, master).await?;
        let commands = ["FUNCTION DUMP", "FUNCTION LIST"].map(Command::words);
        let replies = node.ask_all(&commands).await?;
        replies
            .into_iter()
            .collect::<Result<Vec<Reply>, NodeError>>()
    };
    let replies = match asked.await {
        Ok(replies) => replies,
        Err(NodeError::Server { said, .. }) if said.contains("unknown command") => {
            return Ok(Ok(None));
        }
        Err(error) => return Ok(Err(format!("the functions are not in it: {error}"))),
    };
    match replies.as_slice() {
        [Reply::Bytes(payload), libraries] if !libraries.list().is_empty() => {
            let held = Held {
                entries: libraries.list().len() as u64,
                ..Held::default()
            };
            let part = part(writer, "functions", payload.clone(), held).await?;
            Ok(Ok(part))
        }
        _ => Ok(Ok(None)),
    }
}

/// Stores the users as ACL LIST gives them. The hashes of their passwords go only into a sealed
/// repository. Where the list may not be read there is none, and that is said.
pub(super) async fn users(
    writer: &Writer,
    access: &Access,
    master: &NodeAddr,
    protection: Protection,
) -> Result<Result<Option<Part>, String>, Trouble> {
    let listed = async {
        let node = Node::connect(access, master).await?;
        node.say("ACL LIST").await
    };
    let lines: Vec<String> = match listed.await {
        Ok(reply) => reply.list().iter().filter_map(|line| line.text()).collect(),
        Err(error) => return Ok(Err(format!("the users are not in the snapshot: {error}"))),
    };
    let is_sealed = protection == Protection::Sealed;
    let text: Vec<String> = lines
        .iter()
        .map(|line| {
            if is_sealed {
                line.clone()
            } else {
                blanked(line)
            }
        })
        .collect();
    let held = Held {
        entries: lines.len() as u64,
        ..Held::default()
    };
    let body = (text.join("\n") + "\n").into_bytes();
    part(writer, "acl", body, held).await.map(Ok)
}

async fn part(
    writer: &Writer,
    kind: &str,
    body: Vec<u8>,
    held: Held,
) -> Result<Option<Part>, Trouble> {
    let Some(kind) = Kind::new(kind) else {
        return Ok(None);
    };
    let chunk = writer.put(None, kind.clone(), 0, body, held).await?;
    Ok(Some(Part { kind, chunk }))
}

/// A rule without the hashes of passwords.
fn blanked(rule: &str) -> String {
    let words: Vec<&str> = rule
        .split(' ')
        .map(|word| if word.starts_with('#') { BLANK } else { word })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hash_of_a_password_is_kept_in_the_open() {
        let rule = "user app on #5e884898da28047151d0e56f8dc62927 ~* &* +@all";
        assert_eq!(blanked(rule), "user app on #(not kept) ~* &* +@all");
    }
}
