use std::{collections::BTreeMap, fs, io, path::Path};

use harness_core::ports::{Component, Principal};
use thiserror::Error;

use crate::{
    kube::{Cluster, KubeError},
    s3::Keys,
    trust::{Authority, AuthorityError},
};

/// What a run has to know of a stack that it did not bring up.
#[derive(Clone)]
pub struct Facts {
    /// The object store's base URL, as the stack's own pods reach it.
    pub store: String,
    /// The keys of the harness, and those with which each component runs.
    pub keys: BTreeMap<Principal, Keys>,
    /// Every secret value among them.
    pub secrets: Vec<String>,
    /// Whom the store's certificate is checked against; the system's own authorities where there is none.
    pub authority: Option<Authority>,
    /// The name of the stack's timers.
    pub profile: String,
    /// How long the store keeps incomplete uploads, where that is known.
    pub incomplete_upload_expiry: Option<String>,
    /// Component to version.
    pub versions: BTreeMap<String, String>,
}

/// Why a run does not know enough of a stack.
#[derive(Debug, Error)]
pub enum FactsError {
    /// The cluster does not tell.
    #[error(transparent)]
    Cluster(#[from] KubeError),
    /// A key of a secret, or the variable that stands for it.
    #[error("{place} has no {key}")]
    Missing {
        /// The secret, or the environment.
        place: String,
        /// The key.
        key: String,
    },
    /// The authority.
    #[error("{place}")]
    Authority {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        source: AuthorityError,
    },
    /// The versions.
    #[error("{place}: versions is not a JSON object of texts")]
    Versions {
        /// Where they stand.
        place: String,
        /// What is wrong with them.
        source: serde_json::Error,
    },
    /// A file.
    #[error("{path}")]
    File {
        /// The file.
        path: String,
        /// What happened to it.
        source: io::Error,
    },
}

/// The secret of the harness, and of each component that owns a bucket.
const SECRETS: [(&str, Principal, &str); 4] = [
    ("lgtm-verify-s3-secret", Principal::Harness, ""),
    ("loki-s3-secret", Principal::Component(Component::LokiWrite), "LOKI_"),
    ("tempo-s3-secret", Principal::Component(Component::Tempo), "TEMPO_"),
    ("mimir-s3-secret", Principal::Component(Component::Mimir), "MIMIR_"),
];

/// The stack's own word about itself: a ConfigMap outside, a folder of the same keys inside.
const STACK: &str = "lgtm-verify-stack";

/// The store's authority, likewise.
const AUTHORITY: &str = "lgtm-verify-ca";

impl Facts {
    /// Asks the cluster: four secrets and two ConfigMaps of the stack's namespace.
    pub async fn of_cluster(cluster: &Cluster) -> Result<Self, FactsError> {
        let mut gathered = Gathered::default();
        for (name, principal, _) in SECRETS {
            let secret = cluster.secret(name).await?;
            gathered.keys(principal, &format!("secret {name}"), |key| secret.get(key).cloned())?;
        }
        // Not every stack was brought up by us.
        let of = async |name: &str| match cluster.config_map(name).await {
            Err(KubeError::NotFound { .. }) => Ok(BTreeMap::new()),
            told => told,
        };
        let (stack, authority) = (of(STACK).await?, of(AUTHORITY).await?);
        gathered.settle(&format!("ConfigMap {STACK}"), |key| stack.get(key).cloned(), authority.get("ca.crt").cloned())
    }

    /// Reads what a pod was given: keys in its environment (those of the components with `LOKI_`, `TEMPO_` and `MIMIR_` in front), the
    /// ConfigMaps as the folders `stack` and `ca` below `folder`.
    pub fn of_pod(environment: impl Fn(&str) -> Option<String>, folder: &Path) -> Result<Self, FactsError> {
        let mut gathered = Gathered::default();
        for (_, principal, prefix) in SECRETS {
            gathered.keys(principal, "the environment", |key| environment(&format!("{prefix}{key}")))?;
        }
        let read = |path: &str| match fs::read_to_string(folder.join(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FactsError::File { path: folder.join(path).display().to_string(), source }),
        };
        let mut stack = BTreeMap::new();
        for key in ["profile", "incomplete-upload-expiry", "versions"] {
            stack.extend(read(&format!("stack/{key}"))?.map(|text| (key, text)));
        }
        let place = folder.join("stack").display().to_string();
        gathered.settle(&place, |key| stack.get(key).cloned(), read("ca/ca.crt")?)
    }
}

#[derive(Default)]
struct Gathered {
    keys: BTreeMap<Principal, Keys>,
    secrets: Vec<String>,
    store: Option<String>,
}

impl Gathered {
    fn keys(
        &mut self,
        principal: Principal,
        place: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<(), FactsError> {
        let of =
            |key: &str| value(key).ok_or_else(|| FactsError::Missing { place: place.to_owned(), key: key.to_owned() });
        let (access, secret) = (of("S3_ACCESS_KEY_ID")?, of("S3_SECRET_ACCESS_KEY")?);
        self.secrets.push(secret.clone());
        self.keys.insert(principal, Keys::new(access, secret));
        if principal == Principal::Harness {
            self.store = Some(of("S3_ENDPOINT")?);
        }
        Ok(())
    }

    fn settle(
        self,
        place: &str,
        stack: impl Fn(&str) -> Option<String>,
        authority: Option<String>,
    ) -> Result<Facts, FactsError> {
        let authority = authority
            .map(Authority::from_pem)
            .transpose()
            .map_err(|source| FactsError::Authority { place: AUTHORITY.to_owned(), source })?;
        let versions = stack("versions").map_or_else(|| Ok(BTreeMap::new()), |text| serde_json::from_str(&text));
        Ok(Facts {
            store: self.store.unwrap_or_default(),
            keys: self.keys,
            secrets: self.secrets,
            authority,
            // Timers that nobody shortened are those of the deployment.
            profile: stack("profile").map_or_else(|| "deployed".to_owned(), |text| text.trim().to_owned()),
            incomplete_upload_expiry: stack("incomplete-upload-expiry").map(|text| text.trim().to_owned()),
            versions: versions.map_err(|source| FactsError::Versions { place: place.to_owned(), source })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "S3_ENDPOINT" => Some("https://minio.minio.svc:443".to_owned()),
            name if name.ends_with("S3_ACCESS_KEY_ID") || name.ends_with("S3_SECRET_ACCESS_KEY") => {
                Some(format!("value of {name}"))
            }
            _ => None,
        }
    }

    #[test]
    fn a_pod_knows_its_stack_from_its_environment_and_two_folders() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Facts::of_pod(environment, folder.path()).unwrap();
        assert_eq!((plain.profile.as_str(), plain.store.as_str()), ("deployed", "https://minio.minio.svc:443"));
        assert_eq!(plain.keys.len(), 4);
        assert!(plain.secrets.contains(&"value of MIMIR_S3_SECRET_ACCESS_KEY".to_owned()));
        fs::create_dir(folder.path().join("stack")).unwrap();
        fs::write(folder.path().join("stack/profile"), "fast\n").unwrap();
        fs::write(folder.path().join("stack/versions"), r#"{"loki": "v3"}"#).unwrap();
        let told = Facts::of_pod(environment, folder.path()).unwrap();
        assert_eq!((told.profile.as_str(), told.versions["loki"].as_str()), ("fast", "v3"));
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let without = |name: &str| environment(name).filter(|_| !name.starts_with("TEMPO_"));
        let error = Facts::of_pod(without, folder.path()).err().unwrap();
        assert_eq!(error.to_string(), "the environment has no S3_ACCESS_KEY_ID");
        fs::create_dir(folder.path().join("stack")).unwrap();
        fs::write(folder.path().join("stack/versions"), "[]").unwrap();
        assert!(matches!(Facts::of_pod(environment, folder.path()), Err(FactsError::Versions { .. })));
    }
}
