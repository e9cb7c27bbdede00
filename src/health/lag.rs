//! How far a replica is behind its master, in bytes and in seconds.
//!
//! Both offsets are read from one INFO of the master, so they belong to one instant. The replica's
//! `master_last_io_seconds_ago` is no lag: on an idle master it climbs to `repl-ping-replica-period`
//! (10 s by default) and begins again.

use crate::model::{Facts, Info, Member, ReplicaLine};

use super::rates;

/// Acknowledgements come once a second, so one of that age is the youngest that can be expected.
const ACK_PERIOD_S: u64 = 1;

/// The master's own line about that replica, from its newest INFO; `None` when it lists none.
pub fn line(master: &Facts, replica: &Member) -> Option<ReplicaLine> {
    line_in(newest(master), replica)
}

/// Bytes behind; `None` when the master does not list the replica as following.
pub fn bytes(master: &Facts, replica: &Member) -> Option<u64> {
    let info = newest(master);
    let line = line_in(info, replica).filter(|line| line.state == "online")?;
    Some(
        info.number("master_repl_offset")?
            .saturating_sub(line.offset),
    )
}

/// Seconds behind, estimated: the larger of the age of the last acknowledgement beyond the usual
/// second, and the bytes behind over the rate at which the master writes.
pub fn seconds(master: &Facts, replica: &Member) -> Option<f64> {
    let line = line(master, replica).filter(|line| line.state == "online")?;
    let silent = line.ack_age_s.saturating_sub(ACK_PERIOD_S) as f64;
    let behind = bytes(master, replica)? as f64;
    let written = rates::written_per_second(master).unwrap_or(0.0);
    // Under a few bytes a second the stream carries PINGs only, and the quotient means nothing.
    let queued = if written > 64.0 {
        behind / written
    } else {
        0.0
    };
    // Up to a second of writes is always on its way, or not acknowledged yet.
    let queued = (queued - ACK_PERIOD_S as f64).max(0.0);
    Some(silent.max(queued))
}

fn newest(master: &Facts) -> &Info {
    master.later.as_ref().unwrap_or(&master.info)
}

/// The master sees a replica at the address of its connection, which may be another than the
/// announced one: the port decides when it is alone, and an only line is the only replica's.
fn line_in(info: &Info, replica: &Member) -> Option<ReplicaLine> {
    let lines = info.replicas();
    let known = [replica.announced.ip_endpoint(), replica.addr.clone()];
    let exact = lines
        .iter()
        .find(|line| line.addr.is_some() && known.contains(&line.addr));
    let by_port: Vec<&ReplicaLine> = lines
        .iter()
        .filter(|line| {
            line.addr
                .as_ref()
                .is_some_and(|addr| addr.port == replica.announced.port)
        })
        .collect();
    match (exact, by_port.as_slice()) {
        (Some(line), _) => Some(line.clone()),
        (None, [line]) => Some((*line).clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Cluster;
    use crate::model::Topology;

    use super::*;

    fn lag_of(first: &str, later: &str) -> (Option<u64>, Option<f64>) {
        let survey = Cluster::sound()
            .info(0, &format!("run_id:r\n{first}"))
            .later(0, &format!("run_id:r\n{later}"))
            .survey();
        let topology = Topology::of(&survey);
        let master = survey.nodes[0].facts().unwrap();
        let replica = topology
            .member(survey.nodes[3].id.as_ref().unwrap())
            .unwrap();
        (bytes(master, replica), seconds(master, replica))
    }

    #[test]
    fn a_busy_replica_that_keeps_up_has_no_lag() {
        // One second of writes not acknowledged yet.
        let (bytes, seconds) = lag_of(
            "master_repl_offset:1000000\nslave0:ip=10.0.0.4,port=7000,state=online,offset=1000000,lag=0",
            "master_repl_offset:2000000\nslave0:ip=10.0.0.4,port=7000,state=online,offset=1100000,lag=1",
        );
        assert_eq!(bytes, Some(900_000));
        assert_eq!(seconds, Some(0.0));
    }

    #[test]
    fn silence_and_a_growing_queue_are_lag() {
        let (_, seconds) = lag_of(
            "master_repl_offset:1000\n",
            "master_repl_offset:1000\nslave0:ip=10.0.0.4,port=7000,state=online,offset=1000,lag=21",
        );
        assert_eq!(seconds, Some(20.0));
        let (_, seconds) = lag_of(
            "master_repl_offset:1000000\n",
            "master_repl_offset:2000000\nslave0:ip=10.0.0.4,port=7000,state=online,offset=0,lag=0",
        );
        assert_eq!(seconds, Some(1.0));
    }

    #[test]
    fn a_replica_that_syncs_or_is_not_listed_has_no_known_lag() {
        let (bytes, seconds) = lag_of(
            "master_repl_offset:5\n",
            "master_repl_offset:5\nslave0:ip=10.0.0.4,port=7000,state=send_bulk,offset=0,lag=0",
        );
        assert_eq!((bytes, seconds), (None, None));
        let elsewhere = "slave0:ip=10.9.9.9,port=1,state=online,offset=0,lag=0";
        assert_eq!(lag_of("", elsewhere), (None, None));
    }
}
