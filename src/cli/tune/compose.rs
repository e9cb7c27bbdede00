//! `tune --write-compose FILE`: the advice for nodes in containers, by the names of their services.

use std::path::Path;

use anyhow::anyhow;

use crate::cli::create::docker_failure;
use crate::cli::exit::{Exit, Failure};
use crate::host::compose;
use crate::host::docker::{self, Engine};
use crate::model::NodeAddr;
use crate::model::words::listed;
use crate::ops::tune::{Report, node_lines};

/// So many names are told in an error.
const NAMED: usize = 4;

/// Writes it.
pub(super) async fn write(report: &Report, path: &Path) -> Result<(), Failure> {
    let engine = Engine::connect().await.map_err(docker_failure)?;
    let found = docker::find(&engine, &report.cluster).await;
    let found = found.map_err(docker_failure)?;
    let name = |addr: &NodeAddr| {
        let nodes = found.nodes.iter();
        nodes
            .filter(|node| node.addr.as_ref() == Some(addr))
            .map(|node| node.name.clone())
            .next()
    };
    let mut nodes = Vec::new();
    let mut strangers = Vec::new();
    for (addr, lines) in node_lines(report) {
        match name(&addr) {
            Some(name) => nodes.push((name, lines)),
            None => strangers.push(addr.to_string()),
        }
    }
    if !strangers.is_empty() {
        let failure = Failure::new(
            Exit::Refused,
            anyhow!(
                "Docker knows no container of the cluster {} at {}; nothing was written",
                report.cluster,
                listed(strangers, NAMED)
            ),
        );
        return Err(failure.next(
            "name the cluster as create --docker or its compose file did, or use --write-conf",
        ));
    }
    let text = compose::overlay(&report.cluster, &nodes);
    let text = text.map_err(|error| Failure::new(Exit::Failed, error))?;
    super::write(path, "the compose file", &text)
}
