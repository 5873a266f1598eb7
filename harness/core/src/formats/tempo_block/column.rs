use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use parquet::{
    basic::{Repetition, Type as Physical},
    column::reader::{ColumnReader, get_column_reader},
    data_type::ByteArray,
    errors::ParquetError,
    schema::types::{ColumnDescriptor, ColumnPath, Type},
};

use super::{
    budget::Budget,
    fault::Fault,
    footer::Chunk,
    page::{Pages, Progress},
};

/// One value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(ByteArray),
}

/// Where a column stands in the schema, and how deep.
#[derive(Debug, Clone)]
pub(super) struct ColumnShape {
    /// The names of the path with dots between.
    pub path: String,
    pub physical: Physical,
    /// Optional and repeated groups above and including the column.
    pub max_definition: i16,
    /// Repeated groups above and including the column.
    pub max_repetition: i16,
}

/// A column of a row group, read one row at a time.
pub(super) struct Column {
    path: String,
    max_definition: i16,
    reader: ColumnReader,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    levels: usize,
    level: usize,
    values: std::vec::IntoIter<Value>,
    read: usize,
    progress: Arc<Progress>,
}

impl Column {
    /// Opens the column in `object`; `chunk` says where it is.
    pub fn open(shape: &ColumnShape, chunk: &Chunk, object: Bytes, budget: Arc<Budget>) -> Result<Self, Fault> {
        if chunk.physical != shape.physical {
            let expected = format!("the column {} of the schema's type {}", shape.path, shape.physical);
            return Err(Fault::new(chunk.offset, expected, chunk.physical.to_string()));
        }
        let name = shape.path.rsplit('.').next().unwrap_or_default();
        let primitive = Type::primitive_type_builder(name, shape.physical)
            .with_repetition(Repetition::REQUIRED)
            .build()
            .map_err(|error| Fault::new(chunk.offset, format!("the column {}", shape.path), error.to_string()))?;
        let path = ColumnPath::new(shape.path.split('.').map(str::to_owned).collect());
        let descriptor = ColumnDescriptor::new(primitive.into(), shape.max_definition, shape.max_repetition, path);
        let progress = Arc::new(Progress::new(chunk));
        let pages = Pages::new(object, chunk, budget, Arc::clone(&progress));
        Ok(Self {
            path: shape.path.clone(),
            max_definition: shape.max_definition,
            reader: get_column_reader(Arc::new(descriptor), Box::new(pages)),
            definitions: Vec::new(),
            repetitions: Vec::new(),
            levels: 0,
            level: 0,
            values: Vec::new().into_iter(),
            read: 0,
            progress,
        })
    }

    /// An error at the page that was read last.
    pub fn fault(&self, expected: impl std::fmt::Display, found: impl Into<String>) -> Fault {
        Fault::new(self.progress.offset.load(Ordering::Relaxed), format!("in column {}: {expected}", self.path), found)
    }

    fn parquet_fault(&self, error: ParquetError) -> Fault {
        match error {
            ParquetError::External(inner) => match inner.downcast::<Fault>() {
                Ok(fault) => Fault { expected: format!("in column {}: {}", self.path, fault.expected), ..*fault },
                Err(other) => self.fault("a readable page", other.to_string()),
            },
            other => self.fault("a readable page", other.to_string()),
        }
    }

    /// Passes over rows.
    pub fn skip(&mut self, rows: usize) -> Result<(), Fault> {
        let skipped = match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::Int32ColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::Int64ColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::Int96ColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::FloatColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::DoubleColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::ByteArrayColumnReader(reader) => reader.skip_records(rows),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => reader.skip_records(rows),
        };
        let skipped = skipped.map_err(|error| self.parquet_fault(error))?;
        if skipped == rows { Ok(()) } else { Err(self.fault(format!("{rows} more rows"), skipped.to_string())) }
    }

    /// Reads the next row.
    pub fn advance(&mut self) -> Result<(), Fault> {
        self.definitions.clear();
        self.repetitions.clear();
        let (definitions, repetitions) = (Some(&mut self.definitions), Some(&mut self.repetitions));
        let mut values = Vec::new();
        let read = match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                let mut read = Vec::new();
                let counts = reader.read_records(1, definitions, repetitions, &mut read);
                values.extend(read.into_iter().map(Value::Bool));
                counts
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let mut read = Vec::new();
                let counts = reader.read_records(1, definitions, repetitions, &mut read);
                values.extend(read.into_iter().map(|value| Value::Int(i64::from(value))));
                counts
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let mut read = Vec::new();
                let counts = reader.read_records(1, definitions, repetitions, &mut read);
                values.extend(read.into_iter().map(Value::Int));
                counts
            }
            ColumnReader::DoubleColumnReader(reader) => {
                let mut read = Vec::new();
                let counts = reader.read_records(1, definitions, repetitions, &mut read);
                values.extend(read.into_iter().map(Value::Double));
                counts
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let mut read = Vec::new();
                let counts = reader.read_records(1, definitions, repetitions, &mut read);
                values.extend(read.into_iter().map(Value::Bytes));
                counts
            }
            ColumnReader::Int96ColumnReader(_)
            | ColumnReader::FloatColumnReader(_)
            | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                return Err(self.fault("a bool, int32, int64, double or byte array", "another type"));
            }
        };
        let (rows, _, levels) = read.map_err(|error| self.parquet_fault(error))?;
        if rows != 1 {
            return Err(self.fault("another row", "the column's end"));
        }
        (self.levels, self.level) = (levels, 0);
        self.read += values.len();
        self.values = values.into_iter();
        Ok(())
    }

    /// The definition level of the next entry of the row.
    pub fn definition(&self) -> Option<i16> {
        match self.max_definition {
            0 => (self.level < self.levels).then_some(0),
            _ => self.definitions.get(self.level).copied(),
        }
    }

    /// The repetition level of the next entry of the row.
    pub fn repetition(&self) -> Option<i16> {
        // Of a column that never repeats the crate gives no levels: they are all zero.
        (self.level < self.levels).then(|| self.repetitions.get(self.level).copied().unwrap_or(0))
    }

    /// Takes the next entry, which must have these levels; a value if it has one.
    pub fn take(&mut self, repetition: i16, definition: i16) -> Result<Option<Value>, Fault> {
        let found = (self.repetition(), self.definition());
        if found != (Some(repetition), Some(definition)) {
            let expected = format!("repetition level {repetition} and definition level {definition}");
            let found = match found {
                (Some(repetition), Some(definition)) => format!("{repetition} and {definition}"),
                _ => "the row's end".to_owned(),
            };
            return Err(self.fault(expected, found));
        }
        self.level += 1;
        if definition < self.max_definition {
            return Ok(None);
        }
        match self.values.next() {
            Some(value) => Ok(Some(value)),
            None => Err(self.fault("a value", "none")),
        }
    }

    /// Makes sure that the row is used up.
    pub fn finish_row(&self) -> Result<(), Fault> {
        if self.level == self.levels && self.values.len() == 0 {
            Ok(())
        } else {
            let entries = self.levels - self.level;
            Err(self.fault("the row's end", format!("{entries} more entries")))
        }
    }

    /// Makes sure that the column is used up, of which every row was read: a column that the schema makes out to be
    /// optional, and is not, seems to have no values otherwise.
    pub fn finish(&self) -> Result<(), Fault> {
        let (values, left) = (self.progress.values.load(Ordering::Relaxed), self.progress.left.load(Ordering::Relaxed));
        if self.read == values && left == 0 {
            Ok(())
        } else {
            let found = format!("{} values, and {left} in pages after the last row", self.read);
            Err(self.fault(format!("the column's {values} values in its rows"), found))
        }
    }
}
