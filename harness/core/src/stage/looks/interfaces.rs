//! The rows of the API matrix: whether each protocol is spoken where the design says.

use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::Facts,
    ports::{Component, Interface},
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
