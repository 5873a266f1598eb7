use serde::Deserialize;

use super::AnswerError;

#[derive(Deserialize)]
struct Body {
    status: String,
    #[serde(default)]
    warnings: Vec<String>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    values: Vec<(f64, String)>,
    value: Option<(f64, String)>,
}

/// The sum of all values in an answer of Loki or Prometheus to a metric query: a matrix or a vector of whole numbers. An answer with
/// warnings may lack something, so it is none.
pub fn total(body: &[u8]) -> Result<u64, AnswerError> {
    let Body { status, warnings, data } = serde_json::from_slice(body).map_err(|error| {
        AnswerError::new("body", "a matrix or vector as JSON", format!("{error}: {}", String::from_utf8_lossy(body)))
    })?;
    if status != "success" {
        return Err(AnswerError::new("status", "success", status));
    }
    if let Some(warning) = warnings.first() {
        return Err(AnswerError::new("warnings", "none", warning));
    }
    if !matches!(data.result_type.as_str(), "matrix" | "vector") {
        return Err(AnswerError::new("data.resultType", "matrix or vector", data.result_type));
    }
    let values = data.result.iter().flat_map(|series| series.values.iter().chain(&series.value));
    values.map(|(_, text)| whole(text)).sum()
}

/// A count, as a float in text.
fn whole(text: &str) -> Result<u64, AnswerError> {
    text.parse().map_err(|_| AnswerError::new("value", "a whole number", format!("{text:?}")))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    traces: Vec<FoundTrace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundTrace {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    span_sets: Vec<SpanSet>,
}

#[derive(Deserialize)]
struct SpanSet {
    #[serde(default)]
    matched: u64,
}

/// The traces in an answer of Tempo's `/api/search`, each with how many of its spans matched: ids as 32 hex digits, of which Tempo
/// leaves out leading zeros.
pub fn found_traces(body: &[u8]) -> Result<Vec<(String, u64)>, AnswerError> {
    let Search { traces } = serde_json::from_slice(body).map_err(|error| {
        AnswerError::new("body", "found traces as JSON", format!("{error}: {}", String::from_utf8_lossy(body)))
    })?;
    let found = traces.into_iter().map(|trace| {
        let matched = trace.span_sets.iter().map(|set| set.matched).sum();
        (format!("{:0>32}", trace.trace_id), matched)
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(kind: &str, result: Value) -> Value {
        json!({"status": "success", "data": {"resultType": kind, "result": result}})
    }

    #[test]
    fn counts_are_summed() {
        for (answer, sum) in [
            (
                answer(
                    "matrix",
                    json!([{"metric": {}, "values": [[1.5, "3"], [2, "4"]]}, {"metric": {}, "values": [[1, "1"]]}]),
                ),
                8,
            ),
            (answer("vector", json!([{"metric": {}, "value": [1, "96"]}])), 96),
            (answer("matrix", json!([])), 0),
        ] {
            assert_eq!(total(answer.to_string().as_bytes()), Ok(sum));
        }
    }

    #[test]
    fn an_answer_that_may_lack_something_is_none() {
        let mut warned = answer("matrix", json!([]));
        warned["warnings"] = json!(["a store-gateway did not answer"]);
        for (answer, place) in [
            (json!({}), "body"),
            (warned, "warnings"),
            (answer("streams", json!([])), "data.resultType"),
            (answer("vector", json!([{"value": [1, "0.5"]}])), "value"),
            (answer("vector", json!([{"value": [1, "NaN"]}])), "value"),
            (json!({"status": "error", "data": {"resultType": "vector", "result": []}}), "status"),
        ] {
            assert_eq!(total(answer.to_string().as_bytes()).unwrap_err().place, place);
        }
    }

    #[test]
    fn traces_are_found_with_their_whole_ids() {
        let answer = json!({"traces": [
            {"traceID": "1f", "rootServiceName": "a", "spanSet": {"spans": [], "matched": 6}, "spanSets": [{"spans": [], "matched": 6}]},
            {"traceID": "00000000000000000000000000000020"},
        ], "metrics": {}});
        let found = [(format!("{:032x}", 0x1f), 6), (format!("{:032x}", 0x20), 0)];
        assert_eq!(found_traces(answer.to_string().as_bytes()).unwrap(), found);
        assert_eq!(found_traces(br#"{"metrics":{}}"#), Ok(Vec::new()));
        assert!(found_traces(b"invalid query").is_err());
    }
}
