//! What `tune --size` and `tune --resilience` read besides the cluster: prices, and the report of a
//! drill. An earlier day's evidence is read by `saved`, as `--from` reads it.

use std::path::Path;

use crate::cli::check::file_failure;
use crate::cli::config::read_yaml;
use crate::cli::exit::{Exit, Failure};
use crate::cli::failover::last;
use crate::cli::nearest::nearest;
use crate::cli::settings::Layers;
use crate::ops::tune::resilience::Drill;
use crate::ops::tune::size::{Catalogue, PriceError, Prices};
use crate::render;

/// How to come by the report of a drill.
const WRITE_ONE: &str = "write one with: goodcache failover-test NAME -o json";

/// Reads a price file, and refuses what makes no sense in it.
pub fn prices(path: &Path) -> Result<Prices, Failure> {
    let prices: Prices = read_yaml(path)
        .map_err(|failure| failure.next("the README shows what a file of prices holds"))?;
    prices
        .check(&Catalogue::shipped().sizes())
        .map_err(|error| refused(path, &error))?;
    Ok(prices)
}

fn refused(path: &Path, error: &PriceError) -> Failure {
    let mut failure = Failure::usage(format!("could not use {}: {error}", path.display()));
    if let PriceError::UnknownSize { name, known } = error
        && let Some(near) = nearest(name, known.iter().map(String::as_str))
    {
        failure = failure.next(format!("write '{near}', if that is meant"));
    }
    failure
}

/// Reads the report of a drill, as `failover-test -o json` writes it.
pub fn drill(path: &Path) -> Result<Drill, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        file_failure("read the report of the drill", path, error).next(WRITE_ONE)
    })?;
    render::json::open("failover-test", &text).map_err(|error| {
        let mut failure = file_failure("read the report of the drill", path, format!("{error:#}"));
        failure.exit = Exit::Usage;
        failure.next(WRITE_ONE)
    })
}

/// The report of that cluster's last drill, which `failover-test` keeps; `None` when there was none.
pub fn last_drill(layers: &Layers, cluster: &str) -> Result<Option<Drill>, Failure> {
    let Some(profiles) = &layers.profiles else {
        return Ok(None);
    };
    let path = last::path(&profiles.reports_folder(), cluster);
    match path.exists() {
        true => drill(&path).map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_example_of_prices_is_read() {
        let file = written(Prices::example());
        assert_eq!(prices(file.path()).unwrap().currency, "EUR");
    }

    #[test]
    fn a_slip_in_the_prices_names_what_was_meant() {
        let head = "date: 2026-11-01\ncurrency: EUR\nregion: x\n";
        for (sizes, told) in [
            (
                "sizes: {cache.r7g.larg: {on_demand_per_hour: 1}}",
                "write 'cache.r7g.large'",
            ),
            (
                "sizes: {P1: {on_demand_per_hours: 1}}",
                "did you mean 'on_demand_per_hour'?",
            ),
            ("sizez: {}", "did you mean 'sizes'?"),
            ("sizes: {P1: {on_demand_per_hour: -1}}", "from 0 on"),
        ] {
            let file = written(&format!("{head}{sizes}\n"));
            let failure = prices(file.path()).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.text().contains(told), "{}", failure.text());
        }
        let empty = prices(written("").path()).unwrap_err();
        assert!(empty.text().contains("no date"), "{}", empty.text());
    }

    #[test]
    fn what_is_no_report_of_a_drill_says_how_to_write_one() {
        for text in ["", "{}", r#"{"schema":1,"command":"check","report":{}}"#] {
            let failure = drill(written(text).path()).unwrap_err();
            assert!(
                failure.text().contains("failover-test NAME -o json"),
                "{text}"
            );
        }
    }
}
