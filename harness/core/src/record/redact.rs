use base64::{Engine, engine::general_purpose};

/// What stands where a secret stood.
const MASK: &[u8] = b"[redacted]";

/// Takes secrets out of everything that is recorded: by value, in every form in which one is likely to turn up.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a form that contains another goes as a whole. Never printed: see the `Debug` of [`Hidden`].
    needles: Vec<Hidden>,
}

#[derive(Clone, PartialEq, Eq)]
struct Hidden(Vec<u8>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl Redactor {
    /// Knows `secrets`, raw, in base64 with and without padding, URL-encoded and escaped for JSON.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Hidden> =
            secrets.into_iter().filter(|secret| !secret.is_empty()).flat_map(forms).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.0.len()));
        needles.dedup();
        Self { needles }
    }

    /// `bytes` without any secret; `None` where there was none, so that nothing needs to be copied.
    pub fn redact(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let found = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let present: Vec<&Hidden> = self.needles.iter().filter(|needle| found(bytes, &needle.0)).collect();
        if present.is_empty() {
            return None;
        }
        Some(present.into_iter().fold(bytes.to_vec(), |bytes, needle| replace(&bytes, &needle.0)))
    }
}

fn forms(secret: &str) -> Vec<Hidden> {
    let url: String = secret
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let json = serde_json::Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    [
        secret.to_owned(),
        general_purpose::STANDARD.encode(secret),
        general_purpose::STANDARD_NO_PAD.encode(secret),
        general_purpose::URL_SAFE.encode(secret),
        general_purpose::URL_SAFE_NO_PAD.encode(secret),
        url,
        json,
    ]
    .into_iter()
    .map(|form| Hidden(form.into_bytes()))
    .collect()
}

fn replace(bytes: &[u8], needle: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(position) = rest.windows(needle.len()).position(|window| window == needle) {
        let (before, from) = rest.split_at(position);
        out.extend_from_slice(before);
        out.extend_from_slice(MASK);
        rest = from.get(needle.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr/et+\"key\"";

    #[test]
    fn a_secret_is_taken_out_in_every_form() {
        let redactor = Redactor::new([SECRET]);
        let url = "s3cr%2Fet%2B%22key%22";
        let json = serde_json::to_string(SECRET).unwrap();
        let base64 = general_purpose::STANDARD.encode(SECRET);
        for form in [SECRET, url, json.as_str(), base64.as_str(), base64.trim_end_matches('=')] {
            let told = redactor.redact(format!("before {form} after").as_bytes()).unwrap();
            let told = String::from_utf8(told).unwrap();
            assert!(told.starts_with("before ") && told.contains("[redacted]") && told.ends_with(" after"), "{told}");
            assert!(!told.contains("s3cr"), "{told}");
        }
    }

    #[test]
    fn what_holds_no_secret_is_left_alone() {
        assert_eq!(Redactor::new([SECRET]).redact(b"nothing here"), None);
        assert_eq!(Redactor::new([""]).redact(b"nothing here"), None);
        assert!(!format!("{:?}", Redactor::new([SECRET])).contains("s3cr"));
    }
}
