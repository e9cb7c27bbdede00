//! The tests that need more than this crate: real servers, a real engine, the built command.

mod docker;
