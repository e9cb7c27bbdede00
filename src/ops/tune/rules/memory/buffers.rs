//! Memory that clients take: all together, by what is being received, and by the keys that they track.

use super::load;
use crate::model::Severity;
use crate::model::words::{bytes, count, counted};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const CLIENTS: Rule = Rule {
    id: "memory.clients",
    title: "how much memory all clients together may take",
    parameters: &["maxmemory-clients"],
    kind: Kind::Setting,
    why: "Buffers of clients count against maxmemory: many slow or greedy clients push data out, or bring the node to its limit. With a limit of its own for clients the server closes the greediest instead.",
    how: "10 % of maxmemory, and never less than twice what clients take now, where they take more than 10 % of it, or one takes more than 50 MiB, or there are 1,000 or more",
    cost: "the clients that take most are disconnected when the limit is reached; exempt administrators with CLIENT NO-EVICT on",
    risk: Risk::Medium,
    source: "INFO memory: mem_clients_normal; CLIENT LIST: tot-mem; redis.io/docs on client eviction (7.0)",
    judge: clients,
};

pub(super) const QUERY: Rule = Rule {
    id: "memory.query_buffer",
    title: "how large a request may be",
    parameters: &["client-query-buffer-limit"],
    kind: Kind::Setting,
    why: "A client whose request does not fit is disconnected in the midst of it. The default of 1 GiB meets nobody; a lower limit that clients run into costs them their connection each time.",
    how: "four times the present limit, 1 GiB at the most, where clients were disconnected for it between the samples",
    cost: "one client may take more memory",
    risk: Risk::Low,
    source: "INFO stats: client_query_buffer_limit_disconnections (7.2); redis.conf",
    judge: query,
};

pub(super) const TRACKING: Rule = Rule {
    id: "memory.tracking",
    title: "how many keys are remembered for client-side caches",
    parameters: &["tracking-table-max-keys"],
    kind: Kind::Setting,
    why: "The server remembers which clients cached which keys. When its table is full it invalidates keys that did not change, and the clients ask for them again; without a limit the table grows with the keys read, outside of any budget.",
    how: "twice the present number where the table is 90 % full, 4,000,000 at the most and only while the node uses less than 70 % of its maxmemory; the default of 1,000,000 where there is no limit and tracking is used",
    cost: "memory for each key that is remembered, beside the data",
    risk: Risk::Low,
    source: "INFO stats: tracking_total_keys; INFO clients: tracking_clients (6.0); redis.conf",
    judge: tracking,
};

const MIB: u64 = 1 << 20;
/// More than this for one client is a slow reader or a reply that nobody should ask for.
pub const GREEDY: u64 = 50 * MIB;
/// From this many clients on their buffers add up.
const MANY: u64 = 1_000;
/// What clients may take, and from where on what they take is a worry (as check sees it), in percent.
const SHARE: u64 = 10;
/// Beyond this share the clients are the trouble, not the missing limit.
const MOST_SHARE: u64 = 30;
/// The server's default limit of a request, and more than anybody needs.
const WHOLE_QUERY: u64 = 1024 * MIB;
/// Keys in the tracking table by default, and the most that is proposed.
const TRACKED: (u64, u64) = (1_000_000, 4_000_000);

fn clients(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut wanted: Vec<(&NodeCase, u64, u64)> = Vec::new();
    let open = case
        .nodes
        .iter()
        .filter(|node| node.setting("maxmemory-clients") == Some("0"));
    for node in open {
        // Without maxmemory a share of it is no limit: memory.limit comes first.
        let Some(maxmemory) = node.maxmemory().filter(|limit| *limit > 0) else {
            continue;
        };
        let taken = node.number("mem_clients_normal").unwrap_or(0);
        let share = taken.saturating_mul(100).div_ceil(maxmemory);
        let largest = node.clients().map_or(0, |seen| seen.largest_memory_bytes);
        let connected = node.number("connected_clients").unwrap_or(0);
        if share <= SHARE && largest <= GREEDY && connected < MANY {
            continue;
        }
        match share.saturating_mul(2).max(SHARE) {
            percent if percent <= MOST_SHARE => wanted.push((node, percent, share)),
            _ => opinions.push(Opinion::skip(
                node,
                format!("clients take {share} % of maxmemory already: a limit now would disconnect them; find who they are (CLIENT LIST, tot-mem) first"),
            )),
        }
    }
    opinions.extend(limit_clients(&wanted));
    opinions
}

fn limit_clients(wanted: &[(&NodeCase, u64, u64)]) -> Option<Opinion> {
    let (node, _, share) = wanted.iter().max_by_key(|(_, _, share)| *share)?;
    let connected = node.number("connected_clients").unwrap_or(0);
    let taken = node.number("mem_clients_normal").unwrap_or(0);
    let severity = if *share > SHARE {
        Severity::Warning
    } else {
        Severity::Info
    };
    let mut evidence = vec![format!(
        "{}: {} of buffers for {}",
        node.addr,
        bytes(taken),
        counted(connected as usize, "client")
    )];
    let largest = node
        .clients()
        .map(|seen| seen.largest_memory_bytes)
        .filter(|largest| *largest > 0);
    evidence.extend(largest.map(|largest| format!("the largest takes {}", bytes(largest))));
    let why = format!(
        "nothing limits what clients take: {} of {}",
        bytes(taken),
        bytes(node.maxmemory().unwrap_or(0))
    );
    let changes = changes(
        "maxmemory-clients",
        wanted
            .iter()
            .map(|(node, percent, _)| (*node, format!("{percent}%"))),
    );
    Opinion::set(severity, "maxmemory-clients", changes, why, evidence)
}

fn query(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let sampled = load::sampled(case, &mut opinions);
    let limited = sampled.into_iter().filter_map(|node| {
        let present = node.setting("client-query-buffer-limit");
        let present = present.and_then(form::size)?;
        (present < WHOLE_QUERY).then_some((node, present))
    });
    let mut closing: Vec<(&NodeCase, u64, u64)> = Vec::new();
    for (node, present) in limited {
        match node.growth("client_query_buffer_limit_disconnections") {
            Some(0) => {}
            Some(closed) => closing.push((node, closed, present)),
            None => opinions.push(Opinion::skip(
                node,
                "it does not count clients that were disconnected for their requests (before 7.2)",
            )),
        }
    }
    let Some((node, closed, present)) = closing.iter().max_by_key(|(_, closed, _)| *closed) else {
        return opinions;
    };
    let why = format!(
        "requests larger than {} cost clients their connection",
        bytes(*present)
    );
    let evidence = vec![format!(
        "{}: {} disconnected for it within the sample",
        node.addr,
        counted(*closed as usize, "client")
    )];
    let wanted = closing.iter().map(|(node, _, present)| {
        (
            *node,
            present.saturating_mul(4).min(WHOLE_QUERY).to_string(),
        )
    });
    let changes = changes("client-query-buffer-limit", wanted);
    opinions.extend(Opinion::set(
        Severity::Warning,
        "client-query-buffer-limit",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn tracking(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut unlimited = Vec::new();
    let mut full = Vec::new();
    for node in &case.nodes {
        let Some(most) = node.setting_number("tracking-table-max-keys") else {
            continue;
        };
        let tracked = node.number("tracking_total_keys").unwrap_or(0);
        let is_used = tracked > 0 || node.number("tracking_clients").unwrap_or(0) > 0;
        if most == 0 && is_used {
            unlimited.push((node, TRACKED.0.max(tracked.saturating_mul(2))));
        }
        if most > 0 && tracked.saturating_mul(10) >= most.saturating_mul(9) && most < TRACKED.1 {
            match has_room(node) {
                true => full.push((node, most.saturating_mul(2).min(TRACKED.1))),
                false => opinions.push(Opinion::skip(node, "its tracking table is full, and its memory too, or without a limit: see memory.limit")),
            }
        }
    }
    let word = |node: &NodeCase| {
        format!(
            "{} remembers {} keys",
            node.addr,
            count(node.number("tracking_total_keys").unwrap_or(0))
        )
    };
    for (nodes, why) in [
        (unlimited, "the table of tracked keys has no limit"),
        (
            full,
            "its table of tracked keys is nearly full, and clients are told to forget keys that did not change",
        ),
    ] {
        let evidence = nodes.iter().map(|(node, _)| word(node)).take(3).collect();
        let wanted = nodes
            .into_iter()
            .map(|(node, keys)| (node, keys.to_string()));
        let changes = changes("tracking-table-max-keys", wanted);
        opinions.extend(Opinion::set(
            Severity::Info,
            "tracking-table-max-keys",
            changes,
            why,
            evidence,
        ));
    }
    opinions
}

fn has_room(node: &NodeCase) -> bool {
    let used = node.number("used_memory").unwrap_or(u64::MAX);
    node.maxmemory()
        .is_some_and(|limit| used.saturating_mul(10) < limit.saturating_mul(7))
}

#[cfg(test)]
mod tests {
    use crate::model::{ClientsSeen, Severity};
    use crate::ops::tune::testing::Setup;

    const MIB: u64 = 1 << 20;

    #[test]
    fn clients_that_take_much_get_a_limit_of_their_own() {
        let setup = || Setup::sound().clients(&ClientsSeen::default());
        assert_eq!(setup().rule("memory.clients"), []);
        let said = |setup: Setup| -> Vec<_> {
            let each = setup.rule("memory.clients");
            each.iter()
                .map(|one| {
                    (
                        one.severity,
                        one.changes.len(),
                        one.changes[0].proposed.clone(),
                    )
                })
                .collect()
        };
        // maxmemory is 1,000,000,000.
        let many = setup().info_of(0, "connected_clients:1500\nmem_clients_normal:30000000");
        assert_eq!(said(many), [(Severity::Info, 1, "10%".to_owned())]);
        let much = setup().info_of(0, "mem_clients_normal:120000000");
        assert_eq!(said(much), [(Severity::Warning, 1, "24%".to_owned())]);
        let greedy = setup().seen(2, |seen| {
            seen.clients = Some(ClientsSeen {
                largest_memory_bytes: 60 * MIB,
                ..ClientsSeen::default()
            });
        });
        assert_eq!(
            said(greedy.clone()),
            [(Severity::Info, 1, "10%".to_owned())]
        );
        assert_eq!(said(greedy.clone().info("maxmemory:0")), []);
        assert_eq!(said(greedy.without("maxmemory-clients")), []);
        let too_much = setup().info_of(0, "mem_clients_normal:400000000");
        assert_eq!(said(too_much.clone()), []);
        assert_eq!(too_much.skipped("memory.clients").len(), 1);
    }

    #[test]
    fn a_request_limit_that_clients_run_into_is_raised() {
        let low = || Setup::sound().config("client-query-buffer-limit", "16777216");
        assert_eq!(low().rule("memory.query_buffer"), []);
        let met = "client_query_buffer_limit_disconnections:2";
        let advice = low().later_of(3, met).rule("memory.query_buffer");
        assert_eq!(
            (
                advice[0].changes.len(),
                advice[0].changes[0].proposed.as_str()
            ),
            (1, "67108864")
        );
        assert_eq!(
            Setup::sound().later_of(3, met).rule("memory.query_buffer"),
            []
        );
        let old = low().facts(0, |facts| {
            for info in [Some(&mut facts.info), facts.later.as_mut()]
                .into_iter()
                .flatten()
            {
                info.forget("client_query_buffer_limit_disconnections");
            }
        });
        assert_eq!(old.skipped("memory.query_buffer").len(), 1);
        let once = low().facts(0, |facts| facts.later = None);
        assert_eq!(once.skipped("memory.query_buffer").len(), 1);
    }

    #[test]
    fn the_table_of_tracked_keys_fits_its_use() {
        let proposed = |setup: Setup| {
            setup
                .rule("memory.tracking")
                .first()
                .map(|one| one.changes[0].proposed.clone())
        };
        assert_eq!(proposed(Setup::sound()), None);
        let full = Setup::sound().info_of(0, "tracking_clients:5\ntracking_total_keys:950000");
        assert_eq!(proposed(full.clone()).as_deref(), Some("2000000"));
        let tight = full.info_of(0, "used_memory:900000000");
        assert_eq!(proposed(tight.clone()), None);
        assert_eq!(tight.skipped("memory.tracking").len(), 1);
        let open = || Setup::sound().config("tracking-table-max-keys", "0");
        assert_eq!(proposed(open()), None);
        assert_eq!(
            proposed(open().info("tracking_clients:5")).as_deref(),
            Some("1000000")
        );
    }
}
