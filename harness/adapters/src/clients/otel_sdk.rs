//! The OpenTelemetry SDK with its own exporter, within this process, as an application has it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use harness_core::{
    ports::{Clock, PushOutcome},
    signal::{AttributeValue, Attributes, Span},
};
use opentelemetry::{
    Array, Context, KeyValue, SpanId, StringValue, TraceFlags, TraceId, Value,
    trace::{
        Event, Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer, TracerProvider,
    },
};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{IdGenerator, Sampler, SdkTracerProvider},
};

use super::Delivery;
use crate::{causes, http};

/// Has applications, one for each resource, record `spans` by the SDK and export them to the OTLP receiver at `tempo`, a base address.
/// Acknowledged when each exporter says that everything was.
pub(super) async fn send(tempo: &str, spans: &[Span], clock: &dyn Clock) -> Result<Delivery, String> {
    let mut applications = Vec::new();
    for (resource, spans) in by_resource(spans) {
        let recorded = spans.into_iter().map(Recorded::of).collect::<Result<Vec<_>, _>>()?;
        applications.push((provider(tempo, resource)?, recorded));
    }
    let sent = clock.now();
    let mut answers = Vec::new();
    for ((provider, ids), recorded) in applications {
        let tracer = provider.tracer("lgtm-verify");
        for span in recorded {
            span.record(&tracer, &ids);
        }
        // It blocks until the exporter has its answer, which comes through this runtime.
        let flushed = tokio::task::spawn_blocking(move || {
            let flushed = provider.force_flush();
            // What there was to send was sent or refused: an error of its end says nothing of spans.
            let _ = provider.shutdown();
            flushed
        });
        answers.push(match flushed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(causes(&error)),
            Err(error) => Err(causes(&error)),
        });
    }
    let said = format!("force_flush of {} tracer providers: {answers:?}", answers.len());
    let outcome = match answers.into_iter().collect::<Result<Vec<()>, String>>() {
        Ok(_) => PushOutcome::Acked,
        Err(reason) => PushOutcome::Unknown { reason },
    };
    Ok(Delivery { sent, outcome, said })
}

fn by_resource(spans: &[Span]) -> Vec<(&Attributes, Vec<&Span>)> {
    let mut applications: BTreeMap<String, (&Attributes, Vec<&Span>)> = BTreeMap::new();
    for span in spans {
        let key = format!("{:?}", span.resource);
        applications.entry(key).or_insert_with(|| (&span.resource, Vec::new())).1.push(span);
    }
    applications.into_values().collect()
}

fn provider(tempo: &str, resource: &Attributes) -> Result<(SdkTracerProvider, Ids), String> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(tempo)
        .with_timeout(http::TOTAL_TIMEOUT)
        // What was sent twice could not be told from what was stored twice.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .map_err(|error| causes(&error))?;
    let ids = Ids::default();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::AlwaysOn)
        .with_id_generator(ids.clone())
        .with_resource(Resource::builder_empty().with_attributes(key_values(resource)?).build())
        .build();
    Ok((provider, ids))
}

/// Gives the SDK the ids of the span that is recorded next.
#[derive(Debug, Clone, Default)]
struct Ids(std::sync::Arc<Mutex<Option<(TraceId, SpanId)>>>);

impl Ids {
    fn next_are(&self, trace: TraceId, span: SpanId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((trace, span));
    }

    fn next(&self) -> (TraceId, SpanId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or((TraceId::INVALID, SpanId::INVALID))
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.next().0
    }

    fn new_span_id(&self) -> SpanId {
        self.next().1
    }
}

/// A span in the SDK's own words.
struct Recorded {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    name: String,
    kind: SpanKind,
    start: SystemTime,
    end: SystemTime,
    status: Status,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
    links: Vec<Link>,
}

impl Recorded {
    fn of(span: &Span) -> Result<Self, String> {
        let kind = match span.kind {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            other => return Err(format!("span {} has the kind {other}", span.span_id)),
        };
        let status = match span.status_code {
            0 => Status::Unset,
            1 => Status::Ok,
            2 => Status::error(span.status_message.clone()),
            other => return Err(format!("span {} has the status {other}", span.span_id)),
        };
        let events = span
            .events
            .iter()
            .map(|event| Ok(Event::new(event.name.clone(), time(event.time_ns)?, key_values(&event.attributes)?, 0)));
        let links = span.links.iter().map(|link| {
            let context = context(trace_id(&link.trace_id)?, span_id(&link.span_id)?);
            Ok(Link::new(context, key_values(&link.attributes)?, 0))
        });
        Ok(Self {
            trace: trace_id(&span.trace_id)?,
            span: span_id(&span.span_id)?,
            parent: Some(&span.parent_span_id).filter(|id| !id.is_empty()).map(|id| span_id(id)).transpose()?,
            name: span.name.clone(),
            kind,
            start: time(span.start_ns)?,
            end: time(span.end_ns)?,
            status,
            attributes: key_values(&span.attributes)?,
            events: events.collect::<Result<_, String>>()?,
            links: links.collect::<Result<_, String>>()?,
        })
    }

    /// Starts and ends the span.
    fn record(self, tracer: &impl Tracer, ids: &Ids) {
        let parent = match self.parent {
            Some(parent) => Context::new().with_remote_span_context(context(self.trace, parent)),
            None => Context::new(),
        };
        ids.next_are(self.trace, self.span);
        let mut span = tracer
            .span_builder(self.name)
            .with_kind(self.kind)
            .with_start_time(self.start)
            .with_attributes(self.attributes)
            .with_events(self.events)
            .with_links(self.links)
            .start_with_context(tracer, &parent);
        span.set_status(self.status);
        span.end_with_timestamp(self.end);
    }
}

fn context(trace: TraceId, span: SpanId) -> SpanContext {
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default())
}

fn trace_id(hex: &str) -> Result<TraceId, String> {
    TraceId::from_hex(hex).map_err(|error| format!("trace id {hex}: {error}"))
}

fn span_id(hex: &str) -> Result<SpanId, String> {
    SpanId::from_hex(hex).map_err(|error| format!("span id {hex}: {error}"))
}

fn time(unix_ns: i64) -> Result<SystemTime, String> {
    let since = u64::try_from(unix_ns).map_err(|_| format!("{unix_ns} ns is before 1970"))?;
    Ok(UNIX_EPOCH + Duration::from_nanos(since))
}

fn key_values(attributes: &Attributes) -> Result<Vec<KeyValue>, String> {
    attributes.iter().map(|(key, value)| Ok(KeyValue::new(key.clone(), spoken(key, value)?))).collect()
}

/// A value in the SDK's own words; it has none for bytes, for keys and values, for nothing, and for lists of several types.
fn spoken(key: &str, value: &AttributeValue) -> Result<Value, String> {
    Ok(match value {
        AttributeValue::String(text) => Value::String(text.clone().into()),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::Int(number) => Value::I64(*number),
        AttributeValue::Double(number) => Value::F64(*number),
        AttributeValue::Array(values) => Value::Array(list(values).ok_or_else(|| unspoken(key))?),
        AttributeValue::Bytes(_) | AttributeValue::KeyValues(_) | AttributeValue::Empty => return Err(unspoken(key)),
    })
}

fn unspoken(key: &str) -> String {
    format!("attribute {key} cannot be told through the SDK")
}

fn list(values: &[AttributeValue]) -> Option<Array> {
    let texts = values.iter().map(|value| match value {
        AttributeValue::String(text) => Some(StringValue::from(text.clone())),
        _ => None,
    });
    let flags = values.iter().map(|value| match value {
        AttributeValue::Bool(flag) => Some(*flag),
        _ => None,
    });
    let integers = values.iter().map(|value| match value {
        AttributeValue::Int(number) => Some(*number),
        _ => None,
    });
    let doubles = values.iter().map(|value| match value {
        AttributeValue::Double(number) => Some(*number),
        _ => None,
    });
    texts
        .collect::<Option<_>>()
        .map(Array::String)
        .or_else(|| flags.collect::<Option<_>>().map(Array::Bool))
        .or_else(|| integers.collect::<Option<_>>().map(Array::I64))
        .or_else(|| doubles.collect::<Option<_>>().map(Array::F64))
}

#[cfg(test)]
mod tests {
    use harness_core::stimulus::{
        Origin,
        traces::{self, TraceShape, Vocabulary},
    };

    use super::*;

    fn spans(vocabulary: Vocabulary) -> Vec<Span> {
        let origin =
            Origin { seed: 1, run: "r".to_owned(), stimulus: "s".to_owned(), now_ns: 1_795_000_000_012_345_678 };
        traces::spans(&origin, &TraceShape { traces: 2, vocabulary })
    }

    #[test]
    fn what_the_sdk_can_tell_is_told_and_nothing_else_is_sent() {
        let spans_of_sdk = spans(Vocabulary::Sdk);
        assert!(spans_of_sdk.iter().all(|span| Recorded::of(span).is_ok()));
        assert_eq!(by_resource(&spans_of_sdk).len(), 2);
        assert!(spans(Vocabulary::Otlp).iter().all(|span| Recorded::of(span).is_err()));
    }

    #[test]
    fn lists_are_of_one_type() {
        let (text, number) = (AttributeValue::String("a".to_owned()), AttributeValue::Int(1));
        assert_eq!(list(&[text, number.clone()]), None);
        assert_eq!(list(&[number]), Some(Array::I64(vec![1])));
    }
}
