//! A round as it went: what happened along the top, and a lane per shard that shows when somebody
//! in it took writes.

use std::collections::BTreeSet;

use crate::model::{Outcome, Round, Trace};
use crate::ops::failover::{Outage, Report, RoundReport};
use crate::render::failover::words;
use crate::render::human;

use super::labels;
use super::scale::Time;
use super::svg::{Anchor, LEFT, RIGHT, Svg, runs, text_width};

const LANE: f64 = 26.0;
const GAP: f64 = 10.0;
const LEVEL: f64 = 17.0;

/// So many moments get a label; the rest a line.
const LABELS: usize = 36;

/// One round, from both sides.
pub struct Told<'a> {
    /// The whole report.
    pub report: &'a Report,
    /// What was judged.
    pub judged: &'a RoundReport,
    /// What was recorded, when the recording holds this round.
    pub recorded: Option<&'a Round>,
}

impl Told<'_> {
    /// When the fault struck, in ms since the round began.
    pub fn zero(&self) -> f64 {
        words::fault_at(self.judged)
    }

    /// The shards that have a lane.
    pub fn shards(&self) -> BTreeSet<usize> {
        let traces = self.recorded.iter().flat_map(|round| &round.traces);
        traces.map(|trace| trace.shard).collect()
    }

    /// The shards that the fault struck.
    pub fn struck(&self) -> BTreeSet<usize> {
        let mut shards: BTreeSet<usize> = self
            .outages()
            .filter(|outage| outage.is_struck)
            .map(|outage| outage.shard)
            .collect();
        if let Some(round) = self.recorded {
            let second = round.second.iter().flat_map(|second| &second.targets);
            shards.extend(round.targets.iter().chain(second).map(|of| of.shard));
        }
        shards
    }

    /// When a shard of this round took no writes.
    pub fn outages(&self) -> impl Iterator<Item = &Outage> {
        let all = self.report.outages.iter();
        all.filter(|outage| outage.round == self.judged.round)
    }

    /// From before the fault until all that happened is over.
    pub fn whole(&self) -> Time {
        let zero = self.zero();
        let traces = self.recorded.iter().flat_map(|round| &round.traces);
        let dues: Vec<f64> = traces
            .flat_map(|trace| [trace.witness.first(), trace.witness.last()])
            .flatten()
            .map(|op| op.due_us as f64 / 1e3 - zero)
            .collect();
        let first = dues.iter().copied().fold(0.0, f64::min);
        let seen = dues.iter().copied().fold(0.0, f64::max);
        let moments = self.judged.timeline.iter().map(|m| m.at_ms);
        let ends = self.outages().map(|o| o.restored_at.unwrap_or(f64::MAX));
        let last = moments.chain(ends).map(|at| at - zero).fold(0.0, f64::max);
        // What went on for long after all was well tells nothing.
        let last = last + (last * 0.12).max(500.0);
        let end = if seen > 0.0 { last.min(seen) } else { last };
        Time::new(first.max(-end * 0.2 - 200.0), end)
    }

    /// The outage alone, when it is but a small part of the whole.
    pub fn close(&self) -> Option<Time> {
        let whole = self.whole();
        let struck = self.outages().filter(|outage| outage.is_struck);
        let ends = struck.filter_map(|outage| outage.restored_at);
        let end = ends.fold(0.0, f64::max) - self.zero();
        let close = Time::new(-0.15 * end, end * 1.25);
        (end > 0.0 && close.length() < 0.3 * whole.length()).then_some(close)
    }
}

/// Draws it.
pub fn draw(told: &Told, time: Time) -> String {
    let zero = told.zero();
    let shards: Vec<usize> = told.shards().into_iter().collect();
    let moments = moments(told, time);
    let placed = labels::places(
        &moments
            .iter()
            .map(|m| (m.x, m.text.clone()))
            .collect::<Vec<_>>(),
    );
    let levels = placed
        .iter()
        .map(|place| place.level + 1)
        .max()
        .unwrap_or(0);
    let top = 12.0 + levels as f64 * LEVEL;
    let lane = |n: usize| top + GAP + n as f64 * (LANE + GAP);
    let bottom = lane(shards.len());
    let mut svg = Svg::default();
    time.draw(&mut svg, top, bottom);
    for (n, shard) in shards.iter().enumerate() {
        draw_lane(&mut svg, told, *shard, time, lane(n));
    }
    for place in &placed {
        let moment = &moments[place.index];
        let y = top - 6.0 - place.level as f64 * LEVEL;
        let at = moment
            .shard
            .and_then(|s| shards.iter().position(|x| *x == s));
        // At the edge of the lane: its middle is for words.
        let end = at.map_or(bottom, lane);
        let class = if moment.is_fault { "zero" } else { "lead" };
        svg.line(class, (place.x, y - 9.0), (place.x, end));
        if at.is_some() {
            svg.dot("dot", (place.x, end), 3.5);
        }
    }
    for place in &placed {
        let moment = &moments[place.index];
        let y = top - 6.0 - place.level as f64 * LEVEL;
        let (x, anchor) = match place.is_left {
            true => (place.x - 5.0, Anchor::End),
            false => (place.x + 5.0, Anchor::Start),
        };
        svg.text("halo", (x, y), anchor, &moment.text);
    }
    // Lengths come last, so that no line runs through them.
    for (n, shard) in shards.iter().enumerate() {
        let outages = told.outages().filter(|outage| outage.shard == *shard);
        for outage in outages {
            draw_length(&mut svg, outage, zero, time, lane(n));
        }
    }
    let label = format!(
        "timeline of round {}, in seconds from the fault; the table of the timeline says the same",
        told.judged.round
    );
    svg.finish(bottom + 26.0, &label)
}

/// From here to there, in whole units of the picture.
type Run = (i64, i64);

struct Marked {
    x: f64,
    text: String,
    shard: Option<usize>,
    is_fault: bool,
}

fn moments(told: &Told, time: Time) -> Vec<Marked> {
    let zero = told.zero();
    let struck = told.struck();
    let mut seen = BTreeSet::new();
    let all = told.judged.timeline.iter();
    // Of many who say the same the first counts.
    let first = all.filter(|moment| seen.insert((moment.what, moment.shard)));
    let held = first.filter(|moment| time.holds(moment.at_ms - zero));
    held.take(LABELS)
        .map(|moment| {
            let at = moment.at_ms - zero;
            let where_ = match moment.shard {
                Some(shard) if struck.len() > 1 || !struck.contains(&shard) => {
                    format!("shard {shard} ")
                }
                _ => String::new(),
            };
            let what = words::spoken(moment.what);
            let is_fault = moment.what == "fault";
            let text = match is_fault {
                true => format!("{where_}{what}: {}", told.judged.fault),
                false => format!("{where_}{what} {}", offset(at)),
            };
            Marked {
                x: time.at(at),
                text,
                shard: moment.shard,
                is_fault,
            }
        })
        .collect()
}

/// `+21.0 ms`, `+2.41 s`: fewer digits than in a table, since the place says the rest.
fn offset(ms: f64) -> String {
    let sign = if ms < 0.0 { '-' } else { '+' };
    format!("{sign}{}", human::millis(ms.abs()))
}

fn draw_lane(svg: &mut Svg, told: &Told, shard: usize, time: Time, y: f64) {
    let is_struck = told.struck().contains(&shard);
    let name = format!("shard {shard}");
    if is_struck {
        svg.text("name", (LEFT - 10.0, y + 12.0), Anchor::End, &name);
        svg.text("badtext", (LEFT - 10.0, y + 25.0), Anchor::End, "struck");
    } else {
        svg.text("name", (LEFT - 10.0, y + 17.0), Anchor::End, &name);
    }
    let traces = told.recorded.iter().flat_map(|round| &round.traces);
    for trace in traces.filter(|trace| trace.shard == shard) {
        let (up, down) = bands(trace, told.zero(), time);
        svg.path("up", &runs(y + LANE / 2.0, &up));
        svg.path("down", &runs(y + LANE / 2.0, &down));
    }
}

/// Where writes were taken and where not, in whole steps of the picture: a step in which one failed
/// counts as failed, so that no outage is too short to be seen.
fn bands(trace: &Trace, zero: f64, time: Time) -> (Vec<Run>, Vec<Run>) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut marks: Vec<(i64, bool)> = Vec::new();
    let mut last = LEFT as i64;
    for op in &trace.witness {
        let at = op.due_us as f64 / 1e3 - zero;
        let x = time.at(at).floor() as i64;
        let is_good = op.outcome == Outcome::Good;
        last = x;
        if at > time.to {
            break;
        }
        match marks.last_mut() {
            // Of what was before only the last tells how it began.
            Some(mark) if at < time.from => mark.1 = is_good,
            Some((at, good)) if *at >= x && *good && !is_good => *good = false,
            Some((at, good)) if *at >= x || *good == is_good => {}
            _ => marks.push((x, is_good)),
        }
    }
    let ends = marks.iter().skip(1).map(|(x, _)| *x);
    for ((from, is_good), to) in marks.iter().zip(ends.chain([last + 1])) {
        match is_good {
            true => up.push((*from, to)),
            false => down.push((*from, to.max(from + 2))),
        }
    }
    (up, down)
}

/// Says how long it was: inside when there is room, else beside.
fn draw_length(svg: &mut Svg, outage: &Outage, zero: f64, time: Time, y: f64) {
    let from = time.at(outage.first_error_at - zero);
    let to = outage.restored_at.map_or(RIGHT, |at| time.at(at - zero));
    let text = match outage.restored_at {
        Some(_) => format!("no writes {}", human::millis(outage.unavailable_ms)),
        None => "no writes to the end".to_owned(),
    };
    let y = y + LANE / 2.0 + 4.0;
    let width = text_width(&text) + 12.0;
    if to - from > width {
        svg.text(
            "halo badtext",
            ((from + to) / 2.0, y),
            Anchor::Middle,
            &text,
        );
    } else if to + width < RIGHT {
        svg.text("halo badtext", (to + 8.0, y), Anchor::Start, &text);
    } else {
        svg.text("halo badtext", (from - 8.0, y), Anchor::End, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Op;

    fn trace(outcomes: impl Iterator<Item = Outcome>) -> Trace {
        let op = |(n, outcome)| Op {
            due_us: n as u64 * 1000,
            took_us: 100,
            outcome,
        };
        Trace {
            witness: outcomes.enumerate().map(op).collect(),
            ..Trace::default()
        }
    }

    #[test]
    fn one_failed_write_among_thousands_is_seen() {
        let failed_one = |n| {
            if n == 5000 {
                Outcome::Down
            } else {
                Outcome::Good
            }
        };
        let trace = trace((0..10_000).map(failed_one));
        let (up, down) = bands(&trace, 0.0, Time::new(0.0, 10_000.0));
        assert_eq!(up.len(), 2, "{up:?}");
        assert_eq!(down, [(536, 538)]);
    }

    #[test]
    fn a_lane_reaches_to_both_ends_of_a_picture_between_two_writes() {
        let trace = trace((0..100).map(|_| Outcome::Good));
        let (up, down) = bands(&trace, 0.0, Time::new(20.2, 40.7));
        assert_eq!(up, [(LEFT as i64, RIGHT as i64 + 1)]);
        assert_eq!(down, []);
    }
}
