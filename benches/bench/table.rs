//! What was measured, as rows, and the rows as a Markdown table that is aligned for reading as well.

use std::time::Duration;

/// One comparison.
pub struct Row {
    /// What was done.
    pub what: String,
    /// What goodcache needed, or how it ended.
    pub ours: String,
    /// The same of redis-cli.
    pub theirs: String,
    /// How many times as fast, where both ended.
    pub ratio: Option<f64>,
    /// What was aimed at, and whether it was reached.
    pub target: Option<(String, bool)>,
}

impl Row {
    /// A comparison of two times, of which a missing one was not reached.
    pub fn of_times(
        what: impl Into<String>,
        ours: &[Option<Duration>],
        theirs: &[Option<Duration>],
    ) -> Row {
        let (our_median, their_median) = (median(ours), median(theirs));
        Row {
            what: what.into(),
            ours: spread(ours),
            theirs: spread(theirs),
            ratio: our_median
                .zip(their_median)
                .map(|(ours, theirs)| theirs.as_secs_f64() / ours.as_secs_f64()),
            target: None,
        }
    }

    /// Aims at being that many times as fast.
    #[must_use]
    pub fn at_least(mut self, times: f64) -> Row {
        let is_met = self.ratio.is_some_and(|ratio| ratio >= times);
        self.target = Some((format!("{times} times as fast"), is_met));
        self
    }

    /// Aims at something else.
    #[must_use]
    pub fn aims_at(mut self, target: impl Into<String>, is_met: bool) -> Row {
        self.target = Some((target.into(), is_met));
        self
    }

    /// Whether its target, if it has one, was reached.
    pub fn is_met(&self) -> bool {
        self.target.as_ref().is_none_or(|(_, is_met)| *is_met)
    }

    fn cells(&self) -> [String; 5] {
        let target = self
            .target
            .as_ref()
            .map_or_else(String::new, |(target, is_met)| {
                format!("{target}: {}", if *is_met { "met" } else { "NOT met" })
            });
        let ratio = self
            .ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.1}"));
        [
            self.what.clone(),
            self.ours.clone(),
            self.theirs.clone(),
            ratio,
            target,
        ]
    }
}

/// The middle one; none when most were not reached.
pub fn median(times: &[Option<Duration>]) -> Option<Duration> {
    let mut times: Vec<Duration> = times
        .iter()
        .map(|time| time.unwrap_or(Duration::MAX))
        .collect();
    times.sort();
    let middle = *times.get(times.len() / 2)?;
    (middle != Duration::MAX).then_some(middle)
}

/// `1.81 s (1.79-1.90, 5 runs)`.
fn spread(times: &[Option<Duration>]) -> String {
    let ended: Vec<f64> = times.iter().flatten().map(Duration::as_secs_f64).collect();
    let Some(middle) = median(times) else {
        return format!(
            "not reached in {} of {}",
            times.len() - ended.len(),
            times.len()
        );
    };
    let middle = seconds(middle.as_secs_f64());
    if times.len() == 1 {
        return format!("{middle} s");
    }
    let least = seconds(ended.iter().copied().fold(f64::INFINITY, f64::min));
    let most = seconds(ended.iter().copied().fold(0.0, f64::max));
    let missed = match times.len() - ended.len() {
        0 => String::new(),
        missed => format!(", {missed} not reached"),
    };
    format!("{middle} s ({least}-{most}, {} runs{missed})", times.len())
}

/// Three digits.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{seconds:.3}"),
        1.0..10.0 => format!("{seconds:.2}"),
        _ => format!("{seconds:.1}"),
    }
}

/// The rows as a table.
pub fn markdown(rows: &[Row]) -> String {
    let head = ["what", "goodcache", "redis-cli", "ratio", "target"].map(str::to_owned);
    let body: Vec<[String; 5]> = rows.iter().map(Row::cells).collect();
    let width = |n: usize| {
        body.iter()
            .chain([&head])
            .map(|row| row[n].chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..head.len()).filter_map(width).collect();
    let line = |cells: &[String; 5]| {
        let cells = cells.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = widths.iter().map(|&width| "-".repeat(width + 2));
    let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
    let lines = [line(&head), rule].into_iter().chain(body.iter().map(line));
    lines.collect::<Vec<_>>().join("\n")
}
