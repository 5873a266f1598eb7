//! Promtail: follows a file a stream, and pushes what is appended to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use harness_core::{
    poll::{Ended, Step, until},
    ports::{Clock, PushOutcome},
    signal::{Labels, LogEntry},
};
use serde_json::{Value, json};

use super::{Delivery, READY_LIMIT, SCHEDULE, SEND_LIMIT, complaints, counters::Counters, end};
use crate::{
    causes, loopback,
    process::{self, Start},
};

/// What Promtail says of itself: files it follows, entries it brought to Loki, entries it gave up.
const FOLLOWED: &str = "promtail_files_active_total";
const SENT: &str = "promtail_sent_entries_total";
const DROPPED: &str = "promtail_dropped_entries_total";

/// When the entries are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// While Promtail follows the files.
    WhileFollowed,
    /// When it does no more: nobody sends them.
    AfterItsEnd,
}

/// Has the Promtail at `program` push `entries` to the Loki at `loki`, a base address: it follows empty files, one for each stream, to
/// which the entries are then appended. Ends it when it has said of every entry what became of it.
pub(super) async fn send(
    program: PathBuf,
    loki: &str,
    entries: &[LogEntry],
    appended: Appended,
    clock: &dyn Clock,
) -> Result<Delivery, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("a folder for its files: {error}"))?;
    let files = files(entries, folder.path());
    for file in files.values() {
        File::create(&file.path).map_err(|error| format!("{}: {error}", file.path.display()))?;
    }
    let port = loopback::free_port(&BTreeSet::new()).ok_or("no port of 127.0.0.1 is free")?;
    let configuration = folder.path().join("promtail.yaml");
    // JSON is YAML.
    fs::write(&configuration, settings(loki, port, folder.path(), &files).to_string())
        .map_err(|error| format!("{}: {error}", configuration.display()))?;
    let log = folder.path().join("promtail.log");
    let mut arguments = OsString::from("-config.file=");
    arguments.push(&configuration);
    let start = Start { program: &program, arguments: vec![arguments], environment: Vec::new(), log: log.clone() };
    let mut promtail = process::spawn(start).map_err(|error| causes(&error))?;
    let counters = Counters::at(port)?;

    let following = until(clock, SCHEDULE, clock.now().after(READY_LIMIT), || {
        let ended = promtail.try_wait().ok().flatten();
        let counters = &counters;
        let wanted = files.len();
        async move {
            if let Some(status) = ended {
                return Step::Never(format!("it ended with {}", process::exit_text(Ok(status))));
            }
            match counters.read().await {
                Ok(reading) if reading.total(FOLLOWED) == Some(count(wanted)) => Step::Ready(()),
                Ok(reading) => Step::NotYet(format!("it does not follow its files: {}", reading.told(&[FOLLOWED]))),
                Err(reason) => Step::NotYet(reason),
            }
        }
    });
    if let Ended::TimedOut(reason) | Ended::Never(reason) = following.await {
        return Err(format!("{reason}: {}", complaints(&log)));
    }

    if appended == Appended::AfterItsEnd {
        end(&mut promtail).await?;
    }
    let sent = clock.now();
    for file in files.values() {
        append(file).map_err(|error| format!("{}: {error}", file.path.display()))?;
    }
    if appended == Appended::AfterItsEnd {
        let reason = "appended after Promtail had ended".to_owned();
        return Ok(Delivery { sent, outcome: PushOutcome::Rejected { reason: reason.clone() }, said: reason });
    }
    let wanted = count(entries.len());
    let told = until(clock, SCHEDULE, clock.now().after(SEND_LIMIT), || async {
        match counters.read().await {
            Ok(reading) => {
                let [brought, dropped] = [SENT, DROPPED].map(|name| reading.total(name).unwrap_or(0.0));
                let said = reading.told(&[SENT, DROPPED]);
                if brought + dropped >= wanted { Step::Ready((dropped, said)) } else { Step::NotYet(said) }
            }
            Err(reason) => Step::NotYet(reason),
        }
    });
    let (outcome, said) = match told.await {
        Ended::Ready((0.0, said)) => (PushOutcome::Acked, said),
        Ended::Ready((_, said)) => {
            let reason = format!("{said}: {}", complaints(&log));
            // A batch that Loki refuses for the sake of one entry may be there without it.
            (PushOutcome::Refused { reason }, said)
        }
        Ended::TimedOut(said) | Ended::Never(said) => {
            let reason = format!("not all was sent after {} s: {said}: {}", SEND_LIMIT.as_secs(), complaints(&log));
            (PushOutcome::Unknown { reason }, said)
        }
    };
    end(&mut promtail).await?;
    Ok(Delivery { sent, outcome, said })
}

/// A file that Promtail follows.
struct Followed<'a> {
    path: PathBuf,
    /// Names of the structured metadata that some entry of it has.
    metadata: BTreeSet<&'a str>,
    entries: Vec<&'a LogEntry>,
}

/// A file in `folder` for each stream.
fn files<'a>(entries: &'a [LogEntry], folder: &Path) -> BTreeMap<&'a Labels, Followed<'a>> {
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = folder.join(format!("{}.log", files.len()));
        let empty = || Followed { path, metadata: BTreeSet::new(), entries: Vec::new() };
        let file = files.entry(&entry.stream).or_insert_with(empty);
        file.metadata.extend(entry.structured_metadata.keys().map(String::as_str));
        file.entries.push(entry);
    }
    files
}

/// Promtail's configuration: each file is a scrape of its own with the stream's labels. A line of a file is a JSON document that the
/// stages take apart again.
fn settings(loki: &str, port: u16, folder: &Path, files: &BTreeMap<&Labels, Followed<'_>>) -> Value {
    let scrapes: Vec<Value> = files.iter().map(|(labels, file)| scrape(labels, file)).collect();
    json!({
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": 0,
        },
        "positions": { "filename": folder.join("positions.yaml") },
        "clients": [{
            "url": format!("{loki}/loki/api/v1/push"),
            // What no try brings there is said to be dropped within seconds, instead of minutes.
            "backoff_config": { "min_period": "100ms", "max_period": "1s", "max_retries": 5 },
        }],
        "scrape_configs": scrapes,
    })
}

fn scrape(labels: &Labels, file: &Followed<'_>) -> Value {
    let mut with_path: BTreeMap<&str, Value> =
        labels.iter().map(|(name, value)| (name.as_str(), json!(value))).collect();
    with_path.insert("__path__", json!(file.path));
    let metadata = || file.metadata.iter().enumerate().map(|(number, name)| (format!("lgtm_metadata_{number}"), *name));
    let mut expressions: BTreeMap<String, String> =
        metadata().map(|(extracted, name)| (extracted, format!("metadata.{}", json!(name)))).collect();
    expressions.insert("lgtm_time".to_owned(), "time".to_owned());
    expressions.insert("lgtm_line".to_owned(), "line".to_owned());
    let structured: BTreeMap<&str, String> = metadata().map(|(extracted, name)| (name, extracted)).collect();
    json!({
        "job_name": file.path,
        "static_configs": [{ "targets": ["localhost"], "labels": with_path }],
        "pipeline_stages": [
            { "json": { "expressions": expressions } },
            { "timestamp": { "source": "lgtm_time", "format": "UnixNs" } },
            { "structured_metadata": structured },
            // Promtail's own, which the stream is not to have.
            { "labeldrop": ["filename"] },
            { "output": { "source": "lgtm_line" } },
        ],
    })
}

fn append(file: &Followed<'_>) -> std::io::Result<()> {
    let lines: String = file.entries.iter().map(|entry| format!("{}\n", document(entry))).collect();
    File::options().append(true).open(&file.path)?.write_all(lines.as_bytes())
}

/// An entry as a line of a file.
fn document(entry: &LogEntry) -> Value {
    json!({
        "time": entry.timestamp_ns.to_string(),
        "line": entry.line,
        "metadata": entry.structured_metadata,
    })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use harness_core::stimulus::{
        Origin,
        logs::{self, LogShape},
    };

    use super::*;

    #[test]
    fn every_stream_has_a_file_whose_lines_are_its_entries() {
        let origin =
            Origin { seed: 1, run: "r".to_owned(), stimulus: "s".to_owned(), now_ns: 1_795_000_000_000_000_000 };
        let entries = logs::entries(&origin, &LogShape::default());
        let folder = Path::new("folder");
        let files = files(&entries, folder);
        assert_eq!(files.len(), 4);
        assert_eq!(files.values().map(|file| file.entries.len()).sum::<usize>(), entries.len());
        for (labels, file) in &files {
            assert!(file.entries.iter().all(|entry| entry.stream == **labels));
            assert!(file.entries.iter().all(|entry| !document(entry).to_string().contains('\n')));
        }
        let settings = settings("http://loki", 1, folder, &files);
        assert_eq!(settings["clients"][0]["url"], "http://loki/loki/api/v1/push");
        let scrape = &settings["scrape_configs"][0];
        assert_eq!(scrape["static_configs"][0]["labels"]["stream"], "0");
        let stages = &scrape["pipeline_stages"];
        let extracted = stages[2]["structured_metadata"]["trace_id"].as_str().unwrap();
        assert_eq!(stages[0]["json"]["expressions"][extracted], "metadata.\"trace_id\"");
    }
}
