//! Flags that other tools have and this one refuses, with a better word than "unexpected argument".

use std::ffi::OsString;

use crate::cli::exit::Failure;

/// Refuses `--password`, `--pass` and `-a` in all their spellings before anybody else reads the
/// command line, so that no message can repeat the secret that stands behind them.
pub fn refuse_password_flags(arguments: &[OsString]) -> Result<(), Failure> {
    let typed = arguments
        .iter()
        .skip(1)
        .map(|argument| argument.to_string_lossy())
        .take_while(|argument| argument != "--");
    for argument in typed {
        if argument.split('=').next() == Some("--passphrase") {
            return Err(refusal("--passphrase").next(
                "give the passphrase by --passphrase-file FILE ('-' is stdin) or in GOODCACHE_PASSPHRASE",
            ));
        }
        if let Some(flag) = password_flag(&argument) {
            return Err(refusal(flag).next(
                "give the password by --password-file FILE ('-' is stdin) or in GOODCACHE_PASSWORD",
            ));
        }
    }
    Ok(())
}

fn refusal(flag: &str) -> Failure {
    Failure::usage(format!(
        "{flag} is refused: what stands in a command line is shown by ps and kept in the shell's history"
    ))
}

fn password_flag(argument: &str) -> Option<&'static str> {
    let name = argument.split('=').next().unwrap_or_default();
    match name {
        "--password" => Some("--password"),
        "--pass" => Some("--pass"),
        "--requirepass" => Some("--requirepass"),
        "--auth" => Some("--auth"),
        // No flag of ours begins with a single '-' and an 'a', so this is redis-cli's `-a SECRET`.
        _ if argument.starts_with("-a") => Some("-a"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_flag_is_refused_and_its_value_not_repeated() {
        for (line, is_refused) in [
            ("goodcache check --password s3cret", true),
            ("goodcache check --password=s3cret", true),
            ("goodcache --pass s3cret check", true),
            ("goodcache check -a s3cret", true),
            ("goodcache check -as3cret", true),
            ("goodcache backup --passphrase s3cret", true),
            ("goodcache backup --passphrase=s3cret list", true),
            ("goodcache backup --passphrase-file f", false),
            ("goodcache check --password-file f", false),
            ("goodcache check --against f", false),
            ("goodcache create --allow-small", false),
            ("goodcache check -- -a", false),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let result = refuse_password_flags(&arguments);
            assert_eq!(result.is_err(), is_refused, "{line}");
            if let Err(failure) = result {
                assert!(!failure.text().contains("s3cret"));
            }
        }
    }
}
