use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness_core::{
    lock::{Access, FOREVER, Held},
    ports::{Clock, Tick},
};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::process::Group;

use super::{Event, Program, Progress, log::last, pins::BUILD_ARGUMENTS};

/// Built programs, by what they are.
pub type Programs = BTreeMap<Program, PathBuf>;

/// Lines of a failed build that are shown.
const LAST_LINES: usize = 20;

/// Why a program could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no Go.
    #[error("go is not installed or not in PATH: {program} needs go {needed} or newer")]
    GoMissing {
        /// What was to be built.
        program: Program,
        /// The oldest Go that builds it.
        needed: &'static str,
    },
    /// There is an old Go.
    #[error("go {found} is too old: {program} needs go {needed} or newer")]
    GoTooOld {
        /// What was to be built.
        program: Program,
        /// The Go that is installed.
        found: String,
        /// The oldest Go that builds it.
        needed: &'static str,
    },
    /// There is no setpriv.
    #[error("setpriv (util-linux) is not installed or not in PATH")]
    SetprivMissing(#[source] io::Error),
    /// No room for what is built, or for Go's own caches.
    #[error("no space left on the disk while building {program}; built servers are kept in {folder}")]
    DiskFull {
        /// What was to be built.
        program: Program,
        /// Where it would be kept.
        folder: PathBuf,
    },
    /// Go said no.
    #[error("go could not build {program}:\n{last_lines}")]
    Failed {
        /// What was to be built.
        program: Program,
        /// The end of what Go said.
        last_lines: String,
    },
    /// A file or folder of the cache.
    #[error("{path}")]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What happened to it.
        source: io::Error,
    },
}

/// Builds `programs` into `cache`, those that are not there already, and returns where they are. Takes minutes when nothing is
/// cached; a second caller waits for the first. Dropped before its end, it ends what it has started and gives back its lock;
/// nothing half built is taken for whole. To be awaited on a thread that lives as long: Go dies with the thread that starts it.
pub async fn build(
    programs: &[Program],
    cache: &Path,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<Programs, BuildError> {
    let servers = cache.join("servers");
    let mut built = Programs::new();
    for &program in programs {
        let go = [OsString::from("go")];
        let site = Site { program, servers: &servers, go: &go, clock, progress, began: clock.now() };
        built.insert(program, site.build().await?);
    }
    Ok(built)
}

/// Where and how one program is built.
struct Site<'a> {
    program: Program,
    servers: &'a Path,
    /// The program `go`, and arguments before all others.
    go: &'a [OsString],
    clock: &'a dyn Clock,
    progress: &'a dyn Progress,
    began: Tick,
}

impl Site<'_> {
    async fn build(&self) -> Result<PathBuf, BuildError> {
        let program = self.program;
        let built = self.servers.join(format!("{program}-{}", program.digest()));
        let binary = built.join(program.name());
        if binary.is_file() {
            return Ok(binary);
        }
        self.create(self.servers)?;
        let lock_path = self.servers.join(format!("{program}.lock"));
        let open = || File::create(&lock_path).map_err(self.at(&lock_path));
        let _alone = match Held::try_take(open()?, Access::Write).map_err(self.at(&lock_path))? {
            Some(lock) => lock,
            None => {
                self.say("waiting for another build of the same program", None);
                Held::take(open()?, Access::Write, self.clock, FOREVER).await.map_err(self.at(&lock_path))?
            }
        };
        // Somebody may have built it since it was looked for.
        if binary.is_file() {
            return Ok(binary);
        }

        let work = Work::in_folder(self.servers.join(format!(".building-{program}")));
        // Whoever left it behind does not hold the lock any more.
        remove_folder(&work.folder).map_err(self.at(&work.folder))?;
        for folder in [&work.module, &work.output, &work.temporary] {
            self.create(folder)?;
        }
        for (name, text) in [("go.mod", program.go_mod()), ("go.sum", program.go_sum())] {
            let path = work.module.join(name);
            fs::write(&path, text).map_err(self.at(&path))?;
        }
        self.check_go(&work).await?;
        self.say("fetching modules", None);
        let total = self.count_packages(&work).await?;
        self.compile(&work, total).await?;
        remove_folder(&built).map_err(self.at(&built))?;
        fs::rename(&work.output, &built).map_err(self.at(&built))?;
        remove_folder(&work.folder).map_err(self.at(&work.folder))?;
        self.say("built", Some((total, total)));
        Ok(binary)
    }

    fn say(&self, detail: &str, steps: Option<(usize, usize)>) {
        self.progress.note(Event {
            what: format!("build {}", self.program),
            elapsed: self.clock.now().since(self.began),
            detail: detail.to_owned(),
            steps,
        });
    }

    fn create(&self, folder: &Path) -> Result<(), BuildError> {
        fs::create_dir_all(folder).map_err(self.at(folder))
    }

    fn at(&self, path: &Path) -> impl Fn(io::Error) -> BuildError + use<> {
        let (program, folder, path) = (self.program, self.servers.to_owned(), path.to_owned());
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => BuildError::DiskFull { program, folder: folder.clone() },
            _ => BuildError::Cache { path: path.clone(), source },
        }
    }

    /// Go and all that it starts, still without arguments.
    fn go(&self, work: &Work) -> Command {
        let mut command = Group::command(self.go);
        command.current_dir(&work.module).env("GOTMPDIR", &work.temporary).stdin(Stdio::null());
        as_installed(&mut command);
        command
    }

    fn start(&self, work: &Work, command: &mut Command) -> Result<Group, BuildError> {
        Group::start(command).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BuildError::SetprivMissing(source),
            _ => self.at(&work.module)(source),
        })
    }

    async fn check_go(&self, work: &Work) -> Result<(), BuildError> {
        let (program, needed) = (self.program, self.program.needs_go());
        let Some((go, arguments)) = self.go.split_first() else {
            return Err(BuildError::GoMissing { program, needed });
        };
        let mut command = Command::new(go);
        // Outside the module: inside it an old Go answers with an error instead of its version.
        command.args(arguments).args(["env", "GOVERSION"]).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        let answer = as_installed(&mut command).output().await.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BuildError::GoMissing { program, needed },
            _ => self.at(&work.module)(source),
        })?;
        let found = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches("go").to_owned();
        if version_numbers(&found) < version_numbers(needed) {
            return Err(BuildError::GoTooOld { program, found, needed });
        }
        Ok(())
    }

    async fn count_packages(&self, work: &Work) -> Result<usize, BuildError> {
        let mut command = self.go(work);
        command.args(["list", "-mod=readonly", "-deps", self.program.package()]);
        let listing = self.start(work, command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let answer = listing.output().await.map_err(self.at(&work.module))?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(self.failed(last(said.lines().map(str::to_owned).collect(), LAST_LINES)));
        }
        Ok(answer.stdout.iter().filter(|&&byte| byte == b'\n').count())
    }

    async fn compile(&self, work: &Work, total: usize) -> Result<(), BuildError> {
        let broken = self.at(&work.module);
        let mut command = self.go(work);
        command.arg("build").args(BUILD_ARGUMENTS).arg("-o").arg(work.output.join(self.program.name()));
        command.arg(self.program.package());
        let mut building = self.start(work, command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let mut compiled = 0;
        let mut last_lines = VecDeque::new();
        self.say("compiling", Some((0, total)));
        if let Some(errors) = building.take_errors() {
            let mut lines = BufReader::new(errors).lines();
            while let Some(line) = lines.next_line().await.map_err(&broken)? {
                compiled += usize::from(is_package(&line));
                let steps = Some((compiled.min(total), total));
                self.say(&format!("compiled {compiled} of at most {total} packages"), steps);
                last_lines.push_back(line);
                if last_lines.len() > LAST_LINES {
                    last_lines.pop_front();
                }
            }
        }
        let status = building.wait().await.map_err(&broken)?;
        if status.success() { Ok(()) } else { Err(self.failed(last_lines.into())) }
    }

    fn failed(&self, last_lines: Vec<String>) -> BuildError {
        let last_lines = last_lines.join("\n");
        if last_lines.contains("no space left on device") {
            BuildError::DiskFull { program: self.program, folder: self.servers.to_owned() }
        } else {
            BuildError::Failed { program: self.program, last_lines }
        }
    }
}

/// The folders of a build that is under way.
struct Work {
    folder: PathBuf,
    module: PathBuf,
    output: PathBuf,
    /// For Go's own unfinished files: a Go that is killed does not remove them, the next build does.
    temporary: PathBuf,
}

impl Work {
    fn in_folder(folder: PathBuf) -> Self {
        let [module, output, temporary] = ["module", "output", "temporary"].map(|name| folder.join(name));
        Self { folder, module, output, temporary }
    }
}

/// The installed Go decides: one that is too old is an error here, not a download of another.
fn as_installed(go: &mut Command) -> &mut Command {
    go.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").env("GOWORK", "off")
}

/// `1.26.8`, `1.26`, `1.27rc1` as comparable numbers; what is not a number ends them.
fn version_numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

/// `go build -v` names a package a line; its other lines have spaces or begin with `#`.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.contains(' ') && !line.starts_with('#')
}

pub(in crate::targets) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;
    use crate::{SystemClock, targets::blueprint::Silent};

    #[test]
    fn versions_compare_by_number() {
        assert!(version_numbers("1.26.10") > version_numbers("1.26.9"));
        assert!(version_numbers("1.26.8") >= version_numbers("1.26"));
        assert!(version_numbers("1.27rc1") > version_numbers("1.26.5"));
        assert!(version_numbers("1.25.9") < version_numbers("1.26"));
        assert!(version_numbers("") < version_numbers("1.26"));
    }

    #[test]
    fn only_package_lines_count() {
        assert!(is_package("github.com/minio/minio/cmd"));
        for line in ["# github.com/minio/minio", "go: downloading a v1", "./a.go:1:2: undefined: x", ""] {
            assert!(!is_package(line), "{line:?}");
        }
    }

    /// Tells that a package was compiled.
    #[derive(Default)]
    struct Compiling(Notify);

    impl Progress for Compiling {
        fn note(&self, event: Event) {
            if event.detail.starts_with("compiled") {
                self.0.notify_one();
            }
        }
    }

    /// A shell script in the place of Go; `build` is what it does when it is to build the file `$OUTPUT`.
    fn go(build: &str) -> Vec<OsString> {
        let script = format!(
            "case $1 in env) echo go99.0 ;; list) echo a ;; build) until test $1 = -o; do shift; done; OUTPUT=$2; {build} ;; esac"
        );
        ["sh", "-c", &script, "go"].map(OsString::from).to_vec()
    }

    async fn build_mc(servers: &Path, go: &[OsString], progress: &dyn Progress) -> Result<PathBuf, BuildError> {
        let clock = &SystemClock::start();
        Site { program: Program::Mc, servers, go, clock, progress, began: clock.now() }.build().await
    }

    #[test]
    fn a_full_disk_is_told_from_a_failed_build() {
        let clock = &SystemClock::start();
        let servers = Path::new("/c");
        let site = Site { program: Program::Loki, servers, go: &[], clock, progress: &Silent, began: clock.now() };
        assert!(matches!(site.failed(vec!["no space left on device".into()]), BuildError::DiskFull { .. }));
        assert!(matches!(site.failed(vec!["undefined: x".into()]), BuildError::Failed { .. }));
        let full = site.at(servers)(io::ErrorKind::StorageFull.into());
        assert!(matches!(full, BuildError::DiskFull { .. }));
        let denied = site.at(servers)(io::ErrorKind::PermissionDenied.into());
        assert!(matches!(denied, BuildError::Cache { .. }));
    }

    #[tokio::test]
    async fn what_is_built_is_not_built_again() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("servers").join(format!("mc-{}", Program::Mc.digest()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("mc"), "").unwrap();
        let programs = build(&[Program::Mc], cache.path(), &SystemClock::start(), &Silent).await.unwrap();
        assert_eq!(programs[&Program::Mc], folder.join("mc"));
    }

    #[tokio::test]
    async fn a_dropped_build_ends_what_go_started_and_leaves_nothing_that_looks_built() {
        let servers = tempfile::tempdir().unwrap();
        let pipe = servers.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Whoever lives holds the pipe open; whoever outlives the wait says so.
        let stays = go(&format!(
            "exec 3>{}; echo half >$OUTPUT; (sleep 60; echo outlived >&3) & echo a >&2; wait",
            pipe.display()
        ));
        let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
        let compiling = Compiling::default();
        tokio::select! {
            built = build_mc(servers.path(), &stays, &compiling) => panic!("{built:?}"),
            () = compiling.0.notified() => {}
        }
        assert_eq!(reader.join().unwrap(), "");
        let binary = servers.path().join(format!("mc-{}", Program::Mc.digest())).join("mc");
        assert!(!binary.exists());

        let built = build_mc(servers.path(), &go("echo whole >$OUTPUT"), &Silent).await.unwrap();
        assert_eq!(built, binary);
        assert_eq!(fs::read_to_string(binary).unwrap(), "whole\n");
        assert!(!servers.path().join(".building-mc").exists());
    }

    #[tokio::test]
    async fn a_failed_build_says_what_go_said() {
        let servers = tempfile::tempdir().unwrap();
        let error =
            build_mc(servers.path(), &go("echo a >&2; echo undefined: x >&2; exit 1"), &Silent).await.unwrap_err();
        assert_eq!(error.to_string(), "go could not build mc:\na\nundefined: x");
        let error = build_mc(servers.path(), &["no-such-go".into()], &Silent).await.unwrap_err();
        assert!(matches!(error, BuildError::GoMissing { .. }), "{error}");
    }
}
