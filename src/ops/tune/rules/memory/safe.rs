//! The formula of the memory limit: what a node may hold so that its machine still has room for what
//! is not counted. Numbers in, number out; where they come from is the story of `budget`.

use crate::model::words::bytes;
use crate::ops::tune::form;

/// What the formula takes; all sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reserves {
    /// What the node may take of its machine in all.
    pub limit: u64,
    /// The process itself: code, tables, its child's own needs.
    pub fixed: u64,
    /// The replication backlog.
    pub backlog: u64,
    /// Buffers of ordinary clients.
    pub clients: u64,
    /// Buffers of replicas beyond the backlog.
    pub replicas: u64,
    /// The buffer of the append-only file.
    pub aof: u64,
    /// Resident bytes for each byte in use, 1.05 to 1.5.
    pub fragmentation: f64,
    /// The share of the memory that a forked child makes the kernel copy while writes go on; 0 where
    /// nothing ever forks.
    pub copied: f64,
}

impl Reserves {
    fn taken(&self) -> u64 {
        let parts = [
            self.fixed,
            self.backlog,
            self.clients,
            self.replicas,
            self.aof,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    fn factor(&self) -> f64 {
        self.fragmentation * (1.0 + self.copied)
    }
}

/// The largest limit that is safe, in whole MiB; `None` where the reserves leave none.
pub fn safe_maxmemory(reserves: &Reserves) -> Option<u64> {
    let rest = reserves.limit.checked_sub(reserves.taken())?;
    let safe = form::whole_mib((rest as f64 / reserves.factor()) as u64);
    (safe > 0).then_some(safe)
}

/// What a machine must have so that this much is safe: the formula turned round, in bytes.
pub fn needed(reserves: &Reserves, maxmemory: u64) -> u64 {
    let resident = maxmemory as f64 * reserves.factor();
    (resident as u64).saturating_add(reserves.taken())
}

/// The formula with the numbers put in.
pub fn formula(reserves: &Reserves) -> String {
    let parts = [
        (reserves.fixed, "for the process"),
        (reserves.backlog, "backlog"),
        (reserves.clients, "client buffers"),
        (reserves.replicas, "replica buffers"),
        (reserves.aof, "append-only buffer"),
    ];
    let taken: String = (parts.iter())
        .filter(|(size, _)| *size > 0)
        .map(|(size, what)| format!(" - {} {what}", bytes(*size)))
        .collect();
    let safe = safe_maxmemory(reserves).map_or_else(|| "nothing".to_owned(), bytes);
    format!(
        "({}{taken}) / ({:.2} fragmentation x {:.2} copy-on-write) = {safe}",
        bytes(reserves.limit),
        reserves.fragmentation,
        1.0 + reserves.copied,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn plain() -> Reserves {
        Reserves {
            limit: 4 * GIB,
            fixed: 100 * MIB,
            backlog: MIB,
            clients: 0,
            replicas: 0,
            aof: 0,
            fragmentation: 1.05,
            copied: 0.25,
        }
    }

    #[test]
    fn the_formula_with_numbers() {
        let with = |change: &dyn Fn(&mut Reserves)| {
            let mut reserves = plain();
            change(&mut reserves);
            safe_maxmemory(&reserves).map(|safe| safe / MIB)
        };
        // (4096 - 101) / 1.3125 = 3043.8
        assert_eq!(with(&|_| {}), Some(3043));
        // Nothing forks: (4096 - 101) / 1.05 = 3804.8
        assert_eq!(with(&|r| r.copied = 0.0), Some(3804));
        // Write heavy and fragmented: 3995 / (1.5 * 1.5) = 1775.6
        let heavy = |r: &mut Reserves| {
            r.copied = 0.5;
            r.fragmentation = 1.5;
        };
        assert_eq!(with(&heavy), Some(1775));
        // (4096 - 100 - 1024 - 128 - 64 - 32) / 1.3125 = 2093.7
        let buffers = |r: &mut Reserves| {
            r.backlog = GIB;
            r.clients = 128 * MIB;
            r.replicas = 64 * MIB;
            r.aof = 32 * MIB;
        };
        assert_eq!(with(&buffers), Some(2093));
        assert_eq!(with(&|r| r.limit = 100 * MIB), None);
        assert_eq!(with(&|r| r.limit = 102 * MIB), None);
        assert_eq!(with(&|r| r.clients = u64::MAX), None);
    }

    #[test]
    fn what_is_needed_is_the_formula_turned_round() {
        let needed = needed(&plain(), 3043 * MIB);
        let back = Reserves {
            limit: needed + MIB,
            ..plain()
        };
        assert_eq!(safe_maxmemory(&back), Some(3043 * MIB));
    }

    #[test]
    fn the_formula_shows_what_it_takes() {
        assert_eq!(
            formula(&plain()),
            "(4.00 GiB - 100 MiB for the process - 1.00 MiB backlog) / (1.05 fragmentation x 1.25 copy-on-write) = 2.97 GiB"
        );
    }
}
