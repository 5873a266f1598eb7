use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault::Fault;

/// What even the smallest object may unfold to.
const LEVELS: usize = 4 << 20;
const BYTES: usize = 64 << 20;
/// What every byte of the object adds. A span of 128 attributes is some 1,000 levels and takes 40 bytes or more.
const LEVELS_PER_BYTE: usize = 256;
const BYTES_PER_BYTE: usize = 256;

/// How much may still be decoded out of one object.
///
/// Run lengths and dictionaries let a few bytes stand for any number of values, so the work is bounded by the object's
/// size and not by what the object says.
pub(super) struct Budget {
    levels: AtomicUsize,
    pages: AtomicUsize,
    copies: AtomicUsize,
}

impl Budget {
    /// The budget of an object of `length` bytes.
    pub fn new(length: usize) -> Self {
        let bytes = BYTES.saturating_add(length.saturating_mul(BYTES_PER_BYTE));
        Self {
            levels: AtomicUsize::new(LEVELS.saturating_add(length.saturating_mul(LEVELS_PER_BYTE))),
            pages: AtomicUsize::new(bytes),
            copies: AtomicUsize::new(bytes),
        }
    }

    /// Pays for values and absent values of a page.
    pub fn levels(&self, offset: usize, count: usize) -> Result<(), Fault> {
        pay(&self.levels, offset, count, "values")
    }

    /// Pays for an uncompressed page.
    pub fn bytes(&self, offset: usize, count: usize) -> Result<(), Fault> {
        pay(&self.pages, offset, count, "bytes of pages")
    }

    /// Pays for text and bytes that are copied into records.
    pub fn copies(&self, offset: usize, count: usize) -> Result<(), Fault> {
        pay(&self.copies, offset, count, "bytes of records")
    }
}

fn pay(left: &AtomicUsize, offset: usize, count: usize, what: &str) -> Result<(), Fault> {
    match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)) {
        Ok(_) => Ok(()),
        Err(left) => {
            let expected = format!("at most {left} more {what} in an object of this size");
            Err(Fault::new(offset, expected, count.to_string()))
        }
    }
}
