use std::{fmt, str::FromStr};

/// What an object of Tempo's bucket is, by its key (Tempo tempodb/backend: raw.go, keypath).
///
/// Keys are relative to the configured prefix, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TempoObject {
    /// Part of a block.
    Block(BlockKey),
    /// `<tenant>/index.json.gz` or `<tenant>/index.pb.zst`: the list of a tenant's blocks, rewritten at every poll.
    TenantIndex {
        /// Whose blocks.
        tenant: String,
    },
    /// `tempo_cluster_seed.json`: the usage report's identity, at the bucket's root.
    ClusterSeed,
    /// Nothing that Tempo is known to write.
    Foreign,
}

/// The key of one object of a block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    /// The tenant; `single-tenant` where multitenancy is off.
    pub tenant: String,
    /// The block's UUID, 36 lowercase characters.
    pub block_id: String,
    /// Which of the block's objects.
    pub file: BlockFile,
}

/// The objects of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockFile {
    /// `meta.json`, written last: its presence means that the block is complete.
    Meta,
    /// `meta.compacted.json`, which replaces `meta.json` once the block's spans are in a compacted block; the same
    /// content.
    CompactedMeta,
    /// `data.parquet`, the spans.
    Data,
    /// `bloom-<n>`, one shard of the filter of trace ids.
    Bloom(u32),
    /// `index`, the greatest trace id of every row group.
    Index,
}

impl fmt::Display for BlockFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => formatter.write_str("meta.json"),
            Self::CompactedMeta => formatter.write_str("meta.compacted.json"),
            Self::Data => formatter.write_str("data.parquet"),
            Self::Bloom(shard) => write!(formatter, "bloom-{shard}"),
            Self::Index => formatter.write_str("index"),
        }
    }
}

impl FromStr for BlockFile {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let file = match name {
            "meta.json" => Self::Meta,
            "meta.compacted.json" => Self::CompactedMeta,
            "data.parquet" => Self::Data,
            "index" => Self::Index,
            other => Self::Bloom(other.strip_prefix("bloom-").and_then(|shard| shard.parse().ok()).ok_or(())?),
        };
        // `bloom-01` and `bloom-+1` parse as numbers but are no keys of Tempo's.
        if file.to_string() == name { Ok(file) } else { Err(()) }
    }
}

impl fmt::Display for BlockKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.tenant, self.block_id, self.file)
    }
}

impl BlockKey {
    /// The key of another object of the same block.
    pub fn sibling(&self, file: BlockFile) -> Self {
        Self { file, ..self.clone() }
    }
}

/// Says what an object is by its key; no key is an error, an unknown one is [`TempoObject::Foreign`].
pub fn classify(key: &str) -> TempoObject {
    let parts: Vec<&str> = key.split('/').collect();
    match parts[..] {
        ["tempo_cluster_seed.json"] => TempoObject::ClusterSeed,
        [tenant, "index.json.gz" | "index.pb.zst"] if !tenant.is_empty() => {
            TempoObject::TenantIndex { tenant: tenant.to_owned() }
        }
        [tenant, block, file] if !tenant.is_empty() && is_uuid(block) => match file.parse() {
            Ok(file) => TempoObject::Block(BlockKey { tenant: tenant.to_owned(), block_id: block.to_owned(), file }),
            Err(()) => TempoObject::Foreign,
        },
        _ => TempoObject::Foreign,
    }
}

/// Whether `text` is a UUID as Go's `uuid.UUID` prints it.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: &str = "3dd57bc5-3f00-4897-89b7-9e26f68dd1d1";

    #[test]
    fn keys_of_a_block_say_which_object_they_are() {
        for (name, file) in [
            ("meta.json", BlockFile::Meta),
            ("meta.compacted.json", BlockFile::CompactedMeta),
            ("data.parquet", BlockFile::Data),
            ("bloom-0", BlockFile::Bloom(0)),
            ("bloom-17", BlockFile::Bloom(17)),
            ("index", BlockFile::Index),
        ] {
            let key = BlockKey { tenant: "single-tenant".into(), block_id: BLOCK.into(), file };
            assert_eq!(key.to_string(), format!("single-tenant/{BLOCK}/{name}"));
            assert_eq!(classify(&key.to_string()), TempoObject::Block(key));
        }
    }

    #[test]
    fn other_objects_of_tempo_are_known() {
        assert_eq!(classify("tempo_cluster_seed.json"), TempoObject::ClusterSeed);
        for index in ["index.json.gz", "index.pb.zst"] {
            assert_eq!(classify(&format!("a/{index}")), TempoObject::TenantIndex { tenant: "a".into() });
        }
    }

    #[test]
    fn everything_else_is_foreign() {
        for key in [
            "",
            "/",
            "index.json.gz",
            "/index.json.gz",
            "a/tempo_cluster_seed.json",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d/meta.json",
            "a/3DD57BC5-3F00-4897-89B7-9E26F68DD1D1/meta.json",
            "a/3dd57bc5x3f00-4897-89b7-9e26f68dd1d1/meta.json",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/bloom-",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/bloom-01",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/bloom-+1",
            "a/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/data.parquet/x",
            "/3dd57bc5-3f00-4897-89b7-9e26f68dd1d1/data.parquet",
        ] {
            assert_eq!(classify(key), TempoObject::Foreign, "{key}");
        }
    }

    proptest! {
        #[test]
        fn a_key_that_is_a_blocks_prints_as_it_was(key in "[a-z/.0-9-]{0,70}") {
            if let TempoObject::Block(found) = classify(&key) {
                prop_assert_eq!(found.to_string(), key);
            }
        }
    }
}
