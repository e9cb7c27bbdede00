//! The terminal: arguments, settings, prompts, progress, exit codes. Each subcommand is a file of
//! glue here: settings, survey, decision, consent, change, report, text, exit code.

pub mod acl;
pub mod config;
pub mod environment;
pub mod evidence;
pub mod exit;
pub mod generate;
pub mod nearest;
pub mod options;
pub mod password;
pub mod profile;
pub mod progress;
pub mod screen;
pub mod seed;
pub mod settings;
pub mod signal;
pub mod values;

mod backup;
mod check;
mod create;
mod destroy;
mod failover;
mod reach;
mod restore;
mod rotate;
mod saved;
pub mod scenario;
mod tune;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;
use std::thread::available_parallelism;

use environment::Environment;
use exit::{Exit, Failure};
use options::{Cli, Command, Shared};
use screen::Screen;
use settings::{
    CheckSettings, CreateSettings, FailoverTest, Layers, Row, Settings, Surroundings, Target,
    TuneSettings,
};
use signal::{Ended, until_signal};
use tokio::runtime::Builder;

use crate::health;

/// Runs the program.
pub fn main() -> ExitCode {
    leave_no_core();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let is_plugin = options::is_plugin(&arguments, std::env::var("GOODCACHE_OUTPUT").ok());
    match run(&arguments) {
        // clap has told why on stderr.
        Ok(Exit::Usage) if is_plugin => exit::unknown("the command line makes no sense"),
        Ok(exit) => exit,
        Err(failure) if is_plugin => {
            exit::report(&failure);
            exit::unknown(failure.text().lines().next().unwrap_or_default())
        }
        Err(failure) => exit::report(&failure),
    }
    .into()
}

/// A crash leaves no image of the memory on disk, where passwords are in clear.
fn leave_no_core() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A kernel that refuses is no reason not to run.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    options::refuse_password_flags(arguments)?;
    if let Some(rule) = acl::asked(arguments).and_then(|command| acl::rule(&command)) {
        exit::answer(&format!("{rule}\n"))?;
        return Ok(Exit::Good);
    }
    let cli = match options::parse(arguments) {
        Ok(cli) => cli,
        Err(told) => return Ok(exit::clap(&told)),
    };
    if cli.shared.connection.print_acl {
        let named: Vec<&str> = acl::commands().collect();
        return Err(Failure::usage(
            "this command logs in nowhere, or makes the users itself: it has no rule",
        )
        .next(format!("print that of another: {}", named.join(", "))));
    }
    match &cli.command {
        Command::Generate(args) => {
            let (exit, told) = generate::run(args)?;
            exit::answer(&told)?;
            Ok(exit)
        }
        Command::Check(args) => {
            let layers = layers(&cli, &CheckSettings::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &args.zones)?;
            let check = CheckSettings::resolve(&layers, args)?;
            let screen = screen(&settings, check.rows());
            let is_of_now = check.from.is_none() && check.explain.is_none();
            if let Some(told) = failover::told_broken(&layers, &settings).filter(|_| is_of_now) {
                screen.say(&format!("goodcache: {told}"));
            }
            block_on(stoppable(check::run(&settings, &check, &screen)))
        }
        Command::Create(args) => {
            let layers = layers(&cli, &CreateSettings::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &args.zones)?;
            let has_nodes = !settings.nodes.value.is_empty();
            let create = CreateSettings::resolve(&layers, args, has_nodes)?;
            let screen = screen(&settings, create.rows());
            // It stops by itself, for it has something to put right first.
            block_on(create::run(&layers, &settings, &create, &screen))
        }
        Command::FailoverTest(args) => {
            if let Some(journal) = &args.watchdog {
                return block_on(failover::watch_over(journal));
            }
            let layers = layers(&cli, &FailoverTest::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &args.zones)?;
            let failover = FailoverTest::resolve(&layers, args)?;
            let screen = screen(&settings, failover.rows());
            // It stops by itself, for it has something to put back first.
            block_on(failover::run(&layers, &settings, &failover, &screen))
        }
        Command::Backup(args) => backup::run(&cli.shared, args),
        Command::Restore(args) => restore::run(&cli.shared, args),
        Command::Tune(args) => {
            let layers = layers(&cli, &TuneSettings::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &[])?;
            let tune = TuneSettings::resolve(&layers, args)?;
            let screen = screen(&settings, tune.rows());
            // It stops by itself, for it may have something to put back first.
            block_on(tune::run(&layers, &settings, &tune, args, &screen))
        }
        Command::RotatePassword(args) => {
            let layers = layers(&cli, &rotate::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &[])?;
            let screen = screen(&settings, Vec::new());
            // It stops by itself, between two steps.
            block_on(rotate::run(&layers, &settings, args, &screen))
        }
        Command::Destroy(args) => {
            let environment = Environment::of_process()?;
            let screen = Screen::new(
                cli.shared.color.unwrap_or(options::Color::Auto),
                cli.shared.verbose,
                cli.shared.quiet,
            );
            block_on(stoppable(destroy::run(&environment, args, &screen)))
        }
    }
}

fn layers(cli: &Cli, target: &Target) -> Result<Layers, Failure> {
    layers_of(&cli.shared, target)
}

fn layers_of(shared: &Shared, target: &Target) -> Result<Layers, Failure> {
    let around = Surroundings {
        environment: Environment::of_process()?,
        folder: std::env::current_dir().map_err(|error| Failure::new(Exit::Failed, error))?,
        codes: health::codes().map(|doc| doc.code).collect(),
    };
    Layers::find(shared, target, &around)
}

/// The screen, with what the settings have to tell told.
fn screen(settings: &Settings, more: Vec<Row>) -> Screen {
    let screen = Screen::new(settings.color.value, settings.is_verbose, settings.is_quiet);
    for notice in &settings.notices {
        screen.say(&format!("goodcache: {notice}"));
    }
    if settings.is_verbose {
        let rows: Vec<Row> = settings.rows().into_iter().chain(more).collect();
        screen.detail(settings::rows_text(&rows).trim_end());
    }
    screen
}

/// Workers of the runtime.
const WORKERS: usize = 2;
/// With fewer cores than these one thread sends, reads and packs. Where the servers share the cores,
/// each message between two threads costs one of them its turn: a fifth of all that a restore computes.
const FEW_CORES: usize = 4;

fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let mut threads = Builder::new_multi_thread();
    run_on(threads.worker_threads(WORKERS), command)
}

/// The same for a command that has one stream of work, and much of it.
fn block_on_few(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    match available_parallelism() {
        Ok(cores) if cores.get() < FEW_CORES => run_on(&mut Builder::new_current_thread(), command),
        _ => block_on(command),
    }
}

fn run_on(
    threads: &mut Builder,
    command: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    let runtime = threads
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let outcome = runtime.block_on(command);
    // A resolver that hangs cannot be cancelled; the answer must not wait for it.
    runtime.shutdown_background();
    outcome
}

/// A command that changes nothing is simply dropped by a signal.
async fn stoppable(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    match until_signal(command).await {
        Ok(Ended::Done(outcome)) => outcome,
        Ok(Ended::Stopped(number)) => Ok(stopped(number)),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}

/// How a run that was stopped by that signal exits.
fn stopped(number: i32) -> Exit {
    match number {
        15 => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}
