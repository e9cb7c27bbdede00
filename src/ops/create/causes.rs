//! Why nodes do not find each other: what each announces, and whether anything answers there.

use futures_util::future::join_all;

use super::candidate::Candidate;
use crate::cluster::{Access, Node, dial};
use crate::model::{NodeAddr, Peer};

/// The likely causes, a sentence each, for nodes whose peers look for them in the wrong place.
pub async fn causes(access: &Access, candidates: &[Candidate]) -> Vec<String> {
    let causes = join_all(candidates.iter().map(|candidate| cause(access, candidate))).await;
    causes.into_iter().flatten().collect()
}

async fn cause(access: &Access, candidate: &Candidate) -> Option<String> {
    // Containers announce addresses that mean nothing here.
    if candidate.meet_at.is_some() {
        return None;
    }
    let myself = myself_now(access, &candidate.addr).await?;
    let announced = &myself.announced;
    let client = announced.ip_endpoint()?;
    let bus = NodeAddr::new(announced.ip.clone(), announced.bus_port);
    let (client_stands, bus_stands) = tokio::join!(dial(access, &client), dial(access, &bus));
    let addr = &candidate.addr;
    if access.map.knows(&client) {
        return None;
    }
    if client_stands.is_err() {
        return Some(format!(
            "{addr} announces itself as {client}, where nothing answers (see cluster-announce-ip and cluster-announce-port)"
        ));
    }
    if bus_stands.is_err() {
        return Some(format!(
            "{addr} announces its bus port as {bus}, where nothing answers (see cluster-announce-bus-port, and any firewall)"
        ));
    }
    let other = myself_now(access, &client).await;
    (other.as_ref().map(|other| &other.id) != Some(&myself.id)).then(|| {
        format!(
            "{addr} announces itself as {client}, where another server answers (see cluster-announce-ip and cluster-announce-port)"
        )
    })
}

/// What the node at that address says of itself by now; it learns its own address only when it is
/// met.
async fn myself_now(access: &Access, addr: &NodeAddr) -> Option<Peer> {
    let node = Node::connect(access, addr).await.ok()?;
    let view = node.view().await.ok()?;
    view.myself().cloned()
}
