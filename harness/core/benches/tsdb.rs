//! How fast samples come out of XOR chunks, beside the limit of any reader: the checksum alone over the same bytes. Both count
//! samples, so the ratio of their throughputs says how far the reader is from the limit.
//!
//! `cargo bench -p harness-core --bench tsdb`

use divan::{Bencher, counter::ItemsCount};
use harness_core::formats::tsdb_block::{SegmentFile, StoredValue, for_each_sample};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

#[path = "../tests/support/tsdb_writer.rs"]
mod tsdb_writer;

const CHUNKS: usize = 4000;
/// What Prometheus cuts chunks at.
const SAMPLES_PER_CHUNK: usize = 120;
const SAMPLES: usize = CHUNKS * SAMPLES_PER_CHUNK;
const OBJECT: &str = "bench/chunks/000001";

/// What a series' values look like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The same value at regular times.
    Constant,
    /// A counter at regular times that grows by up to 50.
    Counter,
    /// A gauge of two decimals at times that jitter by up to 20 ms.
    Gauge,
    /// Random bits at random times: no encoding helps.
    Noise,
}

const SHAPES: [Shape; 4] = [Shape::Constant, Shape::Counter, Shape::Gauge, Shape::Noise];

fn segment(shape: Shape) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let chunks: Vec<_> = (0..CHUNKS)
        .map(|_| {
            let (mut time, mut total) = (1_795_449_600_000_i64, 0.0_f64);
            let samples: Vec<_> = (0..SAMPLES_PER_CHUNK)
                .map(|_| {
                    let chance = random.next_u64();
                    time += 15_000;
                    match shape {
                        Shape::Constant => (time, 42.5_f64.to_bits()),
                        Shape::Counter => {
                            total += (chance % 50) as f64;
                            (time, total.to_bits())
                        }
                        Shape::Gauge => {
                            total = 20.0 + (chance % 1000) as f64 / 100.0;
                            (time + (chance >> 32) as i64 % 20, total.to_bits())
                        }
                        Shape::Noise => {
                            time += (chance >> 44) as i64;
                            (time, chance)
                        }
                    }
                })
                .collect();
            (1, tsdb_writer::xor_chunk(&samples))
        })
        .collect();
    tsdb_writer::segment_file(&chunks)
}

#[divan::bench(args = SHAPES)]
fn decode_xor(bencher: Bencher<'_, '_>, shape: Shape) {
    let bytes = segment(shape);
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| {
        let mut sum = 0_u64;
        let file = SegmentFile::open(OBJECT, &bytes).ok()?;
        for chunk in file.chunks() {
            chunk
                .ok()?
                .for_each_sample(|time, value| {
                    if let StoredValue::Float(value) = value {
                        sum = sum.wrapping_add(time as u64 ^ value.to_bits());
                    }
                })
                .ok()?;
        }
        Some(sum)
    });
}

#[divan::bench(args = SHAPES)]
fn limit_checksum_only(bencher: Bencher<'_, '_>, shape: Shape) {
    let bytes = segment(shape);
    bencher.counter(ItemsCount::new(SAMPLES)).bench(|| crc32c::crc32c(&bytes));
}

#[divan::bench]
fn whole_block(bencher: Bencher<'_, '_>) {
    let index = include_bytes!("../tests/fixtures/mimir/fixture/01M84VF6RCE6Z0E1VSJS0M4STZ/index");
    let segment = include_bytes!("../tests/fixtures/mimir/fixture/01M84VF6RCE6Z0E1VSJS0M4STZ/chunks/000001");
    let segments = [(OBJECT.to_owned(), segment.as_slice())];
    bencher.counter(ItemsCount::new(2176_usize)).bench(|| {
        let mut sum = 0_i64;
        let stats = for_each_sample(("index", index), &segments, |_| true, |_, time, _| sum = sum.wrapping_add(time));
        (sum, stats)
    });
}

fn main() {
    divan::main();
}
