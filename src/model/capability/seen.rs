//! From what was seen of a server to its capabilities: pure.

use std::collections::BTreeMap;

use super::rule::allows;
use super::{Capabilities, Capability, ROWS, Sign, is_refusal};
use crate::model::facts::{AclUser, Facts};
use crate::model::info::Version;

/// From this version on COMMAND INFO knows subcommands; before, it answers nil of each.
const KNOWS_SUBCOMMANDS: Version = Version(7, 0, 0);

/// What COMMAND INFO says of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The server has none of that name: it never had, or it was taken away or renamed.
    No,
    /// It has it, in these categories (`@admin`).
    Yes(Vec<String>),
}

/// What capabilities are told by, besides a server's facts.
#[derive(Debug, Default)]
pub struct Signs<'a> {
    /// What COMMAND INFO said, by the command.
    pub commands: BTreeMap<String, Known>,
    /// What it said instead, when it answered nothing.
    pub no_commands: Option<&'a str>,
    /// What CLUSTER NODES said instead, when it answered nothing.
    pub no_view: Option<&'a str>,
    /// What CLIENT ID said instead, where it was asked and answered nothing.
    pub no_clients: Option<&'a str>,
    /// The user who asks, as far as that is known.
    pub user: Option<&'a AclUser>,
}

impl Capabilities {
    /// What the facts and the signs tell.
    pub fn seen(facts: &Facts, signs: &Signs<'_>) -> Capabilities {
        let mut seen = Capabilities::default();
        for (capability, _, sign) in ROWS {
            let capability = *capability;
            match sign {
                Sign::Answer(probe) => match facts.why_not(*probe) {
                    None => seen.permit(capability),
                    Some(why) if is_refusal(why) => seen.refuse(capability, why),
                    Some(_) => {}
                },
                Sign::Commands(names) => told(&mut seen, capability, names, facts, signs),
                Sign::Noted => {
                    let why = match capability {
                        Capability::Cluster => signs.no_view,
                        _ => signs.no_commands,
                    };
                    match why {
                        None => seen.permit(capability),
                        Some(why) if is_refusal(why) => seen.refuse(capability, why),
                        Some(_) => {}
                    }
                }
            }
        }
        if let Some(why) = signs.no_clients.filter(|why| is_refusal(why)) {
            for capability in [Capability::ClientList, Capability::ClientPause] {
                seen.refuse(capability, why);
            }
        }
        seen.infer();
        seen
    }

    /// Whoever may not read settings may not set them: what cannot be told of the one follows from
    /// the other. Where the reading was refused in other words than those of a rule, the command itself
    /// is withheld, whatever is listed: a proxy stands before the server.
    fn infer(&mut self) {
        for (less, more) in [
            (Capability::ConfigGet, Capability::ConfigSet),
            (Capability::ConfigGet, Capability::ConfigRewrite),
            (Capability::AclList, Capability::AclSetUser),
        ] {
            let Some(why) = self.refused.get(&less) else {
                continue;
            };
            let is_by_rule = why.to_ascii_uppercase().contains("NOPERM");
            let is_told = self.permitted.contains(&more) && is_by_rule;
            if !is_told && !self.refused.contains_key(&more) {
                let why = format!("{} is refused: {why}", less.words());
                self.refuse(more, why);
            }
        }
    }
}

/// A capability that takes all of these commands.
fn told(
    seen: &mut Capabilities,
    capability: Capability,
    names: &[&str],
    facts: &Facts,
    signs: &Signs<'_>,
) {
    let is_new = facts.info.version() >= Some(KNOWS_SUBCOMMANDS);
    let mut are_all = true;
    for name in names {
        let known = signs.commands.get(*name);
        if known == Some(&Known::No) && (is_new || !name.contains('|')) {
            let name = name.to_ascii_uppercase().replace('|', " ");
            seen.refuse(capability, format!("the server has no command {name}"));
            return;
        }
        let categories = match known {
            Some(Known::Yes(categories)) => Some(categories.as_slice()),
            _ => None,
        };
        let user = signs.user;
        match user.and_then(|user| allows(&user.rules, name, categories)) {
            Some(false) => {
                let user = user.map_or("", |user| &user.name);
                let why = format!("the rule of user '{user}' does not allow {name}");
                seen.refuse(capability, why);
                return;
            }
            Some(true) => are_all &= categories.is_some(),
            None => are_all = false,
        }
    }
    // DEBUG may be there and allowed, and yet be forbidden by a setting.
    let is_barred =
        capability == Capability::Debug && facts.setting("enable-debug-command") == Some("no");
    if are_all && !is_barred {
        seen.permit(capability);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Info, NotRead, Permit, Probe};

    fn facts(version: &str, not_read: &[(Probe, &str)]) -> Facts {
        Facts {
            info: Info::parse(&format!("redis_version:{version}\n")),
            not_read: not_read
                .iter()
                .map(|&(probe, why)| NotRead {
                    probe,
                    why: why.to_owned(),
                })
                .collect(),
            ..Facts::default()
        }
    }

    fn user(rules: &str) -> AclUser {
        AclUser {
            name: "app".to_owned(),
            is_on: true,
            is_nopass: false,
            passwords: 1,
            rules: rules.to_owned(),
        }
    }

    /// COMMAND INFO of a server that lacks some.
    fn all_but(lacking: &[&str]) -> BTreeMap<String, Known> {
        let of = |name: &str| match lacking.contains(&name) {
            true => Known::No,
            false => Known::Yes(vec!["@admin".to_owned(), "@dangerous".to_owned()]),
        };
        let names = Capability::commands();
        names.map(|name| (name.to_owned(), of(name))).collect()
    }

    #[test]
    fn a_server_of_ones_own_permits_all() {
        let user = user("~* &* +@all");
        let signs = Signs {
            commands: all_but(&[]),
            user: Some(&user),
            ..Signs::default()
        };
        let seen = Capabilities::seen(&facts("7.0.15", &[]), &signs);
        for capability in Capability::all() {
            assert_eq!(seen.of(capability), Permit::Yes, "{capability:?}");
        }
    }

    #[test]
    fn a_command_that_was_taken_away_is_refused() {
        let signs = Signs {
            commands: all_but(&["psync", "client|pause", "debug"]),
            ..Signs::default()
        };
        let seen = Capabilities::seen(&facts("7.1.0", &[]), &signs);
        assert_eq!(
            seen.of(Capability::Replication),
            Permit::No("the server has no command PSYNC")
        );
        assert_eq!(
            seen.of(Capability::ClientPause),
            Permit::No("the server has no command CLIENT PAUSE")
        );
        // Whose rule allows what is not known here.
        assert_eq!(seen.of(Capability::Shutdown), Permit::Unknown);
        // Before 7.0 COMMAND INFO has no word for a subcommand.
        let seen = Capabilities::seen(&facts("6.2.14", &[]), &signs);
        assert_eq!(seen.of(Capability::ClientPause), Permit::Unknown);
        assert!(matches!(seen.of(Capability::Debug), Permit::No(_)));
    }

    #[test]
    fn the_users_rule_counts() {
        let user = user("~* &* +@all -@dangerous +config|get");
        let signs = Signs {
            commands: all_but(&[]),
            user: Some(&user),
            ..Signs::default()
        };
        let seen = Capabilities::seen(&facts("7.0.15", &[]), &signs);
        assert_eq!(
            seen.of(Capability::ConfigSet),
            Permit::No("the rule of user 'app' does not allow config|set")
        );
    }

    #[test]
    fn a_refused_question_answers_for_what_is_more() {
        let words = "NOPERM User default has no permissions to run the 'config|get' command";
        let facts = facts("7.2.4", &[(Probe::Config, words), (Probe::Latency, "late")]);
        let signs = Signs {
            commands: all_but(&[]),
            no_commands: Some("ERR unknown command 'COMMAND'"),
            no_view: Some("ERR This instance has cluster support disabled"),
            ..Signs::default()
        };
        let seen = Capabilities::seen(&facts, &signs);
        assert_eq!(seen.of(Capability::ConfigGet), Permit::No(words));
        let Permit::No(why) = seen.of(Capability::ConfigSet) else {
            panic!("{seen:?}");
        };
        assert!(why.starts_with("CONFIG GET is refused: NOPERM"), "{why}");
        assert_eq!(seen.of(Capability::Latency), Permit::Unknown);
        assert_eq!(seen.of(Capability::Cluster), Permit::Unknown);
        assert!(matches!(seen.of(Capability::Commands), Permit::No(_)));
    }

    #[test]
    fn a_proxy_that_knows_no_config_outweighs_what_is_listed() {
        let user = user("+@all");
        let signs = Signs {
            commands: all_but(&[]),
            user: Some(&user),
            ..Signs::default()
        };
        let proxied = facts("7.4.0", &[(Probe::Config, "ERR unknown command 'CONFIG'")]);
        let seen = Capabilities::seen(&proxied, &signs);
        assert!(matches!(seen.of(Capability::ConfigSet), Permit::No(_)));
        // A rule is of one subcommand, and this one allows the other.
        let ruled = facts("7.4.0", &[(Probe::Config, "NOPERM no config|get")]);
        let seen = Capabilities::seen(&ruled, &signs);
        assert_eq!(seen.of(Capability::ConfigSet), Permit::Yes);
    }

    #[test]
    fn a_setting_can_bar_debug_though_the_command_is_there() {
        let user = user("+@all");
        let signs = Signs {
            commands: all_but(&[]),
            user: Some(&user),
            ..Signs::default()
        };
        let mut facts = facts("7.0.15", &[]);
        facts
            .config
            .insert("enable-debug-command".into(), "no".into());
        let seen = Capabilities::seen(&facts, &signs);
        assert_eq!(seen.of(Capability::Debug), Permit::Unknown);
    }
}
