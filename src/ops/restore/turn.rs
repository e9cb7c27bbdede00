//! One restore into a target at a time: two that note in the same journal how far they came would each
//! believe what the other did. The system gives the lock back, however the holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::trouble::Trouble;
use crate::model::words::timestamp;

/// The turn of this run; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

impl Turn {
    /// Takes the turn for the target whose journal that is.
    ///
    /// # Errors
    /// [`Trouble::Taken`] when another restore has it, [`Trouble::Journal`] when the lock cannot be used.
    pub fn take(journal: &Path, now_ms: u64) -> Result<Turn, Trouble> {
        let path = journal.with_extension("restore-lock");
        let failed = |why: std::io::Error| Trouble::Journal {
            path: path.display().to_string(),
            why: why.to_string(),
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let mut file = options.truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Trouble::Taken(holder(&mut file))),
            Err(TryLockError::Error(why)) => return Err(failed(why)),
        }
        // The lock is what counts; the words in it are for whoever meets it.
        let _ = file.set_len(0);
        let since = timestamp(now_ms);
        let _ = write!(file, "process {}, since {since}", std::process::id());
        Ok(Turn { _file: file })
    }
}

/// The words of who has it, who may be about to write them.
fn holder(file: &mut File) -> String {
    let mut words = String::new();
    match file.read_to_string(&mut words) {
        Ok(_) if !words.is_empty() => words,
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_s_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("deep/10.0.0.5:7001.restore");
        let turn = Turn::take(&journal, 5).unwrap();
        let taken = Turn::take(&journal, 5).unwrap_err();
        let words = format!("process {}", std::process::id());
        assert!(
            matches!(&taken, Trouble::Taken(by) if by.starts_with(&words)),
            "{taken}"
        );
        drop(turn);
        assert!(Turn::take(&journal, 5).is_ok());
    }
}
