//! What `create` says: the plan, the outcome, the faults that stood in the way.

use super::doc::{Block, Cell, Column, Doc, Entry, Table, Tone};
use super::human;
use crate::model::{Finding, Losses, Severity};
use crate::ops::create::{Plan, PlannedShard, Refusal, Report, Standing, Step};

/// The plan, before anything is done.
pub fn plan(name: &str, plan: &Plan, is_verbose: bool) -> Doc {
    let mut doc = Doc::new();
    let rest = match plan.standing {
        Standing::Fresh => format!(
            "{} to be made of {}",
            shards_of(&plan.shards),
            nodes_of(&plan.shards)
        ),
        Standing::HalfMade => format!("half made; {} steps are left", plan.steps.len()),
        Standing::AlreadySo => "already so; there is nothing to do".to_owned(),
    };
    doc.push(Block::Verdict {
        subject: name.to_owned(),
        word: "PLAN".into(),
        tone: Tone::Strong,
        rest,
    });
    doc.push(Block::Table(shard_table(&plan.shards)));
    survival(&mut doc, &plan.survives);
    if is_verbose {
        doc.commands(plan.steps.iter().map(ToString::to_string));
    } else if !plan.steps.is_empty() {
        doc.faint(format!(
            "steps: {} (-v lists them)",
            summary_of(&plan.steps)
        ));
    }
    doc
}

/// The outcome.
pub fn report(name: &str, report: &Report) -> Doc {
    let mut doc = Doc::new();
    let took = human::duration(std::time::Duration::from_millis(report.took_ms));
    let (word, tone, rest) = match (report.is_usable, report.standing) {
        (true, Standing::AlreadySo) => (
            "OK",
            Tone::Good,
            format!(
                "already so: {} on {}, and usable",
                shards_of(&report.shards),
                nodes_of(&report.shards)
            ),
        ),
        (true, _) => (
            "OK",
            Tone::Good,
            format!(
                "usable after {took}: {} on {}",
                shards_of(&report.shards),
                nodes_of(&report.shards)
            ),
        ),
        (false, Standing::AlreadySo) => (
            "NOT USABLE",
            Tone::Bad,
            format!("it is made, but not sound after {took}"),
        ),
        (false, _) => (
            "NOT USABLE",
            Tone::Bad,
            format!("stopped half-way after {took}"),
        ),
    };
    doc.push(Block::Verdict {
        subject: name.to_owned(),
        word: word.into(),
        tone,
        rest,
    });
    list(&mut doc, "Missing", &report.missing);
    list(&mut doc, "Likely causes", &report.causes);
    doc.push(Block::Table(shard_table(&report.shards)));
    survival(&mut doc, &report.survives);
    list(&mut doc, "Mind", &report.notes);
    doc
}

/// The faults.
pub fn refusal(name: &str, refusal: &Refusal) -> Doc {
    let mut doc = Doc::new();
    let faults = refusal
        .faults
        .iter()
        .filter(|fault| fault.severity == Severity::Critical)
        .count();
    doc.push(Block::Verdict {
        subject: name.to_owned(),
        word: "REFUSED".into(),
        tone: Tone::Bad,
        rest: format!(
            "{} in the way; nothing was changed",
            human::plural(faults, "fault stands", "faults stand")
        ),
    });
    doc.push(Block::Findings(refusal.faults.iter().map(entry).collect()));
    doc
}

/// Warnings that did not stop it.
pub fn warnings(findings: &[Finding]) -> Doc {
    let mut doc = Doc::new();
    doc.push(Block::Findings(findings.iter().map(entry).collect()));
    doc
}

fn entry(finding: &Finding) -> Entry {
    let (word, tone) = match finding.severity {
        Severity::Critical => ("FAULT", Tone::Bad),
        Severity::Warning => ("WARNING", Tone::Warn),
        Severity::Info => ("INFO", Tone::Faint),
    };
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    Entry {
        word: word.into(),
        tone,
        code: finding.code.clone(),
        subject: finding.subject.to_string(),
        summary: finding.summary.clone(),
        seen: lines(&finding.evidence),
        next: lines(&finding.next),
    }
}

fn shard_table(shards: &[PlannedShard]) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("MASTER", 0),
        Column::left("REPLICAS", 0),
        Column::left("SLOTS", 0),
        Column::right("COUNT", 1),
    ]);
    for (n, shard) in shards.iter().enumerate() {
        let replicas: Vec<String> = shard.replicas.iter().map(ToString::to_string).collect();
        table.row([
            Cell::plain(n + 1),
            Cell::plain(&shard.master),
            if replicas.is_empty() {
                Cell::none()
            } else {
                Cell::plain(replicas.join(" "))
            },
            Cell::plain(&shard.slots),
            Cell::plain(human::count(shard.slots.len() as u64)),
        ]);
    }
    table
}

/// What may be lost, in a line for hosts and one for zones.
fn survival(doc: &mut Doc, losses: &Losses) {
    for (kind, survived) in [("host", &losses.hosts), ("zone", &losses.zones)] {
        if survived.len() == 1 {
            doc.faint(format!(
                "all nodes are on one {kind}: its loss stops the cluster"
            ));
        } else if !survived.is_empty() {
            let words: Vec<String> = survived
                .iter()
                .map(|(name, is_survived)| {
                    format!("{name} {}", if *is_survived { "yes" } else { "NO" })
                })
                .collect();
            doc.paragraph(format!("survives the loss of {kind}: {}", words.join(", ")));
        }
    }
}

fn list(doc: &mut Doc, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        doc.title(title);
        doc.push(Block::Lines(lines.iter().map(Cell::plain).collect()));
    }
}

fn shards_of(shards: &[PlannedShard]) -> String {
    human::plural(shards.len(), "shard", "shards")
}

fn nodes_of(shards: &[PlannedShard]) -> String {
    let nodes = shards.iter().map(|shard| 1 + shard.replicas.len()).sum();
    human::plural(nodes, "node", "nodes")
}

fn summary_of(steps: &[Step]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        let kind = match step {
            Step::AddSlots { .. } => "give slots",
            Step::SetEpoch { .. } => "set epochs",
            Step::Meet { .. } => "introduce",
            Step::AwaitJoin { .. } => "wait for all to meet",
            Step::Replicate { .. } => "replicate",
        };
        match counts.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => counts.push((kind, 1)),
        }
    }
    let words: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| {
            if count == 1 {
                kind.to_owned()
            } else {
                format!("{kind} ({count})")
            }
        })
        .collect();
    words.join(", ")
}
