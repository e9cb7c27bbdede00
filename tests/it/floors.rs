//! Holds the source to its floors: imports go down only, rooms on one floor do not know each other,
//! and each outside crate stays behind its fence.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms by floor, from the ground up. `rdb` knows of `model` what a slot is, and nothing else.
const FLOORS: [&[&str]; 6] = [
    &["model"],
    &["rdb"],
    &["cluster", "host", "archive", "health"],
    &["ops"],
    &["render"],
    &["cli"],
];

/// The one arrow between rooms of ops: restore reads what backup wrote.
const READS_WHAT_IT_WROTE: (&str, &str) = ("restore", "backup");

/// Who may name which outside crate: beginnings of paths under `src/`.
const FENCES: [(&str, &[&str]); 7] = [
    ("redis", &["cluster/"]),
    ("bollard", &["host/docker"]),
    ("object_store", &["archive/"]),
    ("comfy_table", &["render/terminal"]),
    ("indicatif", &["cli/progress"]),
    ("clap", &["cli/"]),
    (
        "serde_yaml",
        &[
            "cli/config",
            "cli/profile",
            "host/compose",
            "health/",
            "ops/tune/size/",
        ],
    ),
];

#[test]
fn every_import_goes_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 10, "no source found in {}", root.display());
    let faults: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
            faults(path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_wrong_arrow_is_seen() {
    for (path, source) in [
        ("model/slot.rs", "use crate::health::judge;"),
        ("cluster/node.rs", "fn f() { crate::host::docker(); }"),
        ("health/mod.rs", "use crate::{model::Slot, cluster::Node};"),
        ("ops/check/mod.rs", "use crate::ops::create::Plan;"),
        ("ops/check/mod.rs", "use super::create::Plan;"),
        ("ops/check/decide.rs", "use super::super::create::Plan;"),
        (
            "ops/check/decide.rs",
            "use crate::{\n  model::Slot,\n  ops::{create::{Plan}},\n};",
        ),
        ("render/doc.rs", "use crate::cli::Exit;"),
        ("render/doc.rs", "use comfy_table::Table;"),
        ("cli/check.rs", "use ::redis::Client;"),
        ("ops/tune.rs", "pub use serde_yaml as yaml;"),
        ("ops/tune/size.rs", "use serde_yaml::Value;"),
        ("health/mod.rs", "fn f(_: redis::Value) {}"),
        ("ops/backup.rs", "use object_store::path::Path;"),
        ("nowhere/mod.rs", "fn f() {}"),
        (
            "model/slot.rs",
            "let c = '\"'; use crate::cli; let d = '\"';",
        ),
    ] {
        assert!(!faults(path, source).is_empty(), "{path}: {source}");
    }
}

#[test]
fn a_right_arrow_is_let_through() {
    for (path, source) in [
        (
            "cli/check.rs",
            "use crate::{cli::screen, ops::check, model::Slot};",
        ),
        (
            "ops/check/mod.rs",
            "use crate::ops::check::report; use super::check;",
        ),
        (
            "ops/check/mod.rs",
            "// use crate::cli\n/* crate::cli /* */ crate::cli */",
        ),
        (
            "ops/check/mod.rs",
            "const HELP: &str = \"crate::cli \\\" redis::\";",
        ),
        (
            "ops/check/mod.rs",
            "const HELP: &str = r#\"\" crate::cli\"#;",
        ),
        (
            "cluster/node.rs",
            "use redis::Value; use crate::model::Slot;",
        ),
        (
            "health/known.rs",
            "use crate::health::Rule; use serde_yaml::Value;",
        ),
        ("host/docker/mod.rs", "use bollard::Docker;"),
        ("lib.rs", "pub mod cli;"),
        ("main.rs", "fn main() { goodcache::cli::main() }"),
        ("model/info.rs", "fn f<'a>(redis: &'a str) -> char { 'r' }"),
    ] {
        assert_eq!(faults(path, source), Vec::<String>::new(), "{source}");
    }
}

/// What is wrong with one file of `src/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let code = code_only(source);
    let own = module_of(path);
    let mut faults = Vec::new();
    if let Some(room) = own.first() {
        if floor_of(room).is_none() {
            faults.push(format!("src/{path}: '{room}' stands on no floor"));
        }
        for import in imports(&own, &code) {
            if let Some(why) = wrong_arrow(&own, &import) {
                faults.push(format!("src/{path}: crate::{}: {why}", import.join("::")));
            }
        }
    }
    for (name, allowed) in FENCES {
        if names_crate(&code, name) && !allowed.iter().any(|start| path.starts_with(start)) {
            faults.push(format!("src/{path}: '{name}' is fenced in {allowed:?}"));
        }
    }
    faults
}

fn wrong_arrow(own: &[String], import: &[String]) -> Option<&'static str> {
    let (from, to) = (own.first()?, import.first()?);
    let (from_floor, to_floor) = (floor_of(from)?, floor_of(to)?);
    if to_floor > from_floor {
        Some("goes up")
    } else if to_floor == from_floor && from != to {
        Some("goes to another room on the same floor")
    } else if from == "ops" && to == "ops" && own.len() > 1 {
        let room = import.get(1)?;
        let is_let_through = (own[1].as_str(), room.as_str()) == READS_WHAT_IT_WROTE;
        (!is_let_through && *room != own[1] && is_module(room))
            .then_some("goes to another room of ops")
    } else {
        None
    }
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Modules begin with a small letter, types do not.
fn is_module(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name != "self"
}

/// `ops/check/report.rs` is `[ops, check, report]`; the two roots are empty.
fn module_of(path: &str) -> Vec<String> {
    let mut parts: Vec<String> = path
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    let is_root = parts.len() == 1 && ["lib", "main"].contains(&parts[0].as_str());
    if is_root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Every path that begins at `crate` or climbs with `super`, from the crate's root.
fn imports(own: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in words(code) {
        let rest = &code[at + word.len()..];
        match word {
            "crate" => expand(rest, &[], &mut found),
            "super" if !is_after_super(code, at) => {
                let steps = 1 + rest
                    .split("::")
                    .skip(1)
                    .take_while(|s| s.trim() == "super")
                    .count();
                let rest = rest.trim_start_matches("::super");
                expand(rest, &own[..own.len().saturating_sub(steps)], &mut found);
            }
            _ => {}
        }
    }
    found
}

fn is_after_super(code: &str, at: usize) -> bool {
    code[..at].trim_end().ends_with("super::")
}

/// Follows `::a::{b, c::d}` from `base` and notes every path in it.
fn expand(text: &str, base: &[String], found: &mut Vec<Vec<String>>) {
    let Some(text) = text.trim_start().strip_prefix("::") else {
        return;
    };
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        for part in split_group(group) {
            expand(&format!("::{part}"), base, found);
        }
        return;
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let mut path = base.to_vec();
    path.push(text[..end].to_owned());
    found.push(path.clone());
    expand(&text[end..], &path, found);
}

/// The parts of `a, b::{c, d}} ...` up to the brace that closes it.
fn split_group(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&text[start..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// Whether the code names that crate: `name::` at the head of a path, or `use name`.
fn names_crate(code: &str, name: &str) -> bool {
    words(code).any(|(at, word)| {
        let before = code[..at].trim_end();
        // `a::redis` is somebody else's; `::redis` with nothing before it is the crate.
        let parent = before.strip_suffix("::");
        let is_head = !parent.is_some_and(|parent| {
            parent.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
        });
        let keyword = parent.unwrap_or(before).trim_end();
        let is_used = keyword.ends_with("use") || keyword.ends_with("extern crate");
        word == name && is_head && (is_used || code[at + word.len()..].starts_with("::"))
    })
}

/// Every identifier, and where it begins.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

/// The source without comments, and with the insides of strings and characters gone.
fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped(rest, code.chars().next_back());
        if skipped > 0 {
            code.push(' ');
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// How many bytes at the head of `rest` are a comment, a string or a character.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let is_in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if rest.starts_with('"') {
        quoted(rest)
    } else if rest.starts_with('r') && (!is_in_word || before == Some('b')) {
        raw_string(rest)
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        0
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let (step, change) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step;
        depth += change;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
    let open = 1 + hashes;
    if !rest[open..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open + 1..]
        .find(&close)
        .map_or(rest.len(), |at| open + 1 + at + close.len())
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(0, |at| at + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Every Rust source in that folder and below.
pub fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
