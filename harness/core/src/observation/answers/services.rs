use std::collections::BTreeMap;

use serde::Deserialize;

use super::AnswerError;

#[derive(Deserialize)]
struct Body {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    status: String,
}

/// The modules in an answer of `/services`, with how each stands: lines of `NAME => STATUS` (Loki), a table drawn with `|` (Tempo's
/// `/status/services`), or JSON (Mimir, asked for it).
pub fn services(body: &[u8]) -> Result<BTreeMap<String, String>, AnswerError> {
    let text = String::from_utf8_lossy(body);
    let told: BTreeMap<String, String> = match serde_json::from_slice::<Body>(body) {
        Ok(body) => body.services.into_iter().map(|service| (service.name, service.status)).collect(),
        Err(_) => text.lines().filter_map(line).collect(),
    };
    if told.is_empty() { Err(AnswerError::new("body", "modules, each with its status", text)) } else { Ok(told) }
}

fn line(line: &str) -> Option<(String, String)> {
    let (name, status) = match line.split_once("=>") {
        Some(pair) => pair,
        None => {
            let mut cells = line.trim().strip_prefix('|')?.split('|');
            (cells.next()?, cells.next()?)
        }
    };
    let (name, status) = (name.trim(), status.trim());
    (name != "SERVICE NAME" && !name.is_empty() && !status.is_empty()).then(|| (name.to_owned(), status.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_tells_its_modules_in_its_own_way() {
        let loki = "ingester => Running\ndistributor => Starting\n";
        let tempo = "GET /status/services\n+----+----+----+\n| SERVICE NAME | STATUS | FAILURE CASE |\n+----+----+----+\n\
                     | ingester | Running | |\n| distributor | Starting | |\n+----+----+----+\n";
        let mimir = r#"{"now":"2026-01-01T00:00:00Z","services":[{"name":"ingester","status":"Running"},
                       {"name":"distributor","status":"Starting"}]}"#;
        let expected =
            [("distributor", "Starting"), ("ingester", "Running")].map(|(name, status)| (name.into(), status.into()));
        for text in [loki, tempo, mimir] {
            assert_eq!(services(text.as_bytes()).unwrap(), BTreeMap::from(expected.clone()), "{text}");
        }
        for text in ["", "not found", "<html></html>", r#"{"services":[]}"#] {
            assert!(services(text.as_bytes()).is_err(), "{text}");
        }
    }
}
