//! Whether a rotation may begin, or go on: every reason against it at once. Pure.

use super::journal::Journal;
use super::standing::{Link, Standing};

/// Replicas acknowledge once a second; one that is later lags.
const LATEST_ACK_S: u64 = 1;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose password.
    pub user: &'a str,
    /// The hash of the new one; `None` while only the plan is wanted.
    pub new: Option<&'a str>,
    /// The journal of the rotation that is under way.
    pub journal: Option<&'a Journal>,
}

/// Whether replicas log in at their masters as that user.
pub fn replicates(nodes: &[Standing], user: &str) -> bool {
    nodes
        .iter()
        .any(|node| node.master_auth.is_some() && master_user(node) == user)
}

/// Whether links are not all as they should be, which a moment may mend.
pub fn is_settling(nodes: &[Standing]) -> bool {
    nodes.iter().any(|node| of_link(node).is_some())
}

/// Why not, a line each.
pub fn preflight(nodes: &[Standing], asked: Asked<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let everywhere = nodes.iter().map(|node| of_user(node, asked.user));
    match all_alike(everywhere) {
        Some(why) => faults.push(why),
        None => {
            for node in nodes {
                faults.extend(of_user(node, asked.user).map(|why| format!("{}: {why}", node.addr)));
            }
        }
    }
    for node in nodes {
        faults.extend(of_link(node).map(|why| format!("{}: {why}", node.addr)));
    }
    faults.extend(differing(nodes, asked));
    faults.extend(replication(nodes, asked));
    let is_one_of_its_own = |new| nodes.iter().any(|node| node.has(new));
    if asked.journal.is_none() && asked.new.is_some_and(is_one_of_its_own) {
        faults.push(format!(
            "'{}' has this password already: choose another",
            asked.user
        ));
    }
    faults
}

/// What is wrong with all of several nodes alike is told once.
fn all_alike(mut each: impl Iterator<Item = Option<String>>) -> Option<String> {
    let first = each.next()??;
    let mut others = each.peekable();
    others.peek()?;
    others
        .all(|other| other.as_ref() == Some(&first))
        .then(|| format!("on every node {first}"))
}

fn of_user(node: &Standing, user: &str) -> Option<String> {
    if !node.is_known {
        return Some(format!("there is no user '{user}'"));
    }
    if node.is_nopass {
        return Some(format!(
            "'{user}' gets in with any password (nopass), so there is none to rotate"
        ));
    }
    if !node.is_on {
        return Some(format!("'{user}' is off: nobody logs in as it"));
    }
    node.hashes
        .is_empty()
        .then(|| format!("'{user}' has no password"))
}

fn of_link(node: &Standing) -> Option<String> {
    match node.link {
        Some(Link::Down) => return Some("its link to its master is down".to_owned()),
        Some(Link::Copying) => return Some("it is copying all data from its master".to_owned()),
        Some(Link::Up) | None => {}
    }
    let age = node.ack_age_s.filter(|age| *age > LATEST_ACK_S)?;
    Some(format!("a replica of it has not acknowledged for {age} s"))
}

fn differing(nodes: &[Standing], asked: Asked<'_>) -> Option<String> {
    let (first, others) = nodes.split_first()?;
    if let Some(other) = others.iter().find(|other| other.rules != first.rules) {
        // Which user, and not what its rule is: that holds hashes.
        let differs = |line: &&String| !other.rules.contains(line);
        let line = first.rules.iter().find(differs).or(other.rules.last());
        let user = line.and_then(|line| line.split(' ').nth(1)).unwrap_or("?");
        return Some(format!(
            "the user '{user}' differs between {} and {}",
            first.addr, other.addr
        ));
    }
    // On the way they do, and the journal knows why.
    if asked.journal.is_some() {
        return None;
    }
    let other = others.iter().find(|other| other.hashes != first.hashes)?;
    Some(format!(
        "the passwords of '{}' differ between {} and {}",
        asked.user, first.addr, other.addr
    ))
}

fn replication(nodes: &[Standing], asked: Asked<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    if nodes.len() < 2 {
        return faults;
    }
    let is_set = |node: &&Standing| node.master_auth.is_some();
    let has_any = nodes.iter().any(|node| is_set(&node));
    if let Some(node) = nodes.iter().find(|node| has_any && !is_set(node)) {
        faults.push(format!(
            "{} has no masterauth and others have: as a replica it could not log in",
            node.addr
        ));
    }
    let is_default = asked.user == "default";
    if !has_any && is_default && nodes.iter().any(Standing::is_replica) {
        faults.push(
            "no node has a masterauth: replicas could not log in at their masters again".to_owned(),
        );
    }
    let first = nodes.first().map(master_user);
    if let Some(node) = nodes.iter().find(|node| Some(master_user(node)) != first) {
        faults.push(format!(
            "masteruser of {} is not that of the others",
            node.addr
        ));
    }
    let is_fitting = |node: &&Standing| {
        let Some(auth) = &node.master_auth else {
            return true;
        };
        let is_new = asked.journal.is_some_and(|journal| journal.new == *auth);
        master_user(node) != asked.user || node.has(auth) || is_new
    };
    if let Some(node) = nodes.iter().find(|node| !is_fitting(node)) {
        faults.push(format!(
            "masterauth of {} is no password of '{}': set the right one first",
            node.addr, asked.user
        ));
    }
    faults
}

fn master_user(node: &Standing) -> &str {
    match node.master_user.as_str() {
        "" => "default",
        user => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::rotate::decide::tests::{NEW, OLD, journal, nodes};

    fn faults(change: fn(&mut Vec<Standing>)) -> Vec<String> {
        let mut nodes = nodes();
        change(&mut nodes);
        let asked = Asked {
            user: "app",
            new: Some(NEW),
            journal: None,
        };
        preflight(&nodes, asked)
    }

    #[test]
    fn what_is_wrong_everywhere_is_told_once() {
        let told = faults(|nodes| nodes.iter_mut().for_each(|node| node.is_nopass = true));
        let about: Vec<&String> = told.iter().filter(|one| one.contains("nopass")).collect();
        assert_eq!(about.len(), 1, "{told:?}");
        assert!(about[0].starts_with("on every node 'app'"), "{told:?}");
    }

    #[test]
    fn all_that_stands_in_the_way_is_told() {
        assert_eq!(faults(|_| {}), Vec::<String>::new());
        type Change = fn(&mut Vec<Standing>);
        let cases: [(Change, &str); 11] = [
            (|nodes| nodes[0].is_known = false, "no user 'app'"),
            (|nodes| nodes[0].is_nopass = true, "any password"),
            (|nodes| nodes[0].is_on = false, "is off"),
            (
                |nodes| nodes[0].link = Some(Link::Down),
                "link to its master is down",
            ),
            (|nodes| nodes[1].ack_age_s = Some(5), "acknowledged for 5 s"),
            (
                |nodes| nodes[0].rules.push("user x on".into()),
                "differs between",
            ),
            (
                |nodes| nodes[0].hashes.push("cc".into()),
                "passwords of 'app' differ",
            ),
            (|nodes| nodes[0].master_auth = None, "has no masterauth"),
            (
                |nodes| nodes[1].master_user = "repl".into(),
                "masteruser of",
            ),
            (
                |nodes| nodes[0].master_auth = Some("zz".into()),
                "no password of 'app'",
            ),
            (
                |nodes| {
                    nodes
                        .iter_mut()
                        .for_each(|node| node.hashes = vec![NEW.into()])
                },
                "has this password already",
            ),
        ];
        for (change, told) in cases {
            let faults = faults(change);
            assert!(
                faults.iter().any(|fault| fault.contains(told)),
                "{told}: {faults:?}"
            );
        }
    }

    #[test]
    fn what_a_rotation_has_changed_does_not_stand_in_its_way() {
        let (mut nodes, journal) = (nodes(), journal());
        nodes[0].hashes = vec![NEW.into(), OLD.into()];
        nodes[0].master_auth = Some(NEW.into());
        let asked = Asked {
            user: "app",
            new: Some(NEW),
            journal: Some(&journal),
        };
        assert_eq!(preflight(&nodes, asked), Vec::<String>::new());
        assert!(replicates(&nodes, "app") && !replicates(&nodes, "default"));
    }
}
