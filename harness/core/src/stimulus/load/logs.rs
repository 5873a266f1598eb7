use super::{
    Found, LoadPlan, SECOND,
    text::Texts,
    wire::{field, field_length, head, number as put_number, varint_length},
};
use crate::{signal::Labels, stimulus::encode};

/// Digits of a record's number in its line.
const DIGITS: usize = 10;
/// Digits of the checksum.
const SUM: usize = 8;

/// What all entries of a load share.
pub(super) struct Fixed {
    /// Labels of each stream.
    pub(super) labels: Vec<Labels>,
    selectors: Vec<String>,
    /// A line up to its number.
    prefix: Vec<u8>,
}

impl Fixed {
    pub(super) fn new(plan: &LoadPlan) -> Self {
        let labels: Vec<Labels> = (0..plan.streams.max(1))
            .map(|stream| {
                let mut labels = plan.selector();
                labels.insert("stream".to_owned(), stream.to_string());
                labels.insert("service_name".to_owned(), "lgtm-verify".to_owned());
                labels
            })
            .collect();
        let selectors = labels.iter().map(encode::selector).collect();
        // The mark that every line of ours has (`signal::LineMark`), its number at a fixed width.
        let prefix = format!("lgtm run={} stimulus={} seq=", plan.run, plan.stimulus).into_bytes();
        Self { labels, selectors, prefix }
    }
}

/// The position of the stream that the entry with this number is in: a push has its streams one after the other.
pub(super) fn stream(plan: &LoadPlan, number: u64) -> usize {
    let streams = u64::from(plan.streams.max(1));
    let within = number % u64::from(plan.batch_records.max(1));
    usize::try_from(within * streams / u64::from(plan.batch_records.max(1))).unwrap_or(0)
}

/// Writes the `PushRequest` of push `batch`.
pub(super) fn write(plan: &LoadPlan, fixed: &Fixed, texts: &Texts, batch: u32, out: &mut Vec<u8>) {
    let line = plan.record_bytes as usize;
    let numbers = plan.numbers_of(batch);
    let mut from = numbers.start;
    for (place, selector) in fixed.selectors.iter().enumerate() {
        let mut to = from;
        while to < numbers.end && stream(plan, to) == place {
            to += 1;
        }
        if to == from {
            continue;
        }
        let entries: usize = (from..to).map(|number| field_length(entry_length(plan, number, line))).sum();
        head(1, field_length(selector.len()) + entries, out);
        field(1, selector.as_bytes(), out);
        for number in from..to {
            write_entry(plan, fixed, texts, number, out);
        }
        from = to;
    }
}

/// Seconds and nanoseconds of an entry's time.
fn time(plan: &LoadPlan, number: u64) -> (u64, u64) {
    let at = plan.time_ns(number);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    (part(at.div_euclid(SECOND)), part(at.rem_euclid(SECOND)))
}

fn time_length(plan: &LoadPlan, number: u64) -> usize {
    let (seconds, nanos) = time(plan, number);
    2 + varint_length(seconds) + varint_length(nanos)
}

fn entry_length(plan: &LoadPlan, number: u64, line: usize) -> usize {
    field_length(time_length(plan, number)) + field_length(line)
}

fn write_entry(plan: &LoadPlan, fixed: &Fixed, texts: &Texts, number: u64, out: &mut Vec<u8>) {
    let line = plan.record_bytes as usize;
    head(2, entry_length(plan, number, line), out);
    head(1, time_length(plan, number), out);
    let (seconds, nanos) = time(plan, number);
    put_number(1, seconds, out);
    put_number(2, nanos, out);
    head(2, line, out);
    write_line(plan, fixed, texts, number, out);
}

/// The line of an entry: mark, then text, [`LoadPlan::record_bytes`] in all.
fn write_line(plan: &LoadPlan, fixed: &Fixed, texts: &Texts, number: u64, out: &mut Vec<u8>) {
    const BEFORE_SUM: &[u8] = b" sum=";
    const BEFORE_TEXT: &[u8] = b" | ";
    let mark = fixed.prefix.len() + DIGITS + BEFORE_SUM.len() + SUM + BEFORE_TEXT.len();
    let text = texts.of(number, (plan.record_bytes as usize).saturating_sub(mark));
    out.extend_from_slice(&fixed.prefix);
    put_digits(number, out);
    out.extend_from_slice(BEFORE_SUM);
    put_hex(crc32c::crc32c(text), out);
    out.extend_from_slice(BEFORE_TEXT);
    out.extend_from_slice(text);
}

fn put_digits(number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; DIGITS];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

fn put_hex(number: u32, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for place in (0..SUM).rev() {
        let digit = (number >> (4 * place) & 0xf) as usize;
        out.push(HEX.get(digit).copied().unwrap_or(b'0'));
    }
}

/// What a stored entry is. Its stream is for whoever knows the chunk.
pub(super) fn recognise(
    plan: &LoadPlan,
    fixed: &Fixed,
    texts: &Texts,
    scratch: &mut Vec<u8>,
    timestamp_ns: i64,
    line: &[u8],
    plain: bool,
) -> Found {
    let Some(digits) = line.strip_prefix(fixed.prefix.as_slice()).and_then(|rest| rest.get(..DIGITS)) else {
        return Found::Foreign;
    };
    let Some(number) = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok()) else {
        return Found::Foreign;
    };
    scratch.clear();
    write_line(plan, fixed, texts, number, scratch);
    let checks = [
        ("number", number < plan.records()),
        ("line", scratch.as_slice() == line),
        ("time", timestamp_ns == plan.time_ns(number)),
        ("structured metadata", plain),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        None => Found::Whole(number),
        Some((what, _)) => Found::Altered { number, what },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use protos::logproto::PushRequest;

    use super::super::{Load, examples};
    use super::*;
    use crate::signal::{LineMark, Signal};

    fn decoded(body: &[u8]) -> PushRequest {
        let message = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        PushRequest::decode(message.as_slice()).unwrap()
    }

    proptest! {
        #[test]
        fn every_entry_sent_is_known_again_and_its_bytes_are_those_of_the_plan(
            seed: u64, records in 1_u32..90, streams in 1_u32..20, bytes in 150_u32..700, batches in 1_u32..5,
        ) {
            let plan = LoadPlan {
                batch_records: records, streams, record_bytes: bytes, batches, ..examples::plan(Signal::Logs, seed)
            };
            let mut load = Load::new(plan.clone());
            let mut numbers = Vec::new();
            for batch in 0..batches {
                let mut content = 0;
                for stream in decoded(&load.body(batch)).streams {
                    for entry in stream.entries {
                        let time = entry.timestamp.unwrap();
                        let timestamp_ns = time.seconds * SECOND + i64::from(time.nanos);
                        // What Loki counts: `EntryTotalSize`, the line and its structured metadata.
                        content += entry.line.len() as u64;
                        let mark = LineMark::parse(&entry.line).unwrap();
                        prop_assert!(mark.is_whole(&entry.line));
                        let Found::Whole(number) = load.entry(timestamp_ns, entry.line.as_bytes(), true) else {
                            return Err(TestCaseError::fail(entry.line));
                        };
                        prop_assert_eq!(number, mark.sequence);
                        let labels = &load.logs.labels[load.stream_of(number)];
                        prop_assert_eq!(&encode::selector(labels), &stream.labels);
                        prop_assert_eq!(load.stream_with(labels), Some(load.stream_of(number)));
                        numbers.push(number);
                    }
                }
                prop_assert_eq!(content, u64::from(records) * u64::from(bytes));
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (0..plan.records()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_push_has_every_stream_once() {
        let plan = examples::plan(Signal::Logs, 1);
        let request = decoded(&Load::new(plan.clone()).body(3));
        assert_eq!(request.streams.len(), plan.streams as usize);
    }

    #[test]
    fn what_is_otherwise_is_named() {
        let mut load = Load::new(examples::plan(Signal::Logs, 1));
        let request = decoded(&load.body(1));
        let entry = &request.streams[0].entries[0];
        let time = entry.timestamp.unwrap();
        let at = time.seconds * SECOND + i64::from(time.nanos);
        let line = entry.line.clone();
        let number = LineMark::parse(&line).unwrap().sequence;
        let altered = |what| Found::Altered { number, what };
        assert_eq!(load.entry(at, line.as_bytes(), true), Found::Whole(number));
        assert_eq!(load.entry(at + 1, line.as_bytes(), true), altered("time"));
        assert_eq!(load.entry(at, line.as_bytes(), false), altered("structured metadata"));
        assert_eq!(load.entry(at, &line.as_bytes()[..line.len() - 1], true), altered("line"));
        let beyond = line.replace("seq=0000000040", "seq=0000001000");
        assert_ne!(beyond, line);
        assert_eq!(load.entry(at, beyond.as_bytes(), true), Found::Altered { number: 1000, what: "number" });
        for foreign in ["", "hello", "lgtm run=r stimulus=load seq=0000000001 sum=00000000 | x"] {
            assert_eq!(load.entry(at, foreign.as_bytes(), true), Found::Foreign);
        }
    }
}
