/// The name of an object under which Loki keeps a TSDB index, `index/<table>/<file>` or, once compacted,
/// `index/<table>/<tenant>/<file>` (Loki pkg/storage/stores/shipper/indexshipper/storage and tsdb/identifier.go).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexKey {
    /// The prefix that the schema gives to tables, such as `loki_index_`.
    pub prefix: String,
    /// The table's day: days since the Unix epoch.
    pub day: u64,
    /// Whose chunks it lists; without one, those of all tenants that the uploader served.
    pub tenant: Option<String>,
    /// Who made the file.
    pub file: IndexFile,
    /// Whether the file is compressed with gzip, as Loki uploads it.
    pub gzip: bool,
}

/// The parts of an index file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexFile {
    /// `<created>-<uploader>.tsdb`, as an ingester makes it.
    Uploaded {
        /// Seconds since the Unix epoch.
        created_s: i64,
        /// The ingester's name and a number of its own.
        uploader: String,
    },
    /// `<created>-compactor-<from>-<through>-<checksum>.tsdb`, as the compactor makes it.
    Compacted {
        /// Since the Unix epoch: nanoseconds, in older files seconds.
        created: i64,
        /// Start of the earliest chunk, milliseconds since the Unix epoch.
        from_ms: i64,
        /// End of the latest chunk, milliseconds since the Unix epoch.
        through_ms: i64,
        /// The index's own checksum, see [`super::Index::checksum`].
        checksum: u32,
    },
}

impl IndexKey {
    /// The key's parts; `None` for a key that is none of a TSDB index.
    pub fn parse(key: &str) -> Option<Self> {
        let (table, rest) = key.strip_prefix("index/")?.split_once('/')?;
        let (tenant, name) = match rest.split_once('/') {
            Some((tenant, name)) if !tenant.is_empty() => (Some(tenant.to_owned()), name),
            Some(_) => return None,
            None => (None, rest),
        };
        let prefix = table.trim_end_matches(|character: char| character.is_ascii_digit());
        let day = table.strip_prefix(prefix)?.parse().ok()?;
        let (name, gzip) = name.strip_suffix(".gz").map_or((name, false), |name| (name, true));
        let file = IndexFile::parse(name.strip_suffix(".tsdb")?)?;
        Some(Self { prefix: prefix.to_owned(), day, tenant, file, gzip })
    }

    /// The key at the end of an object's name, which may begin with a bucket or the folders of a path.
    pub fn of_object(object: &str) -> Option<Self> {
        let start = if object.starts_with("index/") { 0 } else { object.rfind("/index/")? + 1 };
        Self::parse(object.get(start..)?)
    }
}

impl IndexFile {
    fn parse(name: &str) -> Option<Self> {
        let (created, rest) = name.split_once('-')?;
        let created = created.parse().ok()?;
        let compacted = || {
            let mut parts = rest.strip_prefix("compactor-")?.split('-');
            let (from, through, checksum) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() {
                return None;
            }
            Some(Self::Compacted {
                created,
                from_ms: from.parse().ok()?,
                through_ms: through.parse().ok()?,
                checksum: u32::from_str_radix(checksum, 16).ok()?,
            })
        };
        let uploaded = || {
            let named = !rest.is_empty() && !rest.contains('/');
            named.then(|| Self::Uploaded { created_s: created, uploader: rest.to_owned() })
        };
        compacted().or_else(uploaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_parse() {
        let uploaded = IndexKey {
            prefix: "loki_index_".to_owned(),
            day: 20780,
            tenant: None,
            file: IndexFile::Uploaded { created_s: 1_795_458_538, uploader: "vm-1795458538948528866".to_owned() },
            gzip: true,
        };
        let compacted = IndexKey {
            tenant: Some("fake".to_owned()),
            file: IndexFile::Compacted {
                created: 1_795_458_811_012_345_678,
                from_ms: 1_795_458_538_395,
                through_ms: 1_795_458_542_000,
                checksum: 0x0ab1_c2d3,
            },
            ..uploaded.clone()
        };
        let key = "index/loki_index_20780/1795458538-vm-1795458538948528866.tsdb.gz";
        for object in [key.to_owned(), format!("bucket/{key}"), format!("a/index/{key}")] {
            assert_eq!(IndexKey::of_object(&object), Some(uploaded.clone()), "{object}");
        }
        let key =
            "index/loki_index_20780/fake/1795458811012345678-compactor-1795458538395-1795458542000-ab1c2d3.tsdb.gz";
        assert_eq!(IndexKey::parse(key), Some(compacted.clone()));
        let plain = key.strip_suffix(".gz").and_then(IndexKey::parse);
        assert_eq!(plain, Some(IndexKey { gzip: false, ..compacted }));
    }

    #[test]
    fn other_keys_are_no_index() {
        for key in [
            "",
            "index",
            "index/loki_index_20780",
            "index/loki_index_20780/",
            "index/loki_index_/1-a.tsdb.gz",
            "index/loki_index_20780/1.tsdb.gz",
            "index/loki_index_20780/1-.tsdb.gz",
            "index/loki_index_20780/x-a.tsdb.gz",
            "index/loki_index_20780/1-a.gz",
            "index/loki_index_20780//1-a.tsdb.gz",
            "index/loki_index_20780/fake/more/1-a.tsdb.gz",
            "index/delete_requests/delete_requests.gz",
            "other/loki_index_20780/1-a.tsdb.gz",
            "fake/1/2:3:4",
        ] {
            assert_eq!(IndexKey::parse(key), None, "{key}");
        }
    }
}
