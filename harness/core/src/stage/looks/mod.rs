//! Looks at the stack through the ports. One file a kind of thing looked at; what is seen is told, never judged.

mod access;
mod buckets;
mod counts;
mod deployment;
mod disclosures;
mod interfaces;
mod load;
mod logs;
mod metrics;
mod readers;
mod requests;
mod traces;
mod trust;
mod usage;
mod workloads;

pub(super) use counts::count;
pub(super) use workloads::lines_about_the_store;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;

use super::keeper::Keeper;
use crate::{
    observation::{Evidence, EvidenceKind, Facts, Look, Observation, Seen, answers::AnswerError},
    ports::{Answer, Component, ObjectSummary, PortError, Ports, Principal, QueryRequest},
    record::RecordError,
    signal::{Labels, LogEntry, Sample, SignalRecord, Span},
};

/// A look that remembers what it has decoded: objects never change, so each is fetched once.
pub(super) struct Glass {
    look: Look,
    entries: Cache<LogEntry>,
    spans: Cache<Span>,
    samples: Cache<Sample>,
    tally: Option<load::Tally>,
    /// Nobody can look that way on this target, so there is no use in looking again.
    pub(super) impossible: bool,
}

/// What came of looking, before it is told as an observation.
enum Told {
    Seen(Seen),
    Failed(PortError),
}

impl Glass {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            entries: Cache::default(),
            spans: Cache::default(),
            samples: Cache::default(),
            tally: None,
            impossible: false,
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self, ports: &Ports, keeper: Keeper<'_>) -> Result<Observation, RecordError> {
        let sent = ports.clock.now();
        let mut scene = Scene { ports, keeper, evidence: Vec::new() };
        let told = match self.look.clone() {
            Look::LogChunks { bucket, selector, since_ms } => {
                logs::chunks(&mut scene, &mut self.entries, &bucket, &selector, since_ms).await?
            }
            Look::IndexedLogChunks { bucket, selector, since_ms } => {
                logs::indexed_chunks(&mut scene, &mut self.entries, &bucket, &selector, since_ms).await?
            }
            Look::LogQuery { selector, start_ns, end_ns, store_only } => {
                logs::query(&mut scene, selector, start_ns, end_ns, store_only).await?
            }
            Look::TraceBlocks { bucket, trace_ids, since_s, compacted } => {
                let wanted = traces::Wanted::new(&trace_ids, since_s, compacted);
                traces::blocks(&mut scene, &mut self.spans, &bucket, &wanted).await?
            }
            Look::TraceQuery { trace_ids, store_only } => traces::query(&mut scene, &trace_ids, store_only).await?,
            Look::SampleBlocks { bucket, selector, since_ms, compacted } => {
                let wanted = metrics::Wanted { selector, since_ms, compacted };
                metrics::blocks(&mut scene, &mut self.samples, &bucket, &wanted).await?
            }
            Look::Load { bucket, plan } => {
                let tally = self.tally.get_or_insert_with(|| load::Tally::new(plan));
                tally.look(&mut scene, &bucket).await?
            }
            Look::Memory { asked, sampled } => usage::memory(&mut scene, &asked, &sampled).await,
            Look::Storage { buckets, folders, offered, allowance } => {
                usage::storage(&mut scene, &buckets, &folders, offered, allowance).await
            }
            Look::SampleQuery { selector, start_ms, end_ms } => {
                metrics::query(&mut scene, selector, start_ms, end_ms).await?
            }
            Look::PromqlQuery { selector, start_ms, end_ms } => {
                metrics::promql(&mut scene, selector, start_ms, end_ms).await?
            }
            Look::Asked { question } => counts::asked(&mut scene, &question).await?,
            Look::Caches { signal, component } => counts::caches(&mut scene, signal, component).await?,
            Look::BucketUse { bucket, component, others } => {
                buckets::usage(&mut scene, &bucket, component, &others).await?
            }
            Look::BucketVersions { bucket, probe } => buckets::versions(&mut scene, &bucket, &probe).await,
            Look::BucketLifecycle { bucket, rules_alone } => {
                buckets::lifecycle(&mut scene, &bucket, rules_alone).await?
            }
            Look::Workload { component, credentials, since_ms } => {
                workloads::workload(&mut scene, component, &credentials, since_ms).await
            }
            Look::Replicas { counted } => workloads::replicas(&mut scene, &counted).await?,
            Look::Modules { roles } => workloads::modules(&mut scene, &roles).await?,
            Look::TraceSearch { attributes, start_s, end_s } => {
                traces::search(&mut scene, attributes, start_s, end_s).await?
            }
            Look::Resources { asked } => workloads::resources(&mut scene, &asked).await,
            Look::Interface { interface, at, receivers_of } => {
                interfaces::spoken(&mut scene, interface, at, receivers_of).await?
            }
            Look::ClientCertificates { at, clients } => interfaces::received(&mut scene, at, &clients).await,
            Look::Stores { asked } => buckets::stores(&mut scene, &asked).await?,
            Look::Tree { question, altered } => deployment::tree(&mut scene, question, &altered).await,
            Look::TreeSecrets { altered, swapped } => deployment::secrets(&mut scene, &altered, swapped).await,
            Look::TreeDisclosures { planted } => deployment::disclosures(&mut scene, planted).await,
            Look::StoreRequests { asked, configured, declared, lasting_ms } => {
                let lasting = Duration::from_millis(lasting_ms);
                requests::arriving(&mut scene, &asked, &configured, declared, lasting).await?
            }
            Look::ByReader { reader, at, of } => readers::records(&mut scene, reader, at, *of).await?,
            Look::Listings { reader, owners, keys, probe } => {
                readers::listings(&mut scene, reader, &owners, keys, &probe).await
            }
            Look::StoreTrust { components, shown, plain } => {
                trust::trials(&mut scene, &components, &shown, plain).await
            }
            Look::Start { component, beyond, when } => workloads::start(&mut scene, component, beyond, &when).await,
            Look::StoreErrors { component, stretches } => {
                workloads::store_errors(&mut scene, component, &stretches).await
            }
            Look::Disclosures { components, planted } => disclosures::search(&mut scene, &components, planted).await,
            Look::Access { owners, buckets, probe } => access::probe(&mut scene, &owners, &buckets, &probe).await,
        };
        let received = ports.clock.now();
        self.impossible = matches!(told, Told::Failed(PortError::Unsupported { .. }));
        let seen = match told {
            Told::Seen(seen) => seen,
            Told::Failed(error) => Seen::Unseen { reason: error.to_string() },
        };
        Ok(Observation { look: self.look.clone(), sent, received, seen, evidence: scene.evidence })
    }
}

/// Where a look takes place: the ports, and the evidence gathered so far.
struct Scene<'a> {
    ports: &'a Ports,
    keeper: Keeper<'a>,
    evidence: Vec<Evidence>,
}

impl Scene<'_> {
    async fn list(&mut self, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, PortError> {
        let mut evidence = Evidence::new(EvidenceKind::Listing, self.keeper.unix_ns());
        evidence.request = Some(format!("list s3://{bucket}/{prefix}"));
        let listed = self.ports.objects.list(Principal::Harness, bucket, prefix).await;
        evidence.excerpt = Some(match &listed {
            Ok(objects) => format!("{} keys", objects.len()),
            Err(error) => error.to_string(),
        });
        self.evidence.push(evidence);
        listed
    }

    /// Reads a whole answer with `read`, keeping its body; a body that cannot be read is a defect.
    fn read<T>(
        &mut self,
        answer: Answer,
        read: impl Fn(&[u8]) -> Result<T, AnswerError>,
    ) -> Result<Result<T, String>, RecordError> {
        let request = answer.evidence.request.clone().unwrap_or_default();
        let body = answer.body.clone();
        self.note(answer)?;
        Ok(read(&body).map_err(|error| format!("{request}: {error}")))
    }

    /// Keeps an answer as evidence, whole.
    fn note(&mut self, answer: Answer) -> Result<(), RecordError> {
        let mut evidence = answer.evidence;
        evidence.body = Some(self.keeper.keep(&answer.body)?);
        self.evidence.push(evidence);
        Ok(())
    }

    /// An answer that is none: the look failed.
    fn refused(&mut self, answer: Answer) -> Result<Told, RecordError> {
        let error = refusal(&answer);
        self.note(answer)?;
        Ok(Told::Failed(error))
    }

    /// The configuration that `component` says it runs with.
    async fn configuration(&mut self, component: Component) -> Result<Result<Bytes, PortError>, RecordError> {
        let mut answer = match self.ports.query.query(&QueryRequest::Configuration { component }).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        answer.evidence.kind = EvidenceKind::Configuration;
        let told = if answer.status == 200 { Ok(answer.body.clone()) } else { Err(refusal(&answer)) };
        self.note(answer)?;
        Ok(told)
    }

    /// Tells the records of one answer.
    fn answered<R: SignalRecord>(
        &mut self,
        answer: Answer,
        read: impl Fn(&[u8]) -> Result<Vec<R>, AnswerError>,
    ) -> Result<Told, RecordError> {
        if answer.status != 200 {
            return self.refused(answer);
        }
        match self.read(answer, read)? {
            Ok(records) => self.records(records, Vec::new()),
            Err(defect) => self.records(Vec::<R>::new(), vec![defect]),
        }
    }

    fn facts(&self, facts: Facts) -> Told {
        Told::Seen(Seen::Facts { facts })
    }

    /// Tells records, sorted so that the same set has the same body.
    fn records<R: SignalRecord>(&self, mut records: Vec<R>, defects: Vec<String>) -> Result<Told, RecordError> {
        records.sort_by_cached_key(SignalRecord::identity);
        let body = self.keeper.keep_records(&records)?;
        Ok(Told::Seen(Seen::Records { signal: R::SIGNAL, body, count: records.len(), defects }))
    }
}

/// An answer with an error status, as the error that it is.
fn refusal(answer: &Answer) -> PortError {
    let target = answer.evidence.request.clone().unwrap_or_default();
    let reason = format!("status {}: {}", answer.status, answer.evidence.excerpt.clone().unwrap_or_default());
    PortError::Refused { target, reason }
}

/// What was decoded out of objects, by the name of each.
struct Cache<R> {
    known: BTreeMap<String, Decoded<R>>,
}

impl<R> Default for Cache<R> {
    fn default() -> Self {
        Self { known: BTreeMap::new() }
    }
}

/// What one object (or block of objects) holds of what is looked for.
struct Decoded<R> {
    records: Vec<R>,
    evidence: Vec<Evidence>,
    defect: Option<String>,
}

impl<R> Decoded<R> {
    fn nothing() -> Self {
        Self { records: Vec::new(), evidence: Vec::new(), defect: None }
    }

    fn unreadable(reason: impl ToString, evidence: Evidence) -> Self {
        Self { records: Vec::new(), evidence: vec![evidence], defect: Some(reason.to_string()) }
    }
}

impl<R: SignalRecord + Clone + Serialize> Cache<R> {
    /// Forgets objects that are gone.
    fn retain(&mut self, listed: &BTreeSet<String>) {
        self.known.retain(|name, _| listed.contains(name));
    }

    fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Everything known, with the evidence of the objects it is from.
    fn tell(&self, scene: &mut Scene<'_>) -> Result<Told, RecordError> {
        let mut records = Vec::new();
        let mut defects = Vec::new();
        for decoded in self.known.values() {
            records.extend(decoded.records.iter().cloned());
            defects.extend(decoded.defect.clone());
            scene.evidence.extend(decoded.evidence.iter().cloned());
        }
        scene.records(records, defects)
    }
}

/// How every key begins that the harness puts into a bucket of the stack.
pub(super) const PROBE_PREFIX: &str = "lgtm-verify-";

/// Removes every version of every probe in `bucket`: this look's own, and what an interrupted run may have left. Needs a claim on the
/// bucket.
pub(super) async fn remove_probes(ports: &Ports, bucket: &str) -> Result<(), PortError> {
    for version in ports.objects.versions(bucket, PROBE_PREFIX).await? {
        ports.objects.delete(Principal::Harness, bucket, &version.key, Some(&version.version)).await?;
    }
    Ok(())
}

/// Whether `labels` has every label of `selector`.
fn selected(labels: &Labels, selector: &Labels) -> bool {
    selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}
