use std::{collections::BTreeMap, path::PathBuf};

use proptest::prelude::*;

use super::*;

const ENCODINGS: [(&str, Encoding); 9] = [
    ("none", Encoding::None),
    ("gzip", Encoding::Gzip),
    ("lz4-64k", Encoding::Lz4Of64Kib),
    ("lz4-256k", Encoding::Lz4Of256Kib),
    ("lz4-1M", Encoding::Lz4Of1Mib),
    ("lz4", Encoding::Lz4Of4Mib),
    ("snappy", Encoding::Snappy),
    ("flate", Encoding::Flate),
    ("zstd", Encoding::Zstd),
];

const OLDER: [(&str, u8, Encoding); 4] = [
    ("format-1-gzip", 1, Encoding::Gzip),
    ("format-2-snappy", 2, Encoding::Snappy),
    ("format-3-gzip", 3, Encoding::Gzip),
    ("format-3-snappy", 3, Encoding::Snappy),
];

fn fixture(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/loki").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn key_of(file: &str) -> String {
    let mut keys: BTreeMap<String, String> = serde_json::from_slice(&fixture("keys.json")).unwrap();
    keys.remove(file).unwrap()
}

fn pushed(name: &str) -> Vec<LogEntry> {
    let text = String::from_utf8(fixture(&format!("{name}.ndjson"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cases() -> impl Iterator<Item = (&'static str, u8, Encoding)> {
    ENCODINGS.into_iter().map(|(name, encoding)| (name, 4, encoding)).chain(OLDER)
}

#[test]
fn stored_chunks_hold_exactly_what_was_pushed() {
    for (name, format, encoding) in cases() {
        let file = format!("{name}.chunk");
        let bytes = fixture(&file);
        let key = key_of(&file);
        let chunk = read(&format!("bucket/{key}"), &bytes).unwrap();
        assert_eq!(chunk.entries, pushed(name), "{name}");

        let metadata = chunk.metadata;
        assert_eq!((metadata.format, metadata.encoding), (format, encoding), "{name}");
        assert_eq!(encoding.name(), name.rsplit_once("format-").map_or(name, |(_, rest)| &rest[2..]));
        assert_eq!(Some(metadata.key()), ChunkKey::parse(&key), "{name}");
        assert_eq!(metadata.labels, chunk.entries[0].stream, "{name}");
        assert!(metadata.blocks.len() > 1, "{name}");
        assert_eq!(metadata.blocks.iter().map(|block| block.entries).sum::<u64>(), chunk.entries.len() as u64);

        let mut seen = Vec::new();
        let same = for_each_entry(&file, &bytes, |entry| {
            seen.push((entry.timestamp_ns, entry.line.to_vec(), entry.structured_metadata.len()));
        });
        assert_eq!(same, Ok(metadata), "{name}");
        let expected = pushed(name);
        let expected = expected
            .iter()
            .map(|entry| (entry.timestamp_ns, entry.line.clone().into_bytes(), entry.structured_metadata.len()));
        assert_eq!(seen, expected.collect::<Vec<_>>(), "{name}");
    }
}

/// Loki takes a head block without bytes for one without entries: it stores no block for a lone empty line, and it forgets the
/// time of one that others follow.
#[test]
fn empty_lines_leave_the_traces_that_loki_leaves() {
    let lost = read(&key_of("only-line-empty.chunk"), &fixture("only-line-empty.chunk")).unwrap();
    assert_eq!(pushed("only-line-empty").len(), 1);
    assert_eq!((lost.entries, lost.metadata.blocks), (vec![], vec![]));

    let late = read(&key_of("first-line-empty.chunk"), &fixture("first-line-empty.chunk")).unwrap();
    assert_eq!(late.entries, pushed("first-line-empty"));
    assert_eq!(late.metadata.blocks[0].min_ns, late.entries[1].timestamp_ns);
    assert_eq!(late.metadata.from_ms, late.entries[1].timestamp_ns / 1_000_000);
}

#[test]
fn a_chunk_under_another_chunks_key_is_refused() {
    let bytes = fixture("snappy.chunk");
    let key = ChunkKey::parse(&key_of("snappy.chunk")).unwrap();
    assert!(key.matches(&bytes));
    let error = |key: ChunkKey| read(&format!("bucket/{key}"), &bytes).unwrap_err();
    let found = error(ChunkKey { checksum: key.checksum ^ 1, ..key.clone() });
    assert_eq!((found.offset, found.expected.as_str()), (0, "an object with CRC-32C 6991f34d, as its key says"));
    for other in [
        ChunkKey { tenant: "other".to_owned(), ..key.clone() },
        ChunkKey { fingerprint: key.fingerprint + 1, ..key.clone() },
        ChunkKey { from_ms: key.from_ms - 1, ..key.clone() },
        ChunkKey { through_ms: key.through_ms + 1, ..key.clone() },
    ] {
        assert_eq!(error(other.clone()).expected, format!("the header of {other}"));
    }
}

/// Without the key, whose checksum covers every byte, each part must notice by itself.
#[test]
fn no_flipped_bit_goes_unnoticed() {
    for (name, ..) in cases() {
        let intact = fixture(&format!("{name}.chunk"));
        let mut bytes = intact.clone();
        for index in 0..bytes.len() {
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                bytes[index] = intact[index] ^ flip;
                assert!(for_each_entry("object", &bytes, |_| ()).is_err(), "{name}: byte {index} with {flip:#x}");
            }
            bytes[index] = intact[index];
        }
    }
}

#[test]
fn no_truncated_or_extended_chunk_is_read() {
    for (name, ..) in cases() {
        let mut bytes = fixture(&format!("{name}.chunk"));
        for length in 0..bytes.len() {
            assert!(for_each_entry("object", &bytes[..length], |_| ()).is_err(), "{name} cut to {length}");
        }
        bytes.push(0);
        assert!(for_each_entry("object", &bytes, |_| ()).is_err(), "{name}");
    }
}

/// A chunk as the format has it, written the long way round; each part can be spoilt.
struct Draft {
    format: u8,
    encoding: u8,
    magic: u32,
    header_encoding: u8,
    symbols: Vec<Vec<u8>>,
    blocks: Vec<Vec<DraftEntry>>,
    offset_shift: usize,
    count_shift: u64,
    raw_shift: u64,
}

type DraftEntry = (i64, Vec<u8>, Vec<(u64, u64)>);

impl Draft {
    fn of(blocks: Vec<Vec<DraftEntry>>) -> Self {
        let symbols = vec![b"pod".to_vec(), b"write".to_vec(), b"read".to_vec()];
        Self {
            format: 4,
            encoding: 0,
            magic: 0x012E_E56A,
            header_encoding: 129,
            symbols,
            blocks,
            offset_shift: 0,
            count_shift: 0,
            raw_shift: 0,
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut data = self.magic.to_be_bytes().to_vec();
        data.push(self.format);
        data.push(self.encoding);
        let section_start = data.len();
        if self.format >= 4 {
            let mut section = uvarint(self.symbols.len() as u64);
            for symbol in &self.symbols {
                section.extend(uvarint(symbol.len() as u64));
                section.extend(symbol);
            }
            data.extend(&section);
            data.extend(crc32c::crc32c(&section).to_be_bytes());
        }
        let section_length = data.len() - section_start;
        let mut metas = uvarint(self.blocks.len() as u64);
        for entries in &self.blocks {
            let mut block = Vec::new();
            let mut raw = 0;
            for (time, line, pairs) in entries {
                block.extend(uvarint(zig_zag(*time)));
                block.extend(uvarint(line.len() as u64));
                block.extend(line);
                if self.format >= 4 {
                    let mut section = uvarint(pairs.len() as u64);
                    section.extend(pairs.iter().flat_map(|(name, value)| [uvarint(*name), uvarint(*value)]).flatten());
                    block.extend(uvarint(section.len() as u64));
                    block.extend(section);
                }
                raw += line.len() + 8 * pairs.len();
            }
            metas.extend(uvarint(entries.len() as u64 + self.count_shift));
            metas.extend(uvarint(zig_zag(entries.iter().map(|entry| entry.0).min().unwrap_or(0))));
            metas.extend(uvarint(zig_zag(entries.iter().map(|entry| entry.0).max().unwrap_or(0))));
            metas.extend(uvarint((data.len() + self.offset_shift) as u64));
            if self.format >= 3 {
                metas.extend(uvarint((raw as u64).wrapping_add(self.raw_shift)));
            }
            metas.extend(uvarint(block.len() as u64));
            data.extend(&block);
            data.extend(crc32c::crc32c(&block).to_be_bytes());
        }
        let metas_offset = data.len();
        data.extend(&metas);
        data.extend(crc32c::crc32c(&metas).to_be_bytes());
        if self.format >= 4 {
            for number in [section_length - 4, section_start, metas.len()] {
                data.extend((number as u64).to_be_bytes());
            }
        }
        data.extend((metas_offset as u64).to_be_bytes());

        let header = format!(
            r#"{{"fingerprint":18446744073709551615,"userID":"fake","from":1.5,"through":1795458626.724,
            "metric":{{"__name__":"logs","app":"draft"}},"encoding":{}}}"#,
            self.header_encoding
        );
        let mut framed = snap::write::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut framed, header.as_bytes()).unwrap();
        let framed = framed.into_inner().unwrap();
        let mut object = (framed.len() as u32 + 4).to_be_bytes().to_vec();
        object.extend(framed);
        object.extend((data.len() as u32).to_be_bytes());
        object.extend(data);
        object
    }
}

fn uvarint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn draft() -> Draft {
    Draft::of(vec![
        vec![(5, b"a line".to_vec(), vec![(0, 1)]), (6, vec![], vec![])],
        vec![(7, vec![b'x'; 300], vec![])],
    ])
}

#[test]
fn a_draft_reads_as_drafted() {
    let chunk = read("object", &draft().write()).unwrap();
    let metadata = &chunk.metadata;
    assert_eq!((metadata.fingerprint, metadata.from_ms, metadata.through_ms), (u64::MAX, 1500, 1_795_458_626_724));
    assert_eq!(metadata.labels, Labels::from([("app".to_owned(), "draft".to_owned())]));
    let found: Vec<_> = chunk.entries.iter().map(|entry| (entry.timestamp_ns, entry.line.len())).collect();
    assert_eq!(found, [(5, 6), (6, 0), (7, 300)]);
    assert_eq!(chunk.entries[0].structured_metadata, Labels::from([("pod".to_owned(), "write".to_owned())]));
}

#[test]
fn every_contradiction_is_named() {
    type Case = (&'static str, fn(&mut Draft), &'static str, &'static str);
    let table: [Case; 13] = [
        ("magic", |draft| draft.magic = 1, "the magic number 012ee56a", "00000001"),
        ("format", |draft| draft.format = 5, "a log chunk of format 1 to 4", "5"),
        ("encoding", |draft| draft.encoding = 2, "an encoding, 0, 1 or 3 to 9", "2"),
        ("kind", |draft| draft.header_encoding = 1, "a log chunk, of encoding 128 or 129", "1"),
        (
            "offset",
            |draft| draft.offset_shift = 1,
            "block 0 at 26 of the log chunk, where the part before it ends",
            "27",
        ),
        ("count", |draft| draft.count_shift = 1, "3 entries in block 0", "2"),
        (
            "raw size",
            |draft| {
                draft.blocks[1][0].1 = vec![b'x'; 2000];
                draft.raw_shift = 0_u64.wrapping_sub(1900);
                draft.blocks.remove(0);
            },
            "block 0, at most 240 bytes when decompressed",
            "more",
        ),
        (
            "symbol",
            |draft| draft.blocks[0][0].2 = vec![(0, 3)],
            "a value of structured metadata, one of 3 strings in the decompressed block 0",
            "string 3",
        ),
        (
            "text",
            |draft| draft.symbols[0] = vec![0xff],
            "a metadata string in UTF-8 in the decompressed metadata strings",
            "invalid utf-8 sequence of 1 bytes from index 0",
        ),
        ("gzip", |draft| draft.encoding = 1, "the metadata strings, 15 bytes of gzip", "invalid gzip header"),
        ("snappy", |draft| draft.encoding = 4, "a snappy frame of the metadata strings", "a frame of kind 0x03"),
        ("lz4", |draft| draft.encoding = 7, "the metadata strings, 15 bytes of lz4", "WrongMagicNumber"),
        ("zstd", |draft| draft.encoding = 9, "the metadata strings, 15 bytes of zstd", "Unknown frame descriptor"),
    ];
    for (name, spoil, expected, found) in table {
        let mut draft = draft();
        spoil(&mut draft);
        let error = read("bucket/object", &draft.write()).unwrap_err();
        assert_eq!((error.expected.as_str(), error.found.as_str()), (expected, found), "{name}");
        assert_eq!(error.object, "bucket/object");
    }
}

#[test]
fn lengths_beyond_the_object_are_errors() {
    let intact = draft().write();
    let header_length = u32::from_be_bytes(intact[..4].try_into().unwrap()) as usize;
    let end = intact.len();
    let pieces = [(0, 4), (header_length, 4), (end - 8, 8), (end - 16, 8), (end - 24, 8), (end - 32, 8)];
    for (start, length) in pieces {
        for value in [0_u64, 1, u64::MAX, u64::MAX / 2, end as u64, u64::MAX - 3] {
            let mut bytes = intact.clone();
            bytes[start..start + length].copy_from_slice(&value.to_be_bytes()[8 - length..]);
            let error = for_each_entry("object", &bytes, |_| ()).unwrap_err();
            assert!(error.offset <= end as u64, "{error}");
        }
    }
}

#[test]
fn a_line_that_is_no_text_keeps_its_bytes() {
    let chunk = read("object", &Draft::of(vec![vec![(1, b"a\xffb".to_vec(), vec![])]]).write()).unwrap();
    assert_eq!(chunk.entries[0].line, "a\u{fffd}b");
    assert_eq!(chunk.entries[0].line_base64.as_deref(), Some("Yf9i"));
}

#[test]
fn a_name_stored_twice_has_its_later_value() {
    let bytes = Draft::of(vec![vec![(1, vec![], vec![(0, 1), (0, 2)])]]).write();
    let chunk = read("object", &bytes).unwrap();
    assert_eq!(chunk.entries[0].structured_metadata, Labels::from([("pod".to_owned(), "read".to_owned())]));
    for_each_entry("object", &bytes, |entry| {
        assert_eq!(entry.structured_metadata, [("pod", "write"), ("pod", "read")]);
    })
    .unwrap();
}

#[test]
fn bombs_are_refused_before_they_grow() {
    let zeros = vec![0_u8; 1 << 20];
    let compressed = |encoding: Encoding| -> Vec<u8> {
        let mut bytes = Vec::new();
        match encoding {
            Encoding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::best());
                std::io::Write::write_all(&mut encoder, &zeros).unwrap();
                encoder.finish().unwrap();
            }
            Encoding::Snappy => {
                let mut encoder = snap::write::FrameEncoder::new(&mut bytes);
                std::io::Write::write_all(&mut encoder, &zeros).unwrap();
                std::io::Write::flush(&mut encoder).unwrap();
            }
            Encoding::Zstd => bytes = zstd::encode_all(&zeros[..], 3).unwrap(),
            _ => unreachable!(),
        }
        bytes
    };
    for encoding in [Encoding::Gzip, Encoding::Snappy, Encoding::Zstd] {
        let bytes = compressed(encoding);
        let compressed = encoding::Compressed { object: "object", offset: 9, what: "a block", bytes: &bytes };
        let mut buffer = Vec::new();
        assert_eq!(compressed.decompress(encoding, 1 << 20, &mut buffer), Ok(&zeros[..]));
        let mut buffer = Vec::new();
        let error = compressed.decompress(encoding, 100_000, &mut buffer).unwrap_err();
        assert_eq!(error.expected, "a block, at most 100000 bytes when decompressed");
        assert!(buffer.len() <= 100_001);
    }
}

fn entries() -> impl Strategy<Value = Vec<DraftEntry>> {
    let pairs = prop::collection::vec((0_u64..3, 0_u64..3), 0..4);
    prop::collection::vec((any::<i64>(), prop::collection::vec(any::<u8>(), 0..200), pairs), 1..8)
}

proptest! {
    #[test]
    fn whatever_is_drafted_is_read(blocks in prop::collection::vec(entries(), 0..4), format in 3_u8..=4) {
        let mut draft = Draft::of(blocks);
        draft.format = format;
        if format < 4 {
            draft.blocks.iter_mut().flatten().for_each(|entry| entry.2.clear());
        }
        let mut found = Vec::new();
        let names = |index: u64| std::str::from_utf8(&draft.symbols[index as usize]).unwrap();
        for_each_entry("object", &draft.write(), |entry| {
            let pairs = entry.structured_metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            found.push((entry.timestamp_ns, entry.line.to_vec(), pairs.collect::<Vec<_>>()));
        }).unwrap();
        let expected = draft.blocks.iter().flatten().map(|(time, line, pairs)| {
            let pairs = pairs.iter().map(|(name, value)| (names(*name).to_owned(), names(*value).to_owned()));
            (*time, line.clone(), pairs.collect::<Vec<_>>())
        });
        prop_assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read("object", &bytes).is_err());
    }

    /// A random log chunk with valid checksums around it reaches the inner readers.
    #[test]
    fn random_parts_never_panic(
        block in prop::collection::vec(any::<u8>(), 0..200),
        format in 0_u8..6,
        number in 0_u8..12,
        raw in any::<u64>(),
    ) {
        let mut draft = Draft::of(vec![vec![(0, block, vec![])]]);
        draft.encoding = number;
        draft.format = format;
        draft.raw_shift = raw;
        let _ = read("object", &draft.write());
    }

    #[test]
    fn random_compressed_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), number in 0_u8..10) {
        if let Some(encoding) = Encoding::from_number(number) {
            let compressed = encoding::Compressed { object: "object", offset: 0, what: "a block", bytes: &bytes };
            let _ = compressed.decompress(encoding, 1 << 16, &mut Vec::new());
        }
    }
}
