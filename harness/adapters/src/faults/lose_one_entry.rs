use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use hyper::{Method, Response, StatusCode, header::CONTENT_TYPE, http::request::Parts};
use prost::Message;
use protos::logproto::PushRequest;
use serde_json::Value;

use super::{Action, Saboteur};

/// Where Loki takes pushes.
const PATH: &str = "/loki/api/v1/push";

/// Longest push that is looked into, in bytes before compression.
const PUSH_CEILING: usize = 256 << 20;

/// Takes one entry out of each push to Loki, passes the rest on, and the answer back: an acknowledgement that lies about one entry.
///
/// Pushes are `POST /loki/api/v1/push` in JSON or as snappy-compressed protobuf. A push of one entry is answered with 204 and
/// passed on to nobody, because Loki refuses a push of none. What is no push, can't be read or has no such entry goes through
/// unchanged and is not counted; nor is a push that was refused.
#[derive(Debug)]
pub struct LoseOneEntry {
    which: Which,
    injected: AtomicU64,
}

/// Entries are counted through all streams, in the order of the body.
#[derive(Debug, Clone, Copy)]
enum Which {
    Last,
    Nth(usize),
}

/// Marks a request that goes on without one of its entries.
#[derive(Debug, Clone, Copy)]
struct Robbed;

/// What is left of a push after the theft.
#[derive(Debug, PartialEq)]
enum Left {
    Rest(Vec<u8>),
    Nothing,
}

impl Default for LoseOneEntry {
    fn default() -> Self {
        Self::last()
    }
}

impl LoseOneEntry {
    /// Loses each push's last entry.
    pub fn last() -> Self {
        Self { which: Which::Last, injected: AtomicU64::new(0) }
    }

    /// Loses each push's entry `index`, the first being 0, in the order of the body.
    pub fn nth(index: usize) -> Self {
        Self { which: Which::Nth(index), injected: AtomicU64::new(0) }
    }

    fn count(&self) {
        self.injected.fetch_add(1, Ordering::Relaxed);
    }
}

impl Saboteur for LoseOneEntry {
    fn request(&self, head: &mut Parts, body: Bytes) -> Action {
        if head.method != Method::POST || head.uri.path() != PATH {
            return Action::Forward(body);
        }
        // Loki takes everything for protobuf that doesn't say that it is JSON.
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let left = if media_type.eq_ignore_ascii_case("application/json") {
            without_one_of_json(&body, self.which)
        } else {
            without_one_of_protobuf(&body, self.which)
        };
        match left {
            None => Action::Forward(body),
            Some(Left::Nothing) => {
                self.count();
                Action::Answer(StatusCode::NO_CONTENT, Bytes::new())
            }
            Some(Left::Rest(rest)) => {
                head.extensions.insert(Robbed);
                Action::Forward(rest.into())
            }
        }
    }

    fn response(&self, head: &Parts, answer: Response<Bytes>) -> Response<Bytes> {
        if head.extensions.get::<Robbed>().is_some() && answer.status().is_success() {
            self.count();
        }
        answer
    }

    fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }
}

impl Which {
    /// Stream and place in it of this entry, where the streams have so many entries.
    fn locate(self, streams: &[usize]) -> Option<(usize, usize)> {
        let index = match self {
            Self::Last => streams.iter().sum::<usize>().checked_sub(1)?,
            Self::Nth(index) => index,
        };
        let found = streams.iter().enumerate().try_fold(index, |index, (stream, &entries)| {
            if index < entries { ControlFlow::Break((stream, index)) } else { ControlFlow::Continue(index - entries) }
        });
        found.break_value()
    }
}

/// A JSON push (Loki, `docs/sources/reference/loki-http-api.md`) without one entry; `None` where it is no such push.
fn without_one_of_json(body: &[u8], which: Which) -> Option<Left> {
    let mut push: Value = serde_json::from_slice(body).ok()?;
    let streams = push.get_mut("streams")?.as_array_mut()?;
    let entries = |stream: &Value| stream.get("values").and_then(Value::as_array).map_or(0, Vec::len);
    let lengths: Vec<usize> = streams.iter().map(entries).collect();
    let (stream, entry) = which.locate(&lengths)?;
    let values = streams.get_mut(stream)?.get_mut("values")?.as_array_mut()?;
    values.remove(entry);
    if values.is_empty() {
        streams.remove(stream);
    }
    if lengths.iter().sum::<usize>() == 1 {
        return Some(Left::Nothing);
    }
    Some(Left::Rest(push.to_string().into_bytes()))
}

/// A protobuf push without one entry; `None` where it is none.
fn without_one_of_protobuf(body: &[u8], which: Which) -> Option<Left> {
    if snap::raw::decompress_len(body).ok()? > PUSH_CEILING {
        return None;
    }
    let message = snap::raw::Decoder::new().decompress_vec(body).ok()?;
    let mut push = PushRequest::decode(message.as_slice()).ok()?;
    let lengths: Vec<usize> = push.streams.iter().map(|stream| stream.entries.len()).collect();
    let (stream, entry) = which.locate(&lengths)?;
    let entries = &mut push.streams.get_mut(stream)?.entries;
    entries.remove(entry);
    if entries.is_empty() {
        push.streams.remove(stream);
    }
    if lengths.iter().sum::<usize>() == 1 {
        return Some(Left::Nothing);
    }
    Some(Left::Rest(snap::raw::Encoder::new().compress_vec(&push.encode_to_vec()).ok()?))
}
