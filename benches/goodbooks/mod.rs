//! The GoodBooks load: a bookshop's cache of any size, made from a list of real books.
//!
//! The demo, the tests and the benchmark write it; `README.md` beside this file lists what is in it.
//! `books` reads the list, `load` makes commands of it (pure, from a seed), `fill` sends them.
#![allow(
    dead_code,
    unused_imports,
    reason = "shared by several programs, each of which uses a part"
)]

pub mod books;
pub mod fill;
pub mod load;
pub mod random;
#[path = "../../tests/it/support/resp.rs"]
pub mod resp;

pub use books::Books;
pub use fill::{Filled, fill};
pub use load::{Command, Kind, Load};
