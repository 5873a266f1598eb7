//! Log entries: out of chunk objects, out of the chunks that the index lists, by query.

use std::collections::BTreeSet;

use super::{Cache, Decoded, Scene, Told, selected};
use crate::{
    formats::{
        loki_chunk::{self, ChunkKey},
        loki_index::{self, Index, IndexKey},
    },
    observation::{Evidence, EvidenceKind, answers},
    ports::{PortError, Principal, QueryRequest},
    record::RecordError,
    signal::{Labels, LogEntry},
};

/// The tenant of a Loki without authentication.
pub(super) const TENANT_PREFIX: &str = "fake/";

/// Everything under which index objects lie.
const INDEX_PREFIX: &str = "index/";

/// Entries of matching streams in every chunk object that ends at `since_ms` or later.
pub(super) async fn chunks(
    scene: &mut Scene<'_>,
    cache: &mut Cache<LogEntry>,
    bucket: &str,
    selector: &Labels,
    since_ms: i64,
) -> Result<Told, RecordError> {
    chunks_where(scene, cache, bucket, selector, since_ms, |_| true).await
}

/// As [`chunks`], limited to those that an index object in the bucket lists.
pub(super) async fn indexed_chunks(
    scene: &mut Scene<'_>,
    cache: &mut Cache<LogEntry>,
    bucket: &str,
    selector: &Labels,
    since_ms: i64,
) -> Result<Told, RecordError> {
    let objects = match scene.list(bucket, INDEX_PREFIX).await {
        Ok(objects) => objects,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut indexes: Vec<Index> = Vec::new();
    for object in
        objects.iter().filter(|object| object.modified_ms >= since_ms && IndexKey::parse(&object.key).is_some())
    {
        let name = format!("{bucket}/{}", object.key);
        let bytes = match scene.ports.objects.get(Principal::Harness, bucket, &object.key).await {
            Ok(bytes) => bytes,
            // The compactor replaces index objects: one that is gone by now is listed under another name next time.
            Err(PortError::NotFound { .. }) => continue,
            Err(error) => return Ok(Told::Failed(error)),
        };
        match loki_index::read(&name, &bytes) {
            Ok(index) => {
                if index.series.iter().any(|series| selected(&series.labels, selector)) {
                    let mut evidence = object_evidence(scene, &name);
                    evidence.body = Some(scene.keeper.keep(&bytes)?);
                    evidence.excerpt = Some(format!("index of {} series", index.series.len()));
                    scene.evidence.push(evidence);
                    indexes.push(index);
                }
            }
            Err(error) => return scene.records(Vec::<LogEntry>::new(), vec![error.to_string()]),
        }
    }
    chunks_where(scene, cache, bucket, selector, since_ms, |key| indexes.iter().any(|index| index.find(key).is_some()))
        .await
}

async fn chunks_where(
    scene: &mut Scene<'_>,
    cache: &mut Cache<LogEntry>,
    bucket: &str,
    selector: &Labels,
    since_ms: i64,
    wanted: impl Fn(&ChunkKey) -> bool,
) -> Result<Told, RecordError> {
    let objects = match scene.list(bucket, TENANT_PREFIX).await {
        Ok(objects) => objects,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let keys: BTreeSet<String> = objects
        .into_iter()
        .filter(|object| ChunkKey::parse(&object.key).is_some_and(|key| key.through_ms >= since_ms && wanted(&key)))
        .map(|object| object.key)
        .collect();
    cache.retain(&keys);
    for key in keys.into_iter().filter(|key| !cache.knows(key)).collect::<Vec<_>>() {
        match scene.ports.objects.get(Principal::Harness, bucket, &key).await {
            Ok(bytes) => {
                let name = format!("{bucket}/{key}");
                let decoded = decode(scene, &name, &bytes, selector)?;
                cache.known.insert(key, decoded);
            }
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Ok(Told::Failed(error)),
        }
    }
    cache.tell(scene)
}

fn decode(scene: &Scene<'_>, name: &str, bytes: &[u8], selector: &Labels) -> Result<Decoded<LogEntry>, RecordError> {
    let mut evidence = object_evidence(scene, name);
    let chunk = match loki_chunk::read(name, bytes) {
        Ok(chunk) => chunk,
        Err(error) => {
            evidence.body = Some(scene.keeper.keep(bytes)?);
            return Ok(Decoded::unreadable(error, evidence));
        }
    };
    if !selected(&chunk.metadata.labels, selector) {
        return Ok(Decoded::nothing());
    }
    evidence.body = Some(scene.keeper.keep(bytes)?);
    evidence.excerpt = Some(format!("chunk of {} entries, {} bytes", chunk.entries.len(), bytes.len()));
    Ok(Decoded { records: chunk.entries, evidence: vec![evidence], defect: None })
}

fn object_evidence(scene: &Scene<'_>, name: &str) -> Evidence {
    let mut evidence = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
    evidence.object = Some(name.to_owned());
    evidence
}

/// Entries of matching streams, as the query API answers.
pub(super) async fn query(
    scene: &mut Scene<'_>,
    selector: Labels,
    start_ns: i64,
    end_ns: i64,
    store_only: bool,
) -> Result<Told, RecordError> {
    let request = QueryRequest::LogEntries { selector, start_ns, end_ns, store_only };
    match scene.ports.query.query(&request).await {
        Ok(answer) => scene.answered(answer, answers::log_entries),
        Err(error) => Ok(Told::Failed(error)),
    }
}
