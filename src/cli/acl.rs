//! What each command's user may do, and no more: `goodcache COMMAND --print-acl`; and the users that
//! `create --acl-users` sets apart.
//!
//! Who adds a question to a command adds it here; a test runs each command as a user with exactly this
//! rule on a real cluster, and no node may have denied anything (ACL LOG).

use std::ffi::OsString;

use crate::model::Version;

/// What every look at a cluster asks.
const LOOK: &str = "+ping +info +time +cluster|nodes +cluster|info +command|info +config|get \
                    +acl|list +slowlog|get +latency|latest +module|list";

/// What a command needs beside a look, and of which keys.
const RULES: [(&str, &str, &str); 6] = [
    (
        "check",
        // --deep, and --canary.
        "+cluster|countkeysinslot +dbsize +multi +exec +set +del +wait",
        "~goodcache:probe:*",
    ),
    (
        "failover-test",
        "+psync +replconf +select +set +get +exists +unlink +cluster|failover",
        "~goodcache:drill:*",
    ),
    (
        "backup",
        // Over the replication link and the cut through it; then --via scan.
        "+psync +replconf +client|pause +client|unpause +config|set +function|dump \
         +function|list +readonly +scan +dump +pttl +pexpiretime +object|idletime +object|freq",
        "~*",
    ),
    (
        "restore",
        // What a log holds is whatever the applications wrote.
        "+psync +replconf +config|set +select +asking +multi +exec +dbsize +@read +@write",
        "~*",
    ),
    (
        "tune",
        // --deep; then --apply, --rewrite and --undo.
        "+client|id +client|list +dbsize +randomkey +scan +readonly +type +pttl \
         +memory|usage +object|encoding +object|idletime +object|freq +strlen +hlen +scard +zcard \
         +llen +xlen +hrandfield +srandmember +zrandmember +lrange +config|set +config|rewrite",
        "~*",
    ),
    (
        "rotate-password",
        // Whoever may set users may do everything.
        "+acl|getuser +acl|setuser +acl|save +config|set +config|rewrite +client|kill +client|list \
         +client|id",
        "",
    ),
];

/// What a replica says to its master, and nothing else.
const REPLICATION: &str = "resetkeys -@all +ping +psync +replconf";

/// All that touches keys, and what clients of a cluster ask to find them. Not what administers a
/// server, nor what empties it or walks through all keys (`KEYS`, `FLUSHALL`, `SORT`).
const APPLICATION: &str = "~* &* +@all -@admin -@dangerous +info +cluster|slots +cluster|shards \
                           +cluster|nodes +cluster|info +cluster|myid +cluster|keyslot \
                           +cluster|countkeysinslot";

const ADMIN: &str = "~* &* +@all";

/// Whom `check` logs in as, and the health check of a container.
pub const CHECK_USER: &str = "check";
/// Whom taking a backup logs in as.
pub const BACKUP_USER: &str = "backup";
/// Whom all other commands log in as.
pub const ADMIN_USER: &str = "admin";
/// Whom nodes log in at their masters as.
pub const REPLICATION_USER: &str = "replication";
/// Whom the application is to log in as.
pub const APPLICATION_USER: &str = "application";

/// The users that are set apart.
pub const USERS: [&str; 5] = [
    APPLICATION_USER,
    REPLICATION_USER,
    BACKUP_USER,
    CHECK_USER,
    ADMIN_USER,
];

/// Words of rules that older servers do not know, and refuse the whole rule for: what they begin with,
/// and since when they are known.
const SINCE: [(&str, Version); 7] = [
    ("+function|", Version(7, 0, 0)),
    ("+pexpiretime", Version(7, 0, 0)),
    ("+cluster|shards", Version(7, 0, 0)),
    ("+hrandfield", Version(6, 2, 0)),
    ("+zrandmember", Version(6, 2, 0)),
    ("&", Version(6, 2, 0)),
    ("resetchannels", Version(6, 2, 0)),
];

/// What that user may do, of those that are set apart; words that this version does not know are left
/// out, and without a version none is.
pub fn of_user(user: &str, version: Option<Version>) -> Option<String> {
    let rule = match user {
        APPLICATION_USER => APPLICATION.to_owned(),
        REPLICATION_USER => REPLICATION.to_owned(),
        ADMIN_USER => ADMIN.to_owned(),
        // A user may reach all channels or none by default, as the server is set.
        BACKUP_USER | CHECK_USER => format!("resetchannels {}", rule(user)?),
        _ => return None,
    };
    Some(known_to(&rule, version))
}

fn known_to(rule: &str, version: Option<Version>) -> String {
    let is_known = |word: &&str| {
        let since = SINCE.iter().find(|(begin, _)| word.starts_with(begin));
        match (since, version) {
            (Some((_, since)), Some(version)) => version >= *since,
            _ => true,
        }
    };
    let words: Vec<&str> = rule.split_ascii_whitespace().filter(is_known).collect();
    words.join(" ")
}

/// The rule for that command's user, as `ACL SETUSER NAME on >PASSWORD ...` takes it; `None` for a
/// command that logs in nowhere, or that makes the cluster.
pub fn rule(command: &str) -> Option<String> {
    let (_, more, keys) = RULES.iter().find(|(name, _, _)| *name == command)?;
    let words = ["resetkeys -@all", LOOK, more, keys];
    let words = words.iter().flat_map(|part| part.split_ascii_whitespace());
    Some(words.collect::<Vec<_>>().join(" "))
}

/// The commands that have a rule.
pub fn commands() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _, _)| *name)
}

/// The command whose rule is asked for, be it otherwise complete or not; `None` when none is.
pub fn asked(arguments: &[OsString]) -> Option<String> {
    let words = || arguments.iter().skip(1).map(|word| word.to_string_lossy());
    if !words().any(|word| word == "--print-acl") {
        return None;
    }
    words()
        .find(|word| rule(word).is_some())
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_is_told_only_what_it_knows() {
        let backup = |version| of_user(BACKUP_USER, version).unwrap();
        assert!(backup(None).contains("+function|dump"));
        assert!(backup(Some(Version(7, 0, 15))).contains("+pexpiretime"));
        let old = backup(Some(Version(6, 2, 14)));
        assert!(
            !old.contains("function") && !old.contains("pexpiretime"),
            "{old}"
        );
        assert!(
            old.contains("+psync") && old.contains("resetchannels"),
            "{old}"
        );
        let oldest = of_user(APPLICATION_USER, Some(Version(6, 0, 16))).unwrap();
        assert!(
            oldest.starts_with("~* +@all ") && !oldest.contains("shards"),
            "{oldest}"
        );
        assert!(USERS.iter().all(|user| of_user(user, None).is_some()));
        assert_eq!(of_user("default", None), None);
    }

    #[test]
    fn a_rule_is_printed_for_a_command_line_that_says_no_more() {
        let line = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            asked(&words)
        };
        assert_eq!(
            line("goodcache restore --print-acl").as_deref(),
            Some("restore")
        );
        assert_eq!(
            line("goodcache --print-acl check shop").as_deref(),
            Some("check")
        );
        assert_eq!(line("goodcache check shop"), None);
        assert_eq!(line("goodcache destroy shop --print-acl"), None);
        for command in commands() {
            let rule = rule(command).unwrap();
            assert!(rule.starts_with("resetkeys -@all +ping "), "{rule}");
            assert!(
                !rule.contains("  ") && !rule.contains("allcommands"),
                "{rule}"
            );
        }
    }
}
