//! From seconds and milliseconds to places on the picture, and the marks along the axes.

use super::svg::{Anchor, LEFT, RIGHT, Svg, num};

/// Time, left to right, in ms from the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Time {
    /// At the left edge.
    pub from: f64,
    /// At the right edge.
    pub to: f64,
}

impl Time {
    /// From here to there; never empty, never endless.
    pub fn new(from: f64, to: f64) -> Time {
        let from = if from.is_finite() { from } else { 0.0 };
        let to = if to.is_finite() { to } else { from };
        Time {
            from,
            to: to.max(from + 10.0),
        }
    }

    /// Where a moment is; what is outside sits on the edge.
    pub fn at(self, ms: f64) -> f64 {
        let part = (ms - self.from) / (self.to - self.from);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// Whether a moment is on the picture.
    pub fn holds(self, ms: f64) -> bool {
        (self.from..=self.to).contains(&ms)
    }

    /// How long all of it is, in ms.
    pub fn length(self) -> f64 {
        self.to - self.from
    }

    /// Round moments, at most about ten, in ms.
    pub fn ticks(self) -> Vec<f64> {
        let step = nice(self.length() / 9.0);
        let first = (self.from / step).ceil() as i64;
        let ticks = (first..first + 24).map(|n| n as f64 * step);
        ticks.take_while(|ms| *ms <= self.to).collect()
    }

    /// Draws the axis at that height: marks, seconds, and lines upwards to `top`.
    pub fn draw(self, svg: &mut Svg, top: f64, y: f64) {
        let digits = match nice(self.length() / 9.0) {
            step if step >= 1000.0 => 0,
            step if step >= 100.0 => 1,
            step if step >= 10.0 => 2,
            _ => 3,
        };
        let mut grid = String::new();
        for ms in self.ticks() {
            let x = self.at(ms);
            grid += &format!("M{} {}V{}", num(x), num(top), num(y + 4.0));
            let text = format!("{:.digits$} s", ms / 1e3 + 0.0);
            svg.text("tick", (x, y + 17.0), Anchor::Middle, &text);
        }
        svg.path("grid", &grid);
        svg.line("axis", (LEFT, y), (RIGHT, y));
    }
}

/// The next of 1, 2, 5, 10, ... that is not less.
fn nice(value: f64) -> f64 {
    let value = value.max(1e-3);
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|step| step * decade);
    let step = steps.into_iter().find(|step| *step >= value * 0.999);
    step.unwrap_or(10.0 * decade)
}

/// Milliseconds, bottom to top, each decade as high as the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log {
    low: i32,
    high: i32,
    top: f64,
    bottom: f64,
}

impl Log {
    /// Whole decades around these values, at least two.
    pub fn new(min: f64, max: f64, (top, bottom): (f64, f64)) -> Log {
        let low = min.clamp(1e-3, 1e6).log10().floor() as i32;
        let high = (max.clamp(1e-3, 1e7).log10().ceil() as i32).max(low + 2);
        Log {
            low,
            high,
            top,
            bottom,
        }
    }

    /// Where so many ms are.
    pub fn at(self, ms: f64) -> f64 {
        let decades = f64::from(self.high - self.low);
        let part = (ms.max(1e-6).log10() - f64::from(self.low)) / decades;
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// Draws the decades.
    pub fn draw(self, svg: &mut Svg) {
        let mut grid = String::new();
        for decade in self.low..=self.high {
            let ms = 10_f64.powi(decade);
            let y = self.at(ms);
            grid += &format!("M{} {}H{}", num(LEFT), num(y), num(RIGHT));
            let text = match ms {
                ms if ms >= 999.0 => format!("{} s", (ms / 1e3).round()),
                ms if ms >= 0.99 => format!("{} ms", ms.round()),
                ms => format!("{} us", (ms * 1e3).round()),
            };
            svg.text("tick", (LEFT - 8.0, y + 4.0), Anchor::End, &text);
        }
        svg.path("grid", &grid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(Time::new(-500.0, 2500.0).ticks()[..3], [-500.0, 0.0, 500.0]);
        for (from, to) in [(-2000.0, 8000.0), (0.0, 10.0), (-1.0, 3_600_000.0)] {
            let ticks = Time::new(from, to).ticks();
            assert!((3..=12).contains(&ticks.len()), "{from} {to}: {ticks:?}");
        }
        assert_eq!(Time::new(f64::NAN, f64::NAN), Time::new(0.0, 10.0));
    }

    #[test]
    fn nothing_leaves_the_picture() {
        let time = Time::new(0.0, 100.0);
        assert_eq!((time.at(-5.0), time.at(500.0)), (LEFT, RIGHT));
        let log = Log::new(0.2, 480.0, (10.0, 110.0));
        assert_eq!(
            (log.at(0.0), log.at(0.1), log.at(1e9)),
            (110.0, 110.0, 10.0)
        );
        assert_eq!(log.at(1.0), 85.0);
    }
}
