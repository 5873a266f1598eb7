//! A run is kept in a bucket of the stack's own store, listed and fetched again, and a run that cannot be kept says so, on the real
//! MinIO. The command line is all that this knows.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

const CLAUSE: &str = "NFR-lgtm-d4f8c2a1-SEC-001/isolation";
const BUCKET: &str = "kept-runs-of-a-test";

/// Runs the command line with a folder of runs of its own. The stack is the one of the other tests, where it is still up.
fn lgtm_verify(runs: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgtm-verify"));
    command.args(arguments).env("LGTM_VERIFY_RUNS", runs).env_remove("LGTM_TARGET");
    command.output().unwrap()
}

/// Every file below `folder` that is no lock, with its content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found.retain(|name, _| name != "run.lock" && !name.starts_with("locks/"));
    found
}

fn only_folder(runs: &Path) -> String {
    let mut names = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.next().unwrap();
    assert_eq!(names.next(), None);
    name
}

#[test]
fn a_run_is_kept_whole_and_one_that_is_not_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let [driven, fetched, refused] = ["driven", "fetched", "refused"].map(|name| folder.path().join(name));

    let run = lgtm_verify(&driven, &["run", "--clause", CLAUSE, "--keep", BUCKET]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{told}");
    let id = only_folder(&driven);

    let from = format!("s3://{BUCKET}");
    let listed = lgtm_verify(&fetched, &["fetch", "--from", &from]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with(&id) && line.contains(CLAUSE)), "{text}");
    let fetch = lgtm_verify(&fetched, &["fetch", &id, "--from", &from]);
    assert_eq!(fetch.status.code(), Some(0), "{}", String::from_utf8_lossy(&fetch.stderr));
    assert_eq!(files(&fetched.join(&id)), files(&driven.join(&id)));
    let judged = lgtm_verify(&fetched, &["recheck", fetched.join(&id).to_str().unwrap()]);
    assert_eq!(judged.status.code(), Some(0), "{}", String::from_utf8_lossy(&judged.stderr));

    // No store has a bucket of that name. What the run found stays on the disk, and its report with it.
    let run = lgtm_verify(&refused, &["run", "--clause", CLAUSE, "--keep", "No_Such_Bucket"]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(110), "{told}");
    let id = only_folder(&refused);
    assert!(told.contains(&format!("run {id} is not kept in s3://No_Such_Bucket: ")), "{told}");
    assert!(refused.join(&id).join("report.json").is_file());
}
