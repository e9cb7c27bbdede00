//! Seeds: the addresses at which looking begins, in every way that people write them.
//!
//! `host:port`, `[::1]:port`, a bare host (port 6379), `redis://host:port` and `rediss://host:port`.
//! A password in a URL is refused wherever the URL stands: argv is shown by `ps`, and URLs end up in
//! logs. The refusal never repeats the text.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::model::NodeAddr;

/// The port that is meant when none is given.
pub const DEFAULT_PORT: u16 = 6379;

/// One address to begin with, and what its URL said besides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Seed {
    /// Where.
    pub addr: NodeAddr,
    /// The user in the URL.
    pub user: Option<String>,
    /// Whether the URL says `rediss`.
    pub is_tls: bool,
}

/// Why a text is no seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSeedError(String);

impl fmt::Display for ParseSeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseSeedError {}

impl FromStr for Seed {
    type Err = ParseSeedError;
    fn from_str(text: &str) -> Result<Seed, ParseSeedError> {
        let text = text.trim();
        match text.split_once("://") {
            None if text.contains('@') => Err(in_a_seed()),
            None => plain(text),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "redis" | "valkey" => url(rest, false),
                "rediss" | "valkeys" => url(rest, true),
                _ => Err(ParseSeedError(format!(
                    "goodcache does not know the scheme '{}://' (write redis:// or rediss://)",
                    scheme.chars().take(20).collect::<String>()
                ))),
            },
        }
    }
}

impl TryFrom<String> for Seed {
    type Error = ParseSeedError;
    fn try_from(text: String) -> Result<Seed, ParseSeedError> {
        text.parse()
    }
}

fn plain(text: &str) -> Result<Seed, ParseSeedError> {
    Ok(Seed {
        addr: address(text)?,
        user: None,
        is_tls: false,
    })
}

/// An address whose port may be missing.
fn address(text: &str) -> Result<NodeAddr, ParseSeedError> {
    let with_port = if text.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{text}]:{DEFAULT_PORT}")
    } else if (text.starts_with('[') && text.ends_with(']')) || !text.contains(':') {
        format!("{text}:{DEFAULT_PORT}")
    } else {
        text.to_string()
    };
    with_port
        .parse()
        .map_err(|error: crate::model::ParseAddrError| ParseSeedError(error.to_string()))
}

fn url(rest: &str, is_tls: bool) -> Result<Seed, ParseSeedError> {
    let refuse = |why: &str| Err(ParseSeedError(why.to_string()));
    // The last '@' ends the credentials, so a password that holds one is not shown as a host.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (user_of(credentials)?, rest),
        None => (None, rest),
    };
    if rest.contains('#') {
        return refuse("a URL's '#...' is not read (say --insecure to skip verification)");
    }
    if rest.contains('?') {
        return refuse("a URL's '?...' is not read (use flags instead)");
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(path, "" | "0") {
        return refuse("a cluster has one database only, number 0: take the path off the URL");
    }
    Ok(Seed {
        addr: address(authority)?,
        user,
        is_tls,
    })
}

fn user_of(credentials: &str) -> Result<Option<String>, ParseSeedError> {
    match credentials.split_once(':') {
        Some((_, password)) if !password.is_empty() => Err(in_a_url()),
        Some((user, _)) => percent_decoded(user),
        None => percent_decoded(credentials),
    }
}

fn in_a_url() -> ParseSeedError {
    ParseSeedError(
        "a password in a URL is shown by ps and kept in logs, so it is refused \
         (give it by --password-file or GOODCACHE_PASSWORD)"
            .into(),
    )
}

fn in_a_seed() -> ParseSeedError {
    ParseSeedError(
        "an address holds no '@' (give the user by --user, or write redis://user@host:port)".into(),
    )
}

/// The user with `%40` and its like turned back; empty is none.
fn percent_decoded(text: &str) -> Result<Option<String>, ParseSeedError> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let pair = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, pair) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'%', None) => {
                return Err(ParseSeedError("the user in the URL holds a bad '%'".into()));
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    let user = String::from_utf8(bytes)
        .map_err(|_| ParseSeedError("the user in the URL is no UTF-8".into()))?;
    Ok((!user.is_empty()).then_some(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_of_every_shape() {
        for (text, addr, user, is_tls) in [
            ("127.0.0.1:7001", "127.0.0.1:7001", None, false),
            ("localhost", "localhost:6379", None, false),
            ("::1", "[::1]:6379", None, false),
            ("[::1]", "[::1]:6379", None, false),
            ("[::1]:7001", "[::1]:7001", None, false),
            ("redis://cache.example", "cache.example:6379", None, false),
            (
                "redis://cache.example:7001/",
                "cache.example:7001",
                None,
                false,
            ),
            ("rediss://ann@[::1]:7001/0", "[::1]:7001", Some("ann"), true),
            ("rediss://a%40b@h:1", "h:1", Some("a@b"), true),
            ("REDIS://:@h:1", "h:1", None, false),
        ] {
            let seed: Seed = text.parse().unwrap();
            assert_eq!(seed.addr.to_string(), addr, "{text}");
            assert_eq!(
                (seed.user.as_deref(), seed.is_tls),
                (user, is_tls),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_seed_says_why_and_never_repeats_a_password() {
        for (text, why) in [
            ("redis://:s3cret@h:1", "a password in a URL"),
            ("rediss://ann:s3cret@h:1", "a password in a URL"),
            ("redis://ann:s3c@s3cret@h:1", "a password in a URL"),
            ("s3cret@h:1", "holds no '@'"),
            ("redis://h:1/3", "one database"),
            ("redis://h:1?protocol=3", "'?...' is not read"),
            ("rediss://h:1#insecure", "--insecure"),
            ("unix:///run/redis.sock", "scheme 'unix://'"),
            ("h:0", "the port is not"),
            ("redis://", "the host is missing"),
            ("redis://a%zz@h", "bad '%'"),
        ] {
            let error = text.parse::<Seed>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains("s3c"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_stumble_and_no_password_comes_back(text in ".{0,40}") {
            let _ = text.parse::<Seed>();
            let error = format!("redis://u:s3cret{text}@h:1").parse::<Seed>().unwrap_err();
            proptest::prop_assert!(!error.to_string().contains("s3cret"));
        }
    }
}
