use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    super::FormatError,
    budget::Budget,
    column::ColumnShape,
    fault::Fault,
    footer::Footer,
    meta::BlockMeta,
    row::{Node, Rows, project},
    spans::{Dedicated, read_trace, read_trace_id, wanted},
};
use crate::signal::Span;

/// A trace's id as stored: 16 bytes, shorter ones padded with zeros in front.
pub type TraceId = [u8; 16];

/// The schemas that the fixtures cover.
const TESTED: [&str; 2] = ["vParquet3", "vParquet4"];
const TRACE_ID: &str = "TraceID";

/// The spans of a `data.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Ordered by trace id, start and span id.
    pub spans: Vec<Span>,
    /// Whether the block's meta was given and names a version of the schema that this reader was tested with. Others
    /// are decoded as far as the names of their columns are the same.
    pub tested: bool,
}

/// Reads all spans of a block's `data.parquet`; `object` names it in errors.
///
/// `meta` says which attributes the columns `String01` to `String10` hold; without it, or where it doesn't say, their
/// values are found under `DedicatedAttributes.String01` and so on. With it, the object must have the size and the
/// traces it tells of.
pub fn read_spans(object: &str, bytes: Bytes, meta: Option<&BlockMeta>) -> Result<Block, FormatError> {
    contain(object, || read_block(&bytes, meta, None))
}

/// Reads the spans of some traces; the pages of other traces are passed over where they can be.
pub fn read_spans_of(
    object: &str,
    bytes: Bytes,
    meta: Option<&BlockMeta>,
    wanted: &BTreeSet<TraceId>,
) -> Result<Block, FormatError> {
    contain(object, || read_block(&bytes, meta, Some(&|id: &TraceId| wanted.contains(id))))
}

/// Shows `visit` every span of the traces that are `wanted`, trace by trace in the order of the rows, without keeping any; otherwise
/// as [`read_spans_of`].
pub fn for_each_span(
    object: &str,
    bytes: Bytes,
    meta: Option<&BlockMeta>,
    wanted: &dyn Fn(&TraceId) -> bool,
    mut visit: impl FnMut(&Span),
) -> Result<(), FormatError> {
    contain(object, || {
        visit_traces(&bytes, meta, Some(wanted), &mut |spans| {
            spans.iter().for_each(&mut visit);
            spans.clear();
        })
    })
}

/// Reads the trace ids alone, in the order of the rows: one for each trace.
pub fn trace_ids(object: &str, bytes: Bytes) -> Result<Vec<TraceId>, FormatError> {
    contain(object, || {
        let file = File::open(&bytes)?;
        let columns = file.columns(|path| path == TRACE_ID)?;
        let mut ids = Vec::new();
        for group in 0..file.footer.row_groups.len() {
            ids.extend(file.trace_ids(&columns, group)?);
        }
        Ok(ids)
    })
}

/// Runs a reader so that it can only return.
fn contain<T>(object: &str, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, FormatError> {
    // The parquet crate's decoders index and assert on values that the file controls, such as a miniblock's bit widths
    // or a dictionary's indices. Everything that the closure could leave half done is dropped with it.
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|fault| fault.of(object)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("an unnamed one");
            Err(FormatError::new(object, 0, "Parquet pages that can be decoded", format!("a decoder's panic: {text}")))
        }
    }
}

/// An open Parquet file.
struct File<'a> {
    bytes: &'a Bytes,
    footer: Footer,
    budget: Arc<Budget>,
}

/// The wanted columns of a file.
struct Columns {
    tree: Node,
    shapes: Vec<ColumnShape>,
}

impl<'a> File<'a> {
    fn open(bytes: &'a Bytes) -> Result<Self, Fault> {
        Ok(Self { bytes, footer: Footer::read(bytes)?, budget: Arc::new(Budget::new(bytes.len())) })
    }

    fn columns(&self, wanted: impl Fn(&str) -> bool) -> Result<Columns, Fault> {
        match project(&self.footer.schema, wanted) {
            (Some(tree), shapes) => Ok(Columns { tree, shapes }),
            (None, _) => Err(Fault::new(self.footer.offset, "the columns of a Tempo block", "none of their names")),
        }
    }

    fn trace_ids(&self, columns: &Columns, group: usize) -> Result<Vec<TraceId>, Fault> {
        let Some(group) = self.footer.row_groups.get(group) else { return Ok(Vec::new()) };
        let mut rows = Rows::open(&columns.tree, &columns.shapes, group, self.bytes, &self.budget)?;
        let mut ids = Vec::new();
        for _ in 0..group.rows {
            let row = rows.next()?;
            ids.push(read_trace_id(rows.view(&row))?);
        }
        rows.finish()?;
        Ok(ids)
    }
}

/// Which traces are read: all where there is none.
type Selection<'a> = Option<&'a dyn Fn(&TraceId) -> bool>;

fn read_block(bytes: &Bytes, meta: Option<&BlockMeta>, selection: Selection<'_>) -> Result<Block, Fault> {
    let mut all = Vec::new();
    visit_traces(bytes, meta, selection, &mut |spans| all.append(spans))?;
    let key = |span: &Span| (span.trace_id.clone(), span.start_ns, span.span_id.clone());
    all.sort_by_cached_key(key);
    Ok(Block { spans: all, tested: meta.is_some_and(|meta| TESTED.contains(&meta.format.as_str())) })
}

/// Shows `visit` the spans of one trace after the other; it is left what it does not take.
fn visit_traces(
    bytes: &Bytes,
    meta: Option<&BlockMeta>,
    selection: Selection<'_>,
    visit: &mut dyn FnMut(&mut Vec<Span>),
) -> Result<(), Fault> {
    let file = File::open(bytes)?;
    check_meta(&file, meta)?;
    let columns = file.columns(wanted)?;
    let ids = file.columns(|path| path == TRACE_ID)?;
    let dedicated = Dedicated::of(meta);
    let mut spans = Vec::new();
    for (index, group) in file.footer.row_groups.iter().enumerate() {
        let selected: Box<dyn Iterator<Item = usize>> = match selection {
            None => Box::new(0..group.rows),
            Some(wanted) => {
                let ids = file.trace_ids(&ids, index)?;
                Box::new((0..).zip(ids).filter(|(_, id)| wanted(id)).map(|(row, _)| row))
            }
        };
        let mut rows = Rows::open(&columns.tree, &columns.shapes, group, bytes, &file.budget)?;
        let mut next = 0;
        for row in selected {
            rows.skip(row - next)?;
            let datum = rows.next()?;
            read_trace(rows.view(&datum), &dedicated, &mut spans)?;
            visit(&mut spans);
            next = row + 1;
        }
        if selection.is_none() {
            rows.finish()?;
        }
    }
    Ok(())
}

fn check_meta(file: &File<'_>, meta: Option<&BlockMeta>) -> Result<(), Fault> {
    let Some(meta) = meta else { return Ok(()) };
    if meta.size != file.bytes.len() as u64 {
        return Err(Fault::new(
            0,
            format!("{} bytes, as the block's meta says", meta.size),
            file.bytes.len().to_string(),
        ));
    }
    let rows = file.footer.row_groups.iter().fold(0_u64, |rows, group| rows.saturating_add(group.rows as u64));
    if meta.total_objects != rows {
        let expected = format!("{} traces, as the block's meta says", meta.total_objects);
        return Err(Fault::new(file.footer.offset, expected, rows.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error() {
        for (number, text) in [(1, "a decoder's panic: of 1"), (2, "a decoder's panic: of any number")] {
            let error =
                contain::<()>("o", || if number == 1 { panic!("of {number}") } else { panic!("of any number") });
            assert_eq!(error.unwrap_err().found, text);
        }
    }
}
