//! What each command's user may do, and no more: `goodcache COMMAND --print-acl`.
//!
//! Who adds a question to a command adds it here; a test runs each command as a user with exactly this
//! rule on a real cluster, and no node may have denied anything (ACL LOG).

use std::ffi::OsString;

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
