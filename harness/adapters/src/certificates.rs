//! Certificates made for one run: what servers show, and by what clients are recognised. Must not know whose they are.

use std::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use thiserror::Error;

use crate::causes;

/// What a server shows, and by what it is recognised; all in PEM. The key of the authority is kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
}

impl Certificates {
    /// As [`Certificates::make`], but that the server's certificate has a flaw for which whoever trusts the authority has to refuse it.
    pub(crate) fn flawed(names: &[&str], flaw: Flaw) -> Result<Self, rcgen::Error> {
        match flaw {
            Flaw::OtherAuthority => Ok(Self { authority: Self::make(names)?.authority, ..Self::make(names)? }),
            Flaw::OtherName => Self::signed_by(&Signer::make()?, &["elsewhere.invalid"], None),
            Flaw::Expired => Self::signed_by(&Signer::make()?, names, Some(2020)),
        }
    }

    /// An authority, and the certificate that it signs for a server of these `names`, the first of which is its common one.
    pub(crate) fn make(names: &[&str]) -> Result<Self, rcgen::Error> {
        Self::signed_by(&Signer::make()?, names, None)
    }

    /// The same, and a certificate of the same authority for a client.
    #[cfg(test)]
    pub(crate) fn mutual(names: &[&str]) -> Result<(Self, Identity), rcgen::Error> {
        let signer = Signer::make()?;
        Ok((Self::signed_by(&signer, names, None)?, Identity::signed_by(&signer)?))
    }

    /// The server's certificate is good in one year alone, where one is given.
    fn signed_by(signer: &Signer, names: &[&str], year: Option<i32>) -> Result<Self, rcgen::Error> {
        let (server, server_key) = signer.sign(names, ExtendedKeyUsagePurpose::ServerAuth, year)?;
        Ok(Self { authority: signer.certificate.clone(), server, server_key })
    }
}

/// The certificate by which a client is recognised, and its key; both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Why a client cannot be recognised by a text.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum IdentityError {
    /// No certificate, or one that cannot be read.
    #[error("no certificate of a client: {0}")]
    Certificate(String),
    /// No key, or one that cannot be read.
    #[error("no private key of a client: {0}")]
    Key(String),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// The certificate and the private key in `pem`, in any order.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| IdentityError::Certificate(causes(&error)))?;
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| IdentityError::Key(causes(&error)))?;
        Ok(Self { certificate: pem.to_owned(), key: pem.to_owned() })
    }

    /// One of an authority that nobody trusts.
    pub(crate) fn of_nobody() -> Result<Self, rcgen::Error> {
        Self::signed_by(&Signer::make()?)
    }

    fn signed_by(signer: &Signer) -> Result<Self, rcgen::Error> {
        let (certificate, key) = signer.sign(&["lgtm-verify"], ExtendedKeyUsagePurpose::ClientAuth, None)?;
        Ok(Self { certificate, key })
    }
}

/// An authority while it signs.
struct Signer {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    fn make() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "lgtm-verify");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        Ok(Self { certificate: authority.self_signed(&key)?.pem(), issuer: Issuer::new(authority, key) })
    }

    /// A certificate for `names`, and its key.
    fn sign(
        &self,
        names: &[&str],
        usage: ExtendedKeyUsagePurpose,
        year: Option<i32>,
    ) -> Result<(String, String), rcgen::Error> {
        let mut leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        leaf.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![usage];
        if let Some(year) = year {
            (leaf.not_before, leaf.not_after) = (date_time_ymd(year, 1, 1), date_time_ymd(year + 1, 1, 1));
        }
        let key = KeyPair::generate()?;
        Ok((leaf.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

/// A certificate's chain and its key, out of PEM.
pub(crate) fn parsed(
    certificate: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| causes(&error))?;
    Ok((chain.map_err(|error| causes(&error))?, key))
}

/// Why a certificate has to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Another authority signed it.
    OtherAuthority,
    /// It is for another name.
    OtherName,
    /// Its time is over.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_of_one_run() {
        let certificates = Certificates::make(&["localhost"]).unwrap();
        assert_ne!(certificates.authority, Certificates::make(&["localhost"]).unwrap().authority);
        for (text, what) in [
            (&certificates.authority, "CERTIFICATE"),
            (&certificates.server, "CERTIFICATE"),
            (&certificates.server_key, "PRIVATE KEY"),
        ] {
            assert!(text.starts_with(&format!("-----BEGIN {what}-----")), "{what}");
        }
    }

    #[test]
    fn an_identity_needs_certificate_and_key() {
        let Identity { certificate, key } = Identity::of_nobody().unwrap();
        let read = Identity::from_pem(&format!("{key}{certificate}")).unwrap();
        assert!(!format!("{read:?}").contains("KEY"));
        assert!(matches!(Identity::from_pem(&key), Err(IdentityError::Certificate(_))));
        assert!(matches!(Identity::from_pem(&certificate), Err(IdentityError::Key(_))));
    }
}
