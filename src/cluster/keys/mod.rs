//! A sample of a master's keys: what they are, how they are named, how long they live, what they take.
//!
//! Keys are drawn by RANDOMKEY, which picks among all keys alike, whatever their names, slots and
//! ages, at one or two microseconds each. (SCAN from random cursors would favour small slots: from
//! Redis 7.4 and Valkey 8.0 on a cluster node keeps a table for each slot, and a cursor names one.) A
//! node that holds no more keys than are wanted is scanned whole.
//!
//! The server must not notice: no more than 25 keys go in one flight, and after each it gets a rest,
//! so that it spends less than one percent of a core on the sample, by its own measurement
//! (COMMANDSTATS). Nor may its keys: TYPE, PTTL, OBJECT and MEMORY USAGE leave alone when a key was
//! used last and how often. HLEN and the like do not, so they go under CLIENT NO-TOUCH (7.2). On older
//! servers they are asked only where the policy evicts by neither age nor use, after OBJECT IDLETIME;
//! elsewhere there are no counts of elements.
//!
//! | file | what |
//! |---|---|
//! | `draw` | which keys |
//! | `ask` | the questions about a key, and what the answers say |
//! | `elements` | how many elements a key has, and how long a few of them are |
//! | `pace` | what the server spends, and the rests |
//! | `pattern` | names to families; nothing else keeps a name |
//! | `sum` | the keys to what is kept of them |

mod ask;
mod draw;
mod elements;
mod pace;
mod pattern;
mod sum;

use std::time::Duration;

use tokio::time::Instant;

use self::ask::{Extra, Key};
use self::draw::Draw;
use self::pace::Pace;
use super::error::NodeError;
use super::node::{Command, Node, Reply};
use super::replies::{number, read_info};
use crate::model::{Info, KeysSeen, Version};

/// The most keys in one flight.
const FLIGHT: usize = 25;

/// How closely keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Types and expiries of 200 keys, within 2 s.
    Light,
    /// Sizes, encodings, elements and use of 2,000 keys as well, within 60 s.
    Deep,
}

impl Depth {
    fn keys(self) -> usize {
        match self {
            Depth::Light => 200,
            Depth::Deep => 2_000,
        }
    }

    fn limit(self) -> Duration {
        match self {
            Depth::Light => Duration::from_secs(2),
            Depth::Deep => Duration::from_secs(60),
        }
    }
}

/// Samples the keys of database 0. Fails when nothing at all could be learned; a node that is lost on
/// the way, or time that is over, makes the sample smaller.
pub async fn sample_keys(node: &Node, depth: Depth) -> Result<KeysSeen, NodeError> {
    let begun = Instant::now();
    let server = Server::look(node).await?;
    let mut pace = Pace::new(&server.info, begun, depth.limit());
    let mut seen = Vec::new();
    if server.keys > 0 {
        let is_measuring = depth == Depth::Deep && server.may_count(node, &mut pace).await;
        let mut asking = Asking {
            node,
            draw: Draw::new(depth.keys(), server.keys),
            extras: extras(depth, &server),
            is_measuring,
        };
        asking.all(&mut pace, &mut seen).await?;
    }
    pace.end(node).await;
    let mut keys = sum::sum(&seen);
    keys.keys = server.keys;
    keys.is_deep = depth == Depth::Deep;
    keys.cost_us = pace.spent_us();
    keys.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(keys)
}

/// What must be known of the server beforehand.
struct Server {
    info: Info,
    keys: u64,
}

impl Server {
    async fn look(node: &Node) -> Result<Server, NodeError> {
        // Servers before 7.0 take one section at a time.
        let questions = ["DBSIZE", "INFO server", "INFO memory", "INFO commandstats"];
        let replies = node.ask_all(&questions.map(Command::words)).await?;
        let mut replies = replies.into_iter();
        let keys = replies.next().unwrap_or(Ok(Reply::Nil))?;
        let mut info = Info::default();
        // Where INFO may not be asked for, the sample goes at a pace that suits any server.
        for section in replies.flatten() {
            info.take_over(&read_info(&section));
        }
        Ok(Server {
            info,
            keys: number(&keys).unwrap_or(0),
        })
    }

    fn policy(&self) -> Option<&str> {
        self.info.get("maxmemory_policy")
    }

    fn is_lfu(&self) -> bool {
        self.policy().is_some_and(|policy| policy.ends_with("-lfu"))
    }

    /// Whether elements may be counted without anything being changed that the server goes by.
    async fn may_count(&self, node: &Node, pace: &mut Pace) -> bool {
        let has_no_touch = self.info.version() >= Some(Version(7, 2, 0));
        if has_no_touch {
            pace.count("client", 1);
            if node.say("CLIENT NO-TOUCH ON").await.is_ok() {
                return true;
            }
        }
        self.policy().is_some_and(is_blind_to_use)
    }
}

/// Whether a policy goes by neither age nor use of keys. Unknown ones do.
fn is_blind_to_use(policy: &str) -> bool {
    policy == "noeviction" || policy.ends_with("-random") || policy.ends_with("-ttl")
}

fn extras(depth: Depth, server: &Server) -> Vec<Extra> {
    match depth {
        Depth::Light => Vec::new(),
        Depth::Deep if server.is_lfu() => vec![Extra::Encoding, Extra::Memory, Extra::Frequency],
        Depth::Deep => vec![Extra::Encoding, Extra::Memory, Extra::Idle],
    }
}

/// A sample on its way.
struct Asking<'a> {
    node: &'a Node,
    draw: Draw,
    extras: Vec<Extra>,
    is_measuring: bool,
}

impl Asking<'_> {
    async fn all(&mut self, pace: &mut Pace, seen: &mut Vec<Key>) -> Result<(), NodeError> {
        while !pace.is_over() {
            match self.flight(pace, seen).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if seen.is_empty() => return Err(error),
                // What was learned before that is true all the same.
                Err(_) => break,
            }
            pace.look(self.node).await;
        }
        Ok(())
    }

    /// One flight of keys; `false` when there are no more.
    async fn flight(&mut self, pace: &mut Pace, seen: &mut Vec<Key>) -> Result<bool, NodeError> {
        let Some(names) = self.draw.some(self.node, pace).await? else {
            return Ok(false);
        };
        let found = ask::about(self.node, &names, &mut self.extras, pace).await?;
        pace.rest().await;
        let mut keys: Vec<Key> = found.iter().map(|(_, key)| key.clone()).collect();
        if self.is_measuring {
            self.is_measuring = elements::measure(self.node, &found, &mut keys, pace).await?;
            pace.rest().await;
        }
        seen.extend(keys);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_do_not_look_at_use() {
        for (policy, is_blind) in [
            ("noeviction", true),
            ("volatile-ttl", true),
            ("allkeys-random", true),
            ("allkeys-lru", false),
            ("volatile-lfu", false),
            ("allkeys-lrm", false),
        ] {
            assert_eq!(is_blind_to_use(policy), is_blind, "{policy}");
        }
    }
}
