//! The last drill of each cluster, kept beside its profile: `tune --resilience` advises by it.
//!
//! It is what `-o json` writes. It is readable by its owner only, as saved surveys are.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Running;
use crate::host::journal::Journal;
use crate::model::Recording;
use crate::ops::failover::Report;
use crate::render;

impl Running<'_> {
    /// Keeps the report; that it cannot be kept fails no drill.
    pub(super) fn keep_last(&self, recording: &Recording, report: &Report) {
        let Some(profiles) = &self.layers.profiles else {
            return;
        };
        let folder = profiles.reports_folder();
        let kept = keep(&folder, &self.name(), recording.taken_at_ms, report);
        if let Err(error) = kept {
            self.screen.say(&format!(
                "goodcache: {error:#}; tune --resilience will not know of this drill"
            ));
        }
    }
}

/// Where the last report of that cluster lies.
pub fn path(folder: &Path, cluster: &str) -> PathBuf {
    // A journal's name is safe for any cluster's: `shop.drill.json` gives `shop.report.json`.
    let journal = Journal::of(folder, cluster);
    let stem = journal.path().with_extension("");
    stem.with_extension("report.json")
}

/// Keeps a report in place of the one before.
fn keep(folder: &Path, cluster: &str, taken_at_ms: u64, report: &Report) -> anyhow::Result<()> {
    let path = path(folder, cluster);
    let told = || format!("could not keep the report in {}", path.display());
    let text = render::json::envelope("failover-test", Some(taken_at_ms), report);
    std::fs::create_dir_all(folder).with_context(told)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(told)?;
    file.write_all(text.as_bytes()).with_context(told)?;
    file.persist(&path).with_context(told)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_and_never_leave_the_folder() {
        let folder = Path::new("/s/reports");
        assert_eq!(path(folder, "shop"), folder.join("shop.report.json"));
        assert_eq!(path(folder, "a.b"), folder.join("a.b.report.json"));
        let odd = path(folder, "../127.0.0.1:7001");
        assert_eq!(odd.parent(), Some(folder));
        assert_ne!(odd, path(folder, "../127.0.0.1_7001"));
    }
}
