//! Which step comes next; pure. What the nodes hold counts more than what was noted: a node that was
//! started again meanwhile, and came back without what had been set, gets it again.

use super::journal::{Journal, Noted};
use super::standing::Standing;
use crate::model::NodeId;

/// One step, of one node where it is a node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Add the new password, and make it last.
    Add(NodeId),
    /// See that every node takes the new one and, where it is known, the old one.
    Verify,
    /// Let the node log in at its master with the new one.
    Authorise(NodeId),
    /// Let the replica connect anew, and see that it copies nothing.
    Reconnect(NodeId),
    /// The caller's files take the new one.
    Follow,
    /// The clients' turn.
    Clients,
    /// Remove the old password, and make that last.
    Remove(NodeId),
    /// See that every node refuses the old one, and that all links stand.
    Confirm,
    /// It is over.
    Done,
    /// On the way back: the caller's files take the old one.
    Unfollow,
    /// On the way back: the node logs in at its master with the old one.
    Unauthorise(NodeId),
    /// On the way back: remove the new password.
    Withdraw(NodeId),
    /// All is as it was.
    Undone,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To the clients' turn.
    Clients,
    /// To the end.
    End,
}

/// The next step.
pub fn next(journal: &Journal, nodes: &[Standing], until: Until) -> Step {
    match journal.is_undoing {
        true => back(journal, nodes),
        false => forth(journal, nodes, until),
    }
}

fn forth(journal: &Journal, nodes: &[Standing], until: Until) -> Step {
    let noted = |node: &Standing, done: fn(&Noted) -> bool| journal.noted(node).is_some_and(done);
    let first = |lacks: &dyn Fn(&Standing) -> bool| {
        nodes
            .iter()
            .find(|node| lacks(node))
            .map(|node| node.id.clone())
    };
    let lacks_new =
        |node: &Standing| !node.has(&journal.new) || !noted(node, |node| node.added.is_some());
    if let Some(id) = first(&lacks_new) {
        return Step::Add(id);
    }
    if !journal.is_verified {
        return Step::Verify;
    }
    let lacks_auth = |node: &Standing| {
        let is_new = node.master_auth.as_ref() == Some(&journal.new);
        !is_new || !noted(node, |node| node.authorised.is_some())
    };
    if let Some(id) = first(&lacks_auth).filter(|_| journal.is_for_replication) {
        return Step::Authorise(id);
    }
    let is_stale =
        |node: &Standing| node.is_replica() && !noted(node, |node| node.reconnected.is_some());
    if let Some(id) = first(&is_stale).filter(|_| journal.is_for_replication) {
        return Step::Reconnect(id);
    }
    if !journal.is_followed {
        return Step::Follow;
    }
    // Once the first node refuses the old password, there is nothing left to wait for.
    if until == Until::Clients && !journal.is_removing {
        return Step::Clients;
    }
    let has_old = |node: &Standing| {
        let is_held = journal.old.iter().any(|hash| node.has(hash));
        is_held || !noted(node, |node| node.removed.is_some())
    };
    match first(&has_old) {
        Some(id) => Step::Remove(id),
        None if !journal.is_confirmed => Step::Confirm,
        None => Step::Done,
    }
}

fn back(journal: &Journal, nodes: &[Standing]) -> Step {
    if journal.is_followed {
        return Step::Unfollow;
    }
    let is_new = |node: &&Standing| node.master_auth.as_ref() == Some(&journal.new);
    if let Some(node) = nodes.iter().find(is_new) {
        return Step::Unauthorise(node.id.clone());
    }
    let has_new = |node: &&Standing| {
        let is_noted = journal
            .noted(node)
            .is_some_and(|node| node.removed.is_some());
        node.has(&journal.new) || !is_noted
    };
    match nodes.iter().find(has_new) {
        Some(node) => Step::Withdraw(node.id.clone()),
        None => Step::Undone,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cluster::{Files, Kept};
    use crate::model::NodeAddr;
    use crate::ops::rotate::standing::Link;

    pub const OLD: &str = "aa";
    pub const NEW: &str = "bb";

    /// A replica and its master, as whose replication user `app` stands in for.
    pub fn nodes() -> Vec<Standing> {
        let node = |digit: &str, port, master: Option<u16>| Standing {
            is_known: true,
            is_on: true,
            hashes: vec![OLD.into()],
            rules: vec!["user app on ~* +@all".into()],
            files: Files {
                has_acl_file: false,
                has_config_file: true,
            },
            master_user: "app".into(),
            master_auth: Some(OLD.into()),
            link: master.map(|_| Link::Up),
            ..Standing::of(
                digit.repeat(40).parse().unwrap(),
                NodeAddr::new("127.0.0.1", port),
                master.map(|port| NodeAddr::new("127.0.0.1", port)),
            )
        };
        vec![node("a", 7002, Some(7001)), node("b", 7001, None)]
    }

    pub fn journal() -> Journal {
        let mut journal = Journal::new("shop", "app", 1, NEW, &nodes());
        journal.is_for_replication = true;
        journal
    }

    /// Does what a step says, to the values alone.
    fn take(step: &Step, journal: &mut Journal, nodes: &mut [Standing]) {
        let kept = || Some(Kept::ConfigFile);
        let mut with = |id: &NodeId, change: &dyn Fn(&mut Standing, &mut Noted)| {
            let node = nodes.iter_mut().find(|node| node.id == *id).unwrap();
            let mut noted = journal.note(node).clone();
            change(node, &mut noted);
            *journal.note(node) = noted;
        };
        match step {
            Step::Add(id) => with(id, &|node, noted| {
                node.hashes.push(NEW.into());
                noted.added = kept();
            }),
            Step::Authorise(id) => with(id, &|node, noted| {
                node.master_auth = Some(NEW.into());
                noted.authorised = kept();
            }),
            Step::Reconnect(id) => with(id, &|_, noted| noted.reconnected = Some("partial".into())),
            Step::Remove(id) => with(id, &|node, noted| {
                node.hashes.retain(|hash| hash != OLD);
                noted.removed = kept();
            }),
            Step::Withdraw(id) => with(id, &|node, noted| {
                node.hashes.retain(|hash| hash != NEW);
                noted.removed = kept();
            }),
            Step::Unauthorise(id) => with(id, &|node, _| node.master_auth = Some(OLD.into())),
            Step::Verify => journal.is_verified = true,
            Step::Follow => journal.is_followed = true,
            Step::Unfollow => journal.is_followed = false,
            Step::Confirm => journal.is_confirmed = true,
            Step::Clients | Step::Done | Step::Undone => {}
        }
    }

    fn walk(journal: &mut Journal, nodes: &mut [Standing], until: Until) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..30 {
            let step = next(journal, nodes, until);
            take(&step, journal, nodes);
            let is_end = matches!(step, Step::Clients | Step::Done | Step::Undone);
            steps.push(step);
            if is_end {
                break;
            }
        }
        steps
    }

    #[test]
    fn the_old_password_goes_nowhere_before_the_new_one_is_everywhere() {
        let (mut journal, mut nodes) = (journal(), nodes());
        let (replica, master) = (nodes[0].id.clone(), nodes[1].id.clone());
        let steps = walk(&mut journal, &mut nodes, Until::Clients);
        let to_the_clients = [
            Step::Add(replica.clone()),
            Step::Add(master.clone()),
            Step::Verify,
            Step::Authorise(replica.clone()),
            Step::Authorise(master.clone()),
            Step::Reconnect(replica.clone()),
            Step::Follow,
            Step::Clients,
        ];
        assert_eq!(steps, to_the_clients);
        let steps = walk(&mut journal, &mut nodes, Until::End);
        let to_the_end = [
            Step::Remove(replica),
            Step::Remove(master),
            Step::Confirm,
            Step::Done,
        ];
        assert_eq!(steps, to_the_end);
    }

    #[test]
    fn a_node_that_forgot_gets_the_new_password_before_anything_else() {
        let (mut journal, mut nodes) = (journal(), nodes());
        walk(&mut journal, &mut nodes, Until::Clients);
        nodes[1].hashes = vec![OLD.into()];
        let forgetful = nodes[1].id.clone();
        assert_eq!(
            next(&journal, &nodes, Until::End),
            Step::Add(forgetful.clone())
        );
        nodes[1].hashes = vec![NEW.into(), OLD.into()];
        nodes[1].master_auth = Some(OLD.into());
        assert_eq!(
            next(&journal, &nodes, Until::End),
            Step::Authorise(forgetful)
        );
    }

    #[test]
    fn the_way_back_ends_where_it_began() {
        for taken in 0..8 {
            let (mut journal, mut nodes) = (journal(), nodes());
            let before = nodes.clone();
            for _ in 0..taken {
                let step = next(&journal, &nodes, Until::Clients);
                take(&step, &mut journal, &mut nodes);
            }
            journal.is_undoing = true;
            let steps = walk(&mut journal, &mut nodes, Until::End);
            assert_eq!(steps.last(), Some(&Step::Undone), "{taken}: {steps:?}");
            assert_eq!(nodes, before, "{taken}");
        }
    }

    #[test]
    fn replication_is_left_alone_when_the_user_is_not_its() {
        let (mut journal, mut nodes) = (journal(), nodes());
        journal.is_for_replication = false;
        let steps = walk(&mut journal, &mut nodes, Until::Clients);
        let is_of_replication =
            |step: &Step| matches!(step, Step::Authorise(_) | Step::Reconnect(_));
        assert!(!steps.iter().any(is_of_replication), "{steps:?}");
        assert_eq!(nodes[0].master_auth.as_deref(), Some(OLD));
    }
}
