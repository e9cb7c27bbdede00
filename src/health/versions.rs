//! Rules about server versions: one and the same, still mended, and without known holes.

use std::collections::BTreeMap;

use crate::model::words::listed;
use crate::model::{Severity, Subject, Vendor, Version};

use super::Rule;
use super::advisories::{Advisories, Advisory, Needs, Reach, Standing, day};
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, below};
use super::notes::Notes;

const MIXED: CodeDoc = CodeDoc {
    code: "version.mixed",
    title: "nodes run different versions",
    why: "During a rolling upgrade that is right, replicas first. A replica that is older than its master may not understand the master's data and stream, and is then no spare; that is critical.",
    remedy: "Finish the upgrade: replicas first, then fail over, then the old masters.",
    source: "INFO server: redis_version, valkey_version",
    ..CodeDoc::PLAIN
};
const VENDORS: CodeDoc = CodeDoc {
    code: "version.vendors",
    title: "Redis and Valkey in one cluster",
    severity: Severity::Critical,
    why: "The two have parted ways: data files and bus messages of newer versions are not understood by the other. It works at most for the time of a move from Redis 7.2 or older.",
    remedy: "Finish the move to one of them.",
    source: "INFO server: server_name, valkey_version",
    ..CodeDoc::PLAIN
};
const END_OF_LIFE: CodeDoc = CodeDoc {
    code: "version.end_of_life",
    title: "the branch gets no more fixes, or soon none",
    limit: below(180.0, None, Unit::Days),
    why: "After the end of its life a branch gets no security fixes from its makers. Distributions may go on for longer.",
    remedy: "Plan the move to a branch that is still cared for.",
    source: "the dated file of advisories that goodcache ships",
    ..CodeDoc::PLAIN
};
const VULNERABLE: CodeDoc = CodeDoc {
    code: "version.vulnerable",
    title: "a version with known vulnerabilities",
    why: "By its number this version has published holes. Distributions and managed services often mend them without changing the number, so ask theirs. It is critical when code can be run without a login.",
    remedy: "Upgrade within the branch, or to one that has the fixes. Until then keep the ports closed to strangers, and take EVAL and RESTORE from users who do not need them.",
    source: "the dated file of advisories that goodcache ships; compared branch by branch",
    ..CodeDoc::PLAIN
};
const OLD_PATCH: CodeDoc = CodeDoc {
    code: "version.old_patch",
    title: "a newer patch of the branch exists",
    severity: Severity::Info,
    why: "Patches bring fixes only, and are made to be taken without fear.",
    remedy: "Upgrade, replicas first.",
    source: "the dated file of advisories that goodcache ships",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "versions",
    codes: &[&MIXED, &VENDORS, &END_OF_LIFE, &VULNERABLE, &OLD_PATCH],
    judge,
};

/// Which nodes run what.
type Builds<'a> = BTreeMap<(Vendor, Version), Vec<Asked<'a>>>;

fn judge(case: &Case, notes: &mut Notes) {
    let mut builds = Builds::new();
    for asked in case.asked() {
        match asked.facts.info.version() {
            Some(version) => builds
                .entry((asked.facts.info.vendor(), version))
                .or_default()
                .push(asked),
            None => notes.skip(&VULNERABLE, asked.subject(), "INFO names no version"),
        }
    }
    if builds.len() > 1 {
        mixed(case, notes, &builds);
    }
    let file = Advisories::shipped();
    let mut lives: Vec<Life> = builds
        .iter()
        .map(|(build, nodes)| Life::of(case, &file, *build, nodes))
        .collect();
    // One finding is enough: a hole says more than a late patch. The rest stands in its evidence.
    lives.sort_by_key(|life| std::cmp::Reverse(life.severity));
    for life in lives {
        life.tell(case, notes, &file, builds.len() == 1);
    }
}

fn worded(vendor: Vendor, version: Version) -> String {
    format!("{vendor} {version}")
}

fn mixed(case: &Case, notes: &mut Notes, builds: &Builds) {
    let told = builds.iter().map(|((vendor, version), nodes)| {
        format!(
            "{} on {}",
            worded(*vendor, *version),
            listed(nodes.iter().map(|asked| asked.report.addr.to_string()), 4)
        )
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let next = case.cli(&case.any_addr(), "info server");
    let first = builds.keys().next().map(|(vendor, _)| *vendor);
    if builds.keys().any(|(vendor, _)| Some(*vendor) != first) {
        notes.find(
            &VENDORS,
            case.cluster(),
            "Redis and Valkey nodes in one cluster",
            format!("INFO server: {told}"),
            next,
        );
        return;
    }
    let older = case.replicas().find(|replica| {
        let own = replica.facts.info.version();
        let its = case
            .master_of(replica)
            .and_then(|master| master.facts.info.version());
        own.is_some() && own < its
    });
    let (severity, summary) = match older {
        Some(replica) => (
            Severity::Critical,
            format!("replica {} is older than its master", replica.report.addr),
        ),
        None => (
            Severity::Warning,
            format!("the nodes run {} different versions", builds.len()),
        ),
    };
    notes.find_at(
        &MIXED,
        severity,
        case.cluster(),
        summary,
        format!("INFO server: {told}"),
        next,
    );
}

/// What is known about one build.
struct Life<'a> {
    build: (Vendor, Version),
    nodes: &'a [Asked<'a>],
    holes: Vec<(Advisory, Standing)>,
    severity: Severity,
    days_left: Option<i64>,
    end: Option<String>,
    latest: Option<Version>,
}

impl<'a> Life<'a> {
    fn of(
        case: &Case,
        file: &Advisories,
        build: (Vendor, Version),
        nodes: &'a [Asked<'a>],
    ) -> Life<'a> {
        let tls = nodes.iter().any(uses_tls);
        let holes: Vec<(Advisory, Standing)> = file
            .of(build.0, build.1)
            .into_iter()
            .filter(|(advisory, _)| tls || advisory.needs != Some(Needs::Tls))
            .map(|(advisory, standing)| (advisory.clone(), standing))
            .collect();
        // Critical only where the makers confirmed the branch by mending it.
        let grave = |(advisory, standing): &(Advisory, Standing)| {
            advisory.reach == Reach::Anyone && advisory.runs_code && *standing != Standing::Unmended
        };
        let severity = match (
            case.survey.service.is_some() || nodes.iter().all(is_managed),
            holes.iter().any(grave),
        ) {
            (true, _) => Severity::Info,
            (false, true) => Severity::Critical,
            (false, false) => Severity::Warning,
        };
        let branch = file.branch(build.0, build.1);
        let end = branch.and_then(|branch| branch.end_of_life.clone());
        let today = (case.now_ms() / 86_400_000) as i64;
        Life {
            build,
            nodes,
            holes,
            severity,
            days_left: end.as_deref().and_then(day).map(|end| end - today),
            end,
            latest: branch.and_then(|branch| branch.latest.parse().ok()),
        }
    }

    fn tell(&self, case: &Case, notes: &mut Notes, file: &Advisories, is_only: bool) {
        let subject = match (is_only, self.nodes) {
            (false, [one]) => one.subject(),
            _ => case.cluster(),
        };
        let name = worded(self.build.0, self.build.1);
        if !self.holes.is_empty() {
            self.tell_holes(notes, subject, &name, file);
        } else if let (Some(days), Some(end)) = (self.days_left, &self.end)
            && let Some(severity) = notes.grade(&END_OF_LIFE, days as f64)
        {
            let summary = format!("{name}: {}", ending(days, end));
            notes.find_at(
                &END_OF_LIFE,
                severity,
                subject,
                summary,
                format!("INFO server; lifecycle data of {}", file.date),
                "plan the move to a newer branch",
            );
        } else if let Some(latest) = self.latest.filter(|latest| self.build.1 < *latest) {
            let evidence = format!("INFO server; release data of {}", file.date);
            notes.find(
                &OLD_PATCH,
                subject,
                format!("{name} is behind {latest}, the newest of its branch"),
                evidence,
                format!("upgrade to {latest}, replicas first"),
            );
        }
    }

    fn tell_holes(&self, notes: &mut Notes, subject: Subject, name: &str, file: &Advisories) {
        let mut holes: Vec<&(Advisory, Standing)> = self.holes.iter().collect();
        // Those that need no login first, then the newest.
        holes.sort_by_key(|(advisory, _)| {
            (
                advisory.reach != Reach::Anyone,
                std::cmp::Reverse(advisory.ids[0].clone()),
            )
        });
        let told = holes.iter().map(|(advisory, _)| {
            format!(
                "{} ({}{})",
                advisory.ids[0],
                advisory.what,
                who(advisory.reach)
            )
        });
        let end = match (self.days_left, &self.end) {
            (Some(days), Some(end)) if days < 180 => format!("; {}", ending(days, end)),
            _ => String::new(),
        };
        let next = match self.latest.filter(|latest| self.build.1 < *latest) {
            Some(latest) => format!("upgrade to {latest} or a newer branch; if the package is a distribution's, ask its security tracker which of these it has mended"),
            None => "its branch has no newer patch: move to a newer branch, or ask the security tracker of the distribution which of these its package has mended".to_owned(),
        };
        notes.find_at(
            &VULNERABLE,
            self.severity,
            subject,
            match holes.len() {
                1 => format!("to {name}, by its number, a published advisory applies"),
                count => format!("to {name}, by its number, {count} published advisories apply"),
            },
            format!("advisories up to {}: {}{end}", file.date, listed(told, 4)),
            next,
        );
    }
}

fn who(reach: Reach) -> &'static str {
    match reach {
        Reach::Anyone => ", no login needed",
        Reach::Bus => ", from the bus port",
        Reach::Local => ", on the machine",
        Reach::User => "",
    }
}

fn ending(days: i64, end: &str) -> String {
    if days < 0 {
        format!("its branch has had no fixes since {end}")
    } else {
        format!("its branch gets fixes until {end} only, {days} days from now")
    }
}

fn uses_tls(asked: &Asked) -> bool {
    asked.facts.certificate_days_left.is_some()
        || asked
            .facts
            .setting_number("tls-port")
            .is_some_and(|port| port > 0)
}

/// Managed services mend without changing the number.
fn is_managed(asked: &Asked) -> bool {
    let os = asked.facts.info.get("os").unwrap_or_default();
    ["Amazon", "Azure", "Google", "Memorystore"]
        .iter()
        .any(|name| os.contains(name))
}
