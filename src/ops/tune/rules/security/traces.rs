//! Commands that reach beyond the data, and the record of who was refused.

use std::time::Duration;

use super::super::super::case::Case;
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::super::clients::up_for;
use crate::model::Severity;
use crate::model::words::{count, duration};

pub(super) const COMMANDS: Rule = Rule {
    id: "security.unsafe-settings",
    title: "commands that can take over the server",
    parameters: SETTINGS,
    kind: Kind::Setting,
    why: "DEBUG can crash the server, MODULE loads code, and with enable-protected-configs CONFIG SET dir and dbfilename write files anywhere: with yes every logged-in administrator of data is one of the machine.",
    how: "no where it is yes; local, which allows them on this machine alone, is left as it is",
    cost: "a restart of each node; tools that use DEBUG or load modules at run time stop working",
    risk: Risk::Low,
    source: "CONFIG enable-debug-command, enable-module-command, enable-protected-configs (7.0 and later); check security.unsafe_settings",
    judge: commands,
};

pub(super) const ACL_LOG: Rule = Rule {
    id: "security.acl-log",
    title: "a record of who was refused",
    parameters: &["acllog-max-len"],
    kind: Kind::Setting,
    why: "ACL LOG tells who tried a wrong password or a command or key that is not his. When it is too short for what comes in a day, an attempt in the night is gone by the morning.",
    how: "128, the server's default, where it is 0; 1024 where more are refused in a day than it holds",
    cost: "a little memory for each entry",
    risk: Risk::Low,
    source: "CONFIG acllog-max-len; INFO stats: acl_access_denied_* since the server started (7.2 and later)",
    judge: acl_log,
};

const SETTINGS: &[&str] = &[
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
];
/// The server's default.
const LENGTH: u64 = 128;
const LONG: u64 = 1_024;
const AN_HOUR: Duration = Duration::from_secs(3_600);
const DAY_S: f64 = 86_400.0;

fn commands(case: &Case) -> Vec<Opinion> {
    let each = SETTINGS.iter().filter_map(|name| {
        let on = (case.nodes.iter()).filter(|node| node.is_on(name) == Some(true));
        let changes = changes(name, on.map(|node| (node, "no".to_owned())));
        let why = "allows commands that can take over the server";
        let evidence = vec![format!("CONFIG GET: {name} yes")];
        Opinion::set(Severity::Warning, name, changes, why, evidence)
    });
    each.collect()
}

fn acl_log(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let (mut wanted, mut evidence) = (Vec::new(), Vec::new());
    for node in &case.nodes {
        let Some(length) = node.setting_number("acllog-max-len") else {
            continue;
        };
        if length == 0 {
            wanted.push((node, LENGTH.to_string()));
            evidence.push(format!("{}: nothing is recorded", node.addr));
            continue;
        }
        let denied = node.info().with_prefix("acl_access_denied_");
        let denied: Vec<u64> = denied.filter_map(|(_, text)| text.parse().ok()).collect();
        let known = match denied.is_empty() {
            true => Err("the server does not count who was refused (before 7.2)".to_owned()),
            false => up_for(node, AN_HOUR),
        };
        match known {
            Err(why) => opinions.push(Opinion::skip(node, why)),
            Ok(uptime) => {
                let all: u64 = denied.iter().sum();
                let a_day = all as f64 * DAY_S / uptime.as_secs_f64();
                if a_day > length as f64 && length < LONG {
                    wanted.push((node, LONG.to_string()));
                    let told = format!("{} refused in {}", count(all), duration(uptime));
                    evidence.push(format!("{}: {told}", node.addr));
                }
            }
        }
    }
    let changes = changes("acllog-max-len", wanted);
    let why = "who was refused is forgotten within a day";
    opinions.extend(Opinion::set(
        Severity::Info,
        "acllog-max-len",
        changes,
        why,
        evidence,
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::ops::tune::Takes;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn the_server_is_not_for_taking_over() {
        let rule = "security.unsafe-settings";
        let on = Setup::sound()
            .config("enable-debug-command", "yes")
            .config_of(2, "enable-module-command", "yes")
            .config("enable-protected-configs", "local");
        let advice = on.rule(rule);
        let told: Vec<_> = (advice.iter())
            .map(|one| (one.parameter.as_str(), one.changes.len(), one.takes))
            .collect();
        let wanted = [
            ("enable-debug-command", 6, Takes::Restart),
            ("enable-module-command", 1, Takes::Restart),
        ];
        assert_eq!(told, wanted);
        assert_eq!(Setup::sound().rule(rule), []);
        let old = Setup::sound().without("enable-debug-command");
        assert_eq!(old.rule(rule), []);
    }

    #[test]
    fn a_day_of_refusals_is_kept() {
        let rule = "security.acl-log";
        let proposed = |setup: &Setup| {
            let advice = setup.rule(rule);
            advice.first().map(|one| one.changes[0].proposed.clone())
        };
        // Up for 100,000 s.
        let denied = |times: u64| {
            let fields = format!("acl_access_denied_auth:{times}\nacl_access_denied_cmd:0");
            Setup::sound().info(&fields)
        };
        assert_eq!(proposed(&denied(200)), Some("1024".into()));
        assert_eq!(proposed(&denied(100)), None);
        let none = denied(0).config("acllog-max-len", "0");
        assert_eq!(proposed(&none), Some("128".into()));
        let young = denied(200).info("uptime_in_seconds:60");
        assert_eq!(proposed(&young), None);
        assert_eq!(young.skipped(rule).len(), 6);
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
    }
}
