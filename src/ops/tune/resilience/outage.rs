//! How long an outage is to be ridden out: as measured by the last drill, else as the servers' rules
//! and published measurements predict it.

use serde::Serialize;

use super::drill::Servers;
use super::evidence::Evidence;

/// The outage that clients must ride out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outage {
    /// The longest that is to be expected.
    pub longest_ms: f64,
    /// With the margin: what clients are set to.
    pub ride_out_ms: f64,
    /// The margin: 1.5 is half as much again.
    pub margin: f64,
    /// Where that comes from.
    pub source: Source,
}

/// Where an outage's length comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A drill of this cluster.
    Measured {
        /// How many outages.
        outages: usize,
        /// By which faults.
        faults: Vec<String>,
        /// Outages that did not end within their round.
        endless: usize,
    },
    /// No drill; the node timeout and the servers' rules.
    Predicted {
        /// What is to be expected in the middle.
        likely_ms: f64,
        /// In words, with the settings in force.
        because: String,
    },
}

/// The outage of this cluster, with that margin.
pub fn outage(evidence: &Evidence, margin: f64) -> Outage {
    let measured = evidence.drill.as_ref().and_then(|drill| {
        let source = Source::Measured {
            outages: drill.outages.len(),
            faults: drill.faults(),
            endless: drill.endless(),
        };
        drill.longest_ms().map(|longest| (longest, source))
    });
    let (longest_ms, source) = measured.unwrap_or_else(|| predicted(evidence));
    Outage {
        longest_ms,
        ride_out_ms: longest_ms * margin,
        margin,
        source,
    }
}

fn predicted(evidence: &Evidence) -> (f64, Source) {
    let band = band(&evidence.servers);
    let told = match evidence.is_timeout_told {
        true => "as set",
        false => "as shipped, since no node tells it",
    };
    let because = format!(
        "no drill tells it: with cluster-node-timeout {} ms ({told}) a lost master is replaced in \
         about {:.1} s, at worst {:.1} s",
        evidence.servers.node_timeout_ms,
        band.0 / 1000.0,
        band.1 / 1000.0
    );
    let source = Source::Predicted {
        likely_ms: band.0,
        because,
    };
    (band.1, source)
}

/// The middle and the most, in ms. The middle is the fit of 200 measured kills (three masters,
/// timeouts of 0.5 to 15 s): 1.4 T + 1.0 s, from Valkey 9 on, whose best replica stands at once,
/// 1.4 T + 0.1 s. The most lies above every one of them.
fn band(servers: &Servers) -> (f64, f64) {
    let t = servers.node_timeout_ms as f64;
    match is_instant(servers) {
        true => (1.4 * t + 100.0, 1.6 * t + 300.0),
        false => (1.4 * t + 1000.0, 1.6 * t + 1600.0),
    }
}

fn is_instant(servers: &Servers) -> bool {
    let major = servers
        .version
        .split('.')
        .next()
        .and_then(|word| word.parse::<u32>().ok());
    servers.vendor == "valkey" && major.is_some_and(|major| major >= 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(version: &str, node_timeout_ms: u64) -> Servers {
        let (vendor, version) = version.split_once(' ').unwrap();
        Servers {
            vendor: vendor.into(),
            version: version.into(),
            node_timeout_ms,
            ..Servers::default()
        }
    }

    #[test]
    fn what_was_measured_elsewhere_lies_below_the_most() {
        // Median and longest outage after kill -9, in seconds.
        for (version, t, median, longest) in [
            ("redis 8.0.2", 500, 1.71, 1.89),
            ("redis 7.0.15", 1000, 2.40, 2.79),
            ("valkey 8.1.1", 1000, 2.36, 2.49),
            ("valkey 9.1.2", 500, 0.85, 1.01),
            ("valkey 9.1.2", 1000, 1.54, 1.83),
            ("redis 8.0.2", 2000, 3.78, 4.75),
            ("valkey 9.1.2", 2000, 3.02, 3.44),
            ("redis 8.0.2", 5000, 8.04, 9.04),
            ("valkey 9.1.2", 5000, 6.99, 8.21),
            ("redis 8.0.2", 15_000, 20.1, 22.3),
        ] {
            let (likely, most) = band(&servers(version, t));
            assert!(most >= longest * 1000.0, "{version}, {t} ms: {most}");
            assert!(
                most < longest * 1000.0 * 1.4,
                "{version}, {t} ms: {most} is idle fear"
            );
            assert!(
                (likely / (median * 1000.0) - 1.0).abs() < 0.11,
                "{version}, {t} ms: {likely}"
            );
        }
    }

    #[test]
    fn without_a_drill_it_says_so() {
        let evidence = Evidence {
            servers: servers("redis 7.0.15", 15_000),
            ..Evidence::default()
        };
        let outage = outage(&evidence, 1.5);
        assert!((outage.longest_ms - 25_600.0).abs() < 1e-6);
        assert!((outage.ride_out_ms - 38_400.0).abs() < 1e-6);
        let Source::Predicted { because, .. } = &outage.source else {
            panic!("{outage:?}")
        };
        assert!(
            because.contains("no drill tells it") && because.contains("as shipped"),
            "{because}"
        );
    }
}
