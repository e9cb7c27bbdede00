//! Saved surveys: all that was seen, in a file that another day, or another machine, can judge.
//!
//! Written whole or not at all, and readable by its owner only: it holds no password, but it tells
//! much about a cluster.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::check::file_failure;
use super::exit::{Exit, Failure};
use crate::model::Survey;
use crate::ops::check::Report;
use crate::render;

/// The form of the file.
const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<S> {
    schema: u32,
    survey: S,
}

/// Writes a survey.
pub fn write(path: &Path, survey: &Survey) -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| file_failure("save the survey to", path, error);
    let text = serde_json::to_vec_pretty(&Saved {
        schema: SCHEMA,
        survey,
    })
    .map_err(|e| fail(&e))?;
    write_whole(path, &text).map_err(|e| fail(&e))?;
    Ok(())
}

/// Writes a file whole or not at all, readable by its owner only.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Only what happened: the whole error also names the file that would have been renamed.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| e.kind())?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// What an earlier check left behind.
pub enum Earlier {
    /// All that was seen: it is judged anew, by today's rules and limits.
    Survey(Box<Survey>),
    /// What was made of it then, from `-o json`.
    Report(Box<Report>),
}

/// Reads a survey back.
pub fn read(path: &Path) -> Result<Survey, Failure> {
    survey(path, &bytes(path)?)
}

/// Reads whatever an earlier check left behind, a survey or an answer in JSON.
pub fn read_earlier(path: &Path) -> Result<Earlier, Failure> {
    let bytes = bytes(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if let Ok(report) = render::json::open::<Report>("check", &text) {
        return Ok(Earlier::Report(Box::new(report)));
    }
    // With --against the report has what changed for a neighbour.
    if let Ok(both) = render::json::open::<Compared>("check", &text) {
        return Ok(Earlier::Report(both.report));
    }
    Ok(Earlier::Survey(Box::new(survey(path, &bytes)?)))
}

/// The report of a check that compared.
#[derive(Deserialize)]
struct Compared {
    report: Box<Report>,
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| file_failure("read the survey", path, e))
}

fn survey(path: &Path, bytes: &[u8]) -> Result<Survey, Failure> {
    let not_one = |why: String| {
        let mut failure = file_failure("read the survey", path, why);
        failure.exit = Exit::Usage;
        failure.next("a survey is written by goodcache check --save-survey FILE")
    };
    let head: Saved<serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|e| not_one(e.to_string()))?;
    if head.schema != SCHEMA {
        return Err(not_one(format!(
            "it has schema {}, and this goodcache knows {SCHEMA} only",
            head.schema
        )));
    }
    serde_json::from_value(head.survey).map_err(|e| not_one(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_told_without_the_name_of_a_file_that_nobody_gave() {
        let folder = tempfile::Builder::new().prefix("saved").tempdir().unwrap();
        let path = folder.path().join("missing/survey.json");
        let failure = write(&path, &Survey::default()).unwrap_err();
        let text = failure.text();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(!text.contains(".tmp"), "{text}");
    }
}
