use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::{formats::FormatError, signal::Span};

/// A block that Tempo wrote, with what had been sent to it.
struct Fixture {
    name: &'static str,
    data: &'static [u8],
    meta: &'static [u8],
    sent: &'static str,
}

macro_rules! fixture {
    ($name:literal) => {
        Fixture {
            name: $name,
            data: include_bytes!(concat!("../../../tests/fixtures/tempo/", $name, "/data.parquet")),
            meta: include_bytes!(concat!("../../../tests/fixtures/tempo/", $name, "/meta.json")),
            sent: include_str!(concat!("../../../tests/fixtures/tempo/", $name, "/spans.ndjson")),
        }
    };
}

const V3: Fixture = fixture!("vparquet3");
const V4: Fixture = fixture!("vparquet4");
const DEDICATED: Fixture = fixture!("vparquet4-dedicated");
const COMPACTED: Fixture = fixture!("vparquet4-compacted");
const ALL: [&Fixture; 4] = [&V3, &V4, &DEDICATED, &COMPACTED];

impl Fixture {
    fn meta(&self) -> BlockMeta {
        read_meta("meta.json", self.meta).unwrap()
    }

    fn bytes(&self) -> Bytes {
        Bytes::from_static(self.data)
    }

    fn read(&self) -> Block {
        read_spans(self.name, self.bytes(), Some(&self.meta())).unwrap()
    }

    /// What was sent, as JSON: two records are the same exactly when their JSON is.
    fn sent(&self) -> Vec<Json> {
        let mut sent: Vec<Json> = self.sent.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let text = |span: &Json, key: &str| span[key].as_str().unwrap().to_owned();
        sent.sort_by_key(|span| {
            (text(span, "trace_id"), text(span, "start_ns").parse::<i64>().unwrap(), text(span, "span_id"))
        });
        sent
    }

    fn trace_ids(&self) -> BTreeSet<TraceId> {
        let id = |span: &Json| hex::decode(span["trace_id"].as_str().unwrap()).unwrap().try_into().unwrap();
        self.sent().iter().map(id).collect()
    }
}

fn json(spans: &[Span]) -> Vec<Json> {
    spans.iter().map(|span| serde_json::to_value(span).unwrap()).collect()
}

#[test]
fn blocks_hold_what_was_sent() {
    for fixture in ALL {
        let block = fixture.read();
        let (found, sent) = (json(&block.spans), fixture.sent());
        assert_eq!(found.len(), sent.len(), "{}", fixture.name);
        for (found, sent) in found.iter().zip(&sent) {
            assert_eq!(found, sent, "{}", fixture.name);
        }
        assert!(block.tested);
    }
}

#[test]
fn a_record_that_was_not_sent_is_told_apart() {
    let found = json(&V4.read().spans);
    for field in found[0].as_object().unwrap().keys() {
        let mut sent = V4.sent();
        sent[0][field] = Json::from("another");
        assert_ne!(found, sent, "{field}");
    }
}

#[test]
fn dedicated_columns_need_the_meta_that_names_them() {
    let meta = DEDICATED.meta();
    let span_id = "00000000000000a1";
    let attributes = |meta: Option<&BlockMeta>| {
        let block = read_spans("data.parquet", DEDICATED.bytes(), meta).unwrap();
        let span = block.spans.into_iter().find(|span| span.span_id == span_id).unwrap();
        (serde_json::to_value(&span.attributes).unwrap(), serde_json::to_value(&span.resource).unwrap())
    };
    let (span, resource) = attributes(Some(&meta));
    assert_eq!((&span["color"], &span["peer"], &resource["region"]), (&"red".into(), &"edge".into(), &"eu".into()));

    let (span, resource) = attributes(None);
    assert_eq!(span.get("color"), None);
    assert_eq!(span["DedicatedAttributes.String01"], "red");
    assert_eq!(span["DedicatedAttributes.String02"], "edge");
    assert_eq!(resource["DedicatedAttributes.String01"], "eu");

    let mut swapped = meta;
    swapped.dedicated_columns.swap(1, 2);
    let (span, _) = attributes(Some(&swapped));
    assert_eq!((&span["color"], &span["peer"]), (&"edge".into(), &"red".into()));
}

#[test]
fn only_known_versions_count_as_tested() {
    let mut meta = V4.meta();
    meta.format = "vParquet5".into();
    for meta in [None, Some(&meta)] {
        let block = read_spans("data.parquet", V4.bytes(), meta).unwrap();
        assert!(!block.tested);
        assert_eq!(json(&block.spans), V4.sent());
    }
}

#[test]
fn a_meta_of_another_block_is_refused() {
    let good = V4.meta();
    for (meta, word) in [
        (BlockMeta { size: good.size + 1, ..good.clone() }, "bytes"),
        (BlockMeta { total_objects: good.total_objects + 1, ..good.clone() }, "traces"),
        (COMPACTED.meta(), "bytes"),
    ] {
        let error = read_spans("data.parquet", V4.bytes(), Some(&meta)).unwrap_err();
        assert!(error.expected.contains(word), "{error}");
    }
}

#[test]
fn traces_are_found_by_their_ids() {
    for fixture in ALL {
        let ids = trace_ids("data.parquet", fixture.bytes()).unwrap();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), fixture.trace_ids());
        assert_eq!(ids.len() as u64, fixture.meta().total_objects);
        let all = fixture.sent();
        for subset in 0_u32..1 << ids.len() {
            let wanted: BTreeSet<TraceId> =
                ids.iter().enumerate().filter(|(place, _)| subset >> place & 1 == 1).map(|(_, id)| *id).collect();
            let block = read_spans_of("data.parquet", fixture.bytes(), Some(&fixture.meta()), &wanted).unwrap();
            let names: BTreeSet<String> = wanted.iter().map(hex::encode).collect();
            let sent: Vec<&Json> =
                all.iter().filter(|span| names.contains(span["trace_id"].as_str().unwrap())).collect();
            assert_eq!(json(&block.spans).iter().collect::<Vec<_>>(), sent);
        }
    }
    let never_sent = BTreeSet::from([[7; 16]]);
    assert_eq!(read_spans_of("data.parquet", V4.bytes(), None, &never_sent).unwrap().spans, []);
}

fn refusal(bytes: Vec<u8>) -> FormatError {
    read_spans("bucket/data.parquet", bytes.into(), None).unwrap_err()
}

#[test]
fn a_part_of_a_block_is_no_block() {
    for fixture in [&V3, &V4] {
        for length in (0..fixture.data.len()).step_by(61).chain(fixture.data.len() - 20..fixture.data.len()) {
            let error = refusal(fixture.data[..length].to_vec());
            assert_eq!(error.object, "bucket/data.parquet");
            assert!(error.offset <= fixture.data.len() as u64, "{error}");
        }
    }
}

#[test]
fn magic_and_footer_length_are_checked() {
    let end = V4.data.len();
    for (place, bytes, offset) in [
        (0, &b"PARX"[..], 0),
        (end - 4, b"PARE", end - 4),
        (end - 8, &[0xff, 0xff, 0xff, 0xff], end - 8),
        (end - 8, &[0xff, 0xff, 0xff, 0x7f], end - 8),
        (end - 8, &[0, 0, 0, 0], end - 8),
    ] {
        let mut data = V4.data.to_vec();
        data[place..place + bytes.len()].copy_from_slice(bytes);
        assert_eq!(refusal(data).offset, offset as u64);
    }
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    for fixture in [&V3, &V4] {
        // NaN equals nothing, so that blocks are compared by their text.
        let (meta, good) = (fixture.meta(), format!("{:?}", fixture.read()));
        let mut found = 0;
        for place in (0..fixture.data.len()).step_by(53) {
            let mut data = fixture.data.to_vec();
            data[place] ^= 1 << (place % 8);
            match read_spans("data.parquet", data.into(), Some(&meta)) {
                Ok(block) => assert_eq!(format!("{block:?}"), good, "{} at {place}", fixture.name),
                Err(error) => {
                    assert!(!error.found.contains("panic"), "{error}");
                    found += 1;
                }
            }
        }
        assert!(found > fixture.data.len() / 53 / 3, "{found}");
    }
}

/// Thrift's compact protocol, written: fields of a struct in the order of their ids, which are at most 15 apart.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    last: u8,
}

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn field(mut self, id: u8, kind: u8) -> Self {
        self.bytes.push((id - self.last) << 4 | kind);
        self.last = id;
        self
    }

    fn number(mut self, id: u8, value: i64) -> Self {
        self = self.field(id, 6);
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned());
        self
    }

    fn text(mut self, id: u8, text: &str) -> Self {
        self = self.field(id, 8);
        self.varint(text.len() as u64);
        self.bytes.extend(text.as_bytes());
        self
    }

    fn truth(self, id: u8, value: bool) -> Self {
        self.field(id, if value { 1 } else { 2 })
    }

    fn group(mut self, id: u8, inner: Writer) -> Self {
        self = self.field(id, 12);
        self.bytes.extend(inner.end());
        self
    }

    fn list(mut self, id: u8, kind: u8, items: &[Vec<u8>]) -> Self {
        self = self.field(id, 9);
        self.bytes.push(0xf0 | kind);
        self.varint(items.len() as u64);
        self.bytes.extend(items.concat());
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// One element of a schema: a column of byte arrays, or a group where it has children.
fn element(name: &str, children: i64) -> Vec<u8> {
    let element = if children == 0 { Writer::default().number(1, 6) } else { Writer::default() };
    let element = element.number(3, 0).text(4, name);
    if children == 0 { element.end() } else { element.number(5, children).end() }
}

fn file(content: &[u8], footer: &[u8]) -> Bytes {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", content, footer, &length, b"PAR1"].concat().into()
}

#[test]
fn a_schema_does_not_exhaust_the_stack_or_the_memory() {
    let nested: Vec<Vec<u8>> = (0..100_000).map(|_| element("g", 1)).chain([element("TraceID", 0)]).collect();
    for (schema, word) in [
        (nested, "nested"),
        (vec![element("root", i64::from(i32::MAX)), element("TraceID", 0)], "children"),
        (vec![element("root", -1), element("TraceID", 0)], "children"),
        (vec![element("root", 1), element("TraceID", 0), element("more", 0)], "last child"),
        (vec![], "children"),
    ] {
        let footer = Writer::default().list(2, 12, &schema).list(4, 12, &[]).end();
        let error = trace_ids("data.parquet", file(b"", &footer)).unwrap_err();
        assert!(error.expected.contains(word), "{error}");
    }
    let mut endless = Writer::default().field(2, 9);
    endless.bytes.push(0xfc);
    endless.varint(u64::from(u32::MAX));
    let error = trace_ids("data.parquet", file(b"", &endless.bytes)).unwrap_err();
    assert!(error.expected.contains("elements"), "{error}");
}

/// A file of which the column of trace ids is one page after an optional dictionary.
struct OnePage {
    dictionary: Option<(i64, Vec<u8>)>,
    values: i64,
    nulls: i64,
    encoding: i64,
    levels: (i64, i64),
    codec: i64,
    uncompressed: Option<i64>,
    payload: Vec<u8>,
    rows: i64,
}

impl Default for OnePage {
    /// Two plain trace ids.
    fn default() -> Self {
        let id = |byte: u8| [&[16, 0, 0, 0][..], &[byte; 16]].concat();
        Self {
            dictionary: None,
            values: 2,
            nulls: 0,
            encoding: 0,
            levels: (0, 0),
            codec: 0,
            uncompressed: None,
            payload: [id(1), id(2)].concat(),
            rows: 2,
        }
    }
}

impl OnePage {
    fn write(&self) -> Bytes {
        let page = |kind: i64, uncompressed: i64, id: u8, inner: Writer, payload: &[u8]| {
            let mut crc = flate2::Crc::new();
            crc.update(payload);
            let header = Writer::default()
                .number(1, kind)
                .number(2, uncompressed)
                .number(3, payload.len() as i64)
                .number(4, i64::from(crc.sum().cast_signed()))
                .group(id, inner);
            [header.end(), payload.to_vec()].concat()
        };
        let mut content = Vec::new();
        if let Some((values, dictionary)) = &self.dictionary {
            let inner = Writer::default().number(1, *values).number(2, 0);
            content.extend(page(2, dictionary.len() as i64, 7, inner, dictionary));
        }
        let inner = Writer::default()
            .number(1, self.values)
            .number(2, self.nulls)
            .number(3, self.rows)
            .number(4, self.encoding)
            .number(5, self.levels.0)
            .number(6, self.levels.1)
            .truth(7, self.codec != 0);
        let uncompressed = self.uncompressed.unwrap_or(self.payload.len() as i64);
        content.extend(page(3, uncompressed, 8, inner, &self.payload));
        let name = [&[7][..], b"TraceID"].concat();
        let chunk = Writer::default()
            .number(1, 6)
            .list(3, 8, &[name])
            .number(4, self.codec)
            .number(5, self.values)
            .number(7, content.len() as i64)
            .number(9, 4);
        let chunk = Writer::default().group(3, chunk).end();
        let group = Writer::default().list(1, 12, &[chunk]).number(3, self.rows).end();
        let schema = [element("Trace", 1), element("TraceID", 0)];
        file(&content, &Writer::default().list(2, 12, &schema).list(4, 12, &[group]).end())
    }
}

#[test]
fn a_page_of_our_own_is_read() {
    let ids = trace_ids("data.parquet", OnePage::default().write()).unwrap();
    assert_eq!(ids, [[1; 16], [2; 16]]);
    let dictionary = (1, [&[16, 0, 0, 0][..], &[3; 16]].concat());
    // Bit width 1, then a run of two zeros.
    let page = OnePage { dictionary: Some(dictionary), encoding: 8, payload: vec![1, 4, 0], ..Default::default() };
    assert_eq!(trace_ids("data.parquet", page.write()).unwrap(), [[3; 16]; 2]);
}

#[test]
fn pages_that_promise_more_than_they_hold_are_refused() {
    let many = i64::from(i32::MAX);
    let delta = |numbers: &[u64]| {
        let mut writer = Writer::default();
        numbers.iter().for_each(|&number| writer.varint(number));
        writer.bytes
    };
    let plain = OnePage::default;
    for (name, page) in [
        ("values", OnePage { values: many, ..plain() }),
        ("no value", OnePage { values: 0, ..plain() }),
        ("negative values", OnePage { values: -1, ..plain() }),
        ("nulls", OnePage { nulls: 3, ..plain() }),
        ("nulls of a required column", OnePage { nulls: 1, ..plain() }),
        ("fewer rows", OnePage { rows: 1, ..plain() }),
        ("more rows", OnePage { rows: 3, ..plain() }),
        ("all rows", OnePage { rows: i64::MAX, ..plain() }),
        ("negative rows", OnePage { rows: -1, ..plain() }),
        ("levels", OnePage { levels: (many, many), ..plain() }),
        ("uncompressed size", OnePage { uncompressed: Some(many), ..plain() }),
        ("snappy", OnePage { codec: 1, uncompressed: Some(many), payload: delta(&[many as u64]), ..plain() }),
        ("snappy that is none", OnePage { codec: 1, ..plain() }),
        ("zstd", OnePage { codec: 6, ..plain() }),
        ("unknown codec", OnePage { codec: 4, ..plain() }),
        ("unknown encoding", OnePage { encoding: 7, ..plain() }),
        ("dictionary", OnePage { dictionary: Some((many, vec![0; 8])), ..plain() }),
        ("no dictionary", OnePage { encoding: 8, payload: vec![1, 4, 0], ..plain() }),
        ("delta total", OnePage { encoding: 6, payload: delta(&[128, 4, 1 << 40, 0]), ..plain() }),
        ("delta block", OnePage { encoding: 6, payload: delta(&[1 << 62, 4, 2, 0]), ..plain() }),
        ("delta miniblocks", OnePage { encoding: 6, payload: delta(&[128, 0, 2, 0]), ..plain() }),
        ("delta miniblock size", OnePage { encoding: 6, payload: delta(&[128, 128, 2, 0]), ..plain() }),
        ("short id", OnePage { payload: [[1, 0, 0, 0, 9], [1, 0, 0, 0, 9]].concat(), ..plain() }),
    ] {
        let error = trace_ids("data.parquet", page.write()).expect_err(name);
        assert!(!error.found.contains("panic"), "{name}: {error}");
    }
}

#[test]
fn runs_do_not_unfold_without_bound() {
    let dictionary = Some((1, [&[16, 0, 0, 0][..], &[3; 16]].concat()));
    for values in [(8 << 20) + 1, 8 << 20] {
        let mut run = Writer { bytes: vec![1], last: 0 };
        run.varint((values as u64) << 1);
        run.bytes.push(0);
        let (dictionary, payload) = (dictionary.clone(), run.bytes);
        let page = OnePage { dictionary, encoding: 8, values, rows: values, payload, ..Default::default() };
        let error = trace_ids("data.parquet", page.write()).unwrap_err();
        assert!(error.expected.starts_with("in column TraceID: at most "), "{error}");
    }
}

#[test]
fn an_index_beyond_the_dictionary_is_an_error() {
    let dictionary = Some((1, [&[16, 0, 0, 0][..], &[3; 16]].concat()));
    let page = OnePage { dictionary, encoding: 8, payload: vec![1, 4, 1], ..Default::default() };
    let error = trace_ids("data.parquet", page.write()).unwrap_err();
    assert_eq!(error.object, "data.parquet");
}

proptest! {
    #[test]
    fn no_bytes_are_a_block(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read_spans("data.parquet", bytes.clone().into(), None).is_err());
        prop_assert!(trace_ids("data.parquet", file(b"", &bytes)).is_err());
    }

    #[test]
    fn no_page_is_more_than_an_error(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        dictionary in prop::option::of((0_i64..4, prop::collection::vec(0_u8..3, 0..20))),
        encoding in 0_i64..10,
        values in 0_i64..100,
        rows in 0_i64..100,
        codec in prop::sample::select(vec![0_i64, 1, 6]),
    ) {
        let page = OnePage { dictionary, encoding, values, rows, codec, payload, ..Default::default() };
        if let Ok(ids) = trace_ids("data.parquet", page.write()) {
            prop_assert_eq!(ids.len() as i64, rows);
        }
    }

    #[test]
    fn no_damage_is_more_than_an_error(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut data = V4.data.to_vec();
        for (place, byte) in edits {
            let place = place.index(data.len());
            data[place] = byte;
        }
        if let Ok(block) = read_spans("data.parquet", data.into(), Some(&V4.meta())) {
            prop_assert_eq!(json(&block.spans), V4.sent());
        }
    }
}
