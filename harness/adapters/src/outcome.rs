//! What an answer to a push means for what was pushed. Pure. Must not know addresses or clocks.
//!
//! A push that was taken in part is *unknown*: which of its records are there, the answer doesn't say.

use harness_core::ports::PushOutcome;
use prost::Message;
use tonic::{Code, Status};

use crate::http::Reply;

/// Characters of a refusal that its reason keeps, at most.
const REASON: usize = 500;

/// Taken by any 2xx, refused by 4xx; all else says neither.
pub(crate) fn of_http(reply: &Result<Reply, String>) -> PushOutcome {
    match reply {
        Ok(reply) => of_status(reply.status, &String::from_utf8_lossy(&reply.body)),
        Err(reason) => PushOutcome::Unknown { reason: format!("no answer: {reason}") },
    }
}

/// As [`of_http`], of a status and the text that came with it.
pub(crate) fn of_status(status: u16, text: &str) -> PushOutcome {
    let line: String = text.lines().next().unwrap_or_default().chars().take(REASON).collect();
    let reason = format!("status {status}: {line}");
    match status {
        200..=299 => PushOutcome::Acked,
        400..=499 => PushOutcome::Rejected { reason },
        _ => PushOutcome::Unknown { reason },
    }
}

/// Of a gRPC call that failed. Loki puts HTTP statuses where gRPC has its codes (dskit, `httpgrpc`), which only the
/// details tell apart.
pub(crate) fn of_grpc(status: &Status) -> PushOutcome {
    let details = protos::rpc::Status::decode(status.details()).unwrap_or_default();
    if let Some(http) = u16::try_from(details.code).ok().filter(|code| (100..600).contains(code)) {
        return of_status(http, status.message());
    }
    let mut reason = format!("gRPC {:?}: {}", status.code(), status.message());
    if let Some(source) = std::error::Error::source(status) {
        reason = format!("{reason}: {}", crate::http::causes(source));
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => PushOutcome::Rejected { reason },
        _ => PushOutcome::Unknown { reason },
    }
}

/// Of a push that was answered with success and a number of refused records.
pub(crate) fn of_refused(refused: u64, sent: u64, message: &str) -> PushOutcome {
    let reason = format!("{refused} of {sent} refused: {message}");
    match refused {
        0 => PushOutcome::Acked,
        _ if refused >= sent => PushOutcome::Rejected { reason },
        _ => PushOutcome::Unknown { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(outcome: &PushOutcome) -> &'static str {
        match outcome {
            PushOutcome::Acked => "acked",
            PushOutcome::Rejected { .. } => "rejected",
            PushOutcome::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn statuses() {
        for (status, expected) in [
            (200, "acked"),
            (204, "acked"),
            (301, "unknown"),
            (400, "rejected"),
            (429, "rejected"),
            (500, "unknown"),
            (503, "unknown"),
        ] {
            assert_eq!(word(&of_status(status, "text")), expected, "{status}");
        }
        let reason = "status 400: first".to_owned();
        assert_eq!(of_status(400, "first\nsecond"), PushOutcome::Rejected { reason });
    }

    #[test]
    fn grpc_codes() {
        for (code, expected) in [
            (Code::InvalidArgument, "rejected"),
            (Code::ResourceExhausted, "rejected"),
            (Code::Unimplemented, "rejected"),
            (Code::Unavailable, "unknown"),
            (Code::DeadlineExceeded, "unknown"),
            (Code::Unknown, "unknown"),
            (Code::Internal, "unknown"),
        ] {
            assert_eq!(word(&of_grpc(&Status::new(code, "text"))), expected, "{code:?}");
        }
    }

    #[test]
    fn http_statuses_in_grpc_details() {
        for (http, expected) in [(400, "rejected"), (429, "rejected"), (500, "unknown"), (2, "unknown")] {
            let details = protos::rpc::Status { code: http, message: String::new() }.encode_to_vec();
            let status = Status::with_details(Code::Unknown, "text", details.into());
            assert_eq!(word(&of_grpc(&status)), expected, "{http}");
        }
        let status = Status::with_details(Code::InvalidArgument, "text", vec![0xff].into());
        assert_eq!(word(&of_grpc(&status)), "rejected");
    }

    #[test]
    fn refused_records() {
        for (refused, sent, expected) in [(0, 5, "acked"), (2, 5, "unknown"), (5, 5, "rejected"), (9, 5, "rejected")] {
            assert_eq!(word(&of_refused(refused, sent, "why")), expected, "{refused} of {sent}");
        }
    }
}
