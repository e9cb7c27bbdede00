//! What is replaced is freed aside. RESTORE ... REPLACE frees what the key held at once, and a huge value
//! holds its master up for as long as that takes, unless `lazyfree-lazy-server-del` is `yes`, which it is by
//! itself on Valkey from 8.0 on. An UNLINK in front of each key would cost every key a command.
//!
//! Set for the time of the restore alone, and put back with whatever else is changed for it.

use futures_util::future::join_all;

use super::order::Existing;
use super::run::Running;
use crate::cluster::{Access, Node, NodeError, Reply, Wanted};
use crate::model::NodeAddr;
use crate::model::words::listed;

impl Running {
    /// Has every master free aside what is replaced there, where it may be told so.
    pub(super) async fn free_aside(&self) {
        if self.options.existing == Existing::Replace {
            let masters = self.routes.now().masters.clone();
            let settings = &self.place.settings;
            let wanted = [Wanted::FREED_ASIDE];
            settings.set(&self.place.access, &masters, &wanted).await;
        }
    }

    /// What is to be told of masters that do not.
    pub(super) async fn freed_at_once(&self) -> Option<String> {
        if self.options.existing != Existing::Replace {
            return None;
        }
        let masters = self.routes.now().masters.clone();
        let asked = masters
            .iter()
            .map(|addr| is_aside(&self.place.access, addr));
        let answers = join_all(asked).await;
        let at_once = masters
            .iter()
            .zip(answers)
            .filter(|(_, is_aside)| !is_aside);
        let at_once: Vec<String> = at_once.map(|(addr, _)| addr.to_string()).collect();
        (!at_once.is_empty()).then(|| {
            format!(
                "lazyfree-lazy-server-del is not known to be yes on {}, and was not set there: a huge \
                 value that is replaced may hold it up",
                listed(at_once, 3)
            )
        })
    }
}

async fn is_aside(access: &Access, addr: &NodeAddr) -> bool {
    let ask = async {
        let node = Node::connect(access, addr).await?;
        node.say("CONFIG GET lazyfree-lazy-server-del").await
    };
    let said: Result<Reply, NodeError> = ask.await;
    said.is_ok_and(|said| said.list().get(1).and_then(Reply::bytes) == Some(b"yes"))
}
