//! What an outage should last by the servers' own rules, term by term: which terms an outage of each
//! course has. The figures are in `rules`, the words in `because`.

use super::super::report::Term;
use super::rules::{ASK_MS, Band, CRON_MS, Rules, VOTE_MS, WRITABLE_DELAY_MS};
use crate::model::{Conditions, Fault, LoadShape};

/// How an outage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The master is gone at once: detection, agreement, election.
    Crash,
    /// The same after it has waited for its replicas.
    Stop,
    /// The same while the old master goes on taking writes for a while.
    CutOff,
    /// Back before anybody takes over.
    Restart,
    /// A replica was asked to take over.
    Handover(Fault),
}

/// The terms of an outage of this course in that order, the whole last; nothing is measured yet.
/// `struck` is how many shards lost their master at once.
pub fn expected(
    conditions: &Conditions,
    load: &LoadShape,
    course: Course,
    struck: usize,
) -> Vec<Term> {
    // How long a start takes depends on the data alone; no rule of the servers says it.
    if conditions.is_unwatched() {
        return Vec::new();
    }
    let rules = Rules::of(conditions, load, struck);
    match course {
        Course::Crash => rules.crash(None),
        Course::Stop => rules.crash(Some(rules.shutdown())),
        Course::CutOff => rules.cut_off(),
        Course::Restart => rules.restart(),
        Course::Handover(fault) => vec![rules.handover(fault)],
    }
}

/// The outage of a struck shard that is to be expected, least and most, in ms; `None` where no rule
/// says how long it lasts.
pub fn expected_outage_ms(
    conditions: &Conditions,
    load: &LoadShape,
    course: Course,
    struck: usize,
) -> Option<(f64, f64)> {
    let total = expected(conditions, load, course, struck).pop()?;
    Some((total.expected_low_ms, total.expected_high_ms))
}

impl Rules<'_> {
    fn crash(&self, shutdown: Option<Band>) -> Vec<Term> {
        let before = shutdown.unwrap_or(Band(0.0, 0.0, 0.0));
        let whole = self.whole();
        let total = Band(whole.0, whole.1 + before.1, whole.2 + before.2);
        let mut terms = Vec::new();
        if let Some(band) = shutdown {
            terms.push(term("shutdown", band, self.why_shutdown()));
        }
        terms.extend([
            term("detection", self.detection(), self.why_detection()),
            term("agreement", self.agreement(), self.why_agreement()),
            term("election", self.election(), self.why_election()),
            term("client", self.client(), self.why_client()),
            term("total", total, self.why_total(shutdown.is_some())),
        ]);
        terms
    }

    /// The old master takes writes until it finds itself in a minority, about as late as the others
    /// find it gone; what is left is gossip and election.
    fn cut_off(&self) -> Vec<Term> {
        let (gossip, election) = (self.gossip(), self.election());
        let total = Band(0.0, gossip.1 + election.1, self.whole().2 - self.t);
        let why = "the old master takes writes until it finds itself in a minority, so that the \
                   outage is shorter than its terms together";
        vec![
            term("detection", self.detection(), self.why_detection()),
            term("agreement", self.agreement(), self.why_agreement()),
            term("election", election, self.why_election()),
            term("total", total, why.to_owned()),
        ]
    }

    /// Back before anybody takes over: the start, and then what a master that has just started waits
    /// by itself.
    fn restart(&self) -> Vec<Term> {
        if self.is_watched() {
            let start = Band(0.0, 100.0, self.t + self.period);
            return vec![
                term("start", start, self.why_start()),
                term("total", start, "start".to_owned()),
            ];
        }
        let delay = WRITABLE_DELAY_MS;
        let latest = CRON_MS + self.period;
        let start = Band(0.0, 100.0, self.t);
        // It has answered for a while when the first reply is seen.
        let waits = Band(delay - 150.0, delay + 50.0, delay + latest);
        let whole = Band(delay, delay + 150.0, delay + self.t + latest);
        vec![
            term("start", start, self.why_start()),
            term("delay", waits, self.why_delay()),
            term("total", whole, "start + delay".to_owned()),
        ]
    }

    fn handover(&self, fault: Fault) -> Term {
        if self.is_watched() {
            let why = "the chosen replica leads before the old master is told to follow, so writes hardly \
                       stop; what the old one takes meanwhile is lost";
            let band = Band(0.0, 50.0, 2.0 * ASK_MS + self.period);
            return term("total", band, why.to_owned());
        }
        let (band, why) = match fault {
            Fault::Failover => (
                Band(0.0, 40.0, 100.0 + self.period),
                "the master holds writes back until its replica has caught up and leads: 20 to 60 ms",
            ),
            Fault::Force => (
                Band(0.0, 10.0, CRON_MS + VOTE_MS.1 + self.period),
                "elected without the master's consent, which takes writes meanwhile: some 10 ms",
            ),
            _ => (
                Band(0.0, 10.0, CRON_MS + self.period),
                "without consent or election: some 10 ms",
            ),
        };
        term("total", band, why.to_owned())
    }
}

fn term(name: &'static str, band: Band, because: String) -> Term {
    Term {
        name,
        expected_low_ms: band.0,
        expected_ms: band.1,
        expected_high_ms: band.2,
        measured_ms: None,
        because,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ops::failover::samples;

    pub(in super::super) fn of(
        version: &str,
        t_ms: u64,
        ping: u64,
        masters: usize,
        nodes: usize,
    ) -> Conditions {
        let (vendor, version) = version.split_once(' ').unwrap();
        Conditions {
            vendor: vendor.into(),
            version: version.into(),
            node_timeout_ms: t_ms,
            ping_interval_ms: Some(ping),
            masters,
            nodes,
            ..samples::conditions()
        }
    }

    pub(in super::super) fn named(terms: &[Term], name: &str) -> Term {
        terms.iter().find(|t| t.name == name).unwrap().clone()
    }

    /// First suspicion, agreement, election and outage as measured after kill -9: minimum, median,
    /// maximum in seconds.
    type Row = (&'static str, u64, u64, usize, usize, [[f64; 3]; 4]);
    #[rustfmt::skip]
    const MEASURED: [Row; 17] = [
        ("redis 8.0.2", 500, 0, 3, 6, [[0.52, 0.54, 0.74], [0.70, 0.80, 0.94], [1.43, 1.70, 1.87], [1.46, 1.71, 1.89]]),
        ("redis 7.0.15", 1000, 0, 3, 6, [[1.03, 1.16, 1.45], [1.19, 1.56, 1.83], [1.85, 2.39, 2.79], [1.88, 2.40, 2.79]]),
        ("redis 8.0.2", 1000, 0, 3, 6, [[1.02, 1.09, 1.34], [1.15, 1.44, 1.69], [1.83, 2.41, 2.70], [1.84, 2.41, 2.72]]),
        ("valkey 8.0.1", 1000, 0, 3, 6, [[1.02, 1.12, 1.27], [1.15, 1.42, 1.68], [1.85, 2.21, 2.76], [1.87, 2.22, 2.76]]),
        ("valkey 8.1.1", 1000, 0, 3, 6, [[1.02, 1.10, 1.36], [1.23, 1.44, 1.64], [1.84, 2.34, 2.48], [1.87, 2.36, 2.49]]),
        ("valkey 9.1.2", 1000, 0, 3, 6, [[1.01, 1.12, 1.39], [1.14, 1.49, 1.78], [1.18, 1.53, 1.82], [1.19, 1.54, 1.83]]),
        ("redis 7.0.15", 2000, 0, 3, 6, [[2.03, 2.20, 2.88], [2.29, 2.83, 3.80], [2.94, 3.56, 4.51], [2.96, 3.59, 4.52]]),
        ("redis 8.0.2", 2000, 0, 3, 6, [[2.04, 2.27, 2.93], [2.51, 2.99, 3.71], [3.45, 3.77, 4.73], [3.47, 3.78, 4.75]]),
        ("valkey 8.0.1", 2000, 0, 3, 6, [[2.04, 2.64, 2.90], [2.69, 2.99, 3.76], [3.46, 3.74, 4.71], [3.47, 3.76, 4.72]]),
        ("valkey 9.1.2", 2000, 0, 3, 6, [[2.03, 2.21, 2.62], [2.31, 2.97, 3.41], [2.35, 2.99, 3.42], [2.37, 3.02, 3.44]]),
        ("valkey 9.1.2", 500, 0, 3, 6, [[0.52, 0.61, 0.71], [0.68, 0.78, 0.96], [0.72, 0.83, 1.00], [0.73, 0.85, 1.01]]),
        ("redis 8.0.2", 5000, 0, 3, 6, [[5.08, 5.36, 6.69], [5.69, 7.31, 8.02], [6.48, 8.01, 9.03], [6.50, 8.04, 9.04]]),
        ("valkey 9.1.2", 5000, 0, 3, 6, [[5.39, 5.87, 7.21], [6.39, 6.96, 8.16], [6.44, 6.98, 8.20], [6.45, 6.99, 8.21]]),
        ("redis 8.0.2", 15_000, 0, 3, 6, [[15.7, 16.0, 16.7], [17.6, 19.1, 21.3], [18.5, 20.1, 22.3], [18.5, 20.1, 22.3]]),
        ("redis 8.0.2", 2000, 100, 3, 6, [[2.03, 2.06, 2.08], [2.12, 2.17, 2.23], [2.79, 3.13, 3.32], [2.80, 3.15, 3.34]]),
        ("valkey 9.1.2", 2000, 100, 3, 6, [[2.02, 2.07, 2.11], [2.13, 2.19, 2.26], [2.17, 2.24, 2.31], [2.18, 2.26, 2.35]]),
        ("redis 8.0.2", 2000, 0, 3, 9, [[2.03, 2.24, 2.80], [2.67, 2.97, 3.24], [3.35, 3.76, 4.23], [3.38, 3.79, 4.25]]),
    ];

    #[test]
    fn what_was_published_lies_within_what_is_expected() {
        for (version, t, ping, masters, nodes, [suspected, agreed, elected, outage]) in MEASURED {
            let conditions = of(version, t, ping, masters, nodes);
            let terms = expected(&conditions, &samples::load(), Course::Crash, 1);
            let what = format!("{version}, T {t}, ping interval {ping}");
            let total = named(&terms, "total");
            let within = |term: &Term, seconds: f64| {
                let mut term = term.clone();
                term.measured_ms = Some(seconds * 1000.0);
                assert_eq!(
                    term.is_within(),
                    Some(true),
                    "{what}: {seconds} s is not in {term:?}"
                );
            };
            for seconds in outage.into_iter().chain(elected) {
                within(&total, seconds);
            }
            for seconds in suspected {
                within(&named(&terms, "detection"), seconds);
            }
            within(&named(&terms, "agreement"), agreed[1] - suspected[1]);
            within(&named(&terms, "election"), elected[1] - agreed[1]);
            within(&named(&terms, "client"), outage[1] - elected[1]);
            let off = total.expected_ms / (outage[1] * 1000.0) - 1.0;
            assert!(off.abs() < 0.12, "{what}: off by {off}");
        }
    }

    #[test]
    fn the_terms_in_the_middle_add_up() {
        for course in [Course::Crash, Course::Stop] {
            for version in ["redis 7.0.15", "valkey 9.1.2"] {
                let conditions = of(version, 2000, 0, 3, 6);
                let terms = expected(&conditions, &samples::load(), course, 1);
                let (total, parts) = terms.split_last().unwrap();
                let sum: f64 = parts.iter().map(|term| term.expected_ms).sum();
                assert!(
                    (sum - total.expected_ms).abs() < 1.0,
                    "{course:?} {version}"
                );
                for term in &terms {
                    assert!(term.expected_low_ms <= term.expected_ms);
                    assert!(term.expected_ms <= term.expected_high_ms);
                }
            }
        }
    }

    #[test]
    fn other_faults_as_they_were_measured() {
        // Seconds, T = 2 s: of Redis 8.0.2 and Valkey 9.1.2.
        for (course, version, seconds) in [
            (Course::Crash, "redis 8.0.2", &[3.83, 4.02][..]),
            (Course::Crash, "valkey 9.1.2", &[3.21, 3.13]),
            (Course::Stop, "redis 8.0.2", &[4.41]),
            (Course::Stop, "valkey 9.1.2", &[3.50]),
            (Course::CutOff, "redis 8.0.2", &[0.06, 2.8]),
            (Course::Restart, "redis 7.0.15", &[2.13]),
            (
                Course::Handover(Fault::Failover),
                "redis 8.0.2",
                &[0.02, 0.05],
            ),
            (Course::Handover(Fault::Force), "redis 8.0.2", &[0.0, 0.01]),
            (
                Course::Handover(Fault::Takeover),
                "redis 8.0.2",
                &[0.0, 0.01],
            ),
        ] {
            let conditions = of(version, 2000, 0, 3, 6);
            let mut total = named(&expected(&conditions, &samples::load(), course, 1), "total");
            for seconds in seconds {
                total.measured_ms = Some(seconds * 1000.0);
                assert_eq!(
                    total.is_within(),
                    Some(true),
                    "{course:?} {version}: {seconds} s"
                );
            }
        }
    }

    #[test]
    fn several_masters_at_once_stand_in_a_queue() {
        // Two of five, T = 1 s: the later one is back at 2.5 to 2.8 s and at 1.5 to 2.1 s.
        for (version, latest) in [("redis 8.0.2", 2.8), ("valkey 9.1.2", 2.1)] {
            let conditions = of(version, 1000, 0, 5, 10);
            let terms = expected(&conditions, &samples::load(), Course::Crash, 2);
            let high = named(&terms, "total").expected_high_ms;
            assert!(high >= latest * 1000.0, "{version}: {high}");
        }
        let high = |version, struck| {
            let conditions = of(version, 1000, 0, 5, 10);
            let terms = expected(&conditions, &samples::load(), Course::Crash, struck);
            named(&terms, "election").expected_high_ms
        };
        assert!(high("valkey 8.1.1", 2) - high("valkey 8.1.1", 1) > 499.0);
        assert!((high("valkey 8.0.1", 2) - high("valkey 8.0.1", 1)).abs() < 1e-9);
    }
}
