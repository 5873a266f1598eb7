//! Our tree, judged as a user would have it judged. The command line is all that this knows.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// Clauses that nobody decides without SOPS.
const OF_SOPS: [&str; 2] = ["AC-lgtm-004-01/sops", "AC-lgtm-004-02/none-inline"];

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kubernetes")
}

/// Judges `tree`; returns how that ended, and clause by clause verdict and findings.
fn judged(tree: &Path) -> (Output, Vec<(String, String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lgtm-verify"));
    command
        .args(["run", "--target", "tree", "--path"])
        .arg(tree)
        .arg("--report")
        .arg(format!("json={}", report.display()));
    command.env("LGTM_VERIFY_RUNS", folder.path().join("runs")).env_remove("SOPS_AGE_KEY_FILE");
    let output = command.output().unwrap();
    let report: Value = fs::read(&report).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    let criteria = report["criteria"].as_array().cloned().unwrap_or_default();
    let clauses = criteria.iter().flat_map(|criterion| criterion["clauses"].as_array().cloned().unwrap_or_default());
    let told = |clause: Value| {
        let text = |key: &str| clause[key].as_str().unwrap().to_owned();
        (text("id"), text("verdict"), clause["findings"].to_string())
    };
    (
        output,
        clauses
            .map(told)
            .filter(|(_, verdict, _)| verdict != "not applicable" && verdict != "not_applicable")
            .collect(),
    )
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let inside = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &inside);
        } else {
            fs::copy(&path, &inside).unwrap();
        }
    }
}

#[test]
fn everything_that_files_can_show_holds_of_ours() {
    let (output, clauses) = judged(&ours());
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(clauses.len(), 34, "{told}");
    for (clause, verdict, findings) in clauses {
        let undecided = OF_SOPS.contains(&clause.as_str()) && findings.contains("sops is not in PATH");
        assert!(verdict == "pass" || (undecided && verdict == "inconclusive"), "{clause}: {verdict}: {findings}");
    }
}

#[test]
fn a_secret_in_the_clear_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    copied(&ours(), folder.path());
    let file = "apps/monitoring/tempo/app/secret.sops.yaml";
    let secret = fs::read_to_string(folder.path().join(file)).unwrap();
    let line = secret.lines().position(|line| line.trim().starts_with("S3_SECRET_ACCESS_KEY:")).unwrap();
    let altered: Vec<String> = secret
        .lines()
        .enumerate()
        .map(
            |(number, text)| {
                if number == line { "    S3_SECRET_ACCESS_KEY: plain".to_owned() } else { text.to_owned() }
            },
        )
        .collect();
    fs::write(folder.path().join(file), altered.join("\n")).unwrap();
    let (output, clauses) = judged(folder.path());
    let broken: Vec<&(String, String, String)> = clauses
        .iter()
        .filter(|(clause, verdict, _)| verdict != "pass" && !OF_SOPS.contains(&clause.as_str()))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    let (_, verdict, findings) = clauses.iter().find(|(clause, ..)| clause == OF_SOPS[0]).unwrap();
    assert_eq!((verdict.as_str(), output.status.code()), ("fail", Some(100)), "{findings}");
    assert!(findings.contains(&format!("{file}:{}: S3_SECRET_ACCESS_KEY is no ciphertext", line + 1)), "{findings}");
}

#[test]
fn what_is_no_tree_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _) = judged(folder.path());
    assert_eq!(output.status.code(), Some(96));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no file of YAML below it"), "{told}");
}
