//! Sends the load into a running cluster: each command to the master of its slot, in pipelines, all
//! masters at once.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use goodcache::model::{SLOT_COUNT, Slot};

use super::load::{Kind, Load};
use super::resp::{Reply, Wire, encode};

const LIMIT: Duration = Duration::from_secs(30);
const COMMANDS_A_BATCH: usize = 500;
const BYTES_A_BATCH: usize = 128 * 1024;

/// What was written.
pub struct Filled {
    /// Keys of each kind.
    pub kinds: Vec<(Kind, u64)>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Filled {
    /// Keys in all.
    pub fn keys(&self) -> u64 {
        self.kinds.iter().map(|(_, keys)| keys).sum()
    }
}

/// Commands on their way to one master.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    commands: usize,
}

/// Writes the load into the cluster that `seed` belongs to.
pub fn fill(seed: &str, password: Option<&str>, load: &Load<'_>) -> io::Result<Filled> {
    let start = Instant::now();
    let masters = masters(seed, password)?;
    thread::scope(|scope| {
        let (senders, writers): (Vec<_>, Vec<_>) = masters
            .addrs
            .iter()
            .map(|addr| {
                let (sender, receiver) = sync_channel(4);
                (
                    sender,
                    scope.spawn(move || write(addr, password, &receiver)),
                )
            })
            .unzip();
        let sent = route(load, &masters, &senders);
        drop(senders);
        for writer in writers {
            writer
                .join()
                .map_err(|_| io::Error::other("a writer panicked"))??;
        }
        sent
    })?;
    Ok(Filled {
        kinds: Kind::ALL.map(|kind| (kind, load.count(kind))).to_vec(),
        elapsed: start.elapsed(),
    })
}

fn route(load: &Load<'_>, masters: &Masters, senders: &[SyncSender<Batch>]) -> io::Result<()> {
    let gone = |_| io::Error::other("a master stopped taking writes");
    let mut batches: Vec<Batch> = senders.iter().map(|_| Batch::default()).collect();
    for command in Kind::ALL.into_iter().flat_map(|kind| load.commands(kind)) {
        let n = masters.of_key(&command.key)?;
        let args: Vec<&[u8]> = command.args.iter().map(Vec::as_slice).collect();
        encode(&mut batches[n].bytes, &args);
        batches[n].commands += 1;
        if batches[n].commands == COMMANDS_A_BATCH || batches[n].bytes.len() > BYTES_A_BATCH {
            senders[n]
                .send(std::mem::take(&mut batches[n]))
                .map_err(gone)?;
        }
    }
    for (sender, batch) in senders.iter().zip(batches) {
        sender.send(batch).map_err(gone)?;
    }
    Ok(())
}

/// Sends batches to one master and looks at every reply.
fn write(addr: &str, password: Option<&str>, batches: &Receiver<Batch>) -> io::Result<()> {
    let mut wire = connect(addr, password)?;
    for batch in batches {
        wire.send(&batch.bytes)?;
        for _ in 0..batch.commands {
            if let Reply::Error(text) = wire.read()? {
                return Err(io::Error::other(format!("{addr}: {text}")));
            }
        }
    }
    Ok(())
}

/// Which master owns which slot.
struct Masters {
    addrs: Vec<String>,
    owners: Vec<Option<usize>>,
}

impl Masters {
    fn of_key(&self, key: &[u8]) -> io::Result<usize> {
        let slot = Slot::of_key(key);
        self.owners[usize::from(slot.number())]
            .ok_or_else(|| io::Error::other(format!("slot {slot} has no owner")))
    }
}

fn masters(seed: &str, password: Option<&str>) -> io::Result<Masters> {
    let mut masters = Masters {
        addrs: Vec::new(),
        owners: vec![None; usize::from(SLOT_COUNT)],
    };
    let ranges = match connect(seed, password)?.ask(&["CLUSTER", "SLOTS"])? {
        Reply::Array(ranges) => ranges,
        // A server without cluster mode takes them all.
        Reply::Error(said) if said.contains("cluster support disabled") => {
            masters.addrs.push(seed.to_owned());
            masters.owners.fill(Some(0));
            return Ok(masters);
        }
        _ => return Err(io::Error::other(format!("{seed} is in no cluster"))),
    };
    for range in &ranges {
        let (first, last, addr) = slot_range(range, seed)
            .ok_or_else(|| io::Error::other(format!("{seed}: CLUSTER SLOTS reads {range}")))?;
        let known = masters.addrs.iter().position(|known| *known == addr);
        let owner = known.unwrap_or_else(|| {
            masters.addrs.push(addr);
            masters.addrs.len() - 1
        });
        masters
            .owners
            .get_mut(first..=last)
            .ok_or_else(|| io::Error::other(format!("{seed}: no such slots: {first}-{last}")))?
            .fill(Some(owner));
    }
    Ok(masters)
}

/// `[first, last, [host, port, ..], ..]`; a node without a name of its own is where the seed is.
fn slot_range(range: &Reply, seed: &str) -> Option<(usize, usize, String)> {
    let Reply::Array(parts) = range else {
        return None;
    };
    let [
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Array(master),
        ..,
    ] = &parts[..]
    else {
        return None;
    };
    let [host, Reply::Integer(port), ..] = &master[..] else {
        return None;
    };
    let host = Some(host.to_string()).filter(|host| !host.is_empty() && host != "?");
    let host = host.unwrap_or_else(|| {
        seed.rsplit_once(':')
            .map_or("", |(host, _)| host)
            .to_owned()
    });
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host
    };
    Some((
        usize::try_from(*first).ok()?,
        usize::try_from(*last).ok()?,
        format!("{host}:{port}"),
    ))
}

fn connect(addr: &str, password: Option<&str>) -> io::Result<Wire> {
    let mut wire = Wire::plain(addr, LIMIT)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot reach {addr}: {error}")))?;
    if let Some(password) = password {
        let answer = wire.ask(&["AUTH", password])?;
        answer
            .text()
            .map_err(|text| io::Error::other(format!("{addr}: {text}")))?;
    }
    Ok(wire)
}
