use proptest::prelude::*;

use super::*;

const REDIS: Dialect = Dialect::redis(16);
const VALKEY: Dialect = Dialect::valkey(80);

/// One value of every layout.
fn values() -> Vec<(Dialect, u8, Vec<u8>)> {
    let group = [1, b'g', 5, 0, 0x40, 100];
    let owned = [2, 0].iter().chain(&[7; 31]).copied();
    let pending = [1].iter().chain(&[7; 24]).chain(&[3]).copied();
    let consumer = |times: usize| {
        let head = [1, 1, b'c'].into_iter().chain(vec![9; 8 * times]);
        head.chain(owned.clone()).collect::<Vec<u8>>()
    };
    let nodes = [1, 2, b'i', b'd', 2, b'l', b'p'];
    let stream = |numbers: usize, group: &[u8], consumer: Vec<u8>, rest: &[u8]| {
        let mut bytes = nodes.to_vec();
        bytes.extend(vec![1; numbers]);
        bytes.push(1);
        bytes.extend(group.iter().copied().chain(pending.clone()));
        bytes.extend(consumer);
        bytes.extend(rest);
        bytes
    };
    let nacked: Vec<u8> = [1].iter().chain(&[7; 16]).copied().collect();
    let producers = [1, 2, 1, 1, b'p', 1, 2, b'i', b'i', 1, 2, 1, 2];
    let v2 = [&group[..4], &[1, 1]].concat();
    let v5_rest = [&nacked[..], &producers].concat();
    vec![
        (REDIS, 0, vec![2, b'h', b'i']),
        (REDIS, 1, vec![3, 1, b'a', 0xc0, 1, 1, b'c']),
        (
            REDIS,
            3,
            vec![
                4, 1, b'a', 1, b'1', 1, b'b', 253, 1, b'c', 254, 1, b'd', 255,
            ],
        ),
        (REDIS, 4, vec![1, 1, b'f', 1, b'v']),
        (REDIS, 5, vec![1, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 0]),
        (
            REDIS,
            7,
            [
                &[0x81][..],
                &[1; 8],
                &[1, 5, 2, 5, 3, 0, 0, 0, 0, 4],
                &[0; 8],
                &[5, 1, b's', 0],
            ]
            .concat(),
        ),
        (REDIS, 15, stream(3, &group[..4], consumer(1), &[])),
        (REDIS, 18, vec![2, 1, 1, b'a', 2, 1, b'b']),
        (REDIS, 19, stream(8, &v2[..5], consumer(1), &[])),
        (REDIS, 21, stream(8, &v2[..5], consumer(2), &[])),
        (REDIS, 22, vec![1, 0x40, 200, 1, b'f', 1, b'v']),
        (VALKEY, 22, [&[1, 1, b'f', 1, b'v'][..], &[255; 8]].concat()),
        (REDIS, 24, [&[0; 8][..], &[1, 0, 1, b'f', 1, b'v']].concat()),
        (REDIS, 25, [&[0; 8][..], &[2, b'l', b'p']].concat()),
        (REDIS, 26, stream(8, &v2[..5], consumer(2), &producers)),
        (REDIS, 27, stream(8, &v2[..5], consumer(2), &v5_rest)),
        (
            REDIS,
            28,
            [
                &[3, 1, 9, 0, 1][..],
                &[0; 8],
                &[1, 0, 1, b'a', 2, 3, 1, b'b'],
            ]
            .concat(),
        ),
    ]
}

#[test]
fn every_type_ends_where_it_ends() {
    for (dialect, number, mut bytes) in values() {
        let length = bytes.len();
        bytes.extend([0xff; 20]);
        let found = value_length(dialect, number, &bytes);
        assert_eq!(found, Ok(Some(length)), "type {number}");
        for end in 0..length {
            let found = value_length(dialect, number, &bytes[..end]);
            assert_eq!(found, Ok(None), "type {number} cut at {end}");
        }
    }
}

#[test]
fn a_walk_goes_on_where_it_stopped() {
    for (dialect, number, bytes) in values() {
        let mut walk = Walk::new(kind(dialect, number).unwrap().layout);
        let mut at = 0;
        for end in 0..=bytes.len() {
            let mut cut = Cut::new(&bytes[..end], at);
            let done = walk.go(&mut cut);
            assert!(cut.at >= at);
            at = cut.at;
            assert_eq!(done.is_ok(), end == bytes.len(), "type {number} at {end}");
        }
    }
}

#[test]
fn counts_that_no_memory_could_hold_are_not_believed() {
    let huge = [0x81, 0x40, 0, 0, 0, 0, 0, 0, 0];
    for number in [1, 2, 3, 5, 14, 18] {
        assert_eq!(value_length(REDIS, number, &huge), Ok(None));
    }
    let most = [0x81, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(
        value_length(REDIS, 4, &most).unwrap_err().fault,
        Fault::Length
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(number in 0..40_u8, bytes: Vec<u8>) {
        for dialect in [REDIS, VALKEY] {
            if let Ok(Some(length)) = value_length(dialect, number, &bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
