use std::time::Duration;

use bytes::Bytes;
use hyper::{Response, StatusCode, http::request::Parts};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It goes on with this body, changed or not.
    Forward(Bytes),
    /// It goes nowhere and is answered so.
    Answer(StatusCode, Bytes),
    /// It goes nowhere, and its connection is closed without an answer.
    Drop,
}

/// Stands between harness and server and does one thing wrong.
pub trait Saboteur: Send + Sync + 'static {
    /// Decides on a request, whole. `head` goes on as it is left here; what is put into its extensions is there again in
    /// [`Saboteur::response`].
    fn request(&self, head: &mut Parts, body: Bytes) -> Action;

    /// How long a request is kept before it goes on.
    fn delay(&self, _head: &Parts) -> Duration {
        Duration::ZERO
    }

    /// The answer that is passed on instead of `answer`, which the server gave to the request that went on with `head`; or the
    /// proxy, with status 502, where there was none.
    fn response(&self, _head: &Parts, answer: Response<Bytes>) -> Response<Bytes> {
        answer
    }

    /// How often the fault took place: the proof that there was one.
    fn injected(&self) -> u64;
}
