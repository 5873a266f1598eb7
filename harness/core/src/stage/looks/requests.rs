//! Where components look for their store, and who is seen to ask it for what.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{Scene, Told};
use crate::{
    observation::{
        AskedStore, DECLARED, Evidence, EvidenceKind, Facts, asked_address_fact, asked_buckets_fact,
        configured_address_fact,
    },
    ports::{Component, Interface, PortError, Principal, StoreRequest},
    prediction,
    record::RecordError,
};

/// Facts: for each component that is configured, the addresses in its configuration; for each owner, the addresses at which requests with
/// its key arrive, and the buckets they are for. Where all addresses are the declared one, [`DECLARED`].
pub(super) async fn arriving(
    scene: &mut Scene<'_>,
    asked: &[AskedStore],
    configured: &[Component],
    declared: Interface,
    lasting: Duration,
) -> Result<Told, RecordError> {
    let declared = match scene.ports.interfaces.address(declared) {
        Ok(address) => address,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut facts = Facts::new();
    for component in configured {
        let addresses = match scene.configuration(*component).await? {
            Ok(text) => prediction::store_addresses(&text),
            Err(error) => return Ok(Told::Failed(error)),
        };
        facts.insert(configured_address_fact(*component), told(&addresses, &declared));
    }
    let principals: Vec<Principal> = asked.iter().map(|store| Principal::Component(store.component)).collect();
    let seen = match scene.ports.objects.requests(&principals, lasting).await {
        Ok(seen) => seen,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut evidence = Evidence::new(EvidenceKind::Bucket, scene.keeper.unix_ns());
    evidence.request = Some("listen for requests at the store".to_owned());
    evidence.excerpt = Some(seen.iter().map(describe).collect::<Vec<_>>().join("; "));
    scene.evidence.push(evidence);
    for AskedStore { owner, component, .. } in asked {
        let own = || seen.iter().filter(|request| request.principal == Some(Principal::Component(*component)));
        if own().next().is_none() {
            let reason = format!("no request with the key of {component} within {} s", lasting.as_secs());
            return Ok(Told::Failed(PortError::Unreachable { target: "the store".to_owned(), reason }));
        }
        let hosts: BTreeSet<String> = own().map(|request| request.host.clone()).collect();
        let buckets: BTreeSet<&str> = own().map(|request| request.bucket.as_str()).collect();
        facts.insert(asked_address_fact(*owner), told(&hosts, &declared));
        facts.insert(asked_buckets_fact(*owner), json!(buckets));
    }
    Ok(scene.facts(facts))
}

fn told(addresses: &BTreeSet<String>, declared: &str) -> Value {
    let only_it = !addresses.is_empty() && addresses.iter().all(|address| is_same(address, declared));
    if only_it { json!(DECLARED) } else { json!(addresses) }
}

/// Whether two addresses are the same place, however a scheme is written and its own port is left out.
fn is_same(one: &str, other: &str) -> bool {
    let place = |address: &str| {
        let address = address.split_once("://").map_or(address, |(_, place)| place).trim_end_matches('/');
        let address = address.strip_suffix(":443").or_else(|| address.strip_suffix(":80")).unwrap_or(address);
        address.to_owned()
    };
    place(one) == place(other)
}

fn describe(request: &StoreRequest) -> String {
    let StoreRequest { principal, host, bucket } = request;
    let who = match principal {
        Some(Principal::Component(component)) => component.to_string(),
        Some(Principal::Harness) => "the harness".to_owned(),
        None => "somebody".to_owned(),
    };
    format!("{who} at {host} for {}", if bucket.is_empty() { "no bucket" } else { bucket })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_declared_one_however_it_is_written() {
        let declared = "minio.minio.svc:443";
        let of = |addresses: &[&str]| told(&addresses.iter().map(|address| (*address).to_owned()).collect(), declared);
        assert_eq!(of(&["minio.minio.svc", "https://minio.minio.svc:443/"]), json!(DECLARED));
        for elsewhere in [&[][..], &["minio.minio.svc:9000"], &["minio.minio.svc", "s3.example"]] {
            assert_eq!(of(elsewhere), json!(elsewhere));
        }
    }
}
