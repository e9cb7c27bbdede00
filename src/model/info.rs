//! What INFO and CLUSTER INFO say: names and values, with the few that need reading read here.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::NodeAddr;

/// `name:value` lines, sections forgotten. Names and values are kept as the server wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Info(pub BTreeMap<String, String>);

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
    /// Reads the reply of INFO or CLUSTER INFO; lines without a colon are passed over.
    pub fn parse(text: &str) -> Info {
        Info(
            text.lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.trim_end().split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
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
        self.0
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(move |(name, value)| (&name[prefix.len()..], value.as_str()))
    }

    /// Who made the server, by the names that only one of them prints.
    pub fn vendor(&self) -> Vendor {
        if self.get("server_name") == Some("valkey") || self.0.contains_key("valkey_version") {
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
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("7.0.15") > version("7.0.9"));
        assert_eq!(version("9.1.0-rc1"), Version(9, 1, 0));
        assert_eq!(version("8.2").to_string(), "8.2.0");
        assert!("latest".parse::<Version>().is_err());
    }
}
