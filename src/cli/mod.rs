//! The terminal: arguments, settings, and how the program ends.

pub mod config;
pub mod environment;
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

use std::ffi::OsString;
use std::process::ExitCode;

use environment::Environment;
use exit::{Exit, Failure};
use options::{Cli, Command};
use settings::{CheckSettings, CreateSettings, Layers, Row, Settings, Surroundings, Target};

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    run(&arguments)
        .unwrap_or_else(|failure| exit::report(&failure))
        .into()
}

fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    options::refuse_password_flags(arguments)?;
    let cli = match options::parse(arguments) {
        Ok(cli) => cli,
        Err(told) => return Ok(exit::clap(&told)),
    };
    dispatch(&cli)
}

fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Generate(args) => {
            let (exit, told) = generate::run(args)?;
            exit::answer(&told)?;
            Ok(exit)
        }
        Command::Check(args) => {
            let layers = layers(cli, &CheckSettings::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &args.zones)?;
            let check = CheckSettings::resolve(&layers, args)?;
            show(&settings, check.rows());
            settings.require_nodes()?;
            Ok(Exit::Good)
        }
        Command::Create(args) => {
            let layers = layers(cli, &CreateSettings::target(args))?;
            let settings = Settings::resolve(&layers, &cli.shared, &args.zones)?;
            let has_nodes = !settings.nodes.value.is_empty();
            show(
                &settings,
                CreateSettings::resolve(&layers, args, has_nodes)?.rows(),
            );
            Ok(Exit::Good)
        }
        Command::Destroy(_) => Ok(Exit::Good),
    }
}

fn layers(cli: &Cli, target: &Target) -> Result<Layers, Failure> {
    let around = Surroundings {
        environment: Environment::of_process()?,
        folder: std::env::current_dir().map_err(|error| Failure::new(Exit::Failed, error))?,
        codes: Vec::new(),
    };
    Layers::find(&cli.shared, target, &around)
}

fn show(settings: &Settings, more: Vec<Row>) {
    for notice in &settings.notices {
        eprintln!("goodcache: {notice}");
    }
    if settings.is_verbose {
        let rows: Vec<Row> = settings.rows().into_iter().chain(more).collect();
        eprint!("{}", settings::rows_text(&rows));
    }
}
