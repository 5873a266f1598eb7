//! Several recorded runs in one report.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use harness_core::{
    record::{RunInfo, RunRecord},
    report::{ExitStatus, Matrix, Source, matrix_exit_status, matrix_markdown},
};

use super::{
    CliError,
    run::covered_on,
    run::{ReportFormat, ReportTarget, load, read_record},
};

/// Each of `folders` once, however it is written, in the order in which they were first named. A folder that is not there stays: whoever
/// reads it says what is wrong with it.
pub fn distinct_runs(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    folders
        .iter()
        .filter(|folder| seen.insert(fs::canonicalize(folder).unwrap_or_else(|_| (*folder).clone())))
        .cloned()
        .collect()
}

/// What several recorded runs say together, clause by target, written to `extra`, and how they end by it.
///
/// # Errors
/// [`CliError::Usage`]: a folder that holds no run, a format that has no place for several runs. [`CliError::NotWritten`]: a report
/// that cannot be written. A record that cannot be read is no error: the matrix names it.
pub fn matrix(folders: &[PathBuf], extra: &[ReportTarget]) -> Result<(Matrix, ExitStatus), CliError> {
    if let Some(target) = extra.iter().find(|target| target.format == ReportFormat::Junit) {
        return Err(CliError::Usage(format!(
            "junit={}: JUnit has no place for several runs; use json=PATH or md=PATH, or name one run",
            target.path.display()
        )));
    }
    let (catalogue, scenarios) = load()?;
    let sources = folders.iter().map(|folder| source(folder)).collect::<Result<Vec<_>, _>>()?;
    let matrix = Matrix::of_runs(&catalogue, |target| covered_on(&scenarios, target), &sources);
    extra.iter().try_for_each(|target| write(&matrix, target))?;
    let status = matrix_exit_status(&matrix);
    Ok((matrix, status))
}

/// The run in `folder`. What cannot be read of its record is told, and what it was asked for is taken from its own word beside it.
fn source(folder: &Path) -> Result<Source, CliError> {
    let about = fs::read(folder.join("run.json")).ok().and_then(|text| serde_json::from_slice::<RunInfo>(&text).ok());
    let name = folder.display().to_string();
    let unread = |about, problem| {
        let record = RunRecord { run: about, ..RunRecord::default() };
        Ok(Source { name: name.clone(), record, problem: Some(problem) })
    };
    match read_record(folder) {
        Ok(record) if record.run.is_some() => Ok(Source { name, record, problem: None }),
        Ok(_) => unread(about, "its record does not begin".to_owned()),
        Err(CliError::NotWritten(problem)) => unread(about, problem),
        Err(CliError::Usage(problem)) if about.is_some() => unread(about, problem),
        Err(error) => Err(error),
    }
}

fn write(matrix: &Matrix, target: &ReportTarget) -> Result<(), CliError> {
    let refused = |error: &dyn std::fmt::Display| CliError::NotWritten(format!("{}: {error}", target.path.display()));
    let text = match target.format {
        ReportFormat::Json => matrix.to_json().map_err(|error| refused(&error))?,
        ReportFormat::Markdown => matrix_markdown(matrix),
        ReportFormat::Junit => return Err(refused(&"JUnit has no place for several runs")),
    };
    fs::write(&target.path, text).map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use harness_core::{catalogue::Target, record::Selection};

    use super::*;

    /// A folder with the run's own word, and with `record` as what was recorded.
    fn run_folder(below: &Path, id: &str, record: Option<&str>) -> PathBuf {
        let folder = below.join(id);
        let info = RunInfo {
            id: id.to_owned(),
            seed: 7,
            started: "2026-11-23T18:00:00.000Z".to_owned(),
            target: Target::Local,
            profile: "fast".to_owned(),
            stack: [].into(),
            changes: Vec::new(),
            selection: Selection { filters: Vec::new(), clauses: vec!["AC-lgtm-001-02/grpc".parse().unwrap()] },
        };
        fs::create_dir_all(folder.join("events")).unwrap();
        fs::write(folder.join("run.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        if let Some(record) = record {
            fs::write(folder.join("events/a.ndjson"), record).unwrap();
        }
        folder
    }

    #[test]
    fn a_run_named_twice_is_one() {
        let below = tempfile::tempdir().unwrap();
        let folder = run_folder(below.path(), "r1", None);
        let other_spelling = below.path().join("r1/../r1/");
        let other = run_folder(below.path(), "r2", None);
        let missing = below.path().join("r3");
        let named = [folder.clone(), other_spelling, missing.clone(), other.clone(), missing.clone(), folder.clone()];
        assert_eq!(distinct_runs(&named), [folder, missing, other]);
    }

    #[test]
    fn what_is_no_run_is_named_and_what_cannot_be_read_stays() {
        let below = tempfile::tempdir().unwrap();
        let folders = [
            run_folder(below.path(), "r1", None),
            run_folder(below.path(), "r2", Some("not an event\n")),
            run_folder(below.path(), "r3", Some("")),
        ];
        let (told, status) = matrix(&folders, &[]).unwrap();
        let problems: Vec<&str> = told.runs.iter().filter_map(|run| run.problem.as_deref()).collect();
        assert_eq!((told.runs.len(), told.columns.len(), problems.len()), (3, 1, 3));
        for (problem, expected) in problems.iter().zip(["no record", "a.ndjson:1: ", "does not begin"]) {
            assert!(problem.contains(expected), "{problem}");
        }
        assert_eq!(status, ExitStatus::NotVerified);

        let nothing = below.path().join("nothing");
        let error = matrix(&[folders[0].clone(), nothing.clone()], &[]).unwrap_err();
        assert!(matches!(&error, CliError::Usage(text) if text.contains(&nothing.display().to_string())), "{error}");
    }

    #[test]
    fn several_runs_have_every_format_but_junit() {
        let below = tempfile::tempdir().unwrap();
        let folders = [run_folder(below.path(), "r1", None), run_folder(below.path(), "r2", None)];
        let target = |format, name: &str| ReportTarget { format, path: below.path().join(name) };
        let extra = [target(ReportFormat::Json, "m.json"), target(ReportFormat::Markdown, "m.md")];
        let (told, _) = matrix(&folders, &extra).unwrap();
        let written: Matrix = serde_json::from_slice(&fs::read(&extra[0].path).unwrap()).unwrap();
        assert_eq!(written, told);
        assert!(fs::read_to_string(&extra[1].path).unwrap().starts_with("# Acceptance matrix\n"));
        let junit = [target(ReportFormat::Json, "n.json"), target(ReportFormat::Junit, "n.xml")];
        let error = matrix(&folders, &junit).unwrap_err();
        assert!(matches!(&error, CliError::Usage(text) if text.contains("n.xml")), "{error}");
        assert!(!junit[0].path.exists(), "refused before anything is written");
    }
}
