use memchr::memmem;

use crate::secret::{Needle, Searcher, needles};

/// What stands where a secret stood.
const MASK: &[u8] = b"[redacted]";

/// Takes secrets out of everything that is recorded: by value, in every form in which one is likely to turn up.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a form that contains another goes as a whole.
    needles: Vec<Needle>,
}

impl Redactor {
    /// Knows `secrets`, raw, in base64, URL-encoded and escaped for JSON.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Needle> =
            secrets.into_iter().filter(|secret| !secret.is_empty()).flat_map(needles).collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.bytes().len()));
        needles.dedup();
        Self { needles }
    }

    /// Finds what this takes out.
    pub fn searcher(&self) -> Searcher {
        Searcher::of(self.needles.clone())
    }

    /// `bytes` without any secret; `None` where there was none, so that nothing needs to be copied.
    pub fn redact(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let present = |needle: &&Needle| memmem::find(bytes, needle.bytes()).is_some();
        let present: Vec<&Needle> = self.needles.iter().filter(present).collect();
        if present.is_empty() {
            return None;
        }
        Some(present.into_iter().fold(bytes.to_vec(), |bytes, needle| replace(&bytes, needle.bytes())))
    }
}

fn replace(bytes: &[u8], needle: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(position) = memmem::find(rest, needle) {
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
    use base64::{Engine, engine::general_purpose};

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
