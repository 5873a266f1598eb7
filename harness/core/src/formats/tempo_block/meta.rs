use jiff::Timestamp;
use serde::Deserialize;

use super::{super::FormatError, layout::is_uuid};

/// A block's `meta.json` or `meta.compacted.json` (Tempo tempodb/backend/block_meta.go), which have the same content.
///
/// Fields that are not named here are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMeta {
    /// The version of the data's schema, `vParquet4` for one.
    pub format: String,
    /// The block's UUID, 36 lowercase characters.
    pub block_id: String,
    /// Whose spans these are.
    pub tenant_id: String,
    /// Start of the earliest trace, whole seconds.
    pub start_time: Timestamp,
    /// End of the latest trace, whole seconds.
    pub end_time: Timestamp,
    /// Traces in the block: the rows of `data.parquet`.
    pub total_objects: u64,
    /// Bytes of `data.parquet`.
    pub size: u64,
    /// How often the spans were compacted: 0 for a block that an ingester wrote.
    pub compaction_level: u32,
    /// Row groups of `data.parquet`.
    pub total_records: u64,
    /// Shards of the bloom filter: `bloom-0` and so on.
    pub bloom_shards: u32,
    /// Bytes of the footer of `data.parquet`.
    pub footer_size: u64,
    /// Ingesters that hold a copy; 0 stands for Tempo's default.
    pub replication_factor: u32,
    /// Attributes that have a column of their own, in the order of these columns.
    pub dedicated_columns: Vec<DedicatedColumn>,
}

/// An attribute that is stored in a column of its own instead of the list of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DedicatedColumn {
    /// Whose attribute.
    #[serde(rename = "s", default)]
    pub scope: DedicatedScope,
    /// The attribute's key.
    #[serde(rename = "n")]
    pub name: String,
    /// The type of the values that go there; others stay in the list of attributes. `string` where Tempo omits it.
    #[serde(rename = "t", default = "string_type")]
    pub kind: String,
}

/// Whose attribute a dedicated column holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DedicatedScope {
    /// The resource's.
    Resource,
    /// The span's; Tempo omits it.
    #[default]
    Span,
    /// A later version's, the columns of which are not known.
    #[serde(untagged)]
    Other(String),
}

fn string_type() -> String {
    "string".to_owned()
}

/// The form on disk. Everything optional, so that the error can name what is missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    format: Option<String>,
    #[serde(rename = "blockID")]
    block_id: Option<String>,
    #[serde(rename = "tenantID")]
    tenant_id: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    total_objects: Option<u64>,
    size: Option<u64>,
    #[serde(default)]
    compaction_level: u32,
    #[serde(default)]
    total_records: u64,
    #[serde(default)]
    bloom_shards: u32,
    #[serde(default)]
    footer_size: u64,
    #[serde(default)]
    replication_factor: u32,
    #[serde(default)]
    dedicated_columns: Option<Vec<DedicatedColumn>>,
}

/// Reads a block's meta; `object` names it in errors.
pub fn read_meta(object: &str, bytes: &[u8]) -> Result<BlockMeta, FormatError> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| {
        FormatError::new(object, offset_of(bytes, &error), "a block's meta as JSON", error.to_string())
    })?;
    let missing = |name: &str| FormatError::new(object, 0, format!("a block's meta with the field {name}"), "none");
    let block_id = stored.block_id.ok_or_else(|| missing("blockID"))?;
    if !is_uuid(&block_id) {
        return Err(FormatError::new(object, 0, "a UUID in the field blockID", format!("{block_id:?}")));
    }
    let time = |name: &str, text: Option<String>| {
        let text = text.ok_or_else(|| missing(name))?;
        let expected = || format!("a time in the field {name}");
        text.parse::<Timestamp>().map_err(|_| FormatError::new(object, 0, expected(), format!("{text:?}")))
    };
    Ok(BlockMeta {
        format: stored.format.ok_or_else(|| missing("format"))?,
        block_id,
        tenant_id: stored.tenant_id.ok_or_else(|| missing("tenantID"))?,
        start_time: time("startTime", stored.start_time)?,
        end_time: time("endTime", stored.end_time)?,
        total_objects: stored.total_objects.ok_or_else(|| missing("totalObjects"))?,
        size: stored.size.ok_or_else(|| missing("size"))?,
        compaction_level: stored.compaction_level,
        total_records: stored.total_records,
        bloom_shards: stored.bloom_shards,
        footer_size: stored.footer_size,
        replication_factor: stored.replication_factor,
        dedicated_columns: stored.dedicated_columns.unwrap_or_default(),
    })
}

/// The byte that serde_json's line and column stand for.
fn offset_of(bytes: &[u8], error: &serde_json::Error) -> usize {
    let before: usize =
        bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEDICATED: &[u8] = include_bytes!("../../../tests/fixtures/tempo/vparquet4-dedicated/meta.json");

    #[test]
    fn a_meta_of_tempos_reads_as_written() {
        let meta = read_meta("meta.json", DEDICATED).unwrap();
        let column = |scope, name: &str| DedicatedColumn { scope, name: name.into(), kind: "string".into() };
        assert_eq!(meta.format, "vParquet4");
        assert_eq!(meta.block_id, "46fa9c88-f921-4675-a554-a953e953c355");
        assert_eq!(meta.tenant_id, "single-tenant");
        assert_eq!(meta.start_time.to_string(), "2026-11-23T18:32:07Z");
        assert_eq!(meta.end_time.to_string(), "2026-11-23T18:32:07Z");
        assert_eq!((meta.total_objects, meta.size, meta.compaction_level), (3, 31_086, 0));
        assert_eq!((meta.total_records, meta.bloom_shards, meta.footer_size), (1, 1, 18_046));
        assert_eq!(
            meta.dedicated_columns,
            [
                column(DedicatedScope::Resource, "region"),
                column(DedicatedScope::Span, "color"),
                column(DedicatedScope::Span, "peer"),
                column(DedicatedScope::Resource, "deployment"),
            ]
        );
    }

    #[test]
    fn errors_name_the_object_and_what_is_missing() {
        let whole: serde_json::Value = serde_json::from_slice(DEDICATED).unwrap();
        for field in ["format", "blockID", "tenantID", "startTime", "endTime", "totalObjects", "size"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            let error = read_meta("t/b/meta.json", part.to_string().as_bytes()).unwrap_err();
            assert_eq!(error.object, "t/b/meta.json");
            assert!(error.expected.ends_with(field), "{error}");
        }
    }

    #[test]
    fn what_later_versions_add_is_passed_over() {
        let mut more: serde_json::Value = serde_json::from_slice(DEDICATED).unwrap();
        more["newField"] = serde_json::json!({"a": [1]});
        more["dedicatedColumns"] = serde_json::json!([{"s": "event", "n": "x", "t": "int", "o": ["blob"]}]);
        let meta = read_meta("meta.json", more.to_string().as_bytes()).unwrap();
        let column =
            DedicatedColumn { scope: DedicatedScope::Other("event".into()), name: "x".into(), kind: "int".into() };
        assert_eq!(meta.dedicated_columns, [column]);
    }

    #[test]
    fn what_is_no_meta_says_where() {
        let error = read_meta("meta.json", b"{\n\"format\": 4}").unwrap_err();
        assert_eq!(error.offset, 12);
        for bad in [&b""[..], b"null", b"[]", b"{\"blockID\":\"x\"}", b"\xff\xfe"] {
            assert!(read_meta("meta.json", bad).is_err(), "{bad:?}");
        }
        for length in 0..DEDICATED.len() {
            assert!(read_meta("meta.json", &DEDICATED[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read_meta("meta.json", &bytes).is_err());
        }
    }
}
