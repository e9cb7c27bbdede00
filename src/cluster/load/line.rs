//! A line to one node: a connection that is made again in the background whenever it breaks, so that
//! nobody who has something due waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::access::Access;
use crate::cluster::error::NodeError;
use crate::cluster::node::{Command, Node, Reply};
use crate::model::{NodeAddr, View};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(10);

/// A line that keeps itself up for as long as it lives.
pub(super) struct Line {
    addr: NodeAddr,
    state: Arc<State>,
    _keeping: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct State {
    node: Mutex<Option<(u64, Node)>>,
    broke: Notify,
}

impl State {
    fn put(&self, node: Option<(u64, Node)>) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = node;
    }

    fn get(&self) -> Option<(u64, Node)> {
        self.node
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Line {
    /// A line to that node; it comes up by itself.
    pub(super) fn to(access: &Access, addr: &NodeAddr) -> Line {
        let state = Arc::new(State::default());
        let keeping = keep(access.clone(), addr.clone(), state.clone());
        Line {
            addr: addr.clone(),
            state,
            _keeping: AbortOnDropHandle::new(tokio::spawn(keeping)),
        }
    }

    /// Where it leads.
    pub(super) fn addr(&self) -> &NodeAddr {
        &self.addr
    }

    /// Asks over the connection that there is; none is an error at once.
    pub(super) async fn ask(&self, command: &Command) -> Result<Reply, NodeError> {
        self.over(async |node| node.ask(command).await).await
    }

    /// CLUSTER NODES, likewise.
    pub(super) async fn view(&self) -> Result<View, NodeError> {
        self.over(async |node| node.view().await).await
    }

    async fn over<T>(
        &self,
        ask: impl AsyncFnOnce(&Node) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let Some((generation, node)) = self.state.get() else {
            return Err(NodeError::Refused {
                addr: self.addr.clone(),
            });
        };
        let outcome = ask(&node).await;
        let is_broken =
            |error: &NodeError| !matches!(error, NodeError::Timeout { .. }) && error.is_end();
        if outcome.as_ref().is_err_and(is_broken) {
            // Of many who see it break only the first takes it down.
            if self.state.get().is_some_and(|(now, _)| now == generation) {
                self.state.put(None);
                self.state.broke.notify_one();
            }
        }
        outcome
    }
}

async fn keep(access: Access, addr: NodeAddr, state: Arc<State>) {
    for generation in 0.. {
        loop {
            if let Ok(node) = Node::connect(&access, &addr).await {
                state.put(Some((generation, node)));
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        state.broke.notified().await;
    }
}
