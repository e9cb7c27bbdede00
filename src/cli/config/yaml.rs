//! YAML files: read whole, and what the reader says of a mistake put into our words.

use std::path::Path;

use crate::cli::exit::Failure;
use crate::cli::nearest::nearest;

/// Reads a YAML file; an empty one says nothing.
pub(in crate::cli) fn read_yaml<T: Default + serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<T, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    // Read as a plain value first: only so are the doubles in a map of names seen.
    serde_yaml::from_str::<serde_yaml::Value>(&text)
        .and_then(|_| serde_yaml::from_str(&text))
        .map_err(|error| unreadable(path, &explain(&error)))
}

pub(super) fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("could not read {}: {why}", path.display()))
}

/// What the YAML reader says, in our words where it is about a key.
fn explain(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let Some((before, after)) = text.split_once("unknown field `") else {
        return with_nearest_word(&text);
    };
    let (key, rest) = after.split_once('`').unwrap_or((after, ""));
    let place = error
        .location()
        .map(|at| format!("line {} column {}: ", at.line(), at.column()))
        .unwrap_or_default();
    let section = before.trim_end_matches([':', ' ']);
    let key = match section {
        "" => key.to_string(),
        section => format!("{section}.{key}"),
    };
    let last = key.rsplit('.').next().unwrap_or(&key);
    let secret = match last {
        "password" | "pass" | "requirepass" | "masterauth" | "auth" => Some("password"),
        "passphrase" => Some("passphrase"),
        _ => None,
    };
    if let Some(secret) = secret {
        return format!(
            "{place}'{key}' is refused, since settings files are committed and copied; \
             write the {secret} to a file of its own and name it in {secret}_file"
        );
    }
    // Every second piece between backquotes is the name of a key.
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    match nearest(last, known.iter().copied()) {
        Some(near) => format!("{place}unknown key '{key}'; did you mean '{near}'?"),
        None => format!(
            "{place}unknown key '{key}'; known here: {}",
            known.join(", ")
        ),
    }
}

/// A word out of a list that does not have it, with the one that was probably meant.
fn with_nearest_word(text: &str) -> String {
    let told = in_plain_words(text);
    let Some((_, rest)) = text.split_once("unknown variant `") else {
        return told;
    };
    let mut words = rest.split('`').step_by(2);
    let word = words.next().unwrap_or_default();
    match nearest(word, words) {
        Some(near) => format!("{told}; did you mean '{near}'?"),
        None => told,
    }
}

/// The reader's words for what it found and wanted, which are those of its language.
const PLAIN: [(&str, &str); 11] = [
    (
        "expected struct Config",
        "expected sections such as clusters and check",
    ),
    ("expected a map", "expected keys with values"),
    ("expected struct ", "expected keys with values, as under "),
    (
        "expected a sequence",
        "expected a list, such as [10.0.0.1:7001, 10.0.0.2:7001]",
    ),
    ("invalid type: sequence", "a list does not fit here"),
    ("invalid type: map", "keys with values do not fit here"),
    ("invalid type: unit value", "nothing is written here"),
    ("invalid type: string ", "the text does not fit here: "),
    ("invalid type: ", "this does not fit here: "),
    ("unknown variant ", "unknown word "),
    ("duplicate entry with key ", "written twice: "),
];

fn in_plain_words(text: &str) -> String {
    PLAIN.iter().fold(text.to_string(), |text, (theirs, ours)| {
        text.replace(theirs, ours)
    })
}
