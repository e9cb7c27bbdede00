//! Why nodes do not find each other: what each announces, and whether anything answers there.

use futures_util::future::join_all;

use super::candidate::Candidate;
use crate::cluster::{Access, Node, dial};
use crate::model::{Announced, NodeAddr};

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
    let announced = announced_now(access, candidate).await?;
    let client = announced.ip_endpoint()?;
    let bus = NodeAddr::new(announced.ip.clone(), announced.bus_port);
    let (client_error, bus_error) = tokio::join!(dial(access, &client), dial(access, &bus));
    let addr = &candidate.addr;
    if client_error.is_err() && !access.map.knows(&client) {
        return Some(format!(
            "{addr} announces itself as {client}, where nothing answers (see cluster-announce-ip and cluster-announce-port)"
        ));
    }
    bus_error.is_err().then(|| {
        format!(
            "{addr} announces its bus port as {bus}, where nothing answers (see cluster-announce-bus-port, and any firewall)"
        )
    })
}

/// What it announces by now; a node learns its own address only when it is met.
async fn announced_now(access: &Access, candidate: &Candidate) -> Option<Announced> {
    let node = Node::connect(access, &candidate.addr).await.ok()?;
    let view = node.view().await.ok()?;
    view.myself().map(|me| me.announced.clone())
}
