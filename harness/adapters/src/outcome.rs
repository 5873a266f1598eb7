//! What an answer to a push means for what was pushed. Pure. Must not know addresses or clocks.
//!
//! A push that was taken in part is *refused*, its records' fate unknown: which of its records are there, the answer doesn't say. Loki and Mimir answer 400
//! where they refused some records and took the others; Mimir's text names one of those refused, Loki's those of one stream.

use harness_core::ports::PushOutcome;
use prost::Message;
use tonic::{Code, Status};

use crate::http::Reply;

/// Characters of a refusal that its reason keeps, at most.
const REASON: usize = 500;

/// Of an answer to a push of so many `records`: taken by any 2xx, refused by 4xx; all else says neither.
pub(crate) fn of_http(reply: &Result<Reply, String>, records: usize) -> PushOutcome {
    match reply {
        Ok(reply) => of_status(reply.status, &String::from_utf8_lossy(&reply.body), records),
        Err(reason) => PushOutcome::Unknown { reason: format!("no answer: {reason}") },
    }
}

/// As [`of_http`], of a status and the text that came with it.
pub(crate) fn of_status(status: u16, text: &str, records: usize) -> PushOutcome {
    let line: String = text.lines().next().unwrap_or_default().chars().take(REASON).collect();
    let reason = format!("status {status}: {line}");
    match status {
        200..=299 => PushOutcome::Acked,
        // What is wrong with a record, and what is too much of them.
        400 | 422 | 429 => of_records(reason, records),
        401..=499 => PushOutcome::Rejected { reason },
        _ => PushOutcome::Unknown { reason },
    }
}

/// Of a gRPC call that failed. Loki puts HTTP statuses where gRPC has its codes (dskit, `httpgrpc`), which only the
/// details tell apart.
pub(crate) fn of_grpc(status: &Status, records: usize) -> PushOutcome {
    let details = protos::rpc::Status::decode(status.details()).unwrap_or_default();
    if let Some(http) = u16::try_from(details.code).ok().filter(|code| (100..600).contains(code)) {
        return of_status(http, status.message(), records);
    }
    let mut reason = format!("gRPC {:?}: {}", status.code(), status.message());
    if let Some(source) = std::error::Error::source(status) {
        reason = format!("{reason}: {}", crate::causes(source));
    }
    match status.code() {
        Code::InvalidArgument | Code::ResourceExhausted | Code::FailedPrecondition | Code::OutOfRange => {
            of_records(reason, records)
        }
        Code::NotFound | Code::AlreadyExists | Code::PermissionDenied | Code::Unimplemented | Code::Unauthenticated => {
            PushOutcome::Rejected { reason }
        }
        _ => PushOutcome::Unknown { reason },
    }
}

/// Of a refusal for the sake of one of the records, which may or may not be all that was refused.
fn of_records(reason: String, records: usize) -> PushOutcome {
    if records > 1 { PushOutcome::Refused { reason } } else { PushOutcome::Rejected { reason } }
}

/// What a gRPC answer said, for its evidence.
pub(crate) fn in_words(outcome: &PushOutcome) -> String {
    match outcome {
        PushOutcome::Acked => "gRPC Ok".to_owned(),
        PushOutcome::Rejected { reason } | PushOutcome::Refused { reason } | PushOutcome::Unknown { reason } => {
            reason.clone()
        }
    }
}

/// Of a push that was answered with success and a number of refused records.
pub(crate) fn of_refused(refused: u64, sent: u64, message: &str) -> PushOutcome {
    let reason = format!("{refused} of {sent} refused: {message}");
    match refused {
        0 => PushOutcome::Acked,
        _ if refused >= sent => PushOutcome::Rejected { reason },
        _ => PushOutcome::Refused { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(outcome: &PushOutcome) -> &'static str {
        match outcome {
            PushOutcome::Acked => "acked",
            PushOutcome::Rejected { .. } => "rejected",
            PushOutcome::Refused { .. } => "refused",
            PushOutcome::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn statuses() {
        for (status, one, many) in [
            (200, "acked", "acked"),
            (204, "acked", "acked"),
            (301, "unknown", "unknown"),
            (400, "rejected", "refused"),
            (401, "rejected", "rejected"),
            (404, "rejected", "rejected"),
            (413, "rejected", "rejected"),
            (422, "rejected", "refused"),
            (429, "rejected", "refused"),
            (500, "unknown", "unknown"),
            (503, "unknown", "unknown"),
        ] {
            assert_eq!(word(&of_status(status, "text", 1)), one, "{status}");
            assert_eq!(word(&of_status(status, "text", 2)), many, "{status}");
        }
        let reason = "status 400: first".to_owned();
        assert_eq!(of_status(400, "first\nsecond", 1), PushOutcome::Rejected { reason });
    }

    #[test]
    fn grpc_codes() {
        for (code, one, many) in [
            (Code::InvalidArgument, "rejected", "refused"),
            (Code::ResourceExhausted, "rejected", "refused"),
            (Code::Unimplemented, "rejected", "rejected"),
            (Code::Unavailable, "unknown", "unknown"),
            (Code::DeadlineExceeded, "unknown", "unknown"),
            (Code::Unknown, "unknown", "unknown"),
            (Code::Internal, "unknown", "unknown"),
        ] {
            assert_eq!(word(&of_grpc(&Status::new(code, "text"), 1)), one, "{code:?}");
            assert_eq!(word(&of_grpc(&Status::new(code, "text"), 2)), many, "{code:?}");
        }
    }

    #[test]
    fn http_statuses_in_grpc_details() {
        for (http, expected) in [(400, "rejected"), (429, "rejected"), (500, "unknown"), (2, "unknown")] {
            let details = protos::rpc::Status { code: http, message: String::new() }.encode_to_vec();
            let status = Status::with_details(Code::Unknown, "text", details.into());
            assert_eq!(word(&of_grpc(&status, 1)), expected, "{http}");
        }
        let status = Status::with_details(Code::InvalidArgument, "text", vec![0xff].into());
        assert_eq!(word(&of_grpc(&status, 1)), "rejected");
    }

    #[test]
    fn refused_records() {
        for (refused, sent, expected) in [(0, 5, "acked"), (2, 5, "refused"), (5, 5, "rejected"), (9, 5, "rejected")] {
            assert_eq!(word(&of_refused(refused, sent, "why")), expected, "{refused} of {sent}");
        }
    }
}
