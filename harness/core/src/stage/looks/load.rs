//! Records of a load: counted by their numbers, object by object, none of them kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scene, Told, logs, traces};
use crate::{
    formats::{
        FormatError,
        loki_chunk::{self, ChunkKey},
        tempo_block::{self, BlockFile, BlockKey, TempoObject, TraceId},
    },
    observation::{Evidence, EvidenceKind, Seen},
    ports::{PortError, Principal},
    record::RecordError,
    signal::Signal,
    stimulus::load::{Found, Load, LoadPlan, Numbers},
};

/// Altered records that are named, at most.
const NAMED: usize = 3;

/// Milliseconds by which objects may be older than the load's first record.
const MARGIN_MS: i64 = 60_000;

/// What was counted so far: objects never change, so each is counted once.
pub(super) struct Tally {
    load: Load,
    known: BTreeMap<String, Counted>,
}

/// What one object holds of the load.
#[derive(Default)]
struct Counted {
    numbers: Numbers,
    stream: Option<usize>,
    doubled: u64,
    altered: u64,
    examples: Vec<String>,
    defect: Option<String>,
}

impl Tally {
    pub(super) fn new(plan: LoadPlan) -> Self {
        Self { load: Load::new(plan), known: BTreeMap::new() }
    }

    /// Counts what has come into `bucket` since, and tells all of it.
    pub(super) async fn look(&mut self, scene: &mut Scene<'_>, bucket: &str) -> Result<Told, RecordError> {
        let plan = self.load.plan();
        let since_ms = plan.begin_ns / 1_000_000 - MARGIN_MS;
        let is_traces = plan.signal == Signal::Traces;
        let prefix = if is_traces { traces::TENANT_PREFIX } else { logs::TENANT_PREFIX };
        let objects = match scene.list(bucket, prefix).await {
            Ok(objects) => objects,
            Err(error) => return Ok(Told::Failed(error)),
        };
        let keys: BTreeSet<String> = objects
            .into_iter()
            .filter(|object| match is_traces {
                true => object.modified_ms >= since_ms && meta_of_block(&object.key).is_some(),
                false => ChunkKey::parse(&object.key).is_some_and(|key| key.through_ms >= since_ms),
            })
            .map(|object| object.key)
            .collect();
        self.known.retain(|key, _| keys.contains(key));
        for key in keys.into_iter().filter(|key| !self.known.contains_key(key)).collect::<Vec<_>>() {
            let counted = match meta_of_block(&key) {
                Some(block) => self.count_block(scene, bucket, &key, &block).await,
                None => self.count_chunk(scene, bucket, &key).await,
            };
            match counted {
                Ok(counted) => {
                    self.known.insert(key, counted);
                }
                // The compactor replaces objects.
                Err(PortError::NotFound { .. }) => {}
                Err(error) => return Ok(Told::Failed(error)),
            }
        }
        self.tell(scene, bucket)
    }

    async fn count_chunk(&mut self, scene: &Scene<'_>, bucket: &str, key: &str) -> Result<Counted, PortError> {
        let bytes = scene.ports.objects.get(Principal::Harness, bucket, key).await?;
        let mut found = Vec::new();
        let read = loki_chunk::for_each_entry(&format!("{bucket}/{key}"), &bytes, |entry| {
            found.push(self.load.entry(entry.timestamp_ns, entry.line, entry.structured_metadata.is_empty()));
        });
        Ok(match read {
            Ok(chunk) => {
                let stream = self.load.stream_with(&chunk.labels);
                Counted::of(found, stream, |number| stream == Some(self.load.stream_of(number)))
            }
            Err(error) => Counted::unreadable(&error),
        })
    }

    async fn count_block(
        &mut self,
        scene: &Scene<'_>,
        bucket: &str,
        meta_key: &str,
        block: &BlockKey,
    ) -> Result<Counted, PortError> {
        let objects = &scene.ports.objects;
        let data_key = block.sibling(BlockFile::Data).to_string();
        let meta = objects.get(Principal::Harness, bucket, meta_key).await?;
        let data = objects.get(Principal::Harness, bucket, &data_key).await?;
        let mut found = Vec::new();
        let read = tempo_block::read_meta(&format!("{bucket}/{meta_key}"), &meta).and_then(|meta| {
            let load = &self.load;
            let wanted = |id: &TraceId| load.has_trace(id);
            tempo_block::for_each_span(&format!("{bucket}/{data_key}"), data, Some(&meta), &wanted, |span| {
                found.push(load.span(span));
            })
        });
        Ok(match read {
            Ok(()) => Counted::of(found, None, |_| true),
            Err(error) => Counted::unreadable(&error),
        })
    }

    /// Everything counted, of all objects together.
    fn tell(&self, scene: &mut Scene<'_>, bucket: &str) -> Result<Told, RecordError> {
        let holding: Vec<&Counted> = self.known.values().filter(|counted| counted.holds_some()).collect();
        let ranges = holding.iter().flat_map(|counted| counted.numbers.ranges()).copied().collect();
        let (numbers, doubled) = Numbers::gather(ranges);
        let streams: BTreeSet<usize> = holding.iter().filter_map(|counted| counted.stream).collect();
        let seen = Seen::Numbers {
            body: scene.keeper.keep(numbers.to_string().as_bytes())?,
            count: numbers.len(),
            streams: streams.len(),
            doubled: doubled + holding.iter().map(|counted| counted.doubled).sum::<u64>(),
            altered: holding.iter().map(|counted| counted.altered).sum(),
            examples: holding.iter().flat_map(|counted| &counted.examples).take(NAMED).cloned().collect(),
            defects: self.known.values().filter_map(|counted| counted.defect.clone()).collect(),
        };
        let mut evidence = Evidence::new(EvidenceKind::Object, scene.keeper.unix_ns());
        evidence.object = Some(format!("{bucket}/"));
        evidence.excerpt = Some(format!(
            "{} records of {} in {} of {} objects, each made again from its number and compared",
            numbers.len(),
            self.load.plan().stimulus,
            holding.len(),
            self.known.len()
        ));
        scene.evidence.push(evidence);
        Ok(Told::Seen(seen))
    }
}

impl Counted {
    /// Of what was found in an object that is all in one stream, where there are streams; `belongs` says whether a record does.
    fn of(found: Vec<Found>, stream: Option<usize>, belongs: impl Fn(u64) -> bool) -> Self {
        let mut counted = Self { stream, ..Self::default() };
        let mut whole = Vec::new();
        for found in found {
            match found {
                Found::Foreign => {}
                Found::Whole(number) if belongs(number) => whole.push((number, number)),
                Found::Whole(number) => counted.alter(number, "stream"),
                Found::Altered { number, what } => counted.alter(number, what),
            }
        }
        (counted.numbers, counted.doubled) = Numbers::gather(whole);
        counted
    }

    fn unreadable(error: &FormatError) -> Self {
        Self { defect: Some(error.to_string()), ..Self::default() }
    }

    fn alter(&mut self, number: u64, what: &str) {
        self.altered += 1;
        if self.examples.len() < NAMED {
            self.examples.push(format!("{number} by its {what}"));
        }
    }

    fn holds_some(&self) -> bool {
        !self.numbers.is_empty() || self.altered > 0
    }
}

/// The block that an object is the `meta.json` of.
fn meta_of_block(key: &str) -> Option<BlockKey> {
    match tempo_block::classify(key) {
        TempoObject::Block(block) if block.file == BlockFile::Meta => Some(block),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_counted_by_what_it_holds_of_the_load() {
        let found = vec![
            Found::Whole(3),
            Found::Foreign,
            Found::Whole(4),
            Found::Whole(3),
            Found::Whole(9),
            Found::Altered { number: 7, what: "line" },
        ];
        let counted = Counted::of(found, Some(2), |number| number < 9);
        assert_eq!(counted.numbers.ranges(), [(3, 4)]);
        assert_eq!((counted.doubled, counted.altered, counted.stream), (1, 2, Some(2)));
        assert_eq!(counted.examples, ["9 by its stream", "7 by its line"]);
        assert!(counted.holds_some());
        assert!(!Counted::of(vec![Found::Foreign], Some(0), |_| true).holds_some());
    }
}
