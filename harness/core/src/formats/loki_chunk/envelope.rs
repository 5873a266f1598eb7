use serde::Deserialize;

use super::{ChunkKey, Cursor, FormatError, Labels, encoding::Compressed};

/// Longest JSON header accepted, in bytes; Loki's limits keep a stream's labels far below.
const HEADER_CEILING: usize = 16 << 20;

/// Numbers of the chunk kinds that hold a log chunk (Loki pkg/chunkenc/facade.go); the older one differs only in name.
const LOG_CHUNKS: [u8; 2] = [128, 129];

/// What stands around the log chunk.
pub(super) struct Envelope {
    pub fingerprint: u64,
    pub tenant: String,
    pub from_ms: i64,
    pub through_ms: i64,
    pub labels: Labels,
    pub checksum: u32,
    /// Where in the object the log chunk begins; it ends with the object.
    pub data_offset: usize,
}

#[derive(Deserialize)]
struct Header {
    fingerprint: u64,
    #[serde(rename = "userID")]
    tenant: String,
    /// Seconds, with up to three decimals.
    from: f64,
    through: f64,
    metric: Labels,
    encoding: u8,
}

/// Reads the header (`u32be` length that counts itself, Snappy-framed JSON, `u32be` length of the log chunk) and holds it against
/// the key, where the object's name ends in one.
pub(super) fn open(object: &str, bytes: &[u8]) -> Result<Envelope, FormatError> {
    let checksum = crc32c::crc32c(bytes);
    let key = ChunkKey::of_object(object);
    if let Some(key) = &key
        && key.checksum != checksum
    {
        let expected = format!("an object with CRC-32C {:08x}, as its key says", key.checksum);
        return Err(FormatError::new(object, 0, expected, format!("{checksum:08x}")));
    }

    let mut cursor = Cursor::new(object, bytes, 0);
    let header_length = cursor.u32be("the header's length")? as usize;
    let Some(json_length) = header_length.checked_sub(4) else {
        return Err(cursor.error_at(0, "a header's length that counts itself", header_length.to_string()));
    };
    let compressed = cursor.take(json_length, "the chunk's header")?;
    let mut json = Vec::new();
    Compressed { object, offset: 4, what: "the chunk's header", bytes: compressed }
        .unframe_snappy(HEADER_CEILING, &mut json)?;
    let header: Header = serde_json::from_slice(&json)
        .map_err(|error| cursor.error_at(4, "the chunk's header as JSON", error.to_string()))?;
    if !LOG_CHUNKS.contains(&header.encoding) {
        return Err(cursor.error_at(4, "a log chunk, of encoding 128 or 129", header.encoding.to_string()));
    }
    let data_length = cursor.u32be("the log chunk's length")? as usize;
    if data_length != cursor.remaining() {
        let expected = format!("a log chunk of the {} bytes to the object's end", cursor.remaining());
        return Err(cursor.error_at(header_length, &expected, data_length.to_string()));
    }

    let Header { fingerprint, tenant, from, through, metric: mut labels, .. } = header;
    labels.remove("__name__");
    let envelope = Envelope {
        fingerprint,
        tenant,
        from_ms: milliseconds(from),
        through_ms: milliseconds(through),
        labels,
        checksum,
        data_offset: cursor.offset(),
    };
    if let Some(key) = key {
        let found = ChunkKey {
            tenant: envelope.tenant.clone(),
            fingerprint,
            from_ms: envelope.from_ms,
            through_ms: envelope.through_ms,
            checksum,
        };
        if found != key {
            return Err(cursor.error_at(4, &format!("the header of {key}"), format!("that of {found}")));
        }
    }
    Ok(envelope)
}

/// Prometheus' `model.Time` in JSON is a decimal of seconds; its third decimal is exact in a double for any date that occurs.
fn milliseconds(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates where a forged header leaves the range")]
    let rounded = (seconds * 1000.0).round() as i64;
    rounded
}
