//! Spans: out of blocks, by query.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Cache, Decoded, Scene, Told};
use crate::{
    formats::tempo_block::{self, BlockFile, BlockKey, TempoObject, TraceId},
    observation::{Evidence, EvidenceKind, Facts, answers},
    ports::{Component, PortError, Principal, QueryRequest, TraceSource},
    record::RecordError,
    signal::{Labels, Span},
};

/// The tenant of a Tempo without multitenancy.
pub(super) const TENANT_PREFIX: &str = "single-tenant/";

/// Which spans of which blocks are looked for.
pub(super) struct Wanted {
    traces: BTreeSet<TraceId>,
    /// Blocks that were written before are left alone, seconds since the Unix epoch.
    since_s: i64,
    /// So are blocks that an ingester wrote.
    compacted: bool,
}

impl Wanted {
    pub(super) fn new(trace_ids: &[String], since_s: i64, compacted: bool) -> Self {
        Self { traces: trace_ids.iter().filter_map(|id| trace_id(id)).collect(), since_s, compacted }
    }
}

/// Those spans in every block that has a `meta.json`.
pub(super) async fn blocks(
    scene: &mut Scene<'_>,
    cache: &mut Cache<Span>,
    bucket: &str,
    wanted: &Wanted,
) -> Result<Told, RecordError> {
    let objects = match scene.list(bucket, TENANT_PREFIX).await {
        Ok(objects) => objects,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let complete: BTreeMap<String, BlockKey> = objects
        .iter()
        .filter(|object| object.modified_ms >= wanted.since_s.saturating_mul(1000))
        .filter_map(|object| match tempo_block::classify(&object.key) {
            TempoObject::Block(key) if key.file == BlockFile::Meta => Some((object.key.clone(), key)),
            _ => None,
        })
        .collect();
    cache.retain(&complete.keys().cloned().collect());
    for (meta_key, block) in complete.iter().filter(|(key, _)| !cache.knows(key)).collect::<Vec<_>>() {
        match block_spans(scene, bucket, meta_key, block, wanted).await? {
            Ok(decoded) => {
                cache.known.insert(meta_key.clone(), decoded);
            }
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Ok(Told::Failed(error)),
        }
    }
    cache.tell(scene)
}

/// Traces that a search tells, at most.
const SEARCH_LIMIT: usize = 1000;

/// Facts: `found` (the ids of the traces that a search finds, in order).
pub(super) async fn search(
    scene: &mut Scene<'_>,
    attributes: Labels,
    start_s: i64,
    end_s: i64,
) -> Result<Told, RecordError> {
    let request = QueryRequest::TraceSearch { attributes, start_s, end_s, limit: SEARCH_LIMIT };
    let answer = match scene.ports.query.query(&request).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => return scene.refused(answer),
        Err(error) => return Ok(Told::Failed(error)),
    };
    match scene.read(answer, answers::trace_ids)? {
        Ok(found) => Ok(scene.facts(Facts::from([("found".to_owned(), json!(found))]))),
        Err(reason) => Ok(Told::Failed(PortError::Refused { target: Component::Tempo.to_string(), reason })),
    }
}

async fn block_spans(
    scene: &Scene<'_>,
    bucket: &str,
    meta_key: &str,
    block: &BlockKey,
    wanted: &Wanted,
) -> Result<Result<Decoded<Span>, PortError>, RecordError> {
    let objects = &scene.ports.objects;
    let data_key = block.sibling(BlockFile::Data).to_string();
    let (meta_bytes, data) = match (
        objects.get(Principal::Harness, bucket, meta_key).await,
        objects.get(Principal::Harness, bucket, &data_key).await,
    ) {
        (Ok(meta), Ok(data)) => (meta, data),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let mut evidence = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
    evidence.object = Some(format!("{bucket}/{data_key}"));
    let name = format!("{bucket}/{data_key}");
    let read = tempo_block::read_meta(&format!("{bucket}/{meta_key}"), &meta_bytes).and_then(|meta| {
        tempo_block::read_spans_of(&name, data.clone(), Some(&meta), &wanted.traces).map(|found| (meta, found))
    });
    let (meta, found) = match read {
        Ok(read) => read,
        Err(error) => {
            evidence.body = Some(scene.keeper.keep(&data)?);
            return Ok(Ok(Decoded::unreadable(error, evidence)));
        }
    };
    if found.spans.is_empty() || (wanted.compacted && meta.compaction_level == 0) {
        return Ok(Ok(Decoded::nothing()));
    }
    evidence.body = Some(scene.keeper.keep(&data)?);
    evidence.excerpt = Some(format!(
        "block {} of {} traces, of level {}, {}{}: {} spans of this stimulus",
        block.block_id,
        meta.total_objects,
        meta.compaction_level,
        meta.format,
        if found.tested { "" } else { " (a version that is not tested)" },
        found.spans.len()
    ));
    let mut meta_evidence = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
    meta_evidence.object = Some(format!("{bucket}/{meta_key}"));
    meta_evidence.body = Some(scene.keeper.keep(&meta_bytes)?);
    Ok(Ok(Decoded { records: found.spans, evidence: vec![meta_evidence, evidence], defect: None }))
}

/// Spans of `trace_ids`, asked for one by one.
pub(super) async fn query(scene: &mut Scene<'_>, trace_ids: &[String], store_only: bool) -> Result<Told, RecordError> {
    let source = if store_only { TraceSource::Blocks } else { TraceSource::Any };
    let mut spans = Vec::new();
    let mut defects = Vec::new();
    for trace_id in trace_ids {
        let request = QueryRequest::Trace { trace_id: trace_id.clone(), source };
        let answer = match scene.ports.query.query(&request).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Told::Failed(error)),
        };
        // Tempo answers 404 for a trace that it does not have.
        match answer.status {
            404 => scene.note(answer)?,
            200 => match scene.read(answer, answers::spans)? {
                Ok(found) => spans.extend(found),
                Err(defect) => defects.push(defect),
            },
            _ => return scene.refused(answer),
        }
    }
    scene.records(spans, defects)
}

/// A trace id of 32 hex digits as bytes.
fn trace_id(text: &str) -> Option<TraceId> {
    hex::decode(text).ok()?.try_into().ok()
}
