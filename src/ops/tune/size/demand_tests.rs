use super::*;
use crate::health::testing::{Cluster, NOW_MS};
use crate::model::{KeysSeen, Silence};
use crate::ops::tune::size::GrowthSource;

const DAY_MS: u64 = 86_400_000;

/// Both samples of the three masters, a second apart.
fn measured() -> Cluster {
    let before = "used_memory:1000000000\nused_memory_peak:1200000000\nused_memory_startup:1000000\n\
                  used_memory_overhead:200000000\nmem_clients_normal:5000000\n\
                  mem_replication_backlog:14000000\nmem_aof_buffer:0\nallocator_frag_ratio:1.1\n\
                  allocator_rss_ratio:1.2\nrdb_last_cow_size:200000000\naof_last_cow_size:0\n\
                  connected_clients:40\ndb0:keys=1000,expires=10,avg_ttl=0\n\
                  total_net_input_bytes:0\ntotal_net_output_bytes:0\ntotal_net_repl_output_bytes:0\n\
                  used_cpu_sys_main_thread:1.0\nused_cpu_user_main_thread:1.0\n\
                  total_commands_processed:0\nmaster_repl_offset:0\n";
    let after = "total_net_input_bytes:3000\ntotal_net_output_bytes:9000\n\
                 total_net_repl_output_bytes:2000\nused_cpu_user_main_thread:1.25\n\
                 total_commands_processed:1000\nmaster_repl_offset:2000\n";
    (0..3).fold(Cluster::sound(), |cluster, n| {
        cluster.info(n, before).later(n, after)
    })
}

fn demand(cluster: Cluster) -> Demand {
    Demand::from_surveys(&cluster.survey(), None).unwrap()
}

fn is_near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-6 * b.abs().max(1.0))
}

#[test]
fn masters_are_summed_and_replicas_are_not() {
    let demand = demand(measured());
    assert_eq!(demand.cluster, "shop");
    assert_eq!((demand.shards, demand.shards_measured), (3, 3));
    assert_eq!((demand.replicas, demand.sample_ms), (1, 1000));
    assert_eq!(demand.used_bytes, 3_000_000_000);
    assert_eq!(demand.peak_bytes, 3_600_000_000);
    assert_eq!(demand.data_bytes, 3 * (1_200_000_000 - 20_000_000));
    assert_eq!(demand.overhead_bytes, 600_000_000);
    assert_eq!(demand.buffers_bytes, 19_000_000);
    assert_eq!(demand.keys, 3000);
    assert_eq!(demand.connections_per_node, Some(40));
    assert!((demand.fragmentation - 1.32).abs() < 1e-9);
    assert!((demand.copy_on_write - 0.2).abs() < 1e-9 && demand.is_copy_on_write_measured);
    assert!(is_near(demand.operations_per_second, 3000.0));
    assert!(is_near(demand.cores_busy, 0.75));
    assert!(is_near(demand.operations_per_core_second, 4000.0));
    assert!(is_near(demand.network_in_bytes_per_second, 9000.0));
    assert!(is_near(demand.network_out_bytes_per_second, 27_000.0));
    assert!(is_near(demand.replication_bytes_per_second, 6000.0));
    assert!(is_near(demand.written_bytes_per_second, 6000.0));
    assert_eq!(demand.growth, Growth::default());
    assert_eq!(
        demand.unknown,
        ["the largest key, which no number of shards divides: --deep looks for it in a sample"]
    );
}

#[test]
fn the_largest_key_is_that_of_the_samples() {
    let sample = |sampled, largest_bytes| KeysSeen {
        sampled,
        largest_bytes,
        ..KeysSeen::default()
    };
    let light = demand(measured()).with_keys(&[sample(200, None)]);
    assert_eq!((light.largest_key_bytes, light.unknown.len()), (None, 1));
    let part = [sample(500, Some(9 << 20)), sample(500, Some(70))];
    let part = demand(measured()).with_keys(&part);
    assert_eq!(part.largest_key_bytes, Some(9 << 20));
    assert_eq!(
        part.unknown,
        ["whether a key is larger than 9.00 MiB, the largest of 1,000 that were sampled of 3,000"]
    );
    let all = demand(measured()).with_keys(&[sample(3_000, Some(70))]);
    assert_eq!((all.largest_key_bytes, all.unknown.len()), (Some(70), 0));
}

#[test]
fn the_fullest_shard_is_told_by_what_a_slot_holds() {
    let even = demand(measured());
    assert!((even.memory_skew - LEAST_SKEW).abs() < 1e-9);
    let fuller =
        demand(measured().info(1, "used_memory:2000000000\nused_memory_peak:3000000000\n"));
    let data = [1_180e6, 2_980e6, 1_180e6];
    let mean = data.iter().sum::<f64>() / 3.0;
    assert!(
        (fuller.memory_skew - data[1] / mean).abs() < 0.01,
        "{}",
        fuller.memory_skew
    );
    let busier = demand(measured().later(2, "total_commands_processed:4000\n"));
    assert!(
        (busier.load_skew - 2.0).abs() < 0.01,
        "{}",
        busier.load_skew
    );
    let tiny = "used_memory:1100000\nused_memory_peak:1100000\n";
    let small = (0..3).fold(measured(), |cluster, n| cluster.info(n, tiny));
    let chance = demand(small.info(1, "used_memory:1500000\nused_memory_peak:1500000\n"));
    assert!(
        (chance.memory_skew - LEAST_SKEW).abs() < 1e-9,
        "of 400 KB nothing is told"
    );
}

#[test]
fn a_silent_master_is_like_the_others_and_that_is_said() {
    let whole = demand(measured());
    let lacking = demand(measured().silent(2, Silence::Timeout));
    assert_eq!((lacking.shards, lacking.shards_measured), (3, 2));
    assert_eq!(lacking.used_bytes, whole.used_bytes);
    assert!(is_near(lacking.operations_per_second, 3000.0));
    assert!(lacking.unknown[0].starts_with("1 of 3 masters did not answer"));
}

#[test]
fn without_a_second_sample_rates_are_unknown_and_not_nothing() {
    let one = demand(measured().every(|facts| facts.later = None));
    assert_eq!(one.operations_per_second, None);
    assert_eq!(one.cores_busy, None);
    assert_eq!(one.network_in_bytes_per_second, None);
    assert!(one.unknown.iter().any(|line| line.contains("--sample 60s")));
    let restarted = demand(measured().later(0, "run_id:other\n"));
    assert_eq!(restarted.cores_busy, None);
    assert!(
        restarted
            .unknown
            .iter()
            .any(|line| line.starts_with("CPU:"))
    );
}

#[test]
fn what_never_forks_copies_nothing() {
    let quiet = measured().every(|facts| {
        facts.config.insert("save".into(), String::new());
        facts.config.insert("appendonly".into(), "no".into());
    });
    let replicated = demand(quiet.clone());
    assert!(
        replicated.copy_on_write > 0.0,
        "a replica is built from a fork"
    );
    let alone = quiet.with(|survey| survey.nodes.truncate(3));
    let alone = demand(alone.every(|facts| facts.view.peers.retain(|peer| peer.master.is_none())));
    assert_eq!(alone.replicas, 0);
    assert!(alone.copy_on_write.abs() < 1e-9);
    let unmeasured = demand(measured().every(|facts| {
        for info in [Some(&mut facts.info), facts.later.as_mut()]
            .into_iter()
            .flatten()
        {
            info.set("rdb_last_cow_size", "0");
        }
    }));
    assert!((unmeasured.copy_on_write - USUAL_COPY_ON_WRITE).abs() < 1e-9);
    assert!(!unmeasured.is_copy_on_write_measured);
}

#[test]
fn growth_is_measured_against_an_earlier_survey() {
    let earlier = measured().with(|survey| survey.taken_at_ms = NOW_MS - 10 * DAY_MS);
    let less = "used_memory:500000000\nused_memory_peak:610000000\n";
    let earlier = (0..3)
        .fold(earlier, |cluster, n| cluster.info(n, less))
        .survey();
    let grown = Demand::from_surveys(&measured().survey(), Some(&earlier))
        .unwrap()
        .growth;
    assert_eq!(grown.source, GrowthSource::Measured { days_apart: 10.0 });
    assert!((grown.factor(10.0) - 2.0).abs() < 0.01);
    let lacking = measured()
        .with(|s| s.taken_at_ms = 0)
        .silent(0, Silence::Timeout)
        .survey();
    let unknown = Demand::from_surveys(&measured().survey(), Some(&lacking))
        .unwrap()
        .growth;
    assert_eq!(
        unknown,
        Growth::default(),
        "half a cluster did not grow to a whole one"
    );
}

#[test]
fn nobody_told_anything() {
    let silent = (0..6).fold(measured(), |cluster, n| cluster.silent(n, Silence::Timeout));
    let error = Demand::from_surveys(&silent.survey(), None).unwrap_err();
    assert_eq!(error, NoDemand::Silent);
    assert!(error.hint().contains("goodcache check"));
}
