//! A drill as one page for people who were not there: the verdict, pictures of what happened, and
//! the tables. It stands alone: no script, no font, no picture from elsewhere, so that it can be
//! mailed, archived as a CI artefact and opened in ten years.
//!
//! | file | what |
//! |---|---|
//! | `timeline` | what happened, and when each shard took writes |
//! | `latency` | what the client's writes took |
//! | `waterfall` | the terms of the outage, expected and measured |
//! | `labels`, `scale`, `svg` | where things stand on a picture, and how they are written |
//! | `html`, `style` | documents as HTML, and how all of it looks |

mod html;
mod labels;
mod latency;
mod scale;
mod style;
mod svg;
mod timeline;
mod waterfall;

use crate::model::Recording;
use crate::ops::failover::{Report, RoundReport, Verdict};

use super::check::Detail;
use super::doc::{Block, Cell, Doc};
use super::failover::{self, rounds, shards, words};
use super::human;
use html::escape;
use timeline::Told;

/// So many dots a latency picture has at most.
const DOTS: usize = 2000;

/// So many dots all of them have together, so that the page stays small.
const ALL_DOTS: usize = 24_000;

/// So many rounds have pictures; the worst is always one of them.
const PICTURED: usize = 24;

/// So many latency pictures a round has.
const LATENCIES: usize = 4;

/// From so many rounds on all but the worst are folded.
const OPEN: usize = 3;

/// A drill's report and recording as one HTML page.
pub fn drill_page(report: &Report, recording: &Recording) -> String {
    let (word, _) = failover::verdict_word(report.verdict);
    let title = format!("{}: {word} - {}", report.cluster, words::deed(report));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}<main>\n",
        escape(&title),
        style::CSS,
        style::DEFS
    );
    page += &opening(report);
    page += &pictures(report, recording);
    page += &tables(report);
    page += &format!(
        "<footer>recorded by goodcache {} at {}</footer>\n</main>\n</body>\n</html>\n",
        escape(&recording.goodcache),
        human::timestamp(recording.taken_at_ms)
    );
    page
}

/// All tables; of many rounds first what counts, then all, folded. Of very many only what counts, or
/// the page would never end.
fn tables(report: &Report) -> String {
    let all = || html::blocks(&failover::tables(report, Detail { is_verbose: true }));
    if report.rounds.len() <= OPEN && report.shards.len() <= PICTURED {
        return all();
    }
    let mut doc = failover::tables(report, Detail::default());
    doc.blocks.iter_mut().for_each(without_hint);
    let mut page = html::blocks(&doc);
    if report.rounds.len() <= PICTURED && report.shards.len() <= PICTURED {
        let all = all();
        page += &format!("<details><summary>all rounds and shards</summary>\n{all}</details>\n");
    }
    page
}

/// Takes away how to see more at a terminal.
fn without_hint(block: &mut Block) {
    if let Block::Title(text) | Block::Paragraph(Cell { text, .. }) = block
        && let Some(rest) = text.strip_suffix(words::MORE)
    {
        text.truncate(rest.len());
    }
}

fn opening(report: &Report) -> String {
    let (word, tone) = failover::verdict_word(report.verdict);
    let sign = match report.verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::Unknown => "?",
    };
    let mut page = format!(
        "<header>\n<h1><span class=\"badge {}\">{sign} {word}</span>{}</h1>\n<p>{}</p>\n</header>\n",
        html::tone(tone),
        escape(&report.cluster),
        escape(&failover::headline(report))
    );
    let mut doc = Doc::new();
    failover::opening(&mut doc, report);
    page += &html::blocks(&doc);
    page + &tiles(report)
}

/// The numbers that were asked for.
fn tiles(report: &Report) -> String {
    let worst = shards::worst(report);
    let outage = worst.map_or("none".to_owned(), |outage| {
        let length = human::millis(outage.unavailable_ms);
        match outage.restored_at {
            Some(_) => length,
            None => format!(">{length}"),
        }
    });
    let place = worst.map_or_else(
        || "without writes in a struck shard".to_owned(),
        |outage| match outage.restored_at {
            Some(_) => format!("without writes in shard {}", outage.shard),
            None => format!("without writes in shard {}, to the end", outage.shard),
        },
    );
    let client = worst.map(|outage| human::millis(outage.client_unavailable_ms));
    let redundancy = match report.recovery.whole_after_fault_ms {
        Some(ms) => human::millis(ms),
        None if report.rounds.iter().any(|r| !r.not_whole.is_empty()) => "never".to_owned(),
        None => "?".to_owned(),
    };
    let writes = &report.writes;
    let lost = match writes.unread {
        0 => human::count(writes.lost),
        n => format!("{} + {} unread", human::count(writes.lost), human::count(n)),
    };
    let acknowledged = format!(
        "lost of {} acknowledged writes",
        human::count(writes.acknowledged)
    );
    let mut page = "<div class=\"tiles\">\n".to_owned();
    for (value, name) in [
        (outage, place.as_str()),
        (
            client.unwrap_or_else(|| "none".to_owned()),
            "without a good write of the client",
        ),
        (lost, acknowledged.as_str()),
        (redundancy, "from the fault until whole"),
    ] {
        page += &format!(
            "<div class=\"tile\"><b>{}</b><span>{}</span></div>\n",
            escape(&value),
            escape(name)
        );
    }
    page + "</div>\n"
}

/// Pictures of the rounds, the worst first and open, and of the terms.
fn pictures(report: &Report, recording: &Recording) -> String {
    let worst = words::worst_round(report);
    let mut shown: Vec<&RoundReport> = report.rounds.iter().collect();
    shown.sort_by_key(|round| Some(round.round) != worst);
    shown.truncate(PICTURED);
    let dots = DOTS.min(ALL_DOTS / shown.len().max(1));
    let is_folded = shown.len() > OPEN;
    if !is_folded {
        shown.sort_by_key(|round| round.round);
    }
    let mut page = String::new();
    for round in &shown {
        let told = Told {
            report,
            judged: round,
            recorded: recording.rounds.iter().find(|r| r.number == round.round),
        };
        let figures = figures(&told, dots);
        let head = escape(&head(&told, report.rounds.len()));
        page += &match is_folded && Some(round.round) != worst {
            true => format!("<details><summary>{head}</summary>\n{figures}</details>\n"),
            false => format!("<h2>{head}</h2>\n{figures}"),
        };
    }
    if report.rounds.len() > shown.len() {
        let more = human::counted(report.rounds.len() - shown.len(), "more round");
        page += &format!("<p class=\"faint\">{more} without pictures</p>\n");
    }
    if let Some(picture) = waterfall::draw(report) {
        page +=
            &format!("<div class=\"figure\"><h2>the terms of the outage</h2>\n{picture}</div>\n");
    }
    page
}

fn head(told: &Told, rounds: usize) -> String {
    let deed = rounds::named(told.judged);
    match rounds {
        1 => deed,
        _ => {
            let struck = told.outages().filter(|outage| outage.is_struck);
            let length = words::worst(struck).map_or(String::new(), |outage| {
                format!(", {} without writes", human::millis(outage.unavailable_ms))
            });
            format!("round {}: {deed}{length}", told.judged.round)
        }
    }
}

fn figures(told: &Told, dots: usize) -> String {
    let whole = told.whole();
    let close = told.close();
    let figure = |head: &str, picture: &str| {
        format!("<div class=\"figure\"><h3>{head}</h3>\n{picture}</div>\n")
    };
    let mut page = figure(
        "What happened, in seconds from the fault; hatched where a shard took no writes",
        &timeline::draw(told, whole),
    );
    if let Some(close) = close {
        page += &figure("The outage, closer", &timeline::draw(told, close));
    }
    let struck = told.struck();
    let pictured = struck.iter().take(LATENCIES);
    for shard in pictured.clone() {
        let picture = latency::draw(told, *shard, whole, dots / pictured.len().max(1));
        if let Some(picture) = picture {
            let head =
                format!("Latency of the client's writes to shard {shard}, from when they were due");
            page += &figure(&head, &picture);
        }
    }
    page
}
