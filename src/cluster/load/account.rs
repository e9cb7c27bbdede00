//! The account: every write looked for where it belongs now, and what that makes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Write, Written};
use crate::cluster::access::Access;
use crate::cluster::explore::{Ask, survey};
use crate::cluster::node::{Command, Node, Reply};
use crate::model::{Account, NodeAddr, Outcome, Slot, Topology};

/// How many keys go in one flight.
const BATCH: usize = 500;

/// Looks for every write on the node that owns its slot now.
pub async fn read_back(access: &Access, ledger: &Ledger) -> Vec<Account> {
    let owners = Owners::of(access).await;
    let mut accounts = Vec::new();
    for written in &ledger.written {
        let found = owners.ask(access, written, "EXISTS").await;
        accounts.push(account(written, &found));
    }
    accounts
}

/// Removes every key of the load; gives how many there were. What cannot be removed expires.
pub async fn clean_up(access: &Access, ledger: &Ledger) -> u64 {
    let owners = Owners::of(access).await;
    let mut removed = 0;
    for written in &ledger.written {
        let found = owners.ask(access, written, "UNLINK").await;
        removed += found.iter().filter(|there| **there == Some(true)).count() as u64;
    }
    removed
}

struct Owners(Topology);

impl Owners {
    async fn of(access: &Access) -> Owners {
        let ask = Ask {
            is_brief: true,
            ..Ask::default()
        };
        Owners(Topology::of(&survey(access, &ask).await))
    }

    fn owner(&self, key: &str) -> Option<NodeAddr> {
        let owner = self.0.owner(Slot::of_key(key.as_bytes()))?;
        owner.addr.clone()
    }

    /// Asks that of every key: whether it was there; `None` when that could not be learnt.
    async fn ask(&self, access: &Access, written: &Written, command: &str) -> Vec<Option<bool>> {
        let mut found = vec![None; written.writes.len()];
        let mut by_owner: BTreeMap<NodeAddr, Vec<usize>> = BTreeMap::new();
        for (n, write) in written.writes.iter().enumerate() {
            let key = written.keys.key(write.number, write.is_witness);
            if let Some(owner) = self.owner(&key) {
                by_owner.entry(owner).or_default().push(n);
            }
        }
        for (owner, all) in by_owner {
            let Ok(node) = Node::connect(access, &owner).await else {
                continue;
            };
            for batch in all.chunks(BATCH) {
                let commands: Vec<Command> = batch
                    .iter()
                    .map(|&n| {
                        let write = &written.writes[n];
                        let key = written.keys.key(write.number, write.is_witness);
                        Command::words(command).arg(key)
                    })
                    .collect();
                let Ok(replies) = node.ask_all(&commands).await else {
                    break;
                };
                for (&n, reply) in batch.iter().zip(replies) {
                    found[n] = reply.ok().as_ref().and_then(Reply::integer).map(|n| n > 0);
                }
            }
        }
        found
    }
}

fn account(written: &Written, found: &[Option<bool>]) -> Account {
    let missed: BTreeSet<u64> = written.missed_reads.iter().copied().collect();
    let mut account = Account {
        shard: written.number,
        stale_reads: written.missed_reads.len() as u64,
        split_brain: split_brain(&written.accepted),
        ..Account::default()
    };
    for (write, there) in written.writes.iter().zip(found) {
        tally(&mut account, write, *there, &missed);
    }
    account
}

fn tally(account: &mut Account, write: &Write, there: Option<bool>, missed: &BTreeSet<u64>) {
    let is_known = match write.outcome {
        Outcome::Good => {
            account.acknowledged += 1;
            if there == Some(false) {
                account.lost += 1;
                let (first, last) = account
                    .lost_between_us
                    .unwrap_or((write.ended_us, write.ended_us));
                account.lost_between_us =
                    Some((first.min(write.ended_us), last.max(write.ended_us)));
            }
            let was_missed = !write.is_witness && missed.contains(&write.number);
            if there == Some(true) && was_missed {
                account.resurrected += 1;
            }
            true
        }
        Outcome::Broken | Outcome::Timeout => {
            account.indeterminate += 1;
            account.indeterminate_present += u64::from(there == Some(true));
            false
        }
        _ => {
            account.phantom += u64::from(there == Some(true));
            false
        }
    };
    if there.is_none() && is_known {
        account.unread += 1;
    }
}

/// Writes that a node accepted between two that another one accepted, having been the first: both
/// led at once.
fn split_brain(accepted: &[(u64, usize)]) -> u64 {
    let mut ends: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for &(at, line) in accepted {
        let (_, last) = ends.entry(line).or_insert((at, at));
        *last = at;
    }
    let is_between = |&&(at, line): &&(u64, usize)| {
        ends.iter().any(|(&other, &(first, last))| {
            let own = ends.get(&line).map_or(at, |own| own.0);
            other != line && own < first && first < at && at < last
        })
    };
    accepted.iter().filter(is_between).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_at_once_are_counted() {
        // The old one (0) goes on while the new one (1) has begun.
        let both = [(1, 0), (2, 0), (3, 1), (4, 0), (5, 1), (6, 0), (7, 1)];
        assert_eq!(split_brain(&both), 2);
        assert_eq!(split_brain(&[(1, 0), (2, 0), (3, 1), (4, 1)]), 0);
    }

    #[test]
    fn each_write_is_counted_as_what_became_of_it() {
        let write = |outcome| Write {
            number: 1,
            is_witness: false,
            outcome,
            ended_us: 10,
        };
        let mut account = Account::default();
        let none = BTreeSet::new();
        for (outcome, there) in [
            (Outcome::Good, Some(true)),
            (Outcome::Good, Some(false)),
            (Outcome::Good, None),
            (Outcome::Timeout, Some(true)),
            (Outcome::Broken, Some(false)),
            (Outcome::Down, Some(true)),
        ] {
            tally(&mut account, &write(outcome), there, &none);
        }
        let counted = (account.acknowledged, account.lost, account.unread);
        assert_eq!(counted, (3, 1, 1));
        let unknown = (account.indeterminate, account.indeterminate_present);
        assert_eq!((unknown, account.phantom), ((2, 1), 1));
        assert_eq!(account.lost_between_us, Some((10, 10)));
    }
}
