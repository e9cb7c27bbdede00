//! A failure of goodcache itself in the middle of a drill, so that a test can see what is put back
//! then. Debug builds only: in a release this file is not there.

use std::time::Duration;

use crate::host::journal::Journal;

/// Set, it lets every drill fail.
const ASKED_BY: &str = "DEBUG_PANIC_IN_DRILL";
/// Between two looks at the journal.
const PAUSE: Duration = Duration::from_millis(10);
/// The journal is written before the fault; so long after it the fault has struck.
const AFTER: Duration = Duration::from_millis(500);

/// The drill; it panics half-way where that is asked for.
pub(super) async fn failing<T>(drill: impl Future<Output = T>, journal: &Journal) -> T {
    if std::env::var_os(ASKED_BY).is_none() {
        return drill.await;
    }
    tokio::select! {
        ended = drill => ended,
        () = broken(journal) => panic!("{ASKED_BY} is set"),
    }
}

async fn broken(journal: &Journal) {
    while journal.entries().is_ok_and(|entries| entries.is_empty()) {
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(AFTER).await;
}
