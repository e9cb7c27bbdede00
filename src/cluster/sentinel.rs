//! Asking a Sentinel: which masters it watches, and all that it says of one of them.
//!
//! Sentinels have a login of their own, or none, or the servers'. What was given for them is tried
//! first, then the servers', then none: they hold no data, and a wrong password costs nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use super::access::Access;
use super::credentials::Credentials;
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use super::replies::read_info;
use crate::model::{Info, NodeAddr, SentinelAnswer, SentinelFacts, SentinelReport, Silence, form};

/// Asks that Sentinel, and makes a row of whatever comes.
pub(super) async fn look_at(access: &Access, addr: &NodeAddr) -> SentinelReport {
    let begun = Instant::now();
    let answer = match ask(access, addr).await {
        Ok(facts) => SentinelAnswer::Facts(Box::new(facts)),
        Err(error) => SentinelAnswer::Silent {
            silence: error.silence().unwrap_or(Silence::Forbidden),
            detail: error.to_string(),
            after_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
    };
    SentinelReport {
        addr: addr.clone(),
        answer,
    }
}

/// The Sentinel that gave that error, if it is one: by its own word, or since it takes a Sentinel's
/// login where it refused the servers'.
pub(super) async fn behind(
    access: &Access,
    addr: &NodeAddr,
    error: &NodeError,
) -> Option<SentinelReport> {
    if !access.takes_every_form {
        return None;
    }
    match error {
        NodeError::Sentinel { .. } => Some(look_at(access, addr).await),
        error if is_login(error) => {
            let report = look_at(access, addr).await;
            report.facts().is_some().then_some(report)
        }
        _ => None,
    }
}

/// A connection to a Sentinel, by the first login that it takes.
pub async fn connect(access: &Access, addr: &NodeAddr) -> Result<Node, NodeError> {
    let logins = match &access.sentinel.credentials {
        Some(own) => vec![own.clone()],
        None if access.credentials.password.is_none() => vec![Credentials::default()],
        None => vec![access.credentials.clone(), Credentials::default()],
    };
    let mut refused = None;
    for credentials in logins {
        let access = Access {
            credentials,
            ..access.clone()
        };
        let asked = async {
            let node = Node::connect(&access, addr).await?;
            node.say("PING").await?;
            Ok(node)
        };
        match asked.await {
            Ok(node) => return Ok(node),
            Err(error) if is_login(&error) => refused = refused.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| NodeError::PasswordWanted { addr: addr.clone() }))
}

/// Where the Sentinels send clients for the master: the word of the first that answers, as a client's
/// library asks it.
pub(super) async fn leader(access: &Access) -> Option<NodeAddr> {
    let name = access.sentinel.master.as_ref()?;
    let question = Command::words("SENTINEL GET-MASTER-ADDR-BY-NAME").arg(name);
    for addr in &access.sentinel.known {
        let Ok(node) = connect(access, addr).await else {
            continue;
        };
        let Ok(reply) = node.ask(&question).await else {
            continue;
        };
        if let [host, port] = reply.list() {
            let port = port.integer().and_then(|port| u16::try_from(port).ok())?;
            return Some(access.map.reach(&NodeAddr::new(host.text()?, port)));
        }
    }
    None
}

/// Asks the Sentinels to replace the master: the first that takes it leads.
pub async fn fail_over(access: &Access) -> Result<(), NodeError> {
    let name = access.sentinel.master.clone().unwrap_or_default();
    let command = Command::words("SENTINEL FAILOVER").arg(&name);
    let mut refused = None;
    for addr in &access.sentinel.known {
        let asked = async { connect(access, addr).await?.ask(&command).await };
        match asked.await {
            Ok(_) => return Ok(()),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| NodeError::Unreachable {
        addr: NodeAddr::new("?", 0),
        why: "no Sentinel is known".to_owned(),
    }))
}

/// What a Sentinel says of the master that is meant, for watching.
pub(super) async fn master(node: &Node, name: &str) -> Option<Info> {
    let question = Command::words("SENTINEL MASTER").arg(name);
    Some(table(&node.ask(&question).await.ok()?))
}

/// Whether another login may help.
pub(super) fn is_login(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::PasswordWanted { .. }
            | NodeError::PasswordWrong { .. }
            | NodeError::Forbidden { .. }
    )
}

/// All that a Sentinel says of the master that is meant.
pub(super) async fn ask(access: &Access, addr: &NodeAddr) -> Result<SentinelFacts, NodeError> {
    let node = connect(access, addr).await?;
    let first = ["SENTINEL MASTERS", "INFO", "SENTINEL MYID"].map(Command::words);
    let mut replies = node.ask_all(&first).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Nil));
    let masters: Vec<Info> = next()?.list().iter().map(table).collect();
    let info = next().map(|reply| read_info(&reply)).unwrap_or_default();
    let mut facts = SentinelFacts {
        id: next()
            .ok()
            .and_then(|reply| reply.text())
            .unwrap_or_default(),
        info,
        watches: masters
            .iter()
            .filter_map(|m| m.get("name").map(str::to_owned))
            .collect(),
        ..SentinelFacts::default()
    };
    let meant = match &access.sentinel.master {
        Some(name) => masters.into_iter().find(|m| m.get("name") == Some(name)),
        None if masters.len() == 1 => masters.into_iter().next(),
        None => None,
    };
    facts.answers_without_password = open_door(access, addr).await;
    let Some(master) = meant else {
        return Ok(facts);
    };
    let name = master.get("name").unwrap_or_default().to_owned();
    facts.master = Some(master);
    let about = |what: &str| Command::words(what).arg(&name);
    let questions = [
        about("SENTINEL REPLICAS"),
        about("SENTINEL SENTINELS"),
        about("SENTINEL CKQUORUM"),
    ];
    let mut replies = node.ask_all(&questions).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Reply::Nil));
    let mut replicas = next();
    let (others, quorum) = (next(), next());
    if matches!(replicas, Err(NodeError::Server { .. })) {
        // As it was called before 5.0.
        replicas = node.ask(&about("SENTINEL SLAVES")).await;
    }
    let tables = |reply: Result<Reply, NodeError>| -> Vec<Info> {
        reply
            .map(|reply| reply.list().iter().map(table).collect())
            .unwrap_or_default()
    };
    facts.replicas = tables(replicas);
    facts.others = tables(others);
    facts.quorum = match quorum {
        Ok(reply) => reply.text().unwrap_or_default(),
        Err(NodeError::Server { said, .. } | NodeError::Forbidden { said, .. }) => said,
        Err(error) => error.to_string(),
    };
    Ok(facts)
}

/// A flat list of names and values.
fn table(reply: &Reply) -> Info {
    let pairs = reply.list().chunks_exact(2);
    let all: BTreeMap<String, String> = pairs
        .filter_map(|pair| Some((pair[0].text()?, pair[1].text()?)))
        .collect();
    Info::from(all)
}

/// Whether it answers somebody who gives no password; `None` when that could not be tried.
async fn open_door(access: &Access, addr: &NodeAddr) -> Option<bool> {
    let stranger = Node::connect_without_login(access, addr).await.ok()?;
    match stranger.say("PING").await {
        Ok(_) => Some(true),
        Err(error) if is_login(&error) => Some(false),
        Err(_) => None,
    }
}

/// Where a Sentinel leads: servers first, then other Sentinels.
pub(super) fn leads(access: &Access, facts: &SentinelFacts) -> (Vec<NodeAddr>, Vec<NodeAddr>) {
    let reached = |line: &Info| form::address(line).map(|addr| access.map.reach(&addr));
    let servers = facts.master.iter().chain(&facts.replicas);
    (
        servers.filter_map(reached).collect(),
        facts.others.iter().filter_map(reached).collect(),
    )
}
