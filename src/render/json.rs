//! JSON: the same envelope around every report, and the way back.
//!
//! `schema` changes only when a key goes or changes its meaning; keys are added freely, so a reader
//! passes over those that it does not know.

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::human;
use super::plain::is_acting;

/// The version of the form.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Envelope<'a, T> {
    schema: u32,
    command: &'a str,
    goodcache: &'a str,
    taken_at: Option<String>,
    report: &'a T,
}

#[derive(Deserialize)]
struct Sealed {
    schema: u32,
    command: String,
    report: serde_json::Value,
}

/// A report as pretty JSON with a line break at its end. `taken_at_ms` is when the cluster was
/// looked at, in ms since the epoch.
pub fn envelope(command: &str, taken_at_ms: Option<u64>, report: &impl Serialize) -> String {
    let envelope = Envelope {
        schema: SCHEMA,
        command,
        goodcache: env!("CARGO_PKG_VERSION"),
        taken_at: taken_at_ms.map(human::timestamp),
        report,
    };
    // Our reports are structs with string keys; serde_json cannot refuse them.
    let json = serde_json::to_string_pretty(&envelope).unwrap_or_default();
    escape_acting(&json) + "\n"
}

/// Reads the report out of an earlier `-o json` of that command.
pub fn open<T: DeserializeOwned>(command: &str, text: &str) -> anyhow::Result<T> {
    let sealed: Sealed = serde_json::from_str(text)
        .with_context(|| format!("this is not what goodcache {command} -o json writes"))?;
    if sealed.schema != SCHEMA {
        bail!(
            "it has schema {}, this goodcache reads schema {SCHEMA}: use the goodcache that wrote it",
            sealed.schema
        );
    }
    if sealed.command != command {
        bail!(
            "it is the answer of goodcache {}, not of goodcache {command}",
            plain_word(&sealed.command)
        );
    }
    serde_json::from_value(sealed.report)
        .with_context(|| format!("the report of goodcache {command} in it cannot be read"))
}

fn plain_word(word: &str) -> String {
    super::plain::clean(word).chars().take(40).collect()
}

/// serde_json leaves C1 controls, DEL and direction marks as they are; a terminal acts on them.
/// They stand inside strings only, where an escape means the same.
fn escape_acting(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_acting(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_no_terminal_acts_on_it() {
        let report = BTreeMap::from([("name", "a\u{9b}31m\u{202e}b\u{1b}\n\u{7f}")]);
        let json = envelope("check", Some(1_795_384_800_042), &report);
        assert!(json.starts_with("{\n  \"schema\": 1,\n  \"command\": \"check\""));
        assert!(json.contains("\"taken_at\": \"2026-11-22T22:00:00.042Z\""));
        assert!(!json.chars().any(|c| c != '\n' && is_acting(c)), "{json:?}");
        let back: BTreeMap<String, String> = open("check", &json).unwrap();
        assert_eq!(back["name"], report["name"]);
    }

    #[test]
    fn what_is_something_else_is_named() {
        for (text, why) in [
            ("nonsense", "not what goodcache check -o json writes"),
            (r#"{"schema":2,"command":"check","report":{}}"#, "schema 2"),
            (
                r#"{"schema":1,"command":"tune","report":{}}"#,
                "answer of goodcache tune",
            ),
            (
                r#"{"schema":1,"command":"check","report":3}"#,
                "cannot be read",
            ),
        ] {
            let error = open::<BTreeMap<String, String>>("check", text).unwrap_err();
            assert!(format!("{error:#}").contains(why), "{text}: {error:#}");
        }
    }
}
