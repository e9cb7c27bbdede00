//! Two that would follow one cluster into one repository: one does, and the other takes over.

use super::*;

/// What a run said on stderr so far lies in a file.
impl Stage {
    /// A follower whose words can be read while it runs.
    fn second(&self) -> (Running, PathBuf) {
        let said = self.home.path().join("second.log");
        let (addr, url) = (self.cluster(), self.folder().display().to_string());
        let program = env!("CARGO_BIN_EXE_goodcache");
        let line = format!(
            "exec {program} backup {addr} --follow --repo {url} -o json 2>{}",
            said.display()
        );
        let run = self.home.program("sh", &["-c", &line]);
        (run.within(LIMIT * 2).spawn(), said)
    }
}

fn says(said: &Path, what: &str) {
    until(&format!("it says: {what}"), LIMIT, || {
        fs::read_to_string(said).is_ok_and(|text| text.contains(what))
    });
}

fn leases(stage: &Stage) -> Vec<PathBuf> {
    let folders = fs::read_dir(stage.folder().join("leases"));
    let files = folders.into_iter().flatten().flatten();
    let files = files.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
    files.flatten().map(|file| file.path()).collect()
}

#[test]
fn a_second_follower_waits_and_takes_over_from_one_that_was_killed() {
    let stage = Stage::of(1, 0);
    let mut first = stage.follow(&[]);
    let pid = first.pid().to_string();
    stage.wait_for(&stage.fleet[0], "one", "1");
    let (second, said) = stage.second();
    says(&said, &format!("process {pid} on "));
    says(&said, "follows this cluster into the repository since 20");
    // It waits: nothing was begun, and the first goes on alone.
    stage.wait_for(&stage.fleet[0], "two", "2");
    assert_eq!((stage.bases(), leases(&stage).len()), (1, 1));
    first.kill();
    drop(first);
    says(&said, "is not there any more: following instead of it");
    says(&said, "goes on; it is stored up to");
    stage.wait_for(&stage.fleet[0], "three", "3");
    stop(second);
    // Whoever comes next need not wait.
    assert_eq!(leases(&stage), Vec::<PathBuf>::new());
    let played = stage.played(&stage.last_moment());
    let set: Vec<String> = writes(&played)
        .filter(|words| words[0] == "SET")
        .map(|words| words[1].clone())
        .collect();
    assert_eq!(set, ["one", "two", "three"]);
    assert_eq!((stage.lines().len(), stage.bases()), (1, 1));
}

#[test]
fn a_follower_that_was_not_heard_of_is_replaced_and_stops_when_it_wakes() {
    let stage = Stage::of(1, 0);
    let first = stage.follow(&[]);
    stage.wait_for(&stage.fleet[0], "one", "1");
    let (second, said) = stage.second();
    says(&said, "waiting, to take over");
    signal(first.pid(), "STOP");
    // It runs, as far as anybody can see: only its silence tells.
    says(&said, "following instead of it");
    signal(first.pid(), "CONT");
    let ended = first.wait().expect(1);
    assert!(
        ended
            .stderr
            .contains(&format!("process {} on ", second.pid())),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("leave it to that one"),
        "{}",
        ended.stderr
    );
    stage.wait_for(&stage.fleet[0], "two", "2");
    stop(second);
    assert_eq!(leases(&stage), Vec::<PathBuf>::new());
}
