//! A component's credentials open its own bucket only.

use harness_core::{
    observation::{Look, isolation_fact},
    ports::Principal,
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
/// shows that the check can say no where a key opens too much; the next component's key, where it opens too little.
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
    let asking_for = |outcome: &str| -> Vec<String> {
        rules.iter().filter(|rule| rule.check == Check::Is(json!(outcome))).map(|rule| rule.name.clone()).collect()
    };
    let (denied, allowed) = (asking_for("denied"), asking_for("allowed"));
    let clause = stage.expect_state(ISOLATION, rules)?;
    let owners = || BUCKETS.iter().map(|(_, owner)| *owner);
    let look = |keys: Vec<Principal>| Look::Access {
        owners: owners().zip(keys).collect(),
        buckets: BUCKETS.iter().map(|(bucket, _)| (*bucket).to_owned()).collect(),
        probe: stage.probe_key("access"),
    };
    let every = owners().map(|_| Principal::Harness).collect();
    stage.control(&clause, "a key that opens every bucket", &words(&denied), look(every)).await?;
    let next = owners().cycle().skip(1).take(BUCKETS.len()).map(Principal::Component).collect();
    stage.control(&clause, "the key of another component", &words(&allowed), look(next)).await?;
    stage.look_once(&clause, look(owners().map(Principal::Component).collect())).await?;
    Ok(())
}

fn words(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
