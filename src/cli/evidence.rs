//! Gathers the evidence for advice: what is seen of each node beside what it answered in the survey.
//!
//! Glue between servers and machines, which do not know each other. Every node that answered the survey is
//! asked at the same time, each over one connection, and the machines are looked at meanwhile; one that
//! hangs costs one deadline. Nothing here fails: what could not be seen is put down with its reason.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio_util::task::AbortOnDropHandle;

use super::exit::Failure;
use super::reach;
use super::screen::Screen;
use super::settings::Settings;
use crate::cluster::{
    Access, Ask, Depth, Node, NodeError, clients, finished, quantum, sample_keys,
};
use crate::host::drill::NodeAtHost;
use crate::host::seen::see;
use crate::model::words::duration;
use crate::model::{Evidence, Facts, HostSeen, NodeAddr, NodeReport, Role, Seen, Survey};

/// Nodes that are asked in the same moment, a connection each.
const AT_ONCE: usize = 128;

/// How long machines may be looked at, in all: an engine that is dead must not hold up the advice.
const MACHINES: Duration = Duration::from_millis(2_500);

/// Surveys the cluster as the settings say, then looks beside it: after the samples of the counters,
/// so that what is asked does not count among them.
pub async fn look(
    settings: &Settings,
    access: &mut Access,
    ask: &Ask,
    is_deep: bool,
    screen: &Screen,
) -> Result<Evidence, Failure> {
    let events = screen.events();
    if !ask.sample.is_zero() {
        events.begin(format!(
            "taking the counters twice, {} apart",
            duration(ask.sample)
        ));
    }
    let survey = reach::look(settings, access, ask, screen).await?;
    screen.clear();
    reach::require_answer(&survey)?;
    if is_deep {
        events.begin("looking at keys");
    }
    let evidence = gather(access, survey, is_deep).await;
    screen.clear();
    Ok(evidence)
}

/// Clients of every node, a sample of the keys of every master, and the machines as far as they are in
/// sight. Keys are looked at closely when `is_deep`, which takes up to a minute; otherwise all of it takes
/// some three seconds at the most, whatever the number of nodes, if deadlines are no longer than that.
pub async fn gather(access: &Access, survey: Survey, is_deep: bool) -> Evidence {
    let depth = match is_deep {
        true => Depth::Deep,
        false => Depth::Light,
    };
    let machines: Vec<NodeAtHost> = survey
        .answered()
        .filter_map(|(report, facts)| at_host(report, facts))
        .collect();
    let servers: Vec<(NodeAddr, Asked)> = survey
        .answered()
        .map(|(report, facts)| {
            let asked = Asked {
                keys: is_master(facts).then_some(depth),
                is_fragmented: is_fragmented(facts),
            };
            (report.addr.clone(), asked)
        })
        .collect();
    let asked = servers.into_iter().map(|(addr, asked)| {
        let access = access.clone();
        // A task of its own: reading a hundred answers is work for all cores. Dropped with this future,
        // it ends too.
        let task = async move { (addr.clone(), ask(&access, &addr, asked).await) };
        async { finished(AbortOnDropHandle::new(tokio::spawn(task))).await }
    });
    let asked = stream::iter(asked).buffer_unordered(AT_ONCE).collect();
    let (nodes, hosts): (BTreeMap<NodeAddr, Seen>, _) = join(asked, see(&machines, MACHINES)).await;
    let mut evidence = Evidence { survey, nodes };
    put_hosts(&mut evidence, hosts);
    evidence
}

fn is_master(facts: &Facts) -> bool {
    facts.view.myself().is_some_and(|me| me.flags.master)
}

/// What the servers tell that leads to the machine; `None` of one that does not know itself.
fn at_host(report: &NodeReport, facts: &Facts) -> Option<NodeAtHost> {
    let me = facts.view.myself()?;
    Some(NodeAtHost {
        id: me.id.clone(),
        addr: report.addr.clone(),
        announced: me.announced.clone(),
        role: match me.flags.master {
            true => Role::Master,
            false => Role::Replica,
        },
        // Neither is looked at where a machine is only seen.
        shard: 0,
        cluster: String::new(),
        info: facts.info.clone(),
        settings: facts.config.clone(),
    })
}

/// What a node is asked for besides its clients.
#[derive(Clone, Copy)]
struct Asked {
    /// A sample of its keys.
    keys: Option<Depth>,
    /// Which allocator it has, since it loses memory.
    is_fragmented: bool,
}

/// Whether so much is lost that defragmenting would be thought of.
fn is_fragmented(facts: &Facts) -> bool {
    const MUCH: u64 = 100 << 20;
    let is_jemalloc = (facts.info.get("mem_allocator")).is_some_and(|name| name.starts_with("jem"));
    is_jemalloc && facts.info.number("allocator_frag_bytes") > Some(MUCH)
}

/// Asks one node.
async fn ask(access: &Access, addr: &NodeAddr, asked: Asked) -> Seen {
    let (mut seen, keys) = (Seen::default(), asked.keys);
    let node = match Node::connect(access, addr).await {
        Ok(node) => node,
        Err(error) => {
            seen.miss("clients", &error);
            if keys.is_some() {
                seen.miss("keys", &error);
            }
            return seen;
        }
    };
    let lost = match clients(&node).await {
        Ok(clients) => {
            seen.clients = Some(clients);
            None
        }
        Err(error) => {
            seen.miss("clients", &error);
            Some(error).filter(|error| error.silence().is_some() && !is_refusal(error))
        }
    };
    if asked.is_fragmented && lost.is_none() {
        // What is not told is not known: the rule then goes by the version.
        seen.quantum_bytes = quantum(&node).await.ok().flatten();
    }
    match (keys, lost) {
        // It would cost one more deadline.
        (Some(_), Some(error)) => seen.miss("keys", &error),
        (Some(depth), None) => match sample_keys(&node, depth).await {
            Ok(keys) => seen.keys = Some(keys),
            Err(error) => seen.miss("keys", &error),
        },
        (None, _) => {}
    }
    seen
}

fn is_refusal(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Forbidden { .. } | NodeError::Server { .. } | NodeError::Loading { .. }
    )
}

impl Seen {
    fn miss(&mut self, what: &str, error: &NodeError) {
        let why = match error {
            // The row shows the address already.
            NodeError::Server { said, .. } | NodeError::Forbidden { said, .. } => said.clone(),
            other => other.to_string(),
        };
        self.not_seen.insert(what.to_owned(), why);
    }
}

fn put_hosts(evidence: &mut Evidence, hosts: BTreeMap<NodeAddr, Result<HostSeen, String>>) {
    for (addr, seen) in &mut evidence.nodes {
        match hosts.get(addr) {
            Some(Ok(host)) => seen.host = Some(host.clone()),
            Some(Err(why)) => {
                seen.not_seen.insert("host".to_owned(), why.clone());
            }
            None => {
                let why = "its own view does not name it, so its machine cannot be proven";
                seen.not_seen.insert("host".to_owned(), why.to_owned());
            }
        }
    }
}
