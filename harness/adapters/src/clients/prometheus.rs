//! A Prometheus: scrapes a page that is served here, and writes what it found to Mimir.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    ffi::OsString,
    fmt::Write as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use harness_core::{
    poll::{Ended, Step, until},
    ports::{Clock, PushOutcome, Tick},
    signal::{NORMAL_NAN, Sample, SampleValue},
};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Delivery, READY_LIMIT, SCHEDULE, SEND_LIMIT, complaints, counters::Counters, end};
use crate::{
    causes, loopback,
    process::{self, Start},
    proxy,
};

/// Queue settings of every Prometheus that writes to Mimir.
const REMOTE_WRITE: &str = include_str!("../../../../stack/templates/remote-write.yaml");

/// What Prometheus counts of the samples that it writes: those it sent, those that were refused for good, those it gave up before.
const SENT: &str = "prometheus_remote_storage_samples_total";
const FAILED: &str = "prometheus_remote_storage_samples_failed_total";
const DROPPED: &str = "prometheus_remote_storage_samples_dropped_total";
const RETRIED: &str = "prometheus_remote_storage_samples_retried_total";
/// The latest time of a sample that it sent, whole seconds since the Unix epoch.
const HIGHEST: &str = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds";

/// Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Has the Prometheus at `program` scrape `samples` once and write them to the Mimir at `mimir`, a base address. A Prometheus writes no
/// sample that is older than itself, so all of them have to lie ahead.
pub(super) async fn send(
    program: PathBuf,
    mimir: &str,
    samples: &[Sample],
    clock: Arc<dyn Clock>,
) -> Result<Delivery, String> {
    let body = text_format(samples)?;
    let first_ms = samples.iter().map(|sample| sample.timestamp_ms).min().unwrap_or(0);
    let last_s = samples.iter().map(|sample| sample.timestamp_ms).max().unwrap_or(0).div_euclid(1_000);

    let folder = tempfile::tempdir().map_err(|error| format!("a folder for its files: {error}"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| causes(&error))?;
    let page_address = listener.local_addr().map_err(|error| causes(&error))?.to_string();
    let page = Arc::new(Page::default());
    let port = loopback::free_port(&BTreeSet::new()).ok_or("no port of 127.0.0.1 is free")?;
    let configuration = folder.path().join("prometheus.yaml");
    // JSON is YAML.
    fs::write(&configuration, settings(mimir, &page_address)?.to_string())
        .map_err(|error| format!("{}: {error}", configuration.display()))?;
    let log = folder.path().join("prometheus.log");
    let arguments = arguments(&configuration, folder.path(), port);
    let start = Start { program: &program, arguments, environment: Vec::new(), log: log.clone() };
    let mut prometheus = process::spawn(start).map_err(|error| causes(&error))?;
    let counters = Counters::at(port)?;

    let (served, times) = (Arc::clone(&page), Arc::clone(&clock));
    let serving = proxy::serve(listener, move |_: Request<Incoming>| {
        let text = served.take(&*times);
        async move { Ok::<_, Infallible>(answer(text)) }
    });
    let clock = &*clock;
    let writing = async {
        // The queue is there as soon as it counts.
        let ready = until(clock, SCHEDULE, clock.now().after(READY_LIMIT), || {
            let ended = prometheus.try_wait().ok().flatten();
            let counters = &counters;
            async move {
                if let Some(status) = ended {
                    return Step::Never(format!("it ended with {}", process::exit_text(Ok(status))));
                }
                match counters.read().await {
                    Ok(reading) if reading.total(SENT).is_some() => Step::Ready(()),
                    Ok(_) => Step::NotYet("it has no queue".to_owned()),
                    Err(reason) => Step::NotYet(reason),
                }
            }
        });
        if let Ended::TimedOut(reason) | Ended::Never(reason) = ready.await {
            return Err(format!("{reason}: {}", complaints(&log)));
        }
        if clock.unix_ns() >= first_ms.saturating_mul(1_000_000) {
            return Err(
                "it was not up before the first of the samples, and writes none that is older than itself".into()
            );
        }
        page.put(body);
        let told = until(clock, SCHEDULE, clock.now().after(SEND_LIMIT), || async {
            match counters.read().await {
                Ok(reading) => {
                    let total = |name| reading.total(name).unwrap_or(0.0);
                    let lost = total(FAILED) + total(DROPPED) > 0.0;
                    // The samples lie ahead of all that it writes of itself, so the latest of them has the highest time of all.
                    let all = total(SENT) >= count(samples.len()) && total(HIGHEST) >= whole(last_s);
                    let said = reading.told(&[SENT, FAILED, DROPPED, RETRIED, HIGHEST]);
                    if lost || all { Step::Ready((lost, said)) } else { Step::NotYet(said) }
                }
                Err(reason) => Step::NotYet(reason),
            }
        });
        Ok(match told.await {
            Ended::Ready((false, said)) => (PushOutcome::Acked, said),
            Ended::Ready((true, said)) => {
                (PushOutcome::Refused { reason: format!("{said}: {}", complaints(&log)) }, said)
            }
            Ended::TimedOut(said) | Ended::Never(said) => {
                let reason = format!("not all was sent after {} s: {said}: {}", SEND_LIMIT.as_secs(), complaints(&log));
                (PushOutcome::Unknown { reason }, said)
            }
        })
    };
    let (outcome, said) = tokio::select! {
        written = writing => written?,
        () = serving => return Err("its page was not served any more".to_owned()),
    };
    let sent = page.taken().ok_or_else(|| format!("it did not scrape: {}", complaints(&log)))?;
    end(&mut prometheus).await?;
    Ok(Delivery { sent, outcome, said })
}

/// What is scraped: there once, then empty. A second scrape would make Prometheus send the newest samples again.
#[derive(Default)]
struct Page(Mutex<(Option<String>, Option<Tick>)>);

impl Page {
    fn put(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(text);
    }

    fn take(&self, clock: &dyn Clock) -> String {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = page.0.take();
        if text.is_some() {
            page.1 = Some(clock.now());
        }
        text.unwrap_or_default()
    }

    /// When it was scraped.
    fn taken(&self) -> Option<Tick> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

fn answer(text: String) -> Response<proxy::Body> {
    let mut answer = Response::new(proxy::whole(Bytes::from(text)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
    answer
}

fn arguments(configuration: &Path, folder: &Path, port: u16) -> Vec<OsString> {
    let with = |flag: &str, path: &Path| {
        let mut argument = OsString::from(flag);
        argument.push(path);
        argument
    };
    vec![
        with("--config.file=", configuration),
        with("--storage.tsdb.path=", &folder.join("data")),
        format!("--web.listen-address=127.0.0.1:{port}").into(),
    ]
}

/// Prometheus' configuration. Series keep the labels and times of the page and get none of the target's.
fn settings(mimir: &str, page: &str) -> Result<Value, String> {
    let mut write: Value = serde_saphyr::from_str(REMOTE_WRITE).map_err(|error| error.to_string())?;
    if let Some(write) = write.as_object_mut() {
        write.insert("url".to_owned(), json!(format!("{mimir}/api/v1/push")));
    }
    Ok(json!({
        "scrape_configs": [{
            "job_name": "lgtm-verify",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "honor_labels": true,
            "honor_timestamps": true,
            "static_configs": [{ "targets": [page] }],
            "metric_relabel_configs": [{ "action": "labeldrop", "regex": "job|instance" }],
        }],
        "remote_write": [write],
    }))
}

/// `samples` as a page of the text exposition format; an error where one has no word in it.
fn text_format(samples: &[Sample]) -> Result<String, String> {
    let mut page = String::new();
    for sample in samples {
        let SampleValue::Float { value_bits, .. } = &sample.value else {
            return Err("a native histogram has no word in the text format".to_owned());
        };
        let value = u64::from_str_radix(value_bits, 16)
            .map(f64::from_bits)
            .map_err(|error| format!("the bits of a float: {value_bits}: {error}"))?;
        let told = SampleValue::float(if value.is_nan() { NORMAL_NAN } else { value });
        if told != sample.value {
            return Err(format!("the NaN {value_bits} has no word in the text format"));
        }
        let named = sample.labels.get("__name__").ok_or("a series has no name")?;
        let labels = sample.labels.iter().filter(|(name, _)| *name != "__name__");
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let number = match value {
            value if value.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => format!("{value:e}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{named}{{{}}} {number} {}", labels.join(","), sample.timestamp_ms);
    }
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this century are far below 2^53")]
fn whole(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    use harness_core::{
        signal::Labels,
        stimulus::{
            Origin,
            series::{self, Floats, SeriesShape},
        },
    };

    use super::*;
    use crate::SystemClock;

    #[test]
    fn a_page_tells_every_float_that_has_a_word_and_nothing_else_is_sent() {
        let origin =
            Origin { seed: 1, run: "r".to_owned(), stimulus: "s".to_owned(), now_ns: 1_795_000_000_012_345_678 };
        let made = |floats, histograms| {
            series::samples(&origin, &SeriesShape { floats, histograms, ..SeriesShape::default() })
        };
        let page = text_format(&made(Floats::InText, false)).unwrap();
        assert_eq!(page.lines().count(), 48);
        for word in [" NaN ", " +Inf ", " -Inf ", " 5e-324 ", " 1.7976931348623157e308 "] {
            assert!(page.contains(word), "{word}");
        }
        assert!(text_format(&made(Floats::All, false)).is_err());
        assert!(text_format(&made(Floats::InText, true)).is_err());
    }

    #[test]
    fn labels_are_escaped() {
        let labels: Labels =
            [("__name__", "m"), ("a", "x\"y\\z\n")].into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        let sample = Sample { labels, timestamp_ms: 7, value: SampleValue::float(0.5) };
        assert_eq!(text_format(&[sample]).unwrap(), "m{a=\"x\\\"y\\\\z\\n\"} 5e-1 7\n");
    }

    #[test]
    fn a_page_is_there_once() {
        let (page, clock) = (Page::default(), SystemClock::start());
        assert_eq!((page.take(&clock), page.taken()), (String::new(), None));
        page.put("a 1".to_owned());
        assert_eq!(page.take(&clock), "a 1");
        assert!(page.taken().is_some());
        assert_eq!(page.take(&clock), "");
    }

    /// The cluster's Prometheus writes with the same settings.
    #[test]
    fn queue_settings_are_those_of_the_cluster() {
        let cluster = include_str!("../../../../kind/prometheus.yaml");
        let settings = settings("http://mimir", "127.0.0.1:1").unwrap();
        assert_eq!(settings["remote_write"][0]["queue_config"]["capacity"], 10_000);
        for line in REMOTE_WRITE.lines().filter(|line| !line.starts_with('#')) {
            assert!(cluster.lines().any(|found| found.trim() == line.trim()), "{line}");
        }
    }
}
