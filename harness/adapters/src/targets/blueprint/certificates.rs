use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

/// What the store shows, and by what it is recognised; all in PEM. The key of the authority is kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::targets) struct Certificates {
    pub(in crate::targets) authority: String,
    pub(in crate::targets) server: String,
    pub(in crate::targets) server_key: String,
}

impl Certificates {
    /// As [`Certificates::make`], but that the server's certificate has a flaw for which whoever trusts the authority has to refuse it.
    pub(in crate::targets) fn flawed(names: &[&str], flaw: Flaw) -> Result<Self, rcgen::Error> {
        match flaw {
            Flaw::OtherAuthority => Ok(Self { authority: Self::make(names)?.authority, ..Self::make(names)? }),
            Flaw::OtherName => Self::valid(&["elsewhere.invalid"], None),
            Flaw::Expired => Self::valid(names, Some(2020)),
        }
    }

    /// An authority, and the certificate that it signs for a server of these `names`, the first of which is its common one.
    pub(in crate::targets) fn make(names: &[&str]) -> Result<Self, rcgen::Error> {
        Self::valid(names, None)
    }

    /// The same; the server's certificate is good in one year alone, where one is given.
    fn valid(names: &[&str], year: Option<i32>) -> Result<Self, rcgen::Error> {
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
        if let Some(year) = year {
            (server.not_before, server.not_after) = (date_time_ymd(year, 1, 1), date_time_ymd(year + 1, 1, 1));
        }
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;
        Ok(Self {
            authority: authority_certificate.pem(),
            server: server_certificate.pem(),
            server_key: server_key.serialize_pem(),
        })
    }
}

/// Why a certificate has to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::targets) enum Flaw {
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
}
