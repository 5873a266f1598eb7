//! Where credentials can be read by others than their users: in what components tell of their configuration, in how they are started, in
//! their files. What is searched is not kept.

use bytes::Bytes;
use serde_json::json;

use super::{Scene, Told};
use crate::{
    observation::{DISCLOSURES, Evidence, EvidenceKind, Facts, disclosure_fact},
    ports::{Component, PortError, QueryRequest, WrittenKind},
    secret::{Form, Searcher},
};

/// A credential that nobody uses, with every character that some form changes.
pub(super) const CANARY: &str = "canary/of+lgtm \"verify\"";

/// Facts: for each component and each of [`DISCLOSURES`], the forms in which a credential is there, each with the place.
pub(super) async fn search(scene: &mut Scene<'_>, components: &[Component], planted: Option<Form>) -> Told {
    let searcher = if planted.is_some() { Searcher::new([CANARY]) } else { scene.keeper.searcher() };
    let mut facts = Facts::new();
    for component in components {
        let texts = match texts(scene, *component).await {
            Ok(texts) => texts,
            Err(error) => return Told::Failed(error),
        };
        for place in DISCLOSURES {
            let mut found = Vec::new();
            let mut searched = Vec::new();
            for Searched { name, text, .. } in texts.iter().filter(|text| text.place == place) {
                let forms = match planted {
                    Some(form) => searcher.find(&[&text[..], b"\n", &form.of(CANARY), b"\n"].concat()),
                    None => searcher.find(text),
                };
                found.extend(forms.iter().map(|form| format!("{form} in {name}")));
                searched.push(format!("{name} ({} bytes)", text.len()));
            }
            if searched.is_empty() {
                let reason = format!("nothing of {component} to search: {place}");
                return Told::Failed(PortError::Unsupported { reason });
            }
            let mut evidence = Evidence::new(EvidenceKind::Configuration, scene.keeper.unix_ns());
            evidence.component = Some(component.to_string());
            evidence.request = Some(format!("search {}", searched.join(", ")));
            evidence.excerpt = Some(if found.is_empty() { "nothing found".to_owned() } else { found.join("; ") });
            scene.evidence.push(evidence);
            facts.insert(disclosure_fact(*component, place), json!(found));
        }
    }
    scene.facts(facts)
}

/// A text to search.
struct Searched {
    place: &'static str,
    name: String,
    text: Bytes,
}

async fn texts(scene: &Scene<'_>, component: Component) -> Result<Vec<Searched>, PortError> {
    let [told, start, configuration] = DISCLOSURES;
    let answer = scene.ports.query.query(&QueryRequest::Configuration { component }).await?;
    let name = answer.evidence.request.clone().unwrap_or_default();
    let mut texts = vec![Searched { place: told, name, text: answer.body }];
    texts.extend(scene.ports.workloads.written(component).await?.into_iter().map(|written| Searched {
        place: match written.kind {
            WrittenKind::Start => start,
            WrittenKind::Configuration => configuration,
        },
        name: written.name,
        text: written.text,
    }));
    Ok(texts)
}
