//! Why it took so long: each term of the outage from where the one before ended, as it was, over
//! the band in which the servers' rules let it end.

use crate::ops::failover::{Report, Term};
use crate::render::failover::terms;
use crate::render::human;

use super::scale::Time;
use super::svg::{Anchor, LEFT, RIGHT, Svg, text_width};

const ROW: f64 = 34.0;
const TOP: f64 = 26.0;

/// Draws it; `None` when there are no terms.
pub fn draw(report: &Report) -> Option<String> {
    if report.terms.is_empty() {
        return None;
    }
    let starts = starts(&report.terms);
    let ends =
        report.terms.iter().zip(&starts).map(|(term, start)| {
            start + term.expected_high_ms.max(term.measured_ms.unwrap_or(0.0))
        });
    let end = ends.fold(0.0, f64::max);
    let widest = report.terms.iter().map(|term| text_width(&told(term)));
    // Room for the words behind the longest bar.
    let room = widest.fold(0.0, f64::max) + 14.0;
    let stretch = (RIGHT - LEFT) / (RIGHT - LEFT - room).max(200.0);
    let time = Time::new(0.0, end * stretch);
    let bottom = TOP + report.terms.len() as f64 * ROW;
    let mut svg = Svg::default();
    time.draw(&mut svg, TOP - 4.0, bottom);
    for (n, (term, start)) in report.terms.iter().zip(starts).enumerate() {
        row(&mut svg, term, start, time, TOP + n as f64 * ROW);
    }
    key(&mut svg);
    let label = "the terms of the outage as expected and as measured; the table says the same";
    Some(svg.finish(bottom + 26.0, label))
}

/// Where each term begins: where the one before ended, as far as that was seen; the total at 0.
fn starts(all: &[Term]) -> Vec<f64> {
    let mut at = 0.0;
    let start = |term: &Term| {
        if term.name == "total" {
            return 0.0;
        }
        let start = at;
        at += term.measured_ms.unwrap_or(term.expected_ms);
        start
    };
    all.iter().map(start).collect()
}

fn row(svg: &mut Svg, term: &Term, start: f64, time: Time, y: f64) {
    let x = |ms: f64| time.at(start + ms);
    svg.text("name", (LEFT - 10.0, y + 19.0), Anchor::End, term.name);
    let (low, high) = (x(term.expected_low_ms), x(term.expected_high_ms));
    svg.rect("band", (low, y + 3.0), ((high - low).max(2.0), 24.0));
    let likely = x(term.expected_ms);
    svg.line("likely", (likely, y + 3.0), (likely, y + 27.0));
    let end = match term.measured_ms {
        Some(ms) => {
            let class = if is_longer(term) { "bar over" } else { "bar" };
            svg.rect(class, (x(0.0), y + 9.0), ((x(ms) - x(0.0)).max(2.0), 12.0));
            x(ms).max(high)
        }
        None => {
            svg.rect("unseen", (x(0.0), y + 9.0), (likely - x(0.0), 12.0));
            high
        }
    };
    let class = match is_longer(term) {
        true => "halo badtext",
        false => "halo",
    };
    svg.text(class, (end + 8.0, y + 19.0), Anchor::Start, &told(term));
}

fn is_longer(term: &Term) -> bool {
    term.measured_ms
        .is_some_and(|ms| ms > term.expected_high_ms)
}

fn told(term: &Term) -> String {
    let expected = terms::expected(term);
    match term.measured_ms.map(human::millis) {
        Some(measured) if is_longer(term) => format!("{measured}, longer than {expected}"),
        Some(measured) if term.is_within() == Some(true) => {
            format!("{measured}, within {expected}")
        }
        Some(measured) => format!("{measured}, shorter than {expected}"),
        None => format!("not seen, {expected} expected"),
    }
}

fn key(svg: &mut Svg) {
    svg.rect("bar", (LEFT, 4.0), (18.0, 10.0));
    svg.text("note", (LEFT + 24.0, 13.0), Anchor::Start, "measured");
    svg.rect("band", (LEFT + 92.0, 4.0), (18.0, 10.0));
    svg.line("likely", (LEFT + 101.0, 4.0), (LEFT + 101.0, 14.0));
    let text = "where it was expected to end, and the likely place";
    svg.text("note", (LEFT + 116.0, 13.0), Anchor::Start, text);
}
