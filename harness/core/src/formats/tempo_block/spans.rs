use super::{
    attribute::{read_attributes, read_links},
    fault::Fault,
    meta::{BlockMeta, DedicatedScope},
    row::View,
};
use crate::signal::{AttributeValue, Attributes, Span, SpanEvent};

/// Resource attributes that always have a column of their own, by the column's name.
const RESOURCE_COLUMNS: [(&str, &str); 8] = [
    ("Cluster", "cluster"),
    ("Namespace", "namespace"),
    ("Pod", "pod"),
    ("Container", "container"),
    ("K8sClusterName", "k8s.cluster.name"),
    ("K8sNamespaceName", "k8s.namespace.name"),
    ("K8sPodName", "k8s.pod.name"),
    ("K8sContainerName", "k8s.container.name"),
];
/// The same of spans.
const SPAN_COLUMNS: [(&str, &str); 3] =
    [("HttpMethod", "http.method"), ("HttpUrl", "http.url"), ("HttpStatusCode", "http.status_code")];
const SERVICE_NAME: &str = "service.name";
const DEDICATED: &str = "DedicatedAttributes";

/// Whether records are made of this column. The others are computed from these or have no place in a record.
pub(super) fn wanted(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    path == "TraceID"
        || ((path.starts_with("rs.list.element.Resource.")
            || path.starts_with("rs.list.element.ss.list.element.Spans."))
            && !matches!(
                name,
                "ParentID"
                    | "NestedSetLeft"
                    | "NestedSetRight"
                    | "TraceState"
                    | "DroppedAttributesCount"
                    | "DroppedEventsCount"
                    | "DroppedLinksCount"
            ))
}

/// Which attribute each of the configurable columns holds (Tempo tempodb/encoding/vparquet4/dedicated_columns.go).
#[derive(Debug, Default)]
pub(super) struct Dedicated {
    resource: Vec<(String, String)>,
    span: Vec<(String, String)>,
}

impl Dedicated {
    /// The columns are given out in the order of the block's meta, by scope and type: `String01`, `String02` and so on.
    pub fn of(meta: Option<&BlockMeta>) -> Self {
        let mut dedicated = Self::default();
        for column in meta.into_iter().flat_map(|meta| &meta.dedicated_columns) {
            let assigned = match column.scope {
                DedicatedScope::Resource => &mut dedicated.resource,
                DedicatedScope::Span => &mut dedicated.span,
                DedicatedScope::Other(_) => continue,
            };
            let mut kind = column.kind.clone();
            if let Some(first) = kind.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let before = assigned
                .iter()
                .filter(|(name, _): &&(String, String)| {
                    name.trim_end_matches(|digit: char| digit.is_ascii_digit()) == kind
                })
                .count();
            assigned.push((format!("{kind}{:02}", before + 1), column.name.clone()));
        }
        dedicated
    }
}

/// The spans of one row, which is one trace.
pub(super) fn read_trace(row: View<'_>, dedicated: &Dedicated, spans: &mut Vec<Span>) -> Result<(), Fault> {
    let trace_id = hex::encode(read_trace_id(row)?);
    for resource_spans in row.required("rs")?.items() {
        let resource = resource_spans.required("Resource")?;
        let (service, attributes) = read_resource(resource, dedicated)?;
        // Every span's record has its resource, so that a resource is copied as often as it has spans.
        let weight = weight(&attributes);
        for scope_spans in resource_spans.required("ss")?.items() {
            for span in scope_spans.required("Spans")?.items() {
                span.pay(weight)?;
                spans.push(read_span(span, &trace_id, &service, &attributes, dedicated)?);
            }
        }
    }
    Ok(())
}

/// A row's trace id.
pub(super) fn read_trace_id(row: View<'_>) -> Result<[u8; 16], Fault> {
    let column = row.required("TraceID")?;
    let bytes = column.bytes()?.unwrap_or_default();
    <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| column.fault("a trace id of 16 bytes", bytes.len().to_string()))
}

fn read_resource(resource: View<'_>, dedicated: &Dedicated) -> Result<(String, Attributes), Fault> {
    let mut attributes = read_attributes(resource.child("Attrs"))?;
    let service = resource.required("ServiceName")?.text()?.unwrap_or_default();
    if !service.is_empty() {
        attributes.insert(SERVICE_NAME.to_owned(), AttributeValue::String(service.clone()));
    }
    fold(resource, &RESOURCE_COLUMNS, &mut attributes)?;
    fold_dedicated(resource, &dedicated.resource, &mut attributes)?;
    Ok((service, attributes))
}

fn read_span(
    span: View<'_>,
    trace_id: &str,
    service: &str,
    resource: &Attributes,
    dedicated: &Dedicated,
) -> Result<Span, Fault> {
    let number = |name: &str| Ok(span.required(name)?.integer()?.unwrap_or_default());
    let small = |name: &str| {
        let column = span.required(name)?;
        let value = column.integer()?.unwrap_or_default();
        i32::try_from(value).map_err(|_| column.fault("a number of 32 bits", value.to_string()))
    };
    let text = |name: &str| Ok(span.required(name)?.text()?.unwrap_or_default());
    let id = |name: &str| {
        let column = span.required(name)?;
        let bytes = column.bytes()?.unwrap_or_default();
        match bytes.len() {
            0 | 8 => Ok(hex::encode(bytes)),
            other => Err(column.fault("a span id of 8 bytes, or none", other.to_string())),
        }
    };
    let start_ns: i64 = number("StartTimeUnixNano")?;
    let mut attributes = read_attributes(span.child("Attrs"))?;
    fold(span, &SPAN_COLUMNS, &mut attributes)?;
    fold_dedicated(span, &dedicated.span, &mut attributes)?;
    Ok(Span {
        trace_id: trace_id.to_owned(),
        span_id: id("SpanID")?,
        parent_span_id: id("ParentSpanID")?,
        name: text("Name")?,
        kind: small("Kind")?,
        start_ns,
        // Tempo subtracts without sign, so adding without sign gives back what was sent even where the end is before
        // the start.
        end_ns: start_ns.wrapping_add(number("DurationNano")?),
        status_code: small("StatusCode")?,
        status_message: text("StatusMessage")?,
        service: service.to_owned(),
        resource: resource.clone(),
        attributes,
        events: read_events(span.required("Events")?, start_ns)?,
        links: read_links(span.required("Links")?)?,
    })
}

fn read_events(events: View<'_>, start_ns: i64) -> Result<Vec<SpanEvent>, Fault> {
    let mut read = Vec::new();
    for event in events.items() {
        let time_ns = match event.child("TimeSinceStartNano") {
            Some(since) => start_ns.wrapping_add(since.integer()?.unwrap_or_default()),
            None => event.required("TimeUnixNano")?.integer()?.unwrap_or_default(),
        };
        read.push(SpanEvent {
            time_ns,
            name: event.required("Name")?.text()?.unwrap_or_default(),
            attributes: read_attributes(event.child("Attrs"))?,
        });
    }
    read.sort_by_key(|event| event.time_ns);
    Ok(read)
}

/// Puts back attributes that have a column of their own.
fn fold(group: View<'_>, columns: &[(&str, &str)], attributes: &mut Attributes) -> Result<(), Fault> {
    for (column, key) in columns {
        if let Some(value) = group.child(column) {
            fold_one(value, key, attributes)?;
        }
    }
    Ok(())
}

fn fold_dedicated(group: View<'_>, assigned: &[(String, String)], attributes: &mut Attributes) -> Result<(), Fault> {
    for (name, value) in group.child(DEDICATED).into_iter().flat_map(View::children) {
        match assigned.iter().find(|(column, _)| column == name) {
            Some((_, key)) => fold_one(value, key, attributes)?,
            None => fold_one(value, &format!("{DEDICATED}.{name}"), attributes)?,
        }
    }
    Ok(())
}

fn fold_one(column: View<'_>, key: &str, attributes: &mut Attributes) -> Result<(), Fault> {
    use super::column::Value;
    for item in column.items() {
        let value = match item.value() {
            None => continue,
            Some(Value::Bool(flag)) => AttributeValue::Bool(*flag),
            Some(Value::Int(number)) => AttributeValue::Int(*number),
            Some(Value::Double(number)) => AttributeValue::Double(*number),
            Some(Value::Bytes(_)) => AttributeValue::String(item.text()?.unwrap_or_default()),
        };
        attributes.insert(key.to_owned(), value);
    }
    Ok(())
}

/// Roughly the bytes that a copy of attributes takes.
fn weight(attributes: &Attributes) -> usize {
    fn of(value: &AttributeValue) -> usize {
        size_of::<AttributeValue>()
            + match value {
                AttributeValue::String(text) => text.len(),
                AttributeValue::Bytes(bytes) => bytes.len(),
                AttributeValue::Array(values) => values.iter().map(of).sum(),
                AttributeValue::KeyValues(values) => weight(values),
                AttributeValue::Bool(_)
                | AttributeValue::Int(_)
                | AttributeValue::Double(_)
                | AttributeValue::Empty => 0,
            }
    }
    attributes.iter().map(|(key, value)| size_of::<String>() + key.len() + of(value)).sum()
}
