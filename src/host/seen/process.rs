//! Which process of this machine a node is, and what the system says of it.
//!
//! A process counts as the node when it has the pid that INFO tells, is called a server, and listens on
//! the node's port: in a container every server has pid 1. No right over it is needed: all of this may
//! be read by anybody, but for a namespace of another user's process.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup::Groups;
use super::texts;
use crate::model::HostSeen;

/// Where `/proc` and `/sys` are found: the root, or a folder that a test laid out.
pub(in crate::host) struct Tree(PathBuf);

impl Tree {
    /// This machine's.
    pub(in crate::host) fn root() -> Tree {
        Tree(PathBuf::from("/"))
    }

    #[cfg(test)]
    pub(super) fn at(folder: &Path) -> Tree {
        Tree(folder.to_owned())
    }

    /// The text of that file; `None` when it cannot be read.
    pub(super) fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where a link such as `/proc/1/ns/net` leads.
    fn link(&self, path: &str) -> Option<PathBuf> {
        fs::read_link(self.path(path)).ok()
    }
}

/// What is seen of a node that is a process of this machine; or why it is none.
pub(super) fn of_node(
    tree: &Tree,
    pid: Option<u64>,
    ports: &[u16],
    dir: Option<&Path>,
    called: Option<&Path>,
) -> Result<HostSeen, String> {
    let pid = pid.ok_or("its INFO tells no process_id")?;
    let command = tree.read(format!("/proc/{pid}/cmdline"));
    let is_it = command.is_some_and(|command| {
        texts::is_server(&command)
            && (texts::calls_itself_by(&command, ports) || listens(tree, pid, ports))
    });
    if !is_it {
        return Err("it is no process that is seen here".to_owned());
    }
    let mut seen = of_pid(tree, pid);
    seen.by = "proc".to_owned();
    seen.disk_free_bytes = dir.and_then(|dir| free(&tree.path(dir)));
    seen.program = program(tree, pid, called).map(|path| path.display().to_string());
    Ok(seen)
}

/// The file that the process runs, by the name that it was called by where that leads to it: some
/// programs are a server under one name and another thing under the next.
fn program(tree: &Tree, pid: u64, called: Option<&Path>) -> Option<PathBuf> {
    let runs = tree.link(&format!("/proc/{pid}/exe"))?;
    let leads = |called: &&Path| fs::canonicalize(called).is_ok_and(|path| path == runs);
    Some(called.filter(leads).map_or(runs.clone(), Path::to_owned))
}

/// What is seen of the process that a container began with, which runs on this machine. `None` when that
/// process is not here: the engine is on another machine, or in a machine of its own.
pub(in crate::host) fn of_container(
    tree: &Tree,
    pid: u64,
    container: &str,
    dir: Option<&Path>,
) -> Option<HostSeen> {
    // In a private namespace of groups the id is not in the path; then nothing is proven.
    let groups = tree.read(format!("/proc/{pid}/cgroup"))?;
    if container.is_empty() || !groups.contains(container) {
        return None;
    }
    let mut seen = of_pid(tree, pid);
    seen.by = "docker".to_owned();
    let inside = |dir: &Path| {
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        root.join(dir.strip_prefix("/").unwrap_or(dir))
    };
    seen.disk_free_bytes = dir.and_then(|dir| free(&tree.path(inside(dir))));
    Some(seen)
}

fn of_pid(tree: &Tree, pid: u64) -> HostSeen {
    let of = |file: &str| tree.read(format!("/proc/{pid}/{file}"));
    let sys = |name: &str| texts::number(&tree.read(format!("/proc/sys/{name}"))?);
    let memory = tree.read("/proc/meminfo");
    let memory = memory.as_deref();
    let groups = Groups::of(tree, pid);
    let allowed = of("status").and_then(|text| texts::allowed_cores(&text));
    let is_ours = shares_network(tree, pid);
    let net = |name: &str| sys(name).filter(|_| is_ours);
    HostSeen {
        machine: tree
            .read("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .unwrap_or_default(),
        by: String::new(),
        cores: groups.cores(allowed),
        memory_bytes: memory.and_then(|text| texts::kibibytes(text, "MemTotal")),
        limit_bytes: groups.memory_limit(),
        overcommit: sys("vm/overcommit_memory"),
        huge_pages: tree
            .read("/sys/kernel/mm/transparent_hugepage/enabled")
            .and_then(|text| texts::chosen(&text)),
        swappiness: sys("vm/swappiness"),
        swap_bytes: memory.and_then(|text| texts::kibibytes(text, "SwapTotal")),
        somaxconn: net("net/core/somaxconn"),
        syn_backlog: net("net/ipv4/tcp_max_syn_backlog"),
        listen_overflows: of("net/netstat").and_then(|text| texts::listen_overflows(&text)),
        open_files: of("limits").and_then(|text| texts::open_files(&text)),
        clock_source: tree
            .read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .map(|name| name.trim().to_owned()),
        throttled: groups.throttled(),
        disk_free_bytes: None,
        program: None,
    }
}

/// Whether the process has the network namespace of this program. `/proc/sys/net` shows the one of
/// whoever reads, whichever process is asked about. Where the link may not be seen (another user's
/// process) it is the same for a process outside containers: it was reached at an address of ours.
fn shares_network(tree: &Tree, pid: u64) -> bool {
    let space = |of: &str| tree.link(&format!("/proc/{of}/ns/net"));
    match (space(&pid.to_string()), space("self")) {
        (Some(its), Some(ours)) => its == ours,
        _ => !tree
            .read(format!("/proc/{pid}/cgroup"))
            .is_some_and(|groups| texts::is_container(&groups)),
    }
}

fn listens(tree: &Tree, pid: u64, ports: &[u16]) -> bool {
    ["tcp", "tcp6"].into_iter().any(|table| {
        let text = tree.read(format!("/proc/{pid}/net/{table}"));
        text.is_some_and(|text| texts::listens(&text, ports))
    })
}

/// Bytes that are free there for an ordinary user.
fn free(dir: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(dir).ok()?;
    told.f_bavail.checked_mul(told.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn machine() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/7/cmdline", "redis-server 10.0.0.5:7001 [cluster]\0"),
            (
                "proc/7/limits",
                "Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n",
            ),
            (
                "proc/7/status",
                "Name:\tredis-server\nCpus_allowed_list:\t0-3\n",
            ),
            ("proc/7/cgroup", "0::/system.slice/redis.service\n"),
            (
                "proc/self/mountinfo",
                "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            ),
            ("proc/meminfo", "MemTotal:  16000000 kB\nSwapTotal:  0 kB\n"),
            ("proc/sys/vm/overcommit_memory", "0\n"),
            ("proc/sys/net/core/somaxconn", "4096\n"),
            ("proc/sys/kernel/hostname", "db1\n"),
            (
                "sys/kernel/mm/transparent_hugepage/enabled",
                "[always] madvise never\n",
            ),
            (
                "sys/fs/cgroup/system.slice/redis.service/memory.max",
                "max\n",
            ),
            ("sys/fs/cgroup/system.slice/memory.max", "8589934592\n"),
            (
                "sys/fs/cgroup/system.slice/redis.service/cpu.max",
                "150000 100000\n",
            ),
            (
                "sys/fs/cgroup/system.slice/redis.service/cpu.stat",
                "usage_usec 9\nnr_periods 200\nnr_throttled 20\nthrottled_usec 5\n",
            ),
        ] {
            lay(folder.path(), path, text);
        }
        folder
    }

    #[test]
    fn a_process_is_read_with_its_groups() {
        let folder = machine();
        let program = folder.path().join("redis-server");
        std::os::unix::fs::symlink(&program, folder.path().join("proc/7/exe")).unwrap();
        let seen = of_node(&Tree::at(folder.path()), Some(7), &[7001], None, None).unwrap();
        let wanted = HostSeen {
            machine: "db1".into(),
            by: "proc".into(),
            cores: Some(1.5),
            memory_bytes: Some(16_000_000 << 10),
            limit_bytes: Some(8 << 30),
            overcommit: Some(0),
            huge_pages: Some("always".into()),
            swap_bytes: Some(0),
            somaxconn: Some(4096),
            open_files: Some(1024),
            throttled: Some((20, 200)),
            program: Some(program.display().to_string()),
            ..HostSeen::default()
        };
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_process_that_is_not_the_node_is_not_read() {
        let folder = machine();
        lay(
            folder.path(),
            "proc/8/cmdline",
            "nginx: master 0.0.0.0:7001\0",
        );
        let tree = Tree::at(folder.path());
        for (pid, port) in [
            (Some(7), 7002),
            (Some(8), 7001),
            (Some(9), 7001),
            (None, 7001),
        ] {
            assert!(
                of_node(&tree, pid, &[port], None, None).is_err(),
                "{pid:?} {port}"
            );
        }
    }

    #[test]
    fn the_limits_of_a_container_are_those_of_its_groups_if_it_is_here() {
        let folder = machine();
        let id = "c".repeat(64);
        lay(
            folder.path(),
            "proc/9/cgroup",
            &format!("0::/docker/{id}\n"),
        );
        lay(
            folder.path(),
            &format!("sys/fs/cgroup/docker/{id}/memory.max"),
            "268435456",
        );
        let tree = Tree::at(folder.path());
        let seen = of_container(&tree, 9, &id, None).unwrap();
        assert_eq!(
            (seen.limit_bytes, seen.by.as_str()),
            (Some(256 << 20), "docker")
        );
        assert_eq!(seen.somaxconn, None, "its network is another");
        assert_eq!(of_container(&tree, 7, &id, None), None);
        assert_eq!(of_container(&tree, 99, &id, None), None);
    }
}
