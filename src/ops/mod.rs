//! The trade: what goodcache does with a cluster. The rooms here do not know each other; what two
//! of them need stands a floor below.

pub mod backup;
pub mod check;
pub mod create;
pub mod failover;
