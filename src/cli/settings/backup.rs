//! Where the repository of backups is and what opens it: the settings of backup and restore.

use std::path::PathBuf;

use super::check::output;
use super::layers::{Layers, Target};
use super::origin::{First, Origin, Row, Setting, show_option};
use crate::archive::{Access, StoreOptions};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::{FORMATS, Place};
use crate::cli::options::{Format, Shared};
use crate::cli::password;
use crate::model::Secret;

/// Where the repository is, and what opens it.
#[derive(Debug, Clone)]
pub struct RepositorySettings {
    /// Its address; `None` when nobody said.
    pub repo: Setting<Option<String>>,
    /// Its passphrase.
    pub passphrase: Setting<Option<Secret>>,
    /// How the answer is written.
    pub output: Setting<Format>,
    /// What the user should know, a line each.
    pub notices: Vec<String>,
}

/// A passphrase, or the file that holds it.
enum Source {
    Text(String),
    File(PathBuf),
}

impl RepositorySettings {
    /// The cluster whose snapshots are meant: it need not be known here, nor exist any more.
    pub fn target(shared: &Shared, name: Option<&String>) -> Target {
        Target {
            words: Vec::new(),
            new_name: name.or(shared.connection.cluster.as_ref()).cloned(),
            is_new: true,
            ..Target::default()
        }
    }

    /// Lays the layers over each other.
    pub fn resolve(
        layers: &Layers,
        shared: &Shared,
        place: &Place,
    ) -> Result<RepositorySettings, Failure> {
        let is_stdin = |path: &Option<PathBuf>| path.as_ref().is_some_and(|p| p.as_os_str() == "-");
        if is_stdin(&place.passphrase_file) && is_stdin(&shared.connection.password_file) {
            return Err(Failure::usage(
                "the password and the passphrase cannot both come from standard input",
            )
            .next("put one of them into a file"));
        }
        let mut notices = Vec::new();
        Ok(RepositorySettings {
            repo: repo(layers, place)?,
            passphrase: read(source(layers, place)?, &mut notices)?,
            output: output(layers, place.output, FORMATS)?,
            notices,
        })
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        vec![
            self.repo.row("repository", show_option),
            self.passphrase.row("passphrase", |passphrase| {
                let shown = passphrase.as_ref().map(|_| "(set)");
                show_option(&shown)
            }),
            self.output
                .row("output", |format| format.name().to_string()),
        ]
    }

    /// How to reach it; an error when nobody said where it is.
    pub fn access(&self) -> Result<Access, Failure> {
        let Some(url) = self.repo.value.clone() else {
            return Err(Failure::usage("no repository was named")
                .next("name it: --repo URL, GOODCACHE_REPO, or the key repo in goodcache.yaml"));
        };
        Ok(Access {
            url,
            passphrase: self.passphrase.value.clone(),
            options: StoreOptions::from_env(),
        })
    }
}

/// A second repository, and by which names what is its own is given.
pub struct Second {
    /// Before the name of a variable of its store.
    prefix: &'static str,
    passphrase: &'static str,
    passphrase_file: &'static str,
    flag: &'static str,
}

impl Second {
    /// The one of `copy --to`.
    pub const TO: Second = Second {
        prefix: "GOODCACHE_TO_",
        passphrase: "GOODCACHE_TO_PASSPHRASE",
        passphrase_file: "GOODCACHE_TO_PASSPHRASE_FILE",
        flag: "--to-passphrase-file",
    };
    /// Those of `backup --also`.
    pub const ALSO: Second = Second {
        prefix: "GOODCACHE_ALSO_",
        passphrase: "GOODCACHE_ALSO_PASSPHRASE",
        passphrase_file: "GOODCACHE_ALSO_PASSPHRASE_FILE",
        flag: "--also-passphrase-file",
    };

    /// How to reach it: with the passphrase and the variables of the first where it has none of its own.
    pub fn access(
        &self,
        layers: &Layers,
        url: &str,
        typed: Option<&PathBuf>,
        first: &mut RepositorySettings,
    ) -> Result<Access, Failure> {
        let environment = &layers.environment;
        let source = First::argument(typed.cloned().map(Source::File), self.flag)
            .variable(environment, self.passphrase, text)?
            .variable(environment, self.passphrase_file, file)?
            .or_none();
        let own = read(source, &mut first.notices)?.value;
        Ok(Access {
            url: url.to_owned(),
            passphrase: own.or_else(|| first.passphrase.value.clone()),
            options: StoreOptions::from_env_behind(self.prefix),
        })
    }
}

fn repo(layers: &Layers, place: &Place) -> Result<Setting<Option<String>>, Failure> {
    let (section, file) = (layers.section(), layers.file.as_ref());
    let in_section = section.and_then(|section| section.repo.as_ref());
    let in_file = file.and_then(|file| file.config.repo.as_ref());
    let at_file = |url: &String| place_in_file(layers, url);
    Ok(First::argument(place.repo.clone(), "--repo")
        .variable(&layers.environment, "GOODCACHE_REPO", |text| {
            Ok(text.trim().to_string())
        })?
        .section(layers, "repo", in_section.map(at_file))
        .or(in_file.map(at_file), || layers.origin_in_file("repo"))
        .or_none())
}

/// A folder named in the settings file begins at the file, as every path in it does.
fn place_in_file(layers: &Layers, url: &String) -> String {
    let whole = || layers.path_in_file(Some(&PathBuf::from(url)));
    match url.contains("://") {
        true => url.clone(),
        false => whole().map_or_else(|| url.clone(), |path| path.display().to_string()),
    }
}

fn source(layers: &Layers, place: &Place) -> Result<Setting<Option<Source>>, Failure> {
    let environment = &layers.environment;
    let (section, config) = (layers.section(), layers.file.as_ref());
    let in_section = section.and_then(|section| section.passphrase_file.as_ref());
    let in_file = config.and_then(|file| file.config.passphrase_file.as_ref());
    let named = |path| layers.path_in_file(path).map(Source::File);
    let typed = place.passphrase_file.clone().map(Source::File);
    Ok(First::argument(typed, "--passphrase-file")
        .variable(environment, "GOODCACHE_PASSPHRASE", text)?
        .variable(environment, "GOODCACHE_PASSPHRASE_FILE", file)?
        .section(layers, "passphrase_file", named(in_section))
        .or(named(in_file), || layers.origin_in_file("passphrase_file"))
        .or_none())
}

fn text(text: &str) -> Result<Source, String> {
    Ok(Source::Text(text.to_string()))
}

fn file(text: &str) -> Result<Source, String> {
    Ok(Source::File(PathBuf::from(text)))
}

fn read(
    source: Setting<Option<Source>>,
    notices: &mut Vec<String>,
) -> Result<Setting<Option<Secret>>, Failure> {
    let Setting { value, origin } = source;
    let value = match value {
        None => None,
        Some(Source::Text(text)) => Some(Secret::new(text)),
        Some(Source::File(path)) => Some(from_file(&path, &origin, notices)?),
    };
    Ok(Setting { value, origin })
}

fn from_file(
    path: &std::path::Path,
    origin: &Origin,
    notices: &mut Vec<String>,
) -> Result<Secret, Failure> {
    let (secret, notice) = password::from_file(path, "passphrase").map_err(|error| {
        Failure::new(Exit::Usage, error).next(format!("the file was named by {origin}"))
    })?;
    notices.extend(notice);
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::Environment;
    use crate::cli::settings::Surroundings;

    fn resolve(
        yaml: &str,
        name: Option<&str>,
        environment: Environment,
        place: &Place,
    ) -> (tempfile::TempDir, Result<RepositorySettings, Failure>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("goodcache.yaml"), yaml).unwrap();
        std::fs::write(folder.path().join("pass"), "of the file\n").unwrap();
        let around = Surroundings {
            environment,
            folder: folder.path().to_path_buf(),
            codes: Vec::new(),
        };
        let shared = Shared::default();
        let name = name.map(str::to_string);
        let target = RepositorySettings::target(&shared, name.as_ref());
        let layers = Layers::find(&shared, &target, &around).unwrap();
        let settings = RepositorySettings::resolve(&layers, &shared, place);
        (folder, settings)
    }

    const YAML: &str = "
repo: all
clusters:
  shop: {repo: 's3://b/shop', passphrase_file: pass}
  blog: {}
";

    #[test]
    fn each_layer_lies_over_the_next_and_is_named() {
        let typed = Place {
            repo: Some("typed".into()),
            ..Place::default()
        };
        let variable = || Environment::of([("GOODCACHE_REPO", "variable")]);
        for (name, environment, place, repo, origin) in [
            (Some("shop"), variable(), &typed, "typed", "--repo"),
            (
                Some("shop"),
                variable(),
                &Place::default(),
                "variable",
                "GOODCACHE_REPO",
            ),
            (
                Some("shop"),
                Environment::of([]),
                &Place::default(),
                "s3://b/shop",
                "clusters.shop.repo",
            ),
            (
                Some("blog"),
                Environment::of([]),
                &Place::default(),
                "/all",
                "goodcache.yaml (repo)",
            ),
            (
                Some("gone"),
                Environment::of([]),
                &Place::default(),
                "/all",
                "goodcache.yaml (repo)",
            ),
        ] {
            let (_folder, settings) = resolve(YAML, name, environment, place);
            let setting = settings.unwrap().repo;
            assert!(setting.value.unwrap().ends_with(repo));
            assert!(setting.origin.to_string().contains(origin), "{origin}");
        }
    }

    #[test]
    fn a_passphrase_is_read_and_never_shown() {
        let (_folder, settings) =
            resolve(YAML, Some("shop"), Environment::of([]), &Place::default());
        let settings = settings.unwrap();
        let secret = settings.passphrase.value.as_ref().unwrap();
        assert_eq!(secret.expose(), "of the file");
        let shown = format!("{:?} {settings:?}", settings.rows());
        assert!(!shown.contains("of the file") && shown.contains("(set)"));
    }

    #[test]
    fn nobody_said_where() {
        let (_folder, settings) = resolve("{}", None, Environment::of([]), &Place::default());
        let failure = settings.unwrap().access().unwrap_err();
        assert!(failure.text().contains("--repo URL"));
    }
}
