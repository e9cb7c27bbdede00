//! What happens on the way, told as it happens.
//!
//! An op tells; whoever called it decides what becomes of the telling: a progress bar, a line on
//! stderr, nothing. A callback rather than a channel: nothing is left undrained when an op ends.

use std::fmt;
use std::sync::Arc;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A step began: "introducing the nodes".
    Began(String),
    /// The step that runs has come so far: done, of how many.
    Progress(u64, u64),
    /// The step that ran is done, with what came of it.
    Done(String),
    /// Something worth a line of its own.
    Note(String),
}

/// Where events go. Cheap to clone.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Events {
    /// Events go to that function, which must not block.
    pub fn to(listener: impl Fn(Event) + Send + Sync + 'static) -> Events {
        Events(Some(Arc::new(listener)))
    }

    /// Nobody listens.
    pub fn ignored() -> Events {
        Events(None)
    }

    /// Tells one.
    pub fn tell(&self, event: Event) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }

    /// Tells that a step began.
    pub fn begin(&self, step: impl Into<String>) {
        self.tell(Event::Began(step.into()));
    }

    /// Tells that the step is done.
    pub fn done(&self, outcome: impl Into<String>) {
        self.tell(Event::Done(outcome.into()));
    }

    /// Tells something in passing.
    pub fn note(&self, note: impl Into<String>) {
        self.tell(Event::Note(note.into()));
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Events(heard)"
        } else {
            "Events(ignored)"
        })
    }
}
