//! The rows of the API matrix: whether each protocol is spoken where the design says, and to whom.

use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::Facts,
    ports::{Component, Doorstep, Interface, PortError, Presented, Reception},
    prediction,
    record::RecordError,
};

/// Facts: `address` (host and port), `answered` (whether the protocol of `interface` was), `verified tls`, and, where a component is
/// given, `receivers` (those that its configuration enables).
pub(super) async fn spoken(
    scene: &mut Scene<'_>,
    interface: Interface,
    at: Interface,
    receivers_of: Option<Component>,
) -> Result<Told, RecordError> {
    let mut facts = Facts::new();
    if let Some(component) = receivers_of {
        match scene.configuration(component).await? {
            Ok(text) => facts.insert("receivers".to_owned(), json!(prediction::otlp_receivers(&text))),
            Err(error) => return Ok(Told::Failed(error)),
        };
    }
    let spoken = match scene.ports.interfaces.speak(interface, at).await {
        Ok(spoken) => spoken,
        Err(error) => return Ok(Told::Failed(error)),
    };
    facts.insert("address".to_owned(), json!(spoken.address));
    facts.insert("answered".to_owned(), json!(spoken.answered));
    facts.insert("verified tls".to_owned(), json!(spoken.verified_tls));
    scene.evidence.push(spoken.evidence);
    Ok(scene.facts(facts))
}

/// Facts: by what each client presents, how it was received: `answered`, `refused` or `no tls`. A certificate that there is none of is
/// `unknown`, unless everything depends on it.
pub(super) async fn received(scene: &mut Scene<'_>, at: Doorstep, clients: &[(Presented, Presented)]) -> Told {
    let mut facts = Facts::new();
    let mut unknown = None;
    let mut open_to_all = false;
    for (name, presented) in clients {
        let word = match scene.ports.interfaces.connect(at, *presented).await {
            Ok((reception, evidence)) => {
                scene.evidence.push(evidence);
                open_to_all |= reception == Reception::Answered && *presented != Presented::DeclaredCertificate;
                reception.describe()
            }
            Err(error @ PortError::Unsupported { .. }) => {
                unknown = Some(error);
                "unknown"
            }
            Err(error) => return Told::Failed(error),
        };
        facts.insert(name.describe().to_owned(), json!(word));
    }
    match unknown {
        Some(error) if !open_to_all => Told::Failed(error),
        Some(_) | None => scene.facts(facts),
    }
}
