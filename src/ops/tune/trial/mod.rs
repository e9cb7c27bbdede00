//! `tune --trial`: a recommendation tried out before anybody follows it.
//!
//! Two throw-away servers of this machine stand for one master of the cluster: both get its settings
//! and data of the shape that was seen, one of them the change besides. The same load runs on one and
//! then the other, in turns, and what is told is no more than the spread of the turns allows.
//!
//! | file | what |
//! |---|---|
//! | `pick` | what is tried, on the copy of which node, and what cannot be |
//! | `settings` | which of the node's settings a copy takes over |
//! | `shape` | the data: families of keys, their sizes and expiries, scaled down |
//! | `words` | a command with room for keys and values, as load files write it |
//! | `mix` | the load: which commands in which shares |
//! | `random` | numbers that are the same each time |
//! | `plan` | all of that together; pure up to here |
//! | `copy` | the throw-away servers, set and filled |
//! | `drive` | the turns |
//! | `judge`, `report` | what they came to |

mod copy;
mod drive;
mod judge;
mod mix;
mod pick;
mod plan;
mod random;
mod report;
mod settings;
mod shape;
mod words;

pub use copy::NoCopy;
pub use drive::{Trial, run};
pub use judge::{Figure, Overall, Range, Verdict};
pub use mix::{Load, Mix, Step, Written};
pub use pick::{NoTrial, Picked, Tried, pick};
pub use plan::{Plan, plan};
pub use report::{Count, Left, Report, Share, Told};
pub use shape::{Group, MOST_BYTES, Shape, Type};
pub use words::Line;
