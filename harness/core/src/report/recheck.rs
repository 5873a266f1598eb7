use crate::{
    catalogue::ClauseId,
    observation::{Evidence, EvidenceKind},
    record::RunRecord,
    verdict::{Bodies, Judgement, judge},
};

/// A clause on which the recorded word and the word of a second judging differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement {
    /// The clause.
    pub clause: ClauseId,
    /// The word in the record, where there is one.
    pub recorded: Option<Judgement>,
    /// What judging the recorded observations again comes to, or why that was not possible.
    pub again: Result<Judgement, String>,
}

/// Judges every clause of a record again, from its observations and bodies alone, and verifies every body that evidence names.
/// Returns how many clauses were judged, and those on which the two words differ. A word on a clause of which nothing was expected
/// has no observations to stand on, so it differs too.
pub fn recheck(record: &RunRecord, bodies: &dyn Bodies) -> (usize, Vec<Disagreement>) {
    let mut disagreements = Vec::new();
    for (clause, case) in &record.cases {
        let recorded = record.judgements.get(clause);
        let again = evidence_is_whole(record, clause, bodies)
            .and_then(|()| judge(case, bodies).map_err(|error| error.to_string()));
        if again.as_ref().ok() != recorded {
            disagreements.push(Disagreement { clause: clause.clone(), recorded: recorded.cloned(), again });
        }
    }
    let unfounded = record.judgements.iter().filter(|(clause, _)| !record.cases.contains_key(clause));
    disagreements.extend(unfounded.map(|(clause, judgement)| Disagreement {
        clause: clause.clone(),
        recorded: Some(judgement.clone()),
        again: Err("nothing was expected of this clause".to_owned()),
    }));
    (record.cases.len(), disagreements)
}

fn evidence_is_whole(record: &RunRecord, clause: &ClauseId, bodies: &dyn Bodies) -> Result<(), String> {
    for evidence in record.evidence_of(clause) {
        if let Some(sha256) = evidence.body.as_ref().filter(|_| is_kept(evidence)) {
            bodies.body(sha256).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Whether the run folder keeps the body: of an answer to a push and of one that is none, evidence has only the hash and the beginning.
fn is_kept(evidence: &Evidence) -> bool {
    match evidence.kind {
        EvidenceKind::Query => evidence.status == Some(200),
        EvidenceKind::Push => false,
        EvidenceKind::Configuration | EvidenceKind::Measurement => true,
        EvidenceKind::Listing
        | EvidenceKind::Object
        | EvidenceKind::Bucket
        | EvidenceKind::Log
        | EvidenceKind::Process => evidence.object.is_some(),
    }
}
