//! Which keys of a bucket are Loki's. Must not know what is in the objects.

use super::{loki_chunk::ChunkKey, loki_index::IndexKey};

/// What a key in Loki's bucket names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LokiKey {
    /// A chunk.
    Chunk(ChunkKey),
    /// A TSDB index.
    Index(IndexKey),
    /// The identity of the installation, written where usage reports are on (Loki pkg/analytics/reporter.go).
    ClusterSeed,
    /// The requests to delete entries, written where retention is on (Loki pkg/compactor/deletion).
    DeleteRequests,
    /// None of Loki's.
    Foreign,
}

impl LokiKey {
    /// What `key`, without its bucket, names.
    pub fn of(key: &str) -> Self {
        match key {
            "loki_cluster_seed.json" => Self::ClusterSeed,
            "index/delete_requests/delete_requests.gz" | "index/delete_requests/delete_requests.sqlite.gz" => {
                Self::DeleteRequests
            }
            _ => IndexKey::parse(key)
                .map(Self::Index)
                .or_else(|| ChunkKey::parse(key).map(Self::Chunk))
                .unwrap_or(Self::Foreign),
        }
    }
}

/// Whether `key`, without its bucket, is one that Loki writes.
pub fn is_loki_key(key: &str) -> bool {
    LokiKey::of(key) != LokiKey::Foreign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let kind = |key: &str| match LokiKey::of(key) {
            LokiKey::Chunk(_) => "chunk",
            LokiKey::Index(_) => "index",
            LokiKey::ClusterSeed => "cluster seed",
            LokiKey::DeleteRequests => "delete requests",
            LokiKey::Foreign => "foreign",
        };
        for (key, expected) in [
            ("fake/9b9933e62a5293f9/1a209ac6693:1a209ac74a4:6991f34c", "chunk"),
            ("fake/9b9933e62a5293f9:1a209ac6693:1a209ac74a4:6991f34c", "chunk"),
            ("index/loki_index_20780/1795458538-vm-1795458538948528866.tsdb.gz", "index"),
            ("index/loki_index_20780/fake/1795458811-compactor-1795458538395-1795458542000-ab1c2d3.tsdb.gz", "index"),
            ("loki_cluster_seed.json", "cluster seed"),
            ("index/delete_requests/delete_requests.gz", "delete requests"),
            ("index/delete_requests/delete_requests.sqlite.gz", "delete requests"),
            ("index/delete_requests/other", "foreign"),
            ("fake/9b9933e62a5293f9/1a209ac6693:1a209ac74a4", "foreign"),
            ("fake/loki_cluster_seed.json", "foreign"),
            ("index/", "foreign"),
            ("", "foreign"),
        ] {
            assert_eq!(kind(key), expected, "{key}");
            assert_eq!(is_loki_key(key), expected != "foreign", "{key}");
        }
    }
}
