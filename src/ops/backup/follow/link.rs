//! Getting hold of a shard's log again: from which node, and whether it can go on where it ended.
//!
//! The node is asked before PSYNC is: one that cannot go on would fork for a full copy that nobody
//! wants, and its answers tell why.

use crate::cluster::replica::{Log, Resumed};
use crate::cluster::{Access, Node, NodeError};
use crate::model::{Info, NodeAddr};

/// What came of it.
pub(super) enum Attached {
    /// It goes on.
    Log(Box<Log>),
    /// Not now: the node is away, loads, or is no master yet.
    Later(String),
    /// The node was promoted without what came after this offset.
    Lost(u64),
    /// It can never go on there.
    Gap(String),
}

/// Where a log is to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub replid: &'a str,
    /// After this.
    pub offset: u64,
    /// So far it is safe.
    pub safe: u64,
}

/// Asks a master.
pub(super) async fn attach(access: &Access, addr: &NodeAddr, wanted: Wanted<'_>) -> Attached {
    match asked(access, addr, wanted).await {
        Ok(attached) => attached,
        Err(error) => Attached::Later(error.to_string()),
    }
}

async fn asked(
    access: &Access,
    addr: &NodeAddr,
    wanted: Wanted<'_>,
) -> Result<Attached, NodeError> {
    let node = Node::connect(access, addr).await?;
    let info = node.say("INFO replication").await?;
    let info = Info::parse(&info.text().unwrap_or_default());
    match judge(&info, addr, wanted) {
        Verdict::GoOn => {}
        Verdict::Not(attached) => return Ok(attached),
    }
    let Wanted {
        replid,
        offset,
        safe,
    } = wanted;
    Ok(
        match Log::resume_from(access, addr, replid, offset, safe).await? {
            Resumed::Log(log) => Attached::Log(Box::new(log)),
            Resumed::Gap => Attached::Gap(format!("{addr} does not go on at offset {offset}")),
        },
    )
}

enum Verdict {
    GoOn,
    Not(Attached),
}

/// What the node's own words mean, by the rule of `masterTryPartialResync` (replication.c).
fn judge(info: &Info, addr: &NodeAddr, wanted: Wanted<'_>) -> Verdict {
    let Wanted { replid, offset, .. } = wanted;
    let gap = |why: String| Verdict::Not(Attached::Gap(why));
    if info.get("role") != Some("master") {
        return Verdict::Not(Attached::Later(format!("{addr} is no master")));
    }
    let number = |name: &str| info.number(name).unwrap_or(0);
    if info.get("master_replid2") == Some(replid) && info.get("master_replid") != Some(replid) {
        // The first offset that the old history does not have any more.
        let valid = number("second_repl_offset").saturating_sub(1);
        if offset > valid {
            return Verdict::Not(Attached::Lost(valid));
        }
    } else if info.get("master_replid") != Some(replid) {
        return gap(format!("{addr} has begun a new history"));
    } else if number("master_repl_offset") < offset {
        return gap(format!("{addr} has lost what came up to offset {offset}"));
    }
    match number("repl_backlog_active") == 1
        && number("repl_backlog_first_byte_offset") <= offset + 1
    {
        true => Verdict::GoOn,
        false => gap(format!(
            "the backlog of {addr} no longer reaches back to offset {offset} (repl-backlog-size)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(info: &str, offset: u64) -> String {
        let addr = "10.0.0.1:7000".parse().unwrap();
        let wanted = Wanted {
            replid: "old",
            offset,
            safe: 0,
        };
        match judge(&Info::parse(info), &addr, wanted) {
            Verdict::GoOn => "go on".to_owned(),
            Verdict::Not(Attached::Later(why) | Attached::Gap(why)) => why,
            Verdict::Not(Attached::Lost(offset)) => format!("lost after {offset}"),
            Verdict::Not(Attached::Log(_)) => unreachable!("nothing was asked"),
        }
    }

    #[test]
    fn whether_a_node_can_go_on() {
        let backlog = "repl_backlog_active:1\r\nrepl_backlog_first_byte_offset:51\r\n";
        let same =
            format!("role:master\r\nmaster_replid:old\r\nmaster_repl_offset:200\r\n{backlog}");
        let promoted = format!(
            "role:master\r\nmaster_replid:new\r\nmaster_replid2:old\r\nsecond_repl_offset:121\r\n\
             master_repl_offset:200\r\n{backlog}"
        );
        for (info, offset, expected) in [
            (same.as_str(), 50, "go on"),
            (&same, 200, "go on"),
            (&same, 49, "no longer reaches back"),
            (&same, 201, "has lost"),
            (&promoted, 120, "go on"),
            (&promoted, 121, "lost after 120"),
            (&same.replace("old", "other"), 100, "new history"),
            (&same.replace("master\r", "slave\r"), 100, "no master"),
            (
                &same.replace("active:1", "active:0"),
                100,
                "no longer reaches back",
            ),
        ] {
            let verdict = verdict(info, offset);
            assert!(verdict.contains(expected), "{offset}: {verdict}");
        }
    }
}
