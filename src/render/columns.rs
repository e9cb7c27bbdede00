//! Which columns of a table fit a terminal, and how wide each may be. Pure; the terminal writer asks.
//!
//! Cells never wrap: a row stays a line, so that rows can be counted and grepped. Too narrow a
//! terminal costs whole columns, the least important first; only what may never go is clipped.

use super::doc::Table;
use super::plain;

/// Blanks between two columns.
pub const GAP: usize = 2;

/// The columns that stay.
#[derive(Debug, PartialEq, Eq)]
pub struct Fit {
    /// Their indices, left to right, each with its width.
    pub kept: Vec<(usize, usize)>,
    /// The indices of those that went.
    pub dropped: Vec<usize>,
}

/// Fits a table into that many columns of the terminal; `None` is endless room.
pub fn fit(table: &Table, room: Option<usize>) -> Fit {
    let mut kept: Vec<(usize, usize)> = (0..table.columns.len())
        .map(|n| (n, natural_width(table, n)))
        .collect();
    let mut dropped = Vec::new();
    let Some(room) = room else {
        return Fit { kept, dropped };
    };
    while total(&kept) > room {
        let Some(at) = least_important(table, &kept) else {
            break;
        };
        dropped.push(kept.remove(at).0);
    }
    squeeze(&mut kept, room);
    dropped.sort_unstable();
    Fit { kept, dropped }
}

fn natural_width(table: &Table, column: usize) -> usize {
    let cells = table.rows.iter().filter_map(|row| row.get(column));
    cells
        .map(|cell| plain::width(&plain::clean(&cell.text)))
        .chain([plain::width(&table.columns[column].head)])
        .max()
        .unwrap_or(0)
}

fn total(kept: &[(usize, usize)]) -> usize {
    let cells: usize = kept.iter().map(|(_, width)| width).sum();
    cells + GAP * kept.len().saturating_sub(1)
}

/// Where the column stands that goes next: of the highest rank, the rightmost.
fn least_important(table: &Table, kept: &[(usize, usize)]) -> Option<usize> {
    let ranks = kept.iter().map(|(column, _)| table.columns[*column].rank);
    ranks
        .enumerate()
        .filter(|(_, rank)| *rank > 0)
        .max_by_key(|(_, rank)| *rank)
        .map(|(at, _)| at)
}

/// Takes from the widest column until all fit, or all are one wide.
fn squeeze(kept: &mut [(usize, usize)], room: usize) {
    while total(kept) > room {
        match kept.iter_mut().max_by_key(|(_, width)| *width) {
            Some((_, width)) if *width > 1 => *width -= 1,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::doc::{Cell, Column};

    fn table() -> Table {
        let mut table = Table::new([
            Column::left("ADDRESS", 0),
            Column::right("KEYS", 2),
            Column::left("STATE", 1),
        ]);
        table.row(["127.0.0.1:7001", "780,000", "ok"].map(Cell::plain));
        table
    }

    #[test]
    fn the_highest_rank_goes_first_and_rank_0_is_clipped() {
        for (room, kept, dropped) in [
            (None, vec![(0, 14), (1, 7), (2, 5)], vec![]),
            (Some(30), vec![(0, 14), (1, 7), (2, 5)], vec![]),
            (Some(29), vec![(0, 14), (2, 5)], vec![1]),
            (Some(20), vec![(0, 14)], vec![1, 2]),
            (Some(9), vec![(0, 9)], vec![1, 2]),
            (Some(0), vec![(0, 1)], vec![1, 2]),
        ] {
            assert_eq!(fit(&table(), room), Fit { kept, dropped }, "{room:?}");
        }
    }
}
