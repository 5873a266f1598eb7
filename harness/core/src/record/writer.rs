use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{BodyStore, Entry, Event, RecordError, Redactor, RunInfo, SCHEMA};
use crate::ports::Tick;

/// Appends events to one file of a run's record. Each entry is one line, written whole before the call returns.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: Mutex<File>,
    bodies: BodyStore,
    redactor: Redactor,
}

impl Recorder {
    /// Opens `<run folder>/events/<name>.ndjson`, which must not exist yet, and writes the opening event.
    ///
    /// Secrets that `redactor` knows are taken out of everything that is recorded: the one sink through which evidence passes.
    pub fn open(
        run_folder: &Path,
        name: &str,
        run: &RunInfo,
        redactor: Redactor,
        at: Tick,
    ) -> Result<Self, RecordError> {
        let folder = run_folder.join("events");
        fs::create_dir_all(&folder).map_err(|source| RecordError::io(&folder, "create the folder", source))?;
        let path = folder.join(format!("{name}.ndjson"));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|source| RecordError::io(&path, "create the record", source))?;
        let bodies = BodyStore::of_run(run_folder).redacting(redactor.clone());
        let recorder = Self { path, file: Mutex::new(file), bodies, redactor };
        recorder.append(&Entry { at, event: Event::Opened { schema: SCHEMA.to_owned(), run: run.clone() } })?;
        Ok(recorder)
    }

    /// Appends one entry.
    pub fn append(&self, entry: &Entry) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(entry)
            .map_err(|error| RecordError::io(&self.path, "put the event into words", std::io::Error::other(error)))?;
        if let Some(redacted) = self.redactor.redact(&line) {
            line = redacted;
        }
        line.push(b'\n');
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&line)
            .map_err(|source| RecordError::io(&self.path, "append to the record", source))
    }

    /// Where this run's bodies are kept.
    pub fn bodies(&self) -> &BodyStore {
        &self.bodies
    }
}
