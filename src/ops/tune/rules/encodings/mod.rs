//! Rules about encodings: small collections in one piece of memory, which is a fraction of the size
//! and slower the longer it gets. All of them want a deep sample of keys.
//!
//! | file | what |
//! |---|---|
//! | `sample` | what the masters' samples say of one encoding, together |
//! | `packed` | hashes, sorted sets and sets: up to where they are kept in one piece |
//! | `integers` | sets of whole numbers |
//! | `lists` | how long a piece of a list is, and whether its middle is compressed |
//! | `streams` | how much one node of a stream takes |
//! | `strings` | HyperLogLogs, and many tiny strings that could be fields of hashes |
//! | `templates` | field names of like hashes kept once (Redis 8.10) |

mod integers;
mod lists;
mod packed;
mod sample;
mod streams;
mod strings;
mod templates;

use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    packed::HASH,
    packed::ZSET,
    packed::SET,
    integers::INTEGERS,
    lists::PIECES,
    lists::COMPRESS,
    streams::STREAM,
    strings::HLL,
    strings::TINY,
    templates::TEMPLATES,
];
