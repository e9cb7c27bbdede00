//! The measured outage held against an observer of its own, which owes nothing to the code under test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;

/// Writes to a shard's nodes every two milliseconds, and remembers the longest time between two
/// writes that were taken.
fn observe(nodes: Vec<String>, key: String, until: Arc<AtomicBool>) -> Duration {
    let limit = Duration::from_millis(100);
    let mut wires: Vec<Option<Wire>> = nodes.iter().map(|_| None).collect();
    let (mut last, mut longest) = (None::<Instant>, Duration::ZERO);
    while !until.load(Ordering::Relaxed) {
        let next = Instant::now() + Duration::from_millis(2);
        let mut is_taken = false;
        for (wire, addr) in wires.iter_mut().zip(&nodes) {
            if wire.is_none() {
                *wire = Wire::plain(addr, limit).ok();
            }
            match wire
                .as_mut()
                .map(|wire| wire.ask(&["SET", &key, "x", "EX", "60"]))
            {
                Some(Ok(reply)) => is_taken |= reply.text().is_ok(),
                Some(Err(_)) => *wire = None,
                None => {}
            }
        }
        if is_taken {
            let now = Instant::now();
            longest = last.map_or(longest, |last| longest.max(now - last));
            last = Some(now);
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    longest
}

#[test]
fn the_outage_is_what_an_observer_sees_large() {
    let cluster = Drilled::of(1);
    let slot = |key: &str| goodcache::model::Slot::of_key(key.as_bytes());
    let key = (0..)
        .map(|n| format!("observed{n}"))
        .find(|key| u16::from(slot(key)) < 5000)
        .unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let (nodes, over) = (vec![cluster.addr(0), cluster.addr(3)], is_over.clone());
    let observer = std::thread::spawn(move || observe(nodes, key, over));
    let outcome = cluster.run(&["--fault", "kill"]);
    is_over.store(true, Ordering::Relaxed);
    let observed = observer.join().unwrap().as_secs_f64() * 1000.0;
    let report = sound(outcome);
    let measured = number(&report, "/outages/0/longest_ms");
    assert!(
        (measured - observed).abs() <= 20.0,
        "measured {measured} ms, observed {observed} ms: {report:#}"
    );
    assert_eq!(number(&report, "/outages/0/resolution_ms"), 5.0);
}
