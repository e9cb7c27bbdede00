//! What users may do.

use crate::model::words::listed;
use crate::model::{AclUser, Probe, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change, changes};

pub(super) const NOPASS: Rule = Rule {
    id: "security.nopass",
    title: "a user gets in with any password",
    parameters: &["acl"],
    kind: Kind::Action,
    why: "The user is on and has nopass, so any password is taken for right.",
    how: "off, or a password of its own",
    cost: "whoever used it is out at the next connection",
    risk: Risk::Medium,
    source: "ACL LIST: flag nopass; check security.nopass_user",
    judge: nopass,
};

pub(super) const DEFAULT_USER: Rule = Rule {
    id: "security.default-user",
    title: "one password for everything",
    parameters: &["acl"],
    kind: Kind::Action,
    why: "One password opens every command on every key, for applications and administrators alike. A leak in one application is a leak of all.",
    how: "a user for each application with its own keys and commands and one for administrators, then the default user off",
    cost: "a change in every application",
    risk: Risk::High,
    source: "ACL LIST: user default on ~* +@all; check security.default_user",
    judge: default_user,
};

pub(super) const DANGEROUS: Rule = Rule {
    id: "security.dangerous",
    title: "users that may run dangerous commands",
    parameters: &["acl"],
    kind: Kind::Action,
    why: "A user with +@all may empty the node (FLUSHALL), stop it (SHUTDOWN), list every key at once (KEYS), change settings (CONFIG) and load code (MODULE). The category @dangerous names what an application has no need of. Renaming commands in the file (rename-command) does the same for everybody, cannot be seen from outside and breaks tools, replication of the renamed ones among them: ACLs do it better.",
    how: "-@dangerous -@admin for each user but the administrators', with +name for the few that it needs; ACL DRYRUN shows what it may still do",
    cost: "an application that does use one of them gets NOPERM: look for it in ACL LOG",
    risk: Risk::Medium,
    source: "ACL LIST: users with +@all and without -@dangerous or -@admin",
    judge: dangerous,
};

pub(super) const CHANNELS: Rule = Rule {
    id: "security.pubsub-default",
    title: "new users may listen to every channel",
    parameters: &["acl-pubsub-default"],
    kind: Kind::Setting,
    why: "With allchannels a new user may read and publish on every channel unless its rule says otherwise, which few rules do. From 7.0 on the default is resetchannels.",
    how: "resetchannels where ACL users other than default are in use",
    cost: "users made afterwards need &channel where they publish or subscribe; those that are there keep what they have until they are loaded again from a file",
    risk: Risk::Medium,
    source: "CONFIG acl-pubsub-default; ACL LIST",
    judge: channels,
};

fn has(user: &AclUser, word: &str) -> bool {
    user.rules.split_whitespace().any(|rule| rule == word)
}

/// The nodes whose ACL was read; the others are skipped.
fn read<'a>(case: &'a Case<'a>) -> (Vec<&'a NodeCase<'a>>, Vec<Opinion>) {
    let (unread, read): (Vec<&NodeCase>, Vec<&NodeCase>) =
        (case.nodes.iter()).partition(|node| node.facts.why_not(Probe::Acl).is_some());
    let skipped = unread.into_iter().map(|node| {
        let why = node.facts.why_not(Probe::Acl).unwrap_or("not asked");
        Opinion::skip(node, format!("ACL LIST was not read: {why}"))
    });
    (read, skipped.collect())
}

/// Advice about the users for which `is_wrong`, on the nodes that have any.
fn about_users(
    case: &Case,
    severity: Severity,
    (proposed, why): (&str, &str),
    is_wrong: impl Fn(&AclUser) -> bool,
    next: &[&str],
) -> Vec<Opinion> {
    let (read, mut opinions) = read(case);
    let (mut changes, mut evidence) = (Vec::new(), Vec::new());
    for node in read {
        let wrong = node.facts.users.iter().filter(|user| is_wrong(user));
        let names: Vec<String> = wrong.map(|user| user.name.clone()).collect();
        if !names.is_empty() {
            let names = listed(names, 4);
            evidence.push(format!("ACL LIST of {}: {names}", node.addr));
            changes.push(change(node, Some(names), proposed));
        }
    }
    let set = Opinion::set(severity, "acl", changes, why, evidence);
    opinions.extend(set.map(|advice| advice.then(next.iter().copied())));
    opinions
}

fn nopass(case: &Case) -> Vec<Opinion> {
    about_users(
        case,
        Severity::Critical,
        ("off, or a password", "users are let in with any password"),
        |user| user.is_on && user.is_nopass && user.name != "default",
        &[
            "on every node: ACL SETUSER NAME resetpass '>PASSWORD', or ACL SETUSER NAME off",
            "ACL SAVE where aclfile is set, else CONFIG REWRITE",
        ],
    )
}

fn default_user(case: &Case) -> Vec<Opinion> {
    about_users(
        case,
        Severity::Info,
        ("off", "one password opens every command on every key"),
        |user| {
            let may_all = has(user, "~*") && has(user, "+@all");
            user.name == "default" && user.is_on && !user.is_nopass && may_all
        },
        &[
            "on every node: ACL SETUSER admin on '>PASSWORD' '~*' '&*' +@all",
            "on every node, for each application: ACL SETUSER app on '>PASSWORD' '~app:*' +@read +@write +@connection",
            "masteruser and masterauth for replication: a user with +psync +replconf +ping",
            "when all clients have moved over: ACL SETUSER default off; ACL SAVE or CONFIG REWRITE",
        ],
    )
}

fn dangerous(case: &Case) -> Vec<Opinion> {
    about_users(
        case,
        Severity::Info,
        (
            "-@dangerous -@admin",
            "users other than the default one may empty, stop or reconfigure the server",
        ),
        |user| {
            let is_held = has(user, "-@dangerous") || has(user, "-@admin");
            let is_admin = user.name.to_ascii_lowercase().contains("admin");
            let is_plain = user.is_on && user.name != "default" && !is_admin;
            is_plain && has(user, "+@all") && !is_held
        },
        &[
            "see what it uses: INFO commandstats, and ACL DRYRUN NAME COMMAND from 7.0 on",
            "on every node, for each user that is no administrator's: ACL SETUSER NAME -@dangerous -@admin",
            "ACL LOG for what is refused; ACL SAVE or CONFIG REWRITE when all is well",
        ],
    )
}

fn channels(case: &Case) -> Vec<Opinion> {
    let (read, mut opinions) = read(case);
    let in_use = read.into_iter().filter(|node| {
        let mut users = node.facts.users.iter();
        users.any(|user| user.name != "default" && user.is_on)
    });
    let wanted = in_use.map(|node| (node, "resetchannels".to_owned()));
    let changes = changes("acl-pubsub-default", wanted);
    let why = "a new user may listen to every channel unless its rule says otherwise";
    opinions.extend(Opinion::set(
        Severity::Info,
        "acl-pubsub-default",
        changes,
        why,
        Vec::new(),
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NotRead;
    use crate::ops::tune::testing::Setup;

    fn user(name: &str, is_nopass: bool, rules: &str) -> Setup {
        Setup::sound().facts(1, |facts| {
            facts.users = vec![AclUser {
                name: name.into(),
                is_on: true,
                is_nopass,
                passwords: 1,
                rules: rules.into(),
            }];
        })
    }

    fn found(setup: &Setup, rule: &str) -> Option<(String, Severity)> {
        let advice = setup.rule(rule);
        let first = advice.first()?;
        Some((first.changes[0].proposed.clone(), first.severity))
    }

    #[test]
    fn users_are_held_to_what_they_need() {
        let off = Some(("off, or a password".to_owned(), Severity::Critical));
        let one = Some(("off".to_owned(), Severity::Info));
        let held = Some(("-@dangerous -@admin".to_owned(), Severity::Info));
        for (rule, name, is_nopass, rules, wanted) in [
            ("security.nopass", "app", true, "~app:* +@read", off),
            ("security.nopass", "app", false, "~app:* +@read", None),
            ("security.nopass", "default", true, "~* +@all", None),
            (
                "security.default-user",
                "default",
                false,
                "~* &* +@all",
                one,
            ),
            (
                "security.default-user",
                "default",
                true,
                "~* &* +@all",
                None,
            ),
            (
                "security.default-user",
                "default",
                false,
                "~a:* +@all",
                None,
            ),
            ("security.dangerous", "app", false, "~* +@all", held),
            (
                "security.dangerous",
                "app",
                false,
                "~* +@all -@dangerous",
                None,
            ),
            ("security.dangerous", "admin", false, "~* +@all", None),
        ] {
            let setup = user(name, is_nopass, rules);
            assert_eq!(found(&setup, rule), wanted, "{rule} {name} {rules}");
        }
    }

    #[test]
    fn unread_users_are_skipped() {
        let setup = Setup::sound().facts(1, |facts| {
            facts.not_read.push(NotRead {
                probe: Probe::Acl,
                why: "NOPERM".into(),
            });
        });
        let rules = [
            "security.nopass",
            "security.default-user",
            "security.dangerous",
            "security.pubsub-default",
        ];
        for rule in rules {
            assert_eq!(setup.rule(rule), []);
            assert_eq!(setup.skipped(rule).len(), 1, "{rule}");
        }
    }

    #[test]
    fn channels_are_given_not_assumed() {
        let old = Setup::sound().config("acl-pubsub-default", "allchannels");
        let wanted = Some(("resetchannels".to_owned(), Severity::Info));
        assert_eq!(found(&old, "security.pubsub-default"), wanted);
        let alone = (0..6).fold(old, |setup, n| {
            setup.facts(n, |facts| facts.users.retain(|user| user.name == "default"))
        });
        assert_eq!(found(&alone, "security.pubsub-default"), None);
        assert_eq!(found(&Setup::sound(), "security.pubsub-default"), None);
    }
}
