//! Rules about who gets in and who can listen.

use crate::model::words::listed;
use crate::model::{Probe, Severity};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, below};
use super::notes::Notes;

const OPEN: CodeDoc = CodeDoc {
    code: "security.open",
    title: "anybody may connect without a password",
    severity: Severity::Critical,
    why: "A connection without AUTH was served. Whoever reaches the port reads and writes all data, and with CONFIG and MODULE may take over the machine. On a loopback address only this machine's users can.",
    remedy: "Set masterauth and then requirepass on every node, or ACL users with the default user off.",
    source: "PING on a connection without AUTH",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const DEFAULT_USER: CodeDoc = CodeDoc {
    code: "security.default_user",
    title: "the default user may do everything",
    severity: Severity::Info,
    why: "One password opens every command on every key, for applications and administrators alike. A leak in one application is a leak of all.",
    remedy: "Give each application a user with its own keys and commands, then ACL SETUSER default off.",
    source: "ACL LIST: user default on ~* &* +@all",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const NOPASS: CodeDoc = CodeDoc {
    code: "security.nopass_user",
    title: "a user gets in with any password",
    severity: Severity::Critical,
    why: "The user is on and has nopass, so any password is taken for right.",
    remedy: "ACL SETUSER <user> resetpass ><password>, or off.",
    source: "ACL LIST: flag nopass",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const PLAINTEXT: CodeDoc = CodeDoc {
    code: "security.plaintext",
    title: "plain text over the network",
    why: "The node takes connections without TLS at an address that is not loopback, so passwords and data can be read by whoever sits on the way.",
    remedy: "Set tls-port and certificates, tls-cluster and tls-replication yes, move clients over, then port 0.",
    source: "CONFIG: port, tls-port",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const PROTECTED: CodeDoc = CodeDoc {
    code: "security.protected_mode_off",
    title: "protected mode is off and there is no password",
    why: "Protected mode refuses other machines as long as no password is set. Here it is off, so nothing stands between the network and the data but the firewall.",
    remedy: "Set a password; then protected mode does not matter.",
    source: "CONFIG: protected-mode",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CERTIFICATE: CodeDoc = CodeDoc {
    code: "security.certificate",
    title: "the certificate ends soon",
    limit: below(30.0, Some(7.0), Unit::Days),
    why: "When it ends, clients and the other nodes refuse new connections: a whole cluster can stop within a minute, since all certificates are usually of one day.",
    remedy: "Renew it and load it with CONFIG SET tls-cert-file and tls-key-file; no restart is needed.",
    source: "the certificate that the node shows in the TLS handshake",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const UNSAFE: CodeDoc = CodeDoc {
    code: "security.unsafe_settings",
    title: "commands are allowed that can take over the server",
    why: "enable-debug-command, enable-module-command or enable-protected-configs is yes, so every logged-in administrator of data is one of the machine: modules are code, and dir and dbfilename write files.",
    remedy: "Set them to no or local in the configuration file and restart, replica by replica.",
    source: "CONFIG: enable-debug-command, enable-module-command, enable-protected-configs (7.0 and later)",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "security",
    codes: &[
        &OPEN,
        &DEFAULT_USER,
        &NOPASS,
        &PLAINTEXT,
        &PROTECTED,
        &CERTIFICATE,
        &UNSAFE,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    for asked in notes.with(Probe::OpenDoor, &[&OPEN], case.asked()) {
        open(case, notes, &asked);
    }
    for asked in notes.with(Probe::Acl, &[&DEFAULT_USER, &NOPASS], case.asked()) {
        users(case, notes, &asked);
    }
    for asked in notes.with(
        Probe::Config,
        &[&PLAINTEXT, &PROTECTED, &UNSAFE],
        case.asked(),
    ) {
        plaintext(case, notes, &asked);
        protected_mode(case, notes, &asked);
        unsafe_settings(case, notes, &asked);
    }
    for asked in case.asked() {
        certificate(case, notes, &asked);
    }
}

fn is_open(asked: &Asked) -> bool {
    asked.facts.answers_without_password == Some(true)
}

/// Whether the node was asked on loopback, and sends its clients there as well.
fn is_local(asked: &Asked) -> bool {
    let announced = asked.member.and_then(|member| member.announced.endpoint());
    asked.report.addr.is_loopback() && announced.is_none_or(|endpoint| endpoint.is_loopback())
}

fn open(case: &Case, notes: &mut Notes, asked: &Asked) {
    if !is_open(asked) {
        return;
    }
    let severity = match (asked.report.addr.is_loopback(), is_local(asked)) {
        (false, _) => Severity::Critical,
        (true, false) => Severity::Warning,
        (true, true) => Severity::Info,
    };
    let summary = if severity == Severity::Info {
        "any user of this machine may connect without a password"
    } else {
        "anybody who reaches it may connect without a password"
    };
    notes.find_at(
        &OPEN,
        severity,
        asked.subject(),
        summary,
        "PING without AUTH was answered with PONG",
        format!(
            "masterauth first, then requirepass, on every node: {}",
            case.secret_cli(&asked.report.addr, "config set masterauth")
        ),
    );
}

fn users(case: &Case, notes: &mut Notes, asked: &Asked) {
    let users = &asked.facts.users;
    let everything = |rules: &str| {
        ["~*", "+@all"]
            .iter()
            .all(|word| rules.split_whitespace().any(|rule| rule == *word))
    };
    let default = users
        .iter()
        .find(|user| user.name == "default" && user.is_on);
    if default.is_some_and(|user| !user.is_nopass && everything(&user.rules)) {
        notes.find(
            &DEFAULT_USER,
            asked.subject(),
            "its default user may do everything",
            "ACL LIST: user default on ~* +@all",
            case.cli(&asked.report.addr, "acl list"),
        );
    }
    let loose: Vec<String> = users
        .iter()
        .filter(|user| user.is_on && user.is_nopass && user.name != "default")
        .map(|user| user.name.clone())
        .collect();
    if let Some(first) = loose.first() {
        notes.find(
            &NOPASS,
            asked.subject(),
            format!("lets in with any password: {}", listed(loose.clone(), 4)),
            format!("ACL LIST: on nopass: {}", listed(loose.clone(), 4)),
            case.cli(&asked.report.addr, &format!("acl setuser {first} off")),
        );
    }
}

fn plaintext(case: &Case, notes: &mut Notes, asked: &Asked) {
    let plain = asked.facts.setting_number("port");
    if asked.report.addr.is_loopback() || plain.is_none_or(|port| port == 0) {
        return;
    }
    let tls = asked.facts.setting_number("tls-port").unwrap_or(0);
    let summary = if tls == 0 {
        "speaks plain text only, at an address that is not loopback"
    } else {
        "takes plain text beside TLS"
    };
    notes.find(
        &PLAINTEXT,
        asked.subject(),
        summary,
        format!("CONFIG GET: port {}, tls-port {tls}", plain.unwrap_or(0)),
        case.cli(&asked.report.addr, "config get tls*"),
    );
}

fn protected_mode(case: &Case, notes: &mut Notes, asked: &Asked) {
    if is_open(asked) && asked.facts.setting("protected-mode") == Some("no") {
        notes.find_at(
            &PROTECTED,
            if is_local(asked) {
                Severity::Info
            } else {
                Severity::Warning
            },
            asked.subject(),
            "protected mode is off and there is no password",
            "CONFIG GET: protected-mode no",
            case.cli(&asked.report.addr, "config get bind"),
        );
    }
}

fn certificate(case: &Case, notes: &mut Notes, asked: &Asked) {
    let Some(days) = asked.facts.certificate_days_left else {
        return;
    };
    if let Some(severity) = notes.grade(&CERTIFICATE, days as f64) {
        let summary = if days < 0 {
            "its certificate has ended".to_owned()
        } else {
            format!("its certificate ends in {days} days")
        };
        notes.find_at(
            &CERTIFICATE,
            severity,
            asked.subject(),
            summary,
            format!("TLS handshake: {days} days left"),
            match &case.survey.name {
                Some(name) => format!(
                    "renew it: goodcache create {name} --renew-tls, where create --tls made it"
                ),
                None => format!(
                    "openssl s_client -connect {} | openssl x509 -noout -enddate",
                    asked.report.addr
                ),
            },
        );
    }
}

fn unsafe_settings(case: &Case, notes: &mut Notes, asked: &Asked) {
    let names = [
        "enable-debug-command",
        "enable-module-command",
        "enable-protected-configs",
    ];
    let on: Vec<String> = names
        .iter()
        .filter(|name| asked.facts.setting(name) == Some("yes"))
        .map(|name| (*name).to_owned())
        .collect();
    if !on.is_empty() {
        notes.find(
            &UNSAFE,
            asked.subject(),
            "allows commands that can take over the server",
            format!("CONFIG GET: {} yes", on.join(", ")),
            case.cli(&asked.report.addr, "config get enable-*"),
        );
    }
}
