//! How busy a node is and how long it has been up: whether it can spend more, and whether its numbers
//! have a history.

use std::time::Duration;

use crate::health::rates;
use crate::model::words::duration;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::Opinion;

/// Below this a server's peaks and totals have not seen a day's round of work.
const A_DAY: Duration = Duration::from_secs(86_400);

/// How busy the main thread was between the samples, in percent of one core; of the whole process
/// where the server does not tell threads apart (before 6.2). `None` without two samples.
pub fn busy_percent(node: &NodeCase) -> Option<f64> {
    let spent =
        rates::main_thread_seconds(node.facts).or_else(|| rates::process_seconds(node.facts));
    let sample = node.sample().as_secs_f64();
    let spent = spent.filter(|spent| *spent >= 0.0 && sample > 0.0)?;
    Some(spent * 100.0 / sample)
}

/// A line of evidence where a node is too young for its peaks to mean much.
pub fn youth(nodes: &[&NodeCase]) -> Option<String> {
    let youngest = nodes.iter().filter_map(|node| node.uptime()).min()?;
    (youngest < A_DAY).then(|| format!("up for {} only", duration(youngest)))
}

/// Whether it has been up for a day.
pub fn has_history(node: &NodeCase) -> bool {
    node.uptime().is_some_and(|uptime| uptime >= A_DAY)
}

/// The nodes whose counters were sampled twice; a word for each that was not.
pub fn sampled<'c, 'a>(case: &'c Case<'a>, skipped: &mut Vec<Opinion>) -> Vec<&'c NodeCase<'a>> {
    let (twice, once): (Vec<_>, Vec<_>) = (case.nodes.iter())
        .partition(|node| node.facts.later.is_some() && !node.facts.has_restarted());
    let reason = "needs two samples of its counters (--sample 60s), without a restart between";
    skipped.extend(once.into_iter().map(|node| Opinion::skip(node, reason)));
    twice
}
