use std::path::{Path, PathBuf};

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::KubeError;

/// How to reach a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig; without one, the service account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; without one, its current one.
    pub context: Option<String>,
    /// The namespace of the stack.
    pub namespace: String,
}

/// Chooses the cryptography of every TLS connection that does not bring its own. Can be called any number of times; who came
/// first stays. Two libraries that each bring one would otherwise make the choice a panic.
pub fn install_crypto_provider() {
    // It says no where one is chosen already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl Access {
    /// What a client needs, read from the kubeconfig or the pod.
    pub(super) async fn config(&self) -> Result<Config, KubeError> {
        let mut config = match &self.kubeconfig {
            Some(path) => self.of_file(path).await?,
            None => Config::incluster().map_err(KubeError::NotInCluster)?,
        };
        // A call that is sent again behind our back would be a fault that happened twice.
        config.default_retry = false;
        Ok(config)
    }

    async fn of_file(&self, path: &Path) -> Result<Config, KubeError> {
        let unusable = |source| KubeError::Kubeconfig { path: path.to_owned(), source };
        let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
        if let Some(wanted) = &self.context
            && !kubeconfig.contexts.iter().any(|context| &context.name == wanted)
        {
            let known = kubeconfig.contexts.into_iter().map(|context| context.name).collect();
            return Err(KubeError::UnknownContext { path: path.to_owned(), wanted: wanted.clone(), known });
        }
        let has_proxy = kubeconfig
            .clusters
            .iter()
            .filter_map(|cluster| cluster.cluster.as_ref())
            .any(|cluster| cluster.proxy_url.as_ref().is_some_and(|url| !url.is_empty()));
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unusable)?;
        if !has_proxy {
            // Taken from the environment, where it means the web; no other client of the harness heeds it.
            config.proxy_url = None;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: one, context: {cluster: c, user: u}}
- {name: two, context: {cluster: c, user: u, namespace: elsewhere}}
"#;

    fn access(folder: &Path, text: &str, context: Option<&str>) -> Access {
        let path = folder.join("kubeconfig");
        std::fs::write(&path, text).unwrap();
        Access { kubeconfig: Some(path), context: context.map(str::to_owned), namespace: "monitoring".into() }
    }

    #[tokio::test]
    async fn nothing_is_sent_twice() {
        let folder = tempfile::tempdir().unwrap();
        let config = access(folder.path(), KUBECONFIG, Some("two")).config().await.unwrap();
        assert!(!config.default_retry);
        assert_eq!(config.cluster_url.to_string(), "https://127.0.0.1:1/");
        assert_eq!(config.proxy_url, None);
    }

    #[tokio::test]
    async fn an_unknown_context_is_told_with_those_that_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let error = access(folder.path(), KUBECONFIG, Some("three")).config().await.unwrap_err().to_string();
        assert!(error.ends_with("kubeconfig has no context \"three\"; it has: one, two"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_kubeconfig_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{", "apiVersion: v1\nkind: Config\ncurrent-context: one\n"] {
            let error = access(folder.path(), text, None).config().await.unwrap_err().to_string();
            assert!(error.ends_with("kubeconfig is no kubeconfig that can be used"), "{error}");
        }
        let absent =
            Access { kubeconfig: Some(folder.path().join("none")), context: None, namespace: "monitoring".into() };
        assert!(absent.config().await.unwrap_err().to_string().contains("none is no kubeconfig"));
    }

    #[test]
    fn the_provider_can_be_installed_again() {
        install_crypto_provider();
        install_crypto_provider();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
