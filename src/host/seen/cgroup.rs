//! Control groups: the memory and the processor time that a process may have.
//!
//! A limit holds for a group and all below it, so the tree is walked from the process' own group up,
//! and the tightest counts. In version 1 each controller has a tree of its own, in version 2 one tree
//! has all; a machine may have both, and then the controllers are in the first.

use std::path::{Path, PathBuf};

use super::process::Tree;
use super::texts::number;

/// Version 1 writes "no limit" as the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 62;
/// Groups from a process up to the root: no tree is deeper than the servers that make them allow.
const DEEPEST: usize = 64;

/// The groups of one process, its own first.
pub(super) struct Groups<'a> {
    tree: &'a Tree,
    memory: Option<Place>,
    cpu: Option<Place>,
}

/// Where a controller's tree is mounted, and the group of the process in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    mount: PathBuf,
    group: PathBuf,
    is_v2: bool,
}

/// A mounted tree of groups.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The group that is at the mount point: in a container that is its own.
    root: PathBuf,
    at: PathBuf,
    /// Controllers in version 1; `None` is version 2.
    controllers: Option<Vec<String>>,
}

impl<'a> Groups<'a> {
    pub(super) fn of(tree: &'a Tree, pid: u64) -> Groups<'a> {
        let groups = tree.read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mounts = tree.read("/proc/self/mountinfo").unwrap_or_default();
        let mounts = mounts_in(&mounts);
        Groups {
            tree,
            memory: place("memory", &groups, &mounts),
            cpu: place("cpu", &groups, &mounts),
        }
    }

    /// The least of all limits; `None` when there is none.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        let place = self.memory.as_ref()?;
        let file = match place.is_v2 {
            true => "memory.max",
            false => "memory.limit_in_bytes",
        };
        let limits = place.upwards().filter_map(|group| {
            let limit = number(&self.tree.read(group.join(file))?)?;
            (limit < NO_LIMIT).then_some(limit)
        });
        limits.min()
    }

    /// Cores that the process may use: those that it may run on, or a smaller quota of time.
    pub(super) fn cores(&self, allowed: Option<f64>) -> Option<f64> {
        let quotas = self.cpu.iter().flat_map(|place| {
            let groups = place.upwards();
            groups.filter_map(|group| self.quota(&group, place.is_v2))
        });
        quotas.chain(allowed).min_by(f64::total_cmp)
    }

    fn quota(&self, group: &Path, is_v2: bool) -> Option<f64> {
        let text = match is_v2 {
            true => self.tree.read(group.join("cpu.max"))?,
            false => {
                let quota = self.tree.read(group.join("cpu.cfs_quota_us"))?;
                quota + " " + &self.tree.read(group.join("cpu.cfs_period_us"))?
            }
        };
        share(&text)
    }

    /// Throttled periods and all, of the lowest group that has a quota; of the process' own group when
    /// none has.
    pub(super) fn throttled(&self) -> Option<(u64, u64)> {
        let place = self.cpu.as_ref()?;
        let has_quota = |group: &PathBuf| self.quota(group, place.is_v2).is_some();
        let group = place.upwards().find(has_quota);
        let group = group.or_else(|| place.upwards().next())?;
        throttling(&self.tree.read(group.join("cpu.stat"))?)
    }
}

impl Place {
    /// The groups from the process' own to the top.
    fn upwards(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let groups = self.group.ancestors().take(DEEPEST);
        groups.map(|group| self.mount.join(group.strip_prefix("/").unwrap_or(group)))
    }
}

/// Where that controller's files for a process are. `groups` is `/proc/PID/cgroup`: `4:memory:/path` in
/// version 1, `0::/path` in version 2.
fn place(controller: &str, groups: &str, mounts: &[Mount]) -> Option<Place> {
    let line = |is_it: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, path) = (parts.next()?, parts.next()?);
            is_it(names).then(|| PathBuf::from(path))
        })
    };
    let has = |names: &str| names.split(',').any(|name| name == controller);
    let v1 = line(&has).and_then(|group| {
        let is_it = |mount: &&Mount| {
            let names = mount.controllers.as_ref();
            names.is_some_and(|names| names.iter().any(|name| name == controller))
        };
        below(mounts.iter().find(is_it)?, &group)
    });
    v1.or_else(|| {
        let group = line(&|names| names.is_empty())?;
        below(
            mounts.iter().find(|mount| mount.controllers.is_none())?,
            &group,
        )
    })
}

/// The group as it is found below the mount point.
fn below(mount: &Mount, group: &Path) -> Option<Place> {
    let seen = match group.strip_prefix(&mount.root) {
        Ok(below) => Path::new("/").join(below),
        // The mount shows another part of the tree: what is at its root is as much as can be seen.
        Err(_) if mount.root != Path::new("/") => PathBuf::from("/"),
        Err(_) => return None,
    };
    Some(Place {
        mount: mount.at.clone(),
        group: seen,
        is_v2: mount.controllers.is_none(),
    })
}

/// `36 31 0:33 ROOT POINT rw ... - cgroup cgroup rw,memory`
fn mounts_in(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let place: Vec<&str> = place.split(' ').collect();
        let mut kind = kind.split(' ');
        let controllers = match kind.next()? {
            "cgroup2" => None,
            "cgroup" => {
                let options = kind.nth(1)?.split(',');
                Some(options.map(str::to_owned).collect())
            }
            _ => return None,
        };
        Some(Mount {
            root: PathBuf::from(place.get(3)?),
            at: PathBuf::from(place.get(4)?),
            controllers,
        })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// `150000 100000` is one and a half cores; `max 100000` and `-1 100000` are no quota.
fn share(text: &str) -> Option<f64> {
    let mut parts = text.split_ascii_whitespace();
    let quota: f64 = parts.next()?.parse().ok()?;
    let period: f64 = parts.next()?.parse().ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// Periods in which it was throttled, and all.
fn throttling(stat: &str) -> Option<(u64, u64)> {
    let value = |name: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find_map(|(key, value)| (key == name).then(|| number(value))?)
    };
    Some((value("nr_throttled")?, value("nr_periods")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
";
    const V2: &str = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    /// As a container sees it that has its own part of the tree mounted, in version 1.
    const INSIDE: &str =
        "36 31 0:33 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";

    #[test]
    fn a_controller_is_found_in_both_versions() {
        let hybrid = "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n";
        let unified = "0::/system.slice/redis.service\n";
        for (controller, groups, mounts, wanted) in [
            (
                "memory",
                hybrid,
                V1,
                Some(("/sys/fs/cgroup/memory", "/docker/abc", false)),
            ),
            (
                "cpu",
                hybrid,
                V1,
                Some(("/sys/fs/cgroup/cpu,cpuacct", "/docker/abc", false)),
            ),
            (
                "cpu",
                unified,
                V2,
                Some(("/sys/fs/cgroup", "/system.slice/redis.service", true)),
            ),
            (
                "memory",
                hybrid,
                INSIDE,
                Some(("/sys/fs/cgroup/memory", "/", false)),
            ),
            ("cpu", hybrid, INSIDE, None),
            ("memory", "", V1, None),
            ("memory", hybrid, "", None),
        ] {
            let found = place(controller, groups, &mounts_in(mounts));
            let wanted = wanted.map(|(mount, group, is_v2)| Place {
                mount: mount.into(),
                group: group.into(),
                is_v2,
            });
            assert_eq!(found, wanted, "{controller} {groups}");
        }
    }

    #[test]
    fn the_tree_is_walked_to_the_top() {
        let place = Place {
            mount: "/m".into(),
            group: "/a/b".into(),
            is_v2: true,
        };
        let groups: Vec<PathBuf> = place.upwards().collect();
        assert_eq!(groups, ["/m/a/b", "/m/a", "/m/"].map(PathBuf::from));
    }

    #[test]
    fn quotas_and_throttling() {
        for (text, wanted) in [
            ("150000 100000\n", Some(1.5)),
            ("max 100000\n", None),
            ("-1\n 100000\n", None),
            ("50000\n 100000\n", Some(0.5)),
            ("", None),
        ] {
            assert_eq!(share(text), wanted, "{text}");
        }
        let v1 = "nr_periods 10\nnr_throttled 3\nthrottled_time 99\n";
        assert_eq!(throttling(v1), Some((3, 10)));
        assert_eq!(throttling("usage_usec 9\n"), None);
    }
}
