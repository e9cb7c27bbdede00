//! From an address to an opened repository, and from what went wrong to an exit code.

use crate::archive::{Access, ArchiveError, Creation, Repository, StoreError};
use crate::cli::exit::{Exit, Failure};
use crate::cli::password::prompt_passphrase;

/// How a command ends that the repository did not let do its work, with the next step.
pub(in crate::cli) fn failure(error: ArchiveError) -> Failure {
    let hint = match &error {
        ArchiveError::NeedsPassphrase { .. } => {
            "give it by --passphrase-file FILE ('-' is stdin) or in GOODCACHE_PASSPHRASE"
                .to_string()
        }
        ArchiveError::NoSuchSnapshot { .. } | ArchiveError::Ambiguous { .. } => {
            "see what there is: goodcache backup list".to_string()
        }
        error => error.hint(),
    };
    Failure::new(exit(&error), error).next(hint)
}

fn exit(error: &ArchiveError) -> Exit {
    match error {
        ArchiveError::NoSuchSnapshot { .. }
        | ArchiveError::Ambiguous { .. }
        | ArchiveError::Store(StoreError::BadUrl { .. }) => Exit::Usage,
        ArchiveError::Chunk(_) | ArchiveError::Manifest(_) => Exit::Bad,
        ArchiveError::NotEmpty { .. } | ArchiveError::SnapshotExists { .. } => Exit::Refused,
        ArchiveError::NotWritten { .. } | ArchiveError::Swept { .. } => Exit::Failed,
        ArchiveError::Store(_)
        | ArchiveError::Crypto(_)
        | ArchiveError::NoRepository { .. }
        | ArchiveError::BadConfig { .. }
        | ArchiveError::Newer { .. }
        | ArchiveError::NeedsPassphrase { .. }
        | ArchiveError::NotProtected { .. }
        | ArchiveError::NoSnapshots { .. } => Exit::CouldNotLook,
    }
}

/// Opens a repository; asks for its passphrase where one is wanted and somebody can type it. Gives the
/// way that led there too, so that nobody is asked twice.
pub(in crate::cli) async fn open(access: Access) -> Result<(Repository, Access), Failure> {
    let place = match Repository::open(&access).await {
        Err(ArchiveError::NeedsPassphrase { place }) => place,
        result => return result.map(|opened| (opened, access)).map_err(failure),
    };
    let Some(typed) = prompt_passphrase(&place)? else {
        return Err(failure(ArchiveError::NeedsPassphrase { place }));
    };
    let access = Access {
        passphrase: Some(typed),
        ..access
    };
    let opened = Repository::open(&access).await.map_err(failure)?;
    Ok((opened, access))
}

/// Opens a repository, or makes one where nothing is.
pub(in crate::cli) async fn open_or_make(access: Access) -> Result<(Repository, Access), Failure> {
    let creation = Creation {
        now_ms: crate::cli::reach::now_ms(),
        recipients: recipients(),
        ..Creation::default()
    };
    match Repository::create_or_open(&access, &creation).await {
        // It is there already: somebody may be there to type it.
        Err(ArchiveError::NeedsPassphrase { .. }) => open(access).await,
        result => result.map(|opened| (opened, access)).map_err(failure),
    }
}

/// The variable that names age recipients for a repository that is made.
const RECIPIENTS: &str = "GOODCACHE_RECIPIENTS";

fn recipients() -> Vec<String> {
    let named = std::env::var(RECIPIENTS).unwrap_or_default();
    let names = named.split(|c: char| c == ',' || c.is_whitespace());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
