//! Log entries: several streams, each with every oddity that a log store must keep. Must not know how they are sent.

use std::time::Duration;

use super::{
    Origin,
    origin::{Generator, UNICODE},
};
use crate::signal::{Labels, LineMark, LogEntry};

/// How many entries, and over how many streams and how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogShape {
    /// Entries in all. From 24 a stream on, every stream has every kind of entry.
    pub entries: usize,
    /// Streams that the entries are spread over.
    pub streams: usize,
    /// Time between the oldest entry and [`Origin::now_ns`].
    pub spread: Duration,
}

impl Default for LogShape {
    fn default() -> Self {
        Self {
            entries: 96,
            streams: 4,
            // Loki refuses an entry that is older than its stream's newest by more than half of `ingester.max_chunk_age` ("entry too
            // far behind"); this stays clear of it even where that is a minute.
            spread: Duration::from_secs(20),
        }
    }
}

/// Bytes of text in a long line.
const LONG: usize = 8 * 1024;

/// The labels that select exactly the streams of this stimulus.
pub fn selector(origin: &Origin) -> Labels {
    labels([("run", &origin.run), ("stimulus", &origin.stimulus)])
}

/// The entries, in the order in which they are sent; those of the streams alternate. The number of an entry within the
/// vector is the sequence number in its mark.
///
/// Within a stream some timestamps are equal and some go back, but never are stream, timestamp and line of two entries equal:
/// Loki keeps only one of such.
pub fn entries(origin: &Origin, shape: &LogShape) -> Vec<LogEntry> {
    let mut generator = origin.content();
    let streams = shape.streams.max(1);
    let spread = i64::try_from(shape.spread.as_nanos()).unwrap_or(i64::MAX).max(1);
    let start = origin.now_ns.saturating_sub(spread);
    let step = (spread / i64::try_from(shape.entries.max(1)).unwrap_or(i64::MAX)).max(1);

    let mut newest = vec![start; streams];
    (0_u64..)
        .zip(0..shape.entries)
        .map(|(sequence, number)| {
            let stream = number % streams;
            let position = number / streams;
            let due = i64::try_from(number)
                .unwrap_or(i64::MAX)
                .saturating_mul(step)
                .saturating_add(start)
                .saturating_add(generator.offset(step));
            let timestamp_ns = match (position % 8, newest.get_mut(stream)) {
                (3, Some(newest)) => *newest,
                (5, _) => start.saturating_add(generator.offset(due.saturating_sub(start))),
                (_, Some(newest)) => {
                    *newest = due;
                    due
                }
                (_, None) => due,
            };
            let text = text(&mut generator, position);
            LogEntry {
                stream: stream_labels(origin, stream),
                timestamp_ns,
                line: LineMark::line(&origin.run, &origin.stimulus, sequence, &text),
                structured_metadata: structured_metadata(&mut generator, position, sequence),
                line_base64: None,
            }
        })
        .collect()
}

/// Entries that span a long time, as a day of a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongLogShape {
    /// Time between the oldest entry and [`Origin::now_ns`].
    pub spread: Duration,
    /// From one entry to the next.
    pub gap: Duration,
    /// Streams that the entries of an hour are spread over.
    pub streams: usize,
}

/// What every [`EVERY`]th line of [`hours`] contains, and no other.
pub const MARKED: &str = "status=503";

/// One line in so many contains [`MARKED`].
pub const EVERY: usize = 12;

/// The entries hour by hour, in the order in which they are sent, each older than the next: what is far behind its stream's newest
/// entry would be refused. Each hour has streams of its own, as where services come and go, so that what is stored of one hour is not
/// read for another.
pub fn hours(origin: &Origin, shape: &LongLogShape) -> Vec<Vec<LogEntry>> {
    const HOUR_NS: i64 = 3_600_000_000_000;
    let mut generator = origin.content();
    let ns = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let (spread, gap) = (ns(shape.spread), ns(shape.gap).max(1));
    let first = origin.now_ns.saturating_sub(spread);
    let mut hours: Vec<Vec<LogEntry>> = Vec::new();
    for (number, sequence) in (0..spread / gap).zip(0_u64..) {
        let since_first = number * gap;
        let hour = usize::try_from(since_first / HOUR_NS).unwrap_or(0);
        let position = usize::try_from(number).unwrap_or(0);
        let status = if position % EVERY == 0 { MARKED } else { "status=200" };
        let text =
            format!("method=GET {status} path=/orders/{} note={:?}", generator.below(10_000), generator.ascii(160));
        let mut stream = selector(origin);
        stream.insert("hour".to_owned(), hour.to_string());
        stream.insert("stream".to_owned(), (position % shape.streams.max(1)).to_string());
        stream.insert("service_name".to_owned(), "lgtm-verify".to_owned());
        let entry = LogEntry {
            stream,
            timestamp_ns: first + since_first,
            line: LineMark::line(&origin.run, &origin.stimulus, sequence, &text),
            structured_metadata: Labels::new(),
            line_base64: None,
        };
        hours.resize_with(hours.len().max(hour + 1), Vec::new);
        if let Some(entries) = hours.get_mut(hour) {
            entries.push(entry);
        }
    }
    hours
}

fn stream_labels(origin: &Origin, stream: usize) -> Labels {
    let mut labels = selector(origin);
    labels.insert("stream".to_owned(), stream.to_string());
    labels.insert("place".to_owned(), "Zürich \"Süd\" \\ 東京".to_owned());
    // Loki adds a label of this name to streams that have none, unless it is told not to.
    labels.insert("service_name".to_owned(), "lgtm-verify".to_owned());
    labels
}

fn text(generator: &mut Generator, position: usize) -> String {
    match position % 6 {
        0 => generator.ascii(60),
        1 => generator.pick(UNICODE),
        2 => String::new(),
        3 => format!(r#"{{"level":"info","path":"C:\\{}","n":{}}}"#, generator.ascii(4), generator.number()),
        4 => generator.ascii(LONG),
        _ => format!("two\tlines <&>\r\n| {} \u{7f}\u{1b}[0m \u{2028}", generator.ascii(12)),
    }
}

fn structured_metadata(generator: &mut Generator, position: usize, sequence: u64) -> Labels {
    match position % 4 {
        0 => Labels::new(),
        1 => labels([("trace_id", &generator.id::<16>())]),
        2 => labels([("note", &generator.pick(UNICODE)), ("sequence", &sequence.to_string())]),
        _ => labels([("quoted", r#"a "b" \ c"#), ("lines", "one\ntwo")]),
    }
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_entry_is_marked_and_in_time(seed: u64, entries in 0_usize..80, streams in 0_usize..5, spread in 1_u64..100) {
            let origin = Origin::example(seed);
            let shape = LogShape { entries, streams, spread: Duration::from_secs(spread) };
            let made = super::entries(&origin, &shape);
            prop_assert_eq!(made.len(), entries);
            let oldest = origin.now_ns - i64::try_from(shape.spread.as_nanos()).unwrap();
            let mut seen = BTreeSet::new();
            for (number, entry) in made.iter().enumerate() {
                let mark = LineMark::parse(&entry.line).unwrap();
                prop_assert_eq!(mark.sequence, number as u64);
                prop_assert!(mark.is_whole(&entry.line));
                prop_assert!((oldest..origin.now_ns).contains(&entry.timestamp_ns));
                prop_assert!(seen.insert((&entry.stream, entry.timestamp_ns, &entry.line)));
            }
            prop_assert_eq!(&super::entries(&origin, &shape), &made);
            if entries > 0 {
                let other = super::entries(&Origin::example(seed.wrapping_add(1)), &shape);
                prop_assert_ne!(other, made);
            }
        }
    }

    #[test]
    fn hours_span_all_their_time_and_one_line_in_so_many_is_marked() {
        let origin = Origin::example(3);
        let minute = Duration::from_secs(60);
        let shape = LongLogShape { spread: 1450 * minute, gap: minute / 2, streams: 2 };
        let made = hours(&origin, &shape);
        assert_eq!(made.len(), 25);
        let all: Vec<&LogEntry> = made.iter().flatten().collect();
        assert_eq!(all.len(), 2900);
        assert!(all.is_sorted_by_key(|entry| entry.timestamp_ns));
        let spread = all[2899].timestamp_ns - all[0].timestamp_ns;
        assert!(spread >= 24 * 3_600_000_000_000, "{spread}");
        assert_eq!(all.iter().filter(|entry| entry.line.contains(MARKED)).count(), 2900 / EVERY + 1);
        for (number, entry) in (0..).zip(&all) {
            let mark = LineMark::parse(&entry.line).unwrap();
            assert!(mark.sequence == number && mark.is_whole(&entry.line));
        }
        let streams: BTreeSet<_> = all.iter().map(|entry| &entry.stream).collect();
        assert_eq!(streams.len(), 50);
    }

    #[test]
    fn every_stream_has_every_kind_of_entry() {
        let origin = Origin::example(7);
        let made = entries(&origin, &LogShape::default());
        let streams: BTreeSet<_> = made.iter().map(|entry| entry.stream.clone()).collect();
        assert_eq!(streams.len(), 4);
        for stream in streams {
            assert!(selector(&origin).iter().all(|(name, value)| stream.get(name) == Some(value)));
            let entries: Vec<_> = made.iter().filter(|entry| entry.stream == stream).collect();
            let pairs = || entries.iter().zip(entries.iter().skip(1));
            assert!(pairs().any(|(before, after)| before.timestamp_ns == after.timestamp_ns), "equal timestamps");
            assert!(pairs().any(|(before, after)| before.timestamp_ns > after.timestamp_ns), "out of order");
            assert!(entries.iter().any(|entry| entry.line.ends_with(" | ")), "empty text");
            assert!(entries.iter().any(|entry| entry.line.len() > LONG), "long line");
            assert!(entries.iter().any(|entry| !entry.line.is_ascii()), "UTF-8");
            assert!(entries.iter().any(|entry| entry.structured_metadata.is_empty()), "no structured metadata");
            assert!(entries.iter().any(|entry| entry.structured_metadata.len() > 1), "structured metadata");
        }
    }
}
