use std::io::Read;

use serde::Serialize;

use crate::formats::{FormatError, bytes::Cursor};

/// How a chunk's blocks and its table of metadata strings are compressed (Loki pkg/compression/codec.go).
///
/// The number 2 ("dumb") is reserved there and no Loki reads or writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Encoding {
    /// 0: as they are.
    #[serde(rename = "none")]
    None,
    /// 1: gzip; the only one of chunk format 1.
    #[serde(rename = "gzip")]
    Gzip,
    /// 3: an LZ4 frame of blocks of 64 KiB.
    #[serde(rename = "lz4-64k")]
    Lz4Of64Kib,
    /// 4: Snappy's framing format; Loki's default.
    #[serde(rename = "snappy")]
    Snappy,
    /// 5: an LZ4 frame of blocks of 256 KiB.
    #[serde(rename = "lz4-256k")]
    Lz4Of256Kib,
    /// 6: an LZ4 frame of blocks of 1 MiB.
    #[serde(rename = "lz4-1M")]
    Lz4Of1Mib,
    /// 7: an LZ4 frame of blocks of 4 MiB.
    #[serde(rename = "lz4")]
    Lz4Of4Mib,
    /// 8: bare DEFLATE.
    #[serde(rename = "flate")]
    Flate,
    /// 9: Zstandard.
    #[serde(rename = "zstd")]
    Zstd,
}

impl Encoding {
    /// The encoding that a chunk's number means.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Gzip,
            3 => Self::Lz4Of64Kib,
            4 => Self::Snappy,
            5 => Self::Lz4Of256Kib,
            6 => Self::Lz4Of1Mib,
            7 => Self::Lz4Of4Mib,
            8 => Self::Flate,
            9 => Self::Zstd,
            _ => return None,
        })
    }

    /// The name in Loki's setting `ingester.chunk_encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Lz4Of64Kib => "lz4-64k",
            Self::Snappy => "snappy",
            Self::Lz4Of256Kib => "lz4-256k",
            Self::Lz4Of1Mib => "lz4-1M",
            Self::Lz4Of4Mib => "lz4",
            Self::Flate => "flate",
            Self::Zstd => "zstd",
        }
    }
}

/// Compressed bytes with what an error about them needs to say.
#[derive(Clone, Copy)]
pub(super) struct Compressed<'a> {
    /// The object that holds them.
    pub object: &'a str,
    /// Where in it they begin.
    pub offset: usize,
    /// What they are.
    pub what: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Compressed<'a> {
    /// The bytes decompressed, in `buffer` if need be; more than `limit` of them is an error, as is anything after the end of the
    /// compressed stream. No bytes at all are an empty stream: some of Loki's writers write none where there is no content.
    pub(super) fn decompress<'b>(
        self,
        encoding: Encoding,
        limit: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], FormatError>
    where
        'a: 'b,
    {
        buffer.clear();
        if self.bytes.is_empty() {
            return Ok(buffer);
        }
        match encoding {
            Encoding::None if self.bytes.len() > limit => return Err(self.too_long(limit)),
            Encoding::None => return Ok(self.bytes),
            Encoding::Snappy => self.unframe_snappy(limit, buffer)?,
            Encoding::Gzip => {
                let decoder = flate2::bufread::GzDecoder::new(self.bytes);
                self.drain(encoding, limit, buffer, decoder, |decoder| decoder.get_ref().len())?;
            }
            Encoding::Flate => {
                let decoder = flate2::bufread::DeflateDecoder::new(self.bytes);
                self.drain(encoding, limit, buffer, decoder, |decoder| decoder.get_ref().len())?;
            }
            Encoding::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(self.bytes)
                    .map_err(|error| self.undecodable(encoding, &error.to_string()))?;
                self.drain(encoding, limit, buffer, decoder, |decoder| decoder.get_ref().len())?;
            }
            Encoding::Lz4Of64Kib => self.unframe_lz4(encoding, 4, limit, buffer)?,
            Encoding::Lz4Of256Kib => self.unframe_lz4(encoding, 5, limit, buffer)?,
            Encoding::Lz4Of1Mib => self.unframe_lz4(encoding, 6, limit, buffer)?,
            Encoding::Lz4Of4Mib => self.unframe_lz4(encoding, 7, limit, buffer)?,
        }
        Ok(buffer)
    }

    fn drain<D: Read>(
        self,
        encoding: Encoding,
        limit: usize,
        buffer: &mut Vec<u8>,
        mut decoder: D,
        unread: impl FnOnce(&D) -> usize,
    ) -> Result<(), FormatError> {
        let one_too_many = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        decoder
            .by_ref()
            .take(one_too_many)
            .read_to_end(buffer)
            .map_err(|error| self.undecodable(encoding, &error.to_string()))?;
        if buffer.len() > limit {
            return Err(self.too_long(limit));
        }
        match unread(&decoder) {
            0 => Ok(()),
            left => Err(self.undecodable(encoding, &format!("{left} bytes after the end of the stream"))),
        }
    }

    /// LZ4's frame format; its descriptor must announce the size of blocks that goes with the encoding
    /// (lz4 doc/lz4_Frame_format.md: magic, FLG, then BD with the size's code in bits 4 to 6).
    fn unframe_lz4(
        self,
        encoding: Encoding,
        size_code: u8,
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match self.bytes.get(5) {
            Some(descriptor) if (descriptor >> 4) & 7 == size_code => {}
            found => {
                let found = found.map_or("a shorter frame".to_owned(), |byte| format!("descriptor {byte:#04x}"));
                return Err(self.undecodable(encoding, &found));
            }
        }
        let decoder = lz4_flex::frame::FrameDecoder::new(self.bytes);
        self.drain(encoding, limit, buffer, decoder, |decoder| decoder.get_ref().len())
    }

    /// Snappy's framing format (google/snappy framing_format.txt): a stream identifier, then frames of at most 64 KiB, each with
    /// the masked CRC-32C of its content. Frames to be skipped are refused: Loki writes none, and they would hide content.
    pub(super) fn unframe_snappy(self, limit: usize, buffer: &mut Vec<u8>) -> Result<(), FormatError> {
        const IDENTIFIER: &[u8] = b"sNaPpY";
        const LONGEST: usize = 1 << 16;
        let Self { object, what, .. } = self;
        let mut frames = Cursor::new(object, self.bytes, self.offset);
        let mut decoder = snap::raw::Decoder::new();
        let mut identified = false;
        while !frames.is_empty() {
            let offset = frames.offset();
            let kind = frames.u8("a snappy frame")?;
            if !(kind == 0xff || identified && kind <= 0x01) {
                let expected = format!("a snappy frame of {what}");
                return Err(frames.error_at(offset, &expected, format!("a frame of kind {kind:#04x}")));
            }
            let length = frames.take(3, "a snappy frame's length")?;
            let length = length.iter().rev().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            let mut frame = Cursor::new(object, frames.take(length, "a snappy frame")?, offset + 4);
            if kind == 0xff {
                if frame.take(frame.remaining(), "the stream identifier")? != IDENTIFIER {
                    return Err(frame.error_at(offset, "the snappy stream identifier", "other bytes"));
                }
                identified = true;
                continue;
            }
            let masked = frame.take(4, "a snappy frame's checksum")?;
            let masked = masked.iter().rev().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
            let content = frame.take(frame.remaining(), "a snappy frame's content")?;
            let start = buffer.len();
            let length = if kind == 0 { snap::raw::decompress_len(content) } else { Ok(content.len()) }
                .map_err(|error| self.undecodable(Encoding::Snappy, &error.to_string()))?;
            if length > LONGEST {
                return Err(frame.error_at(offset, "a snappy frame of at most 64 KiB", format!("{length} bytes")));
            }
            if start + length > limit {
                return Err(self.too_long(limit));
            }
            buffer.resize(start + length, 0);
            let room = buffer.get_mut(start..).unwrap_or_default();
            if kind == 0 {
                decoder
                    .decompress(content, room)
                    .map_err(|error| self.undecodable(Encoding::Snappy, &error.to_string()))?;
            } else {
                room.copy_from_slice(content);
            }
            let checksum = masked.wrapping_sub(0xa282_ead8).rotate_left(15);
            frame.verify(offset, room, checksum, "a snappy frame")?;
        }
        Ok(())
    }

    #[cold]
    fn undecodable(self, encoding: Encoding, found: &str) -> FormatError {
        let Self { object, offset, what, bytes } = self;
        let expected = format!("{what}, {} bytes of {}", bytes.len(), encoding.name());
        FormatError::new(object, offset, expected, found)
    }

    #[cold]
    fn too_long(self, limit: usize) -> FormatError {
        let Self { object, offset, what, .. } = self;
        FormatError::new(object, offset, format!("{what}, at most {limit} bytes when decompressed"), "more")
    }
}
