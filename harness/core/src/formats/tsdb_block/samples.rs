//! All samples of a block, or those of some series: what index and segment files say together. Must not know buckets.

use super::{BlockStats, Index, SegmentFile, StoredValue};
use crate::{
    formats::FormatError,
    signal::{Labels, Sample, SampleValue},
};

/// Calls `visit` with labels, time (milliseconds since the Unix epoch) and value of every sample of the series that `select`
/// takes, series by series in the order of their labels, and returns how much that was. `index` and `segments` are objects
/// and their bytes; a segment's object ends in its number, as in `chunks/000001`.
///
/// Verifies all of the index, and every chunk of a selected series: its checksum, its end, and that it covers the times
/// that the index gives. Allocates once a series and chunk, never per sample. What was visited before an error is void.
pub fn for_each_sample(
    index: (&str, &[u8]),
    segments: &[(String, &[u8])],
    mut select: impl FnMut(&Labels) -> bool,
    mut visit: impl FnMut(&Labels, i64, StoredValue<'_>),
) -> Result<BlockStats, FormatError> {
    let (object, bytes) = index;
    let index = Index::open(object, bytes)?;
    let mut files = Vec::with_capacity(segments.len());
    for (object, bytes) in segments {
        files.push((object.as_str(), SegmentFile::open(object, bytes)?));
    }
    let mut stats = BlockStats::default();
    for series in index.series() {
        let series = series?;
        if !select(&series.labels) {
            continue;
        }
        stats.num_series += 1;
        for reference in &series.chunks {
            let Some((segment_object, file)) = files.iter().find(|(_, file)| file.number() == reference.segment) else {
                let found = format!("a reference to segment {} from {:?}", reference.segment, series.labels);
                return Err(FormatError::new(object, 0, format!("references to {} segment files", files.len()), found));
            };
            let offset = usize::try_from(reference.offset).unwrap_or(usize::MAX);
            let chunk = file.chunk(offset)?;
            let (mut floats, mut histograms) = (0, 0);
            let times = chunk.for_each_sample(|time, value| {
                match value {
                    StoredValue::Float(_) => floats += 1,
                    StoredValue::Histogram(_) => histograms += 1,
                }
                visit(&series.labels, time, value);
            })?;
            if (times.first_ms, times.last_ms) != (reference.min_ms, reference.max_ms) {
                return Err(FormatError::new(
                    segment_object,
                    offset,
                    format!("samples from {} to {}, as the index says", reference.min_ms, reference.max_ms),
                    format!("from {} to {}", times.first_ms, times.last_ms),
                ));
            }
            stats.num_chunks += 1;
            stats.num_float_samples += floats;
            stats.num_histogram_samples += histograms;
        }
    }
    stats.num_samples = stats.num_float_samples + stats.num_histogram_samples;
    Ok(stats)
}

/// The samples of the series that `select` takes as records; see [`for_each_sample`].
pub fn read_samples(
    index: (&str, &[u8]),
    segments: &[(String, &[u8])],
    select: impl Fn(&Labels) -> bool,
) -> Result<Vec<Sample>, FormatError> {
    let mut samples = Vec::new();
    for_each_sample(index, segments, select, |labels, timestamp_ms, value| {
        samples.push(Sample { labels: labels.clone(), timestamp_ms, value: value.to_sample_value() });
    })?;
    Ok(samples)
}

impl StoredValue<'_> {
    /// The value as a record.
    pub fn to_sample_value(&self) -> SampleValue {
        match self {
            Self::Float(value) => SampleValue::float(*value),
            Self::Histogram(histogram) => SampleValue::Histogram { histogram: (*histogram).clone() },
        }
    }
}
