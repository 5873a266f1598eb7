use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Entry, Event, RecordError, SCHEMA};

/// The entries of one file, and whether its writer came to its end. A torn last line is left out: that is what a crash or a full
/// disk leaves behind; a torn line anywhere else is an error.
pub fn read_file(path: &Path) -> Result<(Vec<Entry>, bool), RecordError> {
    let text = fs::read(path).map_err(|source| RecordError::io(path, "read the record", source))?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let malformed =
        |line: usize, reason: String| RecordError::Malformed { path: path.to_owned(), line: line + 1, reason };
    let mut entries = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if number + 1 == lines.len() && number > 0 => break,
            Err(error) => return Err(malformed(number, error.to_string())),
        }
    }
    match entries.first().map(|entry| &entry.event) {
        Some(Event::Opened { schema, .. }) if schema == SCHEMA => {}
        Some(Event::Opened { schema, .. }) => {
            return Err(malformed(0, format!("expected schema {SCHEMA}, found {schema}")));
        }
        _ => return Err(malformed(0, "expected an opening event".to_owned())),
    }
    let whole = entries.len() == lines.len() && entries.last().is_some_and(|entry| entry.event == Event::Closed);
    Ok((entries, whole))
}

/// The entries of every file of a run, file by file in the order of their names, and whether all writers came to their end.
pub fn read_run(run_folder: &Path) -> Result<(Vec<Entry>, bool), RecordError> {
    let folder = run_folder.join("events");
    let listing = fs::read_dir(&folder).map_err(|_| RecordError::NoRun { path: run_folder.to_owned() })?;
    let mut paths: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(RecordError::NoRun { path: run_folder.to_owned() });
    }
    let mut all = Vec::new();
    let mut whole = true;
    for path in paths {
        let (entries, file_whole) = read_file(&path)?;
        all.extend(entries);
        whole &= file_whole;
    }
    Ok((all, whole))
}
