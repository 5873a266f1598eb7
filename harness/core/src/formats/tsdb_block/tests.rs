//! Blocks that a real Mimir wrote against what was sent to it, and everything that is no block.

use std::io::Read as _;

use proptest::prelude::*;

use super::{bits::BitReader, *};
use crate::{
    formats::FormatError,
    signal::{Histogram, HistogramKind, HistogramSpan, Sample, SampleValue},
};

#[path = "../../../tests/support/tsdb_writer.rs"]
mod tsdb_writer;

use tsdb_writer::{BitWriter, segment_file, xor_chunk};

trait WriteVarbit {
    /// Appends a number as `varbit_uint` or `varbit_int` in the bucket of `width` bits: 0, 3, 6, 9, 12, 18, 25, 56 or 64.
    fn varbit(&mut self, value: u64, width: u32) -> &mut Self;
}

impl WriteVarbit for BitWriter {
    fn varbit(&mut self, value: u64, width: u32) -> &mut Self {
        let ones = [0, 3, 6, 9, 12, 18, 25, 56, 64].iter().position(|each| *each == width).unwrap();
        let prefix = if ones < 8 { ((1 << ones) - 1) << 1 } else { 0xff };
        self.write(prefix, (ones as u32 + 1).min(8)).write(value, width)
    }
}

struct Block {
    folder: &'static str,
    meta: &'static [u8],
    index: &'static [u8],
    segment: &'static [u8],
}

macro_rules! block {
    ($ulid:literal) => {
        Block {
            folder: concat!("fixture/", $ulid),
            meta: include_bytes!(concat!("../../../tests/fixtures/mimir/fixture/", $ulid, "/meta.json")),
            index: include_bytes!(concat!("../../../tests/fixtures/mimir/fixture/", $ulid, "/index")),
            segment: include_bytes!(concat!("../../../tests/fixtures/mimir/fixture/", $ulid, "/chunks/000001")),
        }
    };
}

/// Cut from the head: all that came in order.
const IN_ORDER: Block = block!("01M84VF373WYPH86MNND02D2HG");
/// Cut from the head: what came late.
const OUT_OF_ORDER: Block = block!("01M84VF38TF06TNKKM67KM471X");
/// Made of the other two by the compactor.
const COMPACTED: Block = block!("01M84VF6RCE6Z0E1VSJS0M4STZ");

const SENT_IN_ORDER: &[u8] = include_bytes!("../../../tests/fixtures/mimir/in-order.ndjson.gz");
const SENT_LATE: &[u8] = include_bytes!("../../../tests/fixtures/mimir/out-of-order.ndjson.gz");

impl Block {
    fn segment_object(&self) -> String {
        format!("{}/chunks/000001", self.folder)
    }

    fn read(&self) -> Vec<Sample> {
        let segments = [(self.segment_object(), self.segment)];
        read_samples(("index", self.index), &segments, |_| true).unwrap()
    }
}

fn read_parts(index: &[u8], segment: &[u8]) -> Result<BlockStats, FormatError> {
    for_each_sample(("index", index), &[("chunks/000001".to_owned(), segment)], |_| true, |_, _, _| ())
}

fn sent(compressed: &[u8]) -> Vec<Sample> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Samples as text, sorted, histograms without buckets that count nothing: what has to be the same on both sides.
fn comparable(samples: Vec<Sample>) -> Vec<String> {
    let mut lines: Vec<_> = samples
        .into_iter()
        .map(|mut sample| {
            if let SampleValue::Histogram { histogram } = &mut sample.value {
                *histogram = without_empty_buckets(histogram);
            }
            serde_json::to_string(&sample).unwrap()
        })
        .collect();
    lines.sort();
    lines
}

/// What Mimir makes of what was sent: a float stale marker that follows histograms becomes a stale histogram, and minus
/// zero becomes zero, because the protobuf code between its components leaves out a float that equals zero.
fn as_stored(mut samples: Vec<Sample>) -> Vec<Sample> {
    for sample in &mut samples {
        if sample.value == SampleValue::float(-0.0) {
            sample.value = SampleValue::float(0.0);
        }
    }
    let marker = samples.iter_mut().rfind(|sample| sample.labels["__name__"] == "fixture_histogram_float_marker");
    if let Some(marker) = marker {
        assert_eq!(marker.value, SampleValue::float(f64::from_bits(STALE_NAN)));
        marker.value = SampleValue::Histogram {
            histogram: Histogram {
                kind: HistogramKind::Int,
                count: 0.0,
                sum: f64::from_bits(STALE_NAN),
                schema: 0,
                zero_count: 0.0,
                positive_buckets: vec![],
                negative_buckets: vec![],
                zero_threshold: 0.0,
                positive_spans: vec![],
                negative_spans: vec![],
                custom_values: vec![],
            },
        };
    }
    samples
}

#[test]
fn blocks_hold_what_was_sent() {
    let in_order = as_stored(sent(SENT_IN_ORDER));
    let late = as_stored(sent(SENT_LATE));
    let all = in_order.iter().chain(&late).cloned().collect();
    for (block, sent) in [(IN_ORDER, in_order), (OUT_OF_ORDER, late), (COMPACTED, all)] {
        let (found, sent) = (comparable(block.read()), comparable(sent));
        for (found, sent) in found.iter().zip(&sent) {
            assert_eq!(found, sent, "{}", block.folder);
        }
        assert_eq!(found.len(), sent.len(), "{}", block.folder);
    }
}

#[test]
fn one_changed_sample_is_a_difference() {
    let stored = comparable(OUT_OF_ORDER.read());
    for change in [
        (|sample| sample.timestamp_ms += 1) as fn(&mut Sample),
        |sample| sample.value = SampleValue::float(-1.0),
        |sample| drop(sample.labels.insert("pod".to_owned(), "b".to_owned())),
    ] {
        let mut sent = as_stored(sent(SENT_LATE));
        change(&mut sent[0]);
        assert_ne!(comparable(sent), stored);
    }
}

#[test]
fn descriptions_agree_with_contents() {
    for block in [IN_ORDER, OUT_OF_ORDER, COMPACTED] {
        let meta = read_meta("meta.json", block.meta).unwrap();
        assert_eq!(format!("fixture/{}", meta.ulid), block.folder);
        assert_eq!(read_parts(block.index, block.segment).unwrap(), meta.stats);
        let origin = meta.thanos.unwrap();
        assert_eq!(origin.segment_files, ["000001"]);
        for (path, size) in [("index", block.index.len()), ("chunks/000001", block.segment.len())] {
            let file = origin.files.iter().find(|file| file.rel_path == path).unwrap();
            assert_eq!(file.size_bytes, Some(size as u64), "{path}");
        }
        for sample in block.read() {
            assert!((meta.min_time..meta.max_time).contains(&sample.timestamp_ms));
        }
    }
    let [in_order, late, compacted] =
        [IN_ORDER, OUT_OF_ORDER, COMPACTED].map(|block| read_meta("meta.json", block.meta).unwrap());
    assert_eq!((in_order.compaction.level, compacted.compaction.level), (1, 2));
    assert_eq!(late.compaction.hints, ["from-out-of-order"]);
    assert_eq!(compacted.compaction.sources, [in_order.ulid, late.ulid]);
    assert_eq!(compacted.thanos.unwrap().source, "compactor");
}

#[test]
fn a_description_of_another_version_is_refused() {
    let text = std::str::from_utf8(IN_ORDER.meta).unwrap();
    for (from, to, found) in [
        ("\"version\": 1,\n\t\"out", "\"version\": 2,\n\t\"out", "version 2, added part 1"),
        ("\"thanos\": {", "\"thanos\": {\"version\": 3,", "version 1, added part 3"),
        ("\"minTime\": 1", "\"minTime\": 9", "9795449600007 to "),
        ("\"level\"", "\"levels\"", "missing field"),
        ("01M84VF373WYPH86MNND02D2HG", "01M84VF373WYPH86MNND02D2HU", "expected a ULID"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let error = read_meta("meta.json", changed.as_bytes()).unwrap_err();
        assert!(error.found.contains(found), "{error}");
    }
    let error = read_meta("meta.json", &IN_ORDER.meta[..100]).unwrap_err();
    assert_eq!(error.offset, 100);
}

#[test]
fn stale_markers_and_strange_floats_keep_their_bits() {
    let mut floats = Vec::new();
    let mut stale = 0;
    let segments = [("chunks/000001".to_owned(), IN_ORDER.segment)];
    for_each_sample(
        ("index", IN_ORDER.index),
        &segments,
        |_| true,
        |labels, _, value| match value {
            StoredValue::Float(value) if labels["__name__"] == "fixture_special" => floats.push(value.to_bits()),
            StoredValue::Histogram(histogram) if histogram.sum.to_bits() == STALE_NAN => {
                stale += 1;
                assert!(histogram.positive_buckets.is_empty() && histogram.positive_spans.is_empty());
            }
            _ => (),
        },
    )
    .unwrap();
    assert_eq!(stale, 6);
    assert_eq!(floats.len(), 50);
    for bits in [
        0x7ff8_0000_0000_0001,
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        STALE_NAN,
        0x7ff0_0000_0000_0001,
        1,
        u64::MAX,
    ] {
        assert!(floats.contains(&bits), "{bits:016x}");
    }
}

#[test]
fn a_selection_takes_only_its_series() {
    let segments = [(COMPACTED.segment_object(), COMPACTED.segment)];
    let samples =
        read_samples(("index", COMPACTED.index), &segments, |labels| labels.get("pod").is_some_and(|pod| pod == "ü-€"))
            .unwrap();
    assert_eq!(samples.len(), 300);
    assert!(samples.iter().all(|sample| sample.labels["__name__"] == "fixture_gauge"));
    let none = read_samples(("index", COMPACTED.index), &segments, |_| false).unwrap();
    assert_eq!(none, []);
}

#[test]
fn a_segment_is_its_chunks_one_behind_the_other() {
    let file = SegmentFile::open("chunks/000001", COMPACTED.segment).unwrap();
    let chunks: Result<Vec<_>, _> = file.chunks().collect();
    let chunks = chunks.unwrap();
    let stats = read_meta("meta.json", COMPACTED.meta).unwrap().stats;
    assert_eq!(chunks.len() as u64, stats.num_chunks);
    assert_eq!(chunks.iter().map(|chunk| u64::from(chunk.samples())).sum::<u64>(), stats.num_samples);
    let resets = |reset| chunks.iter().filter(|chunk| chunk.counter_reset() == Some(reset)).count();
    assert!(resets(CounterReset::Yes) > 0 && resets(CounterReset::No) > 0);
    assert_eq!(resets(CounterReset::Gauge), 3);
    assert!(chunks.iter().all(|chunk| chunk.counter_reset().is_none() == (chunk.encoding() == Encoding::Xor)));
}

#[test]
fn a_missing_segment_is_named() {
    let error = for_each_sample(("index", IN_ORDER.index), &[], |_| true, |_, _, _| ()).unwrap_err();
    assert!(error.found.contains("segment 1"), "{error}");
    for name in ["chunks/1", "chunks/00000x", "chunks/000000", ""] {
        let error = SegmentFile::open(name, IN_ORDER.segment).unwrap_err();
        assert!(error.expected.contains("000001"), "{error}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    for length in 0..OUT_OF_ORDER.index.len() {
        assert!(read_parts(&OUT_OF_ORDER.index[..length], OUT_OF_ORDER.segment).is_err(), "index of {length} bytes");
    }
    for length in 0..OUT_OF_ORDER.segment.len() {
        assert!(read_parts(OUT_OF_ORDER.index, &OUT_OF_ORDER.segment[..length]).is_err(), "segment of {length} bytes");
    }
    for length in 0..OUT_OF_ORDER.meta.len() - 2 {
        assert!(read_meta("meta.json", &OUT_OF_ORDER.meta[..length]).is_err(), "description of {length} bytes");
    }
}

#[test]
fn every_changed_byte_is_an_error() {
    for flip in [0x01, 0x10, 0x80, 0xff] {
        let mut index = OUT_OF_ORDER.index.to_vec();
        for at in 0..index.len() {
            index[at] ^= flip;
            assert!(read_parts(&index, OUT_OF_ORDER.segment).is_err(), "byte {at} of the index changed by {flip:02x}");
            index[at] ^= flip;
        }
        let mut segment = OUT_OF_ORDER.segment.to_vec();
        for at in 0..segment.len() {
            segment[at] ^= flip;
            assert!(
                read_parts(OUT_OF_ORDER.index, &segment).is_err(),
                "byte {at} of the segment changed by {flip:02x}"
            );
            segment[at] ^= flip;
        }
        let mut meta = OUT_OF_ORDER.meta.to_vec();
        for at in 0..meta.len() {
            meta[at] ^= flip;
            read_meta("meta.json", &meta).ok();
            meta[at] ^= flip;
        }
    }
}

/// Places of checksums in an index: the summed bytes, then four bytes of sum.
fn summed_ranges(index: &[u8]) -> Vec<std::ops::Range<usize>> {
    let number = |at: usize, length: usize| {
        index[at..at + length].iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let toc = index.len() - 52;
    let mut ranges = vec![9..9 + number(5, 4), toc..toc + 48];
    let mut at = number(toc + 8, 8);
    while at < number(toc + 16, 8) {
        at = at.next_multiple_of(16);
        let (length, start) = match index[at] {
            short if short < 0x80 => (usize::from(short), at + 1),
            low => (usize::from(low & 0x7f) | usize::from(index[at + 1]) << 7, at + 2),
        };
        ranges.push(start..start + length);
        at = start + length + 4;
    }
    ranges
}

/// Checksums do not make content true: every byte below one is changed and the sum made right again.
#[test]
fn a_right_checksum_over_wrong_bytes_does_no_harm() {
    let mut errors = 0;
    for range in summed_ranges(OUT_OF_ORDER.index) {
        for at in range.clone() {
            for flip in [0x01, 0x80, 0xff] {
                let mut index = OUT_OF_ORDER.index.to_vec();
                index[at] ^= flip;
                let sum = crc32c::crc32c(&index[range.clone()]);
                index[range.end..range.end + 4].copy_from_slice(&sum.to_be_bytes());
                errors += usize::from(read_parts(&index, OUT_OF_ORDER.segment).is_err());
            }
        }
    }
    assert!(errors > 500, "{errors}");
}

#[test]
fn other_formats_are_refused_by_name() {
    let changed = |bytes: &[u8], at: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    };
    for version in [0, 1, 3] {
        let error = Index::open("index", &changed(IN_ORDER.index, 4, version)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("index: at byte 4: expected index version 2, found index version {version}")
        );
    }
    let error = Index::open("index", &changed(IN_ORDER.index, 0, 0)).unwrap_err();
    assert_eq!(error.to_string(), "index: at byte 0: expected index magic baaad700, found 00aad700");
    let error = SegmentFile::open("000001", &changed(IN_ORDER.segment, 4, 2)).unwrap_err();
    assert_eq!(error.to_string(), "000001: at byte 4: expected segment version 1, found 2");
    let error = SegmentFile::open("000001", &changed(IN_ORDER.segment, 3, 0)).unwrap_err();
    assert_eq!(error.to_string(), "000001: at byte 0: expected segment magic 85bd40dd, found 85bd4000");
    for encoding in [0, 4, 255] {
        let file = segment_file(&[(encoding, xor_chunk(&[(1, 2)]))]);
        let error = SegmentFile::open("000001", &file).unwrap().chunk(8).unwrap_err();
        assert_eq!((error.offset, error.found), (9, format!("unknown chunk encoding {encoding}")));
    }
}

#[test]
fn chunks_that_lie_about_themselves_are_refused() {
    let data = xor_chunk(&[(1, 2), (3, 4), (5, 6)]);
    let count = |samples: u8| {
        let mut data = data.clone();
        data[1] = samples;
        data
    };
    let longer = |byte: u8| {
        let mut data = data.clone();
        data.push(byte);
        data
    };
    for (data, expected) in [
        (count(0), "at least one sample"),
        (count(2), "the end of the chunk behind its last sample"),
        (count(200), "sample"),
        (longer(0), "the end of the chunk behind its last sample"),
        (vec![0], "a chunk header of 2 bytes"),
        (vec![0, 1], "sample 1 of 1"),
    ] {
        let file = segment_file(&[(1, data)]);
        let chunk = SegmentFile::open("000001", &file).unwrap().chunk(8);
        let error = chunk.and_then(|chunk| chunk.for_each_sample(|_, _| ())).unwrap_err();
        assert!(error.expected.starts_with(expected), "{error}");
    }
    let file = segment_file(&[(1, data)]);
    assert!(SegmentFile::open("000001", &file).unwrap().chunk(8).unwrap().for_each_sample(|_, _| ()).is_ok());
}

/// A histogram chunk that asks for more than it could hold must not make the reader reserve it.
#[test]
fn sizes_beyond_the_chunk_are_refused_before_anything_is_reserved() {
    let layout = |write: &dyn Fn(&mut BitWriter)| {
        let mut bits = BitWriter::default();
        bits.write(1, 16).write(0, 8).write(0, 8);
        write(&mut bits);
        bits.write(0, 64).write(0, 64);
        bits.into_bytes()
    };
    let one_span = |length: u64| {
        layout(&move |bits| {
            bits.varbit(0, 0).varbit(1, 3).varbit(length, 56).varbit(0, 0).varbit(0, 0);
        })
    };
    for encoding in [2, 3] {
        for (data, expected) in [
            (
                layout(&|bits| {
                    bits.varbit(0, 0).varbit(1 << 50, 56);
                }),
                "at most",
            ),
            (
                layout(&|bits| {
                    bits.varbit(1 << 40, 56);
                }),
                "a histogram schema",
            ),
            (
                layout(&|bits| {
                    bits.varbit(53, 9);
                }),
                "a histogram schema",
            ),
            (
                layout(&|bits| {
                    bits.varbit(-53_i64 as u64, 9).varbit(0, 0).varbit(0, 0).varbit(u64::MAX, 64);
                }),
                "at most",
            ),
            (one_span(u64::from(u32::MAX)), "spans of at most"),
            (one_span(1 << 40), "a span of 32-bit numbers"),
        ] {
            let file = segment_file(&[(encoding, data)]);
            let chunk = SegmentFile::open("000001", &file).unwrap().chunk(8).unwrap();
            let error = chunk.for_each_sample(|_, _| ()).unwrap_err();
            assert!(error.expected.starts_with(expected), "{error}");
        }
    }
}

#[test]
fn empty_buckets_make_no_difference() {
    let span = |offset, length| HistogramSpan { offset, length };
    let histogram = |spans: &[HistogramSpan], buckets: &[f64]| Histogram {
        kind: HistogramKind::Int,
        count: 3.0,
        sum: 1.0,
        schema: 0,
        zero_count: 0.0,
        positive_buckets: buckets.to_vec(),
        negative_buckets: buckets.to_vec(),
        zero_threshold: 0.0,
        positive_spans: spans.to_vec(),
        negative_spans: spans.to_vec(),
        custom_values: vec![],
    };
    let plain = histogram(&[span(-2, 2), span(3, 1)], &[1.0, 5.0, 2.0]);
    for (spans, buckets) in [
        (vec![span(-2, 2), span(3, 1)], vec![1.0, 5.0, 2.0]),
        (vec![span(-3, 9)], vec![0.0, 1.0, 5.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0]),
        (vec![span(-2, 1), span(0, 1), span(1, 0), span(2, 1)], vec![1.0, 5.0, 2.0]),
    ] {
        assert_eq!(without_empty_buckets(&histogram(&spans, &buckets)), plain, "{spans:?}");
    }
    let moved = histogram(&[span(-1, 2), span(3, 1)], &[1.0, 5.0, 2.0]);
    assert_ne!(without_empty_buckets(&moved), plain);
}

proptest! {
    #[test]
    fn xor_chunks_are_read_as_written(
        start in any::<i64>(),
        samples in prop::collection::vec(
            (
                prop_oneof![Just(15_000_i64), -9000..9000_i64, -70_000..70_000_i64, -600_000..600_000_i64, any::<i64>()],
                prop_oneof![any::<u64>(), any::<f64>().prop_map(f64::to_bits), (0..9_i32).prop_map(|n| f64::from(n).to_bits())],
            ),
            1..200,
        ),
    ) {
        let mut time = start;
        let samples: Vec<_> = samples.into_iter().map(|(step, bits)| {
            time = time.wrapping_add(step);
            (time, bits)
        }).collect();
        let file = segment_file(&[(1, xor_chunk(&samples)), (1, xor_chunk(&samples[..1]))]);
        let file = SegmentFile::open("000001", &file).unwrap();
        let mut read = Vec::new();
        for chunk in file.chunks() {
            chunk.unwrap().for_each_sample(|time, value| match value {
                StoredValue::Float(value) => read.push((time, value.to_bits())),
                StoredValue::Histogram(_) => unreachable!("an XOR chunk holds floats"),
            }).unwrap();
        }
        let mut expected = samples.clone();
        expected.push(samples[0]);
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn varbit_numbers_are_read_as_written(numbers in prop::collection::vec((any::<u64>(), prop::sample::select(vec![0, 3, 6, 9, 12, 18, 25, 56, 64])), 0..40)) {
        let numbers: Vec<_> = numbers.into_iter().map(|(number, width)| (number & (u64::MAX.checked_shr(64 - width).unwrap_or(0)), width)).collect();
        let mut bits = BitWriter::default();
        for (number, width) in &numbers {
            bits.varbit(*number, *width);
        }
        let bytes = bits.into_bytes();
        let mut reader = BitReader::new(&bytes);
        for (number, _) in numbers {
            prop_assert_eq!(reader.varbit_uint(), number);
        }
        prop_assert!(reader.is_at_padding());
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_meta("meta.json", &bytes).ok();
        prop_assert!(Index::open("index", &bytes).is_err());
        prop_assert!(SegmentFile::open("000001", &bytes).is_err());
        let chunks: Vec<_> = (1..=3).map(|encoding| (encoding, bytes.clone())).collect();
        let file = segment_file(&chunks);
        for chunk in SegmentFile::open("000001", &file).unwrap().chunks().flatten() {
            let mut samples = 0_u32;
            let read = chunk.for_each_sample(|_, _| samples += 1);
            prop_assert!(read.is_err() || samples == u32::from(chunk.samples()));
        }
        let mut segment = file[..8].to_vec();
        segment.extend(&bytes);
        SegmentFile::open("000001", &segment).unwrap().chunks().for_each(drop);
    }

    #[test]
    fn any_spans_can_be_compared(spans in prop::collection::vec((any::<i32>(), 0..9_u32), 0..9), buckets in prop::collection::vec(0..2_u8, 0..40)) {
        let mut histogram = match &OUT_OF_ORDER.read()[215 - 6].value {
            SampleValue::Histogram { histogram } => histogram.clone(),
            SampleValue::Float { .. } => return Ok(()),
        };
        histogram.positive_spans = spans.iter().map(|(offset, length)| HistogramSpan { offset: *offset, length: *length }).collect();
        histogram.positive_buckets = buckets.iter().copied().map(f64::from).collect();
        let once = without_empty_buckets(&histogram);
        prop_assert_eq!(without_empty_buckets(&once), once);
    }
}
