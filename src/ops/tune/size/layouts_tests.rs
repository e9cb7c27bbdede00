use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::ops::tune::size::catalogue::Catalogue;
use crate::ops::tune::size::growth::Growth;

const GIB: u64 = 1 << 30;

fn size(name: &str) -> NodeSize {
    let mut sizes = Catalogue::shipped().sizes().into_iter();
    sizes.find(|size| size.name == name).unwrap()
}

/// So many GiB of data and little else.
fn demand(gib: u64) -> Demand {
    Demand {
        cluster: "shop".into(),
        shards: 3,
        shards_measured: 3,
        replicas: 1,
        data_bytes: gib * GIB,
        fragmentation: 1.05,
        copy_on_write: 0.25,
        memory_skew: 1.1,
        load_skew: 1.1,
        growth: Growth::default(),
        ..Demand::default()
    }
}

fn ask() -> Ask {
    Ask {
        growth: 1.0,
        load: 1.0,
        replicas: 1,
        full: 0.7,
    }
}

fn fewest(demand: &Demand, name: &str) -> (usize, Term) {
    let layout = layout(demand, &size(name), &ask(), None).unwrap();
    (layout.shards, layout.binds)
}

#[test]
fn each_term_binds_in_its_turn() {
    // r7g.large: 9.8 GiB of maxmemory, 6.86 of them to be full; 117 MB/s, 82 of them to be used.
    assert_eq!(fewest(&demand(1), "cache.r7g.large"), (3, Term::Quorum));
    // 100 x 1.1 / N and a part of it for slots on their way: 17 and not 16.
    let (shards, binds) = fewest(&demand(100), "cache.r7g.large");
    assert_eq!(binds, Term::Memory);
    assert!((17..=18).contains(&shards), "{shards}");

    let busy = Demand {
        cores_busy: Some(6.9),
        ..demand(1)
    };
    assert_eq!(
        fewest(&busy, "cache.r7g.large"),
        (11, Term::Cpu),
        "6.9 x 1.1 / 0.7"
    );

    let loud = Demand {
        network_in_bytes_per_second: Some(500e6),
        network_out_bytes_per_second: Some(320e6),
        written_bytes_per_second: Some(0.0),
        ..demand(1)
    };
    assert_eq!(
        fewest(&loud, "cache.r7g.large"),
        (12, Term::Network),
        "820 x 1.1 / 82"
    );

    let copied = Demand {
        copy_on_write: 1.0,
        fragmentation: 1.5,
        ..demand(100)
    };
    assert_eq!(fewest(&copied, "cache.r7g.large").1, Term::Headroom);

    let heavy = Demand {
        largest_key_bytes: Some(6 * GIB),
        ..demand(20)
    };
    assert_eq!(fewest(&heavy, "cache.r7g.large").1, Term::LargestKey);
}

#[test]
fn what_no_number_of_shards_holds_is_said() {
    let one_key = Demand {
        largest_key_bytes: Some(9 * GIB),
        ..demand(20)
    };
    let crowded = Demand {
        connections_per_node: Some(60_000),
        ..demand(1)
    };
    for (demand, name, term, why) in [
        (&one_key, "cache.r7g.large", Term::LargestKey, "one key"),
        (
            &crowded,
            "cache.r7g.large",
            Term::Connections,
            "more shards do not change that",
        ),
        (&demand(1000), "P1", Term::Memory, "10 shards, the most"),
        (&demand(1000), "X3", Term::Memory, "2 shards, as it has"),
    ] {
        let unfit = layout(demand, &size(name), &ask(), None).unwrap_err();
        assert_eq!(unfit.binds, term, "{name}");
        assert!(unfit.why.contains(why) && unfit.over > 1.0, "{unfit:?}");
    }
}

#[test]
fn an_instance_has_the_shards_that_it_has() {
    let layout = layout(&demand(4), &size("M10"), &ask(), None).unwrap();
    assert_eq!(
        (layout.shards, layout.nodes, layout.binds),
        (2, 1, Term::Instance)
    );
    assert!((layout.memory_paid_bytes - 12.0 * GIB as f64).abs() < 1.0);
    assert!(neighbours(&demand(4), &size("M10"), &ask(), 2, None).is_empty());
}

#[test]
fn one_shard_less_does_not_hold_and_one_more_does() {
    let demand = demand(100);
    let large = size("cache.r7g.large");
    let layout = layout(&demand, &large, &ask(), None).unwrap();
    let both = neighbours(&demand, &large, &ask(), layout.shards, None);
    assert_eq!(both.len(), 2);
    assert!(!both[0].holds && both[0].load.memory > 1.0);
    assert!(both[1].holds && both[1].load.memory < layout.load.memory);
    let least = neighbours(&demand, &large, &ask(), 3, None);
    assert_eq!((least[0].holds, least[0].binds), (false, Term::Quorum));
}

#[test]
fn the_terms_of_memory_add_up() {
    let memory = memory(&demand(30), &size("cache.r6g.xlarge"), &ask(), 3);
    let sum = memory.data_bytes
        + memory.growth_bytes
        + memory.skew_bytes
        + memory.buffers_bytes
        + memory.reshard_bytes
        + memory.fragmentation_bytes
        + memory.copy_on_write_bytes
        + memory.resync_bytes
        + memory.fixed_bytes;
    assert!((sum - memory.total_bytes).abs() < 1.0);
    assert!((memory.total_bytes + memory.spare_bytes - 26.32 * GIB as f64).abs() < 1.0);
}

fn any_demand() -> impl Strategy<Value = Demand> {
    let memory = (0u64..2000 * GIB, 1.0f64..1.5, 0.0f64..1.0, 1.1f64..3.0);
    let load = (0.0f64..50.0, 0.0f64..5e9, 0u64..70_000, 0u64..20 * GIB);
    let shape = (1usize..50, 0usize..3, 1.1f64..3.0);
    (memory, load, shape).prop_map(|(memory, load, shape)| Demand {
        data_bytes: memory.0,
        fragmentation: memory.1,
        copy_on_write: memory.2,
        memory_skew: memory.3,
        buffers_bytes: memory.0 / 1000,
        cores_busy: Some(load.0),
        network_in_bytes_per_second: Some(load.1 / 2.0),
        network_out_bytes_per_second: Some(load.1 / 2.0),
        written_bytes_per_second: Some(load.1 / 10.0),
        connections_per_node: Some(load.2),
        largest_key_bytes: Some(load.3),
        shards: shape.0,
        shards_measured: shape.0,
        replicas: shape.1,
        load_skew: shape.2,
        ..Demand::default()
    })
}

fn any_ask() -> impl Strategy<Value = Ask> {
    (1.0f64..10.0, 1.0f64..10.0, 0usize..4, 0.5f64..0.9).prop_map(
        |(growth, load, replicas, full)| Ask {
            growth,
            load,
            replicas,
            full,
        },
    )
}

proptest! {
    #[test]
    fn a_layout_always_holds_and_none_with_fewer_shards_does(
        demand in any_demand(),
        ask in any_ask(),
        which in 0usize..200,
    ) {
        let sizes = Catalogue::shipped().sizes();
        let size = &sizes[which % sizes.len()];
        match layout(&demand, size, &ask, None) {
            Ok(found) => {
                prop_assert!(found.load.holds());
                prop_assert!(found.memory.spare_bytes >= 0.0);
                let data = found.memory.data_bytes + found.memory.growth_bytes;
                prop_assert!(data <= size.maxmemory_bytes * ask.full * (1.0 + 1e-9));
                if size.fixed_shards.is_none() {
                    prop_assert!(found.shards >= 3 && found.shards <= size.max_shards);
                    prop_assert_eq!(found.nodes, found.shards * (1 + ask.replicas));
                    prop_assert!(found.nodes <= size.max_nodes);
                    for fewer in 3..found.shards {
                        prop_assert!(!load(&demand, size, &ask, fewer).holds());
                    }
                }
            }
            Err(unfit) => prop_assert!(unfit.over > 1.0 || size.max_nodes / (1 + ask.replicas) < 3),
        }
    }
}
