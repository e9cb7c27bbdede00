//! The command line, as clap reads it: one file per subcommand, and the flags that all share.
//!
//! What is read here is only what was typed. `cli/settings.rs` lays the environment, the settings
//! file and the saved profile under it; below `cli` nobody knows clap.

pub mod backup;
pub mod check;
pub mod create;
pub mod destroy;
pub mod failover;
pub mod generate;
mod refused;
pub mod restore;
pub mod rotate;
mod shared;
pub mod tune;
pub mod tune_parts;

use std::ffi::OsString;

use clap::{Args as _, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use refused::refuse_password_flags;
pub use shared::{Color, Connection, DockerMap, Format, Shared};

const ABOUT: &str =
    "Create Redis and Valkey Clusters, prove them healthy, and prove that they survive failure";

const EXIT_CODES: &str = "\
Exit codes:
    0  done, and good
    1  failed for a reason that no other code names
    2  the command line, a variable or a settings file makes no sense
    3  the answer is bad
    4  could not look: unreachable, login, TLS, not a cluster
    5  refused, nothing was changed
    6  stopped half-way, something was changed
  130  interrupted (143 by SIGTERM)";

const AFTER: &str = "\
Examples:
  goodcache create shop --docker
  goodcache check shop
  goodcache check 10.0.0.5:7001 --user ops --password-file ~/.shop-password

Settings come from the command line, else from the environment (GOODCACHE_*, REDIS_CLUSTER_*,
REDIS_PASSWORD, REDISCLI_AUTH), else from goodcache.yaml, else from what create saved, else from
the defaults. -v shows each setting and where it came from.

A password is never an argument: give it by --password-file ('-' is stdin), GOODCACHE_PASSWORD,
or at the prompt.
";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "goodcache",
    version,
    about = ABOUT,
    after_help = "'goodcache COMMAND --help' tells all of a command, with examples.",
    after_long_help = format!("{AFTER}\n{EXIT_CODES}"),
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What all subcommands share.
    #[command(flatten)]
    pub shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a cluster of servers that run already, of containers, or of local processes
    Create(Box<create::Args>),
    /// Ask every node by every path and tell whether the cluster is healthy
    Check(Box<check::Args>),
    /// Break the cluster on purpose, measure the outage, count lost writes, and put it back
    FailoverTest(Box<failover::Args>),
    /// Take a snapshot of the whole cluster, and keep, prove, prune and copy those that were taken
    Backup(Box<backup::Args>),
    /// Put a snapshot, or RDB files, into a cluster of any shape, and prove that all of it is there
    Restore(Box<restore::Args>),
    /// Advise what to set, from what the cluster really does; apply it safely, undo it exactly
    Tune(Box<tune::Args>),
    /// Give a user of the running cluster a new password, without an outage
    RotatePassword(Box<rotate::Args>),
    /// Take away a cluster that create made
    Destroy(destroy::Args),
    /// Write shell completions or man pages
    Generate(generate::Args),
}

/// Reads a command line. `Err` holds what clap has to say, which is the help text as well.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()))
}

/// The command line's description, for completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
        .mut_subcommand("destroy", without_connection)
        .mut_subcommand("generate", without_connection)
        .mut_subcommand("backup", |backup| {
            backup.mut_subcommands(without_connection_but_cluster)
        })
}

/// Whether a monitoring system runs this check and reads its exit code as plugins mean it. Asked of the
/// bare words, since it must be known of a command line that makes no sense as well.
pub fn is_plugin(arguments: &[OsString], variable: Option<String>) -> bool {
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let is_output = |word: &str| ["-o", "--output"].contains(&word);
    let typed = words.iter().enumerate().find_map(|(at, word)| {
        let joined = word
            .strip_prefix("--output=")
            .or_else(|| word.strip_prefix("-o"));
        match is_output(word) {
            true => words.get(at + 1).map(AsRef::as_ref),
            false => joined.map(|format| format.trim_start_matches('=')),
        }
    });
    let format = typed.or(variable.as_deref().map(str::trim));
    words.iter().any(|word| word == "check") && format == Some("nagios")
}

/// Subcommands that talk to no server accept the connection's flags, since a script may put them
/// before any subcommand, but do not show them.
fn without_connection(command: clap::Command) -> clap::Command {
    without(command, |_| true)
}

/// The same, but whose snapshots are meant may be said.
fn without_connection_but_cluster(command: clap::Command) -> clap::Command {
    without(command, |flag| flag.get_id() != "cluster")
}

fn without(command: clap::Command, is_hidden: fn(&clap::Arg) -> bool) -> clap::Command {
    let shown = Connection::augment_args(clap::Command::new("connection"));
    let hidden = shown.get_arguments().filter(|flag| is_hidden(flag));
    command.args(
        hidden
            .map(|flag| flag.clone().hide(true))
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&arguments)
    }

    #[test]
    fn the_description_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn what_is_typed_is_understood() {
        for line in [
            "goodcache check",
            "goodcache -v check shop",
            "goodcache check 127.0.0.1:7001 [::1]:7002 -o json",
            "goodcache check --watch",
            "goodcache check --watch=5s -o nagios",
            "goodcache check --wait healthy --timeout 5s",
            "goodcache check --from survey.json --against old.json",
            "goodcache check --explain slots.uncovered",
            "goodcache create --nodes a:1,b:2,c:3 --masters 3 --replicas 0 --dry-run",
            "goodcache create shop --docker --base-port 7001 --require-tolerate host",
            "goodcache create shop --local --server /usr/bin/redis-server --dir /tmp/x --yes",
            "goodcache create --docker --write-compose compose.yaml",
            "goodcache --tls --node-map a:1=b:2 --node-map c:1=d:2 check",
            "goodcache rotate-password shop --of app --generate --dry-run",
            "goodcache rotate-password shop --user app --new-password-file new --wait-for-clients 5m",
            "goodcache rotate-password shop --undo --yes -o json",
            "goodcache destroy shop --confirm shop",
            "goodcache generate completions completions",
            "goodcache backup",
            "goodcache backup shop --repo /b",
            "goodcache backup --repo /b list shop",
            "goodcache backup list --repo /b -o json",
            "goodcache backup show",
            "goodcache backup verify latest --read-data",
            "goodcache backup prune --keep-last 3 --keep-within 30d --dry-run",
            "goodcache backup copy --all --to /c",
            "goodcache backup diff 2026 latest --keys",
            "goodcache backup export latest --to /d --shard 1",
            "goodcache backup import a.rdb b --cluster shop",
        ] {
            assert!(read(line).is_ok(), "{line}: {}", read(line).unwrap_err());
        }
    }

    #[test]
    fn nonsense_is_refused_with_code_2() {
        for line in [
            "goodcache bogus",
            "goodcache check -o yaml",
            "goodcache create -o nagios --docker",
            "goodcache create --docker --local",
            "goodcache check --sample 1",
            "goodcache check --from a --watch",
            "goodcache check --timeout 5s",
            "goodcache check --explain x --deep",
            "goodcache rotate-password --undo --finish",
            "goodcache destroy",
            "goodcache destroy ../shop",
            "goodcache create --docker --masters 0",
            "goodcache check -v -q",
            "goodcache backup -o nagios",
            "goodcache backup copy --to /c",
            "goodcache backup copy latest --all --to /c",
            "goodcache backup copy latest",
            "goodcache backup prune --keep-last -1",
            "goodcache backup prune --keep-within 30",
            "goodcache backup export latest --to /d --shard 0",
            "goodcache backup import --cluster shop",
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_plugin_is_known_by_its_words_or_its_variable() {
        for (line, variable, is) in [
            ("goodcache check -o nagios --bogus", None, true),
            ("goodcache check --output=nagios", None, true),
            ("goodcache check -onagios", None, true),
            ("goodcache check", Some("nagios"), true),
            ("goodcache check -o json", Some("nagios"), false),
            ("goodcache check nagios", None, false),
            ("goodcache create -o nagios", None, false),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(is_plugin(&words, variable.map(String::from)), is, "{line}");
        }
    }

    #[test]
    fn every_command_shows_examples_and_exit_codes() {
        let command = command();
        let backup = command.find_subcommand("backup").unwrap();
        let all = command.get_subcommands().chain(backup.get_subcommands());
        for mut sub in all.cloned() {
            let help = sub.render_long_help().to_string();
            let examples = help
                .lines()
                .filter(|l| l.starts_with("  goodcache "))
                .count();
            assert!(examples >= 3, "{}: {examples} examples", sub.get_name());
            assert!(help.contains("Exit codes:"), "{}", sub.get_name());
            let is_wide = |line: &&str| line.chars().count() > 100;
            let wide = help.lines().find(is_wide);
            assert_eq!(wide, None, "{}", sub.get_name());
        }
    }
}
