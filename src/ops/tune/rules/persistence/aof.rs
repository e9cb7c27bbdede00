//! The append-only file: whether there is one, and how soon it is on the disk.

use super::fork::{changes_per_second, interval_s, points};
use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::{bytes, count, seconds};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, profile_line, readable, sure_profile};

pub(super) const AOF: Rule = Rule {
    id: "persistence.aof",
    title: "whether every write reaches the disk",
    parameters: &["appendonly"],
    kind: Kind::Setting,
    why: "A snapshot keeps what was there when it was made; everything since is lost with the process. The append-only file loses a second at the most. Replicas do not replace it: a power cut or a bad deployment takes them all at once.",
    how: "session, durable and queue: yes, where the disk has room for twice the data set. cache: no, where its fsync was seen to hold the server up. Turn it on by CONFIG SET only: a server that is started with it for the first time before 7.0 loads the empty file and forgets the snapshot.",
    cost: "a write to the disk for each write, an fsync a second, a fork for each rewrite, and disk for two to three times the data set",
    risk: Risk::Medium,
    source: "CONFIG appendonly, save; INFO persistence: aof_delayed_fsync, rdb_changes_since_last_save; config.c updateAppendonly",
    judge: aof,
};

pub(super) const FSYNC: Rule = Rule {
    id: "persistence.fsync",
    title: "how soon the append-only file is on the disk",
    parameters: &["appendfsync"],
    kind: Kind::Setting,
    why: "everysec loses a second or two in a power cut and hardly slows anything. no leaves it to the kernel, which may take half a minute. always waits for the disk before each answer: right where nothing may be lost, and wasted on what can be made again.",
    how: "session, durable and queue: everysec instead of no. cache and session: everysec instead of always. Where no write may be lost (--no-loss): always, whatever it is for.",
    cost: "from no: an fsync a second; from always: up to two seconds of writes in a power cut; to always: each write waits for the disk",
    risk: Risk::Low,
    source: "CONFIG appendfsync; aof.c flushAppendOnlyFile",
    judge: fsync,
};

pub(super) const FSYNC_ON_REWRITE: Rule = Rule {
    id: "persistence.fsync-on-rewrite",
    title: "fsync while a child writes",
    parameters: &["no-appendfsync-on-rewrite"],
    kind: Kind::Setting,
    why: "While a child writes a snapshot or a rewrite, the fsync of the append-only file queues behind it, and the server waits. With no-appendfsync-on-rewrite yes it does not ask for the fsync meanwhile: no stall, and whatever was written during the rewrite is not safe from a power cut.",
    how: "cache and session: yes, where fsyncs were delayed while a child wrote. durable and queue: no.",
    cost: "yes: a power cut during a rewrite loses what was written in it; no: stalls while a child writes to a slow disk",
    risk: Risk::Medium,
    source: "INFO persistence over two samples: aof_delayed_fsync, aof_rewrite_in_progress, rdb_bgsave_in_progress",
    judge: fsync_on_rewrite,
};

/// A rewrite needs room for the old file and the new one, so the data set twice.
const FILES: u64 = 2;

/// Whether the node keeps an append-only file.
pub fn keeps_log(node: &NodeCase) -> bool {
    node.is_on("appendonly") == Some(true)
}

fn aof(case: &Case) -> Vec<Opinion> {
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    if profile == Profile::Cache {
        opinions.extend(needless(case, &nodes));
        return opinions;
    }
    let without = nodes
        .into_iter()
        .filter(|node| node.is_on("appendonly") == Some(false));
    let (mut bare, mut saved) = (Vec::new(), Vec::new());
    for node in without {
        match (lacks_room(node), node.setting("save")) {
            (Some(reason), _) => opinions.push(Opinion::skip(node, reason)),
            (None, None | Some("")) => bare.push(node),
            (None, Some(_)) => saved.push(node),
        }
    }
    let nothing = match profile {
        Profile::Durable => Severity::Critical,
        _ => Severity::Warning,
    };
    let stale = match profile {
        Profile::Session => Severity::Info,
        _ => Severity::Warning,
    };
    for (severity, nodes, why) in [
        (nothing, bare, "nothing is written to disk"),
        (
            stale,
            saved,
            "what was written since the last snapshot is lost with the process",
        ),
    ] {
        let wanted = nodes.iter().map(|node| (*node, "yes".to_owned()));
        let changes = changes("appendonly", wanted);
        let mut evidence = vec![profile_line(case)];
        evidence.extend(lines(nodes.iter().filter_map(|node| at_stake(case, node))));
        opinions.extend(Opinion::set(severity, "appendonly", changes, why, evidence));
    }
    opinions
}

/// A cache whose append-only file holds it up.
fn needless(case: &Case, nodes: &[&NodeCase]) -> Option<Opinion> {
    let delayed = |node: &NodeCase| node.number("aof_delayed_fsync").filter(|n| *n > 0);
    let held = || (nodes.iter()).filter_map(|node| Some((*node, delayed(node)?)));
    let held = || held().filter(|(node, _)| keeps_log(node));
    let changes = changes(
        "appendonly",
        held().map(|(node, _)| (node, "no".to_owned())),
    );
    let why = "a cache can be filled again, and its append-only file holds the server up";
    let told = held().map(|(node, times)| {
        format!(
            "{}: waited for the disk {} times since the start",
            node.addr,
            count(times)
        )
    });
    let mut evidence = vec![profile_line(case)];
    evidence.extend(lines(told));
    Opinion::set(Severity::Info, "appendonly", changes, why, evidence)
}

fn lacks_room(node: &NodeCase) -> Option<String> {
    let free = node.host()?.disk_free_bytes?;
    let needed = node.number("used_memory")?.saturating_mul(FILES);
    (free < needed).then(|| {
        format!(
            "an append-only file would need {} of disk and {} are free: give it a larger disk first",
            bytes(needed),
            bytes(free)
        )
    })
}

/// How much a crash would lose now, where that is known.
fn at_stake(case: &Case, node: &NodeCase) -> Option<String> {
    let changes = node
        .number("rdb_changes_since_last_save")
        .filter(|n| *n > 0)?;
    let rate = changes_per_second(case, node)?;
    let points = points(node.setting("save").unwrap_or_default());
    let due = points.iter().filter_map(|point| interval_s(*point, rate));
    let every = due
        .min_by(f64::total_cmp)
        .map_or_else(String::new, |every| {
            format!(", and its save points save every {}", seconds(every))
        });
    Some(format!(
        "{}: {} changes since the last snapshot{every}",
        node.addr,
        count(changes)
    ))
}

/// What somebody asked for outweighs what the cluster is for.
fn lossless(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let logging = nodes.into_iter().filter(|node| keeps_log(node));
    let wanted = logging.map(|node| (node, "always".to_owned()));
    let set = Opinion::set(
        Severity::Warning,
        "appendfsync",
        changes("appendfsync", wanted),
        "a power cut loses writes that were acknowledged, and none may be lost",
        vec!["--no-loss was given".to_owned()],
    );
    let step = "in the application, WAIT 1 (from 7.2 on WAITAOF 1 1) after a write that must outlive its master: replicas follow a moment later";
    opinions.extend(set.map(|advice| advice.then([step]).risking(Risk::Medium)));
    opinions
}

fn fsync(case: &Case) -> Vec<Opinion> {
    if case.options.is_lossless {
        return lossless(case);
    }
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    let logging: Vec<_> = nodes.into_iter().filter(|node| keeps_log(node)).collect();
    let (is_lax, is_strict) = match profile {
        Profile::Cache => (false, true),
        Profile::Session => (true, true),
        Profile::Durable | Profile::Queue => (true, false),
    };
    for (severity, is_asked, present, why) in [
        (
            Severity::Warning,
            is_lax,
            "no",
            "the kernel decides when writes reach the disk, which may take half a minute",
        ),
        (
            Severity::Info,
            is_strict,
            "always",
            "each write waits for the disk, for data that may be lost",
        ),
    ] {
        let is_it = |node: &&&NodeCase| is_asked && node.setting("appendfsync") == Some(present);
        let wanted = logging.iter().filter(is_it);
        let changes = changes(
            "appendfsync",
            wanted.map(|node| (*node, "everysec".to_owned())),
        );
        let evidence = vec![profile_line(case)];
        opinions.extend(Opinion::set(
            severity,
            "appendfsync",
            changes,
            why,
            evidence,
        ));
    }
    opinions
}

fn fsync_on_rewrite(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "no-appendfsync-on-rewrite";
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    let logging: Vec<_> = nodes.into_iter().filter(|node| keeps_log(node)).collect();
    let mut evidence = vec![profile_line(case)];
    if case.options.is_lossless || matches!(profile, Profile::Durable | Profile::Queue) {
        let wanted = logging.iter().map(|node| (*node, "no".to_owned()));
        let why = "whatever is written during a rewrite is not safe from a power cut";
        let changes = changes(NAME, wanted);
        opinions.extend(Opinion::set(
            Severity::Warning,
            NAME,
            changes,
            why,
            evidence,
        ));
        return opinions;
    }
    let mut held = Vec::new();
    for node in logging {
        match node.growth("aof_delayed_fsync") {
            None => opinions.push(Opinion::skip(
                node,
                "whether fsyncs are delayed is not known: INFO was not sampled twice (--sample)",
            )),
            Some(times) if times > 0 && has_child(node) => held.push((node, times)),
            Some(_) => {}
        }
    }
    evidence.extend(lines(held.iter().map(|(node, times)| {
        let sample = seconds(node.sample().as_secs_f64());
        format!(
            "{}: aof_delayed_fsync +{times} in {sample}, while a child wrote",
            node.addr
        )
    })));
    let wanted = held.iter().map(|(node, _)| (*node, "yes".to_owned()));
    let changes = changes(NAME, wanted);
    let why = "the server waits for the disk while a child writes";
    opinions.extend(Opinion::set(
        Severity::Warning,
        NAME,
        changes,
        why,
        evidence,
    ));
    opinions
}

/// Whether a child wrote at either sample.
fn has_child(node: &NodeCase) -> bool {
    let is_writing =
        |name: &&str| node.number(name) == Some(1) || node.facts.info.number(name) == Some(1);
    ["aof_rewrite_in_progress", "rdb_bgsave_in_progress"]
        .iter()
        .any(is_writing)
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    #[test]
    fn what_must_last_is_written_to_the_log() {
        let without = |profile, save: &str| {
            let setup = Setup::sound().profile(profile).config("appendonly", "no");
            let advice = setup.config("save", save).rule("persistence.aof");
            assert_eq!(advice[0].changes.len(), 6);
            assert_eq!(advice[0].changes[0].proposed, "yes");
            advice[0].severity
        };
        assert_eq!(without(Profile::Durable, ""), Severity::Critical);
        assert_eq!(without(Profile::Queue, ""), Severity::Warning);
        assert_eq!(without(Profile::Durable, "900 1"), Severity::Warning);
        assert_eq!(without(Profile::Session, "900 1"), Severity::Info);
        let with = Setup::sound().profile(Profile::Durable);
        assert_eq!(with.rule("persistence.aof"), []);
        let cache = Setup::sound().profile(Profile::Cache);
        assert_eq!(cache.rule("persistence.aof"), []);
        let slow = cache.info_of(2, "aof_delayed_fsync:7");
        let advice = slow.rule("persistence.aof");
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "no");
    }

    #[test]
    fn no_log_is_begun_on_a_full_disk() {
        let setup = Setup::sound()
            .profile(Profile::Durable)
            .config("appendonly", "no")
            .info("used_memory:1073741824")
            .hosts(&HostSeen {
                disk_free_bytes: Some(1 << 30),
                ..HostSeen::default()
            });
        assert_eq!(setup.rule("persistence.aof"), []);
        let skipped = setup.skipped("persistence.aof");
        assert!(skipped[0].reason.contains("2.00 GiB"), "{skipped:?}");
    }

    #[test]
    fn fsync_is_as_strict_as_the_data_wants() {
        let proposed = |profile, present: &str| {
            let setup = Setup::sound()
                .profile(profile)
                .config("appendfsync", present);
            let advice = setup.rule("persistence.fsync");
            advice.first().map(|one| one.changes[0].proposed.clone())
        };
        let everysec = Some("everysec".to_owned());
        assert_eq!(proposed(Profile::Durable, "no"), everysec);
        assert_eq!(proposed(Profile::Durable, "always"), None);
        assert_eq!(proposed(Profile::Session, "always"), everysec);
        assert_eq!(proposed(Profile::Cache, "no"), None);
        assert_eq!(proposed(Profile::Cache, "everysec"), None);
        let dark = Setup::sound().profile(Profile::Durable);
        let dark = dark.facts(1, |facts| facts.config.clear());
        assert_eq!(dark.skipped("persistence.fsync").len(), 1);
        // Nobody waits for the disk unless somebody says so, and then whatever it is for.
        let asked = |present| {
            let setup = Setup::sound().profile(Profile::Session);
            let setup = setup.config("appendfsync", present);
            let setup = setup.options(|options| options.is_lossless = true);
            setup.rule("persistence.fsync")
        };
        let advice = asked("everysec");
        assert_eq!(advice[0].changes[0].proposed, "always");
        assert!(advice[0].next[0].contains("WAIT 1"), "{advice:?}");
        assert_eq!(asked("always"), []);
    }

    #[test]
    fn a_rewrite_may_hold_up_what_must_last_only() {
        let rule = "persistence.fsync-on-rewrite";
        let session = || Setup::sound().profile(Profile::Session);
        assert_eq!(session().rule(rule), []);
        let held = session()
            .info_of(1, "aof_rewrite_in_progress:1")
            .later_of(1, "aof_delayed_fsync:3");
        let advice = held.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        // Without a child it is the disk alone, and this setting is no help.
        let slow = session().later_of(1, "aof_delayed_fsync:3");
        assert_eq!(slow.rule(rule), []);
        let lax = Setup::sound()
            .profile(Profile::Durable)
            .config("no-appendfsync-on-rewrite", "yes");
        assert_eq!(lax.rule(rule)[0].changes[0].proposed, "no");
        let once = session().facts(0, |facts| facts.later = None);
        assert_eq!(once.skipped(rule).len(), 1);
    }
}
