//! Rules about clients: is there room for more, and is anybody turned away or cut off.

use crate::model::{Probe, Severity};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above};
use super::notes::Notes;

const NEAR_LIMIT: CodeDoc = CodeDoc {
    code: "clients.near_limit",
    title: "connections close to maxclients",
    limit: above(80.0, Some(95.0), Unit::Percent),
    why: "Clients, replicas and the links of the cluster bus share maxclients. At the limit every new connection is refused, that of an operator included.",
    remedy: "Pool connections, close idle ones, or raise maxclients together with the limit of open files.",
    source: "INFO clients: connected_clients, cluster_connections, maxclients",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const REJECTED: CodeDoc = CodeDoc {
    code: "clients.rejected",
    title: "connections are refused at maxclients",
    severity: Severity::Critical,
    why: "Within the sample the server refused connections because maxclients was reached.",
    remedy: "Raise maxclients and find who opens so many connections (CLIENT LIST).",
    source: "INFO stats: rejected_connections over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CUT: CodeDoc = CodeDoc {
    code: "clients.buffer_cut",
    title: "clients are cut off for their buffers",
    why: "Within the sample the server closed connections whose output or query buffer outgrew its limit: a reader too slow for what it asked, a subscriber that hangs, or a replica that cannot keep up.",
    remedy: "Find the slow reader; raise client-output-buffer-limit for its class only if the memory is there.",
    source: "INFO stats: client_output_buffer_limit_disconnections, client_query_buffer_limit_disconnections (7.2 and later)",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "clients",
    codes: &[&NEAR_LIMIT, &REJECTED, &CUT],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    for asked in notes.with(Probe::Info, &[&NEAR_LIMIT], case.asked()) {
        near_limit(case, notes, &asked);
    }
    for asked in notes.with(Probe::Sample, &[&REJECTED, &CUT], case.asked()) {
        turned_away(case, notes, &asked);
    }
}

fn near_limit(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let limit = info
        .number("maxclients")
        .or_else(|| asked.facts.setting_number("maxclients"));
    let (Some(limit), Some(clients)) = (
        limit.filter(|limit| *limit > 0),
        info.number("connected_clients"),
    ) else {
        return;
    };
    let others = ["cluster_connections", "connected_slaves"]
        .iter()
        .filter_map(|name| info.number(name))
        .sum::<u64>();
    let share = (clients + others) as f64 * 100.0 / limit as f64;
    if let Some(severity) = notes.grade(&NEAR_LIMIT, share) {
        notes.find_at(
            &NEAR_LIMIT,
            severity,
            asked.subject(),
            format!("{} of {limit} connections are taken", clients + others),
            format!("INFO clients: connected_clients:{clients}, bus and replicas {others}, maxclients {limit}"),
            case.cli(&asked.report.addr, "client list"),
        );
    }
}

fn turned_away(case: &Case, notes: &mut Notes, asked: &Asked) {
    let grown = |name| asked.facts.growth(name).unwrap_or(0);
    let rejected = grown("rejected_connections");
    if rejected > 0 {
        notes.find(
            &REJECTED,
            asked.subject(),
            "refuses connections: maxclients is reached",
            format!("INFO stats: rejected_connections +{rejected} in the sample"),
            case.cli(&asked.report.addr, "client list"),
        );
    }
    let (output, query) = (
        grown("client_output_buffer_limit_disconnections"),
        grown("client_query_buffer_limit_disconnections"),
    );
    if output + query > 0 {
        notes.find(
            &CUT,
            asked.subject(),
            "cut clients off because their buffers outgrew the limit",
            format!("INFO stats in the sample: output buffers +{output}, query buffers +{query}"),
            case.cli(&asked.report.addr, "config get client-output-buffer-limit"),
        );
    }
}
