//! What `tune` advises, plans and did, as documents.
//!
//! What is grave comes as findings do: what to change, why, the numbers. What is merely worth having
//! is a table, a line a setting, and `-v` tells each in full: advice that fills three screens is not
//! read.

use std::time::Duration;

use crate::model::words::{bytes, counted, duration, listed};
use crate::model::{Role, Severity};
use crate::ops::tune::apply::{Applied, Ended, Plan, Set};
use crate::ops::tune::{Change, Kind, Recommendation, Report, Risk, Rule, Takes};

use super::check::Detail;
use super::doc::{Block, Cell, Column, Doc, Entry, Table, Tone};
use super::finding;

/// So many nodes are named in a line.
const NAMED: usize = 4;
/// So many different values are told in a line of their own.
const VALUES: usize = 6;

/// What tune advises. `apply` is the command line that does it.
pub fn tune(report: &Report, detail: Detail, apply: &str) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    let is_told = |one: &&Recommendation| detail.is_verbose || one.severity > Severity::Info;
    let (told, listed): (Vec<_>, Vec<_>) = report.recommendations.iter().partition(is_told);
    let told = told.into_iter().map(|one| entry(one, report));
    doc.push(Block::Findings(told.collect()));
    doc.push(Block::Table(table(listed.into_iter(), report)));
    overruled(&mut doc, report);
    doc.push(Block::KeyValues(looked(report)));
    skipped(&mut doc, report, detail);
    next(&mut doc, report, apply);
    doc
}

fn verdict(report: &Report) -> Block {
    let worst = report.recommendations.iter().map(|one| one.severity).max();
    let (word, tone) = match worst {
        None => ("TUNED", Tone::Good),
        Some(Severity::Info) => ("FINE", Tone::Good),
        Some(worst) => finding::severity(worst),
    };
    let of = |severity| {
        report
            .recommendations
            .iter()
            .filter(move |one| one.severity == severity)
    };
    let counts: Vec<String> = [
        (Severity::Critical, "grave"),
        (Severity::Warning, "to be changed soon"),
        (Severity::Info, "worth having"),
    ]
    .into_iter()
    .map(|(severity, words)| (of(severity).count(), words))
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| format!("{count} {words}"))
    .collect();
    let counts = match counts.is_empty() {
        true => "nothing to change".to_owned(),
        false => counts.join(", "),
    };
    Block::Verdict {
        subject: report.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest: format!(
            "{counts}; {} of {} answered",
            report.nodes_answering,
            counted(report.nodes_known, "node")
        ),
    }
}

fn entry(one: &Recommendation, report: &Report) -> Entry {
    let (word, tone) = finding::severity(one.severity);
    let mut seen = vec![one.why.clone()];
    seen.extend(one.evidence.iter().cloned());
    let groups = groups(&one.changes);
    if groups.len() > 1 {
        let line = |(now, then, nodes): &(String, String, Vec<&Change>)| {
            format!("{}: {now} -> {then}", names(nodes))
        };
        seen.extend(groups.iter().take(VALUES).map(line));
        let more = groups.len().saturating_sub(VALUES);
        seen.extend((more > 0).then(|| format!("(and {more} more; -o json has all)")));
    }
    seen.push(format!("costs: {}; {}", one.cost, takes(one)));
    seen.extend(
        one.against
            .iter()
            .map(|against| format!("against it: {against}")),
    );
    let (now, then) = match groups.as_slice() {
        [(now, then, _)] => (now.clone(), then.clone()),
        _ => ("differs".to_owned(), "each its own".to_owned()),
    };
    let summary = match one.kind {
        Kind::Setting | Kind::Host => format!("{}: {now} -> {then}", one.parameter),
        Kind::Action | Kind::Application => format!("{}: {then}", one.parameter),
    };
    Entry {
        word: word.to_owned(),
        tone,
        code: one.rule.clone(),
        subject: whom(&one.changes, report),
        summary,
        seen,
        next: one.next.clone(),
    }
}

fn takes(one: &Recommendation) -> String {
    let risk = match one.risk {
        Risk::Low => "low risk",
        Risk::Medium => "medium risk",
        Risk::High => "high risk",
    };
    let how = match (one.takes, one.persists) {
        (Takes::Online, true) => "takes effect at once, and lasts with --rewrite",
        (Takes::Online, false) => "takes effect at once",
        (Takes::Restart, _) => "takes a restart",
        (Takes::ByHand, _) => "is done by hand",
    };
    format!("{risk}; {how}")
}

/// Changes that are the same: from what, to what, where.
fn groups(changes: &[Change]) -> Vec<(String, String, Vec<&Change>)> {
    let mut groups: Vec<(String, String, Vec<&Change>)> = Vec::new();
    for change in changes {
        let now = change
            .present
            .as_deref()
            .map_or_else(|| "?".to_owned(), value);
        let then = value(&change.proposed);
        let same = |group: &&mut (String, String, Vec<&Change>)| group.0 == now && group.1 == then;
        match groups.iter_mut().find(same) {
            Some(group) => group.2.push(change),
            None => groups.push((now, then, vec![change])),
        }
    }
    groups
}

/// A value as the server writes it; large sizes also as people read them.
fn value(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(size) if size >= 1 << 20 => format!("{text} ({})", bytes(size)),
        _ if text.is_empty() => "\"\"".to_owned(),
        _ => text.to_owned(),
    }
}

fn names(nodes: &[&Change]) -> String {
    listed(nodes.iter().map(|change| change.addr.to_string()), NAMED)
}

/// Which nodes: all of them, all of one part, or by name.
fn whom(changes: &[Change], report: &Report) -> String {
    let are = |role| changes.iter().all(|change| change.role == role);
    match changes.len() {
        all if all == report.nodes_known && all > 1 => format!("all {all} nodes"),
        all if all == report.nodes_answering && all > 1 => format!("the {all} nodes that answered"),
        1 => changes[0].addr.to_string(),
        many if are(Role::Master) => format!("{many} masters"),
        many if are(Role::Replica) => format!("{many} replicas"),
        _ => listed(changes.iter().map(|change| change.addr.to_string()), NAMED),
    }
}

fn table<'a>(listed: impl Iterator<Item = &'a Recommendation>, report: &Report) -> Table {
    let mut table = Table::new([
        Column::left("WORTH HAVING", 0),
        Column::left("NODES", 3),
        Column::left("NOW", 1),
        Column::left("PROPOSED", 0),
        Column::left("RULE", 0),
        Column::left("TAKES", 4),
    ]);
    for one in listed {
        let groups = groups(&one.changes);
        let (now, then) = match groups.as_slice() {
            [(now, then, _)] => (now.as_str(), then.as_str()),
            _ => ("differs", "each its own"),
        };
        let takes = match one.takes {
            Takes::Online => "at once",
            Takes::Restart => "a restart",
            Takes::ByHand => "by hand",
        };
        table.row([
            Cell::plain(&one.parameter),
            Cell::plain(whom(&one.changes, report)),
            Cell::plain(now),
            Cell::plain(then),
            Cell::new(&one.rule, Tone::Faint),
            Cell::plain(takes),
        ]);
    }
    table
}

fn overruled(doc: &mut Doc, report: &Report) {
    let lines = report.overruled.iter().map(|one| {
        let wanted = groups(&one.recommendation.changes);
        let then = wanted
            .first()
            .map_or("another value", |group| group.1.as_str());
        Cell::plain(format!(
            "{} would have {} at {then}, for {}; {} has its way",
            one.recommendation.rule, one.recommendation.parameter, one.recommendation.why, one.by
        ))
    });
    let lines: Vec<Cell> = lines.collect();
    if !lines.is_empty() {
        doc.title("overruled");
        doc.push(Block::Lines(lines));
    }
}

fn looked(report: &Report) -> Vec<(String, Cell)> {
    let sampling = &report.sampling;
    let profile = &report.profile;
    let guessed = match (profile.is_given, profile.is_sure) {
        (true, _) => "given".to_owned(),
        (false, true) => format!("guessed: {}", profile.reason),
        (false, false) => format!("a weak guess: {}", profile.reason),
    };
    let mut seen = match sampling.between_ms {
        0 => "counters once (rates are unknown: --sample)".to_owned(),
        ms => format!(
            "counters twice, {} apart",
            duration(Duration::from_millis(ms))
        ),
    };
    if sampling.keys > 0 {
        let how = if sampling.is_deep {
            ""
        } else {
            "names, types and expiries of "
        };
        seen.push_str(&format!(
            "; {how}{}",
            counted(sampling.keys as usize, "key")
        ));
    }
    if let Some(cost) = sampling.cost_percent {
        seen.push_str(&format!(", at {cost:.2} % of one core at the most"));
    }
    let agree = report.satisfied.len();
    vec![
        (
            "profile".into(),
            Cell::plain(format!("{} ({guessed})", profile.profile)),
        ),
        ("looked at".into(), Cell::plain(seen)),
        (
            "content".into(),
            Cell::plain(format!(
                "{} found nothing to change",
                counted(agree, "rule")
            )),
        ),
    ]
}

fn skipped(doc: &mut Doc, report: &Report, detail: Detail) {
    if detail.is_verbose && !report.skipped.is_empty() {
        doc.title("skipped");
        doc.push(Block::KeyValues(finding::skipped_each(&report.skipped)));
    } else {
        doc.faint(finding::skipped_in_short(&report.skipped));
    }
}

fn next(doc: &mut Doc, report: &Report, apply: &str) {
    if let Some(service) = report.service {
        let commands: Vec<&str> = report
            .recommendations
            .iter()
            .filter(|one| one.takes == Takes::ByHand && one.kind == Kind::Setting)
            .flat_map(|one| one.next.iter().map(String::as_str))
            .collect();
        if !commands.is_empty() {
            doc.faint(format!(
                "{service} changes settings by commands of its own; words in capitals are yours to fill in:"
            ));
            doc.commands(commands);
        }
    }
    let online = (report.recommendations.iter()).filter(|one| one.takes == Takes::Online);
    let online = online.count();
    if online > 0 {
        doc.faint(format!(
            "{} can be set while the servers run; --dry-run shows the plan, --explain RULE the reasons:",
            counted(online, "recommendation")
        ));
        doc.commands([apply]);
    }
}

/// A rule, explained.
pub fn rule(rule: &Rule) -> Doc {
    let mut doc = Doc::new();
    doc.push(Block::Verdict {
        subject: rule.id.to_owned(),
        word: "RULE".to_owned(),
        tone: Tone::Strong,
        rest: rule.title.to_owned(),
    });
    doc.paragraph(rule.why);
    let plain = |text: &str| Cell::plain(text);
    doc.push(Block::KeyValues(vec![
        ("sets".into(), plain(&rule.parameters.join(", "))),
        ("how".into(), plain(rule.how)),
        ("costs".into(), plain(rule.cost)),
        ("seen in".into(), Cell::new(rule.source, Tone::Faint)),
    ]));
    doc
}

/// Rules, a line each.
pub fn rules<'a>(rules: impl Iterator<Item = &'a Rule>) -> Doc {
    let mut doc = Doc::new();
    let mut table = Table::new([
        Column::left("RULE", 0),
        Column::left("SETS", 2),
        Column::left("WHAT IT IS ABOUT", 0),
    ]);
    for rule in rules {
        let cells = [rule.id, &rule.parameters.join(", "), rule.title].map(Cell::plain);
        table.row(cells);
    }
    doc.push(Block::Table(table));
    doc.faint("goodcache tune --explain RULE tells why, and how the value is found");
    doc
}

/// What would be set, or put back.
pub fn plan(plan: &Plan, word: &str) -> Doc {
    let mut doc = Doc::new();
    let settings: usize = plan.steps.iter().map(|step| step.sets.len()).sum();
    doc.push(Block::Verdict {
        subject: plan.cluster.clone(),
        word: word.to_owned(),
        tone: Tone::Strong,
        rest: format!(
            "{} on {}, one node after the other, replicas first",
            counted(settings, "setting"),
            counted(plan.steps.len(), "node")
        ),
    });
    doc.push(Block::Table(sets(plan)));
    if !plan.left.is_empty() {
        doc.title("left to you");
        let line = |left: &crate::ops::tune::apply::Left| {
            Cell::plain(format!("{} ({}): {}", left.parameter, left.rule, left.why))
        };
        doc.push(Block::Lines(plan.left.iter().map(line).collect()));
    }
    doc
}

/// What is set, a line for what is the same on several nodes of one part.
fn sets(plan: &Plan) -> Table {
    let mut rows: Vec<(Role, &Set, Vec<String>)> = Vec::new();
    for step in &plan.steps {
        for set in &step.sets {
            let same = |row: &&mut (Role, &Set, Vec<String>)| row.0 == step.role && row.1 == set;
            match rows.iter_mut().find(same) {
                Some(row) => row.2.push(step.addr.to_string()),
                None => rows.push((step.role, set, vec![step.addr.to_string()])),
            }
        }
    }
    let mut table = Table::new([
        Column::left("SETTING", 0),
        Column::left("NOW", 1),
        Column::left("BECOMES", 0),
        Column::left("NODES", 0),
        Column::left("RULE", 2),
    ]);
    for (part, set, nodes) in rows {
        let nodes = match nodes.len() {
            1 => format!("{} {}", role(part), nodes[0]),
            many => counted(many, role(part)),
        };
        table.row([
            Cell::plain(&set.parameter),
            Cell::plain(value(&set.present)),
            Cell::plain(value(&set.proposed)),
            Cell::plain(nodes),
            Cell::new(&set.rule, Tone::Faint),
        ]);
    }
    table
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Replica => "replica",
        Role::Unknown => "node",
    }
}

/// What became of it. `undo` is the command line that puts it back.
pub fn applied(cluster: &str, applied: &Applied, undo: Option<&str>) -> Doc {
    let mut doc = Doc::new();
    let settings: usize = applied.changed.iter().map(|node| node.settings).sum();
    let (word, tone, rest) = match &applied.ended {
        Ended::Done if !applied.not_put_back.is_empty() => (
            "NOT WHOLE",
            Tone::Bad,
            "not everything could be put back".to_owned(),
        ),
        Ended::Done if !applied.put_back.is_empty() => (
            "PUT BACK",
            Tone::Good,
            format!(
                "{} on {}, read back: every value is as it was",
                counted(settings, "setting"),
                counted(applied.put_back.len(), "node")
            ),
        ),
        Ended::Done => (
            "DONE",
            Tone::Good,
            format!(
                "{} on {}, read back; the cluster is as sound as before",
                counted(settings, "setting"),
                counted(applied.changed.len(), "node")
            ),
        ),
        Ended::Stopped { at, why, .. } => ("STOPPED", Tone::Bad, format!("at {at}: {why}")),
    };
    doc.push(Block::Verdict {
        subject: cluster.to_owned(),
        word: word.to_owned(),
        tone,
        rest,
    });
    if matches!(applied.ended, Ended::Stopped { .. }) && applied.not_put_back.is_empty() {
        doc.paragraph(match applied.put_back.len() {
            0 => "nothing is changed".to_owned(),
            nodes => format!(
                "what had been set was put back on {} and read back: nothing is changed",
                counted(nodes, "node")
            ),
        });
    }
    let lost = applied.not_put_back.iter();
    let lost =
        lost.map(|(addr, why)| Cell::new(format!("{addr} is not put back: {why}"), Tone::Bad));
    doc.push(Block::Lines(lost.collect()));
    doc.push(Block::Lines(lasting(applied)));
    let news = applied.news.iter();
    let news = news.map(|news| Cell::new(format!("check says now: {news}"), Tone::Warn));
    doc.push(Block::Lines(news.collect()));
    if let Some(undo) = undo {
        doc.faint("to put it back exactly:");
        doc.commands([undo]);
    }
    doc
}

fn lasting(applied: &Applied) -> Vec<Cell> {
    let refused = applied.changed.iter().filter_map(|node| {
        let why = node.not_rewritten.as_ref()?;
        Some(Cell::new(
            format!("{} does not keep it over a restart: {why}", node.addr),
            Tone::Warn,
        ))
    });
    let mut lines: Vec<Cell> = refused.collect();
    let written = applied
        .changed
        .iter()
        .filter(|node| node.is_rewritten)
        .count();
    let unwritten = applied.changed.len() - written;
    if written > 0 {
        let nodes = counted(written, "node");
        lines.push(Cell::plain(format!(
            "written to the configuration file of {nodes}"
        )));
    } else if lines.is_empty() && unwritten > 0 && applied.put_back.is_empty() {
        lines.push(Cell::plain(
            "it lasts until a node is started again: --rewrite writes it to the servers' files",
        ));
    }
    lines
}
