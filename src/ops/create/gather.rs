//! The prober: asks every server that is to become a node, in parallel, and dials the ports that its
//! peers will need. Reads only; one deadline bounds it all.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::candidate::{Candidate, Dialling, Door, Meeting, ReplicaLogin};
use crate::cluster::{
    Access, Ask, Command, Credentials, Node, NodeError, Reply, Secret, dial, look_at,
};
use crate::model::{Answer, Facts, NodeAddr, Site};

/// A server to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where it is reached from here.
    pub addr: NodeAddr,
    /// Its host, when it is known better than by what it announces.
    pub host: Option<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// Where its peers must meet it, when that differs from where it is reached (containers).
    pub meet_at: Option<Meeting>,
}

impl Origin {
    /// A server that is reached by all at the same address.
    pub fn at(addr: NodeAddr) -> Origin {
        Origin {
            addr,
            host: None,
            zone: None,
            meet_at: None,
        }
    }
}

/// Looks at all of them.
pub async fn gather(access: &Access, origins: &[Origin]) -> Vec<Candidate> {
    let mut candidates = join_all(origins.iter().map(|origin| look(access, origin))).await;
    let logins = join_all(
        candidates
            .iter()
            .map(|candidate| replica_login(access, candidate, &candidates)),
    )
    .await;
    for (candidate, login) in candidates.iter_mut().zip(logins) {
        candidate.replica_login = login;
    }
    candidates
}

async fn look(access: &Access, origin: &Origin) -> Candidate {
    let ask = Ask {
        pings: 1,
        ..Ask::default()
    };
    let (resolved, answer) = tokio::join!(
        resolve(access.deadline, &origin.addr),
        look_at(access, &origin.addr, &ask)
    );
    let facts = match &answer {
        Answer::Facts(facts) => Some(facts.as_ref()),
        Answer::Silent { .. } => None,
    };
    let (functions, dialled) = match facts {
        Some(facts) => tokio::join!(
            functions(access, &origin.addr),
            dial_doors(access, origin, facts)
        ),
        None => (None, Vec::new()),
    };
    Candidate {
        addr: origin.addr.clone(),
        site: site(origin, facts, &resolved),
        resolved,
        answer,
        functions,
        replica_login: ReplicaLogin::Works,
        dialled,
        meet_at: origin.meet_at.clone(),
    }
}

async fn resolve(deadline: Duration, addr: &NodeAddr) -> Vec<IpAddr> {
    match timeout(deadline, lookup_host((addr.host.as_str(), addr.port))).await {
        Ok(Ok(found)) => found.map(|socket| socket.ip()).collect(),
        _ => Vec::new(),
    }
}

/// Nodes die together with the IP that their peers see; names for one IP are one host.
fn site(origin: &Origin, facts: Option<&Facts>, resolved: &[IpAddr]) -> Site {
    let announced = facts
        .and_then(|facts| facts.view.myself())
        .map(|me| me.announced.ip.clone())
        .filter(|ip| !ip.is_empty());
    let by_name = || {
        resolved
            .first()
            .map_or_else(|| origin.addr.host.clone(), ToString::to_string)
    };
    let own_zone = facts
        .and_then(|facts| facts.info.get("availability_zone"))
        .filter(|zone| !zone.is_empty());
    Site {
        host: origin.host.clone().or(announced).unwrap_or_else(by_name),
        zone: origin.zone.clone().or_else(|| own_zone.map(str::to_owned)),
    }
}

async fn functions(access: &Access, addr: &NodeAddr) -> Option<usize> {
    let node = Node::connect(access, addr).await.ok()?;
    let libraries = node.say("FUNCTION LIST").await.ok()?;
    Some(libraries.list().len())
}

/// Dials the ports that its peers will dial. Of a node whose peers stand elsewhere (containers),
/// nothing can be told from here.
async fn dial_doors(access: &Access, origin: &Origin, facts: &Facts) -> Vec<Dialling> {
    if origin.meet_at.is_some() {
        return Vec::new();
    }
    join_all(
        doors(access, origin, facts)
            .into_iter()
            .map(|(door, at)| async move {
                let error = dial(access, &at).await.err().map(|error| error.to_string());
                Dialling { door, at, error }
            }),
    )
    .await
}

fn doors(access: &Access, origin: &Origin, facts: &Facts) -> Vec<(Door, NodeAddr)> {
    let mut doors = Vec::new();
    let port = facts
        .setting_number("port")
        .and_then(|port| u16::try_from(port).ok());
    let listened = facts
        .setting_number("cluster-port")
        .filter(|&port| port > 0)
        .and_then(|port| u16::try_from(port).ok())
        .or_else(|| {
            port.filter(|&port| port > 0)
                .unwrap_or(origin.addr.port)
                .checked_add(10_000)
        });
    if let Some(bus) = listened {
        doors.push((Door::Bus, NodeAddr::new(origin.addr.host.clone(), bus)));
    }
    let announced = facts.view.myself().map(|me| &me.announced);
    if let Some(announced) = announced.filter(|announced| !announced.ip.is_empty())
        && let Some(client) = announced
            .ip_endpoint()
            .filter(|client| !access.map.knows(client))
    {
        doors.push((Door::AnnouncedClient, client));
        if announced.bus_port > 0 {
            doors.push((
                Door::AnnouncedBus,
                NodeAddr::new(announced.ip.clone(), announced.bus_port),
            ));
        }
    }
    doors
}

/// Whether the node could log in to the others as their replica. Its password is read, used and
/// forgotten here.
async fn replica_login(access: &Access, candidate: &Candidate, all: &[Candidate]) -> ReplicaLogin {
    if candidate.facts().is_none() {
        return ReplicaLogin::Works;
    }
    let wants_password = |other: &&Candidate| {
        other.addr != candidate.addr
            && other
                .facts()
                .is_some_and(|facts| facts.answers_without_password == Some(false))
    };
    let Some(other) = all.iter().find(wants_password) else {
        return ReplicaLogin::Works;
    };
    let own = match own_login(access, &candidate.addr).await {
        Ok(own) => own,
        Err(error) => return ReplicaLogin::NotTried(error.to_string()),
    };
    if own.password.is_none() {
        return ReplicaLogin::Missing;
    }
    if own == access.credentials {
        return ReplicaLogin::Works;
    }
    let mut as_replica = access.clone();
    as_replica.credentials = own;
    match Node::connect(&as_replica, &other.addr).await {
        Ok(_) => ReplicaLogin::Works,
        Err(NodeError::PasswordWrong { .. } | NodeError::PasswordWanted { .. }) => {
            ReplicaLogin::Refused {
                by: other.addr.clone(),
                detail: "it does not accept that node's masteruser and masterauth".into(),
            }
        }
        Err(error) => ReplicaLogin::NotTried(error.to_string()),
    }
}

async fn own_login(access: &Access, addr: &NodeAddr) -> Result<Credentials, NodeError> {
    let node = Node::connect(access, addr).await?;
    let setting = async |name: &str| {
        let reply = node.ask(&Command::words("CONFIG GET").arg(name)).await?;
        let value = reply.list().get(1).and_then(Reply::text);
        Ok::<_, NodeError>(value.filter(|value| !value.is_empty()))
    };
    Ok(Credentials {
        user: setting("masteruser").await?,
        password: setting("masterauth").await?.map(Secret::new),
    })
}
