//! What a stored object or block holds, one record a line. Must not know flags, runs, or who wrote the object.

use std::{
    collections::BTreeSet,
    fmt,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use harness_core::{
    formats::{FormatError, loki_chunk, loki_index, tempo_block, tsdb_block},
    ports::{Objects, PortError, Principal},
    signal::{Labels, Sample, SampleValue},
};
use serde::Serialize;
use thiserror::Error;

/// The file that describes a block, Tempo's or Mimir's.
const META: &str = "meta.json";
/// What [`META`] is called once a block of Tempo's was compacted into another.
const COMPACTED_META: &str = "meta.compacted.json";
const SPANS: &str = "data.parquet";
const INDEX: &str = "index";
const SEGMENTS: &str = "chunks/";

/// Names of a folder's content that an error tells, at most.
const NAMES_TOLD: usize = 8;

/// Whose objects to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A chunk or a TSDB index of Loki's.
    Loki,
    /// A block of Tempo's, or its `data.parquet`.
    Tempo,
    /// A block of Mimir's.
    Mimir,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Loki, Self::Tempo, Self::Mimir];

    /// The name used in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Tempo => "tempo",
            Self::Mimir => "mimir",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Loki => "one chunk or index object of Loki's",
            Self::Tempo => "the folder of a Tempo block with meta.json and data.parquet, or its data.parquet",
            Self::Mimir => "the folder of a Mimir block with meta.json, index and chunks/",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("unknown kind {text:?}: expected one of {names}"))
    }
}

/// A place in the object store, `s3://bucket/key`; the key may be that of an object or the prefix of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    /// The bucket.
    pub bucket: String,
    /// Key or prefix, without a slash at its end.
    pub key: String,
}

impl BucketUrl {
    /// Whether `text` is meant as such a place, well-formed or not.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("s3://")
    }
}

impl FromStr for BucketUrl {
    type Err = InspectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        match parts.map(|(bucket, key)| (bucket, key.trim_end_matches('/'))) {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            _ => Err(InspectError::Url { text: text.to_owned() }),
        }
    }
}

/// Where to read.
#[derive(Clone)]
pub enum Source {
    /// A file, or the folder of a block.
    Local(PathBuf),
    /// An object, or the prefix of a block.
    Bucket {
        /// The place.
        url: BucketUrl,
        /// The store that it is in.
        objects: Arc<dyn Objects>,
        /// Whose credentials to use.
        principal: Principal,
    },
}

/// What was read, for a line to a human.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectSummary {
    /// Path or bucket/key.
    pub object: String,
    /// How many records were printed.
    pub records: u64,
    /// What the records are: `entries`, `chunks listed`, `spans` or `samples`.
    pub of: &'static str,
    /// What a reader of the records should know besides.
    pub notes: Vec<String>,
}

impl fmt::Display for InspectSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.object, self.records, self.of)?;
        self.notes.iter().try_for_each(|note| write!(formatter, "; {note}"))
    }
}

/// Why there are no records, or no more. Lines printed before are void.
#[derive(Debug, Error)]
pub enum InspectError {
    /// No place in an object store.
    #[error("expected s3://bucket/key, found {text:?}")]
    Url {
        /// What stands there instead.
        text: String,
    },
    /// A file or folder that is not there, or not for us.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The path.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store has no such object, or does not answer.
    #[error(transparent)]
    Store(#[from] PortError),
    /// No byte, or no file.
    #[error("{object}: expected {expected}, found nothing: it is empty")]
    Empty {
        /// Path or bucket/key.
        object: String,
        /// What the kind asks for.
        expected: &'static str,
    },
    /// Something, but of another kind.
    #[error("{object}: expected {expected}, found {found}")]
    WrongKind {
        /// Path or bucket/key.
        object: String,
        /// What the kind asks for.
        expected: &'static str,
        /// What it looks like.
        found: String,
    },
    /// A block without all of its parts.
    #[error("{block}: incomplete, {missing} missing; there is {present}")]
    Missing {
        /// Path or bucket/prefix of the block.
        block: String,
        /// The parts that are not there.
        missing: String,
        /// Those that are.
        present: String,
    },
    /// Not what the format has.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The records could not be printed.
    #[error("the records cannot be written")]
    Output(#[source] io::Error),
}

/// Prints the records of `source` as NDJSON, each a [`LogEntry`](harness_core::signal::LogEntry),
/// [`Span`](harness_core::signal::Span) or [`Sample`] as they are in JSON. A Loki index gives one line a listed chunk:
/// `{"labels","fingerprint","from_ms","through_ms","checksum","kib","entries"}`, numbers in hex as in the chunk's key.
///
/// A block needs its `meta.json` (of Tempo's compacted blocks, `meta.compacted.json`); `data.parquet` alone is read with the one
/// beside it where there is one. Everything that the object says of itself is checked. Held in memory is one object, decoded
/// where its reader decodes it whole; of a Mimir block, index and segment files as they are stored.
pub async fn inspect(kind: Kind, source: &Source, out: &mut impl Write) -> Result<InspectSummary, InspectError> {
    let mut out = BufWriter::new(out);
    let place = Place { kind, source, object: source.object() };
    let summary = match (kind, source.shape().await?) {
        (Kind::Loki, Shape::Object) => loki(&place, &mut out).await,
        (Kind::Loki, Shape::Folder(names)) => Err(place.other_folder(&names)),
        (Kind::Tempo, Shape::Object) => tempo_data(&place, &mut out).await,
        (Kind::Tempo, Shape::Folder(names)) => tempo_block(&place, &names, &mut out).await,
        (Kind::Mimir, Shape::Object) => Err(place.other_object(&place.read("").await?)),
        (Kind::Mimir, Shape::Folder(names)) => mimir_block(&place, &names, &mut out).await,
    };
    // Also what comes before an error shall be seen.
    let flushed = out.flush().map_err(InspectError::Output);
    summary.and_then(|summary| flushed.map(|()| summary))
}

/// One object, or the names of what is in a folder, relative to it.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    Object,
    Folder(BTreeSet<String>),
}

impl Source {
    /// How errors name it: path or bucket/key.
    fn object(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Bucket { url, .. } => format!("{}/{}", url.bucket, url.key),
        }
    }

    async fn shape(&self) -> Result<Shape, InspectError> {
        match self {
            Self::Local(path) => local_shape(path).await,
            Self::Bucket { url, objects, principal } => {
                let listed = objects.list(*principal, &url.bucket, &url.key).await?;
                let shape = listed_shape(&url.key, listed.into_iter().map(|object| object.key));
                shape.ok_or_else(|| PortError::NotFound { target: self.object() }.into())
            }
        }
    }

    /// The file `name` in this folder; itself where it is empty.
    fn part(&self, name: &str) -> Self {
        match self {
            _ if name.is_empty() => self.clone(),
            Self::Local(path) => Self::Local(path.join(name)),
            Self::Bucket { url, objects, principal } => {
                let url = BucketUrl { bucket: url.bucket.clone(), key: format!("{}/{name}", url.key) };
                Self::Bucket { url, objects: Arc::clone(objects), principal: *principal }
            }
        }
    }

    /// The file `name` in the folder that this is in; `None` where it is in none.
    fn sibling(&self, name: &str) -> Option<Self> {
        match self {
            Self::Local(path) => Some(Self::Local(path.with_file_name(name))),
            Self::Bucket { url, objects, principal } => {
                let (folder, _) = url.key.rsplit_once('/')?;
                let url = BucketUrl { bucket: url.bucket.clone(), key: format!("{folder}/{name}") };
                Some(Self::Bucket { url, objects: Arc::clone(objects), principal: *principal })
            }
        }
    }

    fn file_name(&self) -> &str {
        match self {
            Self::Local(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or_default(),
            Self::Bucket { url, .. } => url.key.rsplit('/').next().unwrap_or_default(),
        }
    }

    async fn read(&self) -> Result<Vec<u8>, InspectError> {
        match self {
            Self::Local(path) => tokio::fs::read(path).await.map_err(|source| unreadable(path, source)),
            Self::Bucket { url, objects, principal } => {
                Ok(objects.get(*principal, &url.bucket, &url.key).await?.into())
            }
        }
    }

    /// As [`Source::read`]; `None` where there is no such object.
    async fn read_if_there(&self) -> Result<Option<Vec<u8>>, InspectError> {
        match self.read().await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(InspectError::Store(PortError::NotFound { .. })) => Ok(None),
            Err(InspectError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> InspectError {
    InspectError::Unreadable { path: path.display().to_string(), source }
}

async fn local_shape(path: &Path) -> Result<Shape, InspectError> {
    let metadata = tokio::fs::metadata(path).await.map_err(|source| unreadable(path, source))?;
    if !metadata.is_dir() {
        return Ok(Shape::Object);
    }
    let mut names = local_names(path, "").await?;
    let segments = SEGMENTS.trim_end_matches('/');
    if names.contains(SEGMENTS) {
        names.extend(local_names(&path.join(segments), SEGMENTS).await?);
    }
    Ok(Shape::Folder(names))
}

/// Names in a folder behind `prefix`; those of folders end in a slash, as prefixes in a bucket do.
async fn local_names(path: &Path, prefix: &str) -> Result<BTreeSet<String>, InspectError> {
    let failed = |source| unreadable(path, source);
    let mut names = BTreeSet::new();
    let mut entries = tokio::fs::read_dir(path).await.map_err(failed)?;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let folder = tokio::fs::metadata(entry.path()).await.is_ok_and(|metadata| metadata.is_dir());
        let slash = if folder { "/" } else { "" };
        names.insert(format!("{prefix}{}{slash}", entry.file_name().to_string_lossy()));
    }
    Ok(names)
}

/// What a listing of all keys that begin with `key` says of it; `None` if it is neither an object nor a folder.
fn listed_shape(key: &str, listed: impl Iterator<Item = String>) -> Option<Shape> {
    let mut names = BTreeSet::new();
    for found in listed {
        match found.strip_prefix(key) {
            Some("") => return Some(Shape::Object),
            Some(rest) => names.extend(rest.strip_prefix('/').filter(|path| !path.is_empty()).map(first_name)),
            None => {}
        }
    }
    (!names.is_empty()).then_some(Shape::Folder(names))
}

/// A path's first name as [`local_names`] has it; segment files keep their folder's.
fn first_name(path: &str) -> String {
    match path.split_once('/') {
        Some((folder, _)) if !path.starts_with(SEGMENTS) => format!("{folder}/"),
        _ => path.to_owned(),
    }
}

/// What is inspected, as whose.
struct Place<'a> {
    kind: Kind,
    source: &'a Source,
    object: String,
}

impl Place<'_> {
    /// How errors name a part of this folder.
    fn part(&self, name: &str) -> String {
        self.source.part(name).object()
    }

    /// The part `name` of this folder, or itself; never empty.
    async fn read(&self, name: &str) -> Result<Vec<u8>, InspectError> {
        let part = self.source.part(name);
        let bytes = part.read().await?;
        if bytes.is_empty() {
            return Err(InspectError::Empty { object: part.object(), expected: self.kind.expected() });
        }
        Ok(bytes)
    }

    fn other(&self, found: String) -> InspectError {
        InspectError::WrongKind { object: self.object.clone(), expected: self.kind.expected(), found }
    }

    fn other_object(&self, bytes: &[u8]) -> InspectError {
        self.other(Looks::of(bytes).describe(bytes))
    }

    fn other_folder(&self, names: &BTreeSet<String>) -> InspectError {
        if names.is_empty() {
            return InspectError::Empty { object: self.object.clone(), expected: self.kind.expected() };
        }
        self.other(match folder_of(names) {
            Some(Kind::Tempo) => "the folder of a Tempo block".to_owned(),
            Some(Kind::Mimir) => "the folder of a Mimir block".to_owned(),
            _ => format!("a folder with {}", told(names.iter().map(String::as_str))),
        })
    }

    fn missing<'n>(&self, missing: impl Iterator<Item = &'n str>, names: &BTreeSet<String>) -> InspectError {
        InspectError::Missing {
            block: self.object.clone(),
            missing: told(missing),
            present: told(names.iter().map(String::as_str)),
        }
    }

    fn summary(&self, records: u64, of: &'static str) -> InspectSummary {
        InspectSummary { object: self.object.clone(), records, of, notes: Vec::new() }
    }
}

/// Names for an error, not too many.
fn told<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len().saturating_sub(NAMES_TOLD);
    names.truncate(NAMES_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// Whose block a folder holds, as far as names tell: both have `meta.json` and `index`.
fn folder_of(names: &BTreeSet<String>) -> Option<Kind> {
    if names.iter().any(|name| name == SPANS || name == COMPACTED_META || name.starts_with("bloom-")) {
        Some(Kind::Tempo)
    } else {
        names.iter().any(|name| name.starts_with(SEGMENTS)).then_some(Kind::Mimir)
    }
}

/// What bytes look like by their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    LokiChunk,
    Gzip,
    TsdbIndex,
    Segment,
    Parquet,
    TempoMeta,
    MimirMeta,
    Text,
    Unknown,
}

impl Looks {
    fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"PAR1") {
            Self::Parquet
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if bytes.starts_with(&[0xba, 0xaa, 0xd7, 0x00]) {
            Self::TsdbIndex
        } else if bytes.starts_with(&[0x85, 0xbd, 0x40, 0xdd]) {
            Self::Segment
        } else if bytes.get(4..).is_some_and(|header| header.starts_with(b"\xff\x06\x00\x00sNaPpY")) {
            Self::LokiChunk
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            let meta: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
            let has = |field: &str| meta.as_ref().is_some_and(|meta| meta.get(field).is_some());
            match (has("blockID"), has("ulid")) {
                (true, _) => Self::TempoMeta,
                (_, true) => Self::MimirMeta,
                _ => Self::Text,
            }
        } else if bytes.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            Self::Text
        } else {
            Self::Unknown
        }
    }

    fn describe(self, bytes: &[u8]) -> String {
        match self {
            Self::LokiChunk => "a Loki chunk".to_owned(),
            Self::Gzip => "something compressed with gzip, as Loki's indexes are".to_owned(),
            Self::TsdbIndex => "a TSDB index, Loki's or that of a Mimir block".to_owned(),
            Self::Segment => "a segment file out of chunks/ of a Mimir block".to_owned(),
            Self::Parquet => "Parquet, as data.parquet of a Tempo block is".to_owned(),
            Self::TempoMeta => "meta.json of a Tempo block".to_owned(),
            Self::MimirMeta => "meta.json of a Mimir block".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Unknown => {
                let start: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                format!("nothing that Loki, Tempo or Mimir stores: it begins with {start}")
            }
        }
    }
}

fn write_line(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

fn write_lines<R: Serialize>(out: &mut impl Write, records: impl IntoIterator<Item = R>) -> Result<u64, InspectError> {
    let mut count = 0;
    for record in records {
        write_line(out, &record).map_err(InspectError::Output)?;
        count += 1;
    }
    Ok(count)
}

async fn loki(place: &Place<'_>, out: &mut impl Write) -> Result<InspectSummary, InspectError> {
    let bytes = place.read("").await?;
    match Looks::of(&bytes) {
        Looks::Gzip | Looks::TsdbIndex => {
            let index = loki_index::read(&place.object, &bytes)?;
            let lines = index.series.iter().flat_map(|series| {
                series.chunks.iter().map(|chunk| ListedChunk {
                    labels: &series.labels,
                    fingerprint: format!("{:x}", series.fingerprint),
                    from_ms: chunk.from_ms,
                    through_ms: chunk.through_ms,
                    checksum: format!("{:x}", chunk.checksum),
                    kib: chunk.kib,
                    entries: chunk.entries,
                })
            });
            Ok(place.summary(write_lines(out, lines)?, "chunks listed"))
        }
        Looks::LokiChunk | Looks::Unknown => {
            let chunk = loki_chunk::read(&place.object, &bytes)?;
            Ok(place.summary(write_lines(out, chunk.entries)?, "entries"))
        }
        Looks::Segment | Looks::Parquet | Looks::TempoMeta | Looks::MimirMeta | Looks::Text => {
            Err(place.other_object(&bytes))
        }
    }
}

/// A chunk as an index lists it, with its stream.
#[derive(Serialize)]
struct ListedChunk<'a> {
    labels: &'a Labels,
    fingerprint: String,
    from_ms: i64,
    through_ms: i64,
    checksum: String,
    kib: u32,
    entries: u32,
}

/// A block whose folder was given.
async fn tempo_block(
    place: &Place<'_>,
    names: &BTreeSet<String>,
    out: &mut impl Write,
) -> Result<InspectSummary, InspectError> {
    let meta = [META, COMPACTED_META].into_iter().find(|name| names.contains(*name));
    if folder_of(names) == Some(Kind::Mimir) || (folder_of(names).is_none() && meta.is_none()) {
        return Err(place.other_folder(names));
    }
    let described = match meta {
        None => None,
        Some(name) => {
            let bytes = place.read(name).await?;
            if Looks::of(&bytes) == Looks::MimirMeta {
                return Err(place.other(format!("a folder with {}", Looks::MimirMeta.describe(&bytes))));
            }
            Some(tempo_block::read_meta(&place.part(name), &bytes)?)
        }
    };
    let data = names.contains(SPANS);
    let Some(described) = described.filter(|_| data) else {
        let missing = [(META, meta.is_none()), (SPANS, !data)];
        return Err(place.missing(missing.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name), names));
    };
    let bytes = place.read(SPANS).await?;
    spans(place, &place.part(SPANS), bytes, Some(&described), out)
}

/// A `data.parquet` that was given without its folder.
async fn tempo_data(place: &Place<'_>, out: &mut impl Write) -> Result<InspectSummary, InspectError> {
    let bytes = place.read("").await?;
    if !matches!(Looks::of(&bytes), Looks::Parquet | Looks::Unknown) {
        return Err(place.other_object(&bytes));
    }
    let mut described = None;
    if place.source.file_name() == SPANS {
        for beside in [META, COMPACTED_META].into_iter().filter_map(|name| place.source.sibling(name)) {
            if let Some(meta) = beside.read_if_there().await?.filter(|meta| Looks::of(meta) == Looks::TempoMeta) {
                described = Some(tempo_block::read_meta(&beside.object(), &meta)?);
                break;
            }
        }
    }
    spans(place, &place.object, bytes, described.as_ref(), out)
}

fn spans(
    place: &Place<'_>,
    object: &str,
    bytes: Vec<u8>,
    meta: Option<&tempo_block::BlockMeta>,
    out: &mut impl Write,
) -> Result<InspectSummary, InspectError> {
    let block = tempo_block::read_spans(object, bytes.into(), meta)?;
    let mut summary = place.summary(write_lines(out, &block.spans)?, "spans");
    match meta {
        None => summary
            .notes
            .push(format!("read without {META}: attributes with a column of their own stand under that column's name")),
        Some(meta) if !block.tested => summary.notes.push(format!("the schema {} was never tried", meta.format)),
        Some(_) => {}
    }
    Ok(summary)
}

async fn mimir_block(
    place: &Place<'_>,
    names: &BTreeSet<String>,
    out: &mut impl Write,
) -> Result<InspectSummary, InspectError> {
    let known = [META, INDEX].iter().any(|name| names.contains(*name));
    match folder_of(names) {
        Some(Kind::Tempo) => return Err(place.other_folder(names)),
        None if !known => return Err(place.other_folder(names)),
        _ => {}
    }
    let meta = if names.contains(META) {
        let bytes = place.read(META).await?;
        if Looks::of(&bytes) == Looks::TempoMeta {
            return Err(place.other(format!("a folder with {}", Looks::TempoMeta.describe(&bytes))));
        }
        Some(tsdb_block::read_meta(&place.part(META), &bytes)?)
    } else {
        None
    };
    let mut wanted = BTreeSet::from([META.to_owned(), INDEX.to_owned()]);
    match meta.as_ref().and_then(|meta| meta.thanos.as_ref()).filter(|origin| !origin.segment_files.is_empty()) {
        Some(origin) => wanted.extend(origin.segment_files.iter().map(|name| format!("{SEGMENTS}{name}"))),
        None if names.iter().any(|name| is_segment(name)) => {}
        None => wanted.extend([format!("{SEGMENTS}000001")]),
    }
    let Some(meta) = meta.filter(|_| wanted.is_subset(names)) else {
        return Err(place.missing(wanted.difference(names).map(String::as_str), names));
    };

    let index = place.read(INDEX).await?;
    let mut segments = Vec::new();
    for name in names.iter().filter(|name| is_segment(name)) {
        segments.push((place.part(name), place.read(name).await?));
    }
    let segments: Vec<(String, &[u8])> =
        segments.iter().map(|(object, bytes)| (object.clone(), bytes.as_slice())).collect();

    let mut written = Ok(());
    // One record for all: a copy of the labels for every sample would cost more than the sample.
    let mut record = Sample { labels: Labels::new(), timestamp_ms: 0, value: SampleValue::float(0.0) };
    let stats = tsdb_block::for_each_sample(
        (&place.part(INDEX), &index),
        &segments,
        |_| true,
        |labels, timestamp_ms, value| {
            if written.is_ok() {
                if record.labels != *labels {
                    record.labels.clone_from(labels);
                }
                record.timestamp_ms = timestamp_ms;
                record.value = value.to_sample_value();
                written = write_line(out, &record);
            }
        },
    )?;
    written.map_err(InspectError::Output)?;

    // A writer that did not count says zero.
    let counts = |stats: &tsdb_block::BlockStats| (stats.num_samples, stats.num_series, stats.num_chunks);
    if meta.stats.num_samples > 0 && counts(&meta.stats) != counts(&stats) {
        let tell = |(samples, series, chunks)| format!("{samples} samples of {series} series in {chunks} chunks");
        let expected = format!("{}, as index and chunks have", tell(counts(&stats)));
        return Err(FormatError::new(&place.part(META), 0, expected, tell(counts(&meta.stats))).into());
    }
    Ok(place.summary(stats.num_samples, "samples"))
}

/// Whether `name` is that of a segment file in a block's folder.
fn is_segment(name: &str) -> bool {
    name.strip_prefix(SEGMENTS)
        .is_some_and(|number| number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use harness_core::signal::{LogEntry, Span};
    use serde_json::Value;

    use super::*;

    const BLOCK: &str = "mimir/fixture/01M84VF373WYPH86MNND02D2HG";

    fn fixture(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../harness/core/tests/fixtures").join(path)
    }

    async fn run(kind: Kind, path: &Path) -> Result<(InspectSummary, Vec<String>), InspectError> {
        let mut out = Vec::new();
        let summary = inspect(kind, &Source::Local(path.to_owned()), &mut out).await?;
        let text = String::from_utf8(out).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        Ok((summary, text.lines().map(str::to_owned).collect()))
    }

    async fn refused(kind: Kind, path: &Path) -> String {
        run(kind, path).await.unwrap_err().to_string()
    }

    fn json(lines: &[String]) -> Vec<Value> {
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn beside(path: &str) -> Vec<Value> {
        let lines: Vec<String> = fs::read_to_string(fixture(path)).unwrap().lines().map(str::to_owned).collect();
        json(&lines)
    }

    /// A copy of the block at `path`, to be damaged.
    fn copy(path: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [META, INDEX, SPANS, "chunks/000001"] {
            let to = folder.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if fixture(path).join(name).exists() {
                fs::copy(fixture(path).join(name), to).unwrap();
            }
        }
        if fs::read_dir(folder.path().join("chunks")).unwrap().next().is_none() {
            fs::remove_dir(folder.path().join("chunks")).unwrap();
        }
        folder
    }

    #[tokio::test]
    async fn chunks_print_what_was_pushed() {
        for name in [
            "none",
            "gzip",
            "lz4-64k",
            "lz4",
            "snappy",
            "flate",
            "zstd",
            "format-1-gzip",
            "format-2-snappy",
            "format-3-snappy",
            "first-line-empty",
        ] {
            let (summary, lines) = run(Kind::Loki, &fixture(&format!("loki/{name}.chunk"))).await.unwrap();
            let expected = beside(&format!("loki/{name}.ndjson"));
            assert_eq!(json(&lines), expected, "{name}");
            assert_eq!((summary.records, summary.of), (expected.len() as u64, "entries"), "{name}");
            for line in &lines {
                let entry: LogEntry = serde_json::from_str(line).unwrap();
                assert_eq!(&serde_json::to_string(&entry).unwrap(), line, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn an_index_prints_the_chunks_that_the_bucket_has() {
        for name in ["uploaded", "compacted", "uploaded-many", "compacted-many", "format-2-uploaded"] {
            let (summary, lines) = run(Kind::Loki, &fixture(&format!("loki/{name}.tsdb.gz"))).await.unwrap();
            let keys = fs::read_to_string(fixture(&format!("loki/{name}.keys"))).unwrap();
            let mut expected: Vec<&str> = keys.lines().map(|key| key.split_once('/').unwrap().1).collect();
            let mut found: Vec<String> = json(&lines)
                .iter()
                .map(|line| {
                    let text = |field: &str| line[field].as_str().unwrap();
                    let time = |field: &str| line[field].as_i64().unwrap();
                    let (from, through) = (time("from_ms"), time("through_ms"));
                    format!("{}/{from:x}:{through:x}:{}", text("fingerprint"), text("checksum"))
                })
                .collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "{name}");
            assert_eq!((summary.records, summary.of), (expected.len() as u64, "chunks listed"));
        }
        let (_, lines) = run(Kind::Loki, &fixture("loki/uploaded.tsdb.gz")).await.unwrap();
        let fields: BTreeMap<String, Value> = serde_json::from_str(&lines[0]).unwrap();
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["checksum", "entries", "fingerprint", "from_ms", "kib", "labels", "through_ms"]);
        assert_eq!(fields["labels"]["app"], "fixture");
        assert_eq!(fields["entries"], beside("loki/snappy.ndjson").len());
    }

    #[tokio::test]
    async fn blocks_of_tempo_print_what_was_sent() {
        let key = |span: &Value| {
            let text = |field: &str| span[field].as_str().unwrap().to_owned();
            (text("trace_id"), text("start_ns").parse::<i64>().unwrap(), text("span_id"))
        };
        for name in ["vparquet3", "vparquet4", "vparquet4-dedicated", "vparquet4-compacted"] {
            let mut expected = beside(&format!("tempo/{name}/spans.ndjson"));
            expected.sort_by_key(key);
            let folder = fixture(&format!("tempo/{name}"));
            for path in [folder.clone(), folder.join(SPANS)] {
                let (summary, lines) = run(Kind::Tempo, &path).await.unwrap();
                assert_eq!(json(&lines), expected, "{name}");
                assert_eq!((summary.records, summary.notes), (expected.len() as u64, vec![]), "{name}");
                for line in &lines {
                    let span: Span = serde_json::from_str(line).unwrap();
                    assert_eq!(&serde_json::to_string(&span).unwrap(), line, "{name}");
                }
            }
        }
    }

    #[tokio::test]
    async fn spans_without_a_meta_come_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let alone = folder.path().join(SPANS);
        fs::copy(fixture("tempo/vparquet4/data.parquet"), &alone).unwrap();
        let with_meta = run(Kind::Tempo, &fixture("tempo/vparquet4")).await.unwrap();
        let (summary, lines) = run(Kind::Tempo, &alone).await.unwrap();
        assert_eq!(lines, with_meta.1);
        assert!(summary.to_string().contains("spans; read without meta.json"), "{summary}");
        // A description of something else beside it is none of it.
        fs::write(folder.path().join(META), "{\"name\":\"else\"}").unwrap();
        assert_eq!(run(Kind::Tempo, &alone).await.unwrap().1, lines);
    }

    #[tokio::test]
    async fn a_compacted_blocks_description_serves() {
        let folder = copy("tempo/vparquet4");
        fs::rename(folder.path().join(META), folder.path().join(COMPACTED_META)).unwrap();
        let expected = run(Kind::Tempo, &fixture("tempo/vparquet4")).await.unwrap().1;
        for path in [folder.path(), &folder.path().join(SPANS)] {
            let (summary, lines) = run(Kind::Tempo, path).await.unwrap();
            assert_eq!((lines, summary.notes), (expected.clone(), vec![]));
        }
    }

    #[tokio::test]
    async fn blocks_of_mimir_print_what_their_reader_reads() {
        for (ulid, samples) in [
            ("01M84VF373WYPH86MNND02D2HG", 1961),
            ("01M84VF38TF06TNKKM67KM471X", 215),
            ("01M84VF6RCE6Z0E1VSJS0M4STZ", 1961 + 215),
        ] {
            let folder = fixture(&format!("mimir/fixture/{ulid}"));
            let (summary, lines) = run(Kind::Mimir, &folder).await.unwrap();
            assert_eq!((summary.records, summary.of), (samples, "samples"));
            let (index, segment) =
                (fs::read(folder.join(INDEX)).unwrap(), fs::read(folder.join("chunks/000001")).unwrap());
            let segments = [("chunks/000001".to_owned(), segment.as_slice())];
            let expected = tsdb_block::read_samples((INDEX, &index), &segments, |_| true).unwrap();
            let expected: Vec<String> = expected.iter().map(|sample| serde_json::to_string(sample).unwrap()).collect();
            assert_eq!(lines, expected);
        }
    }

    #[tokio::test]
    async fn a_truncated_object_is_refused_and_says_where() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, name, at_least) in [
            (Kind::Loki, "loki/snappy.chunk", 1),
            (Kind::Loki, "loki/uploaded.tsdb.gz", 1),
            (Kind::Tempo, "tempo/vparquet4/data.parquet", 1),
        ] {
            let whole = fs::read(fixture(name)).unwrap();
            for length in [at_least, 20, whole.len() / 2, whole.len() - 1] {
                let path = folder.path().join("object");
                fs::write(&path, &whole[..length]).unwrap();
                let error = run(kind, &path).await.unwrap_err();
                assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
                assert!(matches!(error, InspectError::Format(_) | InspectError::WrongKind { .. }), "{error}");
            }
        }
        let block = copy(BLOCK);
        let segment = block.path().join("chunks/000001");
        let whole = fs::read(&segment).unwrap();
        fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
        let error = refused(Kind::Mimir, block.path()).await;
        assert!(error.starts_with(&format!("{}: at byte ", segment.display())), "{error}");
    }

    #[tokio::test]
    async fn a_key_that_is_another_chunks_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let keys: BTreeMap<String, String> =
            serde_json::from_slice(&fs::read(fixture("loki/keys.json")).unwrap()).unwrap();
        let place = |name: &str| folder.path().join(&keys[name]);
        for (from, to, right) in [("zstd.chunk", "zstd.chunk", true), ("zstd.chunk", "flate.chunk", false)] {
            fs::create_dir_all(place(to).parent().unwrap()).unwrap();
            fs::copy(fixture("loki").join(from), place(to)).unwrap();
            assert_eq!(run(Kind::Loki, &place(to)).await.is_ok(), right, "{from} as {to}");
        }
    }

    #[tokio::test]
    async fn another_kind_is_called_by_its_name() {
        let block = fixture(BLOCK);
        let tempo = fixture("tempo/vparquet4");
        let chunk = fixture("loki/snappy.chunk");
        for (kind, path, expected) in [
            (Kind::Mimir, tempo.clone(), "found the folder of a Tempo block"),
            (Kind::Tempo, block.clone(), "found the folder of a Mimir block"),
            (Kind::Loki, tempo.clone(), "found the folder of a Tempo block"),
            (Kind::Loki, block.clone(), "found the folder of a Mimir block"),
            (
                Kind::Loki,
                fixture("tempo"),
                "found a folder with README.md, vparquet3/, vparquet4-compacted/, vparquet4-dedicated/, vparquet4/",
            ),
            (Kind::Tempo, fixture("tempo"), "found a folder with README.md, vparquet3/"),
            (Kind::Mimir, fixture("mimir"), "found a folder with README.md, fixture/, in-order.ndjson.gz"),
            (Kind::Mimir, chunk.clone(), "found a Loki chunk"),
            (Kind::Tempo, chunk, "found a Loki chunk"),
            (Kind::Loki, tempo.join(SPANS), "found Parquet, as data.parquet of a Tempo block is"),
            (Kind::Mimir, tempo.join(SPANS), "found Parquet"),
            (Kind::Tempo, tempo.join(META), "found meta.json of a Tempo block"),
            (Kind::Loki, block.join("chunks/000001"), "found a segment file out of chunks/ of a Mimir block"),
            (Kind::Tempo, block.join(INDEX), "found a TSDB index"),
            (Kind::Mimir, block.join(INDEX), "found a TSDB index"),
            (Kind::Mimir, block.join(META), "found meta.json of a Mimir block"),
            (Kind::Tempo, fixture("loki/uploaded.tsdb.gz"), "found something compressed with gzip"),
            (Kind::Loki, fixture("loki/README.md"), "found text"),
            (Kind::Tempo, fixture("loki/keys.json"), "found text"),
        ] {
            let error = refused(kind, &path).await;
            let begin = format!("{}: expected {}, {expected}", path.display(), kind.expected());
            assert!(error.starts_with(&begin), "{error}");
        }
    }

    #[tokio::test]
    async fn a_meta_of_the_other_kind_is_called_by_its_name() {
        for (kind, meta, found) in [
            (Kind::Tempo, fixture(BLOCK).join(META), "found a folder with meta.json of a Mimir block"),
            (Kind::Mimir, fixture("tempo/vparquet4/meta.json"), "found a folder with meta.json of a Tempo block"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::copy(meta, folder.path().join(META)).unwrap();
            let error = refused(kind, folder.path()).await;
            assert!(error.ends_with(found), "{error}");
        }
    }

    #[tokio::test]
    async fn missing_parts_are_named() {
        for (kind, block, remove, missing) in [
            (Kind::Mimir, BLOCK, vec![INDEX], "index"),
            (Kind::Mimir, BLOCK, vec![META], "meta.json"),
            (Kind::Mimir, BLOCK, vec!["chunks/000001"], "chunks/000001"),
            (Kind::Mimir, BLOCK, vec![INDEX, "chunks/000001"], "chunks/000001, index"),
            (Kind::Tempo, "tempo/vparquet4", vec![SPANS], "data.parquet"),
            (Kind::Tempo, "tempo/vparquet4", vec![META], "meta.json"),
        ] {
            let folder = copy(block);
            for name in remove {
                fs::remove_file(folder.path().join(name)).unwrap();
            }
            let error = refused(kind, folder.path()).await;
            let begin = format!("{}: incomplete, {missing} missing; there is ", folder.path().display());
            assert!(error.starts_with(&begin), "{error}");
        }
    }

    #[tokio::test]
    async fn what_is_empty_or_not_there_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("object");
        for kind in Kind::ALL {
            let error = refused(kind, folder.path()).await;
            assert!(error.ends_with("found nothing: it is empty"), "{error}");
        }
        fs::write(&file, "").unwrap();
        for kind in Kind::ALL {
            let error = refused(kind, &file).await;
            assert_eq!(error, format!("{}: expected {}, found nothing: it is empty", file.display(), kind.expected()));
        }
        let error = refused(Kind::Loki, &folder.path().join("none")).await;
        assert_eq!(error, format!("{} cannot be read", folder.path().join("none").display()));
        let block = copy(BLOCK);
        fs::write(block.path().join(INDEX), "").unwrap();
        let error = refused(Kind::Mimir, block.path()).await;
        assert!(error.starts_with(&format!("{}: expected ", block.path().join(INDEX).display())), "{error}");
    }

    #[tokio::test]
    async fn a_description_that_counts_otherwise_is_refused() {
        let block = copy(BLOCK);
        let path = block.path().join(META);
        let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        meta["stats"]["numSamples"] = Value::from(1960);
        fs::write(&path, meta.to_string()).unwrap();
        let error = refused(Kind::Mimir, block.path()).await;
        assert!(error.contains("expected 1961 samples of ") && error.contains("found 1960 samples of "), "{error}");
        meta["stats"] = Value::Null;
        meta.as_object_mut().unwrap().remove("stats");
        fs::write(&path, meta.to_string()).unwrap();
        assert!(run(Kind::Mimir, block.path()).await.is_ok());
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_no_success() {
        for (kind, path) in [(Kind::Loki, "loki/snappy.chunk"), (Kind::Tempo, "tempo/vparquet4"), (Kind::Mimir, BLOCK)]
        {
            let error = inspect(kind, &Source::Local(fixture(path)), &mut Full).await.unwrap_err();
            assert!(matches!(error, InspectError::Output(_)), "{error}");
        }
    }

    #[test]
    fn places_in_a_bucket_are_urls() {
        for (text, expected) in [
            ("s3://bucket/key", Some(("bucket", "key"))),
            ("s3://bucket/fake/1/2:3:4", Some(("bucket", "fake/1/2:3:4"))),
            ("s3://bucket/tenant/block/", Some(("bucket", "tenant/block"))),
            ("s3://bucket/", None),
            ("s3://bucket", None),
            ("s3:///key", None),
            ("http://bucket/key", None),
            ("bucket/key", None),
        ] {
            let found = text.parse::<BucketUrl>().ok();
            let found = found.as_ref().map(|url| (url.bucket.as_str(), url.key.as_str()));
            assert_eq!(found, expected, "{text}");
            assert_eq!(BucketUrl::is_meant(text), text.starts_with("s3:"), "{text}");
        }
        let error = "s3://bucket".parse::<BucketUrl>().unwrap_err().to_string();
        assert_eq!(error, "expected s3://bucket/key, found \"s3://bucket\"");
    }

    #[test]
    fn a_listing_tells_an_object_from_a_folder() {
        let folder = |names: &[&str]| Some(Shape::Folder(names.iter().map(|name| (*name).to_owned()).collect()));
        for (key, listed, expected) in [
            ("a/b", vec!["a/b"], Some(Shape::Object)),
            ("a/b", vec!["a/b", "a/b/c", "a/bc"], Some(Shape::Object)),
            ("a/b", vec!["a/b/index", "a/b/chunks/000001", "a/bc/d"], folder(&["chunks/000001", "index"])),
            ("a", vec!["a/b/index", "a/b/meta.json", "a/c/chunks/000001", "a/d"], folder(&["b/", "c/", "d"])),
            ("a/b", vec!["a/bc", "a/bc/d"], None),
            ("a/b", vec!["a/b/"], None),
            ("a/b", vec![], None),
        ] {
            assert_eq!(listed_shape(key, listed.iter().map(|key| (*key).to_owned())), expected, "{listed:?}");
        }
    }

    #[test]
    fn not_every_name_is_told() {
        let names: Vec<String> = (0..10).map(|name| name.to_string()).collect();
        assert_eq!(told(names.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(told(names.iter().take(2).map(String::as_str)), "0, 1");
    }

    #[test]
    fn kinds_have_names() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "loky".parse::<Kind>().unwrap_err();
        assert_eq!(error, "unknown kind \"loky\": expected one of loki, tempo, mimir");
    }
}
