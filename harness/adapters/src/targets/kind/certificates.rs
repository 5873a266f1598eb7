use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// The names under which the store is reached: inside the cluster, and through a port-forward.
const NAMES: [&str; 4] = ["minio.minio.svc", "minio.minio.svc.cluster.local", "localhost", "127.0.0.1"];

/// What the store shows, and by what it is recognised; all in PEM. The key of the authority is kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Certificates {
    pub(super) authority: String,
    pub(super) server: String,
    pub(super) server_key: String,
}

impl Certificates {
    /// An authority and a server's certificate signed by it.
    pub(super) fn make() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "lgtm-verify");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let mut server = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        server.distinguished_name.push(DnType::CommonName, NAMES[0]);
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
        let certificates = Certificates::make().unwrap();
        assert_ne!(certificates.authority, Certificates::make().unwrap().authority);
        for (text, what) in [
            (&certificates.authority, "CERTIFICATE"),
            (&certificates.server, "CERTIFICATE"),
            (&certificates.server_key, "PRIVATE KEY"),
        ] {
            assert!(text.starts_with(&format!("-----BEGIN {what}-----")), "{what}");
        }
    }
}
