//! Which keys are looked at: drawn at random, or all of them where there are few. Each once.

use std::collections::HashSet;

use super::FLIGHT;
use super::pace::Pace;
use crate::cluster::error::NodeError;
use crate::cluster::node::{Command, Node, Reply};

/// For each key that is wanted, so many are drawn at the most: the same come again where there are
/// hardly more than are wanted.
const DRAWS_PER_KEY: usize = 2;

/// The names are held while the sample goes on, so that none is drawn twice, and dropped with it.
pub(super) struct Draw {
    wanted: usize,
    way: Way,
    known: HashSet<Vec<u8>>,
}

enum Way {
    /// RANDOMKEY, so many times more.
    Random(usize),
    /// SCAN from that cursor on, with the names that came and wait; `None` at the end.
    Scan(Option<String>, Vec<Vec<u8>>),
}

impl Draw {
    pub(super) fn new(wanted: usize, there: u64) -> Draw {
        let is_few = usize::try_from(there).is_ok_and(|there| there <= wanted);
        Draw {
            wanted,
            way: match is_few {
                true => Way::Scan(Some("0".to_owned()), Vec::new()),
                false => Way::Random(wanted * DRAWS_PER_KEY),
            },
            known: HashSet::new(),
        }
    }

    /// Some more names, none of which came before; `None` when it is enough. An empty flight is not the
    /// end.
    pub(super) async fn some(
        &mut self,
        node: &Node,
        pace: &mut Pace,
    ) -> Result<Option<Vec<Vec<u8>>>, NodeError> {
        let room = self.wanted.saturating_sub(self.known.len()).min(FLIGHT);
        if room == 0 {
            return Ok(None);
        }
        let names = match &mut self.way {
            Way::Random(0) => return Ok(None),
            Way::Random(left) => {
                let count = room.min(*left);
                *left -= count;
                random(node, count, pace).await?
            }
            Way::Scan(None, waiting) if waiting.is_empty() => return Ok(None),
            Way::Scan(cursor, waiting) => {
                scan(node, cursor, waiting, pace).await?;
                waiting.split_off(waiting.len().saturating_sub(room))
            }
        };
        let known = &mut self.known;
        let fresh = names.into_iter().filter(|name| known.insert(name.clone()));
        Ok(Some(fresh.collect()))
    }
}

async fn random(node: &Node, count: usize, pace: &mut Pace) -> Result<Vec<Vec<u8>>, NodeError> {
    pace.count("randomkey", count);
    let draws = vec![Command::words("RANDOMKEY"); count];
    let mut names = Vec::new();
    for drawn in node.ask_all(&draws).await? {
        if let Reply::Bytes(name) = drawn? {
            names.push(name);
        }
    }
    Ok(names)
}

/// Goes on with the scan unless enough names wait.
async fn scan(
    node: &Node,
    cursor: &mut Option<String>,
    waiting: &mut Vec<Vec<u8>>,
    pace: &mut Pace,
) -> Result<(), NodeError> {
    let Some(at) = cursor.as_ref().filter(|_| waiting.len() < FLIGHT) else {
        return Ok(());
    };
    pace.count("scan", 1);
    let question = Command::words("SCAN").arg(at).arg("COUNT").arg("100");
    let reply = node.ask(&question).await?;
    let [next, names] = reply.list() else {
        return Err(NodeError::BadReply {
            addr: node.addr().clone(),
            to: "SCAN",
            why: "it is not a cursor and a list".to_owned(),
        });
    };
    *cursor = next.text().filter(|next| next != "0");
    for name in names.list() {
        if let Reply::Bytes(name) = name {
            waiting.push(name.clone());
        }
    }
    Ok(())
}
