use std::{collections::BTreeSet, io::Read};

use base64::{Engine, engine::general_purpose};
use flate2::read::GzDecoder;
use memchr::memmem;

use super::{Form, Needle, needles};

/// How a compressed text begins (RFC 1952).
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Digits of base64 in a row that may be a text of their own.
const LEAST_RUN: usize = 32;

/// Envelopes that are opened one inside the other.
const DEPTH: usize = 3;

/// Bytes that are unpacked of one compressed text, at most.
const UNPACKED: u64 = 64 << 20;

/// Finds secrets in texts, in every [`Form`].
#[derive(Debug, Clone, Default)]
pub struct Searcher {
    needles: Vec<Needle>,
}

impl Searcher {
    /// Looks for `secrets`; empty ones are nowhere.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        Self { needles: secrets.flat_map(needles).collect() }
    }

    /// Looks for what has these needles.
    pub(crate) fn of(needles: Vec<Needle>) -> Self {
        Self { needles }
    }

    /// The forms in which `text` has any of the secrets; empty where it has none.
    pub fn find(&self, text: &[u8]) -> BTreeSet<Form> {
        let mut found = BTreeSet::new();
        self.open(text, None, DEPTH, &mut found);
        found
    }

    /// Looks into a text, and into what it has packed. `within` is the form of the outermost envelope
    /// that it was in.
    fn open(&self, text: &[u8], within: Option<Form>, depth: usize, found: &mut BTreeSet<Form>) {
        let here = self.needles.iter().filter(|needle| memmem::find(text, needle.bytes()).is_some());
        found.extend(here.map(|needle| within.unwrap_or(needle.form)));
        if depth == 0 {
            return;
        }
        for start in memmem::find_iter(text, &GZIP) {
            let mut unpacked = Vec::new();
            // What follows a broken end was still there.
            let _ = GzDecoder::new(text.get(start..).unwrap_or_default()).take(UNPACKED).read_to_end(&mut unpacked);
            if !unpacked.is_empty() {
                self.open(&unpacked, Some(within.unwrap_or(Form::Gzip)), depth - 1, found);
            }
        }
        for run in text.split(|byte| !is_digit(*byte)).filter(|run| run.len() >= LEAST_RUN) {
            if let Some(decoded) = decoded(run) {
                self.open(&decoded, Some(within.unwrap_or(Form::Base64)), depth - 1, found);
            }
        }
    }
}

/// Whether it is a digit of base64, in either alphabet.
fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// What a run of digits stands for; one whose last digits make no byte is taken without them.
fn decoded(run: &[u8]) -> Option<Vec<u8>> {
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let whole = standard.get(..standard.len() - standard.len() % 4).unwrap_or_default();
    let engine = general_purpose::STANDARD_NO_PAD;
    engine.decode(&standard).or_else(|_| engine.decode(whole)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "s3cr/et+\"key\"-of/a store";

    fn forms(text: impl AsRef<[u8]>) -> Vec<Form> {
        Searcher::new([SECRET]).find(text.as_ref()).into_iter().collect()
    }

    #[test]
    fn each_form_is_found_and_named() {
        assert_eq!(forms(format!("key: {SECRET}")), [Form::Raw]);
        assert_eq!(forms(r#"{"key": "s3cr/et+\"key\"-of/a store"}"#), [Form::Json]);
        assert_eq!(forms("?key=s3cr%2Fet%2B%22key%22-of%2Fa%20store&x"), [Form::Url]);
        let standard = general_purpose::STANDARD.encode(SECRET);
        for text in
            [standard.clone(), standard.trim_end_matches('=').to_owned(), general_purpose::URL_SAFE.encode(SECRET)]
        {
            assert_eq!(forms(format!("  key: {text}\n")), [Form::Base64], "{text}");
        }
        assert_eq!(forms(Form::Gzip.of(&format!("key: {SECRET}"))), [Form::Gzip]);
    }

    #[test]
    fn envelopes_are_opened_one_inside_the_other() {
        let release = Form::Gzip.of(&format!("{{\"config\": {}}}", serde_json::Value::from(SECRET)));
        let once = general_purpose::STANDARD.encode(release);
        assert_eq!(forms(format!("release: {once}")), [Form::Base64]);
        assert_eq!(forms(general_purpose::STANDARD.encode(once)), [Form::Base64]);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let other = SECRET.replace("s3cr", "S3CR");
        assert_eq!(forms(&other), []);
        assert_eq!(forms(general_purpose::STANDARD.encode(&other)), []);
        assert_eq!(forms(Form::Gzip.of(&other)), []);
        assert_eq!(forms([&GZIP[..], b"no such thing"].concat()), []);
        assert!(Searcher::new([""]).find(b"anything").is_empty());
        assert!(!format!("{:?}", Searcher::new([SECRET])).contains("s3cr"));
    }

    proptest! {
        #[test]
        fn a_secret_is_found_wherever_it_begins_in_base64(
            before in proptest::collection::vec(any::<u8>(), 0..40),
            behind in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let text = general_purpose::STANDARD.encode([before, SECRET.as_bytes().to_vec(), behind].concat());
            prop_assert_eq!(forms(text), [Form::Base64]);
        }
    }
}
