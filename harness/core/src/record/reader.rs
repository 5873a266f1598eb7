use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Entry, Event, RecordError, SCHEMA};

/// The entries of one file, and whether its writer came to its end. A last line that breaks off is left out: that is what a crash or
/// a full disk leaves behind; a line that is no event anywhere else is an error.
pub fn read_file(path: &Path) -> Result<(Vec<Entry>, bool), RecordError> {
    let text = fs::read(path).map_err(|source| RecordError::io(path, "read the record", source))?;
    let malformed =
        |line: usize, reason: String| RecordError::Malformed { path: path.to_owned(), line: line + 1, reason };
    let mut entries = Vec::new();
    let mut torn = false;
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // Told before anything else: what is wrong with a record of another schema is that it is one.
        if let Some(schema) = schema_of(line).filter(|schema| number == 0 && schema != SCHEMA) {
            return Err(malformed(number, format!("expected schema {SCHEMA}, found {schema}")));
        }
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => entries.push(entry),
            Err(_) if !line.ends_with(b"\n") => torn = true,
            Err(error) => return Err(malformed(number, error.to_string())),
        }
    }
    match entries.first().map(|entry| &entry.event) {
        None | Some(Event::Opened { .. }) => {}
        Some(_) => return Err(malformed(0, "expected an opening event".to_owned())),
    }
    let whole = !torn && entries.last().is_some_and(|entry| entry.event == Event::Closed);
    Ok((entries, whole))
}

/// The schema that an opening event names, whatever else it says.
fn schema_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Opening {
        schema: String,
    }
    serde_json::from_slice::<Opening>(line).ok().map(|opening| opening.schema)
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
