use super::{
    Cell, Column, Matrix, MatrixClause, MatrixCriterion, MatrixRun, MatrixStatus,
    words::{column_of, completeness, criterion_counts, dispute, measured, not_tried, stacks},
};
use crate::report::{
    markdown::{capitalised, escaped, legend, mark},
    words::{clause_counts, interval},
};

/// The matrix as Markdown (GitHub's dialect): the runs, the sums, one table row a criterion and a clause with a column a target and
/// profile, then what is wrong, failures first.
pub fn matrix_markdown(matrix: &Matrix) -> String {
    [head(matrix), table(matrix), details(matrix)].concat()
}

fn head(matrix: &Matrix) -> String {
    let rows: String = (1..).zip(&matrix.runs).map(|(number, run)| run_row(matrix, number, run)).collect();
    format!(
        "# Acceptance matrix\n\n\
         | Run | Id | Column | Started | Record | Filters | Changes |\n|---|---|---|---|---|---|---|\n{rows}\n\
         Stack: {}.\n\nCriteria: {}. Clauses: {}. Clauses not tried: {}.\n",
        escaped(&stacks(matrix)),
        criterion_counts(matrix),
        clause_counts(&matrix.summary),
        not_tried(matrix),
    )
}

fn run_row(matrix: &Matrix, number: usize, run: &MatrixRun) -> String {
    let record = completeness(run);
    let joined = |words: &[String]| if words.is_empty() { "none".to_owned() } else { escaped(&words.join(", ")) };
    let cells = [
        format!("#{number}"),
        escaped(&run.id),
        column_of(matrix, run).map_or_else(|| "unknown".to_owned(), |column| escaped(&column.id)),
        run.started.as_deref().map_or_else(|| "unknown".to_owned(), escaped),
        if run.complete { record } else { format!("**{}**", escaped(&record)) },
        joined(&run.filters),
        joined(&run.changes),
    ];
    row(&cells)
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn table(matrix: &Matrix) -> String {
    let mut heading = vec!["Criterion, clause".to_owned(), "Title".to_owned(), "All together".to_owned()];
    heading.extend(matrix.columns.iter().map(|column| escaped(&column.id)));
    let line = format!("|{}\n", "---|".repeat(heading.len()));
    let rows: String = matrix.criteria.iter().map(|criterion| rows(matrix, criterion)).collect();
    format!(
        "\n## Matrix\n\n{}{line}{rows}\n{}, ± unstable: passed in one run and failed in another\n",
        row(&heading),
        legend()
    )
}

fn rows(matrix: &Matrix, criterion: &MatrixCriterion) -> String {
    let mut cells = vec![
        format!("**{}**", criterion.id),
        format!("**{}**", escaped(&criterion.title)),
        format!("**{}**<br>{}", criterion.status.words(), escaped(&criterion.reason)),
    ];
    cells.extend(matrix.columns.iter().map(|_| String::new()));
    let clauses = criterion.clauses.iter().map(|clause| {
        let verdict = format!("{} {}", mark(clause.verdict), clause.verdict.word().replace('_', " "));
        let mut cells = vec![clause.id.to_string(), escaped(&clause.title), verdict];
        cells.extend(matrix.columns.iter().map(|column| {
            clause.cells.get(&column.id).map(|cell| lines(matrix, cell).join("<br>")).unwrap_or_default()
        }));
        row(&cells)
    });
    std::iter::once(row(&cells)).chain(clauses).collect()
}

/// The lines of one cell: what it comes to and by which run, the latency.
fn lines(matrix: &Matrix, cell: &Cell) -> Vec<String> {
    let number = matrix.runs.iter().position(|run| Some(&run.id) == cell.run.as_ref());
    let run = number.map(|number| format!(" #{}", number + 1)).unwrap_or_default();
    let forced = if cell.forced { " (forced)" } else { "" };
    let first = format!("{}{run}{forced}", verdict(cell));
    std::iter::once(first).chain(measured(cell).map(interval)).collect()
}

fn verdict(cell: &Cell) -> String {
    if cell.unstable {
        "± unstable".to_owned()
    } else {
        format!("{} {}", mark(cell.verdict), cell.verdict.word().replace('_', " "))
    }
}

fn details(matrix: &Matrix) -> String {
    [MatrixStatus::Failed, MatrixStatus::NotVerified, MatrixStatus::VerifiedFast, MatrixStatus::Verified]
        .map(|status| section(matrix, status))
        .concat()
}

/// The criteria of one status of which a cell needs words.
fn section(matrix: &Matrix, status: MatrixStatus) -> String {
    let criteria = matrix.criteria.iter().filter(|criterion| criterion.status == status);
    let told: Vec<String> = criteria
        .filter_map(|criterion| {
            let notes: String = criterion.clauses.iter().map(|clause| notes(matrix, clause)).collect();
            let heading = format!("\n### {} {}\n\n", criterion.id, escaped(&criterion.title));
            (!notes.is_empty()).then(|| format!("{heading}{}.\n\n{notes}", escaped(&criterion.reason)))
        })
        .collect();
    if told.is_empty() { String::new() } else { format!("\n## {}\n{}", capitalised(status.words()), told.concat()) }
}

fn notes(matrix: &Matrix, clause: &MatrixClause) -> String {
    let cells = matrix.columns.iter().filter_map(|column| Some((column, clause.cells.get(&column.id)?)));
    cells
        .filter(|(_, cell)| cell.is_problem() || cell.is_disputed())
        .map(|(column, cell)| note(matrix, clause, column, cell))
        .collect()
}

fn note(matrix: &Matrix, clause: &MatrixClause, column: &Column, cell: &Cell) -> String {
    let run = escaped(cell.run.as_deref().unwrap_or_default());
    let mut text = format!("- {}, {}, {run}: {}\n", clause.id, escaped(&column.id), verdict(cell));
    text.extend(dispute(matrix, cell).map(|dispute| format!("  - {}\n", escaped(&dispute))));
    if cell.is_problem() {
        text.extend(cell.findings.iter().map(|finding| format!("  - {}\n", escaped(&finding.to_string()))));
    }
    text
}
