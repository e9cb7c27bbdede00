//! A shard's table of slots: how much is in each, its digest, and which objects of the base hold it.
//!
//! It is an object of its own, in columns: for 16,384 slots that is a few hundred KiB, and a list of
//! snapshots must not have to read it.

use serde::{Deserialize, Serialize};

use super::hex;
use crate::model::Slot;

/// What is in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Which.
    pub slot: Slot,
    /// Its keys.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// The bytes of its entries in the base.
    pub bytes: u64,
    /// The digest of its keys, values and expiries, whatever their order.
    pub digest: [u8; 16],
    /// The first and the last object of the base that hold any of it, by their place.
    pub chunks: (u32, u32),
    /// How many commands of the log may change it. With none the digest is that of the cut; else it
    /// is that of the base alone.
    pub logged: u64,
}

/// The slots of one shard in order; those without keys may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct SlotTable {
    /// A row for each slot.
    pub rows: Vec<SlotRow>,
}

impl SlotTable {
    /// What is in a slot; `None` when the table says nothing of it.
    pub fn get(&self, slot: Slot) -> Option<&SlotRow> {
        let at = self.rows.binary_search_by_key(&slot, |row| row.slot).ok()?;
        self.rows.get(at)
    }
}

/// As it is stored. A newer program adds columns; they are passed over.
#[derive(Debug, Serialize, Deserialize)]
struct Columns {
    slot: Vec<Slot>,
    keys: Vec<u64>,
    expires: Vec<u64>,
    bytes: Vec<u64>,
    digest: Vec<String>,
    first_chunk: Vec<u32>,
    last_chunk: Vec<u32>,
    /// Left out by those who wrote no log.
    #[serde(default)]
    logged: Vec<u64>,
}

impl From<SlotTable> for Columns {
    fn from(table: SlotTable) -> Columns {
        let rows = &table.rows;
        Columns {
            slot: rows.iter().map(|row| row.slot).collect(),
            keys: rows.iter().map(|row| row.keys).collect(),
            expires: rows.iter().map(|row| row.expires).collect(),
            bytes: rows.iter().map(|row| row.bytes).collect(),
            digest: rows.iter().map(|row| hex::encode(&row.digest)).collect(),
            first_chunk: rows.iter().map(|row| row.chunks.0).collect(),
            last_chunk: rows.iter().map(|row| row.chunks.1).collect(),
            logged: rows.iter().map(|row| row.logged).collect(),
        }
    }
}

impl TryFrom<Columns> for SlotTable {
    type Error = String;
    fn try_from(columns: Columns) -> Result<SlotTable, String> {
        let count = columns.slot.len();
        let row = |n: usize| {
            Some(SlotRow {
                slot: *columns.slot.get(n)?,
                keys: *columns.keys.get(n)?,
                expires: *columns.expires.get(n)?,
                bytes: *columns.bytes.get(n)?,
                digest: hex::decode(columns.digest.get(n)?)?,
                chunks: (*columns.first_chunk.get(n)?, *columns.last_chunk.get(n)?),
                logged: match columns.logged.is_empty() {
                    true => 0,
                    false => *columns.logged.get(n)?,
                },
            })
        };
        let rows: Option<Vec<SlotRow>> = (0..count).map(row).collect();
        let rows = rows.ok_or("the columns of the table of slots do not fit each other")?;
        if !rows.is_sorted_by(|a, b| a.slot < b.slot) {
            return Err("the table of slots is not in order".to_owned());
        }
        Ok(SlotTable { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_nothing_that_does_not_fit() {
        let row = |n: u16| SlotRow {
            slot: Slot::new(n).unwrap(),
            keys: 3,
            expires: 1,
            bytes: 99,
            digest: [n as u8; 16],
            chunks: (0, 2),
            logged: 5,
        };
        let table = SlotTable {
            rows: vec![row(1), row(7)],
        };
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<SlotTable>(&text).unwrap(), table);
        assert_eq!(table.get(Slot::new(7).unwrap()), Some(&row(7)));
        assert_eq!(table.get(Slot::new(2).unwrap()), None);
        for (from, to) in [
            ("[1,7]", "[7,1]"),
            ("[1,7]", "[1,1]"),
            ("[3,3]", "[3]"),
            ("\"0707", "\"07"),
        ] {
            assert!(serde_json::from_str::<SlotTable>(&text.replacen(from, to, 1)).is_err());
        }
        let newer = text.replacen('{', "{\"new\":[1,2],", 1);
        assert_eq!(serde_json::from_str::<SlotTable>(&newer).unwrap(), table);
    }
}
