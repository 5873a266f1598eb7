//! How fast the reader of Loki's chunks is, in bytes of raw lines per second, beside the limit that decompression sets: the same
//! blocks, decompressed and not looked at. The reader's ratio is its throughput over the probe's; both rows count the same bytes.

use std::{hint::black_box, io::Read, path::PathBuf};

use divan::{Bencher, counter::BytesCount};
use harness_core::formats::loki_chunk;

fn main() {
    divan::main();
}

/// A chunk that Loki stored: lines of a log of requests, two pairs of structured metadata each, Snappy.
fn stored() -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/loki/throughput.chunk");
    std::fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

fn read_entries(bytes: &[u8], visit: impl FnMut(loki_chunk::EntryRef<'_>)) -> loki_chunk::ChunkMetadata {
    loki_chunk::for_each_entry("throughput.chunk", bytes, visit).unwrap_or_else(|error| panic!("{error}"))
}

fn line_bytes(bytes: &[u8]) -> BytesCount {
    let mut lines = 0_usize;
    read_entries(bytes, |entry| lines += entry.line.len());
    BytesCount::new(lines)
}

mod loki_snappy_chunk {
    use super::*;

    /// The limit: nothing but the blocks' decompression.
    #[divan::bench]
    fn decompress_only(bencher: Bencher<'_, '_>) {
        let bytes = stored();
        let blocks = read_entries(&bytes, |_| ()).blocks;
        let blocks: Vec<&[u8]> = blocks.iter().map(|block| &bytes[block.offset..block.offset + block.length]).collect();
        let mut buffer = Vec::new();
        bencher.counter(line_bytes(&bytes)).bench_local(|| {
            let mut total = 0;
            for block in &blocks {
                buffer.clear();
                let read = snap::read::FrameDecoder::new(black_box(*block)).read_to_end(&mut buffer);
                total += read.unwrap_or_else(|error| panic!("decompressing a block: {error}"));
            }
            total
        });
    }

    /// Every checksum, every entry, nothing kept.
    #[divan::bench]
    fn for_each_entry(bencher: Bencher<'_, '_>) {
        let bytes = stored();
        bencher.counter(line_bytes(&bytes)).bench_local(|| {
            let mut lines = 0_usize;
            read_entries(black_box(&bytes), |entry| {
                black_box(entry.structured_metadata);
                lines += entry.line.len();
            });
            lines
        });
    }

    /// Every entry as a record of its own, with its stream's labels.
    #[divan::bench]
    fn read(bencher: Bencher<'_, '_>) {
        let bytes = stored();
        bencher.counter(line_bytes(&bytes)).bench_local(|| loki_chunk::read("throughput.chunk", black_box(&bytes)));
    }
}
