//! A rotation, as a document.

use super::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::cluster::Kept;
use crate::model::words::{counted, listed};
use crate::ops::rotate::{NodeRow, Report, State};

/// So many names are told in a line.
const NAMED: usize = 6;

/// A rotation. `line` is the command that goes on with it.
pub fn rotate(report: &Report, line: &str) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    doc.push(Block::Table(table(report)));
    doc.push(Block::Lines(forgetful(report)));
    match report.state {
        State::Planned => plan(&mut doc, report),
        State::ClientsTurn => turn(&mut doc, report, line),
        State::Stopped => {
            doc.paragraph("What was done is noted. To go on, and to go back:");
            doc.commands([line.to_owned(), format!("{line} --undo")]);
        }
        State::Done | State::Undone => {}
    }
    let notes = report.notes.iter().map(|note| Cell::new(note, Tone::Warn));
    doc.push(Block::Lines(notes.collect()));
    if let (Some(file), true) = (&report.new_password_file, is_new(report)) {
        doc.push(Block::KeyValues(vec![(
            "new password".to_owned(),
            Cell::plain(file),
        )]));
    }
    doc
}

fn is_new(report: &Report) -> bool {
    matches!(
        report.state,
        State::ClientsTurn | State::Done | State::Stopped
    )
}

fn verdict(report: &Report) -> Block {
    let nodes = counted(report.nodes.len(), "node");
    let of = format!("the password of '{}'", report.user);
    let (word, tone, rest) = match report.state {
        State::Planned => (
            "PLAN",
            Tone::Strong,
            format!("{of} on {nodes}; nothing was changed"),
        ),
        State::ClientsTurn => (
            "CLIENTS' TURN",
            Tone::Good,
            format!("{of}: {nodes} take the new one and still the old one"),
        ),
        State::Done => (
            "DONE",
            Tone::Good,
            format!("{of}: {nodes} take the new one and refuse the old one"),
        ),
        State::Undone => (
            "UNDONE",
            Tone::Good,
            format!("{of} is the old one again on {nodes}"),
        ),
        State::Stopped => (
            "STOPPED",
            Tone::Bad,
            report
                .stopped
                .clone()
                .unwrap_or_else(|| "half-way".to_owned()),
        ),
    };
    Block::Verdict {
        subject: report.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest,
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::new([
        Column::left("NODE", 0),
        Column::left("ROLE", 1),
        Column::left("NEW", 0),
        Column::left("OLD", 0),
        Column::left("KEPT IN", 2),
        Column::left("RECONNECTED", 3),
    ]);
    for node in &report.nodes {
        table.row(row(node));
    }
    table
}

fn row(node: &NodeRow) -> [Cell; 6] {
    let takes = |is_so| Cell::plain(if is_so { "yes" } else { "no" });
    let kept = match &node.kept {
        None => Cell::none(),
        Some(Kept::AclFile) => Cell::plain("ACL file"),
        Some(Kept::ConfigFile) => Cell::plain("configuration"),
        Some(Kept::Not(_)) => Cell::new("nowhere", Tone::Warn),
    };
    [
        Cell::plain(&node.addr),
        Cell::plain(if node.is_replica { "replica" } else { "master" }),
        takes(node.takes_new),
        takes(node.takes_old),
        kept,
        node.reconnected
            .as_ref()
            .map_or_else(Cell::none, Cell::plain),
    ]
}

fn forgetful(report: &Report) -> Vec<Cell> {
    let told = report.forgetful().map(|(addr, why)| {
        Cell::new(
            format!("{addr} would forget the change when it is started again: {why}"),
            Tone::Warn,
        )
    });
    told.collect()
}

fn plan(doc: &mut Doc, report: &Report) {
    let old = match report.old_passwords {
        1 => "The old one goes".to_owned(),
        more => format!("The {more} passwords that it has now go"),
    };
    let replication = match report.is_for_replication {
        true => {
            " Replicas log in at their masters as this user: they get it too (masterauth), and reconnect one by one."
        }
        false => "",
    };
    doc.paragraph(format!(
        "The new password is added on every node, replicas first, and seen to be taken.{replication} \
         {old} only after the clients' turn, with --finish."
    ));
}

fn turn(doc: &mut Doc, report: &Report, line: &str) {
    let older = report.older();
    let connections: usize = report.lingering.iter().map(|node| node.connections).sum();
    let names = report.lingering.iter().flat_map(|node| node.names.clone());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    doc.paragraph(match older {
        0 => format!(
            "{} of this user, none older than the new password. A younger one may use either; the \
             server does not tell which.",
            counted(connections, "connection")
        ),
        older => format!(
            "{} of this user, {older} of them older than the new password ({}). They live on when the \
             old one goes, but could not connect again with it.",
            counted(connections, "connection"),
            listed(names, NAMED)
        ),
    });
    doc.paragraph("Give the applications the new password. Then, or to go back:");
    doc.commands([format!("{line} --finish"), format!("{line} --undo")]);
}
