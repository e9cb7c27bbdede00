//! Signals: the first asks to stop and lets what was begun be put right; the second leaves at once.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

/// How a future ended.
pub enum Ended<T> {
    /// By itself.
    Done(T),
    /// Dropped, because of that signal's number (2 or 15).
    Stopped(i32),
}

/// Runs a future until it ends or SIGINT or SIGTERM comes; then it is dropped where it waits.
pub async fn until_signal<T>(future: impl Future<Output = T>) -> std::io::Result<Ended<T>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = future => Ok(Ended::Done(done)),
        _ = interrupt.recv() => Ok(Ended::Stopped(2)),
        _ = terminate.recv() => Ok(Ended::Stopped(15)),
    }
}

/// Runs what puts things right after a first signal. A second signal leaves the process at once,
/// after printing what is left to do by hand.
pub async fn unless_signalled_again<T>(future: impl Future<Output = T>, left_to_do: &str) -> T {
    let second = async {
        if let Ok(Ended::Stopped(number)) = until_signal(std::future::pending::<()>()).await {
            eprintln!("goodcache: stopped at once; left to do by hand: {left_to_do}");
            std::process::exit(128 + number);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = future => done,
        () = second => unreachable!("the second signal never returns"),
    }
}
