//! What becomes of the files: a save that failed, a checksum, a broken tail.

use super::aof::keeps_log;
use super::disk::saves;
use crate::health::Profile;
use crate::model::Severity;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, profile_line, readable, sure_profile};

pub(super) const STOP_WRITES: Rule = Rule {
    id: "persistence.stop-writes",
    title: "writes after a snapshot failed",
    parameters: &["stop-writes-on-bgsave-error"],
    kind: Kind::Setting,
    why: "With stop-writes-on-bgsave-error yes a node whose last snapshot failed refuses all writes (MISCONF), so that somebody notices. For a cache a full disk becomes an outage that way; for data of record it is the last warning.",
    how: "cache, and session with an append-only file: no. durable and queue: yes, where the snapshots are all that is kept. Only where save points are set.",
    cost: "no: snapshots may fail without anybody noticing, so watch rdb_last_bgsave_status; yes: a failed snapshot stops all writes",
    risk: Risk::Medium,
    source: "CONFIG stop-writes-on-bgsave-error, save; INFO persistence: rdb_last_bgsave_status; server.c writeCommandsDeniedByDiskError",
    judge: stop_writes,
};

pub(super) const CHECKSUM: Rule = Rule {
    id: "persistence.checksum",
    title: "checksum of snapshots",
    parameters: &["rdbchecksum"],
    kind: Kind::Setting,
    why: "Without the checksum a snapshot that went bad on the disk or the wire is loaded as it is, and wrong data is served. Saving without it is about a tenth faster.",
    how: "yes, unless it is a cache.",
    cost: "about a tenth of the time of a save; a restart",
    risk: Risk::Low,
    source: "CONFIG rdbchecksum (yes by default); redis.conf",
    judge: checksum,
};

pub(super) const TAIL: Rule = Rule {
    id: "persistence.broken-tail",
    title: "a start from a broken append-only file",
    parameters: &["aof-load-truncated", "aof-load-corrupt-tail-max-size"],
    kind: Kind::Setting,
    why: "After a power cut the end of the file may be cut off or garbled. A server that then refuses to start stays down until a person comes. Where the last second may be lost, it had better start without it.",
    how: "cache and session: aof-load-truncated yes, and aof-load-corrupt-tail-max-size 1 MiB (8.4 and later).",
    cost: "what was in the broken tail is dropped; the log says so",
    risk: Risk::Medium,
    source: "CONFIG; aof.c loadSingleAppendOnlyFile; release notes of Redis 8.4 (pull request 14058)",
    judge: tail,
};

pub(super) const SYNC_FILES: Rule = Rule {
    id: "persistence.sync-files",
    title: "files that a full sync leaves behind",
    parameters: &["rdb-del-sync-files"],
    kind: Kind::Setting,
    why: "A full sync through the disk leaves its snapshot in dir. Where nothing is to be kept, the file takes room, and the next start loads this old state as if it were the data.",
    how: "yes, where neither save points nor an append-only file are set.",
    cost: "none: a node that persists keeps its files all the same",
    risk: Risk::Low,
    source: "CONFIG rdb-del-sync-files, save, appendonly; replication.c rdbRemovalAllowed",
    judge: sync_files,
};

/// The tail that may be dropped: more than a second of most logs, in bytes (`1mb`).
const DROPPED: u64 = 1 << 20;

fn stop_writes(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "stop-writes-on-bgsave-error";
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    let wanted = |node: &NodeCase| match profile {
        Profile::Cache => Some("no"),
        Profile::Session => keeps_log(node).then_some("no"),
        Profile::Durable | Profile::Queue => (!keeps_log(node)).then_some("yes"),
    };
    let saving = nodes.into_iter().filter(|node| saves(node));
    let wanted = saving.filter_map(|node| Some((node, wanted(node)?.to_owned())));
    let is_kept = matches!(profile, Profile::Durable | Profile::Queue);
    let (refusing, sound): (Vec<_>, Vec<_>) =
        wanted.partition(|(node, _)| !is_kept && has_failed(node));
    let (severity, why) = match is_kept {
        true => (
            Severity::Warning,
            "snapshots are all that is kept, and may fail without anybody noticing",
        ),
        false => (
            Severity::Info,
            "a failed snapshot would stop all writes to data that does not depend on it",
        ),
    };
    let now = "its last snapshot failed, and it refuses all writes for that";
    for (severity, wanted, why) in [(Severity::Critical, refusing, now), (severity, sound, why)] {
        let failed = wanted.iter().filter(|(node, _)| has_failed(node));
        let failed = failed.map(|(node, _)| format!("{}: rdb_last_bgsave_status:err", node.addr));
        let mut evidence = vec![profile_line(case)];
        evidence.extend(lines(failed));
        let changes = changes(NAME, wanted);
        opinions.extend(Opinion::set(severity, NAME, changes, why, evidence));
    }
    opinions
}

fn has_failed(node: &NodeCase) -> bool {
    node.info().get("rdb_last_bgsave_status") == Some("err")
}

fn checksum(case: &Case) -> Vec<Opinion> {
    match sure_profile(case) {
        Ok(Profile::Cache) => return Vec::new(),
        Ok(_) => {}
        Err(skip) => return skip,
    }
    let (nodes, mut opinions) = readable(case);
    let wanted = nodes.into_iter().map(|node| (node, "yes".to_owned()));
    let changes = changes("rdbchecksum", wanted);
    let why = "a snapshot that went bad would be loaded as it is";
    let evidence = vec![profile_line(case)];
    opinions.extend(Opinion::set(
        Severity::Info,
        "rdbchecksum",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn tail(case: &Case) -> Vec<Opinion> {
    match sure_profile(case) {
        Ok(Profile::Cache | Profile::Session) => {}
        Ok(_) => return Vec::new(),
        Err(skip) => return skip,
    }
    let (nodes, mut opinions) = readable(case);
    let logging: Vec<_> = nodes.into_iter().filter(|node| keeps_log(node)).collect();
    let truncated = logging.iter().map(|node| (*node, "yes".to_owned()));
    let is_zero = |node: &&&NodeCase| node.setting("aof-load-corrupt-tail-max-size") == Some("0");
    let corrupt = (logging.iter().filter(is_zero)).map(|node| (*node, DROPPED.to_string()));
    for (name, changes) in [
        (
            "aof-load-truncated",
            changes("aof-load-truncated", truncated),
        ),
        (
            "aof-load-corrupt-tail-max-size",
            changes("aof-load-corrupt-tail-max-size", corrupt),
        ),
    ] {
        let why = "after a power cut it may refuse to start for the sake of the last writes";
        let evidence = vec![profile_line(case)];
        opinions.extend(Opinion::set(Severity::Info, name, changes, why, evidence));
    }
    opinions
}

fn sync_files(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let keeps_nothing = |node: &NodeCase| {
        node.setting("save") == Some("") && node.is_on("appendonly") == Some(false)
    };
    let bare = nodes.into_iter().filter(|node| keeps_nothing(node));
    let changes = changes(
        "rdb-del-sync-files",
        bare.map(|node| (node, "yes".to_owned())),
    );
    let why = "nothing is to be kept, but a full sync leaves a file that the next start loads";
    let evidence = vec!["CONFIG: save \"\", appendonly no".to_owned()];
    opinions.extend(Opinion::set(
        Severity::Info,
        "rdb-del-sync-files",
        changes,
        why,
        evidence,
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::Severity;
    use crate::ops::tune::report::Takes;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_failed_snapshot_stops_only_what_depends_on_it() {
        let rule = "persistence.stop-writes";
        let cache = Setup::sound().profile(Profile::Cache);
        let advice = cache.rule(rule);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "no");
        let failed = cache.clone().info_of(0, "rdb_last_bgsave_status:err");
        let advice = failed.rule(rule);
        assert_eq!(
            (advice[0].severity, advice[0].changes.len()),
            (Severity::Critical, 1)
        );
        assert_eq!(
            (advice[1].severity, advice[1].changes.len()),
            (Severity::Info, 5)
        );
        assert_eq!(cache.config("save", "").rule(rule), []);
        let durable = Setup::sound()
            .profile(Profile::Durable)
            .config("stop-writes-on-bgsave-error", "no");
        assert_eq!(durable.rule(rule), []);
        let advice = durable.config("appendonly", "no").rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn a_snapshot_carries_its_checksum() {
        let rule = "persistence.checksum";
        let off = |profile| Setup::sound().profile(profile).config("rdbchecksum", "no");
        let advice = off(Profile::Session).rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(advice[0].takes, Takes::Restart);
        assert_eq!(off(Profile::Cache).rule(rule), []);
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn a_broken_tail_keeps_no_session_store_down() {
        let rule = "persistence.broken-tail";
        let setup = |profile| {
            Setup::sound()
                .profile(profile)
                .config("aof-load-truncated", "no")
                .config("aof-load-corrupt-tail-max-size", "0")
        };
        let advice = setup(Profile::Session).rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(advice[1].changes[0].proposed, "1048576");
        assert_eq!(setup(Profile::Durable).rule(rule), []);
        assert_eq!(Setup::sound().profile(Profile::Session).rule(rule), []);
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn a_node_that_keeps_nothing_keeps_no_sync_file() {
        let rule = "persistence.sync-files";
        let bare = Setup::sound().config("save", "").config("appendonly", "no");
        assert_eq!(bare.rule(rule)[0].changes[0].proposed, "yes");
        assert_eq!(Setup::sound().rule(rule), []);
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
