//! Which jemalloc a server runs with, asked where that matters.
//!
//! Only the one that servers bring along can be defragmented, and INFO names both alike
//! (`jemalloc-5.3.0`). Its own statistics tell them apart: servers configure theirs with a quantum of 8
//! (`--with-lg-quantum=3` in `deps/Makefile`), where the system's has 16. Seen on Redis 6.2.5, 7.0.15
//! (Debian) and 8.2 and Valkey 8.0 (Debian): those with 16 refuse `activedefrag yes`.

use super::error::NodeError;
use super::node::Node;

/// The quantum, in bytes; `None` where the statistics do not tell. They take some 50 KB and
/// milliseconds, so a node is asked only when memory is lost.
pub async fn quantum(node: &Node) -> Result<Option<u64>, NodeError> {
    let told = node.say("MEMORY MALLOC-STATS").await?;
    Ok(read(&told.text().unwrap_or_default()))
}

fn read(statistics: &str) -> Option<u64> {
    let mut lines = statistics.lines();
    let size = lines.find_map(|line| line.trim().strip_prefix("Quantum size:"))?;
    size.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantum_is_read() {
        let told = "Version: \"5.3.0-0-g54eaed1d\"\nArenas: 8\nQuantum size: 16\nPage size: 4096\n";
        assert_eq!(read(told), Some(16));
        assert_eq!(read("Stats not supported for the current allocator"), None);
    }
}
