//! What single files under `/proc` and `/sys` say. Pure: a text in, a fact out, `None` where it is not
//! there or out of form.

/// The first word as a number.
pub(super) fn number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// A line of `/proc/meminfo`, in bytes: `MemTotal:       16374520 kB`.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    number(line)?.checked_mul(1024)
}

/// The word in brackets: `always [madvise] never`.
pub(super) fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

/// The soft limit of open files in `/proc/PID/limits`.
pub(super) fn open_files(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        soft => soft.parse().ok(),
    }
}

/// How many processors `/proc/PID/status` lets the process run on; sets of processors of its groups are
/// counted in it.
pub(super) fn allowed_cores(text: &str) -> Option<f64> {
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut count: u32 = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(f64::from(count))
}

/// `ListenOverflows` of `/proc/PID/net/netstat`, where a line of names comes before each line of
/// numbers.
pub(super) fn listen_overflows(text: &str) -> Option<u64> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("TcpExt:"))
        .collect();
    let [names, numbers, ..] = lines.as_slice() else {
        return None;
    };
    let mut pairs = names.split(' ').zip(numbers.split(' '));
    pairs.find_map(|(name, value)| (name == "ListenOverflows").then(|| value.parse().ok())?)
}

/// Whether `/proc/PID/cmdline` is a server's. Servers write there what they are and where they listen:
/// `redis-server *:7001 [cluster]`.
pub(super) fn is_server(command: &str) -> bool {
    let program = words(command).next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    ["redis", "valkey", "keydb"]
        .iter()
        .any(|server| name.contains(server))
}

/// Whether the server says that it listens on one of these ports.
pub(super) fn calls_itself_by(command: &str, ports: &[u16]) -> bool {
    let port = |word: &str| word.rsplit_once(':')?.1.parse::<u16>().ok();
    words(command)
        .skip(1)
        .any(|word| port(word).is_some_and(|port| ports.contains(&port)))
}

fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split(['\0', ' ']).filter(|word| !word.is_empty())
}

/// Whether a table of sockets (`/proc/PID/net/tcp`) has one that listens (state 0A) on one of the ports.
pub(super) fn listens(table: &str, ports: &[u16]) -> bool {
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1).and_then(|local| local.rsplit_once(':'));
        let port = local.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        fields.nth(1) == Some("0A") && port.is_some_and(|port| ports.contains(&port))
    })
}

/// Whether a process with these groups is in a container, as far as their names tell.
pub(super) fn is_container(groups: &str) -> bool {
    ["docker", "containerd", "kubepods", "libpod", "lxc"]
        .iter()
        .any(|engine| groups.contains(engine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_limits() {
        let text = "MemTotal:       16374520 kB\nMemFree:  1 kB\nSwapTotal:             0 kB\n";
        assert_eq!(kibibytes(text, "MemTotal"), Some(16_374_520 * 1024));
        assert_eq!(kibibytes(text, "SwapTotal"), Some(0));
        assert_eq!(kibibytes(text, "Swap"), None);
        for (text, wanted) in [
            (
                "Max open files            20000                524288               files",
                Some(20_000),
            ),
            (
                "Max open files            unlimited            unlimited            files",
                Some(u64::MAX),
            ),
            ("Max processes  1 2 processes", None),
        ] {
            assert_eq!(open_files(text), wanted, "{text}");
        }
    }

    #[test]
    fn words_and_lists() {
        for (text, wanted) in [
            ("always [madvise] never\n", Some("madvise")),
            ("[always] madvise never\n", Some("always")),
            ("always", None),
        ] {
            assert_eq!(chosen(text).as_deref(), wanted);
        }
        for (list, wanted) in [
            ("0-1", Some(2.0)),
            ("0,2-3,7", Some(4.0)),
            ("3-1", None),
            ("", None),
        ] {
            let status = format!(
                "Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\n"
            );
            assert_eq!(allowed_cores(&status), wanted, "{list}");
        }
    }

    #[test]
    fn overflows_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 5 12 13\nIpExt: InNoRoutes\nIpExt: 0\n";
        assert_eq!(listen_overflows(text), Some(12));
        assert_eq!(listen_overflows("TcpExt: ListenOverflows\n"), None);
        assert_eq!(listen_overflows(""), None);
    }

    #[test]
    fn servers_are_known_by_what_they_call_themselves() {
        for (command, is_server, is_it) in [
            ("redis-server *:7001 [cluster]\0", true, true),
            ("/usr/bin/redis-server 127.0.0.1:7001\0", true, true),
            ("/opt/valkey-server\0/etc/v.conf\0", true, false),
            ("valkey-server [::1]:7001 [cluster]", true, true),
            ("redis-server *:7002 [cluster]", true, false),
            ("nginx: worker\0", false, false),
            ("", false, false),
        ] {
            let found = (
                super::is_server(command),
                calls_itself_by(command, &[6379, 7001]),
            );
            assert_eq!(found, (is_server, is_it), "{command}");
        }
    }

    #[test]
    fn a_socket_that_listens() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
            0: 0100007F:1B59 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242\n   \
            1: 0100007F:1B5A 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4243\n";
        assert!(listens(table, &[7001]));
        assert!(
            !listens(table, &[7002]),
            "it is connected, and does not listen"
        );
        assert!(!listens("", &[7001]));
    }
}
