//! Save points: no more often than forks can be afforded, and not all nodes of a machine at once.

use super::fork::{Cost, changes_per_second, forks_per_hour, interval_s, points, written};
use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::three_digits;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{
    Opinion, Rule, changes, lines, profile_line, readable, sure_profile, young,
};

pub(super) const SAVE: Rule = Rule {
    id: "persistence.save",
    title: "how often snapshots are saved",
    parameters: &["save"],
    kind: Kind::Setting,
    why: "Each snapshot forks. While the fork is made the server stands still, and while the child writes, every page that changes is copied, so memory is needed twice. How often that happens is decided by the save points and the rate of changes together: `60 10000` forks every minute on a node that takes 167 writes a second. A cache whose keys can be made again pays this for nothing.",
    how: "A point saves every max(its seconds, its changes / changes per second); the point that is due first gives the forks in an hour. Forks are dear when the last took 100 ms or longer, or the last save 60 s or longer, or the copied pages more than half of the memory left. Then saves should lie max(10 x the save, 5,000 x the fork) apart, an hour at most, and points that come sooner go. cache: no save points where they fork once an hour or more.",
    cost: "a crash of all copies of a shard loses more of the latest changes; with no save points and no append-only file a node comes up empty, and a master that restarts before it is failed over empties its replicas too",
    risk: Risk::Medium,
    source: "CONFIG save; INFO: latest_fork_usec, rdb_last_bgsave_time_sec, rdb_last_cow_size, rdb_changes_since_last_save, rdb_last_save_time; server.c serverCron",
    judge: save,
};

pub(super) const STAGGER: Rule = Rule {
    id: "persistence.stagger",
    title: "nodes of one machine that save at once",
    parameters: &["save"],
    kind: Kind::Setting,
    why: "Nodes that were started together and have the same save points save together. On one machine their writing adds up on the disk and their copied pages in memory, so that the limits which hold for one are passed by all.",
    how: "Where two or more nodes of a machine save at least once an hour, alike, and each takes 5 s or longer or copies 100 MiB or more: each node's intervals are a step longer than those of the one before it. The step is the longest save, in whole minutes.",
    cost: "save points that differ from node to node, and that check lists as such",
    risk: Risk::Low,
    source: "CONFIG save; INFO persistence: rdb_last_bgsave_time_sec, rdb_last_cow_size; which nodes share a machine",
    judge: stagger,
};

/// A cache that forks less often than this is not worth a change, in an hour.
const SELDOM: f64 = 1.0;
/// A save that takes this long meets that of its neighbour, in seconds.
const FELT_SAVE_S: u64 = 5;
/// Copied pages that add up, in bytes.
const FELT_COPY: u64 = 100 << 20;

/// A node that forks, how often, and at what price.
struct Forking<'b, 'a> {
    node: &'b NodeCase<'a>,
    points: Vec<(u64, u64)>,
    rate: f64,
    cost: Cost,
}

impl Forking<'_, '_> {
    fn per_hour(&self) -> f64 {
        forks_per_hour(&self.points, self.rate)
    }

    fn line(&self) -> String {
        let young = young(self.node).map_or_else(String::new, |young| format!("; {young}"));
        format!(
            "{}: {} forks an hour by its save points at {} changes a second; {}{young}",
            self.node.addr,
            three_digits(self.per_hour()),
            three_digits(self.rate),
            self.cost.words()
        )
    }

    /// The points that do not come sooner than such forks should.
    fn spread(&self) -> Vec<(u64, u64)> {
        let apart = self.cost.interval_s();
        let is_far = |point: &&(u64, u64)| {
            interval_s(**point, self.rate).is_none_or(|every| every >= apart as f64)
        };
        let kept: Vec<_> = self.points.iter().filter(is_far).copied().collect();
        match kept.is_empty() {
            true => vec![(apart.div_ceil(60).max(1) * 60, 1)],
            false => kept,
        }
    }

    fn wanted(&self, profile: Profile) -> String {
        match profile {
            Profile::Cache => String::new(),
            _ => written(&self.spread()),
        }
    }
}

/// The nodes whose save points make them fork, and what could not be seen.
fn forking<'b, 'a>(case: &'b Case<'a>) -> (Vec<Forking<'b, 'a>>, Vec<Opinion>) {
    let (nodes, mut skips) = readable(case);
    let mut forking = Vec::new();
    for node in nodes {
        let points = points(node.setting("save").unwrap_or_default());
        if points.is_empty() {
            continue;
        }
        match (changes_per_second(case, node), Cost::of(case, node)) {
            (Some(rate), _) if forks_per_hour(&points, rate) == 0.0 => {}
            (Some(rate), Some(cost)) => forking.push(Forking {
                node,
                points,
                rate,
                cost,
            }),
            (None, _) => skips.push(Opinion::skip(
                node,
                "how much it changes is not known: INFO persistence was not sampled twice (--sample)",
            )),
            (_, None) => skips.push(Opinion::skip(
                node,
                "no fork was measured yet: BGSAVE once, then ask again",
            )),
        }
    }
    forking.sort_by_key(|one| std::cmp::Reverse(one.cost.fork));
    (forking, skips)
}

fn save(case: &Case) -> Vec<Opinion> {
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (forking, mut opinions) = forking(case);
    let is_overspent = |one: &&Forking| one.cost.is_dear() && one.spread() != one.points;
    let (dear, cheap): (Vec<_>, Vec<_>) = forking.iter().partition(is_overspent);
    let is_waste = |one: &&Forking| profile == Profile::Cache && one.per_hour() >= SELDOM;
    let cheap: Vec<_> = cheap.into_iter().filter(is_waste).collect();
    for (severity, group, why) in [
        (
            Severity::Warning,
            dear,
            "its save points fork more often than such forks can be afforded",
        ),
        (
            Severity::Info,
            cheap,
            "a cache can be filled again, and pays for its snapshots with forks",
        ),
    ] {
        let wanted = group.iter().map(|one| (one.node, one.wanted(profile)));
        let changes = changes("save", wanted);
        let changed = |one: &&&Forking| changes.iter().any(|change| change.addr == *one.node.addr);
        let told = group.iter().filter(changed).map(|one| one.line());
        let mut evidence = vec![profile_line(case)];
        evidence.extend(lines(told));
        opinions.extend(Opinion::set(severity, "save", changes, why, evidence));
    }
    opinions
}

fn stagger(case: &Case) -> Vec<Opinion> {
    let (forking, mut opinions) = forking(case);
    let mut done: Vec<&str> = Vec::new();
    for first in &forking {
        let machine = first.node.machine();
        if machine.is_empty() || done.contains(&machine) {
            continue;
        }
        done.push(machine);
        let mut alike: Vec<&Forking> = forking
            .iter()
            .filter(|one| one.node.machine() == machine && one.points == first.points)
            .filter(|one| one.per_hour() >= SELDOM && is_felt(&one.cost) && !one.cost.is_dear())
            .collect();
        alike.sort_by_key(|one| one.node.addr);
        opinions.extend(apart(machine, &alike));
    }
    opinions
}

fn is_felt(cost: &Cost) -> bool {
    cost.copied >= FELT_COPY || cost.save.is_some_and(|save| save.as_secs() >= FELT_SAVE_S)
}

fn apart(machine: &str, alike: &[&Forking]) -> Option<Opinion> {
    if alike.len() < 2 {
        return None;
    }
    let saves = alike.iter().filter_map(|one| one.cost.save);
    let step = saves.map(|save| save.as_secs()).max().unwrap_or(0);
    let step = step.div_ceil(60).max(1) * 60;
    let wanted = alike.iter().enumerate().map(|(n, one)| {
        let later = |(seconds, changes): &(u64, u64)| (seconds + step * n as u64, *changes);
        let points: Vec<_> = one.points.iter().map(later).collect();
        (one.node, written(&points))
    });
    let changes = changes("save", wanted);
    let why = format!("{} nodes of {machine} save at the same time", alike.len());
    let evidence = lines(alike.iter().map(|one| one.line()));
    Opinion::set(Severity::Info, "save", changes, why, evidence)
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    /// 12,000 changes in the minute between the samples.
    fn busy(fork: &str) -> Setup {
        Setup::sound()
            .config("save", "900 1 300 10 60 10000")
            .info("rdb_last_save_time:1795000000\n")
            .info(fork)
            .later("rdb_changes_since_last_save:12000")
    }

    #[test]
    fn dear_forks_come_seldom() {
        let dear = "latest_fork_usec:150000\nrdb_last_bgsave_time_sec:20\nrdb_last_cow_size:1000";
        let cheap = "latest_fork_usec:900\nrdb_last_bgsave_time_sec:2\nrdb_last_cow_size:1000";
        let durable = |fork| {
            let setup = busy(fork).profile(Profile::Durable);
            setup.rule("persistence.save")
        };
        assert_eq!(durable(cheap), []);
        let advice = durable(dear);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes.len(), 6);
        // 5,000 forks of 150 ms are 750 s.
        assert_eq!(advice[0].changes[0].proposed, "900 1");
        assert!(
            advice[0].evidence[1].contains("60.0 forks an hour"),
            "{:?}",
            advice[0].evidence
        );
        // Where nothing is written, nothing forks.
        let idle = Setup::sound().profile(Profile::Durable).info(dear);
        assert_eq!(idle.rule("persistence.save"), []);
    }

    #[test]
    fn only_points_that_come_too_soon_go() {
        let fork = "latest_fork_usec:900\nrdb_last_bgsave_time_sec:400";
        let setup = busy(fork).profile(Profile::Session);
        let advice = setup.rule("persistence.save");
        assert_eq!(advice[0].changes[0].proposed, "3600 1");
        let setup = setup.config("save", "3600 1 60 100000000");
        assert_eq!(setup.rule("persistence.save"), []);
    }

    #[test]
    fn a_cache_needs_no_snapshots() {
        let fork = "latest_fork_usec:900\nrdb_last_bgsave_time_sec:2";
        let advice = busy(fork).profile(Profile::Cache).rule("persistence.save");
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "");
        // Dear forks that are seldom are told by how often they come, not by their price.
        let dear = busy("latest_fork_usec:150000").profile(Profile::Cache);
        let severity = |setup: Setup| setup.rule("persistence.save").first().map(|a| a.severity);
        assert_eq!(severity(dear.clone()), Some(Severity::Warning));
        assert_eq!(
            severity(dear.clone().config("save", "900 1")),
            Some(Severity::Info)
        );
        assert_eq!(severity(dear.config("save", "7200 1")), None);
        let none = busy(fork).profile(Profile::Cache).config("save", "");
        assert_eq!(none.rule("persistence.save"), []);
    }

    #[test]
    fn without_a_fork_or_a_purpose_nothing_is_said() {
        let setup = busy("latest_fork_usec:0").profile(Profile::Durable);
        assert_eq!(setup.rule("persistence.save"), []);
        let skipped = setup.skipped("persistence.save");
        assert_eq!(skipped.len(), 6);
        assert!(
            skipped[0].reason.contains("BGSAVE"),
            "{}",
            skipped[0].reason
        );
        let unsure = Setup::sound().skipped("persistence.save");
        assert!(unsure[0].reason.contains("--profile"), "{unsure:?}");
    }

    #[test]
    fn neighbours_save_one_after_the_other() {
        let fork = "latest_fork_usec:900\nrdb_last_bgsave_time_sec:20";
        let shared = |setup: Setup| {
            (0..2).fold(setup, |setup, n| {
                setup.seen(n, |seen| {
                    seen.host.get_or_insert_default().machine = "one".into();
                })
            })
        };
        let setup = shared(busy(fork).profile(Profile::Durable));
        let advice = setup.rule("persistence.stagger");
        assert_eq!(advice.len(), 1);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "960 1 360 10 120 10000");
        assert_eq!(busy(fork).rule("persistence.stagger"), []);
        let skipped = busy("latest_fork_usec:0").skipped("persistence.stagger");
        assert_eq!(skipped.len(), 6);
    }
}
