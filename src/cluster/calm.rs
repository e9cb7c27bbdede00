//! A calm moment: one at which every node answers about as fast as it ever does.
//!
//! A node that is in the middle of something slow, or whose processor is busy elsewhere, holds up
//! whatever is done to all of them at once. So they are asked again and again, until all are quick.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use super::node::{Command, Node};

/// So often they are asked at least, to know what is quick.
const LEAST: u32 = 8;
/// So often in a row they must be.
const IN_A_ROW: u32 = 2;
/// What is added to the best of all before anything counts as slow: a timer's, not a node's fault.
const SLACK: Duration = Duration::from_micros(200);
/// Between two questions.
const REST: Duration = Duration::from_millis(2);

/// Waits for one, for so long at most; gives the shortest time in which all have answered. A node that
/// does not answer at all ends it: whoever asks it next finds out why.
pub(super) async fn calm(nodes: &[Node], patience: Duration) -> Duration {
    let begun = Instant::now();
    let mut best = patience;
    let (mut asked, mut quick) = (0, 0);
    while begun.elapsed() < patience {
        let Some(took) = round_trip(nodes).await else {
            break;
        };
        best = best.min(took);
        asked += 1;
        quick = if is_quick(took, best) { quick + 1 } else { 0 };
        if asked >= LEAST && quick >= IN_A_ROW {
            break;
        }
        sleep(REST).await;
    }
    best
}

/// An error as an answer is a round trip as well: not everybody may PING.
async fn round_trip(nodes: &[Node]) -> Option<Duration> {
    let begun = Instant::now();
    let ping = [Command::words("PING")];
    let answers = join_all(nodes.iter().map(|node| node.ask_all(&ping))).await;
    answers.iter().all(Result::is_ok).then(|| begun.elapsed())
}

fn is_quick(took: Duration, best: Duration) -> bool {
    took <= best + best / 2 + SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_is_what_comes_near_the_best() {
        let us = Duration::from_micros;
        for (took, best, expected) in [
            (100, 100, true),
            (350, 100, true),
            (400, 100, false),
            (30_100, 20_000, true),
            (31_000, 20_000, false),
        ] {
            assert_eq!(is_quick(us(took), us(best)), expected, "{took} of {best}");
        }
    }
}
