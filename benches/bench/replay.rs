//! What a restore is compared with: the same data sent by bare means.
//!
//! `Ready` has every RESTORE command made beforehand and only writes and counts answers, a thread for
//! each master: no load can be faster. `by_elements` does what migration tools do that take values apart:
//! each is decoded and built up by a command for each of its elements, a thread and a connection for each
//! master, in one of two ways (`Way`).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use goodcache::rdb::{
    Accepts, Bridged, Elements, Entry, Item, Limits, Reader, Step, Vendor, Writer, bridge,
};

use crate::backup::{addr_of, read, runtime};
use crate::support::resp::{dial, encode};
use crate::support::{Fleet, Server};

const LIMIT: Duration = Duration::from_secs(60);
/// Bytes that are written before answers are read; so much again is under way meanwhile.
const FLIGHT: usize = 256 << 10;
const SLOTS: usize = 16_384;
/// One element a command.
const SINGLE: Limits = Limits {
    bytes: usize::MAX,
    items: 1,
};

/// Commands of one master, cut into flights: their bytes, and how many there are.
type Flights = Vec<(Vec<u8>, usize)>;

/// Every entry of a cluster as a RESTORE command.
pub struct Ready(Vec<Flights>);

impl Ready {
    /// Reads that cluster, for a target whose masters share the slots evenly.
    pub fn of(source: &Fleet, masters: usize) -> Ready {
        let mut flights: Vec<Flights> = vec![Flights::new(); masters];
        let accepts = accepts();
        let mut payload = Vec::new();
        each_entry(source, |entry| {
            payload.clear();
            let bridged = bridge(entry, accepts, &mut payload).expect("a value that is sound");
            assert!(!matches!(bridged, Bridged::Impossible(_)), "it cannot go");
            let mut expires = [0; 24];
            let expires = decimal(entry.expires_ms.unwrap_or(0), &mut expires);
            let mut words = vec![&b"RESTORE"[..], entry.key, expires, &payload];
            words.extend(entry.expires_ms.map(|_| &b"ABSTTL"[..]));
            let flights = &mut flights[owner(entry, masters)];
            if flights
                .last()
                .is_none_or(|(bytes, _)| bytes.len() >= FLIGHT)
            {
                flights.push((Vec::with_capacity(FLIGHT + (64 << 10)), 0));
            }
            if let Some((bytes, count)) = flights.last_mut() {
                encode(bytes, &words);
                *count += 1;
            }
        });
        Ready(flights)
    }

    /// Sends all of it.
    pub fn send(&self, target: &Fleet) -> Duration {
        let start = Instant::now();
        thread::scope(|scope| {
            for (server, flights) in target.iter().zip(&self.0) {
                scope.spawn(move || {
                    let mut pipe = Pipe::to(server);
                    for (bytes, count) in flights {
                        pipe.send(bytes, *count);
                    }
                    pipe.finish();
                });
            }
        });
        start.elapsed()
    }
}

/// What a replay element by element came to.
pub struct Replayed {
    /// How long it took.
    pub elapsed: Duration,
    /// Keys that were sent.
    pub keys: u64,
    /// Commands that they took.
    pub commands: u64,
}

/// How a migration tool writes.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// RedisShake 4: commands gather in a Go `bufio.Writer`, of 4,096 bytes, and twice its
    /// `pipeline_count_limit` of 1,024 are unanswered at the most (`redis_standalone_writer.go`). Here
    /// nothing waits for its 10 ms timer, and answers cost next to nothing.
    Buffered,
    /// librdb's loader, which `rdb-cli` is made of: a `sendmsg` a command, 200 unanswered at the most
    /// (`PIPELINE_DEPTH_DEF` in `respToRedisLoader.c`).
    OneByOne,
}

impl Way {
    fn bytes(self) -> usize {
        match self {
            Way::Buffered => 4096,
            Way::OneByOne => 1,
        }
    }

    fn unanswered(self) -> usize {
        match self {
            Way::Buffered => 2048,
            Way::OneByOne => 200,
        }
    }
}

/// Every key of a cluster as a file for each master of a target.
pub fn files_of(source: &Fleet, masters: usize) -> Vec<Vec<u8>> {
    let mut writers: Vec<Writer> = Vec::new();
    each_entry(source, |entry| {
        writers.resize_with(masters, || Writer::new(entry.dialect));
        let writer = &mut writers[owner(entry, masters)];
        writer.entry(entry).expect("a type that is known");
    });
    writers.into_iter().map(Writer::finish).collect()
}

/// Sends every key of those files to its master, element by element.
pub fn by_elements(files: &[Vec<u8>], target: &Fleet, way: Way) -> Replayed {
    let start = Instant::now();
    let sent: Vec<(u64, u64)> = thread::scope(|scope| {
        let sending = files.iter().zip(target.iter());
        let sending: Vec<_> = sending
            .map(|(file, server)| scope.spawn(move || Sending::to(server, way).all(file)))
            .collect();
        let ended = sending.into_iter().map(|thread| thread.join());
        ended
            .map(|sent| sent.expect("a thread that ends"))
            .collect()
    });
    Replayed {
        elapsed: start.elapsed(),
        keys: sent.iter().map(|(keys, _)| keys).sum(),
        commands: sent.iter().map(|(_, commands)| commands).sum(),
    }
}

/// One master being sent commands.
struct Sending {
    pipe: Pipe,
    way: Way,
    bytes: Vec<u8>,
    waiting: usize,
    commands: u64,
}

impl Sending {
    fn to(server: &Server, way: Way) -> Sending {
        Sending {
            pipe: Pipe::to(server),
            way,
            bytes: Vec::new(),
            waiting: 0,
            commands: 0,
        }
    }

    /// How many keys by how many commands.
    fn all(mut self, file: &[u8]) -> (u64, u64) {
        let (accepts, mut keys) = (accepts(), 0);
        walk(file, |entry| {
            keys += 1;
            self.key(entry, accepts);
        });
        self.write();
        self.pipe.finish();
        (keys, self.commands)
    }

    /// The commands that build one key up.
    fn key(&mut self, entry: &Entry<'_>, accepts: Accepts) {
        let elements = Elements::of(entry, accepts, SINGLE).expect("a value that is sound");
        let mut elements = elements.unwrap_or_else(|reason| panic!("it cannot go: {reason}"));
        while let Some(batch) = elements.next_batch().expect("a value that is sound") {
            for command in batch.commands() {
                // What a try before may have left: there was none.
                if command.name() == b"UNLINK" {
                    continue;
                }
                // A string is set by those tools, not appended to.
                let name = match command.name() {
                    b"APPEND" => b"SET",
                    name => name,
                };
                let mut words = vec![name, entry.key];
                words.extend(command.arguments());
                self.command(&words);
            }
        }
        if let Some(ms) = entry.expires_ms {
            let mut digits = [0; 24];
            self.command(&[b"PEXPIREAT", entry.key, decimal(ms, &mut digits)]);
        }
    }

    fn command(&mut self, words: &[&[u8]]) {
        append(&mut self.bytes, words);
        self.waiting += 1;
        self.commands += 1;
        if self.bytes.len() >= self.way.bytes() {
            self.write();
        }
    }

    fn write(&mut self) {
        self.pipe.write(&self.bytes, self.waiting);
        self.bytes.clear();
        self.waiting = 0;
        self.pipe.answers_above(self.way.unanswered());
    }
}

/// Every key of a cluster.
pub fn keys_of(source: &Fleet) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    each_entry(source, |entry| keys.push(entry.key.to_vec()));
    keys
}

/// Sends commands about keys to whoever owns them, and waits for all answers.
pub fn ask_about<'a>(fleet: &Fleet, verb: &[u8], keys: impl Iterator<Item = &'a Vec<u8>>) {
    let mut pipes: Vec<(Pipe, Vec<u8>, usize)> = fleet
        .iter()
        .map(|server| (Pipe::to(server), Vec::new(), 0))
        .collect();
    let masters = pipes.len();
    for key in keys {
        let slot = goodcache::model::Slot::of_key(key).number();
        let (pipe, bytes, count) = &mut pipes[master_of(usize::from(slot), masters)];
        encode(bytes, &[verb, key]);
        *count += 1;
        if bytes.len() >= FLIGHT {
            pipe.send(bytes, *count);
            bytes.clear();
            *count = 0;
        }
    }
    for (mut pipe, bytes, count) in pipes {
        pipe.send(&bytes, count);
        pipe.finish();
    }
}

/// A command as it is on the wire, appended as fast as may be.
fn append(out: &mut Vec<u8>, words: &[&[u8]]) {
    let number = |out: &mut Vec<u8>, sign: u8, number: usize| {
        out.push(sign);
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    number(out, b'*', words.len());
    for word in words {
        number(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// A connection on which one flight is answered while the next is on its way.
pub struct Pipe {
    stream: TcpStream,
    due: usize,
}

impl Pipe {
    pub fn to(server: &Server) -> Pipe {
        Pipe {
            stream: dial(&server.addr(), LIMIT).expect("a server that answers"),
            due: 0,
        }
    }

    pub fn send(&mut self, bytes: &[u8], count: usize) {
        let before = self.due;
        self.stream.write_all(bytes).expect("a server that reads");
        self.due += count;
        self.answers(before);
    }

    fn write(&mut self, bytes: &[u8], count: usize) {
        self.stream.write_all(bytes).expect("a server that reads");
        self.due += count;
    }

    /// Waits until no more than so many are unanswered.
    fn answers_above(&mut self, most: usize) {
        self.answers(self.due.saturating_sub(most));
    }

    pub fn finish(&mut self) {
        self.answers(self.due);
    }

    /// Takes at least so many answers, of one line each.
    fn answers(&mut self, count: usize) {
        let left = self.due - count;
        let mut came = [0; 64 << 10];
        while self.due > left {
            let read = self.stream.read(&mut came).expect("answers");
            assert!(read > 0, "the server closed");
            let came = &came[..read];
            assert!(
                !came.contains(&b'-') || !is_refused(came),
                "{}",
                came.escape_ascii()
            );
            let lines = came.iter().filter(|&&byte| byte == b'\n').count();
            self.due -= lines.min(self.due);
        }
    }
}

/// Whether a line says that something was refused; ids of stream entries have dashes as well.
fn is_refused(came: &[u8]) -> bool {
    came.split(|&byte| byte == b'\n')
        .any(|line| line.starts_with(b"-"))
}

fn each_entry(source: &Fleet, mut take: impl FnMut(&Entry<'_>)) {
    for server in source.iter() {
        walk(&base_of(server), &mut take);
    }
}

fn base_of(server: &Server) -> Vec<u8> {
    let mut file = Vec::new();
    let reading = read(addr_of(server), |piece| file.extend_from_slice(&piece));
    runtime().block_on(reading).expect("a data set");
    file
}

fn walk(file: &[u8], mut take: impl FnMut(&Entry<'_>)) {
    let mut reader = Reader::new();
    for bytes in file.chunks(FLIGHT) {
        reader.push(bytes);
        while let Step::Item(item) = reader.step().expect("a file that is sound") {
            if let Item::Entry(entry) = item {
                take(&entry);
            }
        }
    }
}

fn accepts() -> Accepts {
    // The oldest that the benchmark runs on: nothing of the load needs more.
    Accepts::of_server(Vendor::Redis, "7.0")
}

fn owner(entry: &Entry<'_>, masters: usize) -> usize {
    master_of(usize::from(entry.slot()), masters)
}

/// Slots are shared as the benchmark's own clusters share them: each border is rounded down.
pub fn master_of(slot: usize, masters: usize) -> usize {
    let border = |n: usize| n * SLOTS / masters;
    (1..masters).filter(|n| slot >= border(*n)).count()
}

fn decimal(number: i64, digits: &mut [u8; 24]) -> &[u8] {
    let mut rest = &mut digits[..];
    let room = rest.len();
    write!(rest, "{number}").expect("room for every number");
    let length = room - rest.len();
    &digits[..length]
}
