use super::{
    Cell, Column, Matrix, MatrixClause, MatrixCriterion,
    words::{column_of, completeness, criterion_counts, dispute, measured, not_tried, stacks},
};
use crate::{
    report::{
        Colour, Style,
        terminal::{coloured, mark},
        words::{clause_counts, line, of_bound, shortened, time, wrapped},
    },
    verdict::Verdict,
};

/// Columns of the clauses' names at most, and where the table is narrowed; a longer name has a line of its own.
const NAME_WIDTHS: [usize; 2] = [32, 17];

/// Columns of a column's heading at most.
const MOST_HEADING: usize = 10;

/// Columns between two columns of the table.
const GAP: usize = 2;

/// The matrix for a terminal: the runs, then every criterion of which something was tried, with a row a clause and a column a target
/// and profile, then the sums: the end is what is read first.
pub fn matrix_terminal(matrix: &Matrix, style: Style) -> String {
    let tried: Vec<&MatrixCriterion> =
        matrix.criteria.iter().filter(|criterion| criterion.clauses.iter().any(MatrixClause::was_tried)).collect();
    let page = Page::fitting(matrix, &tried, style);
    let mut text = page.head();
    if !tried.is_empty() {
        text.push('\n');
        text.push_str(&page.headings());
        for criterion in &tried {
            text.push('\n');
            text.push_str(&page.criterion(criterion));
        }
        text.push('\n');
        text.push_str(&page.headings());
    }
    text.push('\n');
    text.push_str(&page.end(&tried));
    text
}

/// How much a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The verdict, the run, the latency and its bound.
    Bound,
    /// The verdict, the run, the latency.
    Latency,
    /// The verdict.
    Verdict,
}

struct Page<'a> {
    matrix: &'a Matrix,
    style: Style,
    detail: Detail,
    name_width: usize,
    widths: Vec<usize>,
}

impl<'a> Page<'a> {
    /// The page that says as much as there is room for.
    fn fitting(matrix: &'a Matrix, tried: &[&MatrixCriterion], style: Style) -> Self {
        let clauses = || tried.iter().flat_map(|criterion| &criterion.clauses);
        let longest = clauses().map(|clause| clause.id.name().chars().count()).max().unwrap_or(0);
        let page = |detail, most_name: usize| {
            let widths = matrix.columns.iter().map(|column| {
                let cells = clauses().filter_map(|clause| clause.cells.get(&column.id));
                let cells = cells.map(|cell| content(matrix, column, cell, detail).width());
                cells.chain(heading(column).map(|text| text.chars().count())).max().unwrap_or(0)
            });
            Self { matrix, style, detail, name_width: longest.min(most_name), widths: widths.collect() }
        };
        let [wide, narrow] = NAME_WIDTHS;
        [(Detail::Bound, wide), (Detail::Latency, wide), (Detail::Verdict, wide)]
            .into_iter()
            .map(|(detail, name)| page(detail, name))
            .find(Self::fits)
            .unwrap_or_else(|| page(Detail::Verdict, narrow))
    }

    fn fits(&self) -> bool {
        GAP + self.name_width + self.widths.iter().map(|width| GAP + width).sum::<usize>() <= self.style.width
    }

    fn head(&self) -> String {
        let matrix = self.matrix;
        let mut text = self.wrapped("", &format!("{} runs, oldest first", matrix.runs.len()));
        for (number, run) in (1..).zip(&matrix.runs) {
            let column = column_of(matrix, run).map_or("column unknown", |column| &column.id);
            let started = run.started.as_ref().map(|started| format!(", started {started}")).unwrap_or_default();
            let told = format!("{}, {column}{started}, {}", run.id, completeness(run));
            text.push_str(&self.wrapped(&format!("  #{number}  "), &line(&told)));
            for (name, told) in [("changes", &run.changes), ("filters", &run.filters)] {
                if !told.is_empty() {
                    text.push_str(&self.wrapped("      ", &format!("{name}: {}", line(&told.join(", ")))));
                }
            }
        }
        text.push_str(&self.wrapped("", &format!("stack: {}", line(&stacks(matrix)))));
        text
    }

    /// The columns' names, targets over profiles.
    fn headings(&self) -> String {
        let rows = [0, 1].map(|row| {
            let cells = self.matrix.columns.iter().zip(&self.widths).map(|(column, width)| {
                let [target, profile] = heading(column);
                let text = if row == 0 { target } else { profile };
                format!("{:GAP$}{text:width$}", "")
            });
            format!("{:indent$}{}", "", cells.collect::<String>(), indent = GAP + self.name_width)
        });
        rows.iter().map(|row| row.trim_end().to_owned() + "\n").collect()
    }

    fn criterion(&self, criterion: &MatrixCriterion) -> String {
        let title = line(&criterion.title);
        let mut text = self.wrapped("", &format!("{}  {title}: {}", criterion.id, criterion.status.words()));
        text.extend(criterion.clauses.iter().map(|clause| self.row(clause)));
        text.push_str(&self.wrapped("  ", &criterion.reason));
        text
    }

    fn row(&self, clause: &MatrixClause) -> String {
        let name = clause.id.name();
        let width = self.name_width;
        let name = if name.chars().count() > width {
            format!("  {name}\n  {:width$}", "")
        } else {
            format!("  {name:width$}")
        };
        let cells = self.cells(clause).zip(&self.widths).map(|((column, cell), width)| {
            let content = content(self.matrix, column, cell, self.detail);
            let padding = width.saturating_sub(content.width());
            format!("{:GAP$}{}{:padding$}", "", content.text(self.style.colour), "")
        });
        let mut text = format!("{name}{}", cells.collect::<String>()).trim_end().to_owned();
        text.push('\n');
        for (column, cell) in self.cells(clause) {
            text.push_str(&self.notes(column, cell));
        }
        text
    }

    /// What has to be said of a cell that its place in the table has no room for.
    fn notes(&self, column: &Column, cell: &Cell) -> String {
        let mut text = String::new();
        let mut note = |told: &str| text.push_str(&self.wrapped("      ", &format!("{}, {told}", column.id)));
        if let Some(dispute) = dispute(self.matrix, cell) {
            note(&dispute);
        }
        if cell.is_problem() {
            let run = cell.run.as_deref().unwrap_or_default();
            for finding in &cell.findings {
                note(&line(&format!("{run}: {finding}")));
            }
        }
        text
    }

    fn cells<'b>(&'b self, clause: &'b MatrixClause) -> impl Iterator<Item = (&'b Column, &'b Cell)> {
        self.matrix.columns.iter().filter_map(|column| Some((column, clause.cells.get(&column.id)?)))
    }

    fn end(&self, tried: &[&MatrixCriterion]) -> String {
        let mut text = String::new();
        let mut said = |told: &str| text.push_str(&self.wrapped("", &line(told)));
        let cells = || tried.iter().flat_map(|criterion| &criterion.clauses).flat_map(|clause| clause.cells.values());
        if cells().any(|cell| cell.forced) {
            said("*: forced: persistence was brought about by a restart, so that no bound was decided");
        }
        for run in self.matrix.runs.iter().filter(|run| !run.complete) {
            said(&format!("run {} is {}", run.id, completeness(run)));
        }
        said(&format!("clauses not tried: {}", not_tried(self.matrix)));
        said(&format!("criteria: {}", criterion_counts(self.matrix)));
        said(&format!("clauses: {}", clause_counts(&self.matrix.summary)));
        text
    }

    fn wrapped(&self, prefix: &str, text: &str) -> String {
        wrapped(self.style.width, prefix, text)
    }
}

/// The two lines of a column's heading.
fn heading(column: &Column) -> [String; 2] {
    let profile = column.profile.as_deref().unwrap_or_default();
    [column.target.to_string(), shortened(&line(profile), MOST_HEADING)]
}

/// What stands in a cell: a word in its colour, and what follows it.
struct Content {
    word: &'static str,
    colour: &'static str,
    rest: String,
}

impl Content {
    fn width(&self) -> usize {
        self.word.chars().count() + self.rest.chars().count()
    }

    fn text(&self, colour: Colour) -> String {
        match colour {
            Colour::Always => coloured(self.word, self.colour) + &self.rest,
            Colour::Never => format!("{}{}", self.word, self.rest),
        }
    }
}

fn content(matrix: &Matrix, column: &Column, cell: &Cell, detail: Detail) -> Content {
    let (word, colour) = if cell.unstable { ("UNSTABLE", mark(Verdict::Fail).1) } else { mark(cell.verdict) };
    let mut rest = if cell.forced { "*".to_owned() } else { String::new() };
    if detail != Detail::Verdict {
        // Where a column has one run, its number says nothing new.
        let number = matrix.runs.iter().position(|run| column.runs.len() > 1 && Some(&run.id) == cell.run.as_ref());
        rest.extend(number.map(|number| format!(" #{}", number + 1)));
        if let Some(latency) = measured(cell) {
            rest.push(' ');
            rest.push_str(&time(latency));
            if detail == Detail::Bound {
                rest.push_str(&of_bound(latency));
            }
        }
    }
    Content { word, colour, rest }
}
