//! Which object of Mimir's bucket is what (Mimir pkg/storage/tsdb/block, pkg/storage/tsdb/bucketindex, pkg/storage/bucket).
//! Must not know what the objects hold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Folder of what belongs to the cluster and no tenant.
const CLUSTER: &str = "__mimir_cluster";

/// Digits of an identifier: Crockford's base 32.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A block's identifier: 26 digits of base 32, of which the first ten are a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ulid(String);

impl Ulid {
    /// `text` where it is an identifier in upper case, as in keys.
    pub fn parse(text: &str) -> Option<Self> {
        // 26 digits of 5 bits are 130, the identifier has 128: its first digit is at most 7.
        let valid = text.len() == 26 && text.bytes().all(|byte| DIGITS.contains(&byte)) && text < "8";
        valid.then(|| Self(text.to_owned()))
    }

    /// When the identifier was made, milliseconds since the Unix epoch.
    pub fn time_ms(&self) -> u64 {
        let digit = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).unwrap_or_default() as u64;
        self.0.bytes().take(10).fold(0, |time, byte| time << 5 | digit(byte))
    }

    /// The 26 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ulid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Ulid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("expected a ULID, found {text:?}"))
    }
}

impl From<Ulid> for String {
    fn from(ulid: Ulid) -> Self {
        ulid.0
    }
}

/// A block in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// Whose block it is.
    pub tenant: String,
    /// The block's identifier.
    pub ulid: Ulid,
}

impl BlockKey {
    /// Key of one of the block's files.
    pub fn object(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.tenant, self.ulid)
    }
}

/// What an object of the bucket is, told by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MimirObject {
    /// `<tenant>/<ULID>/…`.
    Block(BlockKey, BlockObject),
    /// `<tenant>/bucket-index.json.gz`: the tenant's blocks and markers, written by the compactor.
    BucketIndex {
        /// Whose index it is.
        tenant: String,
    },
    /// `<tenant>/markers/<ULID>-<mark>.json`.
    Marker(BlockKey, Mark),
    /// `<tenant>/markers/tenant-deletion-mark.json`.
    TenantDeletion {
        /// Who is to be deleted.
        tenant: String,
    },
    /// `__mimir_cluster/…`.
    Cluster {
        /// The rest of the key.
        path: String,
    },
    /// Nothing that Mimir is known to write.
    Foreign,
}

/// A file of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockObject {
    /// `meta.json`, written last: without it the block is not there.
    Meta,
    /// `index`.
    Index,
    /// `chunks/NNNNNN`, the number from 1 on.
    Segment(u64),
    /// `<mark>.json`, a copy of the marker.
    Mark(Mark),
    /// `sparse-index-header`, an excerpt of the index.
    SparseIndexHeader,
    /// `uploading-meta.json` and `validation.json`, present while a block is uploaded through the API.
    Upload,
}

/// Something noted about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `deletion-mark`: to be deleted after a delay.
    Deletion,
    /// `no-compact-mark`: to be left as it is.
    NoCompact,
}

impl Mark {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "deletion-mark.json" => Some(Self::Deletion),
            "no-compact-mark.json" => Some(Self::NoCompact),
            _ => None,
        }
    }
}

impl BlockObject {
    fn parse(path: &str) -> Option<Self> {
        match path {
            "meta.json" => Some(Self::Meta),
            "index" => Some(Self::Index),
            "sparse-index-header" => Some(Self::SparseIndexHeader),
            "uploading-meta.json" | "validation.json" => Some(Self::Upload),
            _ => match path.strip_prefix("chunks/") {
                Some(name) => segment_number(name).map(Self::Segment),
                None => Mark::parse(path).map(Self::Mark),
            },
        }
    }
}

/// The number that a segment file is named by: six digits or more, from 1 on.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.len() >= 6 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|number| digits && *number > 0)
}

impl MimirObject {
    /// What the object at `key` is; the key without the bucket's name and without a storage prefix.
    pub fn parse(key: &str) -> Self {
        Self::parse_known(key).unwrap_or(Self::Foreign)
    }

    fn parse_known(key: &str) -> Option<Self> {
        let (tenant, path) = key.split_once('/').filter(|(tenant, path)| !tenant.is_empty() && !path.is_empty())?;
        if tenant == CLUSTER {
            return Some(Self::Cluster { path: path.to_owned() });
        }
        let tenant = tenant.to_owned();
        if path == "bucket-index.json.gz" {
            return Some(Self::BucketIndex { tenant });
        }
        let (folder, path) = path.split_once('/')?;
        if folder != "markers" {
            let ulid = Ulid::parse(folder)?;
            return Some(Self::Block(BlockKey { tenant, ulid }, BlockObject::parse(path)?));
        }
        if path == "tenant-deletion-mark.json" {
            return Some(Self::TenantDeletion { tenant });
        }
        let (ulid, mark) = path.split_once('-')?;
        Some(Self::Marker(BlockKey { tenant, ulid: Ulid::parse(ulid)? }, Mark::parse(mark)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ULID: &str = "01M84TXG8W2CM7R45G8AJ6YRNM";

    fn key() -> BlockKey {
        BlockKey { tenant: "team-a".to_owned(), ulid: Ulid(ULID.to_owned()) }
    }

    #[test]
    fn keys_tell_what_objects_are() {
        let tenant = || "team-a".to_owned();
        for (path, object) in [
            ("meta.json", BlockObject::Meta),
            ("index", BlockObject::Index),
            ("chunks/000001", BlockObject::Segment(1)),
            ("chunks/1000000", BlockObject::Segment(1_000_000)),
            ("deletion-mark.json", BlockObject::Mark(Mark::Deletion)),
            ("no-compact-mark.json", BlockObject::Mark(Mark::NoCompact)),
            ("sparse-index-header", BlockObject::SparseIndexHeader),
            ("uploading-meta.json", BlockObject::Upload),
        ] {
            assert_eq!(MimirObject::parse(&key().object(path)), MimirObject::Block(key(), object), "{path}");
        }
        for (path, object) in [
            ("team-a/bucket-index.json.gz", MimirObject::BucketIndex { tenant: tenant() }),
            ("team-a/markers/tenant-deletion-mark.json", MimirObject::TenantDeletion { tenant: tenant() }),
            (
                "team-a/markers/01M84TXG8W2CM7R45G8AJ6YRNM-deletion-mark.json",
                MimirObject::Marker(key(), Mark::Deletion),
            ),
            (
                "team-a/markers/01M84TXG8W2CM7R45G8AJ6YRNM-no-compact-mark.json",
                MimirObject::Marker(key(), Mark::NoCompact),
            ),
            (
                "__mimir_cluster/mimir_cluster_seed.json",
                MimirObject::Cluster { path: "mimir_cluster_seed.json".to_owned() },
            ),
        ] {
            assert_eq!(MimirObject::parse(path), object, "{path}");
        }
    }

    #[test]
    fn other_keys_are_foreign() {
        for key in [
            "",
            "/",
            "team-a",
            "team-a/",
            "/index",
            "team-a/bucket-index.json",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/chunks/1",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/chunks/000000",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/chunks/00000a",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/chunks/+00001",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNM/notes.txt",
            "team-a/01m84txg8w2cm7r45g8aj6yrnm/index",
            "team-a/81M84TXG8W2CM7R45G8AJ6YRNM/index",
            "team-a/01M84TXG8W2CM7R45G8AJ6YRNU/index",
            "team-a/markers/deletion-mark.json",
            "team-a/markers/01M84TXG8W2CM7R45G8AJ6YRNM-other-mark.json",
        ] {
            assert_eq!(MimirObject::parse(key), MimirObject::Foreign, "{key}");
        }
    }

    #[test]
    fn an_identifier_tells_its_time() {
        assert_eq!(Ulid::parse("00000000000000000000000000").map(|ulid| ulid.time_ms()), Some(0));
        assert_eq!(Ulid::parse("7ZZZZZZZZZ0000000000000000").map(|ulid| ulid.time_ms()), Some((1 << 48) - 1));
        assert_eq!(key().ulid.time_ms(), 1_795_458_777_372);
    }

    proptest! {
        #[test]
        fn any_key_is_something(key in "\\PC{0,80}", ulid in "[0-9A-Z]{26}", name in "\\PC{0,20}") {
            MimirObject::parse(&key);
            MimirObject::parse(&format!("tenant/{ulid}/{name}"));
        }
    }
}
