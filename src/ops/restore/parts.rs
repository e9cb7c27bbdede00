//! What belongs to the cluster as a whole and goes with no key: functions to every master, users to every
//! node.

use std::collections::{BTreeMap, BTreeSet};

use super::libraries::{Libraries, name};
use super::order::{Existing, Place};
use super::target::Target;
use super::trouble::Trouble;
use crate::archive::Kind;
use crate::cluster::{Command, Node, NodeError, Reply};
use crate::model::NodeAddr;
use crate::model::words::{counted, listed};

/// What stands in a snapshot in the place of a password's hash that was not kept.
const BLANK: &str = "#(not";
const KEPT: &str = "kept)";
/// A payload's end: the version and a checksum.
const FOOTER: usize = 10;
/// The user that everybody is without a login: changing it may shut everybody out.
const DEFAULT: &str = "default";

/// What became of the functions.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// What had to be told.
    pub remarks: BTreeSet<String>,
    /// Whether some that were meant are not there.
    pub is_short: bool,
}

/// The function libraries of the snapshot.
pub(super) async fn libraries(place: &Place) -> Result<Libraries, Trouble> {
    let payload = part(place, "functions").await?;
    Ok(Libraries::of(&payload.unwrap_or_default()))
}

/// Loads those function libraries into every master.
pub(super) async fn functions(
    place: &Place,
    masters: &[NodeAddr],
    existing: Existing,
    libraries: &Libraries,
) -> Result<Functions, Trouble> {
    let mut done = Functions::default();
    let Some(payload) = libraries.payload() else {
        return Ok(done);
    };
    let policy = match existing {
        Existing::Refuse | Existing::Skip => "APPEND",
        Existing::Replace | Existing::Flush => "REPLACE",
    };
    for addr in masters {
        let node = Node::connect(&place.access, addr).await?;
        match node.say("FUNCTION DUMP").await {
            Ok(Reply::Bytes(bytes)) if same_libraries(&bytes, &payload) => continue,
            // Asked first: what such a server says of the payload is no text.
            Err(NodeError::Server { said, .. }) if said.contains("unknown command") => {
                done.is_short = true;
                let words = "the target is too old for functions: they were left out";
                done.remarks.insert(words.to_owned());
                continue;
            }
            _ => {}
        }
        let restore = Command::words("FUNCTION RESTORE").arg(&payload).arg(policy);
        match node.ask(&restore).await {
            Ok(_) => {}
            Err(NodeError::Server { said, .. }) if said.contains("already exists") => {
                // Not one of them was taken, then.
                let kept = one_by_one(&node, libraries).await?;
                if !kept.is_empty() {
                    done.is_short |= existing == Existing::Refuse;
                    done.remarks.insert(format!(
                        "function libraries that the target has were left as they are (--replace \
                         replaces them): {}",
                        listed(kept, 6)
                    ));
                }
            }
            Err(error @ (NodeError::Server { .. } | NodeError::Forbidden { .. })) => {
                done.is_short = true;
                done.remarks
                    .insert(format!("functions were not restored: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}

/// Loads each library that is not there; the names of those that are.
async fn one_by_one(node: &Node, libraries: &Libraries) -> Result<Vec<String>, Trouble> {
    let mut kept = Vec::new();
    for source in libraries.sources() {
        match node.ask(&Command::words("FUNCTION LOAD").arg(source)).await {
            Ok(_) => {}
            Err(NodeError::Server { said, .. }) if said.contains("already exists") => {
                kept.push(name(source));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(kept)
}

/// The footer is the server's version and a checksum.
fn same_libraries(one: &[u8], other: &[u8]) -> bool {
    let body = |bytes: &[u8]| {
        bytes
            .len()
            .checked_sub(FOOTER)
            .map(|end| bytes[..end].to_vec())
    };
    body(one) == body(other)
}

/// What became of the users.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// What had to be told.
    pub remarks: Vec<String>,
    /// Whether some that were meant are not there, or not on every node.
    pub is_short: bool,
}

/// Sets the users on every node. A rule that a node does not know, or a node that does not answer, ends
/// nothing: the keys are there, and the other users are wanted.
pub(super) async fn users(place: &Place, target: &Target) -> Result<Users, Trouble> {
    let mut done = Users::default();
    let Some(text) = part(place, "acl").await? else {
        done.remarks
            .push("the snapshot has no ACL users".to_owned());
        return Ok(done);
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let own = place.access.credentials.user.as_deref().unwrap_or(DEFAULT);
    let users: Vec<User> = text.lines().filter_map(User::parse).collect();
    let (left, mut set): (Vec<User>, Vec<User>) = users
        .into_iter()
        .partition(|user| user.name == DEFAULT || user.name == own);
    let mut silent = Vec::new();
    let mut refused = BTreeMap::<String, String>::new();
    for member in target.topology.members.values() {
        let asked = match member.addr.as_ref().filter(|_| member.is_answering) {
            Some(addr) => set_on(place, addr, &set).await.ok(),
            None => None,
        };
        match asked {
            Some(said) => refused.extend(said),
            None => silent.push(
                member
                    .addr
                    .as_ref()
                    .map_or_else(|| member.id.to_string(), ToString::to_string),
            ),
        }
    }
    set.retain(|user| !refused.contains_key(&user.name));
    done.is_short = !refused.is_empty() || !silent.is_empty();
    done.remarks = told(&set, &left, &refused, silent);
    Ok(done)
}

/// What a node said of the users that it did not take.
async fn set_on(
    place: &Place,
    addr: &NodeAddr,
    users: &[User],
) -> Result<Vec<(String, String)>, NodeError> {
    let node = Node::connect(&place.access, addr).await?;
    let mut refused = Vec::new();
    for user in users {
        let command = Command::words("ACL SETUSER").arg(&user.name).arg("reset");
        let command = user.rules.iter().fold(command, Command::arg);
        match node.ask(&command).await {
            Ok(_) => {}
            Err(error @ (NodeError::Server { .. } | NodeError::Forbidden { .. })) => {
                refused.push((user.name.clone(), error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

fn told(
    set: &[User],
    left: &[User],
    refused: &BTreeMap<String, String>,
    silent: Vec<String>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    let names = |users: &[User]| listed(users.iter().map(|user| user.name.clone()), 6);
    let every = match silent.is_empty() {
        true => "every node",
        false => "every node that answers",
    };
    if !set.is_empty() {
        remarks.push(format!(
            "{} restored on {every}; write them down there: ACL SAVE, or CONFIG REWRITE",
            counted(set.len(), "user")
        ));
    }
    for (name, said) in refused {
        remarks.push(format!(
            "user {name} was not restored on every node: {said}; set it by hand (ACL \
             SETUSER), without what the server does not know"
        ));
    }
    if !silent.is_empty() {
        remarks.push(format!(
            "nodes that do not answer have none of the users: {}; type the same command with \
             --skip-existing when they do",
            listed(silent, 6)
        ));
    }
    if !left.is_empty() {
        remarks.push(format!(
            "left as they are: {} (a login must not shut itself out)",
            names(left)
        ));
    }
    let mute: Vec<String> = set
        .iter()
        .filter(|user| user.is_blank)
        .map(|user| user.name.clone())
        .collect();
    if !mute.is_empty() {
        remarks.push(format!(
            "without a password, for none was kept (the repository has no passphrase): {}; set \
             one: ACL SETUSER NAME '>...'",
            listed(mute, 6)
        ));
    }
    remarks
}

/// A line of ACL LIST.
struct User {
    name: String,
    rules: Vec<String>,
    is_blank: bool,
}

impl User {
    fn parse(line: &str) -> Option<User> {
        let mut words = line.split_ascii_whitespace();
        if words.next()? != "user" {
            return None;
        }
        let name = words.next()?.to_owned();
        let mut is_blank = false;
        let rules = words.filter(|word| {
            let is_placeholder = [BLANK, KEPT].contains(word);
            is_blank |= is_placeholder;
            !is_placeholder
        });
        Some(User {
            name,
            rules: rules.map(str::to_owned).collect(),
            is_blank,
        })
    }
}

async fn part(place: &Place, kind: &str) -> Result<Option<Vec<u8>>, Trouble> {
    let Some(kind) = Kind::new(kind) else {
        return Ok(None);
    };
    let parts = place.repository.parts(&place.manifest, &kind).await?;
    Ok(parts.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_without_what_was_not_kept() {
        let user = User::parse("user app on #(not kept) ~app:* &* -@all +get").unwrap();
        assert_eq!(user.name, "app");
        assert_eq!(user.rules, ["on", "~app:*", "&*", "-@all", "+get"]);
        assert!(user.is_blank);
        assert!(!User::parse("user app on #5e88 ~*").unwrap().is_blank);
        assert!(User::parse("").is_none());
    }

    #[test]
    fn what_is_not_set_everywhere_is_told_with_the_reason() {
        let user = |line: &str| User::parse(line).unwrap();
        let set = [
            user("user app on #(not kept) ~*"),
            user("user ops on nopass"),
        ];
        let left = [user("user default on nopass")];
        let refused = BTreeMap::from([("new".to_owned(), "Syntax error".to_owned())]);
        let told = told(&set, &left, &refused, vec!["10.0.0.5:7003".to_owned()]).join("\n");
        for words in [
            "2 users restored on every node that answers",
            "user new was not restored on every node: Syntax error",
            "have none of the users: 10.0.0.5:7003",
            "left as they are: default",
            "none was kept (the repository has no passphrase): app;",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}
