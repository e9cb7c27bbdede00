//! What is said to one node. A password crosses the wire in clear only where the servers know no other
//! form: in AUTH, and in CONFIG SET of `masterauth` and `requirepass`. None of these reaches MONITOR
//! (administrative commands are not fed to it), and SLOWLOG shows `(redacted)` for them.

use std::time::{Duration, Instant};

use super::standing::Standing;
use crate::cluster::{Access, Command, Credentials, Kept, Node, NodeError};
use crate::model::{Info, NodeAddr, Secret};

/// How long a replica may take to be linked again.
const LINK_PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a link.
const PAUSE: Duration = Duration::from_millis(20);

/// Adds a password by its hash.
pub(super) async fn add(
    access: &Access,
    to: &Standing,
    user: &str,
    hash: &str,
) -> Result<Kept, NodeError> {
    let node = Node::connect(access, &to.addr).await?;
    let add = Command::words("ACL SETUSER")
        .arg(user)
        .arg(format!("#{hash}"));
    node.ask(&add).await?;
    Ok(to.files.keep_users(&node).await)
}

/// Removes those of the hashes that the node holds.
pub(super) async fn remove(
    access: &Access,
    of: &Standing,
    user: &str,
    hashes: &[String],
) -> Result<Kept, NodeError> {
    let node = Node::connect(access, &of.addr).await?;
    let held: Vec<&String> = hashes.iter().filter(|hash| of.has(hash)).collect();
    if !held.is_empty() {
        let command = Command::words("ACL SETUSER").arg(user);
        let command = held
            .iter()
            .fold(command, |command, hash| command.arg(format!("!{hash}")));
        node.ask(&command).await?;
    }
    Ok(of.files.keep_users(&node).await)
}

/// Makes that the default user's only password, under its other name `requirepass`: left as it is,
/// the setting would go on naming the old one.
pub(super) async fn require(
    access: &Access,
    of: &Standing,
    new: &Secret,
) -> Result<Kept, NodeError> {
    let node = Node::connect(access, &of.addr).await?;
    node.ask(&Command::words("CONFIG SET requirepass").arg(new.expose()))
        .await
        .map_err(|error| error.without(new))?;
    Ok(of.files.keep_users(&node).await)
}

/// What the node logs in with at its master, from its next connection on.
pub(super) async fn authorise(
    access: &Access,
    of: &Standing,
    password: &Secret,
) -> Result<Kept, NodeError> {
    let node = Node::connect(access, &of.addr).await?;
    node.ask(&Command::words("CONFIG SET masterauth").arg(password.expose()))
        .await
        .map_err(|error| error.without(password))?;
    Ok(of.files.keep_settings(&node).await)
}

/// Logs in on a connection of its own.
pub(super) async fn log_in(
    access: &Access,
    addr: &NodeAddr,
    user: &str,
    password: &Secret,
) -> Result<(), NodeError> {
    let mut access = access.clone();
    access.credentials = Credentials {
        user: Some(user.to_owned()),
        password: Some(password.clone()),
    };
    Node::connect(&access, addr).await.map(|_| ())
}

/// What became of a replica's link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relinked {
    /// It stands again, and only what had been missed was sent.
    Partial,
    /// It stands again, and all data was copied.
    Full,
    /// It does not stand.
    Down(String),
}

/// Breaks a replica's link and waits until it stands again.
pub(super) async fn reconnect(
    access: &Access,
    replica: &NodeAddr,
    master: &NodeAddr,
) -> Result<Relinked, NodeError> {
    let (replica, master) = (
        Node::connect(access, replica).await?,
        Node::connect(access, master).await?,
    );
    let before = syncs(&master).await?;
    replica.say("CLIENT KILL TYPE master").await?;
    let begun = Instant::now();
    loop {
        let link = info(&replica, "INFO replication").await?;
        let status = link.get("master_link_status").unwrap_or("gone").to_owned();
        let now = syncs(&master).await?;
        if now.0 > before.0 {
            return Ok(Relinked::Full);
        }
        if status == "up" && now.1 > before.1 {
            return Ok(Relinked::Partial);
        }
        if begun.elapsed() > LINK_PATIENCE {
            return Ok(Relinked::Down(status));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Full and partial ones that the master has served.
async fn syncs(master: &Node) -> Result<(u64, u64), NodeError> {
    let stats = info(master, "INFO stats").await?;
    let number = |name| stats.number(name).unwrap_or(0);
    Ok((number("sync_full"), number("sync_partial_ok")))
}

async fn info(node: &Node, question: &str) -> Result<Info, NodeError> {
    let reply = node.say(question).await?;
    Ok(Info::parse(&reply.text().unwrap_or_default()))
}

/// A line of CLIENT LIST, as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) age_s: u64,
    pub(super) name: String,
}

/// The connections of that user, replicas and our own left out.
pub(super) async fn connections(
    access: &Access,
    addr: &NodeAddr,
    user: &str,
) -> Result<Vec<Connection>, NodeError> {
    let node = Node::connect(access, addr).await?;
    let own = node.say("CLIENT ID").await?.integer().unwrap_or(0);
    let list = node.say("CLIENT LIST TYPE normal").await?;
    let list = list.text().unwrap_or_default();
    Ok(list
        .lines()
        .filter_map(|line| connection(line, user, own))
        .collect())
}

fn connection(line: &str, user: &str, own: i64) -> Option<Connection> {
    let field = |name: &str| {
        let words = line.split_ascii_whitespace();
        words
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    if field("user") != Some(user) || field("id")?.parse::<i64>().ok()? == own {
        return None;
    }
    let name = field("name").filter(|name| !name.is_empty());
    Some(Connection {
        age_s: field("age")?.parse().ok()?,
        name: name
            .or(field("addr")
                .and_then(|addr| addr.rsplit_once(':'))
                .map(|(host, _)| host))?
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_when_it_is_the_user_s() {
        let line = "id=3 addr=10.0.0.7:58574 fd=8 name= age=12 idle=0 flags=N user=app redir=-1";
        let read = connection(line, "app", 9).unwrap();
        assert_eq!((read.age_s, read.name.as_str()), (12, "10.0.0.7"));
        assert_eq!(connection(line, "default", 9), None);
        assert_eq!(connection(line, "app", 3), None);
        let named = line.replace("name=", "name=shop-web");
        assert_eq!(connection(&named, "app", 9).unwrap().name, "shop-web");
    }
}
