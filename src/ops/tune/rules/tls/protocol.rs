//! Versions of TLS, and handshakes that are cut short.

use super::super::super::case::Case;
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::super::clients::connects_per_second;
use super::speaks_tls;
use crate::model::Severity;
use crate::model::words::count;

pub(super) const PROTOCOLS: Rule = Rule {
    id: "tls.protocols",
    title: "old versions of TLS",
    parameters: &["tls-protocols"],
    kind: Kind::Setting,
    why: "TLS 1.0 and 1.1 are broken and have been taken out of browsers and standards. A server that still takes them lets whoever sits on the way choose them.",
    how: "TLSv1.2 TLSv1.3, where an older one is named; empty is the server's default, which is the same",
    cost: "clients from before about 2014 cannot connect",
    risk: Risk::Medium,
    source: "CONFIG tls-protocols; tls.c: the default is TLSv1.2 and TLSv1.3; RFC 8996",
    judge: protocols,
};

pub(super) const SESSIONS: Rule = Rule {
    id: "tls.session-cache",
    title: "handshakes that begin at nothing",
    parameters: &["tls-session-caching", "tls-session-cache-size"],
    kind: Kind::Setting,
    why: "A client that was here before can take up its session and spare both sides most of the handshake, the dear part of a new TLS connection, as long as the server still remembers it.",
    how: "yes where more than 10 connections come in a second; a size of twice the clients, in whole thousands, where it is below their number",
    cost: "memory for each session that is remembered; a session ends after tls-session-cache-timeout",
    risk: Risk::Low,
    source: "CONFIG tls-session-caching, tls-session-cache-size; INFO stats: total_connections_received over two samples; INFO clients: connected_clients",
    judge: sessions,
};

/// Fewer connections a second are not worth a cache.
const MANY: f64 = 10.0;

fn protocols(case: &Case) -> Vec<Opinion> {
    let is_old = |text: &str| {
        let mut words = text.split_ascii_whitespace();
        words.any(|word| ["tlsv1", "tlsv1.0", "tlsv1.1"].contains(&&*word.to_ascii_lowercase()))
    };
    let old = case.nodes.iter().filter(|node| {
        speaks_tls(node) == Some(true) && node.setting("tls-protocols").is_some_and(is_old)
    });
    let wanted = old.map(|node| (node, "TLSv1.2 TLSv1.3".to_owned()));
    let changes = changes("tls-protocols", wanted);
    let why = "versions of TLS are taken that can be broken";
    Opinion::set(Severity::Warning, "tls-protocols", changes, why, Vec::new())
        .into_iter()
        .collect()
}

fn sessions(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let (mut off, mut small) = (Vec::new(), Vec::new());
    let (mut told, mut sizes) = (Vec::new(), Vec::new());
    for node in case
        .nodes
        .iter()
        .filter(|node| speaks_tls(node) == Some(true))
    {
        let Some(rate) = connects_per_second(node) else {
            let why = "two samples of INFO are needed (--sample 60s)";
            opinions.push(Opinion::skip(node, why));
            continue;
        };
        if rate <= MANY {
            continue;
        }
        let clients = node.number("connected_clients").unwrap_or(0);
        // 0 is the library's own default, 20,480.
        let size = (node.setting_number("tls-session-cache-size")).filter(|size| *size > 0);
        if node.is_on("tls-session-caching") == Some(false) {
            off.push((node, "yes".to_owned()));
            told.push(format!("{}: {rate:.0} connections a second", node.addr));
        } else if size.is_some_and(|size| size < clients) {
            let wanted = (2 * clients).div_ceil(1_000) * 1_000;
            small.push((node, wanted.to_string()));
            sizes.push(format!(
                "{}: {} clients, {rate:.0} connections a second",
                node.addr,
                count(clients)
            ));
        }
    }
    let mut set = |name, wanted, why: &str, evidence| {
        let changes = changes(name, wanted);
        opinions.extend(Opinion::set(Severity::Info, name, changes, why, evidence));
    };
    let why = "every connection pays for a whole handshake";
    set("tls-session-caching", off, why, told);
    let why = "sessions are forgotten before their clients come back";
    set("tls-session-cache-size", small, why, sizes);
    opinions
}

#[cfg(test)]
mod tests {
    use crate::ops::tune::testing::Setup;

    fn proposed(setup: &Setup, rule: &str) -> Option<(String, usize, String)> {
        let advice = setup.rule(rule);
        let first = advice.first()?;
        let value = first.changes[0].proposed.clone();
        Some((first.parameter.clone(), first.changes.len(), value))
    }

    #[test]
    fn old_versions_go() {
        for (present, is_old) in [
            ("", false),
            ("TLSv1.2 TLSv1.3", false),
            ("TLSv1.3", false),
            ("TLSv1 TLSv1.1 TLSv1.2", true),
            ("tlsv1.1 tlsv1.2", true),
        ] {
            let setup = Setup::sound().config("tls-protocols", present);
            let wanted = ("tls-protocols".to_owned(), 6, "TLSv1.2 TLSv1.3".to_owned());
            let found = proposed(&setup, "tls.protocols");
            assert_eq!(found, is_old.then_some(wanted), "{present}");
            let plain = setup.config("tls-port", "0");
            assert_eq!(proposed(&plain, "tls.protocols"), None);
        }
    }

    #[test]
    fn sessions_are_remembered_where_many_come() {
        let setup = |per_second: u64| {
            Setup::sound()
                .info("total_connections_received:0")
                .later_of(
                    1,
                    &format!("total_connections_received:{}", per_second * 60),
                )
        };
        let rule = "tls.session-cache";
        let off = |per_second| setup(per_second).config("tls-session-caching", "no");
        let wanted = ("tls-session-caching".to_owned(), 1, "yes".to_owned());
        assert_eq!(proposed(&off(40), rule), Some(wanted));
        assert_eq!(proposed(&off(4), rule), None);
        assert_eq!(proposed(&setup(40), rule), None);
        let small = setup(40)
            .config("tls-session-cache-size", "1000")
            .info("connected_clients:4300");
        let wanted = ("tls-session-cache-size".to_owned(), 1, "9000".to_owned());
        assert_eq!(proposed(&small, rule), Some(wanted));
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
    }
}
