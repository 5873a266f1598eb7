//! curl: a request a call.

use std::{ffi::OsString, process::Stdio};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Request, header::HeaderMap};

use crate::{
    http::{CONNECT_TIMEOUT, Carrier, Reply, TOTAL_TIMEOUT},
    process::{self, Group, alone},
};

/// The curl that is in `PATH`.
pub(crate) struct Curl {
    /// `curl 8.5.0`.
    name: String,
}

impl Curl {
    /// The curl that is installed; where there is none, what was tried.
    pub(crate) fn installed() -> Result<Self, String> {
        let told = std::process::Command::new("curl").arg("--version").output();
        let told = told.map_err(|error| format!("curl is not installed or not in PATH: {error}"))?;
        let text = String::from_utf8_lossy(&told.stdout);
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("curl"), Some(version)) => Ok(Self { name: format!("curl {version}") }),
            _ => Err("curl in PATH does not tell its version".to_owned()),
        }
    }
}

#[async_trait]
impl Carrier for Curl {
    fn name(&self) -> &str {
        &self.name
    }

    async fn carry(&self, request: Request) -> Result<Reply, String> {
        let program = arguments(&request)?;
        let calling = move || async move {
            let mut command = Group::command(&program);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Group::heard(&mut command).await
        };
        let output = alone(calling).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("{}: {}", process::exit_text(Ok(output.status)), said.trim()));
        }
        let status = said.lines().last().and_then(|line| line.parse().ok());
        let status = status.ok_or_else(|| format!("no status in what it said: {}", said.trim()))?;
        Ok(Reply { status, headers: HeaderMap::new(), body: Bytes::from(output.stdout) })
    }
}

/// The call: status on standard error behind all that it has to say, body on standard output.
fn arguments(request: &Request) -> Result<Vec<OsString>, String> {
    if request.body().is_some() {
        return Err("it is asked to read, and given a body to send".to_owned());
    }
    let mut words = vec![
        "curl".to_owned(),
        "--silent".to_owned(),
        "--show-error".to_owned(),
        // Brackets and braces of an address mean themselves.
        "--globoff".to_owned(),
        "--noproxy".to_owned(),
        "*".to_owned(),
        "--connect-timeout".to_owned(),
        CONNECT_TIMEOUT.as_secs().to_string(),
        "--max-time".to_owned(),
        TOTAL_TIMEOUT.as_secs().to_string(),
        "--request".to_owned(),
        request.method().to_string(),
        "--write-out".to_owned(),
        "%{stderr}\n%{http_code}".to_owned(),
    ];
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(|error| format!("header {name}: {error}"))?;
        words.extend(["--header".to_owned(), format!("{name}: {value}")]);
    }
    words.push(request.url().to_string());
    Ok(words.into_iter().map(OsString::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_address_and_the_headers() {
        let client = reqwest::Client::new();
        let request = client.get("http://127.0.0.1:1/a?b={c}").header("Accept", "application/json").build().unwrap();
        let words = arguments(&request).unwrap();
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        assert_eq!(words[words.len() - 3..], ["--header", "accept: application/json", "http://127.0.0.1:1/a?b={c}"]);
        let request = client.post("http://127.0.0.1:1").body("x").build().unwrap();
        assert!(arguments(&request).is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_told_in_its_own_words() {
        let request = reqwest::Client::new().get("http://127.0.0.1:1/").build().unwrap();
        let error = Curl { name: "curl".to_owned() }.carry(request).await.err().unwrap();
        assert!(error.starts_with("exit code 7: curl: (7) "), "{error}");
    }
}
