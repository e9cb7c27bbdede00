//! Shell completions and man pages, made from the very description that reads the command line.
//!
//! The completions are kept in `completions/`; a test fails when they no longer match. Man pages are
//! made when a package is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap_complete::Shell;

use super::exit::Exit;
use super::options;
use super::options::generate::{Args, What};

const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "goodcache.bash"),
    (Shell::Zsh, "_goodcache"),
    (Shell::Fish, "goodcache.fish"),
];

/// Writes what was asked for, and names each file.
pub fn run(args: &Args) -> Result<(Exit, String)> {
    std::fs::create_dir_all(&args.folder)
        .with_context(|| format!("could not make the folder {}", args.folder.display()))?;
    let files = match args.what {
        What::Completions => completions(),
        What::Man => man_pages()?,
    };
    let mut told = String::new();
    for (name, content) in files {
        let path = args.folder.join(name);
        write(&path, &content)?;
        told.push_str(&format!("{}\n", path.display()));
    }
    Ok((Exit::Good, told))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    std::fs::write(path, content).with_context(|| format!("could not write {}", path.display()))
}

/// File names and scripts.
fn completions() -> Vec<(PathBuf, Vec<u8>)> {
    SHELLS
        .into_iter()
        .map(|(shell, name)| {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut options::command(), "goodcache", &mut script);
            (PathBuf::from(name), script)
        })
        .collect()
}

/// A page for the program and one for each subcommand, those of backup included.
fn man_pages() -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut command = options::command();
    command.build();
    let mut pages = vec![page("goodcache".to_string(), command.clone())?];
    for sub in command.get_subcommands() {
        let name = format!("goodcache-{}", sub.get_name());
        for inner in sub.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            pages.push(page(format!("{name}-{}", inner.get_name()), inner.clone())?);
        }
        pages.push(page(name, sub.clone())?);
    }
    Ok(pages)
}

fn page(name: String, command: clap::Command) -> Result<(PathBuf, Vec<u8>)> {
    let file = PathBuf::from(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.display_name(name.clone()))
        .title(name)
        .render(&mut page)
        .context("could not write the man page")?;
    Ok((file, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_completions_that_are_kept_are_not_stale() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        for (name, script) in completions() {
            let kept = std::fs::read(folder.join(&name)).unwrap_or_default();
            assert!(
                kept == script,
                "completions/{} is stale: goodcache generate completions completions",
                name.display()
            );
        }
    }

    #[test]
    fn each_command_has_its_page() {
        let pages = man_pages().unwrap();
        let names: Vec<String> = pages
            .iter()
            .map(|(name, _)| name.display().to_string())
            .collect();
        assert_eq!(names[..2], ["goodcache.1", "goodcache-create.1"]);
        let check = pages
            .iter()
            .find(|(name, _)| name.ends_with("goodcache-check.1"))
            .unwrap();
        let text = String::from_utf8_lossy(&check.1);
        assert!(text.contains("Exit codes") && text.contains("sample"));
    }
}
