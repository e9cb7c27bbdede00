//! The nearest known word to one that is not known: a mistyped key, code, name or variable.

/// The known word that is fewest edits away; `None` when none is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, replaced or swapped with a neighbour to turn one
/// word into the other; case and the difference between `-` and `_` do not count.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

fn letters(word: &str) -> Vec<char> {
    word.chars()
        .take(80)
        .map(|c| match c {
            '-' => '_',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        for (word, known, expected) in [
            ("nods", &["nodes", "node_map", "user"][..], Some("nodes")),
            (
                "password-file",
                &["password_file"][..],
                Some("password_file"),
            ),
            ("usre", &["user", "tls"][..], Some("user")),
            (
                "slots.uncoverd",
                &["slots.uncovered", "slots.open"][..],
                Some("slots.uncovered"),
            ),
            ("bananas", &["user", "tls"][..], None),
            ("", &["user"][..], None),
        ] {
            assert_eq!(nearest(word, known.iter().copied()), expected, "{word}");
        }
    }
}
