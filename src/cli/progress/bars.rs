//! A bar for each shard of a snapshot: bytes, keys, rate, time left. Where nothing can move, one line
//! for all of them every ten seconds.
//!
//! The bars are taken away by whoever clears them, never by the task that moves them: a bar that is
//! dropped while it is drawn leaves its line behind.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::AbortHandle;

use super::{SIGN_OF_LIFE, narrow};
use crate::cli::screen::Screen;
use crate::model::words::{bytes, count, duration};
use crate::model::{Event, Events};
use crate::ops::backup::{Gauge, Gauges, Reading, Stage, Watching};

/// How often the bars are drawn anew.
const PACE: Duration = Duration::from_millis(200);

/// The bars of one capture; a new try gets new ones.
#[derive(Clone)]
pub struct ShardBars {
    all: MultiProgress,
    is_moving: bool,
    is_quiet: bool,
    drawing: Arc<Mutex<Option<Drawing>>>,
}

/// Bars that are drawn, and the task that moves them.
struct Drawing {
    bars: Arc<Mutex<Vec<ProgressBar>>>,
    task: AbortHandle,
}

impl ShardBars {
    /// None yet.
    pub fn new(screen: &Screen) -> ShardBars {
        let is_quiet = screen.is_quiet();
        let is_moving = std::io::stderr().is_terminal() && !is_quiet;
        let target = match is_moving {
            true => narrow::target(),
            false => ProgressDrawTarget::hidden(),
        };
        ShardBars {
            all: MultiProgress::with_draw_target(target),
            is_moving,
            is_quiet,
            drawing: Arc::default(),
        }
    }

    /// What draws the gauges of a try, until the next one or the end.
    pub fn watching(&self) -> Watching {
        let bars = self.clone();
        Arc::new(move |gauges: &Arc<Gauges>| bars.draw(gauges.clone()))
    }

    /// Where it is told what happens: notes stand above the bars.
    pub fn events(&self) -> Events {
        let bars = self.clone();
        Events::to(move |event| {
            if let Event::Note(note) = event
                && !bars.is_quiet
            {
                bars.all.suspend(|| eprintln!("{note}"));
            }
        })
    }

    /// Takes them away.
    pub fn clear(&self) {
        let Some(drawing) = locked(&self.drawing).take() else {
            return;
        };
        drawing.task.abort();
        // The task moves no bar meanwhile, and finds none afterwards.
        let mut bars = locked(&drawing.bars);
        // A terminal that is gone needs no clearing.
        let _ = self.all.clear();
        for bar in bars.drain(..) {
            self.all.remove(&bar);
        }
    }

    fn draw(&self, gauges: Arc<Gauges>) {
        self.clear();
        if self.is_quiet {
            return;
        }
        let bars = Arc::default();
        let task = match self.is_moving {
            true => {
                *locked(&bars) = made(&self.all, &gauges);
                tokio::spawn(moving(bars.clone(), gauges))
            }
            false => tokio::spawn(lines(gauges)),
        };
        let task = task.abort_handle();
        *locked(&self.drawing) = Some(Drawing { bars, task });
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn made(all: &MultiProgress, gauges: &Gauges) -> Vec<ProgressBar> {
    let width = gauges.shards.iter().map(|gauge| gauge.name.len()).max();
    let template = format!("{{prefix:{}}} {{bar:12}} {{wide_msg}}", width.unwrap_or(0));
    let bar = |gauge: &Gauge| {
        let bar = all.add(ProgressBar::new(1000));
        // The template is made of a literal and a number.
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(gauge.name.clone());
        bar
    };
    gauges.shards.iter().map(bar).collect()
}

async fn moving(bars: Arc<Mutex<Vec<ProgressBar>>>, gauges: Arc<Gauges>) {
    let began = Instant::now();
    loop {
        for (bar, gauge) in locked(&bars).iter().zip(&gauges.shards) {
            let reading = gauge.read();
            bar.set_position(permille(&reading));
            bar.set_message(told(&reading, began.elapsed()));
        }
        tokio::time::sleep(PACE).await;
    }
}

async fn lines(gauges: Arc<Gauges>) {
    loop {
        tokio::time::sleep(SIGN_OF_LIFE).await;
        let readings: Vec<Reading> = gauges.shards.iter().map(Gauge::read).collect();
        let (all, keys) = readings.iter().fold((0, 0), |(all, keys), reading| {
            (all + reading.bytes, keys + reading.keys)
        });
        let done = readings
            .iter()
            .filter(|reading| reading.stage == Stage::Done);
        eprintln!(
            "{} of {} shards read; {} and {} keys so far",
            done.count(),
            readings.len(),
            bytes(all),
            count(keys)
        );
    }
}

fn permille(reading: &Reading) -> u64 {
    match (reading.stage, reading.announced) {
        (Stage::Done | Stage::Log, _) => 1000,
        (_, 0) => 0,
        (_, announced) => (reading.keys * 1000 / announced).min(1000),
    }
}

fn told(reading: &Reading, since: Duration) -> String {
    match reading.stage {
        Stage::Waiting => "waits for the server".to_owned(),
        Stage::Base => {
            let rate = reading.bytes as f64 / since.as_secs_f64().max(0.1);
            let so_far = format!(
                "{}  {} keys  {}/s",
                bytes(reading.bytes),
                count(reading.keys),
                bytes(rate as u64)
            );
            match left(reading, since) {
                Some(left) => format!("{so_far}  {} left", duration(left)),
                None => so_far,
            }
        }
        Stage::Log => format!("{}, waits for the cut", bytes(reading.bytes)),
        Stage::Done => format!("{}  {} keys", bytes(reading.bytes), count(reading.keys)),
    }
}

/// By the keys: how many bytes there are is known at the end only.
fn left(reading: &Reading, since: Duration) -> Option<Duration> {
    if reading.keys < 1000 || reading.announced <= reading.keys {
        return None;
    }
    let rest = (reading.announced - reading.keys) as f64 / reading.keys as f64;
    Some(since.mul_f64(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_it_is_and_how_long_it_takes() {
        let reading = |stage, keys, announced| Reading {
            stage,
            bytes: 3 << 20,
            log_bytes: 0,
            keys,
            announced,
        };
        let base = reading(Stage::Base, 5000, 20_000);
        assert_eq!(permille(&base), 250);
        assert_eq!(
            told(&base, Duration::from_secs(2)),
            "3.00 MiB  5,000 keys  1.50 MiB/s  6.00 s left"
        );
        let done = reading(Stage::Done, 20_000, 20_000);
        assert_eq!(
            (permille(&done), told(&done, Duration::ZERO).as_str()),
            (1000, "3.00 MiB  20,000 keys")
        );
        let waiting = reading(Stage::Waiting, 0, 0);
        assert_eq!(
            (permille(&waiting), told(&waiting, Duration::ZERO).as_str()),
            (0, "waits for the server")
        );
    }
}
