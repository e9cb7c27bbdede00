//! Whether what comes has room in the masters that get it: pure.
//!
//! Into an empty target the figures add up, and what cannot fit is refused. Where keys of the snapshot
//! are there already (some stay, some are replaced, an earlier run sent some) nobody knows how much comes
//! on top: refused is then only what would not fit into an empty master either, and the rest is told. Of
//! a part whose size is not known beforehand the whole snapshot is the bound, which is told too.

use super::order::{Existing, Options};
use super::plan::{Plan, Refusal, Share};
use crate::model::words::bytes;

/// What the estimate may be too high by, in the hundred: the server that the snapshot is of counted its
/// buffers too. Only where nothing else is lost by trying.
const MARGIN: u64 = 10;
const NEXT: &str = "raise maxmemory, add masters, or restore a part: --keys, --slots";

/// How the needs of a share lie to its master's limit.
enum Room {
    /// It fits.
    Enough,
    /// It may fit: what is there counts, and nobody knows how far.
    Perhaps(&'static str),
    /// It does not.
    None,
}

/// Refuses what cannot fit, and tells what may not.
pub(super) fn room(plan: &mut Plan, options: &Options, is_resumed: bool) {
    let mut told = Vec::new();
    for share in &plan.masters {
        let words = words(share);
        match judge(share, options, is_resumed) {
            Room::Enough => {}
            Room::Perhaps(why) => told.push(format!("{words} at the worst: {why}")),
            Room::None => plan.refusals.push(Refusal {
                what: words,
                next: NEXT.to_owned(),
            }),
        }
    }
    let others = told.len().saturating_sub(1);
    if let Some(mut first) = told.into_iter().next() {
        if others > 0 {
            first = format!("{first}; alike {others} more of the masters");
        }
        plan.warnings.push(first);
    }
}

fn judge(share: &Share, options: &Options, is_resumed: bool) -> Room {
    let (needs, limit) = (share.needs_memory, limit(share));
    let used = match options.existing {
        Existing::Flush => 0,
        _ => share.master.used_memory,
    };
    let is_there = is_resumed || matches!(options.existing, Existing::Skip | Existing::Replace);
    let fits = used.saturating_add(needs) <= limit;
    match limit == 0 || fits {
        true => Room::Enough,
        false if !options.select.is_by_slot() => {
            Room::Perhaps("that is the whole snapshot, and a part is meant")
        }
        false if is_there && needs <= limit.saturating_add(limit / 100 * MARGIN) => {
            Room::Perhaps("what is there already and comes again takes no room twice")
        }
        false => Room::None,
    }
}

/// What a master may use; 0 when nobody knows.
fn limit(share: &Share) -> u64 {
    match share.master.maxmemory {
        0 => share.master.machine_memory,
        limit => limit,
    }
}

fn words(share: &Share) -> String {
    let master = &share.master;
    let ends = match (master.maxmemory, master.policy.as_str()) {
        (0, _) => "its machine has no more".to_owned(),
        (_, "noeviction") => "it would refuse what comes last".to_owned(),
        (_, policy) => format!("it would drop keys without a word ({policy})"),
    };
    format!(
        "{} needs about {} more and may use {} of which {} are taken: {ends}",
        master.addr,
        bytes(share.needs_memory),
        bytes(limit(share)),
        bytes(master.used_memory),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::restore::Select;
    use crate::ops::restore::plan::tests::{options, share};

    const MIB: u64 = 1 << 20;

    /// What a plan says of a master that needs, uses and may use so many MiB.
    fn said(
        (needs, used, limit): (u64, u64, u64),
        options: &Options,
        is_resumed: bool,
    ) -> (usize, usize) {
        let mut share = share(None);
        share.needs_memory = needs * MIB;
        share.master.used_memory = used * MIB;
        share.master.maxmemory = limit * MIB;
        let mut plan = Plan {
            masters: vec![share],
            ..Plan::default()
        };
        room(&mut plan, options, is_resumed);
        (plan.refusals.len(), plan.warnings.len())
    }

    #[test]
    fn what_is_there_may_be_what_comes() {
        let (refused, told, nothing) = ((1, 0), (0, 1), (0, 0));
        for (existing, is_resumed, numbers, expected) in [
            (Existing::Refuse, false, (60, 20, 100), nothing),
            (Existing::Refuse, false, (90, 20, 100), refused),
            (Existing::Refuse, true, (90, 20, 100), told),
            (Existing::Refuse, true, (105, 20, 100), told),
            (Existing::Refuse, true, (120, 20, 100), refused),
            (Existing::Skip, false, (70, 70, 100), told),
            (Existing::Skip, false, (120, 70, 100), refused),
            (Existing::Replace, false, (70, 70, 100), told),
            (Existing::Replace, false, (120, 70, 100), refused),
            (Existing::Flush, false, (70, 70, 100), nothing),
            (Existing::Flush, false, (120, 70, 100), refused),
            (Existing::Refuse, false, (120, 70, 0), nothing),
        ] {
            let options = Options {
                existing,
                ..options()
            };
            assert_eq!(
                said(numbers, &options, is_resumed),
                expected,
                "{existing:?} {is_resumed} {numbers:?}"
            );
        }
    }

    #[test]
    fn a_part_is_refused_only_where_its_size_is_known() {
        let slots = Some("0-99".parse().unwrap());
        let by_slot = Select {
            slots: slots.clone(),
            ..Select::default()
        };
        let by_name = Select {
            globs: vec!["session:*".to_owned()],
            slots,
            ..Select::default()
        };
        for (select, expected) in [(by_slot, (1, 0)), (by_name, (0, 1))] {
            let options = Options {
                select,
                ..options()
            };
            assert_eq!(said((120, 0, 100), &options, false), expected);
        }
    }

    #[test]
    fn many_masters_are_told_of_in_one_line() {
        let mut short = share(None);
        short.needs_memory = 90 * MIB;
        short.master.used_memory = 20 * MIB;
        short.master.maxmemory = 100 * MIB;
        short.master.policy = "allkeys-lru".to_owned();
        let mut plan = Plan {
            masters: vec![short.clone(), short.clone(), short],
            ..Plan::default()
        };
        room(&mut plan, &options(), true);
        let [told] = plan.warnings.as_slice() else {
            panic!("{:?}", plan.warnings);
        };
        for words in ["without a word (allkeys-lru)", "2 more", "90.0 MiB"] {
            assert!(told.contains(words), "{told}");
        }
    }
}
