//! Signals: the first asks to stop and lets what was begun be put right; the second leaves at once.

use std::future::{Future, pending};

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How a future ended.
pub enum Ended<T> {
    /// By itself.
    Done(T),
    /// Dropped, because of that signal's number (2 or 15).
    Stopped(i32),
}

/// SIGINT and SIGTERM from now on: one that comes between two futures is not lost.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Runs a future until it ends or a signal comes, or has come; then it is dropped where it waits.
    pub async fn until<T>(&mut self, future: impl Future<Output = T>) -> Ended<T> {
        tokio::select! {
            done = future => Ended::Done(done),
            _ = self.interrupt.recv() => Ended::Stopped(2),
            _ = self.terminate.recv() => Ended::Stopped(15),
        }
    }
}

/// Runs a future until it ends or SIGINT or SIGTERM comes; then it is dropped where it waits.
pub async fn until_signal<T>(future: impl Future<Output = T>) -> std::io::Result<Ended<T>> {
    Ok(Signals::listen()?.until(future).await)
}

/// Runs what puts things right after a first signal. A second signal leaves the process at once,
/// after printing what is left to do by hand.
pub async fn unless_signalled_again<T>(future: impl Future<Output = T>, left_to_do: &str) -> T {
    let second = async {
        if let Ok(Ended::Stopped(number)) = until_signal(pending::<()>()).await {
            eprintln!("goodcache: stopped at once; left to do by hand: {left_to_do}");
            std::process::exit(128 + number);
        }
        pending::<()>().await;
    };
    tokio::select! {
        done = future => done,
        () = second => unreachable!("the second signal never returns"),
    }
}

/// Asks somebody at the terminal. Whoever waits for an answer sees no signal, so that they are
/// awaited beside it: before the answer nothing was done, and the process leaves at once, with the
/// terminal as it was (a password is typed without echo).
pub fn while_asking<T>(asking: impl FnOnce() -> T) -> T {
    let Ok(runtime) = Handle::try_current() else {
        return asking();
    };
    let before = tcgetattr(std::io::stdin()).ok();
    let watching = runtime.spawn(async move {
        if let Ok(Ended::Stopped(number)) = until_signal(pending::<()>()).await {
            if let Some(before) = before {
                // It may be gone, and then there is nothing to restore.
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
            }
            eprintln!("\ngoodcache: interrupted before the answer; nothing was done");
            std::process::exit(128 + number);
        }
    });
    let answer = asking();
    watching.abort();
    answer
}
