//! MinIO's client as a reader: a listing a call.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness_core::ports::PortError;
use serde::Deserialize;

use crate::{
    process::{self, Group, alone},
    s3::DENIALS,
    trust::Authority,
};

/// The name under which it knows the store.
const ALIAS: &str = "store";

/// The program, pointed at one store.
#[derive(Clone)]
pub(crate) struct Mc {
    pub(crate) program: PathBuf,
    /// `http://host:port` or `https://host:port`.
    pub(crate) endpoint: String,
    /// Whose certificates it takes beside those that the system knows.
    pub(crate) authority: Option<Authority>,
}

/// A line of what it says.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Line {
    Success { key: String },
    Error { error: Failure },
}

#[derive(Deserialize)]
struct Failure {
    message: String,
    cause: Option<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    message: String,
    error: Option<Answer>,
}

/// The store's own words.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Code", default)]
    code: String,
}

impl Mc {
    /// Lists what begins with `prefix` in `bucket`, signing in with these keys.
    pub(crate) async fn list(
        &self,
        (access, secret): (&str, &str),
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<String>, PortError> {
        let target = format!("mc ls {bucket}/{prefix} at {}", self.endpoint);
        let failed = |reason: String| PortError::Unreachable { target: target.clone(), reason };
        let folder = tempfile::tempdir().map_err(|error| failed(format!("a folder for it: {error}")))?;
        if let Some(authority) = &self.authority {
            trust(folder.path(), authority).map_err(|error| failed(format!("a folder for it: {error}")))?;
        }
        let program: Vec<OsString> = [
            self.program.as_os_str().to_owned(),
            "--config-dir".into(),
            folder.path().as_os_str().to_owned(),
            "--json".into(),
            "ls".into(),
            format!("{ALIAS}/{bucket}/{prefix}").into(),
        ]
        .into();
        let (scheme, place) = self.endpoint.split_once("://").unwrap_or(("http", &self.endpoint));
        // Its environment is for its user alone, its arguments are for everybody.
        let variable = (format!("MC_HOST_{ALIAS}"), format!("{scheme}://{access}:{secret}@{place}"));
        let home = folder.path().to_owned();
        let calling = move || async move {
            let mut command = Group::command(&program);
            command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env(variable.0, variable.1);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let group = Group::start(&mut command).map_err(|error| format!("setpriv, which starts it: {error}"))?;
            group.output().await.map_err(|error| format!("what it says cannot be read: {error}"))
        };
        let output = alone(calling).await.map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let listed = read(&said);
        match listed {
            Ok(keys) if output.status.success() => Ok(keys),
            Ok(_) => Err(failed(process::exit_text(Ok(output.status)))),
            Err(Refusal { denied: true, reason }) => Err(PortError::Denied { target, reason }),
            Err(Refusal { denied: false, reason }) => Err(failed(reason)),
        }
    }
}

/// Lays `authority` where the program, whose own files are in `folder`, looks for more than the system knows.
pub(crate) fn trust(folder: &Path, authority: &Authority) -> io::Result<()> {
    let certificates = folder.join("certs").join("CAs");
    fs::create_dir_all(&certificates)?;
    fs::write(certificates.join("authority.crt"), authority.pem())
}

/// Why there is no listing.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    /// Whether it is the keys that are at fault.
    denied: bool,
    reason: String,
}

/// The keys in what it says, a JSON document a line.
fn read(said: &str) -> Result<Vec<String>, Refusal> {
    let mut keys = Vec::new();
    for line in said.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Success { key }) => keys.push(key),
            Ok(Line::Error { error: Failure { message, cause } }) => {
                let code = cause.as_ref().and_then(|cause| cause.error.as_ref()).map(|answer| answer.code.as_str());
                let code = code.unwrap_or_default();
                let reason = match &cause {
                    Some(cause) => format!("{message} {} {code}", cause.message).trim().to_owned(),
                    None => message,
                };
                return Err(Refusal { denied: DENIALS.contains(&code), reason });
            }
            Err(error) => return Err(Refusal { denied: false, reason: format!("{line:?}: {error}") }),
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read_line_by_line() {
        let listed = r#"{"status":"success","type":"file","lastModified":"2026-11-27T02:00:00Z","size":7,"key":"a","etag":"x"}
{"status":"success","type":"file","size":7,"key":"b"}"#;
        assert_eq!(read(listed).unwrap(), ["a", "b"]);
        assert_eq!(read("").unwrap(), Vec::<String>::new());
        let refused = |code: &str| {
            let line = format!(
                r#"{{"status":"error","error":{{"message":"Unable to list folder.","cause":{{"message":"no","error":{{"Code":"{code}"}}}}}}}}"#
            );
            read(&line).unwrap_err()
        };
        assert_eq!(
            refused("AccessDenied"),
            Refusal { denied: true, reason: "Unable to list folder. no AccessDenied".into() }
        );
        assert!(refused("SignatureDoesNotMatch").denied && !refused("NoSuchBucket").denied);
        assert!(!read("no JSON").unwrap_err().denied);
    }
}
