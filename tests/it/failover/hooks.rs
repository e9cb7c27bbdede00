//! Drills through the user's own commands.

use super::*;

fn settings(cluster: &Drilled, hooks: &str) {
    let text = format!(
        "default: {NAME}\nclusters:\n  {NAME}:\n    nodes: ['{}']\n    hooks:\n{hooks}",
        cluster.addr(1)
    );
    cluster.home.file("goodcache.yaml", &text);
}

/// The process that listens on the node's port, by the pid file that create keeps.
const PID: &str = "$(cat $HOME/state/goodcache/data/drilled/$GOODCACHE_NODE_PORT/pid)";

#[test]
fn the_users_own_commands_break_nodes_and_put_them_back() {
    let cluster = Drilled::of(1);
    settings(
        &cluster,
        &format!(
            "      pause: kill -STOP {PID}; echo froze $GOODCACHE_NODE_ROLE of $GOODCACHE_SHARD\n      \
             resume: kill -CONT {PID}\n"
        ),
    );
    let report = sound(cluster.run(&["--fault", "pause", "--via", "hooks"]));
    expect_promotion(&report, &cluster.addr(0));
    cluster.expect_whole();
}

#[test]
fn a_hook_that_fails_or_hangs_or_is_missing_ends_the_drill_and_tells_why() {
    let cluster = Drilled::of(1);
    settings(
        &cluster,
        "      stop: echo no such host >&2; exit 7\n      start: 'true'\n      kill: sleep 60\n      deadline: 1s\n",
    );
    let failed = cluster
        .run(&["--fault", "stop", "--via", "hooks"])
        .expect(6);
    assert!(failed.stderr.contains("no such host"), "{}", failed.stderr);
    let hung = cluster
        .run(&["--fault", "kill", "--via", "hooks"])
        .expect(6);
    assert!(
        hung.stderr.contains("took longer than 1.00 s"),
        "{}",
        hung.stderr
    );
    let missing = cluster
        .run(&["--fault", "isolate", "--via", "hooks"])
        .expect(5);
    assert!(
        missing.stderr.contains("hooks.isolate"),
        "{}",
        missing.stderr
    );
    assert!(!cluster.is_broken());
}
