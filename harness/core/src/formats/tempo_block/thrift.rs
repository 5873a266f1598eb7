use std::collections::BTreeMap;

use super::fault::Fault;

/// Structs, lists and maps inside one another; a Parquet footer needs six.
const MAX_DEPTH: usize = 32;

/// The wire type of a field or element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
}

/// A reader of Thrift's compact protocol (Apache Thrift doc/specs/thrift-compact-protocol.md) over part of an object:
/// no allocation exceeds the input, no recursion exceeds a fixed depth.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Thrift<'a> {
    /// A reader of `bytes`, which begin at `base` of the object.
    pub fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, position: 0, base }
    }

    /// Where the reader stands in the object.
    pub fn offset(&self) -> usize {
        self.base + self.position
    }

    /// Bytes read so far.
    pub fn consumed(&self) -> usize {
        self.position
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.bytes.get(self.position).copied();
        let byte = byte.ok_or_else(|| Fault::new(self.offset(), "more Thrift data", "its end"))?;
        self.position += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let start = self.offset();
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::new(start, "a varint of at most ten bytes", "an eleventh"))
    }

    /// A zigzag integer.
    pub fn integer(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Length-prefixed bytes.
    pub fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.offset();
        let length = self.varint()?;
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let bytes = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let bytes = bytes.ok_or_else(|| {
            Fault::new(start, format!("a binary of at most {} bytes", rest.len()), format!("a length of {length}"))
        })?;
        self.position += bytes.len();
        Ok(bytes)
    }

    /// The next field's id and kind, `None` at the struct's end. `last` is the id before, zero at first.
    pub fn field(&mut self, last: &mut i16) -> Result<Option<(i16, Kind)>, Fault> {
        let start = self.offset();
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        let id = match header >> 4 {
            0 => i16::try_from(self.integer()?).ok(),
            delta => last.checked_add(i16::from(delta)),
        };
        let id = id.ok_or_else(|| Fault::new(start, "a field id of 16 bits", "more"))?;
        *last = id;
        Ok(Some((id, kind_of(header & 0x0f, start)?)))
    }

    /// A list's number of elements and their kind.
    pub fn list(&mut self) -> Result<(usize, Kind), Fault> {
        let start = self.offset();
        let header = self.byte()?;
        let length = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        // Every element takes a byte or more, so a longer list is a lie; believing it would loop or allocate for
        // nothing.
        let rest = self.bytes.len() - self.position;
        match usize::try_from(length) {
            Ok(length) if length <= rest => Ok((length, kind_of(header & 0x0f, start)?)),
            _ => Err(Fault::new(start, format!("a list of at most {rest} elements"), length.to_string())),
        }
    }

    /// Passes over a value of a struct's field.
    pub fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        self.skip_within(kind, true, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: Kind, field: bool, depth: usize) -> Result<(), Fault> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Fault::new(self.offset(), format!("Thrift values nested at most {MAX_DEPTH} deep"), "deeper"));
        };
        match kind {
            // A field's truth is in its header; an element has a byte of its own.
            Kind::True | Kind::False if field => {}
            Kind::True | Kind::False | Kind::Byte => {
                self.byte()?;
            }
            Kind::Integer => {
                self.varint()?;
            }
            Kind::Double => {
                for _ in 0..8 {
                    self.byte()?;
                }
            }
            Kind::Binary => {
                self.binary()?;
            }
            Kind::List => {
                let (length, element) = self.list()?;
                for _ in 0..length {
                    self.skip_within(element, false, depth)?;
                }
            }
            Kind::Map => {
                let start = self.offset();
                let length = self.varint()?;
                if length > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (kind_of(kinds >> 4, start)?, kind_of(kinds & 0x0f, start)?);
                    for _ in 0..length {
                        self.skip_within(key, false, depth)?;
                        self.skip_within(value, false, depth)?;
                    }
                }
            }
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_within(kind, true, depth)?;
                }
            }
        }
        Ok(())
    }

    /// The whole numbers and truths of a struct by field id, its other fields passed over.
    pub fn integers(&mut self) -> Result<BTreeMap<i16, i64>, Fault> {
        let mut found = BTreeMap::new();
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            match kind {
                Kind::Integer => {
                    found.insert(id, self.integer()?);
                }
                Kind::True => {
                    found.insert(id, 1);
                }
                Kind::False => {
                    found.insert(id, 0);
                }
                other => self.skip(other)?,
            }
        }
        Ok(found)
    }
}

fn kind_of(code: u8, offset: usize) -> Result<Kind, Fault> {
    Ok(match code {
        1 => Kind::True,
        2 => Kind::False,
        3 => Kind::Byte,
        4..=6 => Kind::Integer,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        other => return Err(Fault::new(offset, "a Thrift type between 1 and 12", other.to_string())),
    })
}
