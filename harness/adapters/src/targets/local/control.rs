use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use harness_core::ports::{Component, ProcessProof, Stop};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::StackState;

/// What a client asks of the supervisor: one line of JSON on `control.sock`, answered by one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub(super) enum Request {
    Status,
    Stop {
        component: Component,
        how: Stop,
    },
    Start {
        component: Component,
    },
    /// Removes the local data of a component that is stopped.
    Wipe {
        component: Component,
    },
    Shutdown {
        keep_logs: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub(super) enum Answer {
    State { state: Box<StackState> },
    Proof { proof: ProcessProof },
    Done,
    Error { reason: String },
}

/// The socket's file name in the stack's folder.
pub(super) const SOCKET: &str = "control.sock";

/// A short path to the socket in `folder`, good while the file lives: the address of a socket has 108 bytes, which a deep
/// folder exceeds.
pub(super) fn socket(folder: &Path) -> io::Result<(File, PathBuf)> {
    let file = File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", file.as_raw_fd()));
    Ok((file, path))
}

/// Asks once and waits for the answer, however long it takes.
pub(super) async fn ask(folder: &Path, request: &Request) -> io::Result<Answer> {
    let (_folder, path) = socket(folder)?;
    let mut stream = UnixStream::connect(path).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the supervisor closed the connection"));
    }
    Ok(serde_json::from_str(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_line_of_json() {
        let table = [
            (Request::Status, r#"{"request":"status"}"#),
            (
                Request::Stop { component: Component::LokiWrite, how: Stop::Kill },
                r#"{"request":"stop","component":"loki-write","how":"kill"}"#,
            ),
            (Request::Shutdown { keep_logs: true }, r#"{"request":"shutdown","keep_logs":true}"#),
        ];
        for (request, text) in table {
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
            assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
        }
    }
}
