use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// What the store shows, and by what it is recognised; all in PEM. The key of the authority is kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::targets) struct Certificates {
    pub(in crate::targets) authority: String,
    pub(in crate::targets) server: String,
    pub(in crate::targets) server_key: String,
}

impl Certificates {
    /// An authority, and the certificate that it signs for a server of these `names`, the first of which is its common one.
    pub(in crate::targets) fn make(names: &[&str]) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "lgtm-verify");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let mut server = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        server.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;
        Ok(Self {
            authority: authority_certificate.pem(),
            server: server_certificate.pem(),
            server_key: server_key.serialize_pem(),
        })
    }
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
}
