//! What a program that goodcache starts takes over of its environment: where things are, and how this
//! machine speaks. Not the password, the passphrase and the keys of a bucket that goodcache itself may
//! have been given there: a server would hold them for as long as it lives.

use std::ffi::OsString;

/// The variables that are handed on.
const INHERITED: [&str; 7] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
];

/// Those of them that are set, with their values; what is started takes nothing else over.
pub(super) fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    let set = |name| Some((name, std::env::var_os(name)?));
    INHERITED.into_iter().filter_map(set)
}
