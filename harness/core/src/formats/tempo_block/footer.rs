use std::collections::BTreeMap;

use parquet::basic::{Repetition, Type as Physical};

use super::{
    fault::{Fault, size},
    thrift::{Kind, Thrift},
};

/// First and last bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";
/// The footer's length, then the magic.
const TAIL: usize = 8;
/// Groups inside one another; Tempo's deepest column needs about twenty.
const MAX_SCHEMA_DEPTH: usize = 64;

/// What a Parquet file's footer says (Apache Parquet parquet.thrift, `FileMetaData`), as far as reading columns needs
/// it.
///
/// Read here and not by the `parquet` crate, because its reader follows the schema's nesting and child counts without
/// bound.
#[derive(Debug)]
pub(super) struct Footer {
    /// The columns as a tree; the root has no name.
    pub schema: SchemaNode,
    /// The parts of the file, each with all columns of some rows.
    pub row_groups: Vec<RowGroup>,
    /// Where the footer begins: no page lies beyond.
    pub offset: usize,
}

/// A column or a group of columns.
#[derive(Debug)]
pub(super) struct SchemaNode {
    pub name: String,
    pub repetition: Repetition,
    /// The type of a column's values; `None` for a group.
    pub physical: Option<Physical>,
    pub children: Vec<SchemaNode>,
}

/// Some rows of the file.
#[derive(Debug)]
pub(super) struct RowGroup {
    pub rows: usize,
    /// Where each column's pages are, by the names of the path with dots between.
    pub chunks: BTreeMap<String, Chunk>,
}

/// The pages of one column of a row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Where the first page begins.
    pub offset: usize,
    /// Bytes of all pages.
    pub length: usize,
    /// Values and absent values of all pages.
    pub values: usize,
    /// Parquet's number of the codec.
    pub codec: i64,
    pub physical: Physical,
}

impl Footer {
    /// Reads the footer of a whole object.
    pub fn read(object: &[u8]) -> Result<Self, Fault> {
        let magic = |bytes: Option<&[u8]>, offset: usize| match bytes {
            Some(bytes) if bytes == MAGIC => Ok(()),
            other => Err(Fault::new(offset, "Parquet's magic PAR1", format!("{:?}", other.unwrap_or_default()))),
        };
        magic(object.get(..MAGIC.len()), 0)?;
        let tail = object.len().saturating_sub(TAIL).max(MAGIC.len());
        magic(object.get(tail + 4..), tail + 4)?;
        let length = match object.get(tail..tail + 4) {
            Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
            _ => return Err(Fault::new(tail, "the footer's length", "too short an object")),
        };
        let room = tail - MAGIC.len();
        let offset = match usize::try_from(length) {
            Ok(length) if length <= room => tail - length,
            _ => return Err(Fault::new(tail, format!("a footer of at most {room} bytes"), length.to_string())),
        };
        let mut thrift = Thrift::new(object.get(offset..tail).unwrap_or_default(), offset);
        let (mut schema, mut row_groups) = (None, None);
        let mut last = 0;
        while let Some((id, kind)) = thrift.field(&mut last)? {
            match (id, kind) {
                (2, Kind::List) => schema = Some(read_schema(&mut thrift)?),
                (4, Kind::List) => row_groups = Some(read_list(&mut thrift, |thrift| read_row_group(thrift, offset))?),
                (_, other) => thrift.skip(other)?,
            }
        }
        let absent = |what: &str| Fault::new(offset, format!("a footer with {what}"), "none");
        Ok(Self {
            schema: schema.ok_or_else(|| absent("a schema"))?,
            row_groups: row_groups.ok_or_else(|| absent("row groups"))?,
            offset,
        })
    }
}

/// A list of structs.
fn read_list<'a, T>(
    thrift: &mut Thrift<'a>,
    mut read: impl FnMut(&mut Thrift<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let start = thrift.offset();
    let (length, kind) = thrift.list()?;
    if length > 0 && kind != Kind::Struct {
        return Err(Fault::new(start, "a list of structs", format!("{kind:?}")));
    }
    let mut items = Vec::new();
    for _ in 0..length {
        items.push(read(thrift)?);
    }
    Ok(items)
}

/// One `SchemaElement`: a node and how many of the elements that follow are its children.
fn read_element(thrift: &mut Thrift<'_>) -> Result<(SchemaNode, usize), Fault> {
    let start = thrift.offset();
    let (mut physical, mut repetition, mut name, mut children) = (None, Repetition::REQUIRED, String::new(), 0);
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (1, Kind::Integer) => physical = Some(physical_type(thrift)?),
            (3, Kind::Integer) => {
                let at = thrift.offset();
                repetition = match thrift.integer()? {
                    0 => Repetition::REQUIRED,
                    1 => Repetition::OPTIONAL,
                    2 => Repetition::REPEATED,
                    other => return Err(Fault::new(at, "a repetition between 0 and 2", other.to_string())),
                };
            }
            (4, Kind::Binary) => name = read_name(thrift)?,
            (5, Kind::Integer) => children = size(thrift.integer()?, start, "a number of children")?,
            (_, other) => thrift.skip(other)?,
        }
    }
    // Tempo's structs without fields don't exist, so a node without children is a column.
    if (children == 0) == physical.is_none() {
        return Err(Fault::new(start, "a schema element with either a type or children", format!("{name:?}")));
    }
    Ok((SchemaNode { name, repetition, physical, children: Vec::new() }, children))
}

fn read_name(thrift: &mut Thrift<'_>) -> Result<String, Fault> {
    let start = thrift.offset();
    let bytes = thrift.binary()?;
    match std::str::from_utf8(bytes) {
        Ok(name) => Ok(name.to_owned()),
        Err(error) => Err(Fault::new(start, "a name in UTF-8", error.to_string())),
    }
}

fn physical_type(thrift: &mut Thrift<'_>) -> Result<Physical, Fault> {
    let start = thrift.offset();
    match thrift.integer()? {
        0 => Ok(Physical::BOOLEAN),
        1 => Ok(Physical::INT32),
        2 => Ok(Physical::INT64),
        5 => Ok(Physical::DOUBLE),
        6 => Ok(Physical::BYTE_ARRAY),
        other => Err(Fault::new(start, "one of the types bool, int32, int64, double, byte array", other.to_string())),
    }
}

/// The schema: its elements come depth first, so the tree is closed from a stack of open groups.
fn read_schema(thrift: &mut Thrift<'_>) -> Result<SchemaNode, Fault> {
    let start = thrift.offset();
    let mut open: Vec<(SchemaNode, usize)> = Vec::new();
    let mut root = None;
    for (mut node, children) in read_list(thrift, read_element)? {
        if root.is_some() {
            return Err(Fault::new(start, "a schema that ends with its root's last child", "more elements"));
        }
        if children > 0 {
            if open.len() == MAX_SCHEMA_DEPTH {
                let expected = format!("a schema of at most {MAX_SCHEMA_DEPTH} nested groups");
                return Err(Fault::new(start, expected, "more"));
            }
            open.push((node, children));
            continue;
        }
        loop {
            let Some((parent, missing)) = open.last_mut() else {
                root = Some(node);
                break;
            };
            parent.children.push(node);
            *missing -= 1;
            if *missing > 0 {
                break;
            }
            match open.pop() {
                Some((complete, _)) => node = complete,
                None => break,
            }
        }
    }
    root.ok_or_else(|| Fault::new(start, "a schema with all children of its groups", "fewer"))
}

fn read_row_group(thrift: &mut Thrift<'_>, end: usize) -> Result<RowGroup, Fault> {
    let start = thrift.offset();
    let (mut rows, mut columns) = (None, Vec::new());
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (1, Kind::List) => columns = read_list(thrift, |thrift| read_chunk(thrift, end))?,
            (3, Kind::Integer) => rows = Some(size(thrift.integer()?, start, "a number of rows")?),
            (_, other) => thrift.skip(other)?,
        }
    }
    Ok(RowGroup {
        rows: rows.ok_or_else(|| Fault::new(start, "a row group with its number of rows", "none"))?,
        chunks: columns.into_iter().collect(),
    })
}

/// A `ColumnChunk`, of which only the `ColumnMetaData` matters.
fn read_chunk(thrift: &mut Thrift<'_>, end: usize) -> Result<(String, Chunk), Fault> {
    let start = thrift.offset();
    let mut chunk = None;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (3, Kind::Struct) => chunk = Some(read_chunk_meta(thrift, end)?),
            (_, other) => thrift.skip(other)?,
        }
    }
    chunk.ok_or_else(|| Fault::new(start, "a column chunk with its metadata", "none"))
}

fn read_chunk_meta(thrift: &mut Thrift<'_>, end: usize) -> Result<(String, Chunk), Fault> {
    let start = thrift.offset();
    let mut physical = None;
    let mut path: Vec<String> = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, kind) {
            (1, Kind::Integer) => physical = Some(physical_type(thrift)?),
            (3, Kind::List) => {
                let (length, element) = thrift.list()?;
                if element != Kind::Binary {
                    return Err(Fault::new(start, "a path of names", format!("{element:?}")));
                }
                for _ in 0..length {
                    path.push(read_name(thrift)?);
                }
            }
            (4 | 5 | 7 | 9 | 11, Kind::Integer) => {
                numbers.insert(id, thrift.integer()?);
            }
            (_, other) => thrift.skip(other)?,
        }
    }
    let number = |id: i16, what: &str| {
        numbers.get(&id).copied().ok_or_else(|| Fault::new(start, format!("a column chunk with {what}"), "none"))
    };
    let data = size(number(9, "the offset of its data")?, start, "an offset")?;
    // Writers without dictionary say zero or nothing.
    let dictionary = match numbers.get(&11) {
        Some(&offset) if offset > 0 => Some(size(offset, start, "an offset")?),
        _ => None,
    };
    let offset = dictionary.map_or(data, |dictionary| dictionary.min(data));
    let length = size(number(7, "its compressed size")?, start, "a size")?;
    if offset.checked_add(length).is_none_or(|stop| stop > end) {
        let found = format!("{length} bytes at {offset}");
        return Err(Fault::new(start, format!("a column chunk that ends before the footer at {end}"), found));
    }
    let physical = physical.ok_or_else(|| Fault::new(start, "a column chunk with its type", "none"))?;
    let values = size(number(5, "its number of values")?, start, "a number of values")?;
    let codec = number(4, "its codec")?;
    Ok((path.join("."), Chunk { offset, length, values, codec, physical }))
}
