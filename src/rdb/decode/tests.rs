use proptest::prelude::*;

use super::*;
use crate::rdb::Fault;

const REDIS: Dialect = Dialect::redis(16);
const VALKEY: Dialect = Dialect::valkey(80);

/// The elements as text, one after the other.
fn shown(dialect: Dialect, kind: u8, value: &[u8]) -> Result<Vec<String>, RdbError> {
    let mut found = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Decoder::new().decode(dialect, kind, value, &mut |element| {
        found.push(match element {
            Element::Text(bytes) | Element::Item(bytes) | Element::Member(bytes) => text(bytes),
            Element::Scored { member, score } => format!("{} {score}", text(member)),
            Element::Field {
                field,
                value,
                expires_ms: None,
            } => format!("{}={}", text(field), text(value)),
            Element::Field {
                field,
                value,
                expires_ms: Some(ms),
            } => format!("{}={}@{ms}", text(field), text(value)),
            other => format!("{other:?}"),
        });
    })?;
    Ok(found)
}

/// A blob as the file has it.
fn string(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    crate::rdb::payload::append_string(blob, &mut out);
    out
}

fn listpack(elements: &[u8], count: u8) -> Vec<u8> {
    let length = (elements.len() + 7) as u32;
    [&length.to_le_bytes()[..], &[count, 0], elements, &[255]].concat()
}

fn ziplist(elements: &[u8]) -> Vec<u8> {
    let length = (elements.len() + 11) as u32;
    [&length.to_le_bytes()[..], &[0; 6], elements, &[255]].concat()
}

#[test]
fn every_number_and_string_of_a_listpack_is_read() {
    let long = vec![b'x'; 70];
    let elements = [
        &[5, 1][..],
        &[0x82, b'h', b'i', 3],
        &[0xdf, 0xff, 2],
        &[0xc0, 0x80, 2],
        &[0xf1, 0, 0x80, 3],
        &[0xf2, 0xff, 0xff, 0x7f, 4],
        &[0xf3, 0, 0, 0, 0x80, 5],
        &[0xf4, 255, 255, 255, 255, 255, 255, 255, 127, 9],
        &[0xe0, 70],
        &long,
        &[72],
        &[0xf0, 1, 0, 0, 0, b'y', 6],
    ];
    let value = string(&listpack(&elements.concat(), 10));
    let long = String::from_utf8(long).unwrap();
    let expected = [
        "5",
        "hi",
        "-1",
        "128",
        "-32768",
        "8388607",
        "-2147483648",
        "9223372036854775807",
        &long,
        "y",
    ];
    assert_eq!(shown(REDIS, 20, &value).unwrap(), expected);
}

#[test]
fn every_number_and_string_of_a_ziplist_is_read() {
    let elements = [
        &[0, 2, b'h', b'i'][..],
        &[4, 0x40, 1, b'z'],
        &[4, 0x80, 0, 0, 0, 1, b'y'],
        &[7, 0xc0, 0xff, 0xff],
        &[4, 0xd0, 0, 0, 0, 0x80],
        &[6, 0xe0, 1, 0, 0, 0, 0, 0, 0, 0x80],
        &[10, 0xf0, 0, 0, 0x80],
        &[5, 0xfe, 0x80],
        &[254, 3, 0, 0, 0, 0xf1],
        &[6, 0xfd],
    ];
    let value = string(&ziplist(&elements.concat()));
    let expected = [
        "hi",
        "z",
        "y",
        "-1",
        "-2147483648",
        "-9223372036854775807",
        "-8388608",
        "-128",
        "0",
        "12",
    ];
    assert_eq!(shown(REDIS, 10, &value).unwrap(), expected);
}

#[test]
fn the_same_data_in_other_encodings_shows_the_same() {
    let pack = string(&listpack(&[0x81, b'f', 2, 1, 1], 2));
    let list = string(&ziplist(&[0, 1, b'f', 3, 0xf2]));
    let map = string(&[1, 1, b'f', 1, 2, b'1', b'_', b'_', 255]);
    for (kind, value) in [
        (4, &b"\x01\x01f\xc0\x01"[..]),
        (9, &map),
        (13, &list),
        (16, &pack),
    ] {
        assert_eq!(shown(REDIS, kind, value).unwrap(), ["f=1"], "type {kind}");
    }
    let plain = b"\x01\x01f\x011";
    let binary = [&b"\x01\x01f"[..], &1_f64.to_le_bytes()].concat();
    for (kind, value) in [
        (3, &[&plain[..3], &[1, b'1']].concat()),
        (5, &binary),
        (12, &list),
        (17, &pack),
    ] {
        assert_eq!(shown(REDIS, kind, value).unwrap(), ["f 1"], "type {kind}");
    }
    let ints = string(&[2, 0, 0, 0, 2, 0, 0, 0, 255, 255, 7, 0]);
    let wide = string(&[8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128]);
    assert_eq!(shown(REDIS, 11, &ints).unwrap(), ["-1", "7"]);
    assert_eq!(shown(REDIS, 11, &wide).unwrap(), ["-9223372036854775808"]);
    let nodes = [
        &[2, 1][..],
        &string(b"big"),
        &[2],
        &string(&listpack(&[1, 1], 1)),
    ]
    .concat();
    assert_eq!(shown(REDIS, 18, &nodes).unwrap(), ["big", "1"]);
}

#[test]
fn the_expiry_of_a_field_is_read_in_every_form() {
    let least = 1000_u64.to_le_bytes();
    let triple = string(&listpack(
        &[
            0x81, b'f', 2, 1, 1, 0xc3, 0xe8, 2, 0x81, b'g', 2, 2, 1, 0, 1,
        ],
        6,
    ));
    let redis = [&least[..], b"\x02\x01\x01f\xc0\x01\x00\x01g\xc0\x02"].concat();
    let packed = [&least[..], &triple].concat();
    let valkey = [
        &b"\x02\x01f\xc0\x01"[..],
        &least,
        b"\x01g\xc0\x02",
        &[255; 8],
    ]
    .concat();
    let candidate = b"\x02\x43\xe8\x01f\xc0\x01\x00\x01g\xc0\x02".to_vec();
    for (dialect, kind, value) in [
        (REDIS, 24, redis),
        (REDIS, 25, packed),
        (VALKEY, 22, valkey),
        (REDIS, 22, candidate),
        (REDIS, 23, triple),
    ] {
        let found = shown(dialect, kind, &value).unwrap();
        assert_eq!(found, ["f=1@1000", "g=2"], "{dialect} {kind}");
    }
}

#[test]
fn damage_is_seen() {
    let pack = listpack(&[0x81, b'f', 2, 1, 1], 2);
    let mut longer = pack.clone();
    longer[0] += 1;
    for (kind, value) in [
        (16, string(&longer)),
        (16, string(&pack[..6])),
        (16, string(&listpack(&[0x81, b'f', 2], 1))),
        (20, string(&listpack(&[0x85, b'f', 2], 1))),
        (20, string(&listpack(&[0xf5, 2], 1))),
        (17, string(&listpack(&[1, 1, 0x81, b'x', 2], 2))),
        (17, string(&listpack(&[1, 1, 0x83, b'n', b'a', b'n', 4], 2))),
        (11, string(&[2, 0, 0, 0, 9, 0, 0, 0, 1, 0])),
        (11, string(&[3, 0, 0, 0, 0, 0, 0, 0])),
        (9, string(&[1, 1, b'f'])),
        (10, string(&ziplist(&[0, 0xff]))),
        (0, b"\x01ab".to_vec()),
        (18, vec![1, 3, 0]),
        (3, vec![1, 1, b'a', 253]),
    ] {
        assert!(
            shown(REDIS, kind, &value).is_err(),
            "type {kind}: {value:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(kind in 0..34_u8, bytes: Vec<u8>) {
        let blobs = [bytes.clone(), string(&listpack(&bytes, 1)), string(&ziplist(&bytes))];
        for value in &blobs {
            let _ = shown(REDIS, kind, value);
            let _ = shown(VALKEY, kind, value);
        }
        // A stream of one node.
        let id = [1, 16].into_iter().chain([7; 16]);
        let node: Vec<u8> = id.chain(string(&listpack(&bytes, 1))).chain([0; 12]).collect();
        let _ = shown(REDIS, 15, &node);
    }

    #[test]
    fn what_is_decoded_ends_where_the_walk_ends(kind in 0..28_u8, bytes: Vec<u8>) {
        for dialect in [REDIS, VALKEY] {
            if let Ok(Some(length)) = crate::rdb::value_length(dialect, kind, &bytes) {
                let found = shown(dialect, kind, &bytes[..length]);
                let is_walked_through = !matches!(found.map_err(|e| e.fault), Err(Fault::Trailing));
                prop_assert!(is_walked_through);
            }
        }
    }
}
