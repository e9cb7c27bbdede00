//! When the append-only file is rewritten, and in which form.

use super::aof::keeps_log;
use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::{bytes, three_digits};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, profile_line, readable, sure_profile};

pub(super) const THRESHOLDS: Rule = Rule {
    id: "persistence.rewrite",
    title: "when the append-only file is rewritten",
    parameters: &["auto-aof-rewrite-percentage", "auto-aof-rewrite-min-size"],
    kind: Kind::Setting,
    why: "The file is rewritten when it has grown by a share of its size after the last rewrite. Each rewrite forks. On a small data set that changes much it is rewritten again and again; with the percentage at 0 it is never rewritten, and grows until the disk is full or a start takes hours.",
    how: "More than 6 rewrites an hour: the percentage 200 and the least size max(64 MiB, a tenth of the data set). Percentage 0: 100.",
    cost: "a longer file, so more disk and a longer start",
    risk: Risk::Low,
    source: "INFO persistence: aof_rewrites (7.0 and later), aof_current_size, aof_base_size; INFO memory: used_memory_dataset; server.c serverCron",
    judge: thresholds,
};

pub(super) const PREAMBLE: Rule = Rule {
    id: "persistence.preamble",
    title: "the form of a rewritten append-only file",
    parameters: &["aof-use-rdb-preamble"],
    kind: Kind::Setting,
    why: "With the preamble a rewrite writes the data set as a snapshot and only what follows as commands: the file is smaller, and a start loads it several times faster.",
    how: "yes, where an append-only file is kept.",
    cost: "programs that read the file as plain commands no longer can",
    risk: Risk::Low,
    source: "CONFIG aof-use-rdb-preamble (yes by default since 5.0); aof.c rewriteAppendOnlyFile",
    judge: |case| {
        let why = "rewrites write commands instead of a snapshot: a larger file and a slower start";
        flip(case, "aof-use-rdb-preamble", keeps_log, why)
    },
};

pub(super) const INCREMENTAL: Rule = Rule {
    id: "persistence.incremental-fsync",
    title: "files that reach the disk piece by piece",
    parameters: &[
        "aof-rewrite-incremental-fsync",
        "rdb-save-incremental-fsync",
    ],
    kind: Kind::Setting,
    why: "A child that writes a large file syncs it every 4 MiB. Without that the kernel collects it all and writes it at once, and whatever else needs the disk then waits, the fsync of the append-only file before all.",
    how: "yes for both, where such files are written.",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG (both yes by default); rio.c rioSetAutoSync",
    judge: |case| {
        let why = "large files reach the disk in one go, and everything else waits for it";
        let mut opinions = flip(case, "aof-rewrite-incremental-fsync", keeps_log, why);
        let saves = |node: &NodeCase| node.setting("save").is_some_and(|save| !save.is_empty());
        opinions.extend(flip(case, "rdb-save-incremental-fsync", saves, why));
        opinions
    },
};

pub(super) const TIMESTAMPS: Rule = Rule {
    id: "persistence.timestamps",
    title: "times in the append-only file",
    parameters: &["aof-timestamp-enabled"],
    kind: Kind::Setting,
    why: "With times in the file it can be cut at a moment (redis-check-aof --truncate-to-timestamp): the state before a mistake comes back, not only the latest.",
    how: "durable: yes, where an append-only file is kept (7.0 and later).",
    cost: "a line in the file for each second with writes; programs from before 7.0 cannot read it",
    risk: Risk::Low,
    source: "CONFIG aof-timestamp-enabled; aof.c genAofTimestampAnnotationIfNeeded",
    judge: timestamps,
};

/// So many rewrites in an hour are more than growth alone explains.
const OFTEN: f64 = 6.0;
/// The percentage that waits twice as long as the default of 100.
const PATIENT: &str = "200";
/// The server's default for the least size, in bytes.
const LEAST: u64 = 64 << 20;
/// Rewrites are counted since the start; before an hour has passed that says nothing.
const HISTORY_S: u64 = 3_600;

/// Advises `yes` where that says `no` on nodes to which it matters.
fn flip(
    case: &Case,
    parameter: &'static str,
    matters: impl Fn(&NodeCase) -> bool,
    why: &str,
) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let wanted = nodes.into_iter().filter(|node| matters(node));
    let changes = changes(parameter, wanted.map(|node| (node, "yes".to_owned())));
    opinions.extend(Opinion::set(
        Severity::Info,
        parameter,
        changes,
        why,
        Vec::new(),
    ));
    opinions
}

fn timestamps(case: &Case) -> Vec<Opinion> {
    match sure_profile(case) {
        Ok(Profile::Durable) => {}
        Ok(_) => return Vec::new(),
        Err(skip) => return skip,
    }
    let (nodes, mut opinions) = readable(case);
    let logging = nodes.into_iter().filter(|node| keeps_log(node));
    let wanted = logging.map(|node| (node, "yes".to_owned()));
    let changes = changes("aof-timestamp-enabled", wanted);
    let why = "without times in the file no moment before a mistake can be restored";
    let evidence = vec![profile_line(case)];
    let advice = Opinion::set(
        Severity::Info,
        "aof-timestamp-enabled",
        changes,
        why,
        evidence,
    );
    opinions.extend(advice);
    opinions
}

fn thresholds(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let logging: Vec<_> = nodes.into_iter().filter(|node| keeps_log(node)).collect();
    opinions.extend(never(&logging));
    let mut often = Vec::new();
    for node in logging {
        match rewrites_per_hour(node) {
            Err(reason) => opinions.push(Opinion::skip(node, reason)),
            Ok(rate) if rate > OFTEN && !is_never(node) => often.push((node, rate)),
            Ok(_) => {}
        }
    }
    let why = "the append-only file is rewritten again and again, a fork each time";
    let evidence = lines(often.iter().map(|(node, rate)| {
        format!(
            "{}: {} rewrites an hour since the start",
            node.addr,
            three_digits(*rate)
        )
    }));
    let patient = often.iter().filter(|(node, _)| {
        node.setting_number("auto-aof-rewrite-percentage")
            .is_some_and(|percent| percent < 200)
    });
    let patient = patient.map(|(node, _)| (*node, PATIENT.to_owned()));
    let larger = often.iter().filter_map(|(node, _)| {
        let tenth = form::whole_mib(node.number("used_memory_dataset")? / 10);
        let least = tenth.max(LEAST);
        let present = node.setting_number("auto-aof-rewrite-min-size")?;
        (least > present).then(|| (*node, least.to_string()))
    });
    let wanted = [
        (
            "auto-aof-rewrite-percentage",
            changes("auto-aof-rewrite-percentage", patient),
        ),
        (
            "auto-aof-rewrite-min-size",
            changes("auto-aof-rewrite-min-size", larger),
        ),
    ];
    for (name, changes) in wanted {
        let evidence = evidence.clone();
        opinions.extend(Opinion::set(Severity::Info, name, changes, why, evidence));
    }
    opinions
}

fn is_never(node: &NodeCase) -> bool {
    node.setting("auto-aof-rewrite-percentage") == Some("0")
}

/// Nodes whose file only grows.
fn never(logging: &[&NodeCase]) -> Option<Opinion> {
    let never = || logging.iter().filter(|node| is_never(node));
    let wanted = never().map(|node| (*node, "100".to_owned()));
    let changes = changes("auto-aof-rewrite-percentage", wanted);
    let size = |node: &NodeCase| node.number("aof_current_size");
    let is_large = never().any(|node| size(node) > node.number("used_memory").map(|n| n * 5));
    let severity = match is_large {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let told = never().filter_map(|node| {
        let file = format!("{}: the file has {}", node.addr, bytes(size(node)?));
        let data = node.number("used_memory").map(bytes)?;
        Some(format!("{file}, the data set takes {data} of memory"))
    });
    let why = "the append-only file is never rewritten and grows without end";
    Opinion::set(
        severity,
        "auto-aof-rewrite-percentage",
        changes,
        why,
        lines(told),
    )
}

fn rewrites_per_hour(node: &NodeCase) -> Result<f64, &'static str> {
    let Some(rate) = node.mean_per_second("aof_rewrites") else {
        return Err("how often it rewrites is not known: the server does not count (before 7.0)");
    };
    match node
        .uptime()
        .is_some_and(|uptime| uptime.as_secs() >= HISTORY_S)
    {
        true => Ok(rate * 3_600.0),
        false => Err("up for less than an hour, which tells nothing of how often it rewrites"),
    }
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_file_that_is_rewritten_too_often_waits_longer() {
        let rule = "persistence.rewrite";
        let setup = Setup::sound().info("aof_rewrites:2000\nused_memory_dataset:2147483648");
        let advice = setup.rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "200");
        assert_eq!(advice[1].parameter, "auto-aof-rewrite-min-size");
        assert_eq!(advice[1].changes[0].proposed, (204_u64 << 20).to_string());
        assert!(advice[0].evidence[0].contains("72.0 rewrites an hour"));
        assert_eq!(Setup::sound().info("aof_rewrites:20").rule(rule), []);
        assert_eq!(Setup::sound().skipped(rule).len(), 6);
        let young = setup.info("uptime_in_seconds:60");
        assert_eq!(young.rule(rule), []);
        assert!(young.skipped(rule)[0].reason.contains("an hour"));
    }

    #[test]
    fn a_file_that_only_grows_is_told() {
        let setup = Setup::sound()
            .config("auto-aof-rewrite-percentage", "0")
            .info("aof_rewrites:0\naof_current_size:900");
        let advice = setup.rule("persistence.rewrite");
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "100");
        let advice = setup
            .info("aof_current_size:6000000")
            .rule("persistence.rewrite");
        assert_eq!(advice[0].severity, Severity::Warning);
    }

    #[test]
    fn what_is_off_by_accident_goes_on() {
        for (rule, parameter) in [
            ("persistence.preamble", "aof-use-rdb-preamble"),
            (
                "persistence.incremental-fsync",
                "aof-rewrite-incremental-fsync",
            ),
            (
                "persistence.incremental-fsync",
                "rdb-save-incremental-fsync",
            ),
            ("persistence.timestamps", "aof-timestamp-enabled"),
        ] {
            let durable = Setup::sound().profile(Profile::Durable);
            let advice = durable.clone().config(parameter, "no").rule(rule);
            assert_eq!(advice[0].parameter, parameter);
            assert_eq!(advice[0].changes[0].proposed, "yes");
            assert_eq!(durable.clone().config(parameter, "yes").rule(rule), []);
            // A version that does not know it.
            assert_eq!(durable.without(parameter).rule(rule), []);
            let dark = Setup::sound().profile(Profile::Durable);
            let dark = dark.facts(0, |facts| facts.config.clear());
            assert!(!dark.skipped(rule).is_empty());
        }
        let unsure = Setup::sound().config("aof-timestamp-enabled", "no");
        assert_eq!(unsure.rule("persistence.timestamps"), []);
    }
}
