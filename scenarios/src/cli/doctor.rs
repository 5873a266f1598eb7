//! What this machine has of what the local target needs.

use std::{path::Path, process::Command};

use harness_adapters::targets::blueprint::Program;
use harness_adapters::targets::local::{Folders, Selection, status};

/// One thing that is needed.
struct Need {
    name: &'static str,
    found: Result<String, String>,
}

/// A line for each thing that is needed, and whether everything is there.
pub fn doctor(folders: &Folders) -> (String, bool) {
    let needs = [
        Need { name: "go", found: version("go", &["version"], "builds the servers: install Go and put it into PATH") },
        Need {
            name: "setpriv",
            found: version(
                "setpriv",
                &["--version"],
                "has the kernel end the servers with their supervisor: install util-linux",
            ),
        },
        Need { name: "curl", found: version("curl", &["--version"], "reads as a client of others: install curl") },
        Need { name: "sops", found: Ok(sops()) },
        Need { name: "servers", found: built(folders, &Selection::ALL.programs()) },
        Need { name: "clients", found: built(folders, &clients()) },
        Need { name: "cache folder", found: writable(&folders.cache) },
        Need { name: "stack folder", found: writable(&folders.stack) },
        Need { name: "stack", found: stack(folders) },
    ];
    let fine = needs.iter().all(|need| need.found.is_ok());
    let text = needs
        .into_iter()
        .map(|need| match need.found {
            Ok(found) => format!("ok       {:<13} {found}\n", need.name),
            Err(missing) => format!("missing  {:<13} {missing}\n", need.name),
        })
        .collect();
    (text, fine)
}

fn version(program: &str, arguments: &[&str], purpose: &str) -> Result<String, String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
        }
        Ok(output) => Err(format!("{program} ended with {}; it {purpose}", output.status)),
        Err(error) => Err(format!("{program}: {error}; it {purpose}")),
    }
}

/// Needed by two clauses of one target, so that a machine without it lacks little.
fn sops() -> String {
    let purpose = "opens the secrets of target tree: install SOPS";
    version("sops", &["--version", "--disable-version-check"], purpose).unwrap_or_else(|missing| {
        format!("{missing}; without it AC-lgtm-004-01/sops and AC-lgtm-004-02/none-inline stay undecided there")
    })
}

/// Programs that send and are no part of the stack.
fn clients() -> Vec<Program> {
    Program::ALL.into_iter().filter(|program| program.is_client()).collect()
}

/// Programs that are not built yet are built when they are needed, so they are no lack.
fn built(folders: &Folders, programs: &[Program]) -> Result<String, String> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|program| {
            let folder = format!("{program}-{}", program.digest());
            !folders.cache.join("servers").join(folder).join(program.name()).is_file()
        })
        .map(|program: &Program| program.name())
        .collect();
    Ok(if missing.is_empty() {
        format!("{} built", programs.len())
    } else {
        format!("to be built when needed: {}", missing.join(", "))
    })
}

/// Whether files can be made in `folder`, or in the nearest folder above it that exists.
fn writable(folder: &Path) -> Result<String, String> {
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/"));
    let metadata = existing.metadata().map_err(|error| format!("{}: {error}", existing.display()))?;
    if metadata.permissions().readonly() {
        Err(format!("{} is read-only", existing.display()))
    } else {
        Ok(folder.display().to_string())
    }
}

fn stack(folders: &Folders) -> Result<String, String> {
    match status(&folders.stack) {
        Ok(Some(state)) => Ok(format!("up, profile {}, supervisor pid {}", state.profile, state.supervisor)),
        Ok(None) => Ok("not up; started when needed".to_owned()),
        Err(error) => Err(harness_adapters::causes(&error)),
    }
}
