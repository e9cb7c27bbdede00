//! Elements put into commands that keep within the limits.

use super::super::decode::{Element, Shown, StreamId};
use super::{Batch, Limits};

/// The batch under way.
pub(super) struct Build<'b> {
    batch: &'b mut Batch,
    limits: Limits,
    open: Option<Open>,
    /// Elements of all commands, and their bytes.
    taken: usize,
    bytes: usize,
    /// The fields of the open command that expire: when, and which word each is.
    timed: Vec<(u64, usize)>,
    /// So many ms later do they expire.
    later_ms: u64,
}

/// A command that more may be added to.
struct Open {
    name: &'static [u8],
    bytes: usize,
    items: usize,
}

impl<'b> Build<'b> {
    pub(super) fn new(batch: &'b mut Batch, limits: Limits, later_ms: u64) -> Build<'b> {
        Build {
            batch,
            limits,
            open: None,
            taken: 0,
            bytes: 0,
            timed: Vec::new(),
            later_ms,
        }
    }

    /// Whether it is time to send it.
    pub(super) fn is_full(&self) -> bool {
        self.taken > 0 && (self.taken >= self.limits.items || self.bytes >= self.limits.bytes)
    }

    /// A command that is whole as it is.
    pub(super) fn command(&mut self, words: &[&[u8]]) {
        for word in words {
            self.batch.word(word);
        }
        self.batch.end();
    }

    /// Begins a string: what there is of it takes the place of whatever is there, also when it is empty.
    pub(super) fn set(&mut self) {
        self.begin_text(b"SET");
    }

    fn begin_text(&mut self, name: &'static [u8]) {
        self.batch.word(name);
        self.batch.word(b"");
        self.open = Some(Open {
            name,
            bytes: 0,
            items: 0,
        });
    }

    /// The next bytes of a string, in as many commands as they need.
    fn text(&mut self, mut text: &[u8]) {
        let most = self.limits.bytes.max(1);
        while !text.is_empty() {
            let room = match &self.open {
                Some(open) if open.bytes < most => most - open.bytes,
                Some(_) => {
                    self.close();
                    continue;
                }
                None => {
                    self.begin_text(b"APPEND");
                    most
                }
            };
            let (now, later) = text.split_at(room.min(text.len()));
            self.batch.more(now);
            if let Some(open) = &mut self.open {
                open.bytes += now.len();
            }
            self.taken += 1;
            self.bytes += now.len();
            text = later;
        }
    }

    pub(super) fn take(&mut self, shown: Shown<'_>) {
        match shown {
            Shown::Bytes(text) => self.text(text),
            Shown::Element(element) => self.element(element),
        }
    }

    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Item(text) => self.add(b"RPUSH", &[text]),
            Element::Member(text) => self.add(b"SADD", &[text]),
            Element::Scored { member, score } => {
                self.add(b"ZADD", &[number(score).as_bytes(), member]);
            }
            Element::Field {
                field,
                value,
                expires_ms,
            } => {
                self.add(b"HSET", &[field, value]);
                let word = self.batch.len() - 2;
                let at = expires_ms.map(|ms| ms.saturating_add(self.later_ms));
                self.timed.extend(at.map(|ms| (ms, word)));
            }
            Element::StreamEntry(id) => {
                self.close();
                self.add(b"XADD", &[text(id).as_bytes()]);
            }
            Element::StreamField { field, value } => {
                self.batch.word(field);
                self.batch.word(value);
                self.bytes += field.len() + value.len();
            }
            // What stands behind a stream's entries went in front of them.
            _ => {}
        }
    }

    /// Adds an element to the open command, or to a new one when it does not fit.
    fn add(&mut self, name: &'static [u8], words: &[&[u8]]) {
        let more: usize = words.iter().map(|word| word.len()).sum();
        let fits = self.open.as_ref().is_some_and(|open| {
            open.name == name
                && open.items < self.limits.items
                && open.bytes.saturating_add(more) <= self.limits.bytes
        });
        if !fits {
            self.close();
            self.batch.word(name);
        }
        let open = self.open.get_or_insert(Open {
            name,
            bytes: 0,
            items: 0,
        });
        open.bytes += more;
        open.items += 1;
        self.taken += 1;
        self.bytes += more;
        for word in words {
            self.batch.word(word);
        }
    }

    /// Ends the open command, if any; then fields are set to expire.
    pub(super) fn close(&mut self) {
        if self.open.take().is_none() {
            return;
        }
        self.batch.end();
        self.timed.sort_by_key(|(ms, _)| *ms);
        for alike in self.timed.chunk_by(|one, other| one.0 == other.0) {
            self.batch.word(b"HPEXPIREAT");
            self.batch.word(alike[0].0.to_string().as_bytes());
            self.batch.word(b"FIELDS");
            self.batch.word(alike.len().to_string().as_bytes());
            for (_, word) in alike {
                self.batch.word_again(*word);
            }
            self.batch.end();
        }
        self.timed.clear();
    }
}

/// The fewest digits from which every double comes back as it was; servers read `inf` and `-inf`.
pub(super) fn number(score: f64) -> String {
    if score.is_finite() {
        format!("{score:e}")
    } else {
        score.to_string()
    }
}

/// An id as commands take it.
pub(super) fn text((ms, sequence): StreamId) -> String {
    format!("{ms}-{sequence}")
}
