//! A component's credentials open its own bucket only, and are written nowhere; the store is the declared one, and is checked.

use harness_core::{
    catalogue::Target,
    observation::{
        AskedStore, DECLARED, DISCLOSURES, Look, asked_address_fact, asked_buckets_fact, configured_address_fact,
        disclosure_fact, isolation_fact, trust_fact,
    },
    ports::{Component, Interface, Principal, Reader, ShownCertificate},
    scenario::Scenario,
    secret::Form,
    stage::{BUCKETS, Claim, Resource, Stage, StageError},
    stimulus::Route,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

const ISOLATION: &str = "NFR-lgtm-d4f8c2a1-SEC-001/isolation";

const HTTPS: &str = "AC-lgtm-004-04/https";

const ENDPOINT: &str = "AC-lgtm-004-04/endpoint";

/// Of each program the component that asks the store as soon as it starts.
const ASKING: [Component; 3] = [Component::LokiBackend, Component::Tempo, Component::Mimir];

const INLINE: &str = "AC-lgtm-004-02/none-inline";

/// Who has credentials to a bucket, and a configuration.
const CONFIGURED: [Component; 5] =
    [Component::LokiWrite, Component::LokiRead, Component::LokiBackend, Component::Tempo, Component::Mimir];

/// The bound within which Loki has to keep what it took (AC-lgtm-001-02), and a minute for the upload.
const ASKED_WITHIN_MS: u64 = 360_000;

/// What is tried on every bucket.
const OPERATIONS: [&str; 4] = ["list", "get", "put", "delete"];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let isolated =
        Scenario::new("isolation", written_here!(), &[ISOLATION], |stage| async move { isolation(&stage).await })?;
    let hidden =
        Scenario::new("no-credential-inline", written_here!(), &[INLINE], |stage| async move { inline(&stage).await })?;
    let trusting =
        Scenario::new("store-over-https", written_here!(), &[HTTPS], |stage| async move { https(&stage).await })?;
    let declared = Scenario::new("store-at-the-declared-endpoint", written_here!(), &[ENDPOINT], |stage| async move {
        endpoint(&stage).await
    })?;
    Ok(vec![
        declared
            .tagged(&["secrets"])
            .claiming(&[
                Claim::read(Resource::Loki),
                Claim::read(Resource::Tempo),
                Claim::read(Resource::Mimir),
                Claim::read(Resource::S3),
                // Nobody else may try an owner's key meanwhile: the store could not tell who it was.
                Claim::read(Resource::Bucket(BUCKETS[0].0)),
                Claim::read(Resource::Bucket(BUCKETS[1].0)),
                Claim::read(Resource::Bucket(BUCKETS[2].0)),
            ])
            .needing(&CONFIGURED)
            .read_by(Reader::Mc)
            // Where the store is MinIO, and a program can be started that listens to it.
            .only_on(&[Target::Local, Target::Containers, Target::Kind]),
        trusting
            .tagged(&["secrets"])
            .needing(&ASKING)
            // Elsewhere no second process of a component can be started.
            .only_on(&[Target::Local]),
        isolated.tagged(&["main", "secrets"]).claiming(&[
            Claim::read(Resource::S3),
            Claim::write(Resource::Bucket(BUCKETS[0].0)),
            Claim::write(Resource::Bucket(BUCKETS[1].0)),
            Claim::write(Resource::Bucket(BUCKETS[2].0)),
        ]),
        hidden
            .tagged(&["secrets"])
            .claiming(&[Claim::read(Resource::Loki), Claim::read(Resource::Tempo), Claim::read(Resource::Mimir)])
            .needing(&CONFIGURED)
            // Who writes down how components are run is asked from outside.
            .only_on(&[Target::Local, Target::Kind]),
    ])
}

/// Each component asks a store that shows a good certificate, through TLS, and refuses one that shows a bad one. Configured for plain HTTP
/// it asks whoever is there, in the clear, which shows that the check can say no.
async fn https(stage: &Stage) -> Result<(), StageError> {
    let cases = ASKING.iter().flat_map(|component| ShownCertificate::ALL.map(|shown| (*component, shown)));
    let rules: Vec<Rule> = cases
        .map(|(component, shown)| {
            let (fact, word) =
                (trust_fact(component, shown), if shown == ShownCertificate::Good { "answered" } else { "refused" });
            Rule::new(&fact, &fact, Check::Is(json!(word)))
        })
        .collect();
    let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    let clause = stage.expect_state(HTTPS, rules)?;
    let look = |plain| Look::StoreTrust { components: ASKING.to_vec(), shown: ShownCertificate::ALL.to_vec(), plain };
    stage.control(&clause, "components that talk plain HTTP to their store", &words(&names), look(true)).await?;
    stage.look_once(&clause, look(false)).await?;
    Ok(())
}

/// The store's own trace shows each owner's key at the declared address and for its own bucket alone, and no configuration has another address.
/// Another row's address, were it the declared one, and each the key of another, show that the check can say no. Tempo and Mimir ask all
/// the time, Loki when it has something to keep.
async fn endpoint(stage: &Stage) -> Result<(), StageError> {
    let declared = |name: String, fact: String| Rule::new(&name, &fact, Check::Is(json!(DECLARED)));
    let mut rules = Vec::new();
    for (bucket, owner) in BUCKETS {
        rules.push(declared(format!("address that {owner} asks"), asked_address_fact(owner)));
        let fact = asked_buckets_fact(owner);
        rules.push(Rule::new(&format!("buckets that {owner} asks for"), &fact, Check::Is(json!([bucket]))));
    }
    let configured = |component| declared(format!("address in {component}"), configured_address_fact(component));
    rules.extend(CONFIGURED.map(configured));
    let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    let clause = stage.expect_state(ENDPOINT, rules)?;
    let look = |declared, shift: usize| {
        let key_of =
            |place: usize| BUCKETS.iter().cycle().nth(place + shift).map_or(Component::Minio, |(_, owner)| *owner);
        let asked = BUCKETS.iter().enumerate().map(|(place, (bucket, owner))| AskedStore {
            owner: *owner,
            bucket: (*bucket).to_owned(),
            component: key_of(place),
        });
        let lasting_ms = ASKED_WITHIN_MS;
        Look::StoreRequests { asked: asked.collect(), configured: CONFIGURED.to_vec(), declared, lasting_ms }
    };
    let lines = shapes::log_entries_in_parts(stage, "store-at-the-declared-endpoint", 2)?;
    stage.push_part(Route::LokiHttpJson, &lines, 0).await?;
    let elsewhere = look(Interface::TraceQueries, 1);
    stage.control(&clause, "another address declared, and the keys of others", &words(&names), elsewhere).await?;
    stage.push_part(Route::LokiHttpJson, &lines, 1).await?;
    stage.look_once(&clause, look(Interface::ObjectStore, 0)).await?;
    Ok(())
}

/// What is configured, how it is started and what it tells hold no credential in use. A credential that nobody uses, added to each of the
/// texts in one form after the other, shows that the check can say no.
async fn inline(stage: &Stage) -> Result<(), StageError> {
    let places = CONFIGURED.iter().flat_map(|component| DISCLOSURES.map(|place| (*component, place)));
    let rules: Vec<Rule> = places
        .map(|(component, place)| {
            let fact = disclosure_fact(component, place);
            Rule::new(&format!("no credential in {fact}"), &fact, Check::Empty)
        })
        .collect();
    let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    let clause = stage.expect_state(INLINE, rules)?;
    let look = |planted| Look::Disclosures { components: CONFIGURED.to_vec(), planted };
    for form in Form::ALL {
        let name = format!("a credential that is there, {form}");
        stage.control(&clause, &name, &words(&names), look(Some(form))).await?;
    }
    stage.look_once(&clause, look(None)).await?;
    Ok(())
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
