//! What a load costs its sender and its counter: `cargo bench -p harness-core --bench load`. A second of the design's rate is 50 pushes
//! of each signal; a core has a thousand million nanoseconds for it.

use divan::{Bencher, counter::BytesCount};
use harness_core::{
    signal::Signal,
    stimulus::load::{Load, LoadPlan},
};

fn main() {
    divan::main();
}

fn plan(signal: Signal) -> LoadPlan {
    let record_bytes = if signal == Signal::Traces { 1000 } else { 500 };
    LoadPlan {
        seed: 1,
        run: "20261123-181530-3fa9c2".to_owned(),
        stimulus: "load".to_owned(),
        signal,
        begin_ns: 1_795_000_000_123_456_789,
        bytes_per_second: 10_000_000,
        record_bytes,
        batch_records: 200_000 / record_bytes,
        streams: 16,
        batches: 3000,
    }
}

/// One push of 200 kB of content, made and compressed.
#[divan::bench(args = [Signal::Logs, Signal::Traces])]
fn push(bencher: Bencher<'_, '_>, signal: Signal) {
    let mut load = Load::new(plan(signal));
    let mut batch = 0;
    bencher.counter(BytesCount::new(200_000_u32)).bench_local(|| {
        batch = (batch + 1) % 3000;
        load.body(batch)
    });
}
