use std::{collections::BTreeMap, path::PathBuf};

use proptest::prelude::*;

use super::*;

fn fixture(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/loki").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn key_of(file: &str) -> String {
    let mut keys: BTreeMap<String, String> = serde_json::from_slice(&fixture("keys.json")).unwrap();
    keys.remove(file).unwrap()
}

/// The keys of the chunks that stood in the bucket when the index was taken.
fn stored(name: &str) -> Vec<ChunkKey> {
    let text = String::from_utf8(fixture(&format!("{name}.keys"))).unwrap();
    text.lines().map(|key| ChunkKey::parse(key).unwrap()).collect()
}

/// Every key that an index lists.
fn listed(index: &Index) -> Vec<ChunkKey> {
    let keys = index.series.iter().flat_map(|series| {
        series.chunks.iter().map(|chunk| ChunkKey {
            tenant: series.tenant.clone().unwrap_or_default(),
            fingerprint: series.fingerprint,
            from_ms: chunk.from_ms,
            through_ms: chunk.through_ms,
            checksum: chunk.checksum,
        })
    });
    keys.collect()
}

const INDEXES: [(&str, u8); 5] =
    [("uploaded", 3), ("uploaded-many", 3), ("compacted", 3), ("compacted-many", 3), ("format-2-uploaded", 2)];

#[test]
fn indexes_list_exactly_the_stored_chunks() {
    for (name, format) in INDEXES {
        let file = format!("{name}.tsdb.gz");
        let index = read(&format!("bucket/{}", key_of(&file)), &fixture(&file)).unwrap();
        assert_eq!(index.format, format, "{name}");
        let mut found = listed(&index);
        let mut expected = stored(name);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{name}");
        assert_eq!(found.iter().map(|key| key.from_ms).min(), Some(index.from_ms), "{name}");
        assert_eq!(found.iter().map(|key| key.through_ms).max(), Some(index.through_ms), "{name}");
        for key in expected {
            let (series, chunk) = index.find(&key).unwrap();
            assert_eq!(series.find(&key), Some(chunk));
            assert!(chunk.entries > 0);
            for other in [
                ChunkKey { tenant: "other".to_owned(), ..key.clone() },
                ChunkKey { fingerprint: key.fingerprint ^ 1, ..key.clone() },
                ChunkKey { from_ms: key.from_ms - 1, ..key.clone() },
                ChunkKey { through_ms: key.through_ms + 1, ..key.clone() },
                ChunkKey { checksum: key.checksum ^ 1, ..key.clone() },
            ] {
                assert_eq!(index.find(&other), None, "{other}");
            }
        }
    }
}

#[test]
fn an_index_counts_the_entries_of_the_chunks() {
    for (index_name, chunk_name) in
        [("uploaded", "snappy"), ("compacted", "snappy"), ("format-2-uploaded", "format-3-snappy")]
    {
        let index = read("object", &fixture(&format!("{index_name}.tsdb.gz"))).unwrap();
        let chunk = format!("{chunk_name}.chunk");
        let chunk = crate::formats::loki_chunk::read(&key_of(&chunk), &fixture(&chunk)).unwrap();
        let (series, listed) = index.find(&chunk.metadata.key()).unwrap();
        assert_eq!(series.labels, chunk.metadata.labels);
        assert_eq!(listed.entries as usize, chunk.entries.len());
    }
    let index = read("object", &fixture("compacted-many.tsdb.gz")).unwrap();
    let entries: Vec<_> =
        index.series.iter().map(|series| series.chunks.iter().map(|chunk| chunk.entries).sum::<u32>()).collect();
    assert!(entries.contains(&600), "{entries:?}");
}

#[test]
fn the_tenant_comes_from_the_label_or_the_key() {
    let tenants = |object: &str, file: &str| -> Vec<_> {
        read(object, &fixture(file)).unwrap().series.into_iter().map(|series| series.tenant).collect()
    };
    assert_eq!(tenants("object", "uploaded.tsdb.gz"), [Some("snappy".to_owned())]);
    assert_eq!(tenants("object", "compacted.tsdb.gz"), [None]);
    assert_eq!(tenants(&key_of("compacted.tsdb.gz"), "compacted.tsdb.gz"), [Some("snappy".to_owned())]);
}

#[test]
fn a_compacted_index_under_another_key_is_refused() {
    let key = key_of("compacted.tsdb.gz");
    for (part, other) in
        [("592795fb", "592795fa"), ("1795458623123", "1795458623122"), ("1795458626724", "1795458626725")]
    {
        let error = read(&key.replace(part, other), &fixture("compacted.tsdb.gz")).unwrap_err();
        assert!(error.expected.ends_with("as its key says"), "{error}");
    }
}

fn decompressed(name: &str) -> Vec<u8> {
    gunzip(name, &fixture(&format!("{name}.tsdb.gz"))).unwrap()
}

/// The list may come out the same where a flip hits padding or a table that only queries use, but it never comes out different.
#[test]
fn no_flipped_bit_changes_what_an_index_lists() {
    for (name, _) in INDEXES {
        let intact = decompressed(name);
        let expected = read(name, &intact).unwrap();
        let mut bytes = intact.clone();
        let mut unnoticed = 0;
        for index in 0..bytes.len() {
            bytes[index] = intact[index] ^ (1 << (index % 8));
            match read(name, &bytes) {
                Ok(found) => {
                    unnoticed += 1;
                    assert_eq!(found, expected, "{name}: byte {index}");
                }
                Err(error) => assert!(error.offset <= bytes.len() as u64),
            }
            bytes[index] = intact[index];
        }
        assert!(unnoticed * 5 < intact.len(), "{name}: {unnoticed} of {}", intact.len());
    }
}

#[test]
fn no_truncated_or_extended_index_is_read() {
    for name in ["uploaded", "compacted", "format-2-uploaded"] {
        for whole in [fixture(&format!("{name}.tsdb.gz")), decompressed(name)] {
            for length in 0..whole.len() {
                assert!(read(name, &whole[..length]).is_err(), "{name} cut to {length}");
            }
            let extended = [&whole[..], &[0]].concat();
            assert!(read(name, &extended).is_err(), "{name}");
        }
    }
}

#[test]
fn errors_name_object_offset_and_expectation() {
    let mut bytes = decompressed("uploaded");
    bytes[0] = 0;
    assert_eq!(
        read("bucket/key", &bytes).unwrap_err().to_string(),
        "bucket/key: at byte 0: expected the magic number baaad700, found 00aad700"
    );
    bytes[0] = 0xba;
    bytes[4] = 1;
    assert_eq!(
        read("bucket/key", &bytes).unwrap_err().to_string(),
        "bucket/key: at byte 4: expected an index of format 2 or 3, found 1"
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), gzip in any::<bool>()) {
        let start: &[u8] = if gzip { &[0x1f, 0x8b] } else { &[0xba, 0xaa, 0xd7, 0x00, 3] };
        prop_assert!(read("object", &[start, &bytes].concat()).is_err());
    }

    /// Offsets of its own with a valid checksum lead the reader astray, but not into a panic.
    #[test]
    fn random_offsets_never_panic(offsets in prop::collection::vec(prop_oneof![0_u64..700, any::<u64>()], 7)) {
        let mut bytes = decompressed("uploaded");
        let start = bytes.len() - 9 * 8 - 4;
        for (index, offset) in offsets.iter().enumerate() {
            bytes[start + index * 8..start + index * 8 + 8].copy_from_slice(&offset.to_be_bytes());
        }
        let end = bytes.len() - 4;
        let checksum = crc32c::crc32c(&bytes[start..end]).to_be_bytes();
        bytes[end..].copy_from_slice(&checksum);
        let _ = read("object", &bytes);
    }

    /// Content of its own with a valid checksum reaches the reader of chunks.
    #[test]
    fn random_series_never_panic(content in prop::collection::vec(any::<u8>(), 0..120), format in 2_u8..=3) {
        let content = [&[0; 8][..], &[0], &content].concat();
        let _ = file::read_series(format, &mut crate::formats::bytes::Cursor::new("object", &content, 0), &[]);
    }
}
