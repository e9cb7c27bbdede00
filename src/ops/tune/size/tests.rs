use super::*;

const GIB: u64 = 1 << 30;

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
        ..Demand::default()
    }
}

fn aws() -> Options {
    Options {
        families: vec!["elasticache".into()],
        ..Options::default()
    }
}

fn priced() -> Options {
    Options {
        prices: Some(serde_yaml::from_str(Prices::example()).unwrap()),
        ..aws()
    }
}

#[test]
fn without_prices_the_least_memory_comes_first() {
    let report = judge(&demand(50), &aws());
    let whole = report.layouts.iter().filter(|l| !l.is_burstable);
    let paid: Vec<f64> = whole.map(|l| l.memory_paid_bytes).collect();
    assert!(paid.is_sorted(), "{paid:?}");
    let burstable: Vec<bool> = report.layouts.iter().map(|l| l.is_burstable).collect();
    assert!(burstable.is_sorted(), "parts of a core come last");
    assert!(
        report
            .layouts
            .iter()
            .all(|l| l.cost.is_none() && l.load.holds())
    );
    assert_eq!((report.prices, report.cheapest_reserved), (None, None));
    assert_eq!(report.layouts.len() + report.unfit.len(), 19);
}

#[test]
fn with_prices_the_cheapest_comes_first_and_what_has_none_last() {
    let report = judge(&demand(50), &priced());
    let costs: Vec<Option<f64>> = report
        .layouts
        .iter()
        .map(|layout| layout.cost.map(|cost| cost.on_demand_per_month))
        .collect();
    assert!(costs[0] <= costs[1] && costs[1].is_some());
    assert!(costs[2..].iter().all(Option::is_none));
    let reserved = report.cheapest_reserved.unwrap();
    assert_eq!(report.layouts[reserved].size, "cache.r7g.large");
    assert_eq!(report.prices.unwrap().currency, "EUR");
    assert_eq!(report.neighbours.len(), 2);
    assert!(report.neighbours[1].cost.is_some());
}

#[test]
fn the_family_of_the_first_is_told_from_small_to_large() {
    let report = judge(&demand(50), &priced());
    let names: Vec<&str> = report.family.iter().map(|l| l.size.as_str()).collect();
    assert_eq!(
        names,
        ["cache.r7g.large", "cache.r7g.xlarge", "cache.r7g.2xlarge"]
    );
    for pair in report.family.windows(2) {
        assert!(pair[0].shards >= pair[1].shards);
        assert!(pair[0].full_sync_s <= pair[1].full_sync_s);
    }
}

#[test]
fn growth_and_profile_ask_for_more() {
    let shards = |options: &Options| {
        let report = judge(&demand(100), options);
        let layout = report.layouts.iter().find(|l| l.size == "cache.r7g.large");
        layout.unwrap().shards
    };
    let now = shards(&aws());
    let growing = Options {
        growth: Some(Growth::parse("26%/month").unwrap()),
        ..aws()
    };
    // 1.26 to the power of three months, less a day, is twice.
    assert!((1.9..2.1).contains(&(shards(&growing) as f64 / now as f64)));
    let sessions = Options {
        profile: Profile::Session,
        ..aws()
    };
    assert!(shards(&sessions) > now);
    let replicated = judge(
        &demand(100),
        &Options {
            replicas: Some(2),
            ..aws()
        },
    );
    assert!(replicated.layouts.iter().all(|l| l.nodes == l.shards * 3));
}

#[test]
fn what_is_assumed_is_said() {
    let notes = |demand: &Demand| judge(demand, &aws()).notes.join("\n");
    let told = notes(&Demand {
        replicas: 0,
        ..demand(1)
    });
    for part in [
        "growth is not known",
        "25 % of the data",
        "no replica today",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let known = Demand {
        growth: Growth::parse("1%/month").unwrap(),
        is_copy_on_write_measured: true,
        ..demand(1)
    };
    let told = notes(&known);
    assert!(
        !told.contains("growth is not known") && !told.contains("25 %"),
        "{told}"
    );
}

#[test]
fn families_sizes_and_services_narrow_what_is_looked_at() {
    let looked_at = |name: &str| {
        let options = Options {
            families: vec![name.into()],
            ..Options::default()
        };
        let report = judge(&demand(1), &options);
        let sources = report.sources.len();
        (report.layouts.len() + report.unfit.len(), sources)
    };
    assert_eq!(looked_at("cache.R7g"), (3, 1));
    assert_eq!(looked_at("cache.r7g.large"), (1, 1));
    let (sizes, services) = looked_at("r7g");
    assert!(sizes > 3 && services == 2, "{sizes} of {services}");
}

#[test]
fn a_guessed_profile_is_told_with_its_reason() {
    let options = Options {
        guessed: Some("most keys expire".into()),
        ..aws()
    };
    let notes = judge(&demand(1), &options).notes.join("\n");
    assert!(notes.contains("cache (most keys expire)"), "{notes}");
}

#[test]
fn a_service_that_is_not_there_gives_no_layouts() {
    let options = Options {
        families: vec!["nimbus".into()],
        ..Options::default()
    };
    let report = judge(&demand(1), &options);
    assert!(report.layouts.is_empty() && report.neighbours.is_empty() && report.sources.is_empty());
}
