//! What each node holds of a user now: hashes, rules, where it keeps them, and how it logs in at its
//! master.

use std::fmt;

use futures_util::stream::{self, StreamExt};

use super::hash_of;
use crate::cluster::{Access, Command, Files, Node, NodeError, Reply};
use crate::model::{Info, NodeAddr, NodeId, Role, Secret, Topology};

/// So many nodes are asked at the same moment.
const AT_ONCE: usize = 64;

/// What one node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The node.
    pub id: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// Of a replica: its master's address.
    pub master: Option<NodeAddr>,
    /// Whether the user is there.
    pub is_known: bool,
    /// Whether it may log in.
    pub is_on: bool,
    /// Whether any password will do.
    pub is_nopass: bool,
    /// The hashes of its passwords, sorted.
    pub hashes: Vec<String>,
    /// All users' rules in a form that can be compared, without this user's passwords.
    pub rules: Vec<String>,
    /// What it keeps users and settings in.
    pub files: Files,
    /// Whether `requirepass` is set, which is another word for the default user's password.
    pub has_requirepass: bool,
    /// `masteruser`; empty is the default user.
    pub master_user: String,
    /// The hash of `masterauth`, when it is set.
    pub master_auth: Option<String>,
    /// `min-replicas-to-write`: while a replica reconnects, its master may refuse writes.
    pub min_replicas: u64,
    /// Of a replica: its link.
    pub link: Option<Link>,
    /// Of a master: the longest time in seconds since a replica acknowledged.
    pub ack_age_s: Option<u64>,
}

/// A replica's link to its master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It stands.
    Up,
    /// It does not.
    Down,
    /// It stands, and a full copy is under way.
    Copying,
}

/// All nodes, and what replicas log in with as it stands in the first node's settings: the servers
/// give that in clear, and only a way back needs it.
pub struct Seen {
    /// The nodes: replicas first, then masters, each in the order of their addresses.
    pub nodes: Vec<Standing>,
    /// `masterauth`.
    pub master_auth: Option<Secret>,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({:?})", self.nodes)
    }
}

impl Standing {
    /// Whether it replicates another.
    pub fn is_replica(&self) -> bool {
        self.master.is_some()
    }

    /// Whether that hash is one of the user's.
    pub fn has(&self, hash: &str) -> bool {
        self.hashes.iter().any(|own| own == hash)
    }
}

/// Asks every node of the cluster.
pub async fn look(access: &Access, topology: &Topology, user: &str) -> Result<Seen, NodeError> {
    let members = topology.members.values().filter_map(|member| {
        let addr = member.addr.clone()?;
        let master = member
            .master
            .as_ref()
            .filter(|_| member.role == Role::Replica);
        let master = master.and_then(|id| topology.member(id)?.addr.clone());
        Some((member.id.clone(), addr, master))
    });
    let asked: Vec<Result<(Standing, Option<Secret>), NodeError>> = stream::iter(members)
        .map(|(id, addr, master)| async move { ask(access, id, addr, master, user).await })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let asked: Vec<(Standing, Option<Secret>)> = asked.into_iter().collect::<Result<_, _>>()?;
    let (mut nodes, secrets): (Vec<Standing>, Vec<Option<Secret>>) = asked.into_iter().unzip();
    nodes.sort_by_key(|node| (!node.is_replica(), node.addr.clone()));
    Ok(Seen {
        nodes,
        master_auth: secrets.into_iter().flatten().next(),
    })
}

/// Asks one node again.
pub(super) async fn look_again(
    access: &Access,
    node: &Standing,
    user: &str,
) -> Result<Standing, NodeError> {
    let (id, addr, master) = (node.id.clone(), node.addr.clone(), node.master.clone());
    Ok(ask(access, id, addr, master, user).await?.0)
}

async fn ask(
    access: &Access,
    id: NodeId,
    addr: NodeAddr,
    master: Option<NodeAddr>,
    user: &str,
) -> Result<(Standing, Option<Secret>), NodeError> {
    let node = Node::connect(access, &addr).await?;
    let questions = [
        Command::words("ACL GETUSER").arg(user),
        Command::words("ACL LIST"),
        Command::words("CONFIG GET aclfile"),
        Command::words("CONFIG GET requirepass"),
        Command::words("CONFIG GET masteruser"),
        Command::words("CONFIG GET masterauth"),
        Command::words("CONFIG GET min-replicas-to-write"),
        Command::words("INFO server"),
        Command::words("INFO replication"),
    ];
    let mut replies = node.ask_all(&questions).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Nil));
    let (of_user, list) = (next()?, next()?);
    let mut setting = || next().map(|reply| value(&reply));
    let (acl_file, requirepass) = (setting()?, setting()?);
    let (master_user, master_auth, min_replicas) = (setting()?, setting()?, setting()?);
    let (server, replication) = (info(&next()?), info(&next()?));
    let master_auth = (!master_auth.is_empty()).then(|| Secret::new(master_auth));
    let mut standing = Standing {
        rules: rules(&list, user),
        files: Files {
            has_acl_file: !acl_file.is_empty(),
            has_config_file: server
                .get("config_file")
                .is_some_and(|file| !file.is_empty()),
        },
        has_requirepass: !requirepass.is_empty(),
        master_user,
        master_auth: master_auth.as_ref().map(hash_of),
        min_replicas: min_replicas.parse().unwrap_or(0),
        link: master.is_some().then(|| link(&replication)),
        ack_age_s: replication
            .replicas()
            .iter()
            .map(|line| line.ack_age_s)
            .max(),
        ..Standing::of(id, addr, master)
    };
    standing.read_user(&of_user);
    Ok((standing, master_auth))
}

impl Standing {
    /// A node of which nothing is known yet.
    pub(super) fn of(id: NodeId, addr: NodeAddr, master: Option<NodeAddr>) -> Standing {
        Standing {
            id,
            addr,
            master,
            is_known: false,
            is_on: false,
            is_nopass: false,
            hashes: Vec::new(),
            rules: Vec::new(),
            files: Files {
                has_acl_file: false,
                has_config_file: false,
            },
            has_requirepass: false,
            master_user: String::new(),
            master_auth: None,
            min_replicas: 0,
            link: None,
            ack_age_s: None,
        }
    }

    /// ACL GETUSER: `flags [...] passwords [...] ...`, or nothing for a user that is not there.
    fn read_user(&mut self, reply: &Reply) {
        let part = |name: &str| {
            let mut pairs = reply.list().chunks_exact(2);
            let pair = pairs.find(|pair| pair[0].text().as_deref() == Some(name));
            let items = pair.map(|pair| pair[1].list()).unwrap_or_default();
            items
                .iter()
                .filter_map(Reply::text)
                .collect::<Vec<String>>()
        };
        self.is_known = !reply.list().is_empty();
        let flags = part("flags");
        self.is_on = flags.iter().any(|flag| flag == "on");
        self.is_nopass = flags.iter().any(|flag| flag == "nopass");
        self.hashes = part("passwords");
        self.hashes.sort();
    }
}

fn value(reply: &Reply) -> String {
    reply
        .list()
        .get(1)
        .and_then(Reply::text)
        .unwrap_or_default()
}

fn info(reply: &Reply) -> Info {
    Info::parse(&reply.text().unwrap_or_default())
}

/// `sanitize-payload` goes without saying, and stands there only after CONFIG REWRITE and a restart; and
/// before 7.2 each server lists single commands in an order of its own.
fn rules(list: &Reply, user: &str) -> Vec<String> {
    let line = |line: String| {
        let is_own = line.split_ascii_whitespace().nth(1) == Some(user);
        let words = line.split_ascii_whitespace();
        let words = words.filter(|word| *word != "sanitize-payload");
        let mut words: Vec<&str> = words
            .filter(|word| !(is_own && word.starts_with('#')))
            .collect();
        // The first two say whose it is.
        if let Some(rule) = words.get_mut(2..) {
            rule.sort_unstable();
        }
        words.join(" ")
    };
    let mut rules: Vec<String> = list
        .list()
        .iter()
        .filter_map(Reply::text)
        .map(line)
        .collect();
    rules.sort();
    rules
}

fn link(replication: &Info) -> Link {
    let is_copying = replication.get("master_sync_in_progress") == Some("1");
    match replication.get("master_link_status") {
        Some("up") if is_copying => Link::Copying,
        Some("up") => Link::Up,
        _ => Link::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(word: &str) -> Reply {
        Reply::Bytes(word.into())
    }

    fn list(words: &[&str]) -> Reply {
        Reply::List(words.iter().map(|word| text(word)).collect())
    }

    #[test]
    fn a_user_is_read_as_the_servers_tell_of_it() {
        let id: NodeId = "a".repeat(40).parse().unwrap();
        let mut standing = Standing::of(id, NodeAddr::new("h", 1), None);
        standing.read_user(&Reply::List(vec![
            text("flags"),
            list(&["on", "sanitize-payload"]),
            text("passwords"),
            list(&["bb", "aa"]),
            text("commands"),
            text("+@all"),
        ]));
        assert!(standing.is_known && standing.is_on && !standing.is_nopass);
        assert_eq!(standing.hashes, ["aa", "bb"]);
        standing.read_user(&Reply::Nil);
        assert!(!standing.is_known && standing.hashes.is_empty());
    }

    #[test]
    fn rules_are_compared_without_the_passwords_that_change() {
        let one = list(&["user app on #aa #bb ~* +@all", "user ops on #cc +@all"]);
        let other = list(&[
            "user ops on #cc +@all",
            "user app on sanitize-payload #dd +@all ~*",
        ]);
        assert_eq!(rules(&one, "app"), rules(&other, "app"));
        assert_ne!(rules(&one, "ops"), rules(&other, "ops"));
    }
}
