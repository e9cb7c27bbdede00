//! `nodes.json`, which `redis-cli --cluster backup` writes beside the files: who the masters were and
//! which slots each had. A file's name ends in its node's id.

use std::path::Path;

use serde::Deserialize;

use crate::archive::ShardNode;
use crate::model::{NodeAddr, NodeId, Role, Slot, SlotSet};

/// A node, as far as an import looks at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What the manifest keeps of it.
    pub node: ShardNode,
    /// Its slots.
    pub slots: SlotSet,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    host: String,
    port: u16,
    #[serde(default)]
    slots: Vec<(u16, u16)>,
    #[serde(default)]
    current_epoch: u64,
}

/// The nodes of a text; `None` when it is something else.
pub fn read(text: &str) -> Option<Vec<Known>> {
    let rows: Vec<Row> = serde_json::from_str(text).ok()?;
    rows.into_iter().map(known).collect()
}

fn known(row: Row) -> Option<Known> {
    let mut slots = SlotSet::new();
    for (first, last) in row.slots {
        slots.insert_range(Slot::new(first)?, Slot::new(last)?);
    }
    let node = ShardNode {
        id: row.name.parse::<NodeId>().ok()?,
        addr: NodeAddr::new(&row.host, row.port),
        role: Role::Master,
        epoch: row.current_epoch,
        host: None,
        zone: None,
    };
    Some(Known { node, slots })
}

/// The node that a file is of, by its name.
pub fn of_file<'a>(known: &'a [Known], file: &Path) -> Option<&'a Known> {
    let stem = file.file_stem()?.to_str()?;
    known
        .iter()
        .find(|known| stem.ends_with(&known.node.id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-cli 7.0.15 writes it.
    const TEXT: &str = r#"[{"name": "28c71dd3b1a357885f80b46c7fa0a835c1a039d7", "host": "127.0.0.1",
        "port": 27101, "replicate": null, "slots": [[0,5460],[9000,9000]], "slots_count": 5462,
        "flags": "master", "current_epoch": 1}]"#;

    #[test]
    fn a_file_is_known_by_its_node() {
        let known = read(TEXT).unwrap();
        let name = "x/redis-node-127.0.0.1-27101-28c71dd3b1a357885f80b46c7fa0a835c1a039d7.rdb";
        let found = of_file(&known, Path::new(name)).unwrap();
        assert_eq!(found.slots.to_string(), "0-5460 9000");
        assert_eq!(found.node.addr.to_string(), "127.0.0.1:27101");
        assert_eq!(of_file(&known, Path::new("dump.rdb")), None);
        assert_eq!(read("{}"), None);
        assert_eq!(read(&TEXT.replace("5460", "16384")), None);
    }
}
