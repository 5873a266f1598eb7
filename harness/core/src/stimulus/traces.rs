//! Spans: traces of nested spans over two services, with every type of attribute. Must not know how they are sent.

use super::{
    Origin,
    origin::{Generator, UNICODE},
};
use crate::signal::{AttributeValue, Attributes, Span, SpanEvent, SpanLink};

/// How many traces. Each has the same six spans: see [`spans`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceShape {
    /// Traces in all.
    pub traces: usize,
    /// What is said of each span.
    pub vocabulary: Vocabulary,
}

/// What the sender of spans can express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// All of OTLP.
    Otlp,
    /// What the API of the OpenTelemetry SDKs has: no attribute of bytes, none of keys and values.
    Sdk,
    /// What a command line has: no lists among attributes, texts alone among a resource's, no events and no links. No checksum either,
    /// for a text that could be a number becomes one.
    CommandLine,
}

impl Default for TraceShape {
    fn default() -> Self {
        Self { traces: 5, vocabulary: Vocabulary::Otlp }
    }
}

/// Spans in one trace.
pub const SPANS_PER_TRACE: usize = TREE.len();

/// The attribute with the run's id.
pub const RUN: &str = "lgtm.run";
/// The attribute with the stimulus' name.
pub const STIMULUS: &str = "lgtm.stimulus";
/// The attribute with the span's number within the stimulus, from 0.
pub const SEQUENCE: &str = "lgtm.sequence";
/// The attribute with the [`checksum`].
pub const CHECKSUM: &str = "lgtm.checksum";

/// One span of the tree that every trace is.
struct Node {
    parent: Option<usize>,
    name: &'static str,
    /// OTLP's number.
    kind: i32,
    service: Service,
    /// Start and length within the trace, milliseconds; a child lies within its parent.
    start_ms: i64,
    length_ms: i64,
}

#[derive(Clone, Copy)]
enum Service {
    Shop,
    Stock,
}

const TREE: [Node; 6] = [
    Node { parent: None, name: "GET /orders", kind: 2, service: Service::Shop, start_ms: 0, length_ms: 900 },
    Node { parent: Some(0), name: "reserve", kind: 3, service: Service::Shop, start_ms: 20, length_ms: 300 },
    Node { parent: Some(1), name: "POST /réserve", kind: 2, service: Service::Stock, start_ms: 40, length_ms: 200 },
    Node { parent: Some(0), name: "publish 注文", kind: 4, service: Service::Shop, start_ms: 350, length_ms: 100 },
    Node { parent: Some(3), name: "consume", kind: 5, service: Service::Stock, start_ms: 360, length_ms: 60 },
    Node { parent: Some(0), name: "render", kind: 1, service: Service::Shop, start_ms: 500, length_ms: 300 },
];

/// Nanoseconds in a millisecond.
const MS: i64 = 1_000_000;

/// The spans, trace after trace, parents before children. The number of a span within the vector is its `lgtm.sequence`.
///
/// A trace is a server span with a client span, a producer span and an internal span below it; below the client span
/// is the other service's server span, below the producer span its consumer span, which is linked to the producer span and to
/// the trace before. Ids differ from run to run, all else depends on seed and stimulus alone.
pub fn spans(origin: &Origin, shape: &TraceShape) -> Vec<Span> {
    let mut content = origin.content();
    let mut identities = origin.identities();
    let mut spans: Vec<Span> = Vec::with_capacity(shape.traces.saturating_mul(SPANS_PER_TRACE));
    let mut before: Option<(String, String)> = None;
    for trace in 0..shape.traces {
        let trace_id = identities.id::<16>();
        let ids: Vec<String> = TREE.iter().map(|_| identities.id::<8>()).collect();
        let id = |index: usize| ids.get(index).cloned().unwrap_or_default();
        // Tempo clamps what lies too far from its own time; the last ten seconds never do.
        let start = origin.now_ns - 10_000 * MS + content.offset(9_000 * MS);
        for (index, node) in TREE.iter().enumerate() {
            let start_ns = start + node.start_ms * MS + content.offset(MS);
            let end_ns = start_ns + node.length_ms * MS + content.offset(MS);
            let (status_code, status_message) = match (index, trace % 2) {
                (0, _) => (1, String::new()),
                (2, 0) => (2, format!("out of stock: {}", content.pick(UNICODE))),
                (4, _) => (2, "retry later".to_owned()),
                _ => (0, String::new()),
            };
            let links =
                if node.kind == 5 { links(&mut content, (&trace_id, id(3)), before.as_ref()) } else { Vec::new() };
            let sequence = i64::try_from(spans.len()).unwrap_or(i64::MAX);
            let mut span = Span {
                trace_id: trace_id.clone(),
                span_id: id(index),
                parent_span_id: node.parent.map(id).unwrap_or_default(),
                name: node.name.to_owned(),
                kind: node.kind,
                start_ns,
                end_ns,
                status_code,
                status_message,
                service: node.service.name().to_owned(),
                resource: node.service.resource(),
                attributes: attributes(&mut content, origin, node, sequence),
                events: events(&mut content, start_ns, end_ns, index),
                links,
            };
            shape.vocabulary.restrict(&mut span);
            if shape.vocabulary != Vocabulary::CommandLine {
                let sum = checksum(&span);
                span.attributes.insert(CHECKSUM.to_owned(), AttributeValue::String(sum));
            }
            spans.push(span);
        }
        before = Some((trace_id, id(0)));
    }
    spans
}

impl Vocabulary {
    /// Takes from `span` what has no word.
    fn restrict(self, span: &mut Span) {
        match self {
            Self::Otlp => {}
            Self::Sdk => {
                span.attributes.retain(|_, value| in_sdk(value));
                span.resource.retain(|_, value| in_sdk(value));
            }
            Self::CommandLine => {
                span.attributes.retain(|_, value| is_scalar(value));
                span.resource.retain(|_, value| matches!(value, AttributeValue::String(_)));
                span.events.clear();
                span.links.clear();
            }
        }
    }
}

fn in_sdk(value: &AttributeValue) -> bool {
    is_scalar(value) || matches!(value, AttributeValue::Array(_))
}

fn is_scalar(value: &AttributeValue) -> bool {
    use AttributeValue::{Bool, Double, Int, String};
    matches!(value, String(_) | Bool(_) | Int(_) | Double(_))
}

/// What a span says about its own content: CRC-32C, 8 lowercase hex digits, of its JSON without the attribute that holds it.
pub fn checksum(span: &Span) -> String {
    let mut bare = span.clone();
    bare.attributes.remove(CHECKSUM);
    // The record's own JSON is canonical: fields in the order of their declaration, maps in the order of their keys. It has
    // no map whose keys are not texts, so it can't fail.
    let json = serde_json::to_vec(&bare).unwrap_or_default();
    format!("{:08x}", crc32c::crc32c(&json))
}

/// Whether a span carries a checksum, and the one of what it holds.
pub fn is_whole(span: &Span) -> bool {
    span.attributes.get(CHECKSUM) == Some(&AttributeValue::String(checksum(span)))
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Shop => "lgtm-verify-shop",
            Self::Stock => "lgtm-verify-stöck",
        }
    }

    fn resource(self) -> Attributes {
        let number = match self {
            Self::Shop => 1,
            Self::Stock => 2,
        };
        attributes_of([
            ("service.name", text(self.name())),
            // Tempo keeps these two in columns of their own.
            ("k8s.namespace.name", text("lgtm")),
            ("k8s.pod.name", text(&format!("pod-{number}"))),
            ("service.instance.number", AttributeValue::Int(number)),
            ("service.zones", AttributeValue::Array(vec![text("a"), text("ß")])),
            ("service.canary", AttributeValue::Bool(number == 2)),
        ])
    }
}

fn attributes(content: &mut Generator, origin: &Origin, node: &Node, sequence: i64) -> Attributes {
    #[expect(clippy::cast_precision_loss, reason = "any double will do")]
    let double = content.below(1 << 52) as f64 / 1024.0;
    let integer = content.number().cast_signed();
    let mut attributes = attributes_of([
        (RUN, text(&origin.run)),
        (STIMULUS, text(&origin.stimulus)),
        (SEQUENCE, AttributeValue::Int(sequence)),
        ("lgtm.text", text(&content.ascii(40))),
        ("lgtm.unicode", text(&content.pick(UNICODE))),
        ("lgtm.empty", text("")),
        ("lgtm.bool", AttributeValue::Bool(sequence % 2 == 0)),
        ("lgtm.int", AttributeValue::Int(integer)),
        ("lgtm.int.smallest", AttributeValue::Int(i64::MIN)),
        ("lgtm.double", AttributeValue::Double(double)),
        ("lgtm.double.whole", AttributeValue::Double(3.0)),
        ("lgtm.double.smallest", AttributeValue::Double(f64::from_bits(1))),
        ("lgtm.bytes", AttributeValue::Bytes(vec![0, 1, 0xfe, 0xff])),
        ("lgtm.texts", AttributeValue::Array(vec![text("a"), text(""), text(&content.pick(UNICODE))])),
        ("lgtm.ints", AttributeValue::Array(vec![AttributeValue::Int(-1), AttributeValue::Int(integer)])),
        ("lgtm.doubles", AttributeValue::Array(vec![AttributeValue::Double(-0.5), AttributeValue::Double(double)])),
        ("lgtm.bools", AttributeValue::Array(vec![AttributeValue::Bool(true), AttributeValue::Bool(false)])),
        (
            "lgtm.keyvalues",
            AttributeValue::KeyValues(attributes_of([
                ("inner", text("größe")),
                ("number", AttributeValue::Int(7)),
                ("list", AttributeValue::Array(vec![text("x"), text("y")])),
            ])),
        ),
    ]);
    if node.kind == 2 || node.kind == 3 {
        // Tempo keeps these in columns of their own.
        attributes.extend(attributes_of([
            ("http.method", text(if node.kind == 2 { "GET" } else { "POST" })),
            ("http.status_code", AttributeValue::Int(if sequence % 4 == 2 { 503 } else { 200 })),
            ("http.url", text(&format!("https://shop.example/orders/{}?ü=1", content.below(1000)))),
        ]));
    }
    attributes
}

fn events(content: &mut Generator, start_ns: i64, end_ns: i64, index: usize) -> Vec<SpanEvent> {
    let mut times: Vec<i64> = (0..index % 3).map(|_| start_ns + content.offset(end_ns - start_ns)).collect();
    times.sort_unstable();
    times
        .into_iter()
        .map(|time_ns| SpanEvent {
            time_ns,
            name: content.pick(&["cache miss", "exception", "再試行"]),
            attributes: attributes_of([
                ("exception.message", text(&content.pick(UNICODE))),
                ("attempt", AttributeValue::Int(content.offset(5))),
                ("final", AttributeValue::Bool(false)),
            ]),
        })
        .collect()
}

fn links(content: &mut Generator, producer: (&str, String), before: Option<&(String, String)>) -> Vec<SpanLink> {
    let mut links = vec![SpanLink {
        trace_id: producer.0.to_owned(),
        span_id: producer.1,
        attributes: attributes_of([("messaging.offset", AttributeValue::Int(content.offset(1000)))]),
    }];
    if let Some((trace_id, span_id)) = before {
        links.push(SpanLink {
            trace_id: trace_id.clone(),
            span_id: span_id.clone(),
            attributes: attributes_of([("reason", text(&content.pick(UNICODE)))]),
        });
    }
    links
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::String(text.to_owned())
}

fn attributes_of<const N: usize>(pairs: [(&str, AttributeValue); N]) -> Attributes {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_span_is_whole_and_within_its_parent(seed: u64, traces in 0_usize..6) {
            let origin = Origin::example(seed);
            let shape = TraceShape { traces, ..TraceShape::default() };
            let made = spans(&origin, &shape);
            prop_assert_eq!(made.len(), traces * SPANS_PER_TRACE);
            let by_id: BTreeMap<_, _> = made.iter().map(|span| ((&span.trace_id, &span.span_id), span)).collect();
            prop_assert_eq!(by_id.len(), made.len());
            for (number, span) in made.iter().enumerate() {
                prop_assert!(is_whole(span));
                prop_assert_eq!(&span.attributes[SEQUENCE], &AttributeValue::Int(i64::try_from(number).unwrap()));
                prop_assert!(span.start_ns < span.end_ns && span.end_ns < origin.now_ns);
                prop_assert!(span.events.iter().all(|event| (span.start_ns..=span.end_ns).contains(&event.time_ns)));
                if !span.parent_span_id.is_empty() {
                    let parent = by_id[&(&span.trace_id, &span.parent_span_id)];
                    prop_assert!(parent.start_ns < span.start_ns && span.end_ns < parent.end_ns);
                }
            }
            prop_assert_eq!(&spans(&origin, &shape), &made);
            if traces > 0 {
                prop_assert_ne!(spans(&Origin::example(seed.wrapping_add(1)), &shape), made);
            }
        }
    }

    #[test]
    fn what_a_sender_has_no_word_for_is_left_out() {
        let made = |vocabulary| spans(&Origin::example(1), &TraceShape { vocabulary, ..TraceShape::default() });
        let attributes = |spans: &[Span]| -> Vec<AttributeValue> {
            spans.iter().flat_map(|span| span.attributes.values().chain(span.resource.values())).cloned().collect()
        };
        let sdk = made(Vocabulary::Sdk);
        assert!(sdk.iter().all(is_whole));
        assert!(sdk.iter().any(|span| !span.links.is_empty()) && sdk.iter().any(|span| !span.events.is_empty()));
        assert!(attributes(&sdk).iter().all(in_sdk));
        assert!(attributes(&sdk).iter().any(|value| matches!(value, AttributeValue::Array(_))));
        let flat = made(Vocabulary::CommandLine);
        assert!(flat.iter().all(|span| span.links.is_empty() && span.events.is_empty()));
        assert!(attributes(&flat).iter().all(is_scalar));
        assert_eq!(flat.len(), sdk.len());
    }

    #[test]
    fn an_altered_span_is_not_whole() {
        let Some(span) = spans(&Origin::example(1), &TraceShape { traces: 1, ..TraceShape::default() }).pop() else {
            panic!("no span")
        };
        assert!(!is_whole(&Span { name: "other".to_owned(), ..span.clone() }));
        assert!(!is_whole(&Span { end_ns: span.end_ns + 1, ..span.clone() }));
        let mut bare = span;
        bare.attributes.remove(CHECKSUM);
        assert!(!is_whole(&bare));
    }

    #[test]
    fn a_span_is_still_whole_after_json() {
        for span in spans(&Origin::example(1), &TraceShape::default()) {
            let json = serde_json::to_string(&span).unwrap();
            assert!(is_whole(&serde_json::from_str(&json).unwrap()), "{json}");
        }
    }

    #[test]
    fn traces_have_every_kind_status_and_service() {
        let made = spans(&Origin::example(1), &TraceShape::default());
        for kind in 1..=5 {
            assert!(made.iter().any(|span| span.kind == kind), "kind {kind}");
        }
        for status in 0..=2 {
            assert!(made.iter().any(|span| span.status_code == status), "status {status}");
        }
        assert!(made.iter().any(|span| span.links.len() == 2));
        assert!(made.iter().any(|span| span.events.len() == 2));
        assert!(made.iter().any(|span| span.service != made[0].service));
    }
}
