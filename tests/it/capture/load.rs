//! An application that writes at full speed while a slowed snapshot is taken.

use super::*;

#[test]
fn a_slowed_capture_costs_an_application_nothing_and_fills_no_buffer() {
    let stage = Stage::of(3, 1);
    stage.sow(200);
    stage.slow(Duration::from_millis(5));
    let keys = ["x", "y", "z", "w"];
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<JoinHandle<u64>> = keys
        .into_iter()
        .map(|key| {
            let (mut wire, over) = (stage.owner(key).connect().unwrap(), over.clone());
            std::thread::spawn(move || {
                let pad = "p".repeat(100);
                let mut count = 0;
                while !over.load(Ordering::Relaxed) {
                    let pad = format!("{pad}{count}");
                    wire.ask(&["SET", &format!("{{{key}}}pad"), &pad]).unwrap();
                    wire.ask(&["INCR", key]).unwrap().text().unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let running = stage.backup(&["--from", "replicas", "--parallel", "1", "--rate", "20KiB"]);
    let running = running.spawn();
    let (mut most, mut seen) = (0, 0);
    let mut wires: Vec<_> = (3..6).map(|n| stage.fleet[n].connect().unwrap()).collect();
    while is_alive(running.pid()) {
        for wire in &mut wires {
            let listed = wire.ask(&["CLIENT", "LIST", "TYPE", "replica"]).unwrap();
            for memory in listed.text().unwrap().lines().filter_map(omem) {
                most = most.max(memory);
                seen += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = running.wait();
    over.store(true, Ordering::Relaxed);
    let counts: Vec<u64> = writers
        .into_iter()
        .map(|writer| writer.join().unwrap())
        .collect();
    let outcome = outcome.expect(0);
    for (key, count) in keys.iter().zip(&counts) {
        let wires = stage.fleet.iter().take(3);
        let mut values = wires.filter_map(|server| server.ask(&["GET", key]).unwrap().text().ok());
        assert_eq!(values.next().unwrap(), count.to_string());
    }
    assert!(
        seen > 10 && most < 1 << 20,
        "{most} bytes at most, seen {seen} times"
    );
    let log = snapshot(&outcome)["log_bytes"].as_u64().unwrap();
    assert!(
        log > 1 << 20,
        "{log} bytes of log: too few to prove anything"
    );
    stage.proven(&outcome);
    stage.expect_as_before();
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn omem(line: &str) -> Option<u64> {
    let mut words = line.split(' ');
    words
        .find_map(|word| word.strip_prefix("omem="))?
        .parse()
        .ok()
}
