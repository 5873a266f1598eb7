//! Samples: out of blocks, by query.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{super::stimulus::comparable, Cache, Decoded, Scene, Told, selected};
use crate::{
    formats::tsdb_block::{self, BlockKey, BlockObject, Mark, MimirObject},
    observation::{Evidence, EvidenceKind, answers},
    ports::{ObjectSummary, PortError, Principal, QueryRequest},
    record::RecordError,
    signal::{Labels, Sample},
};

/// The tenant of a Mimir without multitenancy.
const TENANT_PREFIX: &str = "anonymous/";

/// The level of a block that the first compaction makes (Prometheus `tsdb/compact.go`).
const COMPACTED: u32 = 2;

/// Which samples of which blocks are looked for.
pub(super) struct Wanted {
    /// Labels of their series.
    pub(super) selector: Labels,
    /// Blocks that end before are left alone, milliseconds since the Unix epoch.
    pub(super) since_ms: i64,
    /// So are blocks that were cut from a head.
    pub(super) compacted: bool,
}

/// Those samples in every block that has a `meta.json` and no deletion mark.
pub(super) async fn blocks(
    scene: &mut Scene<'_>,
    cache: &mut Cache<Sample>,
    bucket: &str,
    wanted: &Wanted,
) -> Result<Told, RecordError> {
    let objects = match scene.list(bucket, TENANT_PREFIX).await {
        Ok(objects) => objects,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let blocks = complete_blocks(&objects);
    cache.retain(&blocks.keys().cloned().collect());
    for (ulid, block) in blocks.iter().filter(|(ulid, _)| !cache.knows(ulid)).collect::<Vec<_>>() {
        match block_samples(scene, bucket, block, wanted).await? {
            Ok(decoded) => {
                cache.known.insert(ulid.clone(), decoded);
            }
            Err(PortError::NotFound { .. }) => {}
            Err(error) => return Ok(Told::Failed(error)),
        }
    }
    cache.tell(scene)
}

/// The keys of one block's objects.
#[derive(Default)]
struct BlockKeys {
    meta: Option<String>,
    index: Option<String>,
    segments: Vec<String>,
    marked: bool,
}

/// Blocks whose upload is complete and that nobody marked for deletion, by their ULID.
fn complete_blocks(objects: &[ObjectSummary]) -> BTreeMap<String, BlockKeys> {
    let mut blocks: BTreeMap<String, BlockKeys> = BTreeMap::new();
    for object in objects {
        match MimirObject::parse(&object.key) {
            MimirObject::Block(BlockKey { ulid, .. }, part) => {
                let block = blocks.entry(ulid.as_str().to_owned()).or_default();
                match part {
                    BlockObject::Meta => block.meta = Some(object.key.clone()),
                    BlockObject::Index => block.index = Some(object.key.clone()),
                    BlockObject::Segment(_) => block.segments.push(object.key.clone()),
                    _ => {}
                }
            }
            MimirObject::Marker(BlockKey { ulid, .. }, Mark::Deletion) => {
                blocks.entry(ulid.as_str().to_owned()).or_default().marked = true;
            }
            _ => {}
        }
    }
    blocks.retain(|_, block| block.meta.is_some() && block.index.is_some() && !block.marked);
    blocks
}

async fn block_samples(
    scene: &Scene<'_>,
    bucket: &str,
    block: &BlockKeys,
    wanted: &Wanted,
) -> Result<Result<Decoded<Sample>, PortError>, RecordError> {
    let (Some(meta_key), Some(index_key)) = (&block.meta, &block.index) else { return Ok(Ok(Decoded::nothing())) };
    let named = |key: &str| format!("{bucket}/{key}");
    let get = async |key: &str| scene.ports.objects.get(Principal::Harness, bucket, key).await;
    let meta_bytes = match get(meta_key).await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let mut evidence = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
    evidence.object = Some(named(meta_key));
    let meta = match tsdb_block::read_meta(&named(meta_key), &meta_bytes) {
        Ok(meta) if meta.max_time < wanted.since_ms || (wanted.compacted && meta.compaction.level < COMPACTED) => {
            return Ok(Ok(Decoded::nothing()));
        }
        Ok(meta) => meta,
        Err(error) => {
            evidence.body = Some(scene.keeper.keep(&meta_bytes)?);
            return Ok(Ok(Decoded::unreadable(error, evidence)));
        }
    };
    let mut parts: Vec<(String, Bytes)> = Vec::new();
    for key in std::iter::once(index_key).chain(&block.segments) {
        match get(key).await {
            Ok(bytes) => parts.push((named(key), bytes)),
            Err(error) => return Ok(Err(error)),
        }
    }
    let segments: Vec<(String, &[u8])> =
        parts.iter().skip(1).map(|(name, bytes)| (name.clone(), bytes.as_ref())).collect();
    let read = match parts.first() {
        Some((name, bytes)) => {
            tsdb_block::read_samples((name, bytes), &segments, |labels| selected(labels, &wanted.selector))
        }
        None => Ok(Vec::new()),
    };
    let samples: Vec<Sample> = match read {
        Ok(samples) if samples.is_empty() => return Ok(Ok(Decoded::nothing())),
        Ok(samples) => samples.into_iter().map(comparable).collect(),
        Err(error) => return Ok(Ok(Decoded::unreadable(error, evidence))),
    };
    evidence.body = Some(scene.keeper.keep(&meta_bytes)?);
    evidence.excerpt =
        Some(format!("block of level {}: {} samples of this stimulus", meta.compaction.level, samples.len()));
    let mut gathered = vec![evidence];
    for (name, bytes) in &parts {
        let mut part = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
        part.object = Some(name.clone());
        part.body = Some(scene.keeper.keep(bytes)?);
        gathered.push(part);
    }
    Ok(Ok(Decoded { records: samples, evidence: gathered, defect: None }))
}

/// Samples of matching series, as remote read answers.
pub(super) async fn query(
    scene: &mut Scene<'_>,
    selector: Labels,
    start_ms: i64,
    end_ms: i64,
) -> Result<Told, RecordError> {
    match scene.ports.query.query(&QueryRequest::Samples { selector, start_ms, end_ms }).await {
        Ok(answer) => scene.answered(answer, |body| Ok(answers::samples(body)?.into_iter().map(comparable).collect())),
        Err(error) => Ok(Told::Failed(error)),
    }
}

/// Samples of matching series, as PromQL answers.
pub(super) async fn promql(
    scene: &mut Scene<'_>,
    selector: Labels,
    start_ms: i64,
    end_ms: i64,
) -> Result<Told, RecordError> {
    match scene.ports.query.query(&QueryRequest::SamplesByPromql { selector, start_ms, end_ms }).await {
        Ok(answer) => scene.answered(answer, answers::promql_samples),
        Err(error) => Ok(Told::Failed(error)),
    }
}
