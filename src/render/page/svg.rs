//! Pictures as SVG text: shapes with a class each, so that the style sheet alone knows colours.
//!
//! Long series go into one path each: a page of a hundred thousand operations must stay small.

use std::fmt::Write;

use super::html::escape;
use crate::render::plain;

/// How wide every picture is, in its own units.
pub const WIDTH: f64 = 960.0;

/// Where the plot begins; names stand left of it.
pub const LEFT: f64 = 128.0;

/// Where the plot ends.
pub const RIGHT: f64 = WIDTH - 16.0;

/// At which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// A picture that is being drawn.
#[derive(Debug, Default)]
pub struct Svg {
    body: String,
}

impl Svg {
    /// A box.
    pub fn rect(&mut self, class: &str, (x, y): (f64, f64), (w, h): (f64, f64)) {
        let (x, y, w, h) = (num(x), num(y), num(w.max(0.0)), num(h.max(0.0)));
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let (x1, y1, x2, y2) = (num(x1), num(y1), num(x2), num(y2));
        self.add(format_args!(
            "<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\"/>"
        ));
    }

    /// A path; nothing when it holds nothing.
    pub fn path(&mut self, class: &str, d: &str) {
        if !d.is_empty() {
            self.add(format_args!("<path class=\"{class}\" d=\"{d}\"/>"));
        }
    }

    /// A dot.
    pub fn dot(&mut self, class: &str, (x, y): (f64, f64), r: f64) {
        let (x, y, r) = (num(x), num(y), num(r));
        self.add(format_args!(
            "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"
        ));
    }

    /// A text on one line.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y, text) = (num(x), num(y), escape(text));
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{text}</text>"
        ));
    }

    fn add(&mut self, shape: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{shape}");
    }

    /// The picture, that many units high; `label` is what is read out instead of it.
    pub fn finish(self, height: f64, label: &str) -> String {
        format!(
            "<div class=\"scroll\"><svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">\n{}</svg></div>\n",
            num(height),
            escape(label),
            self.body
        )
    }
}

/// A path of stretches on one height, in whole units, as short as can be: there may be thousands.
pub fn runs(y: f64, stretches: &[(i64, i64)]) -> String {
    let mut path = String::new();
    let mut last = None;
    for (from, to) in stretches {
        path += &match last {
            None => format!("M{from} {}h{}", num(y), to - from),
            Some(last) => format!("m{} 0h{}", from - last, to - from),
        };
        last = Some(*to);
    }
    path
}

/// A number with one digit at most behind the point; what is no number is 0.
pub fn num(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{:.1}", value + 0.0);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How wide a small text is at most, about: nobody can measure it before it is shown.
pub fn text_width(text: &str) -> f64 {
    plain::width(text) as f64 * 6.6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_each_other() {
        let path = runs(20.5, &[(104, 110), (112, 113)]);
        assert_eq!(path, "M104 20.5h6m2 0h1");
        assert_eq!(runs(1.0, &[]), "");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (1.0, "1"),
            (1.25, "1.2"),
            (-0.01, "-0"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
        ] {
            assert_eq!(num(value), text);
        }
    }
}
