//! `goodcache backup`: a file for each subcommand, one (`take`) for taking a snapshot, one (`every`)
//! for going on taking them, and one (`follow`) for archiving what is written in between.
//!
//! All but `take` and `diff live` talk to a repository only: which cluster is meant need not be known here, nor exist
//! any more.

mod copy;
mod diff;
mod every;
mod export;
mod follow;
mod import;
mod list;
mod log;
pub(super) mod open;
mod prune;
mod show;
mod take;
mod verify;

pub(super) use import::failure as import_failure;
pub(super) use take::{ground, name_of};

use anyhow::Context;
use serde::Serialize;

use super::check::look;
use super::exit::{Exit, Failure};
use super::nearest::nearest;
use super::options::backup::{ACTIONS, Action, Args, Place, Take};
use super::options::{Format, Shared};
use super::reach::now_ms;
use super::screen::Screen;
use super::settings::{Layers, RepositorySettings, color, rows_text};
use super::{block_on, layers_of, stoppable};
use crate::archive::{Manifest, Repository, Run};
use crate::ops::backup::keep::find;
use crate::render::{self, Doc};

/// Runs it.
pub(super) fn run(shared: &Shared, args: &Args) -> Result<Exit, Failure> {
    let Some(action) = &args.action else {
        return take::run(shared, args);
    };
    refuse_misplaced(&args.take, action)?;
    let name = match action {
        Action::List(list) => list.name.as_ref(),
        _ => None,
    };
    let keeping = Keeping::begin(shared, &args.place, name)?;
    block_on(stoppable(keep(shared, &keeping, action)))
}

async fn keep(shared: &Shared, keeping: &Keeping, action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::List(_) => list::run(keeping).await,
        Action::Log(log) => log::run(shared, keeping, log).await,
        Action::Show(show) => show::run(keeping, show).await,
        Action::Verify(verify) => verify::run(keeping, verify).await,
        Action::Prune(prune) => prune::run(keeping, prune).await,
        Action::Copy(copy) => copy::run(keeping, copy).await,
        Action::Diff(diff) => diff::run(shared, keeping, diff).await,
        Action::Export(export) => export::run(keeping, export).await,
        Action::Import(import) => import::run(keeping, import).await,
    }
}

/// What every subcommand on a repository needs.
struct Keeping {
    layers: Layers,
    settings: RepositorySettings,
    screen: Screen,
    /// The cluster that somebody named.
    cluster: Option<String>,
}

impl Keeping {
    fn begin(shared: &Shared, place: &Place, name: Option<&String>) -> Result<Keeping, Failure> {
        let layers = layers_of(shared, &RepositorySettings::target(shared, name))?;
        let settings = RepositorySettings::resolve(&layers, shared, place)?;
        let screen = Screen::new(color(&layers, shared)?.value, shared.verbose, shared.quiet);
        for notice in layers.notices.iter().chain(&settings.notices) {
            screen.say(&format!("goodcache: {notice}"));
        }
        screen.detail(rows_text(&settings.rows()).trim_end());
        let cluster = name.or(shared.connection.cluster.as_ref()).cloned();
        Ok(Keeping {
            layers,
            settings,
            screen,
            cluster,
        })
    }

    /// Opens the repository that was named.
    async fn repository(&self) -> Result<Repository, Failure> {
        let opened = open::open(self.settings.access()?).await;
        opened.map(|(repository, _)| repository)
    }

    /// The manifest of the snapshot that is meant.
    async fn find(&self, repository: &Repository, asked: &str) -> Result<Manifest, Failure> {
        find(repository, asked, self.cluster.as_deref())
            .await
            .map_err(open::failure)
    }

    /// Writes the answer in the form that was asked for.
    fn answer(&self, command: &str, report: &impl Serialize, doc: &Doc) -> Result<(), Failure> {
        let text = match self.settings.output.value {
            Format::Json => render::json::envelope(command, Some(now_ms()), report),
            Format::Markdown => render::markdown::text(doc),
            _ => render::terminal::text(doc, look(&self.screen)),
        };
        self.screen
            .answer(&text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }
}

/// Who writes, for those who find it unfinished.
pub(super) fn this_run() -> Run {
    let host = rustix::system::uname();
    Run {
        started_at_ms: now_ms(),
        host: host.nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
    }
}

/// What only taking a snapshot reads must not be passed over in silence.
fn refuse_misplaced(take: &Take, action: &Action) -> Result<(), Failure> {
    if *take == Take::default() {
        return Ok(());
    }
    let name = action.name();
    let what = match take.targets.as_slice() {
        [] => "what only taking a snapshot reads".to_owned(),
        typed => format!("'{}'", typed.join(" ")),
    };
    let failure = Failure::usage(format!(
        "{what} stands before the subcommand {name}, where it means nothing"
    ));
    Err(failure.next(format!(
        "put it behind, or name a cluster by --cluster: goodcache backup {name} --help"
    )))
}

/// A word that is meant for a subcommand is not taken for the name of a host.
fn refuse_mistyped(words: &[String], known: &[String]) -> Result<(), Failure> {
    if let [first, rest @ ..] = words
        && let Some(word) = rest.iter().find(|word| ACTIONS.contains(&word.as_str()))
    {
        return Err(
            Failure::usage(format!("the subcommand {word} stands behind '{first}'"))
                .next(format!("put it first: goodcache backup {word} --help")),
        );
    }
    let strangers = words.iter().filter(|word| !known.contains(word));
    for word in strangers {
        let is_plain = word.chars().all(|c| c.is_ascii_alphabetic());
        let meant = nearest(word, ACTIONS).filter(|_| is_plain);
        if let Some(meant) = meant {
            return Err(Failure::usage(format!(
                "'{word}' is no subcommand of backup and no known cluster"
            ))
            .next(format!(
                "did you mean goodcache backup {meant}? a host of that name is reached as {word}:6379"
            )));
        }
    }
    Ok(())
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Action::List(_) => "list",
            Action::Log(_) => "log",
            Action::Show(_) => "show",
            Action::Verify(_) => "verify",
            Action::Prune(_) => "prune",
            Action::Copy(_) => "copy",
            Action::Diff(_) => "diff",
            Action::Export(_) => "export",
            Action::Import(_) => "import",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_subcommand_is_no_host() {
        for (word, is_refused) in [
            ("lst", true),
            ("verfy", true),
            ("list", true),
            ("shop", false),
            ("lst:6379", false),
            ("10.0.0.5", false),
            ("showw", false),
        ] {
            let known = ["shop".to_string(), "showw".to_string()];
            let refused = refuse_mistyped(&[word.to_string()], &known);
            assert_eq!(refused.is_err(), is_refused, "{word}");
        }
        let behind = refuse_mistyped(&["shop".to_string(), "list".to_string()], &["shop".into()]);
        assert!(behind.unwrap_err().text().contains("put it first"));
    }
}
