//! Where a password comes from: a file, standard input, a variable, or the prompt. Never argv.

use std::io::{BufRead, BufReader, ErrorKind, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use super::exit::{Exit, Failure};
use super::signal::while_asking;
use crate::cluster::Secret;
use crate::model::NodeAddr;

/// No password is longer; a file that was named by mistake is not read into memory whole.
const LONGEST: u64 = 64 * 1024;

/// The first line of a file; `-` is standard input. `what` it is, such as `password`, stands in what is
/// told. A notice comes with it when others can read it.
pub fn from_file(path: &Path, what: &str) -> Result<(Secret, Option<String>)> {
    if path == Path::new("-") {
        let secret = first_line(std::io::stdin().lock())
            .with_context(|| format!("could not read the {what} from standard input"))?;
        return Ok((secret, None));
    }
    let told = || format!("could not read the {what} file {}", path.display());
    let file = std::fs::File::open(path).with_context(told)?;
    let mode = file.metadata().with_context(told)?.permissions().mode();
    let secret = first_line(BufReader::new(file)).with_context(told)?;
    let notice = (mode & 0o004 != 0).then(|| {
        format!(
            "everybody on this machine can read the {what} file {0} (chmod 600 {0})",
            path.display()
        )
    });
    Ok((secret, notice))
}

/// The first line; of an identity file of age, which begins with comments, that of the identity.
fn first_line(from: impl BufRead) -> Result<Secret> {
    let mut from = from.take(LONGEST);
    let mut line = String::new();
    from.read_line(&mut line)?;
    while line.starts_with("# created: ") || line.starts_with("# public key: ") {
        line.clear();
        from.read_line(&mut line)?;
    }
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        bail!("its first line is empty");
    }
    Ok(Secret::new(line.to_string()))
}

/// Asks for a password that a node wants. `None` when nobody is there to be asked: standard input
/// and standard error must both be terminals.
pub fn prompt_password(user: Option<&str>, addr: &NodeAddr) -> Result<Option<Secret>, Failure> {
    let who = user.map(|user| format!("{user} at ")).unwrap_or_default();
    prompt("password", &format!("{who}{addr}"))
}

/// Asks for a new password, twice, since nobody sees what is typed.
pub fn prompt_new_password(user: &str) -> Result<Option<Secret>, Failure> {
    let Some(first) = prompt("new password", user)? else {
        return Ok(None);
    };
    match prompt("same again", user)? {
        Some(second) if second == first => Ok(Some(first)),
        _ => Err(Failure::new(
            Exit::Refused,
            anyhow!("the two differ; nothing was changed"),
        )),
    }
}

/// Asks for the passphrase of a repository, as for a password.
pub fn prompt_passphrase(place: &str) -> Result<Option<Secret>, Failure> {
    prompt("passphrase", place)
}

fn prompt(what: &str, of: &str) -> Result<Option<Secret>, Failure> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(None);
    }
    eprint!("{what} for {of}: ");
    let typed = match while_asking(rpassword::read_password) {
        Ok(typed) => typed,
        // The prompt takes Ctrl-C as a key, so that it comes as no signal.
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            return Err(Failure::new(
                Exit::Interrupted,
                anyhow!("no {what} was given"),
            ));
        }
        Err(error) => {
            let failure =
                anyhow::Error::new(error).context(format!("could not ask for the {what}"));
            return Err(Failure::new(Exit::Failed, failure).next(format!(
                "give it by --{what}-file FILE or in GOODCACHE_{}",
                what.to_uppercase()
            )));
        }
    };
    Ok((!typed.is_empty()).then(|| Secret::new(typed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for (text, password) in [
            ("s3cret\nsecond\n", Some("s3cret")),
            ("s3cret\r\n", Some("s3cret")),
            ("s3 cret ", Some("s3 cret ")),
            ("\ns3cret", None),
            ("", None),
        ] {
            let read = first_line(text.as_bytes()).ok();
            assert_eq!(read.as_ref().map(Secret::expose), password, "{text:?}");
        }
    }

    #[test]
    fn a_file_that_everybody_can_read_is_told_of() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        for (mode, is_told) in [(0o600, false), (0o640, false), (0o644, true)] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let (_, notice) = from_file(file.path(), "password").unwrap();
            assert_eq!(notice.is_some(), is_told, "{mode:o}");
        }
        assert!(from_file(Path::new("/nowhere/x"), "password").is_err());
        assert!(from_file(Path::new("/"), "password").is_err());
    }
}
