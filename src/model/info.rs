//! What INFO and CLUSTER INFO say: names and values, with the few that need reading read here.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::NodeAddr;

/// `name:value` lines, sections forgotten. Names and values are kept as the server wrote them.
///
/// The text is kept in one piece and looked up in place: a hundred nodes say some twenty thousand
/// lines, of which rules read a tenth, and a string of its own for each name and each value would
/// cost more than all that is done with them.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Info {
    text: String,
    /// Where the names and values stand, in the order of the names, each name once.
    lines: Vec<Line>,
}

/// Where a name begins and ends in the text, and its value.
#[derive(Clone, Copy)]
struct Line {
    name: (u32, u32),
    value: (u32, u32),
}

/// The part of a text that lies there.
fn part(text: &str, (from, to): (u32, u32)) -> &str {
    text.get(from as usize..to as usize).unwrap_or_default()
}

/// How long a line of INFO is, at the least and roughly: room is made by it.
const LINE_LENGTH: usize = 24;

/// Who made the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

/// A server version; compares by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub u32, pub u32, pub u32);

/// A replica as its master lists it (`slaveN:` in INFO replication).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaLine {
    /// Where the master sees it (its announced address when it has one).
    pub addr: Option<NodeAddr>,
    /// `online` when it follows; `wait_bgsave`, `send_bulk` and the like while it syncs.
    pub state: String,
    /// The offset that it acknowledged last.
    pub offset: u64,
    /// Seconds since that acknowledgement (they come once a second). Not data lag.
    pub ack_age_s: u64,
}

impl Info {
    /// Reads the reply of INFO or CLUSTER INFO; lines without a colon are passed over, and of two
    /// with one name the later counts.
    pub fn parse(text: &str) -> Info {
        let mut lines = Vec::with_capacity(text.len() / LINE_LENGTH);
        let mut from = 0;
        // A position that a u32 does not hold is past all that is ever read from a server.
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end();
            if let Some(colon) = line.find(':').filter(|_| !line.starts_with('#')) {
                lines.push(Line {
                    name: (at(from), at(from + colon)),
                    value: (at(from + colon + 1), at(from + line.len())),
                });
            }
            from += whole.len();
        }
        // A stable sort from the end on, so that the latest of a name comes first and is kept.
        lines.reverse();
        lines.sort_by(|a: &Line, b| part(text, a.name).cmp(part(text, b.name)));
        lines.dedup_by(|a, b| part(text, a.name) == part(text, b.name));
        let text = text.to_owned();
        Info { text, lines }
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// `standalone`, `sentinel` or `cluster`; Valkey 9.1 gives the field another name.
    pub fn mode(&self) -> Option<&str> {
        self.get("redis_mode").or_else(|| self.get("server_mode"))
    }

    /// Puts a value there, or another in its place.
    pub fn set(&mut self, name: &str, value: &str) {
        let mut all = BTreeMap::from(std::mem::take(self));
        all.insert(name.to_owned(), value.to_owned());
        *self = Info::from(all);
    }

    /// Takes over all that another says.
    pub fn take_over(&mut self, other: &Info) {
        let mut all = BTreeMap::from(std::mem::take(self));
        let more = other.iter();
        all.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        *self = Info::from(all);
    }

    /// Forgets a name, as a server that does not know it.
    #[cfg(test)]
    pub fn forget(&mut self, name: &str) {
        let mut all = BTreeMap::from(std::mem::take(self));
        all.remove(name);
        *self = Info::from(all);
    }

    /// All names with their values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let parts = |line: &Line| (part(&self.text, line.name), part(&self.text, line.value));
        self.lines.iter().map(parts)
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let by_name = |line: &Line| part(&self.text, line.name).cmp(name);
        let n = self.lines.binary_search_by(by_name).ok()?;
        Some(part(&self.text, self.lines[n].value))
    }

    /// The value as a whole number; negative ones and other text are `None`.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.trim().parse().ok()
    }

    /// The value as a decimal number.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.get(name)?.trim_end_matches('%').trim().parse().ok()
    }

    /// One field of a `a=1,b=2` value.
    pub fn field(&self, name: &str, field: &str) -> Option<&str> {
        field_of(self.get(name)?, field)
    }

    /// The sum of one numeric field over all names with that prefix: `sum("errorstat_", "count")`.
    pub fn sum(&self, prefix: &str, field: &str) -> u64 {
        self.with_prefix(prefix)
            .filter_map(|(_, value)| field_of(value, field)?.parse::<u64>().ok())
            .fold(0, u64::saturating_add)
    }

    /// The entries whose name starts so, with the prefix taken off.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_before = |line: &Line| part(&self.text, line.name) < prefix;
        let first = self.lines.partition_point(is_before);
        self.iter()
            .skip(first)
            .map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }

    /// Who made the server, by the names that only one of them prints.
    pub fn vendor(&self) -> Vendor {
        if self.get("server_name") == Some("valkey") || self.get("valkey_version").is_some() {
            Vendor::Valkey
        } else {
            Vendor::Redis
        }
    }

    /// The server's own version (Valkey's, not the Redis version that it claims compatibility with).
    pub fn version(&self) -> Option<Version> {
        self.get("valkey_version")
            .or_else(|| self.get("redis_version"))?
            .parse()
            .ok()
    }

    /// The replicas that a master lists.
    pub fn replicas(&self) -> Vec<ReplicaLine> {
        self.with_prefix("slave")
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()))
            .map(|(_, value)| ReplicaLine {
                addr: field_of(value, "ip")
                    .zip(field_of(value, "port").and_then(|port| port.parse().ok()))
                    .map(|(ip, port)| NodeAddr::new(ip, port)),
                state: field_of(value, "state").unwrap_or("?").to_owned(),
                offset: field_of(value, "offset")
                    .and_then(|offset| offset.parse().ok())
                    .unwrap_or(0),
                ack_age_s: field_of(value, "lag")
                    .and_then(|lag| lag.parse().ok())
                    .unwrap_or(0),
            })
            .collect()
    }

    /// Keys of all databases (`dbN:keys=...`).
    pub fn keys(&self) -> u64 {
        self.databases()
            .map(|(_, keys, _)| keys)
            .fold(0, u64::saturating_add)
    }

    /// `(database, keys, keys with an expiry)` of each database that holds any.
    pub fn databases(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        self.with_prefix("db").filter_map(|(name, value)| {
            let number = |field| field_of(value, field)?.parse::<u64>().ok();
            Some((
                name.parse().ok()?,
                number("keys")?,
                number("expires").unwrap_or(0),
            ))
        })
    }
}

impl From<BTreeMap<String, String>> for Info {
    fn from(all: BTreeMap<String, String>) -> Info {
        let mut info = Info::default();
        let end = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        for (name, value) in &all {
            let from = end(&info.text);
            info.text.push_str(name);
            let middle = end(&info.text);
            info.text.push_str(value);
            info.lines.push(Line {
                name: (from, middle),
                value: (middle, end(&info.text)),
            });
        }
        info
    }
}

impl From<Info> for BTreeMap<String, String> {
    fn from(info: Info) -> BTreeMap<String, String> {
        let all = info.iter();
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// Equal when they say the same, whatever the text was.
impl PartialEq for Info {
    fn eq(&self, other: &Info) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Info {}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn field_of<'a>(value: &'a str, field: &str) -> Option<&'a str> {
    value
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find_map(|(name, value)| (name == field).then_some(value))
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Vendor::Redis => "Redis",
            Vendor::Valkey => "Valkey",
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl std::str::FromStr for Version {
    type Err = String;
    /// Reads `7.0.15`, `8.2` and `9.1.0-rc1`: what follows the numbers is left out.
    fn from_str(text: &str) -> Result<Version, String> {
        let mut numbers = text.split(['.', '-', '+']).map(|part| part.parse::<u32>());
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Version(
                major,
                minor,
                numbers.next().and_then(Result::ok).unwrap_or(0),
            )),
            _ => Err(format!("'{text}' is no version")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n\
        # Replication\r\nrole:master\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=42,lag=1\r\n\
        slave_read_only:1\r\n# Errorstats\r\nerrorstat_MOVED:count=5\r\nerrorstat_ERR:count=2\r\n\
        # Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb2:keys=4,expires=0,avg_ttl=0\r\n";

    #[test]
    fn what_needs_reading_is_read() {
        let info = Info::parse(TEXT);
        assert_eq!(info.vendor(), Vendor::Valkey);
        assert_eq!(info.version(), Some(Version(8, 0, 1)));
        assert_eq!(info.keys(), 7);
        assert_eq!(info.sum("errorstat_", "count"), 7);
        let replicas = info.replicas();
        assert_eq!(replicas.len(), 1);
        assert_eq!((replicas[0].offset, replicas[0].ack_age_s), (42, 1));
    }

    #[test]
    fn the_later_of_two_lines_counts_and_what_is_no_line_is_passed_over() {
        let info = Info::parse("b:1\r\n# a:0\r\nnothing\r\nb:2:3 \r\na:\r\nc:9");
        let all: Vec<_> = info.iter().collect();
        assert_eq!(all, [("a", ""), ("b", "2:3"), ("c", "9")]);
        assert_eq!((info.get("b"), info.get("bb")), (Some("2:3"), None));
        assert!(Info::parse("# Server\r\n").is_empty());
    }

    #[test]
    fn it_is_the_same_after_a_file_and_after_a_change() {
        let mut info = Info::parse(TEXT);
        let file = serde_json::to_string(&info).unwrap();
        assert!(
            file.contains(r#""db0":"keys=3,expires=1,avg_ttl=0""#),
            "{file}"
        );
        assert_eq!(serde_json::from_str::<Info>(&file).unwrap(), info);
        info.set("role", "slave");
        info.set("zone", "b");
        assert_eq!(
            (info.get("role"), info.get("zone")),
            (Some("slave"), Some("b"))
        );
        assert_eq!(info.keys(), 7);
        assert_ne!(info, Info::parse(TEXT));
    }

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("7.0.15") > version("7.0.9"));
        assert_eq!(version("9.1.0-rc1"), Version(9, 1, 0));
        assert_eq!(version("8.2").to_string(), "8.2.0");
        assert!("latest".parse::<Version>().is_err());
    }
}
