//! Values as the server writes them in CONFIG GET: sizes in bytes without a unit, words in lower
//! case, buffer limits of all classes in one line. What is proposed in this form is read back equal.

/// `yes` or `no`.
pub fn yes_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

/// The limits of all classes with those of one replaced: `class` is `normal`, `replica` or `pubsub`;
/// sizes in bytes, 0 is no limit. The name of replicas (`slave` in CONFIG GET of all versions until
/// now) stays as the server writes it. `None` when the present value is out of form.
pub fn with_buffer(
    present: &str,
    class: &str,
    hard_bytes: u64,
    soft_bytes: u64,
    soft_seconds: u64,
) -> Option<String> {
    let words: Vec<&str> = present.split_ascii_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return None;
    }
    let limits = format!("{hard_bytes} {soft_bytes} {soft_seconds}");
    let is_class = |name: &str| name == class || (class == "replica" && name == "slave");
    let classes = words.chunks(4).map(|four| match is_class(four[0]) {
        true => format!("{} {limits}", four[0]),
        false => four.join(" "),
    });
    Some(classes.collect::<Vec<_>>().join(" "))
}

/// The limits of one class: hard and soft in bytes, and seconds.
pub fn buffer(present: &str, class: &str) -> Option<(u64, u64, u64)> {
    let words: Vec<&str> = present.split_ascii_whitespace().collect();
    let is_class = |name: &str| name == class || (class == "replica" && name == "slave");
    let four = words.chunks(4).find(|four| is_class(four[0]))?;
    let number = |at: usize| four.get(at)?.parse().ok();
    Some((number(1)?, number(2)?, number(3)?))
}

/// Whether two values of a setting mean the same to the server: sizes may have a unit, words any
/// case, flags of `notify-keyspace-events` any order.
pub fn is_same(parameter: &str, one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    if let (Some(one), Some(other)) = (size(one), size(other)) {
        return one == other;
    }
    let words = |text: &str| -> Vec<String> {
        let words = text.split_ascii_whitespace();
        words.map(str::to_ascii_lowercase).collect()
    };
    if parameter == "notify-keyspace-events" {
        let flags = |text: &str| {
            let mut flags: Vec<char> = text.chars().collect();
            flags.sort_unstable();
            flags
        };
        return flags(one) == flags(other);
    }
    words(one) == words(other)
}

/// A size in bytes, with or without one of the server's units: `kb` is 1024, `k` is 1000.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size that people can read and the server writes: rounded to a whole MiB, in bytes.
pub fn whole_mib(bytes: u64) -> u64 {
    (bytes >> 20) << 20
}

/// Whether the server takes the setting from its file only: CONFIG SET refuses it. `io-threads` can
/// be set on Valkey 9 and later, and on no Redis until 8.10.
///
/// Source: the `IMMUTABLE_CONFIG` rows of `config.c` in both trees; `dir` and `dbfilename` are
/// protected from 7.0 on.
pub fn is_immutable(parameter: &str, vendor: crate::model::Vendor, major: u32) -> bool {
    const IMMUTABLE: &[&str] = &[
        "aclfile",
        "always-show-logo",
        "aof_rewrite_cpulist",
        "appenddirname",
        "appendfilename",
        "bio_cpulist",
        "bgsave_cpulist",
        "cluster-config-file",
        "cluster-enabled",
        "cluster-port",
        "daemonize",
        "databases",
        "disable-thp",
        "enable-debug-command",
        "enable-module-command",
        "enable-protected-configs",
        "io-threads-do-reads",
        "logfile",
        "pidfile",
        "rdbchecksum",
        "server_cpulist",
        "set-proc-title",
        "socket-mark-id",
        "supervised",
        "syslog-enabled",
        "syslog-facility",
        "syslog-ident",
        "tcp-backlog",
        "unixsocket",
        "unixsocketperm",
    ];
    let takes_threads = vendor == crate::model::Vendor::Valkey && major >= 9;
    IMMUTABLE.contains(&parameter) || (parameter == "io-threads" && !takes_threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_of_buffers_is_replaced_and_the_rest_stays() {
        let present = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(
            with_buffer(present, "replica", 2, 1, 90).unwrap(),
            "normal 0 0 0 slave 2 1 90 pubsub 33554432 8388608 60"
        );
        assert_eq!(
            buffer(present, "replica"),
            Some((268_435_456, 67_108_864, 60))
        );
        assert_eq!(with_buffer("normal 0", "normal", 1, 1, 1), None);
        assert_eq!(with_buffer("", "normal", 1, 1, 1), None);
    }

    #[test]
    fn values_that_mean_the_same_are_the_same() {
        for (parameter, one, other, is) in [
            ("maxmemory", "2gb", "2147483648", true),
            ("maxmemory", "2g", "2147483648", false),
            ("save", "900 1 300 10", "900 1  300 10", true),
            ("save", "", "900 1", false),
            ("notify-keyspace-events", "xKE", "KEx", true),
            ("maxmemory-policy", "noeviction", "allkeys-lru", false),
        ] {
            assert_eq!(
                is_same(parameter, one, other),
                is,
                "{parameter} {one} {other}"
            );
        }
    }
}
