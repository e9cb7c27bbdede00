//! Text: a report becomes a `Doc`, a `Doc` becomes text; a report becomes JSON.
//!
//! | file | what |
//! |---|---|
//! | `doc` | the parts of a document, before anybody knows where it is read |
//! | `terminal`, `markdown` | writers of a document |
//! | `human` | numbers as people read and write them |
//! | `check` | what a check found, as a document |
//! | `create` | what create plans, did, or refused, as a document |

pub mod create;
pub mod doc;
pub mod human;
pub mod terminal;

mod columns;
mod plain;
