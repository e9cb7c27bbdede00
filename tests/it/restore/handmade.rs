//! Snapshots made by hand: a base that a server saved, and a log of commands as a link brings them.

use std::fs;

use goodcache::archive::{
    Access, Consistency, Cost, Creation, FORMAT, Held, Kind, Manifest, More, Part, Repository, Run,
    Shard, Span,
};
use goodcache::model::SlotSet;
use goodcache::ops::backup::{Cutter, LogCutter, PieceSize};

use super::*;

/// The offset at which every log begins.
const BEGIN: u64 = 1000;

/// Commands, a line each, as they are on the wire.
pub fn wire(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        out.extend(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            out.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
    }
    out
}

/// What a server holds, as SAVE writes it.
pub fn dump(server: &Server) -> Vec<u8> {
    assert_eq!(server.cli(&["SAVE"]).trim(), "OK");
    fs::read(server.dir().join("dump.rdb")).unwrap()
}

/// Makes a snapshot of one shard in the stage's repository.
pub fn take(home: &Home, dump: &[u8], log: &[&str]) {
    take_wire(home, dump, &wire(log), log.len() as u64);
}

/// The same with a log as it is on the wire, of so many commands.
pub fn take_wire(home: &Home, dump: &[u8], log: &[u8], commands: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(taken(home, dump, (log, commands), ""));
}

/// A snapshot with those lines of ACL LIST.
pub fn take_with_users(home: &Home, dump: &[u8], users: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(taken(home, dump, (&[], 0), users));
}

async fn taken(home: &Home, dump: &[u8], (log, commands): (&[u8], u64), users: &str) {
    let access = Access {
        url: home.path().join("repository").display().to_string(),
        ..Access::default()
    };
    let creation = Creation {
        protection: None,
        cost: Cost {
            memory_kib: 64,
            passes: 1,
        },
        now_ms: now_ms(),
        ..Creation::default()
    };
    let repository = Repository::create_or_open(&access, &creation)
        .await
        .unwrap();
    let id = repository.name_snapshot(now_ms()).unwrap();
    let run = Run {
        started_at_ms: now_ms(),
        host: "here".to_owned(),
        pid: std::process::id(),
    };
    let writer = repository.begin(id.clone(), &run).await.unwrap();
    let mut cutter = Cutter::new(PieceSize {
        wanted: 4 << 10,
        most: 8 << 10,
    });
    for bytes in dump.chunks(1000) {
        cutter.push(bytes).unwrap();
    }
    let mut pieces: Vec<_> = std::iter::from_fn(|| cutter.piece()).collect();
    let (rest, mut contents) = cutter.finish().unwrap();
    pieces.extend(rest);
    let mut base = Vec::new();
    for piece in pieces {
        let put = writer.put(Some(0), Kind::base(), piece.seq, piece.raw, piece.held);
        base.push(put.await.unwrap());
    }
    let bytes = log.to_vec();
    let mut cutter = LogCutter::new(BEGIN, 1 << 20);
    cutter.push(&bytes, now_ms()).unwrap();
    let cut = BEGIN + bytes.len() as u64;
    assert_eq!(cutter.offset(), cut);
    cutter.finish().1.mark(&mut contents.table);
    let held = Held {
        entries: commands,
        span: Some(Span {
            first_offset: BEGIN,
            last_offset: cut,
            first_ms: now_ms(),
            last_ms: now_ms(),
        }),
        ..Held::default()
    };
    let put = writer
        .put(Some(0), Kind::log(), 0, bytes, held)
        .await
        .unwrap();
    let table = writer.put_slot_table(0, &contents.table).await.unwrap();
    let shard = Shard {
        slots: SlotSet::full(),
        shard_id: None,
        nodes: Vec::new(),
        read_from: None,
        replid: None,
        base_offset: BEGIN,
        cut_offset: cut,
        rdb: contents.rdb.clone(),
        base,
        log: vec![put],
        slot_table: Some(table),
        keys: contents.keys,
        expires: contents.expires,
        more: Shard::told(&contents.kinds, contents.used_memory()),
    };
    let mut parts = Vec::new();
    if !users.is_empty() {
        let kind = Kind::new("acl").unwrap();
        let bytes = users.as_bytes().to_vec();
        let put = writer.put(None, kind.clone(), 0, bytes, Held::default());
        let chunk = put.await.unwrap();
        parts.push(Part { kind, chunk });
    }
    let manifest = Manifest {
        format: FORMAT,
        id,
        goodcache: "0.1.0".to_owned(),
        cluster: "handmade".to_owned(),
        taken_at_ms: now_ms(),
        took_ms: 1,
        consistency: Consistency::Barrier,
        write_stall_us: None,
        servers: Vec::new(),
        shards: vec![shard],
        parts,
        modules: Default::default(),
        config: Default::default(),
        labels: Default::default(),
        more: More::new(),
    };
    writer.finish(&manifest).await.unwrap();
}

pub fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}
