//! A thread of its own, with a runtime of its own, for what must run by the clock: the probe load and
//! the watch of a drill.
//!
//! Whatever else the program does (reading surveys, drawing progress) cannot hold it up there. And it
//! is cheap: a runtime that shares tasks among threads wakes a second thread for nearly every answer
//! that comes, which costs more than the answer itself.

use std::thread;

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::task::JoinError;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A thread on which tasks run. Dropped, it ends, and every task on it.
pub(super) struct Aside {
    runtime: Handle,
    _end: DropGuard,
}

impl Aside {
    /// Starts one. Where no thread is to be had the caller's runtime does it instead, so this must
    /// be called within one.
    pub(super) fn start(name: &str) -> Aside {
        let end = CancellationToken::new();
        let runtime = run(name, end.clone()).unwrap_or_else(|_| Handle::current());
        Aside {
            runtime,
            _end: end.drop_guard(),
        }
    }

    /// What is spawned while the guard lives, runs on this thread. Not to be held over an await.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}

/// What a task came to; its panic goes on here. One that ends with its runtime never answers, and
/// nobody waits for it.
pub async fn finished<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(outcome) => outcome,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => std::future::pending().await,
    }
}

fn run(name: &str, end: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(end.cancelled()))?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn name_of_thread() -> Option<String> {
        thread::current().name().map(str::to_owned)
    }

    #[tokio::test]
    async fn tasks_run_aside_and_end_with_it() {
        let aside = Aside::start("aside");
        let (named, endless) = {
            let _entered = aside.enter();
            (
                tokio::spawn(name_of_thread()),
                tokio::spawn(std::future::pending::<()>()),
            )
        };
        assert_eq!(named.await.unwrap().as_deref(), Some("aside"));
        drop(aside);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
