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
