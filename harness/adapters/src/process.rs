//! Processes that die with their parent, one by one or with everything that they started; and the ends of their logs. Must not know what
//! they do.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
};

use harness_core::ports::Stop;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use thiserror::Error;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::oneshot,
};

/// Bytes of a log's end that are looked at.
const TAIL_BYTES: u64 = 256 * 1024;

/// Variables of the supervisor that its servers see too; everything else that they see is theirs.
const PASSED_ON: [&str; 5] = ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A process to start.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<OsString>,
    /// Secrets among them: the environment of a process is for its user alone, its arguments are for everybody.
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) log: PathBuf,
}

/// Why a process could not be started or signalled.
#[derive(Debug, Error)]
pub(crate) enum ProcessError {
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
pub(crate) fn spawn(start: Start<'_>) -> Result<Child, ProcessError> {
    let file = |source| ProcessError::File { path: start.log.clone(), source };
    let log = File::options().create(true).append(true).open(&start.log).map_err(file)?;
    let errors = log.try_clone().map_err(file)?;
    let passed_on = PASSED_ON.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    with_parent("KILL", start.program.as_os_str())
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

/// `program`, to get `signal` from the kernel when the thread that starts it ends.
fn with_parent(signal: &str, program: &OsStr) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// A program and all that it starts, as one process group. The group is killed when this is dropped, and when the thread that
/// started it ends, whatever ends that: the kernel then wakes the shell that leads the group, which kills it (a signal at the
/// parent's end does not go on to what a child has started).
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
}

/// What leads a group: runs its arguments, and ends as they do.
const LEAD: &str = r#"trap 'kill -KILL 0' TERM; "$@" & wait $!"#;

impl Group {
    /// What is to be completed with its arguments, environment and output, and given to [`Group::start`].
    pub(crate) fn command(program: &[OsString]) -> Command {
        let mut command = with_parent("TERM", OsStr::new("sh"));
        command.args(["-c", LEAD, "sh"]).args(program).process_group(0);
        command
    }

    /// The same for a program that sees nothing of this process' environment but `PATH`, keeps its own files in `home`, and is listened to.
    pub(crate) fn apart(program: &[OsString], home: &Path) -> Command {
        let mut command = Self::command(program);
        command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// As [`Group::start`]; why it cannot be started, in words.
    pub(crate) fn begin(command: &mut Command) -> Result<Self, String> {
        Self::start(command).map_err(|error| format!("setpriv, which starts it: {error}"))
    }

    /// Starts it and waits until it has ended: how it did, and what it wrote.
    pub(crate) async fn heard(command: &mut Command) -> Result<Output, String> {
        Self::begin(command)?.output().await.map_err(|error| format!("what it says cannot be read: {error}"))
    }

    /// To be called from a thread that lives as long as the group is to.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self { leader: command.spawn()? })
    }

    /// What it writes to standard error, where that is piped and was not taken before.
    pub(crate) fn take_errors(&mut self) -> Option<ChildStderr> {
        self.leader.stderr.take()
    }

    /// What it writes to standard output, where that is piped and was not taken before.
    pub(crate) fn take_output(&mut self) -> Option<ChildStdout> {
        self.leader.stdout.take()
    }

    /// How the program ends.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait().await
    }

    /// How the program ends, and what it has written to the pipes until then.
    pub(crate) async fn output(mut self) -> io::Result<Output> {
        let (stdout, stderr) = (self.leader.stdout.take(), self.leader.stderr.take());
        let (stdout, stderr, status) = tokio::try_join!(whole(stdout), whole(stderr), self.leader.wait())?;
        Ok(Output { status, stdout, stderr })
    }
}

async fn whole(pipe: Option<impl AsyncReadExt + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

impl Drop for Group {
    fn drop(&mut self) {
        // There is no number any more once the leader's end was waited for, and nobody in the group.
        let leader = self.leader.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(group) = leader {
            // A group that has ended by itself is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Does `work` on a thread of its own, which lives exactly as long: processes that die with their thread can be started there. When
/// nobody waits for it any more it is given up.
pub(crate) async fn alone<T, F, Fut>(work: F) -> Result<T, String>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, String>>,
{
    let (mut answer, answered) = oneshot::channel();
    let on_thread = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                // Nobody hears it where nobody waits.
                let _ = answer.send(Err(format!("no runtime for it: {error}")));
                return;
            }
        };
        let done = runtime.block_on(async {
            tokio::select! {
                () = answer.closed() => None,
                done = work() => Some(done),
            }
        });
        if let Some(done) = done {
            let _ = answer.send(done);
        }
    };
    std::thread::Builder::new()
        .name("process".to_owned())
        .spawn(on_thread)
        .map_err(|error| format!("no thread for it: {error}"))?;
    answered.await.unwrap_or_else(|_| Err("its thread ended early".to_owned()))
}

/// Sends the signal that `how` stands for.
pub(crate) fn signal(pid: u32, how: Stop) -> Result<(), ProcessError> {
    let signal = match how {
        Stop::Graceful => Signal::TERM,
        Stop::Kill => Signal::KILL,
    };
    let failed = |source| ProcessError::Signal { pid, source };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(failed(rustix::io::Errno::SRCH))?;
    kill_process(process, signal).map_err(failed)
}

/// How the end of a process that ended by itself is told, before the number.
pub(crate) const EXIT_CODE: &str = "exit code ";

/// `exit code 1` or `signal 9`.
pub(crate) fn exit_text(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("{EXIT_CODE}{code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("could not be waited for: {error}"),
    }
}

/// Bytes that `log` has now; 0 where there is none.
pub(crate) fn length(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// The last lines of `log` behind byte `from`, oldest first, at most as many as fit [`TAIL_BYTES`].
pub(crate) fn tail(log: &Path, from: u64) -> io::Result<Vec<String>> {
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
    fn a_group_dies_with_the_thread_that_started_it() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Whoever lives holds the pipe open; whoever outlives the wait says so.
        let script = format!("exec 3>{}; (sleep 60; echo outlived >&3) & wait", pipe.display());
        let program = ["sh", "-c", &script].map(OsString::from);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let starter = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let group = runtime.block_on(async { Group::start(&mut Group::command(&program)).unwrap() });
            // As in a process that is killed, nothing is dropped.
            std::mem::forget(group);
            ended.recv().unwrap();
        });
        let mut alive = File::open(pipe).unwrap();
        end.send(()).unwrap();
        starter.join().unwrap();
        let mut said = String::new();
        alive.read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }

    #[tokio::test]
    async fn a_group_ends_as_its_program_does_and_hands_over_what_it_wrote() {
        let program = ["sh", "-c", "echo out; echo err >&2; exit $1", "sh", "3"].map(OsString::from);
        let mut command = Group::command(&program);
        let group = Group::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
        let output = group.output().await.unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
    }

    #[test]
    fn how_a_process_ended_is_said() {
        assert_eq!(exit_text(Ok(ExitStatus::from_raw(256))), "exit code 1");
        assert_eq!(exit_text(Ok(ExitStatus::from_raw(9))), "signal 9");
    }

    #[tokio::test]
    async fn work_is_done_on_a_thread_of_its_own_and_given_up_with_its_caller() {
        let here = std::thread::current().id();
        let there = alone(|| async { Ok(std::thread::current().id()) }).await.unwrap();
        assert_ne!(here, there);

        let (dropped, given_up) = oneshot::channel::<()>();
        let endless = alone(|| async move {
            let _held = dropped;
            std::future::pending::<Result<(), String>>().await
        });
        let (begun, mut endless) = (tokio::task::yield_now(), Box::pin(endless));
        tokio::select! { biased; _ = &mut endless => panic!("ended"), () = begun => {} }
        drop(endless);
        assert!(given_up.await.is_err());
    }
}
