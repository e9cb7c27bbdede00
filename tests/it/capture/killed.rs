//! However a capture ends, the repository stays valid and the cluster is as before, at the latest after
//! the next run.

use super::*;

#[test]
fn killed_at_twenty_moments_it_leaves_a_valid_repository_and_no_pause() {
    let stage = Stage::of(3, 1);
    stage.sow(20);
    stage.backup(&[]).run().expect(0);
    stage.slow(Duration::from_millis(15));
    let whole = stage.backup(&[]).run().expect(0).elapsed;
    let mut taken = 2;
    for moment in 1..=20 {
        let mut running = stage.backup(&[]).spawn();
        std::thread::sleep(whole * moment / 20);
        running.kill();
        drop(running);
        stage.expect_no_pause();
        let repository = stage.repository();
        let snapshots = run(repository.snapshots()).unwrap();
        for id in &snapshots {
            let verified = run(repository.verify_objects(id, true)).unwrap();
            assert_eq!((verified.faults, verified.strays), (vec![], vec![]));
        }
        taken = snapshots.len();
        if moment % 5 == 0 {
            let outcome = stage.backup(&[]).run().expect(0);
            let may_live = "swept what an interrupted run left";
            assert!(!outcome.stderr.contains(may_live), "{}", outcome.stderr);
            stage.proven(&outcome);
            stage.expect_as_before();
            taken += 1;
        }
    }
    assert!((6..=26).contains(&taken), "{taken}");
}

#[test]
fn interrupted_it_puts_everything_back_and_the_next_run_sweeps() {
    let stage = Stage::of(3, 1);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&["--parallel", "1"]).spawn();
    let held = stage.hold_base();
    running.interrupt();
    let outcome = running.wait().expect(130);
    drop(held);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("no snapshot was taken"),
        "{}",
        outcome.stderr
    );
    stage.expect_as_before();
    assert_eq!(run(stage.repository().snapshots()).unwrap(), []);
    stage.slow(Duration::ZERO);
    let next = stage.backup(&[]).run().expect(0);
    assert!(
        next.stderr.contains("swept what an interrupted run left"),
        "{}",
        next.stderr
    );
    let data = fs::read_dir(stage.folder().join("data")).unwrap();
    assert_eq!(data.count(), 1);
    stage.proven(&next);
}
