//! A log, cut into pieces at borders of commands, with the slots that it changes. A transaction is kept
//! whole or not at all.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::base::RawPiece;
use crate::archive::{Held, SlotRow, SlotTable, Span};
use crate::model::{Slot, SlotSet};
use crate::rdb::{Changes, LogReader, RdbError};

/// Cuts the log of one shard.
pub struct LogCutter {
    reader: LogReader,
    wanted: usize,
    pending: BytesMut,
    /// The offset before the first byte that is pending.
    begins: u64,
    first_ms: u64,
    last_ms: u64,
    seq: u32,
    entries: u64,
    /// Commands since the last border.
    open: u64,
    /// The offset after the last command that ended outside a transaction.
    border: u64,
    is_in_transaction: bool,
    /// What was changed since the last border.
    opened: Marked,
    marked: Marked,
}

/// Which slots a log changes, each with how many commands do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    slots: BTreeMap<Slot, u64>,
    /// Commands that may change any.
    all: u64,
}

impl LogCutter {
    /// Of a log that goes on after that offset, into pieces of about so many bytes.
    pub fn new(offset: u64, wanted: usize) -> LogCutter {
        LogCutter {
            reader: LogReader::new(offset),
            wanted,
            pending: BytesMut::new(),
            begins: offset,
            first_ms: 0,
            last_ms: 0,
            seq: 0,
            entries: 0,
            open: 0,
            border: offset,
            is_in_transaction: false,
            opened: Marked::default(),
            marked: Marked::default(),
        }
    }

    /// Takes bytes that came at that time; gives a piece when one is complete.
    ///
    /// # Errors
    /// When they are no commands.
    pub fn push(&mut self, bytes: &[u8], now_ms: u64) -> Result<Option<RawPiece>, RdbError> {
        if self.pending.is_empty() {
            self.first_ms = now_ms;
        }
        self.last_ms = now_ms;
        self.pending.extend_from_slice(bytes);
        self.reader.push(bytes);
        while let Some(command) = self.reader.step()? {
            self.opened.note(&command.changes());
            let is = |name: &[u8]| command.words[0].eq_ignore_ascii_case(name);
            self.is_in_transaction = (self.is_in_transaction || is(b"multi")) && !is(b"exec");
            self.open += 1;
            if !self.is_in_transaction {
                self.border = command.end;
                self.entries += std::mem::take(&mut self.open);
                self.marked.add(std::mem::take(&mut self.opened));
            }
        }
        let is_due = self.pending.len() >= self.wanted;
        Ok(if is_due { self.cut() } else { None })
    }

    /// The offset after the last command, or transaction, that is whole.
    pub fn offset(&self) -> u64 {
        self.border
    }

    /// The offset after all that was taken, whole commands or not.
    pub fn pushed(&self) -> u64 {
        self.begins + self.pending.len() as u64
    }

    /// The end of the log, after the last that is whole: the last piece, and what was changed.
    pub fn finish(mut self) -> (Option<RawPiece>, Marked) {
        (self.cut(), self.marked)
    }

    fn cut(&mut self) -> Option<RawPiece> {
        let end = self.border;
        let bytes = usize::try_from(end - self.begins).ok()?;
        if bytes == 0 {
            return None;
        }
        let span = Span {
            first_offset: self.begins,
            last_offset: end,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
        };
        let piece = RawPiece {
            seq: self.seq,
            raw: self.pending.split_to(bytes).freeze(),
            held: Held {
                slots: None,
                entries: std::mem::take(&mut self.entries),
                span: Some(span),
                db: 0,
            },
        };
        self.begins = end;
        self.first_ms = self.last_ms;
        self.seq += 1;
        Some(piece)
    }
}

impl Marked {
    fn add(&mut self, other: Marked) {
        self.all += other.all;
        for (slot, count) in other.slots {
            *self.slots.entry(slot).or_default() += count;
        }
    }

    /// Counts a command.
    pub(super) fn note(&mut self, changes: &Changes<'_>) {
        match changes {
            Changes::Nothing => {}
            Changes::All => self.all += 1,
            Changes::Keys(keys) => {
                for key in keys {
                    *self.slots.entry(Slot::of_key(key)).or_default() += 1;
                }
            }
        }
    }

    /// How many slots are changed, of those that a shard has.
    pub fn count(&self, owned: &SlotSet) -> usize {
        if self.all > 0 {
            owned.len()
        } else {
            self.slots.len()
        }
    }

    /// Writes into the table how often each slot is changed. Slots that the base holds nothing of get
    /// a row when something is added to them.
    pub fn mark(&self, table: &mut SlotTable) {
        for row in &mut table.rows {
            row.logged = self.all + self.slots.get(&row.slot).copied().unwrap_or(0);
        }
        let missing: Vec<(Slot, u64)> = self
            .slots
            .iter()
            .filter(|(slot, _)| table.get(**slot).is_none())
            .map(|(slot, count)| (*slot, count + self.all))
            .collect();
        table
            .rows
            .extend(missing.into_iter().map(|(slot, logged)| SlotRow {
                slot,
                keys: 0,
                expires: 0,
                bytes: 0,
                digest: [0; 16],
                chunks: (0, 0),
                logged,
            }));
        table.rows.sort_by_key(|row| row.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", words.len());
        for word in words {
            out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        out.into_bytes()
    }

    #[test]
    fn pieces_join_and_end_between_commands() {
        let log: Vec<u8> = (0..100)
            .flat_map(|n| line(&["SET", &format!("k{}", n % 10), "v"]))
            .collect();
        let mut cutter = LogCutter::new(1000, 500);
        let mut pieces = Vec::new();
        for (bytes, now) in log.chunks(33).zip(0..) {
            pieces.extend(cutter.push(bytes, now).unwrap());
        }
        assert_eq!(cutter.offset(), 1000 + log.len() as u64);
        let (last, marked) = cutter.finish();
        pieces.extend(last);
        let raw: Vec<u8> = pieces.iter().flat_map(|piece| piece.raw.clone()).collect();
        assert_eq!(raw, log);
        let spans: Vec<Span> = pieces
            .iter()
            .map(|piece| piece.held.span.unwrap())
            .collect();
        assert!(
            spans
                .windows(2)
                .all(|two| two[0].last_offset == two[1].first_offset)
        );
        assert!(
            spans
                .windows(2)
                .all(|two| two[0].last_ms <= two[1].first_ms)
        );
        assert_eq!(
            pieces.iter().map(|piece| piece.held.entries).sum::<u64>(),
            100
        );
        assert_eq!(marked.count(&SlotSet::full()), 10);
    }

    #[test]
    fn half_a_transaction_is_left_out() {
        let mut cutter = LogCutter::new(0, 10);
        let whole = line(&["SET", "foo", "1"]);
        let (multi, exec) = (line(&["MULTI"]), line(&["EXEC"]));
        let first = cutter.push(&whole, 1).unwrap().unwrap();
        assert_eq!((first.raw.len(), first.held.entries), (whole.len(), 1));
        for half in [&multi, &whole] {
            assert_eq!(cutter.push(half, 2).unwrap(), None);
            assert_eq!(cutter.offset(), whole.len() as u64);
        }
        let second = cutter.push(&exec, 3).unwrap().unwrap();
        assert_eq!(second.held.entries, 3);
        cutter.push(&multi, 4).unwrap();
        cutter.push(&whole, 4).unwrap();
        let end = cutter.offset();
        assert_eq!(end, second.held.span.unwrap().last_offset);
        let (last, marked) = cutter.finish();
        assert_eq!(last, None);
        let mut table = SlotTable::default();
        marked.mark(&mut table);
        assert_eq!(table.rows[0].logged, 2);
    }

    #[test]
    fn the_table_says_which_slots_the_log_changes() {
        let mut cutter = LogCutter::new(0, 500);
        cutter.push(&line(&["SET", "foo", "1"]), 1).unwrap();
        cutter.push(b"*1\r\n$4\r\nPI", 1).unwrap();
        let (piece, marked) = cutter.finish();
        assert_eq!(piece.unwrap().held.span.unwrap().last_offset, 29);
        let mut table = SlotTable::default();
        marked.mark(&mut table);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(
            (table.rows[0].slot, table.rows[0].logged),
            (Slot::of_key(b"foo"), 1)
        );
    }
}
