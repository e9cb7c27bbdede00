//! What can go wrong between here and where the backups lie, told apart as far as it can be.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use object_store::client::HttpError;

use crate::model::words;

/// Why a repository's place did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The address cannot be understood.
    #[error("'{url}' is no address of a repository: {why}")]
    BadUrl {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Plain HTTP to a machine that is not this one.
    #[error("{endpoint} would carry the backup and its signatures unencrypted")]
    PlainHttp {
        /// The endpoint.
        endpoint: String,
    },
    /// There is no such bucket or container.
    #[error("{place}: there is no such bucket")]
    NoBucket {
        /// The repository.
        place: String,
    },
    /// There is no such folder.
    #[error("{place}: there is no such folder")]
    NoFolder {
        /// The repository.
        place: String,
    },
    /// It was there and is not any more: unmounted, or deleted under our hands.
    #[error("{place} has vanished")]
    Vanished {
        /// The repository.
        place: String,
    },
    /// No credentials were given, and the machine has no role to ask for any.
    #[error("{place}: no credentials")]
    NoCredentials {
        /// The repository.
        place: String,
    },
    /// The credentials do not allow it.
    #[error("{place}: the credentials were refused: {why}")]
    CredentialsRefused {
        /// The repository.
        place: String,
        /// The other side's words.
        why: String,
    },
    /// The file system does not allow it.
    #[error("could not {what} {name} in {place}: permission denied")]
    Denied {
        /// `read`, `write`, `list`, `delete`.
        what: &'static str,
        /// The object.
        name: String,
        /// The repository.
        place: String,
    },
    /// The file system is mounted read-only.
    #[error("could not {what} {name}: {place} is read-only")]
    ReadOnly {
        /// `write`, `delete`.
        what: &'static str,
        /// The object.
        name: String,
        /// The repository.
        place: String,
    },
    /// No space, or the quota is used up.
    #[error("could not write {name}: {place} is full")]
    Full {
        /// The object.
        name: String,
        /// The repository.
        place: String,
    },
    /// There is no such object.
    #[error("{name} is not in {place}")]
    NotFound {
        /// The object.
        name: String,
        /// The repository.
        place: String,
    },
    /// There is such an object already.
    #[error("{name} is in {place} already")]
    Exists {
        /// The object.
        name: String,
        /// The repository.
        place: String,
    },
    /// It has more bytes than it may have.
    #[error("{name} in {place} has {}, more than it may have", words::bytes(*.bytes))]
    TooLarge {
        /// The object.
        name: String,
        /// The repository.
        place: String,
        /// Its bytes.
        bytes: u64,
    },
    /// No answer within the deadline, each time.
    #[error("{place} did not {what} {name} within {}", words::duration(*.after))]
    Timeout {
        /// `read`, `write`, `list`, `delete`.
        what: &'static str,
        /// The object.
        name: String,
        /// The repository.
        place: String,
        /// The deadline of one try.
        after: Duration,
    },
    /// Nobody answers there.
    #[error("{place} cannot be reached: {why}")]
    Unreachable {
        /// The repository.
        place: String,
        /// The system's words.
        why: String,
    },
    /// Anything else.
    #[error("could not {what} {name} in {place}: {why}")]
    Failed {
        /// `read`, `write`, `list`, `delete`.
        what: &'static str,
        /// The object.
        name: String,
        /// The repository.
        place: String,
        /// The other side's words.
        why: String,
    },
}

impl StoreError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            StoreError::BadUrl { .. } => {
                "give a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
                    .to_owned()
            }
            StoreError::PlainHttp { .. } => {
                "use an https endpoint, or set AWS_ALLOW_HTTP=true if the network is trusted"
                    .to_owned()
            }
            StoreError::NoBucket { .. } => {
                "create the bucket, or mend its name, the region and the endpoint".to_owned()
            }
            StoreError::NoFolder { .. } => "mend the path, or mount the volume".to_owned(),
            StoreError::Vanished { .. } => {
                "see whether its volume is still mounted, then run again".to_owned()
            }
            StoreError::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (GOOGLE_SERVICE_ACCOUNT, \
                 AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY)"
                    .to_owned()
            }
            StoreError::CredentialsRefused { .. } => {
                "check the keys, and that they may list, read, write and delete under the prefix"
                    .to_owned()
            }
            StoreError::Denied { place, .. } => format!("check the owner and the mode of {place}"),
            StoreError::ReadOnly { place, .. } => {
                format!("mount it writable, or choose another place than {place}")
            }
            StoreError::Full { .. } => {
                "free space, or remove old snapshots; what was written half is swept by the next \
                 backup"
                    .to_owned()
            }
            StoreError::NotFound { .. } => "see what is there with --list".to_owned(),
            StoreError::TooLarge { .. } => {
                "goodcache did not write it: look into who can write here".to_owned()
            }
            StoreError::Exists { .. } => "nothing was overwritten; run again".to_owned(),
            StoreError::Timeout { .. } | StoreError::Unreachable { .. } => {
                "check the endpoint and the network, then run again".to_owned()
            }
            StoreError::Failed { .. } => "run again; if it persists, check the store".to_owned(),
        }
    }

    /// Whether the same call may well succeed a moment later.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            StoreError::Timeout { .. } | StoreError::Unreachable { .. } | StoreError::Failed { .. }
        )
    }
}

/// What stands in answers that waiting does not mend: codes of S3 and Azure, and the statuses.
const REFUSALS: [&str; 7] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AccessDenied",
    "ExpiredToken",
    "AuthenticationFailed",
    "401 Unauthorized",
    "403 Forbidden",
];

/// What was asked of the store, for its errors.
pub(super) struct Asked<'a> {
    /// `read`, `write`, `list`, `delete`.
    pub what: &'static str,
    /// The object or the beginning of names.
    pub name: &'a str,
    /// The repository.
    pub place: &'a str,
}

impl Asked<'_> {
    /// Gives the library's error its name.
    pub(super) fn failed(&self, error: &object_store::Error) -> StoreError {
        let (what, name, place) = (self.what, self.name.to_owned(), self.place.to_owned());
        let why = innermost(error);
        let text = error.to_string();
        if ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"]
            .iter()
            .any(|mark| text.contains(mark) || why.contains(mark))
        {
            return StoreError::NoBucket { place };
        }
        // The machine's own role is asked for when no keys are given.
        if text.contains("169.254.169.254") || text.contains("metadata.google.internal") {
            return StoreError::NoCredentials { place };
        }
        // A listing's refusal comes without a kind of its own.
        if REFUSALS.iter().any(|mark| text.contains(mark)) {
            return StoreError::CredentialsRefused { place, why };
        }
        match error {
            object_store::Error::NotFound { .. } => StoreError::NotFound { name, place },
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => StoreError::Exists { name, place },
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => {
                let why = code_in(&text).unwrap_or(why);
                StoreError::CredentialsRefused { place, why }
            }
            _ => match (io_kind(error), is_network(error)) {
                (Some(io::ErrorKind::PermissionDenied), _) => {
                    StoreError::Denied { what, name, place }
                }
                (Some(io::ErrorKind::ReadOnlyFilesystem), _) => {
                    StoreError::ReadOnly { what, name, place }
                }
                (Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded), _) => {
                    StoreError::Full { name, place }
                }
                (_, true) => StoreError::Unreachable { place, why },
                _ => StoreError::Failed {
                    what,
                    name,
                    place,
                    why,
                },
            },
        }
    }
}

/// The file system's reason, wherever in the chain it stands.
fn io_kind(error: &object_store::Error) -> Option<io::ErrorKind> {
    chain(error).find_map(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind))
}

fn is_network(error: &object_store::Error) -> bool {
    chain(error).any(|cause| cause.is::<HttpError>())
}

/// The last words of the chain, which say what really happened.
fn innermost(error: &object_store::Error) -> String {
    let words = chain(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    code_in(&words).unwrap_or(words)
}

/// `<Code>InvalidAccessKeyId</Code>` of an S3 answer, without the rest of the page.
fn code_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    Some(code.to_owned())
}

fn chain(error: &object_store::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
