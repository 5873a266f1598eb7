//! Counts in answers to questions that are timed, and the caches that could answer them.

use serde_json::json;

use super::{Scene, Told, refusal};
use crate::{
    observation::{Count, FOREIGN, FOUND, Facts, Question, answers::AnswerError},
    ports::{Answer, Component, PortError},
    prediction,
    record::RecordError,
    signal::Signal,
};

/// What the answer to `question` holds when it is asked for time number `number`.
pub(in crate::stage) fn count(question: &Question, number: u32, answer: &Answer) -> Result<Count, String> {
    match (question, answer.status) {
        (_, 200) => question.count(number, &answer.body).map_err(|error: AnswerError| error.to_string()),
        // Tempo answers 404 for a trace that it does not have.
        (Question::TraceById { .. }, 404) => Ok(Count { found: 0, foreign: 0 }),
        _ => Err(refusal(answer).to_string()),
    }
}

/// How much of what is asked for the answer to `question` holds.
pub(super) async fn asked(scene: &mut Scene<'_>, question: &Question) -> Result<Told, RecordError> {
    let answer = match scene.ports.query.query(&question.request(0)).await {
        Ok(answer) => answer,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let count = count(question, 0, &answer);
    let target = answer.evidence.request.clone().unwrap_or_default();
    scene.note(answer)?;
    Ok(match count {
        Ok(Count { found, foreign }) => {
            let facts = [(FOUND.to_owned(), json!(found)), (FOREIGN.to_owned(), json!(foreign))];
            scene.facts(facts.into())
        }
        Err(reason) => Told::Failed(PortError::Refused { target, reason }),
    })
}

/// The caches that are on, by the configuration that `component` says it runs with.
pub(super) async fn caches(scene: &mut Scene<'_>, signal: Signal, component: Component) -> Result<Told, RecordError> {
    let configuration = match scene.configuration(component).await? {
        Ok(configuration) => configuration,
        Err(error) => return Ok(Told::Failed(error)),
    };
    let mut facts = Facts::new();
    // A configuration that does not say leaves the fact out, so that the rule about it is broken.
    if let Some(caches) = prediction::caches(signal, &configuration) {
        facts.insert("caches".to_owned(), json!(caches));
    }
    Ok(scene.facts(facts))
}
