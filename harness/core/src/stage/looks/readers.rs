//! What programs of others read: answers of the query APIs, and listings of buckets.

use serde_json::json;

use super::{Scene, Told, logs, metrics, remove_probes, traces};
use crate::{
    observation::{Evidence, EvidenceKind, Facts, Look, listing_fact},
    ports::{Component, Interface, PortError, Ports, Principal, Reader, StoreKeys},
    record::RecordError,
    signal::{LogEntry, Sample, SignalRecord, Span},
};

/// The records of `look`, whose questions `reader` puts to the address of the row `at`. A reader that is refused, or gets no answer, has
/// no records: what it was told stands in the evidence.
pub(super) async fn records(
    scene: &mut Scene<'_>,
    reader: Reader,
    at: Interface,
    look: Look,
) -> Result<Told, RecordError> {
    let query = match scene.ports.query.through(reader, at) {
        Ok(query) => query,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let ports = Ports { query, ..scene.ports.clone() };
    let mut inner = Scene { ports: &ports, keeper: scene.keeper, evidence: Vec::new() };
    let told = match look {
        Look::LogQuery { selector, start_ns, end_ns, store_only } => {
            let told = logs::query(&mut inner, selector, start_ns, end_ns, store_only).await?;
            none_where_refused::<LogEntry>(&mut inner, told)?
        }
        Look::TraceQuery { trace_ids, store_only } => {
            let told = traces::query(&mut inner, &trace_ids, store_only).await?;
            none_where_refused::<Span>(&mut inner, told)?
        }
        Look::PromqlQuery { selector, start_ms, end_ms } => {
            let told = metrics::promql(&mut inner, selector, start_ms, end_ms).await?;
            none_where_refused::<Sample>(&mut inner, told)?
        }
        _ => Told::Failed(PortError::Unsupported { reason: format!("{reader} cannot look that way") }),
    };
    scene.evidence.append(&mut inner.evidence);
    Ok(told)
}

fn none_where_refused<R: SignalRecord>(scene: &mut Scene<'_>, told: Told) -> Result<Told, RecordError> {
    match told {
        Told::Failed(
            error @ (PortError::Refused { .. } | PortError::Denied { .. } | PortError::Unreachable { .. }),
        ) => {
            // A refusal is an answer, and stands there already.
            if scene.evidence.is_empty() {
                let mut evidence = Evidence::new(EvidenceKind::Query, scene.keeper.unix_ns());
                evidence.excerpt = Some(error.to_string());
                scene.evidence.push(evidence);
            }
            scene.records(Vec::<R>::new(), Vec::new())
        }
        told => Ok(told),
    }
}

/// Facts: for each owner what `reader` lists below `probe` in its bucket, where the harness has put one object, or `denied`.
pub(super) async fn listings(
    scene: &mut Scene<'_>,
    reader: Reader,
    owners: &[(Component, String)],
    keys: StoreKeys,
    probe: &str,
) -> Told {
    let mut facts = Facts::new();
    for (owner, bucket) in owners {
        match listing(scene, reader, *owner, bucket, keys, probe).await {
            Ok(listed) => facts.insert(listing_fact(*owner), listed),
            Err(error) => return Told::Failed(error),
        };
    }
    scene.facts(facts)
}

async fn listing(
    scene: &mut Scene<'_>,
    reader: Reader,
    owner: Component,
    bucket: &str,
    keys: StoreKeys,
    probe: &str,
) -> Result<serde_json::Value, PortError> {
    let objects = &scene.ports.objects;
    remove_probes(scene.ports, bucket).await?;
    objects.put(Principal::Harness, bucket, probe, "present".into()).await?;
    let listed = objects.listed_by(reader, Principal::Component(owner), keys, bucket, probe).await;
    remove_probes(scene.ports, bucket).await?;
    let (call, said, told) = match listed {
        Ok(listed) => (listed.call, format!("{} keys", listed.keys.len()), json!(listed.keys)),
        Err(PortError::Denied { target, reason }) => (target, reason, json!("denied")),
        Err(error) => return Err(error),
    };
    let mut evidence = Evidence::new(EvidenceKind::Listing, scene.keeper.unix_ns());
    evidence.request = Some(format!("{call} with the keys of {owner}"));
    evidence.excerpt = Some(said);
    scene.evidence.push(evidence);
    Ok(told)
}
