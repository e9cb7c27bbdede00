//! The codes of findings and what each means: what `check --explain` prints, and where the default
//! limits stand.

use crate::model::Severity;

use super::RULES;
use super::thresholds::Limit;

/// What one code means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodeDoc {
    /// Stable name, dotted words: `slots.uncovered`.
    pub code: &'static str,
    /// The claim in a few words; also the summary when findings on several nodes become one, after
    /// "3 nodes: ".
    pub title: &'static str,
    /// How grave, unless a limit or the profile says otherwise.
    pub severity: Severity,
    /// Where the limits lie, for codes that measure something.
    pub limit: Option<LimitDoc>,
    /// Whether alike findings about several nodes become one about the cluster.
    pub is_folded: bool,
    /// What it means, and what happens if nobody acts.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// The server's source file, document or field behind it.
    pub source: &'static str,
}

/// The limit of a measured code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitDoc {
    /// The default.
    pub default: Limit,
    /// What is counted.
    pub unit: Unit,
    /// Whether low values are the bad ones: the limits are then floors.
    pub is_floor: bool,
}

/// In what a limit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Days.
    Days,
    /// A plain number.
    Count,
    /// So many in a second.
    PerSecond,
    /// A ratio; 1 is even.
    Ratio,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unit::Percent => "%",
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Days => "days",
            Unit::Count => "",
            Unit::PerSecond => "a second",
            Unit::Ratio => "times",
        })
    }
}

impl CodeDoc {
    /// A document without a limit, not folded, for `..CodeDoc::PLAIN`.
    pub(super) const PLAIN: CodeDoc = CodeDoc {
        code: "",
        title: "",
        severity: Severity::Warning,
        limit: None,
        is_folded: false,
        why: "",
        remedy: "",
        source: "",
    };
}

/// Limits above which a value is bad.
pub(super) const fn above(warning: f64, critical: Option<f64>, unit: Unit) -> Option<LimitDoc> {
    Some(LimitDoc {
        default: Limit {
            warning: Some(warning),
            critical,
        },
        unit,
        is_floor: false,
    })
}

/// Limits below which a value is bad.
pub(super) const fn below(warning: f64, critical: Option<f64>, unit: Unit) -> Option<LimitDoc> {
    Some(LimitDoc {
        default: Limit {
            warning: Some(warning),
            critical,
        },
        unit,
        is_floor: true,
    })
}

/// Every code, group by group.
pub fn codes() -> impl Iterator<Item = &'static CodeDoc> {
    RULES.iter().flat_map(|rule| rule.codes.iter().copied())
}

/// What a code means; `None` when there is no such code.
pub fn explain(code: &str) -> Option<&'static CodeDoc> {
    codes().find(|doc| doc.code == code)
}

/// The known code that looks most like the text, for "did you mean"; `None` when none is near.
pub fn nearest(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_lowercase();
    codes()
        .map(|doc| (closeness(&code, doc.code), doc.code))
        .min()
        .filter(|(distance, _)| *distance <= 2 + code.len() / 3)
        .map(|(_, near)| near)
}

/// Edit distance to the code, or to its last word when the group was left out.
fn closeness(text: &str, code: &str) -> usize {
    let last = code.rsplit('.').next().unwrap_or(code);
    let whole = distance(text, code);
    if text.contains('.') {
        whole
    } else {
        whole.min(distance(text, last) + 1)
    }
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_code() {
        for (typo, code) in [
            ("slots.uncoverd", "slots.uncovered"),
            ("memory.hihg", "memory.high"),
            ("node.dwon", "node.down"),
            ("Replica.Lag", "replica.lag"),
            ("uncovered", "slots.uncovered"),
        ] {
            assert_eq!(nearest(typo), Some(code), "{typo}");
        }
        assert_eq!(nearest("completely-else-and-very-odd-zzzz"), None);
    }

    #[test]
    fn every_code_is_unique_and_says_all_that_it_must() {
        let mut seen = std::collections::BTreeSet::new();
        for doc in codes() {
            assert!(seen.insert(doc.code), "{} stands twice", doc.code);
            assert_eq!(doc.code.split('.').count(), 2, "{}", doc.code);
            assert!(!doc.title.is_empty() && !doc.title.ends_with('.'));
            assert!(doc.why.ends_with('.'), "{}: why", doc.code);
            assert!(doc.remedy.ends_with('.'), "{}: remedy", doc.code);
            assert!(!doc.source.is_empty(), "{}: source", doc.code);
        }
        assert!(seen.len() > 70, "{}", seen.len());
    }
}
