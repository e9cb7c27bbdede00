//! `create`: from empty servers to a cluster that is proven usable.

pub mod ready;
mod sync_delay;
mod verify;

pub use sync_delay::SyncDelay;
pub use verify::write_everywhere;
