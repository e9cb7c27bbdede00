//! What `goodcache tune` takes for its two other questions: how many nodes of which size are needed
//! (`--size`), and how clients ride out a failover (`--resilience`). Each answers alone: neither goes
//! with what narrows, applies or puts back advice.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::cli::values;
use crate::ops::tune::size::Growth;

const SIZE: &str = "Cost and size";
const RESILIENCE: &str = "Sessions and degradation";
/// What goes with advice alone.
const OF_ADVICE: [&str; 13] = [
    "explain",
    "apply",
    "undo",
    "undo_file",
    "dry_run",
    "write_conf",
    "only",
    "except",
    "fail_on",
    "memory_limit",
    "outage",
    "recovery",
    "no_loss",
];

/// How many nodes of which size are needed.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Sizing {
    /// Lay the load out on node sizes that can be had, the cheapest first
    #[arg(long, help_heading = SIZE, conflicts_with_all = OF_ADVICE)]
    pub size: bool,
    /// With --size: what nodes cost, in YAML; goodcache knows no prices
    #[arg(long, value_name = "FILE", requires = "size", help_heading = SIZE)]
    pub prices: Option<PathBuf>,
    /// With --size: how fast the data grows, such as 10%/month or 0.3%/day
    #[arg(long, value_name = "PERCENT/TIME", requires = "size", value_parser = Growth::parse,
          allow_hyphen_values = true, help_heading = SIZE)]
    pub growth: Option<Growth>,
    /// With --size: measure the growth since a file that --save-evidence or check --save-survey wrote
    #[arg(long, value_name = "FILE", requires = "size", conflicts_with = "growth", help_heading = SIZE)]
    pub growth_since: Option<PathBuf>,
    /// With --size: how far ahead it must hold [default: 90d]
    #[arg(long, value_name = "TIME", requires = "size", value_parser = values::span, help_heading = SIZE)]
    pub horizon: Option<Duration>,
    /// With --size: only services, families or sizes with that in their name: elasticache, r7g
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        requires = "size",
        help_heading = SIZE
    )]
    pub family: Vec<String>,
}

/// How clients ride out a failover.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Riding {
    /// Say how clients ride out a failover, by the last failover-test where there was one
    #[arg(long, help_heading = RESILIENCE, conflicts_with_all = OF_ADVICE,
          conflicts_with_all = ["size", "profile"])]
    pub resilience: bool,
    /// With --resilience: a report that failover-test -o json wrote [default: the last one]
    #[arg(long, value_name = "FILE", requires = "resilience", help_heading = RESILIENCE)]
    pub drill: Option<PathBuf>,
}
