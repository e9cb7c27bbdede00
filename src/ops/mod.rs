//! The trade: what goodcache does with a cluster. The rooms here do not know each other; what two
//! of them need stands a floor below. One arrow is let through: `restore` reads what `backup` wrote, and
//! looks at a cluster as it does.

pub mod backup;
pub mod check;
pub mod create;
pub mod failover;
pub mod restore;
pub mod rotate;
pub mod tune;
