//! Recorded drills: all that was measured, in a file that can be judged again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write_file;
use crate::cli::check::file_failure;
use crate::cli::exit::{Exit, Failure};
use crate::model::Recording;

/// The form of the file.
const SCHEMA: u32 = 1;
/// How one comes by such a file.
const HOW: &str = "record a drill with: goodcache failover-test NAME --record FILE";

#[derive(Serialize, Deserialize)]
struct Recorded<R> {
    schema: u32,
    drill: R,
}

/// Writes a drill.
pub fn write(path: &Path, drill: &Recording) -> Result<(), Failure> {
    let text = serde_json::to_vec(&Recorded {
        schema: SCHEMA,
        drill,
    });
    let text = text.map_err(|error| file_failure("record the drill in", path, error))?;
    write_file(path, &text)
}

/// Reads one back.
pub fn read(path: &Path) -> Result<Recording, Failure> {
    let unread = |why: &dyn std::fmt::Display| file_failure("read the recorded drill", path, why);
    let bytes = std::fs::read(path).map_err(|error| unread(&error).next(HOW))?;
    if is_answer(&bytes) {
        return Err(unread(&"it is an answer (-o json), not a recording").next(HOW));
    }
    let recorded: Recorded<Recording> =
        serde_json::from_slice(&bytes).map_err(|error| unread(&error).next(HOW))?;
    if recorded.schema != SCHEMA {
        let told = anyhow::anyhow!(
            "{} has schema {}, and this goodcache knows {SCHEMA} only",
            path.display(),
            recorded.schema
        );
        return Err(
            Failure::new(Exit::Failed, told).next("judge it with the goodcache that wrote it")
        );
    }
    Ok(recorded.drill)
}

/// Whether it is what `-o json` writes, of whatever command: the two are easily mixed up.
fn is_answer(bytes: &[u8]) -> bool {
    let value = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    value.get("report").is_some() && value.get("command").is_some()
}
