//! Reads the replies of each question into facts. Pure: whatever a server sent, the outcome is a
//! value, and what is out of form is left out.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::node::Reply;
use crate::model::{AclUser, Info, Known, SlowEntry, Stall};

/// Settings whose values are secrets.
const SECRETS: [&str; 5] = [
    "requirepass",
    "masterauth",
    "primaryauth",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

pub(super) fn read_info(reply: &Reply) -> Info {
    Info::parse(&reply.text().unwrap_or_default())
}

pub(super) fn read_config(reply: &Reply) -> BTreeMap<String, String> {
    reply
        .list()
        .chunks_exact(2)
        .filter_map(|pair| Some((pair[0].text()?.to_lowercase(), pair[1].text()?)))
        .map(|(name, value)| match SECRETS.contains(&name.as_str()) {
            true if !value.is_empty() => (name, "(set)".to_owned()),
            _ => (name, value),
        })
        .collect()
}

/// `user NAME on #hash... ~keys &channels +commands`
fn read_user(line: &str) -> Option<AclUser> {
    let mut parts = line.split_ascii_whitespace();
    parts.next().filter(|&word| word == "user")?;
    let mut user = AclUser {
        name: parts.next()?.to_owned(),
        is_on: false,
        is_nopass: false,
        passwords: 0,
        rules: String::new(),
    };
    for part in parts {
        match part {
            "on" => user.is_on = true,
            "off" => user.is_on = false,
            "nopass" => user.is_nopass = true,
            hash if hash.starts_with('#') => user.passwords += 1,
            rule => {
                if !user.rules.is_empty() {
                    user.rules.push(' ');
                }
                user.rules.push_str(rule);
            }
        }
    }
    Some(user)
}

pub(super) fn read_slow_log(reply: &Reply) -> Vec<SlowEntry> {
    let entry = |entry: &Reply| {
        let [id, at, took, arguments, ..] = entry.list() else {
            return None;
        };
        let word = |n: usize| arguments.list().get(n).and_then(Reply::text);
        let mut command = word(0)?.to_uppercase();
        // Only of these is the second word a subcommand; of all others it is the user's data.
        if ["CLUSTER", "CONFIG", "CLIENT", "DEBUG", "SCRIPT", "FUNCTION"]
            .contains(&command.as_str())
        {
            command = format!("{command} {}", word(1).unwrap_or_default().to_uppercase());
        }
        Some(SlowEntry {
            id: number(id)?,
            at_s: number(at)?,
            took_us: number(took)?,
            command: command.chars().take(40).collect(),
        })
    };
    reply.list().iter().filter_map(entry).collect()
}

pub(super) fn read_stalls(reply: &Reply) -> Vec<Stall> {
    let stall = |stall: &Reply| {
        let [event, at, latest, max, ..] = stall.list() else {
            return None;
        };
        Some(Stall {
            event: event.text()?,
            at_s: number(at)?,
            latest_ms: number(latest)?,
            max_ms: number(max)?,
        })
    };
    reply.list().iter().filter_map(stall).collect()
}

pub(super) fn read_modules(reply: &Reply) -> BTreeMap<String, u64> {
    let module = |module: &Reply| {
        let named = |name: &str| {
            module
                .list()
                .chunks_exact(2)
                .find(|pair| pair[0].text().as_deref() == Some(name))
                .map(|pair| &pair[1])
        };
        Some((named("name")?.text()?, number(named("ver")?)?))
    };
    reply.list().iter().filter_map(module).collect()
}

/// COMMAND INFO of those commands, which answers in the order of the question: what each is, nil for
/// one that the server does not have. The seventh element are its categories.
pub(super) fn read_commands<'a>(
    asked: impl Iterator<Item = &'a str>,
    reply: &Reply,
) -> BTreeMap<String, Known> {
    let known = |reply: &Reply| match reply {
        Reply::Nil => Some(Known::No),
        // What some proxies make of nil.
        Reply::List(parts) if parts.is_empty() => Some(Known::No),
        Reply::List(parts) => {
            let categories = parts.get(6).map(Reply::list).unwrap_or_default();
            Some(Known::Yes(
                categories.iter().filter_map(Reply::text).collect(),
            ))
        }
        Reply::Integer(_) | Reply::Bytes(_) => None,
    };
    asked
        .zip(reply.list())
        .filter_map(|(name, reply)| Some((name.to_owned(), known(reply)?)))
        .collect()
}

pub(super) fn number(reply: &Reply) -> Option<u64> {
    reply.integer()?.try_into().ok()
}

/// TIME in ms.
pub(super) fn read_clock(reply: &Reply) -> Option<i64> {
    let [seconds, micros] = reply.list() else {
        return None;
    };
    let whole = seconds.integer()?.saturating_mul(1000);
    Some(whole.saturating_add(micros.integer()? / 1000))
}

/// ACL LIST without its hashes.
pub(super) fn read_users(reply: &Reply) -> Vec<AclUser> {
    sorted(reply)
        .iter()
        .filter_map(|line| read_user(line))
        .collect()
}

/// SHA-256 over ACL LIST with its hashes: equal where the rules are. `sanitize-payload` goes without
/// saying, and stands there only after a server was started from a file that CONFIG REWRITE wrote. The
/// order of a rule's words is no difference: before 7.2 each server lists single commands in an order
/// of its own.
pub(super) fn digest_of_users(reply: &Reply) -> String {
    let said = |line: &String| {
        let words = line.split(' ').filter(|word| *word != "sanitize-payload");
        let mut words: Vec<&str> = words.collect();
        words.sort_unstable();
        words.join(" ")
    };
    let lines: Vec<String> = sorted(reply).iter().map(said).collect();
    let digest = Sha256::digest(lines.join("\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(reply: &Reply) -> Vec<String> {
    let mut lines: Vec<String> = reply.list().iter().filter_map(Reply::text).collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::view::read_view;
    use crate::model::NodeAddr;

    fn bytes(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn a_rule_that_goes_without_saying_makes_no_difference() {
        let digest = |line: &str| digest_of_users(&Reply::List(vec![bytes(line)]));
        let plain = digest("user default on nopass ~* &* +@all");
        let told = digest("user default on nopass sanitize-payload ~* &* +@all");
        assert_eq!(plain, told);
        assert_ne!(
            plain,
            digest("user default on nopass skip-sanitize-payload ~* &* +@all")
        );
    }

    #[test]
    fn the_order_in_which_a_server_lists_single_commands_makes_no_difference() {
        let digest = |line: &str| digest_of_users(&Reply::List(vec![bytes(line)]));
        assert_eq!(
            digest("user repl on #aa resetchannels -@all +psync +ping +replconf"),
            digest("user repl on #aa resetchannels -@all +replconf +psync +ping"),
        );
    }

    #[test]
    fn an_acl_line_is_read_without_its_hashes() {
        let user = read_user("user app on #aa #bb ~app:* &* -@all +get").unwrap();
        assert_eq!(
            (user.passwords, user.is_on, user.is_nopass),
            (2, true, false)
        );
        assert_eq!(user.rules, "~app:* &* -@all +get");
        assert!(read_user("nonsense").is_none());
    }

    #[test]
    fn commands_are_told_by_their_place_in_the_answer() {
        let categories = Reply::List(vec![bytes("@admin"), bytes("@slow")]);
        let mut entry = vec![bytes("config|set")];
        entry.extend((0..5).map(|_| Reply::Integer(0)));
        entry.push(categories);
        let reply = Reply::List(vec![
            Reply::List(entry),
            Reply::Nil,
            Reply::List(Vec::new()),
        ]);
        let asked = ["config|set", "psync", "debug", "scan"];
        let known = read_commands(asked.into_iter(), &reply);
        let admin = ["@admin", "@slow"].map(str::to_owned).to_vec();
        assert_eq!(known["config|set"], Known::Yes(admin));
        assert_eq!((&known["psync"], &known["debug"]), (&Known::No, &Known::No));
        assert_eq!(known.get("scan"), None);
    }

    #[test]
    fn secrets_in_the_settings_are_blanked() {
        let list = ["requirepass", "hunter2", "masterauth", "", "Port", "7001"];
        let config = read_config(&Reply::List(list.map(bytes).to_vec()));
        assert_eq!(config["requirepass"], "(set)");
        assert_eq!(config["masterauth"], "");
        assert_eq!(config["port"], "7001");
    }

    #[test]
    fn the_slow_log_keeps_no_arguments() {
        let entry = |words: &[&str]| {
            Reply::List(vec![
                Reply::Integer(1),
                Reply::Integer(2),
                Reply::Integer(30_000),
                Reply::List(words.iter().map(|word| bytes(word)).collect()),
            ])
        };
        let log = read_slow_log(&Reply::List(vec![
            entry(&["set", "session:1", "secret"]),
            entry(&["cluster", "nodes"]),
            Reply::Integer(7),
        ]));
        let commands: Vec<&str> = log.iter().map(|entry| entry.command.as_str()).collect();
        assert_eq!(commands, ["SET", "CLUSTER NODES"]);
    }

    /// Any reply at all, with numbers and words that are likely to matter.
    fn any_reply() -> impl Strategy<Value = Reply> {
        let number = prop_oneof![
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
            Just(0),
            -2..3_i64
        ];
        let word = prop_oneof![
            "\\PC{0,12}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
            "(user|on|off|#aa|cluster|name|ver|requirepass|-?[0-9]{1,25})".prop_map(Into::into),
        ];
        let leaf = prop_oneof![
            Just(Reply::Nil),
            number.prop_map(Reply::Integer),
            word.prop_map(Reply::Bytes),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(Reply::List)
        })
    }

    proptest! {
        #[test]
        fn no_reply_makes_a_reader_panic(reply in any_reply()) {
            let _ = (read_config(&reply), read_slow_log(&reply), read_stalls(&reply));
            let _ = (read_modules(&reply), read_clock(&reply), number(&reply));
            let _ = read_view(&NodeAddr::new("a", 1), &reply);
            let _ = (read_users(&reply), digest_of_users(&reply));
            let info = read_info(&reply);
            let _ = (info.replicas(), info.keys(), info.version());
        }

        #[test]
        fn no_info_makes_a_reader_panic(
            lines in prop::collection::vec(
                "(db[0-9]|slave[0-9]|errorstat_X|redis_version|x):(keys|count|ip|port|lag)=[0-9.-]{0,22}",
                0..8,
            ),
        ) {
            let info = Info::parse(&lines.join("\r\n"));
            let _ = (info.replicas(), info.keys(), info.version(), info.vendor());
            let _ = (info.sum("errorstat_", "count"), info.float("x"), info.number("x"));
        }

        #[test]
        fn a_secret_never_passes(name in "(requirepass|MasterAuth|tls-key-file-pass)", value in "\\PC{1,20}") {
            let config = read_config(&Reply::List(vec![bytes(&name), bytes(&value)]));
            prop_assert_eq!(config.values().collect::<Vec<_>>(), ["(set)"]);
        }
    }
}
