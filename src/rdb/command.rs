//! A command of a log, and which of its words are keys: those that it changes, those that it only reads,
//! and those whose former value counts for what it makes.
//!
//! A backup marks what is changed. A restore plays the log, and must know what is read too: a key that the
//! target has not, or has otherwise, would show in what is made of it.

/// A command of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCommand<'a> {
    /// Its words, the name first.
    pub words: Vec<&'a [u8]>,
    /// The offset after it.
    pub end: u64,
}

/// What a command changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes<'a> {
    /// No key: transactions' brackets, keep-alives, messages, functions.
    Nothing,
    /// These keys.
    Keys(Vec<&'a [u8]>),
    /// Perhaps every key: it empties databases, or is not known.
    All,
}

/// Where the keys stand among a command's words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Places {
    None,
    /// Those that are changed, and those that are only read.
    At(Vec<usize>, Vec<usize>),
    /// Nobody knows.
    Unknown,
}

impl<'a> LogCommand<'a> {
    /// Its name in lower case.
    pub fn name(&self) -> String {
        let name = self.words.first().copied().unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_lowercase()
    }

    /// Which keys it changes. Servers send effects, so scripts and blocking commands do not come here.
    pub fn changes(&self) -> Changes<'a> {
        match self.places() {
            Places::None => Changes::Nothing,
            Places::At(changed, _) => {
                Changes::Keys(changed.into_iter().map(|n| self.words[n]).collect())
            }
            Places::Unknown => Changes::All,
        }
    }

    /// The places of all its keys among its words, and whether it changes them.
    pub fn keys(&self) -> impl Iterator<Item = (usize, bool)> + use<> {
        let (changed, read) = match self.places() {
            Places::At(changed, read) => (changed, read),
            Places::None | Places::Unknown => (Vec::new(), Vec::new()),
        };
        let changed = changed.into_iter().map(|n| (n, true));
        changed.chain(read.into_iter().map(|n| (n, false)))
    }

    /// Whether each of its keys is changed by itself, whatever the others are.
    pub fn is_separable(&self) -> bool {
        let name = self.name();
        ["del", "unlink", "mset", "msetnx", "msetex"].contains(&name.as_str())
    }

    /// Whether what it makes depends on what the key at that place was before.
    pub fn needs(&self, place: usize) -> bool {
        let has = |option: &[u8]| {
            self.words
                .iter()
                .skip(3)
                .any(|w| w.eq_ignore_ascii_case(option))
        };
        match self.name().as_str() {
            "set" => has(b"XX") || has(b"KEEPTTL"),
            "del" | "unlink" | "mset" | "msetnx" | "msetex" | "setex" | "psetex" | "setnx"
            | "restore" | "restore-asking" => false,
            "rename" | "renamenx" | "copy" | "zrangestore" | "geosearchstore" => {
                place == self.source()
            }
            "sunionstore" | "sinterstore" | "sdiffstore" | "zunionstore" | "zinterstore"
            | "zdiffstore" => place != 1,
            "bitop" => place != 2,
            "sort" | "georadius" | "georadiusbymember" => place == 1,
            _ => true,
        }
    }

    /// Where the one key stands that is the source.
    fn source(&self) -> usize {
        match self.name().as_str() {
            "zrangestore" | "geosearchstore" => 2,
            _ => 1,
        }
    }

    /// The database that the key it makes goes to, where that is another one.
    pub fn other_db(&self) -> Option<u64> {
        let number = |word: &&[u8]| std::str::from_utf8(word).ok()?.parse().ok();
        match self.name().as_str() {
            "move" => self.words.get(2).and_then(number),
            "copy" => {
                let is_db = |word: &&[u8]| word.eq_ignore_ascii_case(b"DB");
                let at = self.words.iter().skip(3).position(is_db)?;
                self.words.get(at + 4).and_then(number)
            }
            _ => None,
        }
    }

    fn places(&self) -> Places {
        let all = self.words.len();
        let at = |changed: &[usize], read: &[usize]| Places::At(changed.to_vec(), read.to_vec());
        let rest = |changed: usize, from: usize| Places::At(vec![changed], (from..all).collect());
        let name = self.name();
        let places = match name.as_str() {
            "ping" | "select" | "multi" | "exec" | "replconf" | "publish" | "spublish"
            | "function" | "script" | "cluster" => Places::None,
            "del" | "unlink" => Places::At((1..all).collect(), Vec::new()),
            "mset" | "msetnx" => Places::At((1..all).step_by(2).collect(), Vec::new()),
            "msetex" => match self.number(1) {
                Some(count) => {
                    let places = (2..all).step_by(2).take(count);
                    Places::At(places.collect(), Vec::new())
                }
                None => Places::Unknown,
            },
            "rename" | "renamenx" | "smove" | "rpoplpush" | "brpoplpush" | "lmove" | "blmove" => {
                at(&[1, 2], &[])
            }
            "copy" => at(&[2], &[1]),
            "zrangestore" | "geosearchstore" => at(&[1], &[2]),
            "sunionstore" | "sinterstore" | "sdiffstore" | "pfmerge" => rest(1, 2),
            "bitop" => rest(2, 3),
            "zunionstore" | "zinterstore" | "zdiffstore" => match self.number(2) {
                Some(count) => Places::At(vec![1], (3..all).take(count).collect()),
                None => Places::Unknown,
            },
            "xgroup" => at(&[2], &[]),
            "sort" => self.sorted(),
            "georadius" => self.found(6),
            "georadiusbymember" => self.found(5),
            name if ONE_KEY.contains(&name) => at(&[1], &[]),
            // Of modules: JSON.SET, BF.ADD, TS.ADD.
            name if name.contains('.') => at(&[1], &[]),
            _ => Places::Unknown,
        };
        match &places {
            Places::At(changed, read) if changed.iter().chain(read).any(|n| *n >= all) => {
                Places::Unknown
            }
            _ => places,
        }
    }

    fn number(&self, place: usize) -> Option<usize> {
        let word = std::str::from_utf8(self.words.get(place)?).ok()?;
        word.parse().ok()
    }

    /// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] STORE key`. A
    /// pattern with a star reads whatever keys there are.
    fn sorted(&self) -> Places {
        let (mut n, mut stored) = (2, None);
        while let Some(word) = self.words.get(n) {
            let pattern = self.words.get(n + 1).copied().unwrap_or_default();
            n += match word.to_ascii_lowercase().as_slice() {
                b"by" | b"get" if pattern.contains(&b'*') => return Places::Unknown,
                b"by" | b"get" => 2,
                b"limit" => 3,
                b"store" => {
                    stored = Some(n + 1);
                    2
                }
                _ => 1,
            };
        }
        into(stored)
    }

    /// The key behind STORE or STOREDIST, among the options from that place on.
    fn found(&self, options: usize) -> Places {
        let (mut n, mut stored) = (options, None);
        while let Some(word) = self.words.get(n) {
            n += match word.to_ascii_lowercase().as_slice() {
                b"store" | b"storedist" => {
                    stored = Some(n + 1);
                    2
                }
                _ => 1,
            };
        }
        into(stored)
    }
}

/// Of a command that reads the key behind its name and stores into another, if it does.
fn into(stored: Option<usize>) -> Places {
    match stored {
        Some(place) => Places::At(vec![place], vec![1]),
        None => Places::At(Vec::new(), Vec::new()),
    }
}

/// Commands that change the key behind their name and no other, of Redis 8.2 and Valkey 9.1.
const ONE_KEY: &[&str] = &[
    "append",
    "bitfield",
    "decr",
    "decrby",
    "delex",
    "delifeq",
    "expire",
    "expireat",
    "geoadd",
    "getdel",
    "getex",
    "getset",
    "hdel",
    "hexpire",
    "hexpireat",
    "hgetdel",
    "hgetex",
    "hincrby",
    "hincrbyfloat",
    "hmset",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hset",
    "hsetex",
    "hsetnx",
    "incr",
    "incrby",
    "incrbyfloat",
    "linsert",
    "lpop",
    "lpush",
    "lpushx",
    "lrem",
    "lset",
    "ltrim",
    "move",
    "persist",
    "pexpire",
    "pexpireat",
    "pfadd",
    "pfcount",
    "psetex",
    "restore",
    "restore-asking",
    "rpop",
    "rpush",
    "rpushx",
    "sadd",
    "set",
    "setbit",
    "setex",
    "setnx",
    "setrange",
    "spop",
    "srem",
    "vadd",
    "vrem",
    "vsetattr",
    "xack",
    "xackdel",
    "xadd",
    "xautoclaim",
    "xclaim",
    "xdel",
    "xdelex",
    "xsetid",
    "xtrim",
    "zadd",
    "zincrby",
    "zpopmax",
    "zpopmin",
    "zrem",
    "zremrangebylex",
    "zremrangebyrank",
    "zremrangebyscore",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn command<'a>(words: &[&'a str]) -> LogCommand<'a> {
        LogCommand {
            words: words.iter().map(|word| word.as_bytes()).collect(),
            end: 0,
        }
    }

    #[test]
    fn the_keys_that_a_command_changes() {
        let keys =
            |keys: &[&'static str]| Changes::Keys(keys.iter().map(|key| key.as_bytes()).collect());
        for (words, changes) in [
            (&["SET", "a", "1", "PXAT", "5"][..], keys(&["a"])),
            (&["UNLINK", "a", "b"], keys(&["a", "b"])),
            (&["MSET", "a", "1", "b", "2"], keys(&["a", "b"])),
            (
                &["MSETEX", "2", "a", "1", "b", "2", "PXAT", "9"],
                keys(&["a", "b"]),
            ),
            (&["XGROUP", "CREATE", "s", "g", "0"], keys(&["s"])),
            (&["BITOP", "AND", "d", "a"], keys(&["d"])),
            (&["SORT", "a", "STORE", "d"], keys(&["d"])),
            (
                &["GEORADIUS", "a", "1", "2", "3", "km", "STOREDIST", "d"],
                keys(&["d"]),
            ),
            (&["ZUNIONSTORE", "d", "1", "a"], keys(&["d"])),
            (&["JSON.SET", "a", "$", "1"], keys(&["a"])),
            (&["CLUSTER", "SYNCSLOTS", "ACK"], Changes::Nothing),
            (&["FLUSHALL"], Changes::All),
            (&["SWAPDB", "0", "1"], Changes::All),
            (&["BRANDNEW", "x"], Changes::All),
            (&["SET"], Changes::All),
        ] {
            let command = LogCommand {
                words: words.iter().map(|word| word.as_bytes()).collect(),
                end: 0,
            };
            assert_eq!(command.changes(), changes, "{words:?}");
        }
    }

    #[test]
    fn the_keys_that_a_command_only_reads() {
        for (line, read) in [
            ("SET a 1", ""),
            ("RENAME a b", ""),
            ("COPY a b REPLACE", "a"),
            ("BITOP AND d a b", "a b"),
            ("PFMERGE d a b", "a b"),
            ("SUNIONSTORE d a b", "a b"),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "a b"),
            ("ZRANGESTORE d a 0 -1", "a"),
            ("GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 km", "a"),
            ("SORT a BY nosort GET # STORE d", "a"),
            ("GEORADIUSBYMEMBER a m 3 km STORE d", "a"),
            ("FLUSHALL", ""),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let command = command(&words);
            let read_only = command.keys().filter(|(_, is_changed)| !is_changed);
            let found: Vec<&str> = read_only.map(|(n, _)| words[n]).collect();
            assert_eq!(found.join(" "), read, "{line}");
        }
    }

    #[test]
    fn the_keys_whose_former_value_counts() {
        for (line, needed) in [
            ("SET a 1 PXAT 5", ""),
            ("SET a 1 KEEPTTL", "a"),
            ("APPEND a 1", "a"),
            ("DEL a b", ""),
            ("RENAME a b", "a"),
            ("SMOVE a b m", "a b"),
            ("COPY a b", "a"),
            ("PFMERGE d a", "d a"),
            ("SUNIONSTORE d a b", "a b"),
            ("BITOP NOT d a", "a"),
            ("SORT a STORE d", "a"),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let command = command(&words);
            let needs = command.keys().filter(|(n, _)| command.needs(*n));
            let found: Vec<&str> = needs.map(|(n, _)| words[n]).collect();
            assert_eq!(found.join(" "), needed, "{line}");
        }
    }

    #[test]
    fn a_key_may_go_to_another_database() {
        let other = |line: &str| command(&line.split(' ').collect::<Vec<_>>()).other_db();
        assert_eq!(other("MOVE a 3"), Some(3));
        assert_eq!(other("COPY a b DB 4 REPLACE"), Some(4));
        assert_eq!(other("COPY a DB"), None);
        assert_eq!(other("SET a 3"), None);
    }
}
