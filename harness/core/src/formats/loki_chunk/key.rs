use std::fmt;

/// The name under which Loki stores a chunk (Loki pkg/storage/config/schema_config.go).
///
/// From schema v12 on it is `<tenant>/<fingerprint>/<from>:<through>:<checksum>`, before
/// `<tenant>/<fingerprint>:<from>:<through>:<checksum>`, numbers in lowercase hex without leading zeros. A store with another
/// `chunk_delimiter` than `:` has other names. [`fmt::Display`] prints the form from v12 on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// Who pushed the stream; `fake` where Loki runs without authentication.
    pub tenant: String,
    /// Hash of the stream's labels.
    pub fingerprint: u64,
    /// Time of the first entry, milliseconds since the Unix epoch, rounded down.
    pub from_ms: i64,
    /// Time of the last entry, milliseconds since the Unix epoch, rounded up.
    pub through_ms: i64,
    /// CRC-32C of the whole object.
    pub checksum: u32,
}

impl ChunkKey {
    /// The key's parts; `None` for a key that is none of a chunk.
    pub fn parse(key: &str) -> Option<Self> {
        let (tenant, rest) = key.split_once('/')?;
        let (fingerprint, rest) = rest.split_once(['/', ':'])?;
        let (from, rest) = rest.split_once(':')?;
        let (through, checksum) = rest.split_once(':')?;
        let parsed = Self {
            tenant: tenant.to_owned(),
            fingerprint: u64::from_str_radix(fingerprint, 16).ok()?,
            from_ms: i64::from_str_radix(from, 16).ok()?,
            through_ms: i64::from_str_radix(through, 16).ok()?,
            checksum: u32::from_str_radix(checksum, 16).ok()?,
        };
        let canonical = !tenant.is_empty() && (key == parsed.to_string() || key == parsed.before_v12());
        canonical.then_some(parsed)
    }

    /// The key at the end of an object's name, which may begin with a bucket or the folders of a path.
    pub fn of_object(object: &str) -> Option<Self> {
        let mut slashes = object.rmatch_indices('/').map(|(index, _)| index + 1);
        let two = slashes.nth(1).unwrap_or(0);
        let three = slashes.next().unwrap_or(0);
        [three, two].into_iter().find_map(|start| Self::parse(object.get(start..)?))
    }

    /// Whether `bytes` are the object that this key names, by its checksum.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        crc32c::crc32c(bytes) == self.checksum
    }

    fn before_v12(&self) -> String {
        let Self { tenant, fingerprint, from_ms, through_ms, checksum } = self;
        format!("{tenant}/{fingerprint:x}:{}:{}:{checksum:x}", GoHex(*from_ms), GoHex(*through_ms))
    }
}

impl fmt::Display for ChunkKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, fingerprint, from_ms, through_ms, checksum } = self;
        write!(formatter, "{tenant}/{fingerprint:x}/{}:{}:{checksum:x}", GoHex(*from_ms), GoHex(*through_ms))
    }
}

/// A number as Go's `%x` prints it: a sign, never two's complement.
struct GoHex(i64);

impl fmt::Display for GoHex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(formatter, "{sign}{:x}", self.0.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse_and_print() {
        let key = ChunkKey {
            tenant: "fake".to_owned(),
            fingerprint: 0x9b99_33e6_2a52_93f9,
            from_ms: 0x1a2_09ac_6693,
            through_ms: 0x1a2_09ac_74a4,
            checksum: 0x6991_f34c,
        };
        let name = "fake/9b9933e62a5293f9/1a209ac6693:1a209ac74a4:6991f34c";
        assert_eq!(ChunkKey::parse(name), Some(key.clone()));
        assert_eq!(key.to_string(), name);
        assert_eq!(ChunkKey::parse("fake/9b9933e62a5293f9:1a209ac6693:1a209ac74a4:6991f34c"), Some(key.clone()));
        for object in [name.to_owned(), format!("bucket/{name}"), format!("a/b/{name}"), key.before_v12()] {
            assert_eq!(ChunkKey::of_object(&object), Some(key.clone()), "{object}");
        }
        let early = ChunkKey { from_ms: -16, ..key };
        assert_eq!(early.to_string(), "fake/9b9933e62a5293f9/-10:1a209ac74a4:6991f34c");
        assert_eq!(ChunkKey::parse(&early.to_string()), Some(early));
    }

    #[test]
    fn other_keys_are_no_chunks() {
        for key in [
            "",
            "fake",
            "fake/1/2:3",
            "fake/1/2:3:4:5",
            "/1/2:3:4",
            "fake/1/2/3:4",
            "fake/01/2:3:4",
            "fake/A/2:3:4",
            "fake/1/+2:3:4",
            "fake/1/2:3:100000000",
            "fake/1/2:3:4/",
            "bucket/fake/1/2:3:4",
            "index/loki_index_20780/1795458538-vm-1795458538948528866.tsdb.gz",
        ] {
            assert_eq!(ChunkKey::parse(key), None, "{key}");
        }
    }

    #[test]
    fn a_key_matches_only_its_bytes() {
        let key = ChunkKey::parse("fake/1/2:3:e3069283");
        assert_eq!(key.as_ref().map(|key| key.matches(b"123456789")), Some(true));
        assert_eq!(key.as_ref().map(|key| key.matches(b"12345678")), Some(false));
    }
}
