//! Questions about the keys of one master, asked once more where it says that their slot is on its way:
//! a slot that is half moved has some of its keys here and some there.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use crate::cluster::{Access, Command, Node, NodeError, Reply};
use crate::model::NodeAddr;

/// A master, in one of its databases.
pub(super) struct Following<'a> {
    access: &'a Access,
    node: Node,
    db: u64,
}

impl<'a> Following<'a> {
    pub(super) async fn connect(
        access: &'a Access,
        addr: &NodeAddr,
        db: u64,
    ) -> Result<Following<'a>, NodeError> {
        let node = selected(access, addr, db).await?;
        Ok(Following { access, node, db })
    }

    /// Asks all of it in one flight, and what is said to be elsewhere in another.
    pub(super) async fn ask_all(
        &self,
        commands: &[Command],
    ) -> Result<Vec<Result<Reply, NodeError>>, NodeError> {
        let mut replies = self.node.ask_all(commands).await?;
        let mut elsewhere = BTreeMap::<NodeAddr, Vec<usize>>::new();
        for (n, reply) in replies.iter().enumerate() {
            if let Some(to) = points_to(reply) {
                elsewhere.entry(to).or_default().push(n);
            }
        }
        for (to, places) in elsewhere {
            let node = selected(self.access, &self.access.map.reach(&to), self.db).await?;
            let asked = places.iter().map(|n| commands[*n].clone());
            let flight = asked.flat_map(|command| [Command::words("ASKING"), command]);
            let answers = node.ask_all(&flight.collect::<Vec<_>>()).await?;
            let answers = answers.into_iter().skip(1).step_by(2);
            for (n, answer) in places.into_iter().zip(answers) {
                replies[n] = answer;
            }
        }
        Ok(replies)
    }

    /// Renames a key of a slot that is half moved, where it goes to. No server does so there to a name that
    /// nobody has (TRYAGAIN), so the name goes to a mark for that moment.
    /// False where the slot is not half moved.
    pub(super) async fn rename_there(
        &self,
        from: &[u8],
        to: &[u8],
        replaces: bool,
    ) -> Result<bool, NodeError> {
        let asked = self.node.ask(&Command::words("EXISTS").arg(from)).await;
        let Some(taker) = points_to(&asked) else {
            return asked.map(|_| false);
        };
        let node = selected(self.access, &self.access.map.reach(&taker), self.db).await?;
        let ask = async |command: Command| {
            let mut answers = node.ask_all(&[Command::words("ASKING"), command]).await?;
            answers.pop().unwrap_or(Ok(Reply::Nil))
        };
        if ask(Command::words("EXISTS").arg(from)).await?.integer() != Some(1) {
            return Ok(true);
        }
        let word = if replaces { "UNLINK" } else { "EXISTS" };
        let found = self.ask(&Command::words(word).arg(to)).await?.integer();
        let mark = Command::words("SET").arg(to).arg(from).arg("NX");
        let is_free = (replaces || found == Some(0)) && ask(mark).await? != Reply::Nil;
        if is_free {
            ask(Command::words("RENAME").arg(from).arg(to)).await?;
        }
        Ok(true)
    }

    /// The same of one question.
    pub(super) async fn ask(&self, command: &Command) -> Result<Reply, NodeError> {
        let mut replies = self.ask_all(std::slice::from_ref(command)).await?;
        replies.pop().unwrap_or(Ok(Reply::Nil))
    }
}

/// A connection to a node, in that database.
pub(super) async fn selected(access: &Access, addr: &NodeAddr, db: u64) -> Result<Node, NodeError> {
    let node = Node::connect(access, addr).await?;
    node.ask(&Command::words("SELECT").arg(db.to_string()))
        .await?;
    Ok(node)
}

/// Where ASK points, when that is the answer.
pub(super) fn points_to(reply: &Result<Reply, NodeError>) -> Option<NodeAddr> {
    match reply {
        Err(NodeError::Server { said, .. }) => match Refusal::of(said) {
            Refusal::Ask(to) => Some(to),
            _ => None,
        },
        _ => None,
    }
}
