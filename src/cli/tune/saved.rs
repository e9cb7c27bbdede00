//! Saved evidence: what `tune --from` judges again, also from a survey that `check` saved.

use std::path::Path;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use crate::cli::check::file_failure;
use crate::cli::exit::{Exit, Failure};
use crate::cli::saved;
use crate::model::Evidence;

/// The form of the file.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<E> {
    schema: u32,
    evidence: E,
}

/// Writes evidence.
pub fn write(path: &Path, evidence: &Evidence) -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| file_failure("save the evidence to", path, error);
    let saved = Saved {
        schema: SCHEMA,
        evidence,
    };
    let text = serde_json::to_vec_pretty(&saved).map_err(|error| fail(&error))?;
    saved::write_whole(path, &text).map_err(|error| fail(&error))
}

/// Reads evidence back; a survey alone is evidence too.
pub fn read(path: &Path) -> Result<Evidence, Failure> {
    let fail = |error: &dyn std::fmt::Display| file_failure("read the evidence", path, error);
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    match serde_json::from_str::<Saved<Evidence>>(&text) {
        Ok(saved) if saved.schema == SCHEMA => Ok(saved.evidence),
        Ok(saved) => {
            let what = format!(
                "its form is {}, and this goodcache knows {SCHEMA}",
                saved.schema
            );
            Err(Failure::new(Exit::Failed, anyhow!(what))
                .next("use the goodcache that wrote it, or look again"))
        }
        Err(error) => {
            match saved::read(path) {
                Ok(survey) => Ok(Evidence {
                    survey,
                    ..Evidence::default()
                }),
                Err(_) => Err(fail(&error)
                    .next("give what tune --save-evidence or check --save-survey wrote")),
            }
        }
    }
}
