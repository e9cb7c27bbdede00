//! Stand-ins for managed services: real servers behind a door that refuses what the service refuses,
//! in its words, and lets INFO say what its servers say.
//!
//! The real services cannot exist here. What each refuses, and how it shows itself, is as its own
//! documents have it; that they really behave so was not tried.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::fleet::Fleet;
use super::resp::{Reply, Wire, dial};
use super::server::{Server, Spec};

const LIMIT: Duration = Duration::from_secs(10);

/// How a service shows itself.
#[derive(Clone, Copy)]
pub struct Dress {
    /// The name by which `--provider` knows it.
    pub service: &'static str,
    /// What tells it from another of the same name, as the README calls it.
    pub kind: &'static str,
    /// The name that its nodes announce, where they announce one.
    pub hostname: Option<&'static str>,
    /// Its nodes' ports; any free ones when both are 0.
    pub ports: (u16, u16),
    /// Masters in cluster mode; 0 is one server without.
    pub masters: usize,
    /// Commands that it refuses, `CONFIG` for all of a command, `CLUSTER LINKS` for one.
    pub refused: &'static [&'static str],
    /// In what words: `{command}` is the command.
    pub words: &'static str,
    /// Whether COMMAND INFO still names what is refused, as where rules or a proxy refuse; commands that
    /// were taken out of the server are not there.
    pub lists_refused: bool,
    /// What INFO says otherwise than the server behind.
    pub info: &'static [(&'static str, &'static str)],
}

const UNKNOWN: &str = "ERR unknown command '{command}', with args beginning with: ";
const NOPERM: &str = "NOPERM User default has no permissions to run the '{command}' command";

/// What no customer of any may call.
macro_rules! administration {
    ($($more:literal),*) => {
        &[
            "BGREWRITEAOF", "BGSAVE", "DEBUG", "MIGRATE", "REPLICAOF", "SLAVEOF", "SAVE", "SHUTDOWN",
            "SYNC", "PSYNC", "REPLCONF", "ACL SETUSER", "ACL DELUSER", "ACL LOAD", "ACL SAVE",
            "CLUSTER ADDSLOTS", "CLUSTER ADDSLOTSRANGE", "CLUSTER DELSLOTS", "CLUSTER FAILOVER",
            "CLUSTER FORGET", "CLUSTER MEET", "CLUSTER RESET", "CLUSTER SETSLOT",
            "CLUSTER REPLICATE", "CLUSTER BUMPEPOCH", "CLUSTER FLUSHSLOTS", $($more),*
        ]
    };
}

/// Every service that there is a stand-in for.
pub const DRESSES: &[Dress] = &[
    Dress {
        service: "elasticache",
        kind: "",
        hostname: Some("shop-0001-001.shop.abc123.euc1.cache.amazonaws.com"),
        ports: (0, 0),
        masters: 3,
        refused: administration!("CONFIG", "CLUSTER LINKS"),
        words: UNKNOWN,
        lists_refused: false,
        info: &[
            ("os", "Amazon ElastiCache"),
            ("executable", "-"),
            ("config_file", ""),
        ],
    },
    Dress {
        service: "elasticache",
        kind: ", cluster mode off",
        hostname: None,
        ports: (0, 0),
        masters: 0,
        refused: administration!("CONFIG"),
        words: UNKNOWN,
        lists_refused: false,
        info: &[
            ("os", "Amazon ElastiCache"),
            ("executable", "-"),
            ("config_file", ""),
        ],
    },
    Dress {
        service: "elasticache-serverless",
        kind: "",
        hostname: Some("shop-abc123.serverless.euc1.cache.amazonaws.com"),
        ports: (0, 0),
        masters: 1,
        refused: administration!(
            "CONFIG",
            "CLUSTER LINKS",
            "KEYS",
            "SLOWLOG",
            "LATENCY",
            "MODULE",
            "CLIENT PAUSE",
            "ACL LIST",
            "WAIT"
        ),
        words: UNKNOWN,
        lists_refused: false,
        info: &[
            ("os", "Amazon ElastiCache"),
            ("executable", "-"),
            ("config_file", ""),
        ],
    },
    Dress {
        service: "memorydb",
        kind: "",
        hostname: Some("shop-0001-001.shop.abc123.memorydb.eu-central-1.amazonaws.com"),
        ports: (0, 0),
        masters: 3,
        refused: administration!("CONFIG", "MODULE"),
        words: UNKNOWN,
        lists_refused: false,
        info: &[
            ("os", "Amazon MemoryDB"),
            ("executable", "-"),
            ("config_file", ""),
        ],
    },
    Dress {
        service: "memorystore-redis",
        kind: "",
        hostname: None,
        ports: (0, 0),
        masters: 0,
        refused: administration!(
            "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "LASTSAVE", "MONITOR", "OBJECT"
        ),
        words: UNKNOWN,
        lists_refused: false,
        info: &[("executable", ""), ("config_file", "")],
    },
    Dress {
        service: "memorystore-cluster",
        kind: "",
        hostname: None,
        ports: (11_000, 13_047),
        masters: 3,
        refused: administration!(
            "CONFIG",
            "ACL",
            "CLIENT PAUSE",
            "MODULE",
            "LASTSAVE",
            "MONITOR"
        ),
        words: NOPERM,
        lists_refused: true,
        info: &[("executable", ""), ("config_file", "")],
    },
    Dress {
        service: "memorystore-valkey",
        kind: "",
        hostname: None,
        ports: (11_000, 13_047),
        masters: 3,
        refused: administration!(
            "CONFIG",
            "ACL",
            "CLIENT PAUSE",
            "MODULE",
            "LASTSAVE",
            "MONITOR"
        ),
        words: NOPERM,
        lists_refused: true,
        info: &[
            ("server_name", "valkey"),
            ("executable", ""),
            ("config_file", ""),
        ],
    },
    Dress {
        service: "azure-cache",
        kind: "",
        hostname: None,
        ports: (13_100, 13_999),
        masters: 3,
        refused: administration!("CONFIG", "ACL", "MODULE"),
        words: UNKNOWN,
        lists_refused: false,
        info: &[("executable", ""), ("config_file", "")],
    },
    Dress {
        service: "azure-enterprise",
        kind: "",
        hostname: Some("shop.westeurope.redisenterprise.cache.azure.net"),
        ports: (0, 0),
        masters: 3,
        refused: administration!(
            "CONFIG",
            "CLUSTER MYID",
            "CLUSTER COUNTKEYSINSLOT",
            "CLUSTER GETKEYSINSLOT",
            "CLUSTER LINKS",
            "LATENCY LATEST",
            "MEMORY STATS",
            "MODULE",
            "CLIENT PAUSE",
            "WAIT"
        ),
        words: UNKNOWN,
        lists_refused: true,
        info: &[("rlec_version", "7.2.4-92"), ("executable", "")],
    },
    Dress {
        service: "azure-managed",
        kind: "",
        hostname: Some("shop.westeurope.redis.azure.net"),
        ports: (8_500, 8_599),
        masters: 3,
        refused: administration!(
            "CONFIG",
            "CLUSTER MYID",
            "CLUSTER COUNTKEYSINSLOT",
            "CLUSTER GETKEYSINSLOT",
            "CLUSTER LINKS",
            "LATENCY LATEST",
            "MEMORY STATS",
            "MODULE",
            "CLIENT PAUSE",
            "WAIT"
        ),
        words: UNKNOWN,
        lists_refused: true,
        info: &[("rlec_version", "7.4.0-10"), ("executable", "")],
    },
    Dress {
        service: "redis-cloud",
        kind: "",
        hostname: Some("redis-12345.c1.eu-central-1-1.ec2.redns.redis-cloud.com"),
        ports: (0, 0),
        masters: 3,
        refused: administration!(
            "CONFIG REWRITE",
            "CONFIG RESETSTAT",
            "CLUSTER MYID",
            "CLUSTER COUNTKEYSINSLOT",
            "CLUSTER GETKEYSINSLOT",
            "CLUSTER LINKS",
            "LATENCY LATEST",
            "MEMORY STATS",
            "CLIENT PAUSE",
            "WAIT"
        ),
        words: "ERR unknown subcommand or wrong number of arguments for '{command}'",
        lists_refused: true,
        info: &[("rlec_version", "7.8.2-34"), ("executable", "")],
    },
];

/// A service's stand-in, as long as this value lives.
pub struct StandIn {
    /// The servers behind the doors.
    pub fleet: Fleet,
    /// Where its nodes are reached.
    pub nodes: Vec<String>,
}

impl StandIn {
    /// Starts the servers, each behind a door of its own.
    pub fn start(dress: Dress) -> StandIn {
        let fleet = Fleet::start_with(dress.masters.max(1), |_| Spec {
            is_cluster: dress.masters > 0,
            ..Spec::default()
        });
        let mut nodes = Vec::new();
        for server in fleet.iter() {
            let door = open(dress.ports);
            let port = door.local_addr().unwrap().port();
            if dress.masters > 0 {
                announce(server, port, dress.hostname);
            }
            let behind = server.addr();
            thread::spawn(move || attend(door, dress, behind));
            nodes.push(format!("127.0.0.1:{port}"));
        }
        if dress.masters > 0 {
            fleet.join(dress.masters);
        }
        StandIn { fleet, nodes }
    }

    /// The first node's address.
    pub fn seed(&self) -> &str {
        &self.nodes[0]
    }
}

fn announce(server: &Server, port: u16, hostname: Option<&str>) {
    server.cli(&["CONFIG", "SET", "cluster-announce-port", &port.to_string()]);
    if let Some(hostname) = hostname {
        server.cli(&["CONFIG", "SET", "cluster-announce-hostname", hostname]);
    }
}

/// A free port of those.
fn open((first, last): (u16, u16)) -> TcpListener {
    if first == 0 {
        return TcpListener::bind("127.0.0.1:0").unwrap();
    }
    (first..=last)
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .expect("a free port in the service's range")
}

fn attend(door: TcpListener, dress: Dress, behind: String) {
    let behind = Arc::new(behind);
    for client in door.incoming().flatten() {
        let behind = behind.clone();
        // Ends when either side is gone.
        thread::spawn(move || serve(client, dress, &behind));
    }
}

/// Hands every command on and every reply back, but for those that are refused.
fn serve(mut client: TcpStream, dress: Dress, behind: &str) -> io::Result<()> {
    let mut server = Wire::over(Box::new(dial(behind, LIMIT)?));
    let mut commands = BufReader::new(client.try_clone()?);
    loop {
        let command = read_command(&mut commands)?;
        let mut out = Vec::new();
        match refusal(dress, &command) {
            Some(words) => out.extend_from_slice(format!("-{words}\r\n").as_bytes()),
            None => {
                let parts: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
                let mut sent = Vec::new();
                super::resp::encode(&mut sent, &parts);
                server.send(&sent)?;
                let mut reply = server.read()?;
                if word(&command, 0) == "INFO" {
                    reply = dressed(dress, reply);
                }
                if word(&command, 0) == "COMMAND" && !dress.lists_refused {
                    reply = without_refused(dress, &command, reply);
                }
                write_reply(&mut out, &reply);
            }
        }
        client.write_all(&out)?;
    }
}

fn word(command: &[Vec<u8>], n: usize) -> String {
    let word = command
        .get(n)
        .map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    word.unwrap_or_default()
}

fn refusal(dress: Dress, command: &[Vec<u8>]) -> Option<String> {
    let (name, sub) = (word(command, 0), word(command, 1));
    let is_refused = is_refused(dress, &name, &sub);
    let shown = match sub.is_empty() || dress.words == UNKNOWN {
        true => name.to_ascii_lowercase(),
        false => format!("{}|{}", name.to_ascii_lowercase(), sub.to_ascii_lowercase()),
    };
    is_refused.then(|| dress.words.replace("{command}", &shown))
}

fn is_refused(dress: Dress, name: &str, sub: &str) -> bool {
    let both = format!("{name} {sub}");
    let mut all = dress.refused.iter();
    all.any(|&refused| refused == name || refused == both)
}

/// COMMAND INFO of a server that lacks what is refused.
fn without_refused(dress: Dress, command: &[Vec<u8>], reply: Reply) -> Reply {
    let Reply::Array(rows) = reply else {
        return reply;
    };
    let rows = rows.into_iter().zip(2..).map(|(row, n)| {
        let asked = word(command, n);
        let (name, sub) = asked.split_once('|').unwrap_or((&asked, ""));
        match is_refused(dress, name, sub) {
            true => Reply::Bulk(None),
            false => row,
        }
    });
    Reply::Array(rows.collect())
}

/// INFO as the service's servers write it.
fn dressed(dress: Dress, reply: Reply) -> Reply {
    let Reply::Bulk(Some(text)) = reply else {
        return reply;
    };
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let name = line.split(':').next().unwrap_or_default();
        match dress.info.iter().find(|(field, _)| *field == name) {
            Some((_, value)) => lines.push(format!("{name}:{value}")),
            None => lines.push(line.to_owned()),
        }
        if line == "# Server" {
            let is_new = |field: &str| !text.contains(&format!("\n{field}:"));
            let new = dress.info.iter().filter(|(field, _)| is_new(field));
            lines.extend(new.map(|(field, value)| format!("{field}:{value}")));
        }
    }
    Reply::Bulk(Some(format!("{}\r\n", lines.join("\r\n")).into_bytes()))
}

fn read_command(from: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    let count = header(from, '*')?;
    (0..count)
        .map(|_| {
            let length = header(from, '$')?;
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(bytes)
        })
        .collect()
}

fn header(from: &mut impl BufRead, kind: char) -> io::Result<usize> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let number = line
        .trim_end()
        .strip_prefix(kind)
        .and_then(|rest| rest.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no command: {line:?}")))
}

fn write_reply(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Simple(text) => out.extend_from_slice(format!("+{text}\r\n").as_bytes()),
        Reply::Error(text) => out.extend_from_slice(format!("-{text}\r\n").as_bytes()),
        Reply::Integer(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Reply::Bulk(None) => out.extend_from_slice(b"$-1\r\n"),
        Reply::Bulk(Some(bytes)) => {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Array(items) => {
            out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
            for item in items {
                write_reply(out, item);
            }
        }
    }
}
