//! The tables of a cluster: its nodes, its shards, and what it survives.
//!
//! `?` is unknown, `-` does not apply (a master has no lag). Slots are cut to the first ranges: a
//! broken cluster may have thousands, and JSON has them all.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{NodeAddr, Role, SLOT_COUNT};
use crate::ops::check::{NodeRow, Report, ShardRow};

use super::doc::{Cell, Column, Table, Tone};
use super::human;

/// So many ranges of slots are written out.
const RANGES: usize = 3;

/// A column of the node table: its head, and how a node fills it.
type NodeColumn = (Column, fn(&NodeRow) -> Cell);

/// A row a node.
pub fn nodes(report: &Report, is_verbose: bool) -> Table {
    let columns = node_columns(report, is_verbose);
    let mut table = Table::new(columns.iter().map(|(column, _)| column.clone()));
    for node in &report.nodes {
        table.row(columns.iter().map(|(_, cell)| cell(node)));
    }
    table
}

fn node_columns(report: &Report, is_verbose: bool) -> Vec<NodeColumn> {
    let any = |is: fn(&NodeRow) -> bool| report.nodes.iter().any(is);
    // What only a cluster has is left out elsewhere.
    let is_cluster = report.cluster.form.is_cluster();
    let mut columns: Vec<NodeColumn> = Vec::new();
    if is_cluster {
        columns.push((Column::right("SHARD", 2), |n| Cell::known(n.shard)));
    }
    columns.extend::<[NodeColumn; 3]>([
        (Column::left("ROLE", 0), |n| Cell::plain(n.role)),
        (Column::left("ADDRESS", 0), |n| Cell::known(n.addr.as_ref())),
        (Column::left("STATE", 0), state),
    ]);
    if is_cluster {
        columns.push((Column::left("SLOTS", 4), |n| slots(&n.slots)));
    }
    columns.extend::<[NodeColumn; 3]>([
        (Column::right("LAG", 3), lag),
        (Column::right("KEYS", 6), |n| {
            Cell::known(n.keys.map(human::count))
        }),
        (Column::right("MEMORY", 5), |n| {
            Cell::known(n.used_memory_bytes.map(human::bytes))
        }),
    ]);
    if any(|n| n.maxmemory_bytes.is_some_and(|max| max > 0)) {
        columns.push((Column::right("OF MAX", 7), of_max));
    }
    columns.extend::<[NodeColumn; 3]>([
        (Column::right("OPS/S", 9), |n| {
            Cell::known(n.ops_per_second.map(human::rate))
        }),
        (Column::right("PING", 8), |n| {
            Cell::known(n.ping_p50_us.map(human::micros))
        }),
        (Column::right("CLIENTS", 10), |n| {
            Cell::known(n.clients.map(human::count))
        }),
    ]);
    if is_cluster {
        columns.push((Column::left("ID", 11), |n| {
            Cell::known(n.id.as_ref().map(|id| id.short()))
        }));
    }
    if any(|n| n.zone.is_some()) {
        columns.push((Column::left("ZONE", 12), |n| Cell::known(n.zone.as_ref())));
    }
    if is_verbose {
        columns.push((Column::right("P99", 13), |n| {
            Cell::known(n.ping_p99_us.map(human::micros))
        }));
        if is_cluster {
            columns.push((Column::right("EPOCH", 14), |n| Cell::known(n.epoch)));
        }
        columns.extend::<[NodeColumn; 3]>([
            (Column::left("ANNOUNCED", 17), |n| {
                Cell::known(n.announced.as_ref())
            }),
            (Column::left("VERSION", 15), |n| {
                Cell::known(n.version.as_ref())
            }),
            (Column::right("UPTIME", 16), |n| {
                let uptime = n.uptime_seconds.map(Duration::from_secs);
                Cell::known(uptime.map(human::duration))
            }),
        ]);
    }
    columns
}

fn state(node: &NodeRow) -> Cell {
    let tone = match node.state.as_str() {
        "ok" => Tone::Good,
        "fail?" | "loading" | "handshake" => Tone::Warn,
        _ => Tone::Bad,
    };
    Cell::new(&node.state, tone)
}

/// The first ranges, and how many more there are.
fn slots(slots: &str) -> Cell {
    let ranges: Vec<&str> = slots.split_whitespace().collect();
    match ranges.len() {
        0 => Cell::none(),
        n if n <= RANGES => Cell::plain(ranges.join(" ")),
        n => Cell::plain(format!(
            "{} +{}",
            ranges[..RANGES - 1].join(" "),
            n - RANGES + 1
        )),
    }
}

/// Of a replica: `down` when its link is, or the time that it is behind, or the bytes where no time is known.
fn lag(node: &NodeRow) -> Cell {
    match (node.role, node.is_link_up, node.lag_seconds, node.lag_bytes) {
        (Role::Master, ..) => Cell::none(),
        (_, Some(false), ..) => Cell::new("down", Tone::Bad),
        (_, _, Some(0.0), _) => Cell::plain("0 s"),
        (_, _, Some(s), _) => Cell::plain(human::seconds(s)),
        (_, _, None, bytes) => Cell::known(bytes.map(human::bytes)),
    }
}

fn of_max(node: &NodeRow) -> Cell {
    match (node.used_memory_bytes, node.maxmemory_bytes) {
        (_, Some(0)) => Cell::none(),
        (Some(used), Some(max)) => Cell::plain(human::percent(used as f64 / max as f64 * 100.0)),
        _ => Cell::unknown(),
    }
}

/// A row a shard.
pub fn shards(report: &Report) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("MASTER", 0),
        Column::right("IN SYNC", 0),
        Column::left("REPLICAS", 5),
        Column::left("SLOTS", 3),
        Column::right("COUNT", 0),
        Column::right("KEYS", 1),
        Column::right("MEMORY", 2),
        Column::right("OPS/S", 4),
    ]);
    for shard in &report.shards {
        table.row([
            Cell::plain(shard.shard),
            Cell::known(shard.master.as_ref()),
            in_sync(shard),
            replicas(&shard.replicas),
            slots(&shard.slots),
            Cell::plain(human::count(shard.slot_count as u64)),
            Cell::known(shard.keys.map(human::count)),
            Cell::known(shard.used_memory_bytes.map(human::bytes)),
            Cell::known(shard.ops_per_second.map(human::rate)),
        ]);
    }
    table
}

/// A row a Sentinel.
pub fn sentinels(report: &Report) -> Table {
    let mut table = Table::new([
        Column::left("SENTINEL", 0),
        Column::left("STATE", 0),
        Column::left("NAME", 3),
        Column::left("MASTER", 0),
        Column::right("QUORUM", 1),
        Column::right("SENTINELS", 1),
        Column::right("REPLICAS", 2),
        Column::right("DOWN AFTER", 3),
        Column::right("FAILOVER TIMEOUT", 4),
    ]);
    let span =
        |ms: Option<u64>| Cell::known(ms.map(|ms| human::duration(Duration::from_millis(ms))));
    for row in &report.sentinels {
        let (state, tone) = match (&row.master_flags, row.state.as_str()) {
            (Some(flags), "ok") => (format!("master {flags}"), Tone::Warn),
            (None, "ok") => ("ok".to_owned(), Tone::Good),
            (_, state) => (state.to_owned(), Tone::Bad),
        };
        table.row([
            Cell::plain(&row.addr),
            Cell::new(state, tone),
            Cell::known(row.name.as_ref()),
            Cell::known(row.master.as_ref()),
            Cell::known(row.quorum),
            Cell::known(row.sentinels),
            Cell::known(row.replicas),
            span(row.down_after_ms),
            span(row.failover_timeout_ms),
        ]);
    }
    table
}

fn in_sync(shard: &ShardRow) -> Cell {
    let known = shard.replicas.len();
    let text = format!("{} of {known}", shard.replicas_in_sync);
    match shard.replicas_in_sync {
        0 => Cell::new(text, Tone::Bad),
        synced if synced < known => Cell::new(text, Tone::Warn),
        _ => Cell::new(text, Tone::Good),
    }
}

fn replicas(addrs: &[NodeAddr]) -> Cell {
    let shown: Vec<String> = addrs.iter().take(2).map(NodeAddr::to_string).collect();
    match addrs.len() {
        0 => Cell::none(),
        n if n > 2 => Cell::plain(format!("{} +{}", shown.join(" "), n - 2)),
        _ => Cell::plain(shown.join(" ")),
    }
}

/// What each single loss means: one line for the hosts, one for the zones where there are any.
pub fn survival(report: &Report) -> Vec<(String, Cell)> {
    let survives = &report.cluster.survives;
    let masters = |at: fn(&NodeRow) -> Option<&String>, name: &str| {
        let held = report
            .nodes
            .iter()
            .filter(|n| n.role == Role::Master && n.slot_count > 0);
        held.filter(|n| at(n).is_some_and(|place| place == name))
            .count()
    };
    let of = report.cluster.masters;
    let mut lines = Vec::new();
    for (kind, losses, at) in [
        (
            "host",
            &survives.hosts,
            (|n| Some(&n.host)) as fn(&NodeRow) -> Option<&String>,
        ),
        ("zone", &survives.zones, |n| n.zone.as_ref()),
    ] {
        if report.cluster.slots_served < usize::from(SLOT_COUNT) && !losses.is_empty() {
            let text = "no: not all slots are served even now";
            lines.push((
                format!("survives loss of a {kind}"),
                Cell::new(text, Tone::Bad),
            ));
        } else if !losses.is_empty() {
            let told = tell_losses(kind, losses, |name| (masters(at, name), of));
            lines.push((format!("survives loss of a {kind}"), told));
        }
    }
    lines
}

fn tell_losses(
    kind: &str,
    losses: &BTreeMap<String, bool>,
    masters: impl Fn(&str) -> (usize, usize),
) -> Cell {
    let fatal: Vec<&String> = losses
        .iter()
        .filter(|(_, ok)| !**ok)
        .map(|(n, _)| n)
        .collect();
    if fatal.is_empty() {
        let text = match losses.len() {
            1 => "yes".to_owned(),
            n => format!("yes, of any one of the {n}"),
        };
        return Cell::new(text, Tone::Good);
    }
    let named: Vec<String> = fatal
        .iter()
        .take(4)
        .map(|name| match masters(name) {
            (0, _) => format!("not of {name}"),
            (here, of) => format!("not of {name} ({here} of {of} masters)"),
        })
        .collect();
    let mut text = named.join(", ");
    if fatal.len() > named.len() {
        text.push_str(&format!(" and {} more", fatal.len() - named.len()));
    }
    match losses.len() - fatal.len() {
        0 => {}
        sound => text.push_str(&format!(
            "; yes of the {sound} other {kind}{}",
            if sound == 1 { "" } else { "s" }
        )),
    }
    Cell::new(text, Tone::Warn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_ranges_stay_one_cell() {
        for (text, shown) in [
            ("", "-"),
            ("0-5460", "0-5460"),
            ("0 2 4-9", "0 2 4-9"),
            ("0 2 4 6-9", "0 2 +2"),
        ] {
            assert_eq!(slots(text).text, shown);
        }
    }

    #[test]
    fn losses_in_one_line() {
        let told = |sound: usize, fatal: usize| {
            let names = (0..sound).map(|n| (format!("s{n}"), true));
            let losses = names.chain((0..fatal).map(|n| (format!("f{n}"), false)));
            tell_losses("host", &losses.collect(), |_| (2, 3)).text
        };
        for (sound, fatal, text) in [
            (1, 0, "yes"),
            (3, 0, "yes, of any one of the 3"),
            (0, 1, "not of f0 (2 of 3 masters)"),
            (1, 1, "not of f0 (2 of 3 masters); yes of the 1 other host"),
        ] {
            assert_eq!(told(sound, fatal), text);
        }
        assert!(told(2, 9).contains("and 5 more; yes of the 2 other hosts"));
    }
}
