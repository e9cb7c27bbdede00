//! Which of the sampled keys are sessions: those whose names say so and which expire.

use crate::model::{Evidence, Family, KeysSeen};

/// A family is one of sessions when its pattern has this in it, in any case: `session:*`,
/// `spring:session:sessions:*`, `sess:*`, `PHPREDIS_SESSION:*`.
const WORD: &str = "sess";

/// Sessions of a cluster, by a sample of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// How many there are, the sample scaled up to all keys.
    pub count: u64,
    /// What one takes on average, in bytes; only from a deep sample.
    pub mean_bytes: Option<u64>,
}

/// The sessions that the samples show; `None` without a sample, or when no key is named so.
pub fn sessions(evidence: &Evidence) -> Option<Sessions> {
    let samples = evidence
        .nodes
        .values()
        .filter_map(|seen| seen.keys.as_ref());
    let found: Vec<(f64, &Family)> = samples.flat_map(of_node).collect();
    if found.is_empty() {
        return None;
    }
    let count: f64 = found.iter().map(|(count, _)| count).sum();
    let sized = found
        .iter()
        .filter_map(|(count, f)| Some((*count, f.mean_bytes? as f64)));
    let (keys, bytes) = sized.fold((0.0, 0.0), |(keys, bytes), (count, mean)| {
        (keys + count, bytes + count * mean)
    });
    Some(Sessions {
        count: count.round() as u64,
        mean_bytes: (keys > 0.0).then(|| (bytes / keys).ceil() as u64),
    })
}

/// The families of sessions of one node, each with how many keys it stands for.
fn of_node(seen: &KeysSeen) -> impl Iterator<Item = (f64, &Family)> {
    let for_each = seen.keys as f64 / seen.sampled.max(1) as f64;
    let named = |family: &&Family| {
        family.with_expiry > 0 && family.pattern.to_ascii_lowercase().contains(WORD)
    };
    let families = seen.families.iter().filter(named);
    families.map(move |family| (family.count as f64 * for_each, family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeAddr, Seen};

    fn family(pattern: &str, count: u64, with_expiry: u64, mean_bytes: Option<u64>) -> Family {
        Family {
            pattern: pattern.into(),
            count,
            with_expiry,
            mean_bytes,
            ..Family::default()
        }
    }

    fn evidence(nodes: &[(u64, u64, Vec<Family>)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (port, (keys, sampled, families)) in (7001..).zip(nodes) {
            let seen = Seen {
                keys: Some(KeysSeen {
                    keys: *keys,
                    sampled: *sampled,
                    families: families.clone(),
                    ..KeysSeen::default()
                }),
                ..Seen::default()
            };
            evidence.nodes.insert(NodeAddr::new("10.0.0.1", port), seen);
        }
        evidence
    }

    #[test]
    fn the_sample_is_scaled_up_node_by_node() {
        let told = evidence(&[
            (
                10_000,
                1_000,
                vec![
                    family("session:*", 400, 400, Some(600)),
                    family("book:*", 600, 0, Some(900)),
                ],
            ),
            (
                5_000,
                1_000,
                vec![family("PHPREDIS_SESSION:*", 200, 190, Some(900))],
            ),
        ]);
        let sessions = sessions(&told).unwrap();
        assert_eq!((sessions.count, sessions.mean_bytes), (5_000, Some(660)));
    }

    #[test]
    fn what_is_not_named_so_or_never_expires_is_no_session() {
        for families in [
            vec![family("book:*", 10, 10, None)],
            vec![family("assessment:*", 10, 0, None)],
            vec![],
        ] {
            assert_eq!(sessions(&evidence(&[(100, 10, families)])), None);
        }
        assert_eq!(sessions(&Evidence::default()), None);
        let shallow = evidence(&[(100, 10, vec![family("sess:*", 5, 5, None)])]);
        assert_eq!(sessions(&shallow).unwrap().mean_bytes, None);
    }
}
