//! What a finding's code means: `check --explain CODE`.

use super::doc::{Block, Cell, Doc, Tone};
use super::finding::severity;
use crate::health::{CodeDoc, LimitDoc};

/// One code, explained.
pub fn explain(code: &CodeDoc) -> Doc {
    let (word, tone) = severity(code.severity);
    let mut doc = Doc::new();
    doc.push(Block::Verdict {
        subject: code.code.to_owned(),
        word: word.to_owned(),
        tone,
        rest: code.title.to_owned(),
    });
    doc.paragraph(code.why);
    let mut pairs = vec![("what to do".to_owned(), Cell::plain(code.remedy))];
    if let Some(limit) = &code.limit {
        pairs.push(("limits".to_owned(), Cell::plain(limits(limit))));
    }
    pairs.push(("seen in".to_owned(), Cell::new(code.source, Tone::Faint)));
    doc.push(Block::KeyValues(pairs));
    doc.faint(format!(
        "to change it, in goodcache.yaml: check.thresholds.{}",
        code.code
    ));
    doc
}

fn limits(limit: &LimitDoc) -> String {
    let side = if limit.is_floor { "below" } else { "above" };
    let word = |name: &str, value: Option<f64>| match value {
        Some(value) => format!("{name} {side} {value} {}", limit.unit)
            .trim_end()
            .to_owned(),
        None => format!("never {name}"),
    };
    format!(
        "{}, {}",
        word("warning", limit.default.warning),
        word("critical", limit.default.critical)
    )
}
