//! Labels above a time axis, none over another: each goes to the lowest level where it neither
//! covers nor is crossed by what is there already. Where that cannot be (two at the right edge that
//! look at each other), a line runs under a text, which is drawn above it. Pure geometry.

use super::svg::{LEFT, RIGHT, text_width};

/// Where a label stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its index among those that were given.
    pub index: usize,
    /// Where its moment is.
    pub x: f64,
    /// 0 is the lowest.
    pub level: usize,
    /// Whether it reaches to the left of its moment, because the right edge is near.
    pub is_left: bool,
}

impl Place {
    fn span(&self, width: f64) -> (f64, f64) {
        // A line that runs along the very edge of a text does no harm.
        match self.is_left {
            true => (self.x - width - 8.0, self.x - 2.5),
            false => (self.x + 2.5, self.x + width + 8.0),
        }
    }
}

/// Finds places for texts at these x, from the right to the left, so that the line under a label
/// passes left of the texts below it.
pub fn places(labels: &[(f64, String)]) -> Vec<Place> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| labels[*b].0.total_cmp(&labels[*a].0).then(b.cmp(a)));
    let widths: Vec<f64> = labels.iter().map(|(_, text)| text_width(text)).collect();
    let mut placed: Vec<Place> = Vec::new();
    for index in order {
        let x = labels[index].0;
        let is_left = x + widths[index] + 6.0 > RIGHT && x - widths[index] > LEFT;
        let place = |level| Place {
            index,
            x,
            level,
            is_left,
        };
        let mut places = (0..=labels.len()).map(place);
        let clear = places.find(|place| placed.iter().all(|of| is_clear(place, of, &widths)));
        let mut places = (0..=labels.len()).map(place);
        let apart = || places.find(|place| placed.iter().all(|of| is_apart(place, of, &widths)));
        placed.extend(clear.or_else(apart));
    }
    placed
}

/// Whether the texts do not touch.
fn is_apart(a: &Place, b: &Place, widths: &[f64]) -> bool {
    let (span_a, span_b) = (a.span(widths[a.index]), b.span(widths[b.index]));
    a.level != b.level || span_a.1 <= span_b.0 || span_b.1 <= span_a.0
}

/// Whether the texts do not touch, and no line runs under one.
fn is_clear(a: &Place, b: &Place, widths: &[f64]) -> bool {
    let (span_a, span_b) = (a.span(widths[a.index]), b.span(widths[b.index]));
    let crosses = |x: f64, span: (f64, f64)| x > span.0 && x < span.1;
    match a.level.cmp(&b.level) {
        std::cmp::Ordering::Equal => {
            is_apart(a, b, widths) && !crosses(a.x, span_b) && !crosses(b.x, span_a)
        }
        std::cmp::Ordering::Greater => !crosses(a.x, span_b),
        std::cmp::Ordering::Less => !crosses(b.x, span_a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_covers_another_however_close_they_are() {
        let close = [
            130.0, 136.0, 300.0, 301.0, 301.0, 340.0, 900.0, 930.0, 944.0,
        ];
        let labels: Vec<(f64, String)> = close
            .iter()
            .map(|x| (*x, "first good write +2.41 s".to_owned()))
            .collect();
        let widths: Vec<f64> = labels.iter().map(|(_, text)| text_width(text)).collect();
        let placed = places(&labels);
        let is_inner = |place: &Place| place.x < 500.0;
        assert_eq!(placed.len(), labels.len());
        for (n, a) in placed.iter().enumerate() {
            for b in &placed[n + 1..] {
                assert!(is_apart(a, b, &widths), "{a:?} {b:?}");
                let are_inner = is_inner(a) && is_inner(b);
                assert!(!are_inner || is_clear(a, b, &widths), "{a:?} {b:?}");
            }
        }
        assert!(placed.iter().all(|place| place.level < 7), "{placed:?}");
    }
}
