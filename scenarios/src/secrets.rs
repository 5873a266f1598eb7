//! A component's credentials open its own bucket only.

use harness_core::{
    observation::{Look, isolation_fact},
    ports::{Component, Principal},
    scenario::Scenario,
    stage::{BUCKETS, Claim, Resource, Stage, StageError},
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::written_here;

const ISOLATION: &str = "NFR-lgtm-d4f8c2a1-SEC-001/isolation";

/// What is tried on every bucket.
const OPERATIONS: [&str; 4] = ["list", "get", "put", "delete"];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let scenario =
        Scenario::new("isolation", written_here!(), &[ISOLATION], |stage| async move { isolation(&stage).await })?;
    Ok(vec![scenario.tagged(&["main", "secrets"]).claiming(&[
        Claim::read(Resource::S3),
        Claim::write(Resource::Bucket(BUCKETS[0].0)),
        Claim::write(Resource::Bucket(BUCKETS[1].0)),
        Claim::write(Resource::Bucket(BUCKETS[2].0)),
    ])])
}

/// Each of the three keys does everything in its own bucket and nothing in the others. The harness' own key, which opens them all,
/// shows that the check can say no.
async fn isolation(stage: &Stage) -> Result<(), StageError> {
    let mut rules = Vec::new();
    for (own, owner) in BUCKETS {
        for (bucket, _) in BUCKETS {
            let outcome = if bucket == own { "allowed" } else { "denied" };
            for operation in OPERATIONS {
                let fact = isolation_fact(owner, bucket, operation);
                rules.push(Rule::new(&format!("{owner} {operation} {bucket}"), &fact, Check::Is(json!(outcome))));
            }
        }
    }
    let must_break: Vec<String> =
        rules.iter().filter(|rule| rule.check == Check::Is(json!("denied"))).map(|rule| rule.name.clone()).collect();
    let must_break: Vec<&str> = must_break.iter().map(String::as_str).collect();
    let clause = stage.expect_state(ISOLATION, rules)?;
    let look = |as_harness| Look::Access {
        owners: BUCKETS
            .iter()
            .map(|(_, owner)| (*owner, if as_harness { Principal::Harness } else { Principal::Component(*owner) }))
            .collect::<Vec<(Component, Principal)>>(),
        buckets: BUCKETS.iter().map(|(bucket, _)| (*bucket).to_owned()).collect(),
        probe: stage.probe_key("access"),
    };
    stage.control(&clause, "a key that opens every bucket", &must_break, look(true)).await?;
    stage.look_once(&clause, look(false)).await?;
    Ok(())
}
