//! A machine whose clock jumps while it follows: nothing changes its order, and moments before and after
//! are as they were.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use goodcache::archive::Run;
use goodcache::archive::lease::Holder;
use goodcache::cluster::{Access as Way, Momentary};
use goodcache::model::Events;
use goodcache::ops::backup::follow::{Following, Told, follow};
use goodcache::ops::backup::{
    Cut, From, Gauges, Ground, Options, Place, UnderWay, Via, Wire as Packing,
};
use tokio::sync::{mpsc, watch};

use super::*;

/// By how much the clock is off, ms.
static OFF: AtomicI64 = AtomicI64::new(0);

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    u64::try_from(now + OFF.load(Ordering::SeqCst)).unwrap()
}

fn options(stage: &Stage) -> Options {
    Options {
        cluster: stage.cluster(),
        from: From::Best,
        via: Via::Replication,
        wire: Packing::Auto,
        cut: Cut::Clock,
        rate: None,
        parallel: None,
        is_partial: false,
        run: Run {
            started_at_ms: now_ms(),
            host: "here".to_owned(),
            pid: std::process::id(),
        },
        labels: Default::default(),
        now_ms,
    }
}

/// Follows by that clock until it is told to stop.
fn following(
    stage: &Stage,
    told: mpsc::UnboundedSender<Told>,
    stop: watch::Receiver<bool>,
) -> JoinHandle<bool> {
    let (options, url) = (options(stage), stage.folder().display().to_string());
    let seed = stage.cluster().parse().unwrap();
    thread::spawn(move || {
        run(async {
            let access = Access {
                url,
                ..Access::default()
            };
            let made = Repository::create_or_open(&access, &Default::default()).await;
            let place = Place {
                access: Way::to([seed]),
                ground: Ground::Cluster,
                repository: made.unwrap(),
                settings: Momentary::default(),
                under_way: UnderWay::default(),
                events: Events::ignored(),
                watch: Arc::new(|_: &Arc<Gauges>| {}),
                begun: None,
            };
            let following = Following {
                base: options,
                base_every: Duration::from_secs(3600),
                holder: Holder::default(),
                has_ended: |_| false,
            };
            follow(place, following, told, stop)
                .await
                .unwrap()
                .is_sealed
        })
    })
}

#[test]
fn a_clock_that_jumps_changes_no_order() {
    let stage = Stage::of(2, 0);
    stage.set(DELAY, "0");
    let (tell, mut told) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let follower = following(&stage, tell, stopped);
    while !matches!(told.blocking_recv().expect("it follows"), Told::Base(_)) {}
    let mut next = 1..;
    let mut push = |count: usize| {
        for n in next.by_ref().take(count) {
            for list in ["{a}list", "{b}list"] {
                let owner = stage.owner(&format!("{list}:owner"));
                owner.cli(&["RPUSH", list, &n.to_string()]);
            }
        }
        // All of it is received: what is stored was.
        stage.settle();
    };
    // A moment that is apart from the writes around it.
    let moment = || {
        thread::sleep(Duration::from_millis(150));
        let now = now_ms();
        thread::sleep(Duration::from_millis(150));
        now
    };
    push(5);
    let early = moment();
    push(5);
    OFF.fetch_sub(3_600_000, Ordering::SeqCst);
    push(10);
    OFF.fetch_add(7_200_000, Ordering::SeqCst);
    push(5);
    let late = moment();
    push(5);
    stop.send_replace(true);
    assert!(follower.join().unwrap());
    let lists = |moment: &Moment| {
        let played = stage.played(moment);
        let stamps: Vec<u64> = played
            .iter()
            .map(|logged| match logged {
                Logged::Owners(owners) => owners.at_ms,
                Logged::Write(write) => write.at_ms,
            })
            .collect();
        assert!(stamps.is_sorted(), "{stamps:?}");
        ["{a}list", "{b}list"].map(|list| {
            let pushed = writes(&played).filter(|words| words[0] == "RPUSH" && words[1] == list);
            pushed
                .map(|words| words[2].parse().unwrap())
                .collect::<Vec<usize>>()
        })
    };
    let upto = |last: usize| [(1..=last).collect::<Vec<_>>(), (1..=last).collect()];
    assert_eq!(stage.lines().len(), 1);
    assert_eq!(lists(&stage.last_moment()), upto(30));
    assert_eq!(lists(&stage.moment(early).unwrap()), upto(5));
    assert_eq!(lists(&stage.moment(late).unwrap()), upto(25));
}
