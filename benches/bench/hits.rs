//! What share of reads finds its key while a cluster is being filled, seen by asking.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use goodcache::model::Slot;

use crate::replay::master_of;
use crate::support::resp::encode;
use crate::support::{Fleet, Reply, Wire};

/// Reads in one look, and the pause between two looks.
const READS: usize = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// One look.
pub struct Look {
    /// When it was over, from the beginning on.
    pub at: Duration,
    /// What share of its reads found their key.
    pub share: f64,
}

/// Asks for some of those reads again and again until it is told to stop.
pub fn watch(fleet: &Fleet, reads: &[&Vec<u8>], is_over: &AtomicBool) -> Vec<Look> {
    let connect =
        |server: &crate::support::Server| server.connect().expect("a server that answers");
    let mut wires: Vec<Wire> = fleet.iter().map(connect).collect();
    let start = Instant::now();
    let (mut looks, mut seed) = (Vec::new(), 7_u64);
    while !is_over.load(Ordering::Relaxed) {
        let chosen = (0..READS).map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            reads[(seed >> 33) as usize % reads.len()].as_slice()
        });
        let found = found(&mut wires, chosen);
        looks.push(Look {
            at: start.elapsed(),
            share: found as f64 / READS as f64,
        });
        std::thread::sleep(PAUSE);
    }
    looks
}

/// When that share was reached for good: it is never below in any later look.
pub fn reached(looks: &[Look], share: f64) -> Option<Duration> {
    let last_below = looks.iter().rposition(|look| look.share < share);
    let first = last_below.map_or(0, |at| at + 1);
    looks.get(first).map(|look| look.at)
}

fn found<'a>(wires: &mut [Wire], keys: impl Iterator<Item = &'a [u8]>) -> usize {
    let masters = wires.len();
    let mut asked = vec![(Vec::new(), 0); masters];
    for key in keys {
        let slot = usize::from(Slot::of_key(key).number());
        let (bytes, count) = &mut asked[master_of(slot, masters)];
        encode(bytes, &[b"EXISTS", key]);
        *count += 1;
    }
    for (wire, (bytes, _)) in wires.iter_mut().zip(&asked) {
        wire.send(bytes).expect("a server that reads");
    }
    let mut found = 0;
    for (wire, (_, count)) in wires.iter_mut().zip(&asked) {
        for _ in 0..*count {
            let answer = wire.read().expect("a server that answers");
            found += usize::from(answer == Reply::Integer(1));
        }
    }
    found
}
