use std::{fmt, io::Write};

use base64::{Engine, engine::general_purpose};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};

/// In which form a text has a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As it is.
    Raw,
    /// In base64, of both alphabets, padded or not, alone or inside something longer.
    Base64,
    /// Percent-encoded.
    Url,
    /// Escaped as in a JSON string.
    Json,
    /// Compressed; perhaps inside base64, as Helm keeps releases.
    Gzip,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Base64, Self::Url, Self::Json, Self::Gzip];

    /// `text` in this form.
    pub fn of(self, text: &str) -> Vec<u8> {
        match self {
            Self::Raw => text.as_bytes().to_vec(),
            Self::Base64 => general_purpose::STANDARD.encode(text).into_bytes(),
            Self::Url => url(text).into_bytes(),
            Self::Json => json(text).into_bytes(),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                // Writing into memory does not fail.
                let _ = encoder.write_all(text.as_bytes());
                encoder.finish().unwrap_or_default()
            }
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Base64 => "base64",
            Self::Url => "URL-encoded",
            Self::Json => "JSON-escaped",
            Self::Gzip => "gzip",
        })
    }
}

/// The bytes by which a secret is found in one of its forms. Can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Needle {
    /// The form.
    pub form: Form,
    pub(super) bytes: Vec<u8>,
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Needle({:?}, hidden)", self.form)
    }
}

impl Needle {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Shorter fragments of base64 would be found anywhere.
const LEAST_FRAGMENT: usize = 8;

/// Every needle of `secret`; those of a form that changes nothing are raw ones.
pub fn needles(secret: &str) -> Vec<Needle> {
    let mut needles: Vec<Needle> = Vec::new();
    let mut add = |form, bytes: Vec<u8>| {
        if needles.iter().all(|known| known.bytes != bytes) {
            needles.push(Needle { form, bytes });
        }
    };
    for form in [Form::Raw, Form::Url, Form::Json] {
        add(form, form.of(secret));
    }
    for engine in [general_purpose::STANDARD, general_purpose::URL_SAFE] {
        add(Form::Base64, engine.encode(secret).into_bytes());
    }
    for engine in [general_purpose::STANDARD_NO_PAD, general_purpose::URL_SAFE_NO_PAD] {
        add(Form::Base64, engine.encode(secret).into_bytes());
        for offset in 0..3 {
            let fragment = inside(&engine, secret, offset);
            if fragment.len() >= LEAST_FRAGMENT {
                add(Form::Base64, fragment.into_bytes());
            }
        }
    }
    needles
}

fn url(secret: &str) -> String {
    let encoded = secret.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn json(secret: &str) -> String {
    let text = serde_json::Value::from(secret).to_string();
    text.get(1..text.len() - 1).unwrap_or_default().to_owned()
}

/// What base64 makes of a secret that begins `offset` bytes behind a multiple of three, without the digits that depend on what stands
/// before and behind it.
fn inside(engine: &general_purpose::GeneralPurpose, secret: &str, offset: usize) -> String {
    let padded = [vec![0; offset], secret.as_bytes().to_vec()].concat();
    let digits = engine.encode(&padded);
    let first = (offset * 8).div_ceil(6);
    let whole = padded.len() * 8 / 6;
    digits.get(first..whole).unwrap_or_default().to_owned()
}
