//! What the names of a line tell.

use super::super::super::manifest::Span;
use super::*;

const OLD: &str = "aaaaaaaa00000000000000000000000000000000";
const NEW: &str = "bbbbbbbb00000000000000000000000000000000";

fn id() -> LineId {
    LineId {
        folder: "shop".into(),
        run: SnapshotId::new(1000, 1),
    }
}

fn segment(shard: u32, seq: u32, replid: &str, offsets: (u64, u64), ms: (u64, u64)) -> LogName {
    LogName::Segment(SegmentName {
        line: id(),
        shard,
        seq,
        replid: short(replid),
        span: Span {
            first_offset: offsets.0,
            last_offset: offsets.1,
            first_ms: ms.0,
            last_ms: ms.1,
        },
    })
}

fn line(names: Vec<LogName>) -> TimeLine {
    TimeLine::of(id(), names.into_iter().map(|name| (name, 10)).collect())
}

fn anchor(at_ms: u64, cuts: &[(&str, u64)]) -> Anchor {
    let cuts = cuts
        .iter()
        .map(|(replid, offset)| ((*replid).to_owned(), *offset));
    Anchor {
        id: SnapshotId::new(at_ms, 2),
        at_ms,
        cuts: cuts.collect(),
    }
}

/// Two shards; the first was promoted in between, the second is sealed a little less far.
fn two() -> TimeLine {
    line(vec![
        segment(0, 0, OLD, (100, 200), (1000, 1999)),
        segment(0, 1, NEW, (200, 300), (2000, 2999)),
        segment(1, 0, OLD, (50, 60), (1000, 1999)),
        segment(1, 1, OLD, (60, 70), (2000, 2500)),
    ])
}

#[test]
fn a_base_lies_where_each_of_its_shards_was_cut() {
    for (at_ms, cuts, until) in [
        (1000, [(OLD, 100), (OLD, 50)], Some(2500)),
        (2100, [(NEW, 250), (OLD, 65)], Some(2500)),
        // Of a history that was over by then, before the line, and after it.
        (2100, [(OLD, 250), (OLD, 65)], None),
        (900, [(OLD, 99), (OLD, 50)], None),
        (3000, [(NEW, 301), (OLD, 70)], None),
        // The shards of the base in another order, and twice the same.
        (1000, [(OLD, 50), (OLD, 100)], Some(2500)),
        (1000, [(OLD, 100), (OLD, 150)], None),
    ] {
        let anchored = two().anchored(&anchor(at_ms, &cuts));
        assert_eq!(
            anchored.map(|anchored| anchored.until_ms),
            until,
            "{cuts:?}"
        );
    }
}

#[test]
fn a_shard_without_slots_at_the_base_is_taken_up_by_time() {
    let anchored = two().anchored(&anchor(1500, &[(OLD, 55)])).unwrap();
    assert_eq!(anchored.starts[0].base, None);
    assert_eq!(anchored.starts[1].offset, Some(55));
    assert_eq!(two().anchored(&anchor(500, &[(OLD, 55)])), None);
}

#[test]
fn a_base_whose_clock_was_set_back_serves_from_its_segment_on() {
    let stamped = line(vec![
        segment(0, 0, OLD, (100, 200), (1_000_000, 1_009_999)),
        segment(0, 1, OLD, (200, 300), (1_010_000, 1_019_999)),
    ]);
    for (at_ms, cut, from_ms) in [
        (1_005_000, 150, 1_005_000),
        (999_000, 150, 999_000),
        // What lies before the cut came in a segment that begins long after the base's own time.
        (500_000, 250, 1_019_999),
        // Nothing of the line lies before the cut.
        (500_000, 100, 500_000),
    ] {
        let anchored = stamped.anchored(&anchor(at_ms, &[(OLD, cut)])).unwrap();
        assert_eq!(anchored.from_ms, from_ms, "{at_ms} {cut}");
    }
}

#[test]
fn what_was_taken_away_leaves_a_gap() {
    let broken = line(vec![
        segment(0, 0, OLD, (100, 200), (1000, 1999)),
        segment(0, 2, OLD, (300, 400), (3000, 3999)),
        segment(0, 3, OLD, (350, 500), (4000, 4999)),
    ]);
    assert_eq!(broken.strands[0].joined.len(), 2);
    let anchors = [anchor(1000, &[(OLD, 100)]), anchor(3500, &[(OLD, 320)])];
    assert_eq!(broken.ranges(&anchors), [(1000, 1999), (3500, 4999)]);
}

#[test]
fn ranges_that_touch_are_one() {
    let anchors = [
        anchor(1000, &[(OLD, 100), (OLD, 50)]),
        anchor(2100, &[(NEW, 250), (OLD, 65)]),
        anchor(2200, &[(OLD, 1), (OLD, 1)]),
    ];
    assert_eq!(two().ranges(&anchors), [(1000, 2500)]);
    assert_eq!(two().ranges(&anchors[2..]), []);
}

#[test]
fn what_lies_before_the_oldest_kept_base_is_of_no_use() {
    let owners = |seq, at_ms| {
        LogName::Event(EventName {
            line: id(),
            seq,
            kind: EventKind::Owners,
            at_ms,
        })
    };
    let mut names: Vec<LogName> = two().objects.into_iter().map(|(name, _)| name).collect();
    names.extend([owners(0, 1000), owners(1, 1500), owners(2, 2300)]);
    let whole = line(names);
    let kept = [anchor(2100, &[(NEW, 250), (OLD, 65)])];
    let unused: Vec<LogName> = whole
        .unused(&kept)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        unused,
        [
            segment(0, 0, OLD, (100, 200), (1000, 1999)),
            segment(1, 0, OLD, (50, 60), (1000, 1999)),
            owners(0, 1000),
        ]
    );
    assert_eq!(whole.unused(&[]), whole.objects);
    let first = [anchor(1000, &[(OLD, 100), (OLD, 50)])];
    assert_eq!(whole.unused(&first), []);
}
