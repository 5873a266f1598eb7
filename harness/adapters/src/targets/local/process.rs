use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use harness_core::ports::Stop;
use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;
use tokio::process::{Child, Command};

/// Bytes of a log's end that are looked at.
const TAIL_BYTES: u64 = 256 * 1024;

/// Variables of the supervisor that its servers see too; everything else that they see is theirs.
const PASSED_ON: [&str; 5] = ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A process to start.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: Vec<OsString>,
    /// Secrets among them: the environment of a process is for its user alone, its arguments are for everybody.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) log: PathBuf,
}

/// Why a process could not be started or signalled.
#[derive(Debug, Error)]
pub(super) enum ProcessError {
    #[error("setpriv (util-linux) is not installed or not in PATH")]
    SetprivMissing(#[source] io::Error),
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    #[error("pid {pid} could not be signalled")]
    Signal { pid: u32, source: rustix::io::Errno },
}

/// Starts a process that dies with the thread that starts it, whatever ends that thread: the kernel kills it
/// (`PR_SET_PDEATHSIG`, set by setpriv, which then becomes the program). To be called from the supervisor's main thread
/// only: the signal follows the parent *thread*, so a process started from a worker would die with the worker.
pub(super) fn spawn(start: Start<'_>) -> Result<Child, ProcessError> {
    let file = |source| ProcessError::File { path: start.log.clone(), source };
    let log = File::options().create(true).append(true).open(&start.log).map_err(file)?;
    let errors = log.try_clone().map_err(file)?;
    let passed_on = PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(start.program)
        .args(start.arguments)
        .env_clear()
        .envs(passed_on)
        .envs(start.environment)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(ProcessError::SetprivMissing)
}

/// Sends the signal that `how` stands for.
pub(super) fn signal(pid: u32, how: Stop) -> Result<(), ProcessError> {
    let signal = match how {
        Stop::Graceful => Signal::TERM,
        Stop::Kill => Signal::KILL,
    };
    let failed = |source| ProcessError::Signal { pid, source };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(failed(rustix::io::Errno::SRCH))?;
    kill_process(process, signal).map_err(failed)
}

/// `exit code 1` or `signal 9`.
pub(super) fn exit_text(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("could not be waited for: {error}"),
    }
}

/// Bytes that `log` has now; 0 where there is none.
pub(super) fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// The last lines of `log` behind byte `from`, oldest first, at most as many as fit [`TAIL_BYTES`].
pub(super) fn tail(log: &Path, from: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    let begin = end.saturating_sub(TAIL_BYTES).max(from);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is a whole one only where the reading began at its begin.
    let cut = usize::from(begin > from);
    Ok(text.lines().skip(cut).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_is_read_from_where_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        let from = length(&log);
        std::fs::write(&log, "one\ntwo\nthree\nfour\n").unwrap();
        assert_eq!(tail(&log, from).unwrap(), ["three", "four"]);
        assert!(tail(&folder.path().join("none"), 0).is_err());
        assert_eq!(length(&folder.path().join("none")), 0);
    }

    #[test]
    fn a_long_log_is_cut_at_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let line = "x".repeat(999);
        std::fs::write(&log, format!("{line}\n").repeat(600)).unwrap();
        let lines = tail(&log, 0).unwrap();
        assert!(lines.len() > 200);
        assert!(lines.iter().all(|found| *found == line));
    }

    #[test]
    fn how_a_process_ended_is_said() {
        assert_eq!(exit_text(Ok(ExitStatus::from_raw(256))), "exit code 1");
        assert_eq!(exit_text(Ok(ExitStatus::from_raw(9))), "signal 9");
    }
}
