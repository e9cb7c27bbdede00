//! Load files: what `tune --trial --load FILE` sends, a JSON object a line.
//!
//! ```text
//! # the shop on a Monday morning
//! {"command": "GET {key:session:*}", "weight": 70}
//! {"command": "SET {key:session:*} {value:400} EX 3600", "weight": 30}
//! ```
//!
//! Empty lines and those that begin with `#` are passed over. What is in braces, `ops` reads.

use std::path::Path;

use serde_json::{Map, Value};

use crate::cli::check::file_failure;
use crate::cli::exit::{Exit, Failure};
use crate::cli::nearest::nearest;
use crate::ops::tune::trial::{Load, Written};

/// A file that is larger is no list of commands with weights.
const MOST_BYTES: u64 = 1 << 20;
const KEYS: [&str; 2] = ["command", "weight"];

/// The load that was asked for: one of the two kinds, else a file.
pub fn load(given: Option<&Path>) -> Result<Load, Failure> {
    match given.and_then(Path::to_str) {
        None if given.is_none() => Ok(Load::Synthetic),
        Some("synthetic") => Ok(Load::Synthetic),
        Some("recorded") => Ok(Load::Recorded),
        _ => read(given.unwrap_or(Path::new(""))),
    }
}

fn read(path: &Path) -> Result<Load, Failure> {
    let fail = |error: &dyn std::fmt::Display| {
        let mut failure = file_failure("read the load", path, error);
        failure.exit = Exit::Usage;
        failure
    };
    let told = |error: &dyn std::fmt::Display| {
        fail(error).next("give --load synthetic, --load recorded, or a file of commands")
    };
    let size = std::fs::metadata(path).map_err(|error| told(&error))?.len();
    if size > MOST_BYTES {
        return Err(told(&"it is larger than 1 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    let lines = parse(&text).map_err(|why| {
        fail(&why).next(r#"a line is such as {"command": "GET {key:session:*}", "weight": 70}"#)
    })?;
    Ok(Load::File(lines))
}

/// Reads the lines; the error names the line.
fn parse(text: &str) -> Result<Vec<Written>, String> {
    let mut lines = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines.push(written(line).map_err(|why| format!("line {}: {why}", n + 1))?);
    }
    match lines.is_empty() {
        true => Err("it has no commands".to_owned()),
        false => Ok(lines),
    }
}

fn written(line: &str) -> Result<Written, String> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if let Some(strange) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(match nearest(strange, KEYS) {
            Some(nearest) => format!("'{strange}' is not known; did you mean '{nearest}'?"),
            None => format!("'{strange}' is not known; there are command and weight"),
        });
    }
    let command = object.get("command").and_then(Value::as_str);
    let command = command
        .ok_or("'command' is missing, or no text")?
        .to_owned();
    let weight = match object.get("weight") {
        None => 1.0,
        Some(weight) => weight
            .as_f64()
            .filter(|weight| *weight > 0.0 && *weight <= 1e9)
            .ok_or("'weight' is no number above 0")?,
    };
    Ok(Written { command, weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_weights_and_what_is_not_known_names_the_nearest() {
        let text =
            "# a shop\n\n{\"command\": \"GET a\", \"weight\": 7.5}\n{\"command\": \"PING\"}\n";
        let lines = parse(text).unwrap();
        let lines: Vec<_> = (lines.iter())
            .map(|line| (line.command.as_str(), line.weight))
            .collect();
        assert_eq!(lines, [("GET a", 7.5), ("PING", 1.0)]);
        for (text, why) in [
            ("", "no commands"),
            ("PING", "line 1: "),
            (
                "\n{\"comand\": \"PING\"}",
                "line 2: 'comand' is not known; did you mean 'command'?",
            ),
            (
                "{\"command\": \"PING\", \"wieght\": 1}",
                "did you mean 'weight'?",
            ),
            ("{\"weight\": 1}", "'command' is missing"),
            (
                "{\"command\": \"PING\", \"weight\": 0}",
                "no number above 0",
            ),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
