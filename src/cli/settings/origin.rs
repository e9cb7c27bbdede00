//! A setting and its origin, and how the first origin that says something is picked.

use std::fmt;
use std::path::PathBuf;

use super::layers::Layers;
use crate::cli::environment::Environment;
use crate::cli::exit::Failure;

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line; the flag, or what else was typed.
    Argument(&'static str),
    /// A variable.
    Environment(&'static str),
    /// The settings file and the key in it.
    File(PathBuf, String),
    /// The profile that create saved under this name.
    Profile(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Argument(flag) => f.write_str(flag),
            Origin::Environment(variable) => f.write_str(variable),
            Origin::File(path, key) => write!(f, "{} ({key})", path.display()),
            Origin::Profile(name) => write!(f, "what create saved as {name}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A row for `-v`.
    pub fn row(&self, name: &'static str, show: impl FnOnce(&T) -> String) -> Row {
        Row {
            name,
            value: show(&self.value),
            origin: self.origin.to_string(),
        }
    }
}

/// The first origin that said something, if any has yet.
#[derive(Debug)]
pub(super) struct First<T>(Option<Setting<T>>);

impl<T> First<T> {
    pub(super) fn argument(value: Option<T>, flag: &'static str) -> First<T> {
        First(None).or(value, || Origin::Argument(flag))
    }

    pub(super) fn nothing() -> First<T> {
        First(None)
    }

    pub(super) fn or(self, value: Option<T>, origin: impl FnOnce() -> Origin) -> First<T> {
        First(self.0.or_else(|| {
            value.map(|value| Setting {
                value,
                origin: origin(),
            })
        }))
    }

    /// A variable; one that is outweighed is not read, so a bad value in it does no harm.
    pub(super) fn variable(
        self,
        environment: &Environment,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<First<T>, Failure> {
        match (&self.0, environment.get(name)) {
            (None, Some(text)) => {
                let value = read(text).map_err(|why| {
                    Failure::usage(format!("could not read the variable {name}: {why}"))
                })?;
                Ok(self.or(Some(value), || Origin::Environment(name)))
            }
            _ => Ok(self),
        }
    }

    /// The cluster's own section of the settings file.
    pub(super) fn section(self, layers: &Layers, key: &str, value: Option<T>) -> First<T> {
        self.or(value, || layers.origin_in_section(key))
    }

    /// A text in the cluster's own section that one of the lists of words must know.
    pub(super) fn section_text(
        self,
        layers: &Layers,
        key: &str,
        text: Option<&String>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<First<T>, Failure> {
        self.text(text, read, || layers.origin_in_section(key))
    }

    pub(super) fn text(
        self,
        text: Option<&String>,
        read: impl FnOnce(&str) -> Result<T, String>,
        origin: impl FnOnce() -> Origin,
    ) -> Result<First<T>, Failure> {
        match (&self.0, text) {
            (None, Some(text)) => {
                let origin = origin();
                let value = read(text)
                    .map_err(|why| Failure::usage(format!("could not read {origin}: {why}")))?;
                Ok(self.or(Some(value), || origin))
            }
            _ => Ok(self),
        }
    }

    pub(super) fn profile(self, layers: &Layers, value: Option<T>) -> First<T> {
        self.or(value, || layers.origin_in_profile())
    }

    pub(super) fn or_default(self, value: T) -> Setting<T> {
        self.0.unwrap_or(Setting {
            value,
            origin: Origin::Default,
        })
    }

    pub(super) fn found(self) -> Option<Setting<T>> {
        self.0
    }

    pub(super) fn or_none(self) -> Setting<Option<T>> {
        match self.0 {
            Some(Setting { value, origin }) => Setting {
                value: Some(value),
                origin,
            },
            None => First(None).or_default(None),
        }
    }
}

/// A setting as `-v` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The setting's name.
    pub name: &'static str,
    /// Its value; a secret is `(set)`, nothing is `-`.
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// The rows, aligned, a line each.
pub fn rows_text(rows: &[Row]) -> String {
    let width = |length: fn(&Row) -> usize| rows.iter().map(length).max().unwrap_or(0);
    let names = width(|row| row.name.chars().count());
    // A long list of nodes does not push the origins of all others off the screen.
    let values = width(|row| row.value.chars().count()).min(40);
    rows.iter()
        .map(|row| {
            format!(
                "{:names$}  {:values$}  {}\n",
                row.name, row.value, row.origin
            )
        })
        .collect()
}

/// A value that may be absent, for a row.
pub(super) fn show_option<T: fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or("-".to_string(), T::to_string)
}

/// Items, or `-`.
pub(super) fn show_list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        "-".to_string()
    } else {
        items.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_says_something_counts() {
        let environment = Environment::of([("GOODCACHE_TIMEOUT", "7"), ("GOODCACHE_SAMPLE", "x")]);
        let read = |text: &str| text.parse::<u8>().map_err(|e| e.to_string());
        let typed = First::argument(Some(1), "--timeout");
        let typed = typed
            .variable(&environment, "GOODCACHE_SAMPLE", read)
            .unwrap();
        assert_eq!(typed.or_default(9).origin.to_string(), "--timeout");
        let set = First::argument(None, "--timeout");
        let set = set
            .variable(&environment, "GOODCACHE_TIMEOUT", read)
            .unwrap()
            .or_default(9);
        assert_eq!(
            (set.value, set.origin.to_string()),
            (7, "GOODCACHE_TIMEOUT".into())
        );
        let bad = First::argument(None, "--x").variable(&environment, "GOODCACHE_SAMPLE", read);
        assert!(
            bad.unwrap_err()
                .text()
                .contains("the variable GOODCACHE_SAMPLE")
        );
    }

    #[test]
    fn rows_are_aligned() {
        let row = |name, value: &str| Row {
            name,
            value: value.into(),
            origin: "default".into(),
        };
        assert_eq!(
            rows_text(&[row("a", "1"), row("deadline", "2s")]),
            "a         1   default\ndeadline  2s  default\n"
        );
    }
}
