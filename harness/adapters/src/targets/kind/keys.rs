use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client, api::ObjectMeta};

use super::{KindError, apply::Cluster};
use crate::{
    certificates::Certificates,
    targets::blueprint::{Credentials, KeyPair, Program},
};

/// A secret by where it is.
#[derive(Debug, Clone, Copy)]
struct Place {
    namespace: &'static str,
    name: &'static str,
}

const ROOT: Place = Place { namespace: "minio", name: "minio-root-secret" };
const TLS: Place = Place { namespace: "minio", name: "minio-tls-secret" };
const HARNESS: Place = Place { namespace: "monitoring", name: "lgtm-verify-s3-secret" };

/// The programs that sign in to the store: the secret, the endpoint as that program wants it, the bucket.
const PROGRAMS: [(Program, Place, &str, &str); 3] = [
    (Program::Loki, Place { namespace: "monitoring", name: "loki-s3-secret" }, WITH_SCHEME, "loki-chunks"),
    (Program::Tempo, Place { namespace: "monitoring", name: "tempo-s3-secret" }, WITHOUT_SCHEME, "tempo-traces"),
    (Program::Mimir, Place { namespace: "monitoring", name: "mimir-s3-secret" }, WITHOUT_SCHEME, "mimir-blocks"),
];

/// The names under which the store is reached: inside the cluster, and through a port-forward.
const NAMES: [&str; 4] = ["minio.minio.svc", "minio.minio.svc.cluster.local", "localhost", "127.0.0.1"];

const WITH_SCHEME: &str = "https://minio.minio.svc:443";
const WITHOUT_SCHEME: &str = "minio.minio.svc:443";

/// Everything secret about a cluster. It is kept in the cluster's secrets and nowhere else.
pub(super) struct Keys {
    pub(super) credentials: Credentials,
    /// The harness' own.
    pub(super) harness: KeyPair,
    pub(super) certificates: Certificates,
}

impl Keys {
    /// Those that the cluster has, and new ones for what it has not.
    pub(super) async fn of(cluster: &Cluster) -> Result<Self, KindError> {
        let mut credentials = Credentials::random()?;
        if let Some(pair) = pair(cluster, ROOT, "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD").await? {
            credentials.root = pair;
        }
        for (program, place, _, _) in PROGRAMS {
            if let Some(pair) = component(cluster, place).await? {
                credentials.programs.insert(program, pair);
            }
        }
        let harness = match component(cluster, HARNESS).await? {
            Some(pair) => pair,
            None => KeyPair::random("harness")?,
        };
        let tls = read(cluster, TLS).await?;
        let certificates = match (tls.get("ca.crt"), tls.get("tls.crt"), tls.get("tls.key")) {
            (Some(authority), Some(server), Some(key)) => {
                Certificates { authority: authority.clone(), server: server.clone(), server_key: key.clone() }
            }
            _ => Certificates::make(&NAMES)?,
        };
        Ok(Self { credentials, harness, certificates })
    }

    /// Every value that must not be shown.
    pub(super) fn values(&self) -> Vec<&str> {
        self.credentials
            .secrets()
            .chain([self.harness.secret_access_key.as_str(), self.certificates.server_key.as_str()])
            .collect()
    }

    /// The secrets that hold them.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let root = &self.credentials.root;
        let mut secrets = vec![
            secret(
                ROOT,
                "Opaque",
                &[("MINIO_ROOT_USER", &root.access_key_id), ("MINIO_ROOT_PASSWORD", &root.secret_access_key)],
            ),
            secret(
                TLS,
                "kubernetes.io/tls",
                &[
                    ("ca.crt", &self.certificates.authority),
                    ("tls.crt", &self.certificates.server),
                    ("tls.key", &self.certificates.server_key),
                ],
            ),
            s3_secret(HARNESS, &self.harness, WITH_SCHEME, "lgtm-verify-results"),
        ];
        secrets.extend(PROGRAMS.into_iter().filter_map(|(program, place, endpoint, bucket)| {
            Some(s3_secret(place, self.credentials.programs.get(&program)?, endpoint, bucket))
        }));
        secrets
    }
}

fn s3_secret(place: Place, pair: &KeyPair, endpoint: &str, bucket: &str) -> Secret {
    secret(
        place,
        "Opaque",
        &[
            ("S3_ACCESS_KEY_ID", &pair.access_key_id),
            ("S3_SECRET_ACCESS_KEY", &pair.secret_access_key),
            ("S3_ENDPOINT", endpoint),
            ("S3_BUCKET", bucket),
        ],
    )
}

fn secret(place: Place, kind: &str, data: &[(&str, &str)]) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(place.name.to_owned()),
            namespace: Some(place.namespace.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(kind.to_owned()),
        data: Some(
            data.iter().map(|(name, value)| ((*name).to_owned(), ByteString(value.as_bytes().to_vec()))).collect(),
        ),
        ..Secret::default()
    }
}

async fn component(cluster: &Cluster, place: Place) -> Result<Option<KeyPair>, KindError> {
    pair(cluster, place, "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY").await
}

async fn pair(cluster: &Cluster, place: Place, id: &str, secret: &str) -> Result<Option<KeyPair>, KindError> {
    let mut data = read(cluster, place).await?;
    Ok(data
        .remove(id)
        .zip(data.remove(secret))
        .map(|(access_key_id, secret_access_key)| KeyPair { access_key_id, secret_access_key }))
}

/// What a secret holds; nothing where there is none.
async fn read(cluster: &Cluster, place: Place) -> Result<BTreeMap<String, String>, KindError> {
    let client: Client = cluster.client.clone();
    let found = Api::<Secret>::namespaced(client, place.namespace)
        .get_opt(place.name)
        .await
        .map_err(|error| cluster.error(format!("read secret {}/{}", place.namespace, place.name), &error))?;
    Ok(found
        .and_then(|secret| secret.data)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value.0).into_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_the_design_s_four_keys_and_its_own_pair() {
        let keys = Keys {
            credentials: Credentials::random().unwrap(),
            harness: KeyPair::random("harness").unwrap(),
            certificates: Certificates::make(&NAMES).unwrap(),
        };
        let secrets = keys.secrets();
        let of = |name: &str| {
            let secret = secrets.iter().find(|secret| secret.metadata.name.as_deref() == Some(name)).unwrap();
            let data = secret.data.clone().unwrap();
            let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
            assert_eq!(data.len(), 4, "{name}");
            (text("S3_ACCESS_KEY_ID"), text("S3_ENDPOINT"), text("S3_BUCKET"))
        };
        let table = [
            ("loki-s3-secret", "https://minio.minio.svc:443", "loki-chunks"),
            ("tempo-s3-secret", "minio.minio.svc:443", "tempo-traces"),
            ("mimir-s3-secret", "minio.minio.svc:443", "mimir-blocks"),
            ("lgtm-verify-s3-secret", "https://minio.minio.svc:443", "lgtm-verify-results"),
        ];
        let mut ids = Vec::new();
        for (name, endpoint, bucket) in table {
            let (id, found_endpoint, found_bucket) = of(name);
            assert_eq!((found_endpoint.as_str(), found_bucket.as_str()), (endpoint, bucket), "{name}");
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), table.len());
    }
}
