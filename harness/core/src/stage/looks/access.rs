//! What each component's credentials open.

use serde_json::{Value, json};

use super::{Scene, Told, remove_probes};
use crate::{
    observation::{Evidence, EvidenceKind, Facts, isolation_fact},
    ports::{Component, PortError, Principal},
};

/// Facts: for each owner, bucket and operation, whether it is `allowed` or `denied`.
pub(super) async fn probe(
    scene: &mut Scene<'_>,
    owners: &[(Component, Principal)],
    buckets: &[String],
    probe: &str,
) -> Told {
    let mut facts = Facts::new();
    for (owner, principal) in owners {
        for bucket in buckets {
            match operations(scene, *principal, bucket, probe).await {
                Ok(outcomes) => facts.extend(
                    outcomes
                        .into_iter()
                        .map(|(operation, outcome)| (isolation_fact(*owner, bucket, operation), outcome)),
                ),
                Err(error) => return Told::Failed(error),
            }
        }
    }
    scene.facts(facts)
}

/// Tries each operation on `bucket`, on a key that the harness put there and removes again.
async fn operations(
    scene: &mut Scene<'_>,
    principal: Principal,
    bucket: &str,
    probe: &str,
) -> Result<Vec<(&'static str, Value)>, PortError> {
    let objects = &scene.ports.objects;
    remove_probes(scene.ports, bucket).await?;
    objects.put(Principal::Harness, bucket, probe, "present".into()).await?;
    let outcomes = vec![
        ("list", outcome(objects.list(principal, bucket, probe).await)?),
        ("get", outcome(objects.get(principal, bucket, probe).await)?),
        ("put", outcome(objects.put(principal, bucket, probe, "overwritten".into()).await)?),
        ("delete", outcome(objects.delete(principal, bucket, probe, None).await)?),
    ];
    remove_probes(scene.ports, bucket).await?;
    let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
    evidence.request = Some(format!("list, get, put, delete s3://{bucket}/{probe} as {principal:?}"));
    evidence.object = Some(format!("{bucket}/{probe}"));
    evidence.excerpt = Some(
        outcomes
            .iter()
            .map(|(operation, outcome)| format!("{operation} {}", outcome.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", "),
    );
    scene.evidence.push(evidence);
    Ok(outcomes)
}

/// Allowed, denied, or an error: a store that is busy, broken or out of reach says nothing about rights.
fn outcome<T>(result: Result<T, PortError>) -> Result<Value, PortError> {
    match result {
        Ok(_) => Ok(json!("allowed")),
        Err(PortError::Denied { .. }) => Ok(json!("denied")),
        Err(error) => Err(error),
    }
}
