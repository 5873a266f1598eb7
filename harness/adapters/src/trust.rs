//! Whom servers' certificates are checked against. Must not know which server is asked; there is no way to check nothing.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;

/// Certificate authorities of a stack's own, as PEM; each of them is one that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    pem: Vec<u8>,
}

/// Why there is nothing that certificates could be checked against.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum AuthorityError {
    /// Not PEM.
    #[error("no certificate authority: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// PEM without a certificate.
    #[error("no certificate authority: there is no certificate in it")]
    Empty,
}

impl Authority {
    /// The certificates in `pem`, all of which have to be usable.
    pub fn from_pem(pem: impl Into<Vec<u8>>) -> Result<Self, AuthorityError> {
        let pem = pem.into();
        let unreadable = |error: &dyn std::fmt::Display| AuthorityError::Unreadable { reason: error.to_string() };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() { Err(AuthorityError::Empty) } else { Ok(Self { pem }) }
    }

    /// The certificates.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_make_an_authority() {
        let made = rcgen::generate_simple_self_signed(["store".to_owned()]).unwrap().cert.pem();
        assert_eq!(Authority::from_pem(made.clone()).unwrap().pem(), made.as_bytes());
        assert_eq!(Authority::from_pem(""), Err(AuthorityError::Empty));
        let broken = made.replacen("MII", "AAA", 1);
        assert!(matches!(Authority::from_pem(broken), Err(AuthorityError::Unreadable { .. })));
    }
}
