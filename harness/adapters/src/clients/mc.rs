//! MinIO's client as a reader: a listing a call, or the requests that reach the store while it listens.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use harness_core::ports::PortError;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

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

impl Failure {
    /// The store's own code; empty where it gave none.
    fn code(&self) -> &str {
        let answer = self.cause.as_ref().and_then(|cause| cause.error.as_ref());
        answer.map_or("", |answer| &answer.code)
    }

    fn reason(&self) -> String {
        let cause = self.cause.as_ref().map_or("", |cause| &cause.message);
        format!("{} {cause} {}", self.message, self.code()).trim().to_owned()
    }
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
        let call = self.call((access, secret), &["ls", &format!("{ALIAS}/{bucket}/{prefix}")]).map_err(failed)?;
        let calling = move || async move { Group::heard(&mut call.command()).await };
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

    /// Each request that reaches the store from now on, those alike once, until one with each of the access keys in `awaited` has come or
    /// `lasting` is over. Needs keys that may ask the store for its trace.
    pub(crate) async fn trace(
        &self,
        (access, secret): (&str, &str),
        lasting: Duration,
        mut awaited: BTreeSet<String>,
    ) -> Result<BTreeSet<Traced>, PortError> {
        let unsupported = |reason: String| PortError::Unsupported { reason: format!("mc admin trace: {reason}") };
        let call = self.call((access, secret), &["admin", "trace", "--verbose", ALIAS]).map_err(unsupported)?;
        let listening = move || async move {
            let mut group = Group::begin(&mut call.command())?;
            let mut pipe = group.take_output().ok_or("there is no pipe from it")?;
            let mut said = Vec::new();
            let mut seen = BTreeSet::new();
            let listened = timeout(lasting, async {
                while !awaited.is_empty() {
                    let read = pipe.read_buf(&mut said).await.map_err(|error| error.to_string())?;
                    if read == 0 {
                        return Err("it has ended".to_owned());
                    }
                    let (requests, whole) = traced(&said)?;
                    said.drain(..whole);
                    requests.iter().for_each(|request| _ = awaited.remove(&request.access_key));
                    seen.extend(requests);
                }
                Ok(())
            });
            // Whoever has not come by now is missing in what was seen.
            listened.await.unwrap_or(Ok(()))?;
            Ok(seen)
        };
        alone(listening).await.map_err(unsupported)
    }

    /// The program with `arguments`, which find the store under its name.
    fn call(&self, (access, secret): (&str, &str), arguments: &[&str]) -> Result<Call, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("a folder for it: {error}"))?;
        if let Some(authority) = &self.authority {
            trust(folder.path(), authority).map_err(|error| format!("a folder for it: {error}"))?;
        }
        let mut program: Vec<OsString> = vec![self.program.clone().into(), "--config-dir".into(), folder.path().into()];
        program.push("--json".into());
        program.extend(arguments.iter().map(Into::into));
        let (scheme, place) = self.endpoint.split_once("://").unwrap_or(("http", &self.endpoint));
        Ok(Call { program, store: format!("{scheme}://{access}:{secret}@{place}"), folder })
    }
}

/// A call of the program, and the folder for what it writes, which lives as long.
struct Call {
    program: Vec<OsString>,
    store: String,
    folder: TempDir,
}

impl Call {
    fn command(&self) -> Command {
        let mut command = Group::apart(&self.program, self.folder.path());
        // Its environment is for its user alone, its arguments are for everybody.
        command.env(format!("MC_HOST_{ALIAS}"), &self.store);
        command
    }
}

/// A request, as the store tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Traced {
    /// The access key that signed it (AWS, Signature Version 4); empty where none did.
    pub(crate) access_key: String,
    /// The header `Host`.
    pub(crate) host: String,
    /// The first part of its path.
    pub(crate) bucket: String,
}

/// A document of a trace.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Request { path: String, request: Told },
    Error { error: Failure },
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// The requests in the whole documents at the beginning of `said`, and how many bytes these have.
fn traced(said: &[u8]) -> Result<(Vec<Traced>, usize), String> {
    let mut documents = serde_json::Deserializer::from_slice(said).into_iter::<Document>();
    let (mut requests, mut whole) = (Vec::new(), 0);
    loop {
        match documents.next() {
            Some(Ok(Document::Request { path, request })) => requests.push(request_of(&path, &request.headers)),
            Some(Ok(Document::Error { error })) => return Err(error.reason()),
            Some(Err(error)) if error.is_eof() => return Ok((requests, whole)),
            Some(Err(error)) => return Err(format!("not a trace: {error}")),
            None => return Ok((requests, whole)),
        }
        whole = documents.byte_offset();
    }
}

fn request_of(path: &str, headers: &BTreeMap<String, String>) -> Traced {
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let signed = header("Authorization").split_once("Credential=").map_or("", |(_, scope)| scope);
    let first = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
    Traced { access_key: first(signed), host: header("Host").to_owned(), bucket: first(path.trim_start_matches('/')) }
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
            Ok(Line::Error { error: failure }) => {
                let denied = DENIALS.contains(&failure.code());
                return Err(Refusal { denied, reason: failure.reason() });
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
    fn a_trace_is_read_as_far_as_it_is_whole() {
        let told = r#"{
 "type": "S3", "path": "/loki-chunks/index/", "request": {"headers": {"Host": "127.0.0.1:9000",
  "Authorization": "AWS4-HMAC-SHA256 Credential=loki1/20261127/us-east-1/s3/aws4_request, SignedHeaders=host"}}
}
{"path": "/", "request": {"headers": {"Host": "store"}}}
{"path": "/half"#;
        let (requests, whole) = traced(told.as_bytes()).unwrap();
        let traced_as = |access_key: &str, host: &str, bucket: &str| Traced {
            access_key: access_key.to_owned(),
            host: host.to_owned(),
            bucket: bucket.to_owned(),
        };
        assert_eq!(requests, [traced_as("loki1", "127.0.0.1:9000", "loki-chunks"), traced_as("", "store", "")]);
        assert_eq!(told[whole..].trim_start(), "{\"path\": \"/half");
        let refused = br#"{"status": "error", "error": {"message": "Unable to listen."}}"#;
        assert_eq!(traced(refused).unwrap_err(), "Unable to listen.");
        assert!(traced(b"no JSON").unwrap_err().starts_with("not a trace: "));
    }

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
