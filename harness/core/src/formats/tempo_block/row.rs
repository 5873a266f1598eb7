use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parquet::basic::Repetition;

use super::{
    budget::Budget,
    column::{Column, ColumnShape, Value},
    fault::Fault,
    footer::{RowGroup, SchemaNode},
};

/// The wanted part of the schema with the levels of every node.
#[derive(Debug)]
pub(super) struct Node {
    name: String,
    path: String,
    repetition: Repetition,
    /// Definition level of an entry where this node is present.
    definition: i16,
    /// Repetition level of an entry that begins another element of this node.
    repeats: i16,
    /// Which of the columns lie below this node.
    columns: Range<usize>,
    children: Vec<Node>,
}

/// A row group's wanted columns, read row by row into [`Datum`] (the assembly of Dremel, Melnik et al. 2010).
pub(super) struct Rows<'a> {
    schema: &'a Node,
    columns: Vec<Column>,
    budget: Arc<Budget>,
}

/// A node's content in one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    Leaf(Value),
    /// In the order of the node's children.
    Group(Vec<Datum>),
    List(Vec<Datum>),
}

/// The wanted columns of a schema: those of which `wanted` holds, by their path. `None` if there are none.
pub(super) fn project(schema: &SchemaNode, wanted: impl Fn(&str) -> bool) -> (Option<Node>, Vec<ColumnShape>) {
    let mut columns = Vec::new();
    let mut root = Node {
        name: String::new(),
        path: String::new(),
        repetition: Repetition::REQUIRED,
        definition: 0,
        repeats: 0,
        columns: 0..0,
        children: Vec::new(),
    };
    root.children =
        schema.children.iter().filter_map(|child| project_node(child, &root, &wanted, &mut columns)).collect();
    root.columns = 0..columns.len();
    ((!columns.is_empty()).then_some(root), columns)
}

fn project_node(
    schema: &SchemaNode,
    parent: &Node,
    wanted: &impl Fn(&str) -> bool,
    columns: &mut Vec<ColumnShape>,
) -> Option<Node> {
    let begin = columns.len();
    let mut node = Node {
        name: schema.name.clone(),
        path: if parent.path.is_empty() { schema.name.clone() } else { format!("{}.{}", parent.path, schema.name) },
        repetition: schema.repetition,
        definition: parent.definition + i16::from(schema.repetition != Repetition::REQUIRED),
        repeats: parent.repeats + i16::from(schema.repetition == Repetition::REPEATED),
        columns: begin..begin,
        children: Vec::new(),
    };
    match schema.physical {
        Some(physical) if wanted(&node.path) => columns.push(ColumnShape {
            path: node.path.clone(),
            physical,
            max_definition: node.definition,
            max_repetition: node.repeats,
        }),
        Some(_) => {}
        None => {
            node.children =
                schema.children.iter().filter_map(|child| project_node(child, &node, wanted, columns)).collect();
        }
    }
    node.columns = begin..columns.len();
    (!node.columns.is_empty()).then_some(node)
}

impl<'a> Rows<'a> {
    /// Opens the columns of a row group that begins with the first row.
    pub fn open(
        schema: &'a Node,
        shapes: &[ColumnShape],
        group: &RowGroup,
        object: &Bytes,
        budget: &Arc<Budget>,
    ) -> Result<Self, Fault> {
        let mut columns = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let Some(chunk) = group.chunks.get(&shape.path) else {
                return Err(Fault::new(0, format!("a row group with the column {}", shape.path), "none"));
            };
            columns.push(Column::open(shape, chunk, object.clone(), Arc::clone(budget))?);
        }
        Ok(Self { schema, columns, budget: Arc::clone(budget) })
    }

    /// Passes over rows.
    pub fn skip(&mut self, rows: usize) -> Result<(), Fault> {
        if rows > 0 {
            for column in &mut self.columns {
                column.skip(rows)?;
            }
        }
        Ok(())
    }

    /// Reads the next row.
    pub fn next(&mut self) -> Result<Datum, Fault> {
        for column in &mut self.columns {
            column.advance()?;
        }
        let datum = content(self.schema, &mut self.columns, 0)?;
        for column in &self.columns {
            column.finish_row()?;
        }
        Ok(datum)
    }

    /// Makes sure that nothing is left, after every row was read.
    pub fn finish(&self) -> Result<(), Fault> {
        self.columns.iter().try_for_each(Column::finish)
    }

    /// A row's content, to be looked into by name.
    pub fn view<'r>(&'r self, datum: &'r Datum) -> View<'r> {
        View { node: self.schema, datum, columns: &self.columns, budget: &self.budget }
    }
}

/// What a node holds, whether it is there at all, and how often. `repetition` is the level of its first entry.
fn read(node: &Node, columns: &mut [Column], repetition: i16) -> Result<Datum, Fault> {
    let leader = |columns: &[Column]| columns.get(node.columns.start).and_then(Column::definition);
    match node.repetition {
        Repetition::REQUIRED => content(node, columns, repetition),
        Repetition::OPTIONAL if leader(columns) < Some(node.definition) => {
            absent(node, columns, repetition)?;
            Ok(Datum::Null)
        }
        Repetition::OPTIONAL => content(node, columns, repetition),
        Repetition::REPEATED if leader(columns) < Some(node.definition) => {
            absent(node, columns, repetition)?;
            Ok(Datum::List(Vec::new()))
        }
        Repetition::REPEATED => {
            let mut items = vec![content(node, columns, repetition)?];
            while columns.get(node.columns.start).and_then(Column::repetition) == Some(node.repeats) {
                items.push(content(node, columns, node.repeats)?);
            }
            Ok(Datum::List(items))
        }
    }
}

fn content(node: &Node, columns: &mut [Column], repetition: i16) -> Result<Datum, Fault> {
    if node.children.is_empty() {
        let value = match columns.get_mut(node.columns.start) {
            Some(column) => column.take(repetition, node.definition)?,
            None => None,
        };
        return Ok(value.map_or(Datum::Null, Datum::Leaf));
    }
    let children = node.children.iter().map(|child| read(child, columns, repetition));
    Ok(Datum::Group(children.collect::<Result<_, _>>()?))
}

/// Takes the one entry by which each column below `node` says that the node is not there.
fn absent(node: &Node, columns: &mut [Column], repetition: i16) -> Result<(), Fault> {
    for column in columns.get_mut(node.columns.clone()).unwrap_or_default() {
        column.take(repetition, node.definition - 1)?;
    }
    Ok(())
}

/// A node with its content, looked into by name.
#[derive(Clone, Copy)]
pub(super) struct View<'r> {
    node: &'r Node,
    datum: &'r Datum,
    columns: &'r [Column],
    budget: &'r Budget,
}

impl<'r> View<'r> {
    fn at(self, datum: &'r Datum) -> Self {
        Self { datum, ..self }
    }

    /// The node of that name below this one, whether it holds anything or not.
    pub fn child(self, name: &str) -> Option<Self> {
        let place = self.node.children.iter().position(|child| child.name == name)?;
        let node = self.node.children.get(place)?;
        let datum = match self.datum {
            Datum::Group(children) => children.get(place).unwrap_or(&Datum::Null),
            _ => &Datum::Null,
        };
        Some(Self { node, datum, ..self })
    }

    /// The node of that name, which the schema must have.
    pub fn required(self, name: &str) -> Result<Self, Fault> {
        self.child(name).ok_or_else(|| self.fault(format!("the column {name}"), "none of that name"))
    }

    /// All nodes below this one, with their names.
    pub fn children(self) -> impl Iterator<Item = (&'r str, Self)> {
        self.node.children.iter().filter_map(move |child| Some((child.name.as_str(), self.child(&child.name)?)))
    }

    /// The elements of a list in Parquet's three levels (`<name>.list.element`), or the values of a column as it is.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let (list, element) = match self.child("list") {
            Some(list) => (list, true),
            None => (self, false),
        };
        let items = match list.datum {
            Datum::List(items) => items.as_slice(),
            Datum::Null => &[],
            other => std::slice::from_ref(other),
        };
        items.iter().filter_map(move |item| {
            let item = list.at(item);
            if element { item.child("element") } else { Some(item) }
        })
    }

    /// Whether this is a column and not a group.
    pub fn is_column(self) -> bool {
        self.node.children.is_empty()
    }

    /// The value, if there is one.
    pub fn value(self) -> Option<&'r Value> {
        match self.datum {
            Datum::Leaf(value) => Some(value),
            _ => None,
        }
    }

    /// A text column's value, if there is one.
    pub fn text(self) -> Result<Option<String>, Fault> {
        match self.bytes()? {
            None => Ok(None),
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(error) => Err(self.fault("text in UTF-8", error.to_string())),
            },
        }
    }

    /// A byte column's value, if there is one.
    pub fn bytes(self) -> Result<Option<Vec<u8>>, Fault> {
        match self.value() {
            None => Ok(None),
            Some(Value::Bytes(bytes)) => {
                self.pay(bytes.len())?;
                Ok(Some(bytes.data().to_vec()))
            }
            Some(other) => Err(self.fault("bytes", format!("{other:?}"))),
        }
    }

    /// A whole-number column's value, if there is one.
    pub fn integer(self) -> Result<Option<i64>, Fault> {
        match self.value() {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(other) => Err(self.fault("a whole number", format!("{other:?}"))),
        }
    }

    /// Pays for bytes that go into a record.
    pub fn pay(self, bytes: usize) -> Result<(), Fault> {
        self.budget.copies(self.fault("", "").offset, bytes)
    }

    /// An error about this node, at the page last read of its first column.
    pub fn fault(self, expected: impl std::fmt::Display, found: impl Into<String>) -> Fault {
        let found = found.into();
        match self.columns.get(self.node.columns.start) {
            Some(column) if self.is_column() => column.fault(expected, found),
            Some(column) => {
                let fault = column.fault("", "");
                Fault::new(fault.offset, format!("in group {}: {expected}", self.node.path), found)
            }
            None => Fault::new(0, expected.to_string(), found),
        }
    }
}
