//! Progress on stderr: a moving line on a terminal, elsewhere a line per finished step and one every
//! ten seconds, so that a log shows life without filling up.

mod bars;
mod narrow;

pub use bars::ShardBars;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{Event, Events};
use crate::render::wrap;

/// How often a step that goes on says so where nothing can move.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// What a line that goes on is indented by.
const INDENT: usize = 2;

/// The progress of one command.
#[derive(Clone)]
pub struct Progress {
    bar: ProgressBar,
    is_moving: bool,
    is_quiet: bool,
    step: Arc<Mutex<Step>>,
}

/// The step that runs.
#[derive(Default)]
struct Step {
    name: Option<String>,
    began: Option<Instant>,
    spoke: Option<Instant>,
}

impl Progress {
    /// Quiet shows nothing at all.
    pub fn new(is_quiet: bool) -> Progress {
        let is_moving = std::io::stderr().is_terminal() && !is_quiet;
        let target = match is_moving {
            true => narrow::target(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // Neither template can fail: both are literals.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        // Until a step begins there is nothing to draw, above which a line would be put.
        bar.finish_and_clear();
        Progress {
            bar,
            is_moving,
            is_quiet,
            step: Arc::default(),
        }
    }

    /// Where an op tells what happens.
    pub fn events(&self) -> Events {
        let progress = self.clone();
        Events::to(move |event| progress.show(event))
    }

    /// Prints a line above whatever moves.
    pub fn line(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the moving line away.
    pub fn clear(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    fn show(&self, event: Event) {
        if self.is_quiet {
            return;
        }
        match event {
            Event::Began(name) => self.begin(name),
            Event::Progress(done, of) => self.advance(done, of),
            Event::Done(outcome) => self.finish(&outcome),
            Event::Note(note) => self.line(&note),
        }
    }

    fn step(&self) -> MutexGuard<'_, Step> {
        self.step
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn begin(&self, name: String) {
        if self.is_moving {
            self.bar.reset();
            self.bar.set_message(name.clone());
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
        let now = Instant::now();
        *self.step() = Step {
            name: Some(name),
            began: Some(now),
            spoke: Some(now),
        };
    }

    fn advance(&self, done: u64, of: u64) {
        let mut step = self.step();
        let Some(name) = step.name.clone() else {
            return;
        };
        let text = format!("{name} ({done} of {of})");
        if self.is_moving {
            self.bar.set_message(text);
        } else if step
            .spoke
            .is_some_and(|spoke| spoke.elapsed() >= SIGN_OF_LIFE)
        {
            step.spoke = Some(Instant::now());
            eprintln!("{text}");
        }
    }

    fn finish(&self, outcome: &str) {
        self.clear();
        let step = std::mem::take(&mut *self.step());
        let took = step.began.map(|began| began.elapsed().as_secs_f64());
        let line = match took {
            Some(took) if took >= 0.1 => format!("{outcome} ({took:.1} s)"),
            _ => outcome.to_owned(),
        };
        for line in fitted(&line) {
            eprintln!("{line}");
        }
    }
}

/// Broken at spaces where the terminal would break it anywhere; a log has no width.
fn fitted(line: &str) -> Vec<String> {
    let width = rustix::termios::tcgetwinsize(std::io::stderr());
    match width.map(|size| usize::from(size.ws_col)) {
        Ok(width) if width > INDENT => {
            let lines = wrap(line, width, width - INDENT).into_iter().enumerate();
            lines
                .map(|(n, line)| " ".repeat(if n == 0 { 0 } else { INDENT }) + &line)
                .collect()
        }
        _ => vec![line.to_owned()],
    }
}
