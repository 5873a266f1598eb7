use super::super::{
    Origin,
    traces::{RUN, STIMULUS},
};
use super::{
    Found, LoadPlan,
    text::Texts,
    wire::{field, field_length, fixed, head, number as put_number},
};
use crate::signal::{AttributeValue, Attributes, Span};

/// Spans of one trace.
const SPANS: u64 = 10;
const NAME: &str = "load";
const TEXT: &str = "text";
/// OTLP's number of an internal span.
const KIND: u64 = 1;

/// What all spans of a load share.
pub(super) struct Fixed {
    /// How the id of each trace begins; its number follows.
    pub(super) trace_prefix: [u8; 8],
    attributes: Attributes,
    /// `ResourceSpans.resource`, with tag and length.
    resource: Vec<u8>,
}

impl Fixed {
    pub(super) fn new(plan: &LoadPlan, origin: &Origin) -> Self {
        let mut trace_prefix = origin.identities().number().to_be_bytes();
        // OTLP calls an id of zeros invalid.
        trace_prefix[0] |= 1;
        let pairs = [("service.name", "lgtm-verify"), (RUN, plan.run.as_str()), (STIMULUS, plan.stimulus.as_str())];
        let text = |value: &str| AttributeValue::String(value.to_owned());
        let mut content = Vec::new();
        for (key, value) in pairs {
            let (key_length, value_length) = (field_length(key.len()), field_length(value.len()));
            head(1, key_length + field_length(value_length), &mut content);
            field(1, key.as_bytes(), &mut content);
            head(2, value_length, &mut content);
            field(1, value.as_bytes(), &mut content);
        }
        let mut resource = Vec::new();
        field(1, &content, &mut resource);
        let attributes = pairs.map(|(key, value)| (key.to_owned(), text(value))).into();
        Self { trace_prefix, attributes, resource }
    }
}

/// The id of the trace that span `number` belongs to.
fn trace_id(fixed: &Fixed, number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    let (before, after) = id.split_at_mut(8);
    before.copy_from_slice(&fixed.trace_prefix);
    after.copy_from_slice(&(number / SPANS).to_be_bytes());
    id
}

/// The id of span `number`: no id is all zeros.
fn span_id(number: u64) -> [u8; 8] {
    (number + 1).to_be_bytes()
}

/// The id of the span above span `number`: the first of its trace has none.
fn parent_of(number: u64) -> Option<[u8; 8]> {
    (!number.is_multiple_of(SPANS)).then(|| span_id(number - number % SPANS))
}

fn duration_ns(number: u64) -> i64 {
    1_000_000 + i64::try_from(number % 1000).unwrap_or(0) * 1000
}

/// Bytes of the text of span `number`, so that span, tag and length are [`LoadPlan::record_bytes`].
fn text_length(plan: &LoadPlan, number: u64) -> usize {
    let wanted = plan.record_bytes as usize;
    let around = span_length(number, 0);
    // Some lengths of lengths grow with the text.
    let mut text = wanted.saturating_sub(field_length(around));
    while text > 0 && field_length(span_length(number, text)) > wanted {
        text -= 1;
    }
    text
}

fn span_length(number: u64, text: usize) -> usize {
    let parent = if parent_of(number).is_some() { field_length(8) } else { 0 };
    field_length(16)
        + field_length(8)
        + parent
        + field_length(NAME.len())
        + 2
        + 9
        + 9
        + field_length(attribute_length(text))
}

fn attribute_length(text: usize) -> usize {
    field_length(TEXT.len()) + field_length(field_length(text))
}

/// Writes the `ExportTraceServiceRequest` of push `batch`: one resource, one scope, its spans.
pub(super) fn write(plan: &LoadPlan, known: &Fixed, texts: &Texts, batch: u32, out: &mut Vec<u8>) {
    let numbers = plan.numbers_of(batch);
    let spans: usize = numbers.clone().map(|number| field_length(span_length(number, text_length(plan, number)))).sum();
    head(1, known.resource.len() + field_length(spans), out);
    out.extend_from_slice(&known.resource);
    head(2, spans, out);
    for number in numbers {
        write_span(plan, known, texts, number, out);
    }
}

fn write_span(plan: &LoadPlan, known: &Fixed, texts: &Texts, number: u64, out: &mut Vec<u8>) {
    let text = texts.of(number, text_length(plan, number));
    head(2, span_length(number, text.len()), out);
    field(1, &trace_id(known, number), out);
    field(2, &span_id(number), out);
    if let Some(parent) = parent_of(number) {
        field(4, &parent, out);
    }
    field(5, NAME.as_bytes(), out);
    put_number(6, KIND, out);
    let start_ns = plan.time_ns(number);
    fixed(7, u64::try_from(start_ns).unwrap_or(0), out);
    fixed(8, u64::try_from(start_ns + duration_ns(number)).unwrap_or(0), out);
    head(9, attribute_length(text.len()), out);
    field(1, TEXT.as_bytes(), out);
    head(2, field_length(text.len()), out);
    field(1, text, out);
}

/// What a stored span is.
pub(super) fn recognise(plan: &LoadPlan, known: &Fixed, texts: &Texts, span: &Span) -> Found {
    let Some(number) = number_of(known, span) else { return Found::Foreign };
    let parent = parent_of(number).map(hex::encode).unwrap_or_default();
    let text = match span.attributes.get(TEXT) {
        Some(AttributeValue::String(text)) if span.attributes.len() == 1 => text.as_bytes(),
        _ => &[],
    };
    let start_ns = plan.time_ns(number);
    let checks = [
        ("number", number < plan.records()),
        ("trace id", span.trace_id == hex::encode(trace_id(known, number))),
        ("parent", span.parent_span_id == parent),
        ("name", span.name == NAME),
        ("kind", u64::try_from(span.kind) == Ok(KIND)),
        ("start", span.start_ns == start_ns),
        ("end", span.end_ns == start_ns + duration_ns(number)),
        ("status", span.status_code == 0 && span.status_message.is_empty()),
        ("resource", span.resource == known.attributes),
        ("attributes", text == texts.of(number, text_length(plan, number))),
        ("events", span.events.is_empty()),
        ("links", span.links.is_empty()),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        None => Found::Whole(number),
        Some((what, _)) => Found::Altered { number, what },
    }
}

/// The number of a span of this load.
fn number_of(known: &Fixed, span: &Span) -> Option<u64> {
    let mut trace = [0; 16];
    hex::decode_to_slice(&span.trace_id, &mut trace).ok()?;
    let mut id = [0; 8];
    hex::decode_to_slice(&span.span_id, &mut id).ok()?;
    if trace.starts_with(&known.trace_prefix) { u64::from_be_bytes(id).checked_sub(1) } else { None }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use proptest::prelude::*;
    use prost::Message;

    use super::super::{Load, examples};
    use super::*;
    use crate::{observation::answers, signal::Signal};

    /// The spans of a body, by the reader of Tempo's answers.
    fn spans(body: &[u8]) -> Vec<Span> {
        // An answer's trace has the field that a request has.
        let mut answer = Vec::new();
        field(1, body, &mut answer);
        answers::spans(&answer).unwrap()
    }

    proptest! {
        #[test]
        fn every_span_sent_is_known_again_and_its_bytes_are_those_of_the_plan(
            seed: u64, records in 1_u32..50, bytes in 450_u32..3000, batches in 1_u32..4,
        ) {
            let plan = LoadPlan {
                batch_records: records, record_bytes: bytes, batches, ..examples::plan(Signal::Traces, seed)
            };
            let mut load = Load::new(plan.clone());
            let mut numbers = Vec::new();
            for batch in 0..batches {
                let body = load.body(batch);
                let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
                prop_assert_eq!(&request.encode_to_vec(), &body.to_vec());
                for span in &request.resource_spans[0].scope_spans[0].spans {
                    prop_assert_eq!(field_length(span.encoded_len()), bytes as usize);
                }
                for span in spans(&body) {
                    let Found::Whole(number) = load.span(&span) else {
                        return Err(TestCaseError::fail(format!("{span:?}")));
                    };
                    prop_assert!(load.has_trace(&trace_id(&load.traces, number)));
                    numbers.push(number);
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..plan.records()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_otherwise_is_named() {
        let mut load = Load::new(LoadPlan { batch_records: 20, ..examples::plan(Signal::Traces, 1) });
        let sent = spans(&load.body(0));
        let span = sent.iter().find(|span| !span.parent_span_id.is_empty()).unwrap();
        let Found::Whole(number) = load.span(span) else { panic!("not known again") };
        let text = |text: &str| [(TEXT.to_owned(), AttributeValue::String(text.to_owned()))].into();
        let other_trace = hex::encode(trace_id(&load.traces, number + SPANS));
        let table = [
            ("trace id", Span { trace_id: other_trace, ..span.clone() }),
            ("parent", Span { parent_span_id: String::new(), ..span.clone() }),
            ("name", Span { name: "other".to_owned(), ..span.clone() }),
            ("kind", Span { kind: 2, ..span.clone() }),
            ("start", Span { start_ns: span.start_ns - 1, ..span.clone() }),
            ("end", Span { end_ns: span.end_ns + 1, ..span.clone() }),
            ("status", Span { status_code: 2, ..span.clone() }),
            ("resource", Span { resource: Attributes::new(), ..span.clone() }),
            ("attributes", Span { attributes: text("other"), ..span.clone() }),
            ("attributes", Span { attributes: Attributes::new(), ..span.clone() }),
            ("number", Span { span_id: "00000000ffffffff".to_owned(), ..span.clone() }),
        ];
        for (expected, altered) in table {
            let Found::Altered { what, .. } = load.span(&altered) else { panic!("{expected}") };
            assert_eq!(what, expected);
        }
        assert_eq!(load.span(&Span { trace_id: "0".repeat(32), ..span.clone() }), Found::Foreign);
        assert_eq!(load.span(&Span { span_id: String::new(), ..span.clone() }), Found::Foreign);
    }
}
