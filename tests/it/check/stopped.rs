//! A check that is told to stop: by the exit code that belongs to the signal, at once, and with the
//! terminal as it was.

use std::time::{Duration, Instant};

use super::looking;
use crate::support::{Fleet, Server, Spec, Terminal, signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_goodcache");
const AT_ONCE: Duration = Duration::from_secs(3);

#[test]
fn a_watch_and_a_wait_end_at_sigterm() {
    let fleet = Fleet::cluster(3, 0);
    let waits = ["--wait", "healthy", "--fail-on", "warning"];
    for (more, sign) in [(&["--watch=300ms"][..], "SHARD"), (&waits[..], "waiting")] {
        let seed = fleet[0].addr();
        let mut args = vec!["check", &seed, "--sample", "0s"];
        args.extend(more);
        let mut terminal = Terminal::run(PROGRAM, &args);
        terminal.wait_for(sign);
        let begun = Instant::now();
        signal(terminal.pid(), "TERM");
        assert_eq!(terminal.wait(), 143, "{more:?}: {}", terminal.shown());
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        assert!(terminal.echoes());
        // Whatever moved is gone from its line, and the cursor was never hidden.
        let shown = terminal.shown();
        assert!(!shown.contains("\x1b[?25l"), "{shown:?}");
        let last = shown.rsplit(['\r', '\n']).next().unwrap();
        assert!(matches!(last, "" | "\x1b[2K"), "{shown:?}");
    }
    // Into a pipe it ends as well.
    let running = looking(&fleet, &waits).spawn();
    std::thread::sleep(Duration::from_millis(500));
    signal(running.pid(), "TERM");
    let outcome = running.wait().expect(143);
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_password_prompt_gives_the_terminal_back() {
    let server = Server::start_with(Spec {
        password: Some("kind old secret".into()),
        ..Spec::default()
    });
    let ask = || {
        let terminal = Terminal::run(PROGRAM, &["check", &server.addr(), "--sample", "0s"]);
        terminal.wait_for("password for");
        terminal
    };
    for (sent, code) in [("TERM", 143), ("INT", 130)] {
        let mut terminal = ask();
        crate::support::until("what is typed does not show", AT_ONCE, || {
            !terminal.echoes()
        });
        signal(terminal.pid(), sent);
        assert_eq!(terminal.wait(), code, "{}", terminal.shown());
        assert!(terminal.echoes(), "after SIG{sent}");
    }
    let mut terminal = ask();
    terminal.types("\x03");
    assert_eq!(terminal.wait(), 130, "{}", terminal.shown());
    assert!(terminal.echoes(), "after Ctrl-C");
    let mut terminal = ask();
    terminal.types("kind old secret\n");
    terminal.wait_for("slots.uncovered");
    assert_eq!(terminal.wait(), 3);
    assert!(!terminal.shown().contains("secret"), "{}", terminal.shown());
}
