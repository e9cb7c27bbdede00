//! The connection core: everything that speaks to a server speaks through here.
//!
//! One connection goes to exactly one node, and every wait has a deadline: nothing here follows a
//! redirection unasked, retries unseen or hangs. The `redis` crate does the protocol; sockets and
//! TLS are our own, so that a flood of bytes is cut off and the replication link can use the same.

mod access;
mod allocator;
mod alone;
mod answers;
mod aside;
mod barrier;
mod calm;
mod clients;
mod credentials;
mod error;
mod explore;
mod guard;
mod kept;
mod keys;
pub mod lane;
pub mod load;
mod map;
mod momentary;
mod node;
mod probe;
pub mod replica;
mod replies;
mod sentinel;
mod settle;
mod stream;
mod tls;
mod trust;
pub mod turn;
mod view;
pub mod watch;
mod watched;

pub use access::{Access, SentinelAccess};
pub use allocator::quantum;
pub use alone::sentinel_id;
pub use aside::finished;
pub use barrier::{Barrier, Cut, Gate, NoBarrier, barrier};
pub use clients::clients;
pub use credentials::{Credentials, Secret, TlsSettings};
pub use error::NodeError;
pub use explore::{Ask, look_at, survey};
pub use kept::{Files, Kept};
pub use keys::{Depth, sample_keys};
pub use map::NodeMap;
pub use momentary::{Momentary, Wanted};
pub use node::{Command, Node, Reply};
pub use probe::key_in;
pub use sentinel::fail_over;
pub use settle::{Settled, Waited, settle};
pub use stream::dial;
pub use tls::TlsError;
