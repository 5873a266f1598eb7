use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use harness_core::ports::{Clock, Tick};
use thiserror::Error;

use super::{Event, Program, Progress, pins::BUILD_ARGUMENTS};

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

/// Builds `programs` into `cache`, those that are not there already, and returns where they are. Blocks for minutes when
/// nothing is cached; a second caller waits for the first.
pub fn build(
    programs: &[Program],
    cache: &Path,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<Programs, BuildError> {
    programs.iter().map(|&program| Ok((program, build_one(program, cache, clock, progress)?))).collect()
}

fn build_one(
    program: Program,
    cache: &Path,
    clock: &dyn Clock,
    progress: &dyn Progress,
) -> Result<PathBuf, BuildError> {
    let servers = cache.join("servers");
    let built = servers.join(format!("{program}-{}", program.digest()));
    let binary = built.join(program.name());
    if binary.is_file() {
        return Ok(binary);
    }
    create(program, &servers)?;
    let lock_path = servers.join(format!("{program}.lock"));
    let at = |path: &Path| {
        let path = path.to_owned();
        let folder = servers.clone();
        move |source| cache_error(program, &folder, path, source)
    };
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    let report = Reporter { program, began: clock.now(), clock, progress };
    if lock.try_lock().is_err() {
        report.say("waiting for another build of the same program", None);
        lock.lock().map_err(at(&lock_path))?;
        if binary.is_file() {
            return Ok(binary);
        }
    }

    let work = servers.join(format!(".building-{program}"));
    // Whoever left it behind does not hold the lock any more.
    remove_folder(&work).map_err(at(&work))?;
    let module = work.join("module");
    let output = work.join("output");
    create(program, &module)?;
    create(program, &output)?;
    for (name, text) in [("go.mod", program.go_mod()), ("go.sum", program.go_sum())] {
        let path = module.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    check_go(program, &module)?;
    report.say("fetching modules", None);
    let total = count_packages(program, &module, &servers)?;
    compile(program, &module, &output.join(program.name()), total, &servers, &report)?;
    remove_folder(&built).map_err(at(&built))?;
    fs::rename(&output, &built).map_err(at(&built))?;
    remove_folder(&work).map_err(at(&work))?;
    report.say("built", Some((total, total)));
    Ok(binary)
}

struct Reporter<'a> {
    program: Program,
    began: Tick,
    clock: &'a dyn Clock,
    progress: &'a dyn Progress,
}

impl Reporter<'_> {
    fn say(&self, detail: &str, steps: Option<(usize, usize)>) {
        self.progress.note(Event {
            what: format!("build {}", self.program),
            elapsed: self.clock.now().since(self.began),
            detail: detail.to_owned(),
            steps,
        });
    }
}

fn go(module: &Path) -> Command {
    let mut command = Command::new("go");
    // The installed Go decides: one that is too old is an error here, not a download of another.
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    command.stdin(Stdio::null());
    command
}

fn check_go(program: Program, module: &Path) -> Result<(), BuildError> {
    let needed = program.needs_go();
    // Outside the module: inside it an old Go answers with an error instead of its version.
    let answer = go(Path::new("/")).args(["env", "GOVERSION"]).output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BuildError::GoMissing { program, needed },
        _ => BuildError::Cache { path: module.to_owned(), source },
    })?;
    let found = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches("go").to_owned();
    if version_numbers(&found) < version_numbers(needed) {
        return Err(BuildError::GoTooOld { program, found, needed });
    }
    Ok(())
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

fn count_packages(program: Program, module: &Path, servers: &Path) -> Result<usize, BuildError> {
    let answer = go(module)
        .args(["list", "-mod=readonly", "-deps", program.package()])
        .output()
        .map_err(|source| cache_error(program, servers, module.to_owned(), source))?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        let last_lines = said.lines().rev().take(LAST_LINES).map(str::to_owned).collect::<VecDeque<_>>();
        return Err(failed(program, servers, last_lines.into_iter().rev().collect()));
    }
    Ok(answer.stdout.iter().filter(|&&byte| byte == b'\n').count())
}

fn compile(
    program: Program,
    module: &Path,
    output: &Path,
    total: usize,
    servers: &Path,
    report: &Reporter<'_>,
) -> Result<(), BuildError> {
    let broken = |source| cache_error(program, servers, module.to_owned(), source);
    let mut child = go(module)
        .arg("build")
        .args(BUILD_ARGUMENTS)
        .arg("-o")
        .arg(output)
        .arg(program.package())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(broken)?;
    let mut compiled = 0;
    let mut last_lines = VecDeque::new();
    report.say("compiling", Some((0, total)));
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.map_err(broken)?;
            compiled += usize::from(is_package(&line));
            report.say(&format!("compiled {compiled} of at most {total} packages"), Some((compiled.min(total), total)));
            last_lines.push_back(line);
            if last_lines.len() > LAST_LINES {
                last_lines.pop_front();
            }
        }
    }
    let status = child.wait().map_err(broken)?;
    if status.success() { Ok(()) } else { Err(failed(program, servers, last_lines)) }
}

/// `go build -v` names a package a line; its other lines have spaces or begin with `#`.
fn is_package(line: &str) -> bool {
    !line.is_empty() && !line.contains(' ') && !line.starts_with('#')
}

fn failed(program: Program, servers: &Path, last_lines: VecDeque<String>) -> BuildError {
    let last_lines = Vec::from(last_lines).join("\n");
    if last_lines.contains("no space left on device") {
        BuildError::DiskFull { program, folder: servers.to_owned() }
    } else {
        BuildError::Failed { program, last_lines }
    }
}

fn cache_error(program: Program, servers: &Path, path: PathBuf, source: io::Error) -> BuildError {
    if source.kind() == io::ErrorKind::StorageFull {
        BuildError::DiskFull { program, folder: servers.to_owned() }
    } else {
        BuildError::Cache { path, source }
    }
}

fn create(program: Program, folder: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(folder).map_err(|source| cache_error(program, folder, folder.to_owned(), source))
}

pub(in crate::targets) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_full_disk_is_told_from_a_failed_build() {
        let said = |line: &str| failed(Program::Loki, Path::new("/c"), VecDeque::from([line.to_owned()]));
        assert!(matches!(said("write: no space left on device"), BuildError::DiskFull { .. }));
        assert!(matches!(said("undefined: x"), BuildError::Failed { .. }));
    }

    #[test]
    fn what_is_built_is_not_built_again() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("servers").join(format!("mc-{}", Program::Mc.digest()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("mc"), "").unwrap();
        let programs = build(&[Program::Mc], cache.path(), &SystemClock::start(), &Silent).unwrap();
        assert_eq!(programs[&Program::Mc], folder.join("mc"));
    }
}
