//! When records can reach the bucket, and what may answer instead of it, read off the configuration that a component says it runs with.
//! Must not know what was measured.

mod duration;

pub(crate) use duration::parse as parse_duration;

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use crate::{ports::Component, signal::Signal};

/// What a live configuration says about persistence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// No record can be in the bucket earlier than this after its push.
    pub earliest: Duration,
    /// Every record should be there by then, as long as the component is not overloaded.
    pub latest: Duration,
    /// The settings that decide it, as `name=value`.
    pub settings: Vec<String>,
    /// The bucket.
    pub bucket: Option<String>,
}

/// Time for the upload itself, after every timer has run out.
const UPLOAD: Duration = Duration::from_secs(5);

/// Reads the configuration (YAML, as `/config` prints it) of the component that takes records of `signal`. `None` where it does not
/// say what is needed.
pub fn persistence(signal: Signal, configuration: &[u8]) -> Option<Persistence> {
    let settings = Settings::read(configuration)?;
    match signal {
        Signal::Logs => loki(settings),
        Signal::Traces => tempo(settings),
        Signal::Metrics => mimir(settings),
    }
}

/// The bucket that a component which takes records of `signal` says it uses.
pub fn configured_bucket(signal: Signal, configuration: &[u8]) -> Option<String> {
    Settings::read(configuration)?.bucket(signal)
}

/// The addresses of S3 stores in a component's configuration, wherever in it: the `endpoint` of each section called `s3` or, in Loki's
/// older places, `aws`.
pub fn store_addresses(configuration: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = Settings::read(configuration).map(|settings| settings.root);
    let mut open: Vec<&Value> = root.iter().collect();
    while let Some(value) = open.pop() {
        let sections = value.as_object().into_iter().flatten();
        for (name, section) in sections {
            let endpoint = section.get("endpoint").and_then(Value::as_str).filter(|endpoint| !endpoint.is_empty());
            found.extend(endpoint.filter(|_| ["s3", "aws"].contains(&name.as_str())).map(str::to_owned));
            open.push(section);
        }
        open.extend(value.as_array().into_iter().flatten());
    }
    found
}

/// The target that a component says it runs.
pub fn configured_target(configuration: &[u8]) -> Option<String> {
    Settings::read(configuration)?.target()
}

/// The OTLP receivers that a component's configuration enables, as `otlp/grpc`: the protocols with a section of their own (Tempo,
/// `distributor.receivers`).
pub fn otlp_receivers(configuration: &[u8]) -> Vec<String> {
    let settings = Settings::read(configuration);
    let protocols =
        settings.as_ref().and_then(|settings| settings.at("distributor.receivers.otlp.protocols")?.as_object());
    protocols
        .into_iter()
        .flatten()
        .filter(|(_, section)| section.is_object())
        .map(|(protocol, _)| format!("otlp/{protocol}"))
        .collect()
}

/// How many ingesters a component that takes records of `signal` says it writes each record to.
pub fn replication_factor(signal: Signal, configuration: &[u8]) -> Option<u64> {
    Settings::read(configuration)?.at(factor_setting(signal))?.as_u64()
}

/// Where a component that takes records of `signal` is told how many ingesters it writes each record to.
pub(crate) fn factor_setting(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "common.replication_factor",
        Signal::Traces => "ingester.lifecycler.ring.replication_factor",
        Signal::Metrics => "ingester.ring.replication_factor",
    }
}

/// Where it is told its bucket.
pub(crate) fn bucket_setting(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "common.storage.s3.bucketnames",
        Signal::Traces => "storage.trace.s3.bucket",
        Signal::Metrics => "blocks_storage.s3.bucket_name",
    }
}

/// What a configuration that is read already says at such a place.
pub(crate) fn setting_at<'a>(configuration: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(configuration, |value, key| value.get(key))
}

/// How long Tempo keeps blocks before its compactor deletes them.
pub fn tempo_retention(configuration: &[u8]) -> Option<Duration> {
    Settings::read(configuration)?.duration("compactor.compaction.block_retention")
}

/// How long a component keeps on its disk what it has brought into the bucket: Loki until its write-ahead log was cut twice, which it is
/// behind a checkpoint (Loki `pkg/ingester/checkpoint.go`), Tempo a completed block.
pub fn kept_locally(component: Component, configuration: &[u8]) -> Option<Duration> {
    let mut settings = Settings::read(configuration)?;
    match component {
        Component::LokiWrite => Some(settings.told_duration("ingester.wal.checkpoint_duration")? * 2),
        Component::Tempo => settings.told_duration("ingester.complete_block_timeout"),
        _ => None,
    }
}

/// The caches that are on of those that can hold answers, or data that answers are made of, between two queries; `None` where the
/// configuration does not say. What a component has on its own disk to find data by, an index, is none.
pub fn caches(signal: Signal, configuration: &[u8]) -> Option<Vec<String>> {
    let settings = Settings::read(configuration)?;
    match signal {
        Signal::Logs => settings.loki_caches(),
        Signal::Traces => settings.tempo_caches(),
        Signal::Metrics => settings.mimir_caches(),
    }
}

/// A chunk is flushed when its stream was idle for `chunk_idle_period`; a sweep finds it every `flush_check_period`, give or take a
/// fifth (Loki `pkg/ingester/flush.go`). `max_chunk_age` compares the times of a chunk's own entries, so a single push that spans
/// less never gets old by it.
fn loki(mut settings: Settings) -> Option<Persistence> {
    let idle = settings.told_duration("ingester.chunk_idle_period")?;
    let check = settings.told_duration("ingester.flush_check_period")?;
    let bucket = settings.bucket(Signal::Logs);
    Some(Persistence { earliest: idle, latest: idle + check.mul_f64(1.2) + UPLOAD, settings: settings.told, bucket })
}

/// A trace is cut into the head block when it was idle for `trace_idle_period`, the head block is cut when `max_block_duration` has
/// passed since the cut before, and then completed and flushed; each found by a sweep (Tempo `modules/ingester/flush.go`).
fn tempo(mut settings: Settings) -> Option<Persistence> {
    let idle = settings.told_duration("ingester.trace_idle_period")?;
    let block = settings.told_duration("ingester.max_block_duration")?;
    let check = settings.told_duration("ingester.flush_check_period")?;
    let bucket = settings.bucket(Signal::Traces);
    Some(Persistence { earliest: idle, latest: idle + block + check * 3 + UPLOAD, settings: settings.told, bucket })
}

/// The head is compacted when it spans one and a half block ranges or was idle for `head_compaction_idle_timeout`, which is
/// lengthened at random by up to a quarter, looked at every `head_compaction_interval`; the shipper follows every `ship_interval`
/// (Mimir `pkg/ingester/ingester.go`).
fn mimir(mut settings: Settings) -> Option<Persistence> {
    let idle = settings.told_duration("blocks_storage.tsdb.head_compaction_idle_timeout")?;
    let check = settings.told_duration("blocks_storage.tsdb.head_compaction_interval")?;
    let ship = settings.told_duration("blocks_storage.tsdb.ship_interval")?;
    let bucket = settings.bucket(Signal::Metrics);
    let latest = idle.mul_f64(1.25) + check * 2 + ship + UPLOAD;
    Some(Persistence { earliest: Duration::ZERO, latest, settings: settings.told, bucket })
}

struct Settings {
    root: Value,
    told: Vec<String>,
}

impl Settings {
    fn read(configuration: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(configuration).ok()?;
        // Tempo writes the request's own line and a document marker before the configuration.
        let text = text.split_once("\n---\n").map_or(text, |(_, document)| document);
        let root = serde_saphyr::from_str(text).ok()?;
        Some(Self { root, told: Vec::new() })
    }

    fn at(&self, path: &str) -> Option<&Value> {
        setting_at(&self.root, path)
    }

    fn duration(&self, path: &str) -> Option<Duration> {
        duration::parse(self.at(path)?.as_str()?)
    }

    /// The setting, noted as one that decides.
    fn told_duration(&mut self, path: &str) -> Option<Duration> {
        let text = self.at(path)?.as_str()?.to_owned();
        self.told.push(format!("{path}={text}"));
        duration::parse(&text)
    }

    /// A results cache needs its switch. The chunk cache is on wherever one is configured, and Loki configures one where nobody does; one
    /// in its own memory that may hold nothing is never made (Loki `pkg/storage/chunk/cache`).
    fn loki_caches(&self) -> Option<Vec<String>> {
        let mut caches = Vec::new();
        for switch in ["cache_results", "cache_index_stats_results"] {
            if self.at("query_range")?.get(switch)?.as_bool()? {
                caches.push(format!("query_range.{switch}"));
            }
        }
        for place in ["chunk_cache_config", "chunk_cache_config_l2"] {
            let cache = self.at("chunk_store_config")?.get(place)?;
            let embedded = cache.get("embedded_cache")?;
            let size = |name: &str| embedded.get(name).and_then(Value::as_u64).unwrap_or(0);
            // The switch is left out of what is printed where it is off.
            let on = embedded.get("enabled").and_then(Value::as_bool).unwrap_or(false);
            let text = |path: &str| cache.pointer(path).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if (on && size("max_size_mb") + size("max_size_items") > 0)
                || ["/memcached_client/host", "/memcached_client/addresses", "/redis/endpoint"].into_iter().any(text)
            {
                caches.push(format!("chunk_store_config.{place}"));
            }
        }
        Some(caches)
    }

    /// Tempo has the caches that are listed, each with its roles (Tempo `modules/cache`).
    fn tempo_caches(&self) -> Option<Vec<String>> {
        let listed = match self.at("cache")?.get("caches")? {
            Value::Null => &Vec::new(),
            listed => listed.as_array()?,
        };
        Some(listed.iter().map(|cache| format!("cache.caches: {}", cache.get("roles").unwrap_or(cache))).collect())
    }

    /// Results have a switch, blocks' chunks a backend that is none where nobody sets it (Mimir `pkg/frontend/querymiddleware`,
    /// `pkg/storage/tsdb`).
    fn mimir_caches(&self) -> Option<Vec<String>> {
        let mut caches = Vec::new();
        if self.at("frontend.cache_results")?.as_bool()? {
            caches.push("frontend.cache_results".to_owned());
        }
        if !self.at("blocks_storage.bucket_store.chunks_cache.backend")?.as_str()?.is_empty() {
            caches.push("blocks_storage.bucket_store.chunks_cache".to_owned());
        }
        Some(caches)
    }

    fn target(&self) -> Option<String> {
        match self.at("target")? {
            // Mimir takes several, and tells a list.
            Value::Array(targets) => Some(targets.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
            target => target.as_str().map(str::to_owned),
        }
    }

    fn bucket(&self, signal: Signal) -> Option<String> {
        self.at(bucket_setting(signal))?.as_str().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOKI: &[u8] = b"common:\n  storage:\n    s3:\n      bucketnames: loki-chunks\n\
        ingester:\n  chunk_idle_period: 10m0s\n  flush_check_period: 30s\n";

    #[test]
    fn loki_persists_once_a_stream_is_idle() {
        let persistence = persistence(Signal::Logs, LOKI).unwrap();
        assert_eq!(persistence.earliest, Duration::from_secs(600));
        assert_eq!(persistence.latest, Duration::from_secs(641));
        assert_eq!(persistence.bucket.as_deref(), Some("loki-chunks"));
        assert_eq!(persistence.settings[0], "ingester.chunk_idle_period=10m0s");
    }

    #[test]
    fn addresses_are_found_wherever_a_store_is_configured() {
        let text = "common: {storage: {s3: {endpoint: 'store:9000'}, gcs: {endpoint: gone}}}\n\
            ruler: {storage: {s3: {endpoint: ''}}}\nschema: [{aws: {endpoint: 'other:9000', s3: {endpoint: 'store:9000'}}}]\n";
        assert_eq!(store_addresses(text.as_bytes()).into_iter().collect::<Vec<_>>(), ["other:9000", "store:9000"]);
        assert!(store_addresses(b"no configuration").is_empty());
    }

    #[test]
    fn a_receiver_is_enabled_by_a_section() {
        for (protocols, expected) in [
            ("{grpc: {endpoint: '0.0.0.0:4317'}, http: {endpoint: '0.0.0.0:4318'}}", &["otlp/grpc", "otlp/http"][..]),
            ("{grpc: {}}", &["otlp/grpc"]),
            ("{grpc: null, http: {}}", &["otlp/http"]),
            ("{}", &[]),
        ] {
            let text = format!("distributor: {{receivers: {{otlp: {{protocols: {protocols}}}}}}}");
            assert_eq!(otlp_receivers(text.as_bytes()), expected, "{protocols}");
        }
        assert!(otlp_receivers(b"distributor: {receivers: {zipkin: {}}}").is_empty());
    }

    #[test]
    fn a_configuration_that_does_not_say_predicts_nothing() {
        for text in
            [&b"ingester: {}"[..], b"", b"- a", b"\xff", b"ingester: {chunk_idle_period: soon, flush_check_period: 1s}"]
        {
            assert_eq!(persistence(Signal::Logs, text), None);
        }
    }
}
