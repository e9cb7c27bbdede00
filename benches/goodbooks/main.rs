//! Fills a running cluster with the GoodBooks load; see the README beside this file.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

#[path = "mod.rs"]
mod goodbooks;

use goodbooks::{Books, Load, fill};

const USAGE: &str =
    "usage: goodbooks --seed-node HOST:PORT [--scale 0.01] [--books FILE] [--seed N]
a password is taken from REDISCLI_AUTH";

struct Settings {
    node: String,
    scale: f64,
    books: Books,
    seed: u64,
}

fn main() -> ExitCode {
    match settings().and_then(|settings| run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("goodbooks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> Result<(), String> {
    let load = Load {
        books: &settings.books,
        scale: settings.scale,
        seed: settings.seed,
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| "the clock stands before 1970")?
            .as_secs(),
    };
    let password = env::var("REDISCLI_AUTH").ok();
    let filled =
        fill(&settings.node, password.as_deref(), &load).map_err(|error| error.to_string())?;
    for (kind, keys) in &filled.kinds {
        println!("{keys:>8}  {}", kind.name());
    }
    println!("{:>8}  keys in {:.2?}", filled.keys(), filled.elapsed);
    Ok(())
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings {
        node: String::new(),
        scale: 0.01,
        books: Books::excerpt(),
        seed: 1,
    };
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or(format!("{name} needs a value\n{USAGE}"));
        match name.as_str() {
            "--seed-node" => settings.node = value()?,
            "--scale" => settings.scale = parsed(&name, &value()?)?,
            "--seed" => settings.seed = parsed(&name, &value()?)?,
            "--books" => settings.books = read_books(&value()?)?,
            _ => return Err(format!("unknown argument '{name}'\n{USAGE}")),
        }
    }
    if settings.node.is_empty() {
        return Err(format!("no --seed-node given\n{USAGE}"));
    }
    if !(settings.scale > 0.0 && settings.scale <= 10.0) {
        return Err(format!(
            "--scale {}: must be above 0, and 10 at most",
            settings.scale
        ));
    }
    Ok(settings)
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name}: '{value}' is no number"))
}

fn read_books(path: &str) -> Result<Books, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    Books::parse(&text).map_err(|error| format!("{path}: {error}"))
}
