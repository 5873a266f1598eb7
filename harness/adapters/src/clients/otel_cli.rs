//! otel-cli: a span a call.

use std::{ffi::OsString, path::PathBuf};

use harness_core::{
    ports::{Clock, PushOutcome},
    signal::{AttributeValue, Span},
};

use super::{Delivery, complaints};
use crate::{
    causes,
    process::{self, Start},
};

/// How long one call may take.
const CALL_LIMIT: &str = "10s";

/// Has the otel-cli at `program` send `spans` to the OTLP receiver at `tempo`, a base address, one after the other until one fails.
pub(super) async fn send(program: PathBuf, tempo: &str, spans: &[Span], clock: &dyn Clock) -> Result<Delivery, String> {
    let calls =
        spans.iter().map(|span| Ok((arguments(span, tempo)?, resource(span)?))).collect::<Result<Vec<_>, String>>()?;
    let folder = tempfile::tempdir().map_err(|error| format!("a folder for its log: {error}"))?;
    let log = folder.path().join("otel-cli.log");
    let sent = clock.now();
    for (number, (arguments, resource)) in calls.into_iter().enumerate() {
        let environment = vec![("OTEL_RESOURCE_ATTRIBUTES", resource)];
        let start = Start { program: &program, arguments, environment, log: log.clone() };
        let mut call = process::spawn(start).map_err(|error| causes(&error))?;
        let ended = call.wait().await;
        if !ended.as_ref().is_ok_and(std::process::ExitStatus::success) {
            let said = format!("{number} of {} spans sent", spans.len());
            let reason = format!("{said}, then {}: {}", process::exit_text(ended), complaints(&log));
            return Ok(Delivery { sent, outcome: PushOutcome::Unknown { reason }, said });
        }
    }
    Ok(Delivery { sent, outcome: PushOutcome::Acked, said: format!("{} calls ended with exit code 0", spans.len()) })
}

/// The arguments of the call that sends `span`, or what of it has no word on a command line.
fn arguments(span: &Span, tempo: &str) -> Result<Vec<OsString>, String> {
    if !span.events.is_empty() || !span.links.is_empty() {
        return Err(format!("span {} has events or links, which a call cannot tell", span.span_id));
    }
    let kind = match span.kind {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        other => return Err(format!("span {} has the kind {other}", span.span_id)),
    };
    let status = match span.status_code {
        0 => "unset",
        1 => "ok",
        2 => "error",
        other => return Err(format!("span {} has the status {other}", span.span_id)),
    };
    let (start, end) = (seconds(span.start_ns), seconds(span.end_ns));
    let attributes = attributes(span)?;
    let place = tempo.trim_start_matches("http://");
    let mut pairs = vec![
        ("--endpoint", place),
        ("--protocol", "grpc"),
        ("--insecure", "true"),
        ("--timeout", CALL_LIMIT),
        ("--fail", "true"),
        ("--verbose", "true"),
        ("--service", &span.service),
        ("--name", &span.name),
        ("--kind", kind),
        ("--force-trace-id", &span.trace_id),
        ("--force-span-id", &span.span_id),
        ("--start", &start),
        ("--end", &end),
        ("--status-code", status),
        ("--status-description", &span.status_message),
        ("--attrs", &attributes),
    ];
    if !span.parent_span_id.is_empty() {
        pairs.push(("--force-parent-span-id", &span.parent_span_id));
    }
    let flags = pairs.into_iter().map(|(flag, value)| OsString::from(format!("{flag}={value}")));
    Ok(std::iter::once(OsString::from("span")).chain(flags).collect())
}

/// Unix time in seconds with nine decimals.
fn seconds(unix_ns: i64) -> String {
    format!("{}.{:09}", unix_ns.div_euclid(1_000_000_000), unix_ns.rem_euclid(1_000_000_000))
}

/// All attributes as one record of CSV with a field `KEY=VALUE` each. otel-cli guesses each type from the text: see
/// `StringMapAttrsToProtobuf` there.
fn attributes(span: &Span) -> Result<String, String> {
    let fields = span.attributes.iter().map(|(key, value)| {
        let text = match value {
            AttributeValue::String(text) if !is_taken_for_another_type(text) => text.clone(),
            AttributeValue::Bool(flag) => flag.to_string(),
            AttributeValue::Int(number) => number.to_string(),
            // With a point or an exponent, so that it is not taken for an integer.
            AttributeValue::Double(number) => format!("{number:?}"),
            _ => return Err(format!("attribute {key} of span {} has no word on a command line", span.span_id)),
        };
        Ok(format!("\"{}\"", format!("{key}={text}").replace('"', "\"\"")))
    });
    Ok(fields.collect::<Result<Vec<_>, _>>()?.join(","))
}

/// Whether a text could be read as a number or a truth value: everything that Go reads as one begins like that.
fn is_taken_for_another_type(text: &str) -> bool {
    let bare = text.trim_start_matches(['+', '-']);
    // A sign stands nowhere else than at the begin of an exponent.
    let signs_fit = bare.as_bytes().windows(2).all(|pair| match pair {
        [before, b'+' | b'-'] => b"eEpP".contains(before),
        _ => true,
    });
    let numeric = signs_fit && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || b"xXoO_.pP+-".contains(&byte));
    let begins = bare.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let words = ["inf", "infinity", "nan", "t", "f", "true", "false"];
    (begins && numeric) || words.contains(&bare.to_ascii_lowercase().as_str())
}

/// The resource as otel-cli takes it from its environment: texts, percent-encoded where it matters.
fn resource(span: &Span) -> Result<String, String> {
    let named = span.resource.iter().filter(|(key, _)| *key != "service.name");
    let pairs = named.map(|(key, value)| match value {
        AttributeValue::String(text) => Ok(format!("{key}={}", percent_encoded(text))),
        _ => Err(format!("resource attribute {key} of span {} is no text", span.span_id)),
    });
    Ok(pairs.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn percent_encoded(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
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
        traces::spans(&origin, &TraceShape { traces: 1, vocabulary })
    }

    #[test]
    fn what_a_command_line_can_tell_is_told_and_nothing_else_is_sent() {
        for span in spans(Vocabulary::CommandLine) {
            let words = arguments(&span, "http://127.0.0.1:4317").unwrap();
            for word in ["span", "--endpoint=127.0.0.1:4317", "--status-code"] {
                assert!(words.iter().any(|found| found.to_string_lossy().starts_with(word)), "{word}");
            }
            assert_eq!(resource(&span).unwrap(), format!("k8s.namespace.name=lgtm,k8s.pod.name={}", pod(&span)));
        }
        assert!(spans(Vocabulary::Otlp).iter().all(|span| arguments(span, "http://a:1").is_err()));
        assert!(spans(Vocabulary::Sdk).iter().all(|span| resource(span).is_err()));
    }

    fn pod(span: &Span) -> &str {
        match &span.resource["k8s.pod.name"] {
            AttributeValue::String(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attributes_are_quoted_and_keep_their_types() {
        let Some(mut span) = spans(Vocabulary::CommandLine).pop() else { panic!("no span") };
        span.attributes = [
            ("a", AttributeValue::String("x,\"y\"=z".to_owned())),
            ("b", AttributeValue::Double(3.0)),
            ("c", AttributeValue::Int(-3)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        assert_eq!(attributes(&span).unwrap(), r#""a=x,""y""=z","b=3.0","c=-3""#);
        span.attributes.insert("d".to_owned(), AttributeValue::String("1e3".to_owned()));
        assert!(attributes(&span).is_err());
    }

    #[test]
    fn texts_that_read_as_something_else_are_known() {
        for text in ["1", "-0x1F", "1_000", "1e9", ".5", "0b1", "Inf", "+infinity", "NaN", "t", "False", "0x1p-2"] {
            assert!(is_taken_for_another_type(text), "{text}");
        }
        for text in ["", "x", "20261124-021214-6a6d91", "GET", "https://a", "truth", "-"] {
            assert!(!is_taken_for_another_type(text), "{text}");
        }
    }

    #[test]
    fn times_have_nine_decimals() {
        assert_eq!(seconds(1_795_000_000_012_345_678), "1795000000.012345678");
    }
}
