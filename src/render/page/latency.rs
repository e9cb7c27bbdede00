//! What the client's writes took, over the round: each as a dot, the median and the 99th percentile
//! as lines, the outage shaded, and at the bottom when they failed and how.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Op, Outcome};
use crate::ops::failover::Outage;
use crate::render::failover::words;
use crate::render::human;

use super::scale::{Log, Time};
use super::svg::{self, Anchor, LEFT, RIGHT, Svg, num, text_width};
use super::timeline::Told;

const HEIGHT: f64 = 190.0;
const TOP: f64 = 24.0;
const RAIL: f64 = 17.0;

/// How many steps the lines of median and 99th percentile have at most.
const STEPS: usize = 90;

/// So few operations in a step give no percentile.
const FEW: usize = 5;

/// Draws the writes of one shard; at most so many dots. `None` when there are none.
pub fn draw(told: &Told, shard: usize, time: Time, most: usize) -> Option<String> {
    let zero = told.zero();
    let trace = told.recorded?.traces.iter().find(|t| t.shard == shard)?;
    let at = |op: &Op| op.due_us as f64 / 1e3 - zero;
    let held = trace.writes.iter().filter(|op| time.holds(at(op)));
    let (good, bad): (Vec<&Op>, Vec<&Op>) = held.partition(|op| op.outcome == Outcome::Good);
    if good.is_empty() && bad.is_empty() {
        return None;
    }
    let good: Vec<(f64, f64)> = good
        .iter()
        .map(|op| (at(op), op.took_us as f64 / 1e3))
        .collect();
    let bottom = TOP + HEIGHT;
    let least = good.iter().map(|(_, ms)| *ms).fold(f64::MAX, f64::min);
    let most_ms = good.iter().map(|(_, ms)| *ms).fold(1.0, f64::max);
    let log = Log::new(least.clamp(1e-3, 1.0), most_ms, (TOP, bottom));
    let rails = rails(
        &bad.iter()
            .map(|op| (at(op), op.outcome))
            .collect::<Vec<_>>(),
    );
    let foot = bottom + 6.0 + rails.len() as f64 * RAIL;

    let mut svg = Svg::default();
    for outage in told.outages().filter(|outage| outage.shard == shard) {
        shade(&mut svg, outage, zero, time, foot);
    }
    log.draw(&mut svg);
    time.draw(&mut svg, TOP, foot);
    svg.path("points", &dots(&good, time, log, most));
    let (median, slow) = lines(&good, time, log);
    svg.path("slow", &slow);
    svg.path("median", &median);
    for (n, (outcome, dues)) in rails.iter().enumerate() {
        let y = bottom + 6.0 + (n as f64 + 0.5) * RAIL;
        rail(&mut svg, *outcome, dues, time, y);
    }
    svg.line("zero", (time.at(0.0), TOP), (time.at(0.0), foot));
    key(&mut svg);
    if good.is_empty() {
        let middle = ((LEFT + RIGHT) / 2.0, TOP + HEIGHT / 2.0);
        svg.text("halo badtext", middle, Anchor::Middle, "no write succeeded");
    }
    let label = format!(
        "latency of the client's writes to shard {shard}, {} good and {} failed",
        human::count(good.len() as u64),
        human::count(bad.len() as u64)
    );
    Some(svg.finish(foot + 26.0, &label))
}

fn shade(svg: &mut Svg, outage: &Outage, zero: f64, time: Time, foot: f64) {
    let from = time.at(outage.first_error_at - zero);
    let to = outage.restored_at.map_or(RIGHT, |at| time.at(at - zero));
    svg.rect("shade", (from, TOP), (to - from, foot - TOP));
    if to - from > text_width("no writes") {
        let middle = ((from + to) / 2.0, TOP + 14.0);
        svg.text("badtext", middle, Anchor::Middle, "no writes");
    }
}

/// One dot for all that fall on one spot; the spots grow until there are few enough, so that what
/// stands alone always stays.
fn dots(good: &[(f64, f64)], time: Time, log: Log, most: usize) -> String {
    let mut size = 1;
    loop {
        let spot = |x: f64| x.round() as i64 / size * size;
        let spots: BTreeSet<(i64, i64)> = good
            .iter()
            .map(|(at, ms)| (spot(time.at(*at)), spot(log.at(*ms))))
            .collect();
        if spots.len() <= most.max(100) {
            let dot = |(x, y): (i64, i64)| format!("M{x} {y}h0");
            return spots.into_iter().map(dot).collect();
        }
        size += 1;
    }
}

/// The median and the 99th percentile, step by step; interrupted where too few succeeded.
fn lines(good: &[(f64, f64)], time: Time, log: Log) -> (String, String) {
    let mut steps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let count = (good.len() / (2 * FEW)).clamp(1, STEPS);
    let width = time.length() / count as f64;
    for (at, ms) in good {
        let step = ((at - time.from) / width).max(0.0) as usize;
        steps.entry(step).or_default().push(*ms);
    }
    let (mut median, mut slow) = (String::new(), String::new());
    let mut last = None;
    for (step, mut times) in steps {
        if times.len() < FEW {
            continue;
        }
        times.sort_by(f64::total_cmp);
        let x = num(time.at(time.from + (step as f64 + 0.5) * width));
        let verb = match last {
            Some(before) if before + 1 == step => 'L',
            _ => 'M',
        };
        for (line, part) in [(&mut median, 0.5), (&mut slow, 0.99)] {
            let rank = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len());
            *line += &format!("{verb}{x} {}", num(log.at(times[rank - 1])));
        }
        last = Some(step);
    }
    (median, slow)
}

fn rails(bad: &[(f64, Outcome)]) -> BTreeMap<Outcome, Vec<f64>> {
    let mut rails: BTreeMap<Outcome, Vec<f64>> = BTreeMap::new();
    for (at, outcome) in bad {
        rails.entry(*outcome).or_default().push(*at);
    }
    rails
}

/// When operations failed in one way; neighbours run together.
fn rail(svg: &mut Svg, outcome: Outcome, dues: &[f64], time: Time, y: f64) {
    let name = words::outcome(outcome);
    svg.text("note", (LEFT - 8.0, y + 4.0), Anchor::End, name);
    let steps: BTreeSet<i64> = dues.iter().map(|at| time.at(*at).floor() as i64).collect();
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for step in steps {
        match runs.last_mut() {
            Some((_, end)) if *end >= step - 1 => *end = step + 1,
            _ => runs.push((step, step + 1)),
        }
    }
    let end = runs.last().map_or(LEFT, |(_, end)| *end as f64);
    svg.path("fails", &svg::runs(y, &runs));
    let count = human::count(dues.len() as u64);
    let is_near_edge = end + 6.0 + text_width(&count) > RIGHT;
    let begin = runs.first().map_or(LEFT, |(from, _)| *from as f64);
    match is_near_edge {
        true => svg.text("halo note", (begin - 5.0, y + 4.0), Anchor::End, &count),
        false => svg.text("halo note", (end + 5.0, y + 4.0), Anchor::Start, &count),
    }
}

fn key(svg: &mut Svg) {
    let mut x = LEFT;
    for (class, text) in [
        ("points", "one write"),
        ("median", "median"),
        ("slow", "99th percentile"),
    ] {
        let from = if class == "points" { x + 9.0 } else { x };
        let to = if class == "points" { x + 9.0 } else { x + 18.0 };
        svg.line(class, (from, 9.0), (to, 9.0));
        svg.text("note", (x + 24.0, 13.0), Anchor::Start, text);
        x += 40.0 + text_width(text);
    }
}
