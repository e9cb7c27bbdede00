use super::super::crypto::tests::keys;
use super::super::id::SnapshotId;
use super::*;

fn piece(seq: u32) -> Identity {
    Identity {
        snapshot: SnapshotId::new(1_795_538_274_123, 0xabc),
        shard: Some(3),
        kind: Kind::base(),
        seq,
    }
}

fn raw() -> Vec<u8> {
    (0..50_000_u32)
        .flat_map(|n| (n / 7).to_le_bytes())
        .collect()
}

#[test]
fn there_and_back_whatever_the_size() {
    let keys = keys();
    for raw in [Vec::new(), vec![7], raw()] {
        for keys in [None, Some(&keys)] {
            let (stored, sizes) = pack(&piece(0), &raw, 1, keys).unwrap();
            assert_eq!(sizes.stored_bytes, stored.len() as u64);
            assert_eq!(unpack(&piece(0), &stored, &sizes, keys).unwrap(), raw);
        }
    }
}

#[test]
fn an_unsealed_object_is_an_ordinary_zstd_file() {
    let (stored, _) = pack(&piece(0), &raw(), 1, None).unwrap();
    assert_eq!(zstd::decode_all(stored.as_slice()).unwrap(), raw());
}

#[test]
fn a_sealed_object_gives_nothing_away() {
    let (stored, _) = pack(&piece(0), b"hunter2 hunter2", 1, Some(&keys())).unwrap();
    assert!(!stored.windows(7).any(|part| part == b"hunter2"));
}

#[test]
fn each_kind_of_harm_has_its_name() {
    let keys = keys();
    for keys in [None, Some(&keys)] {
        let (stored, sizes) = pack(&piece(5), &raw(), 1, keys).unwrap();
        let name = piece(5).name();
        let open = |stored: &[u8]| unpack(&piece(5), stored, &sizes, keys).unwrap_err();
        // One bit anywhere: in the frame, in the label, in the body, at the end.
        for at in [0, 5, 20, 60, 100, stored.len() / 2, stored.len() - 1] {
            let mut flipped = stored.clone();
            flipped[at] ^= 0x10;
            assert_eq!(
                open(&flipped),
                ChunkError::Damaged { name: name.clone() },
                "byte {at}"
            );
        }
        for found in [0, 1, 50, stored.len() - 1] {
            let expected = stored.len() as u64;
            let cut = ChunkError::Truncated {
                name: name.clone(),
                expected,
                found: found as u64,
            };
            assert_eq!(open(&stored[..found]), cut);
        }
        let long = [stored.as_slice(), b"x"].concat();
        assert!(matches!(open(&long), ChunkError::TooLong { .. }));
        let (other, _) = pack(&piece(6), &raw(), 1, keys).unwrap();
        let found = piece(6).name();
        assert_eq!(
            open(&other),
            ChunkError::Swapped {
                name: name.clone(),
                found
            }
        );
    }
}

/// The manifest was made to fit: hashes do not help, only the key does.
#[test]
fn a_forged_object_with_fitting_hashes_does_not_open_a_sealed_repository() {
    let (ours, theirs) = (keys(), keys());
    let (stored, sizes) = pack(&piece(0), &raw(), 1, Some(&theirs)).unwrap();
    let error = unpack(&piece(0), &stored, &sizes, Some(&ours)).unwrap_err();
    assert!(matches!(error, ChunkError::NotOurs { .. }), "{error}");

    // Sealed by us, as another piece, with the label written over.
    let (other, _) = pack(&piece(1), &raw(), 1, Some(&ours)).unwrap();
    let label = label(&piece(0).name(), true);
    let moved = [label.as_slice(), &other[label.len()..]].concat();
    let sizes = Sizes {
        stored_bytes: moved.len() as u64,
        stored_sha256: sha256(&moved),
        ..sizes
    };
    let error = unpack(&piece(0), &moved, &sizes, Some(&ours)).unwrap_err();
    assert!(matches!(error, ChunkError::NotOurs { .. }), "{error}");

    // Not sealed at all.
    let (stored, sizes) = pack(&piece(0), &raw(), 1, None).unwrap();
    let error = unpack(&piece(0), &stored, &sizes, Some(&ours)).unwrap_err();
    assert!(
        matches!(
            error,
            ChunkError::Unlike {
                is_sealed: false,
                ..
            }
        ),
        "{error}"
    );
}

/// Older programs said what comes out as well.
#[test]
fn an_object_of_format_1_is_proven_by_both_of_its_hashes() {
    let (stored, sizes) = pack(&piece(0), &raw(), 1, None).unwrap();
    assert_eq!(sizes.raw_sha256, None);
    let sizes = Sizes {
        raw_sha256: Some(sha256(&raw())),
        ..sizes
    };
    assert_eq!(unpack(&piece(0), &stored, &sizes, None).unwrap(), raw());
}

#[test]
fn a_manifest_that_lies_about_raw_bytes_is_found_out() {
    let (stored, sizes) = pack(&piece(0), &raw(), 1, None).unwrap();
    for lie in [
        Sizes {
            raw_bytes: 10,
            ..sizes.clone()
        },
        Sizes {
            raw_bytes: u64::MAX,
            ..sizes.clone()
        },
        Sizes {
            raw_sha256: Some(sha256(b"other")),
            ..sizes.clone()
        },
    ] {
        let error = unpack(&piece(0), &stored, &lie, None).unwrap_err();
        assert!(matches!(error, ChunkError::Unpacked { .. }), "{error}");
    }
}

/// 256 MiB of zeros pack into a few KiB: the frame's word is not taken for it.
#[test]
fn a_bomb_does_not_unpack() {
    let zeros = vec![0; 40 << 20];
    let (stored, sizes) = pack(&piece(0), &zeros, 1, None).unwrap();
    assert!(stored.len() < 100_000);
    let lie = Sizes {
        raw_bytes: 1000,
        ..sizes
    };
    let error = unpack(&piece(0), &stored, &lie, None).unwrap_err();
    assert!(matches!(error, ChunkError::Unpacked { .. }), "{error}");
}
