//! Commands for one key, laid one after the other in a buffer that is used again and again.
//!
//! The key is left out: big values are built under another name and renamed when they are whole, and
//! only the caller knows that name. Every command here has its key as the first argument.

use std::ops::Range;

/// Some commands.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each word ends.
    words: Vec<usize>,
    /// How many words there are at the end of each command.
    commands: Vec<usize>,
}

/// One command without its key.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    batch: &'a Batch,
    words: Range<usize>,
}

impl Batch {
    /// The commands, in the order in which they must run.
    pub fn commands(&self) -> impl ExactSizeIterator<Item = Command<'_>> {
        (0..self.commands.len()).map(|number| {
            let from = match number {
                0 => 0,
                _ => self.commands[number - 1],
            };
            Command {
                batch: self,
                words: from..self.commands[number],
            }
        })
    }

    /// How many bytes their words have in all.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.words.clear();
        self.commands.clear();
    }

    pub(super) fn word(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.words.push(self.bytes.len());
    }

    /// More of the last word.
    pub(super) fn more(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if let Some(end) = self.words.last_mut() {
            *end = self.bytes.len();
        }
    }

    /// A word that is there already, once more.
    pub(super) fn word_again(&mut self, number: usize) {
        let range = self.range(number);
        self.bytes.extend_from_within(range);
        self.words.push(self.bytes.len());
    }

    /// Ends a command.
    pub(super) fn end(&mut self) {
        self.commands.push(self.words.len());
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    fn range(&self, number: usize) -> Range<usize> {
        let from = match number {
            0 => 0,
            _ => self.words[number - 1],
        };
        from..self.words[number]
    }
}

impl<'a> Command<'a> {
    /// Its name: the word in front of the key.
    pub fn name(&self) -> &'a [u8] {
        self.word(0)
    }

    /// The words behind the key.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        let this = self.clone();
        (1..self.words.len()).map(move |number| this.word(number))
    }

    fn word(&self, number: usize) -> &'a [u8] {
        &self.batch.bytes[self.batch.range(self.words.start + number)]
    }
}
