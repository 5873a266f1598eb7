//! What components make of the certificates that a store shows.

use futures::future::join_all;
use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::{Evidence, EvidenceKind, Facts, trust_fact},
    ports::{Component, ShownCertificate, Trial},
};

/// Facts: for each component and certificate `answered` (requests came through TLS), `in the clear`, `refused` (it broke every handshake
/// off), or `silent` (it did not come at all). Components are tried side by side.
pub(super) async fn trials(
    scene: &mut Scene<'_>,
    components: &[Component],
    shown: &[ShownCertificate],
    plain: bool,
) -> Told {
    let mut facts = Facts::new();
    // Who speaks plain HTTP sees no certificate, so one is as good as all.
    let rounds: Vec<&[ShownCertificate]> = if plain { vec![shown] } else { shown.chunks(1).collect() };
    for round in rounds {
        let Some(certificate) = round.first() else { continue };
        let lifecycle = &scene.ports.lifecycle;
        let started = components.iter().map(|component| lifecycle.start_on_trial(*component, *certificate, plain));
        for (component, trial) in components.iter().zip(join_all(started).await) {
            let trial = match trial {
                Ok(trial) => trial,
                Err(error) => return Told::Failed(error),
            };
            let mut evidence = Evidence::new(EvidenceKind::Process, scene.keeper.unix_ns());
            evidence.component = Some(component.to_string());
            evidence.request = Some(format!("start {component} against a store that shows {}", certificate.describe()));
            evidence.excerpt = Some(told(&trial));
            scene.evidence.push(evidence);
            facts.extend(round.iter().map(|shown| (trust_fact(*component, *shown), json!(word(&trial)))));
        }
    }
    scene.facts(facts)
}

fn word(trial: &Trial) -> &'static str {
    match trial {
        Trial { clear: 1.., .. } => "in the clear",
        Trial { encrypted: 1.., .. } => "answered",
        Trial { turned_back, .. } if !turned_back.is_empty() => "refused",
        Trial { .. } => "silent",
    }
}

fn told(trial: &Trial) -> String {
    let Trial { encrypted, clear, turned_back, complaint } = trial;
    let mut text =
        format!("{encrypted} requests through TLS, {clear} in the clear, {} handshakes broken off", turned_back.len());
    for reason in turned_back.last().into_iter().chain(complaint) {
        text.push_str("; ");
        text.push_str(reason);
    }
    text
}
