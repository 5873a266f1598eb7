use std::collections::BTreeMap;

use harness_core::ports::Component;

use super::ContainersError;
use crate::{
    kube::bytes,
    targets::{
        blueprint::{
            ALIAS, ImageSource, KeyPair, Override, Plan, Profile, Program, Socket, Sockets, Store, Surroundings,
            configuration, go_memory_limit, resources,
        },
        local::Selection,
    },
};

/// Where a component keeps what it has, in its container.
pub(super) const DATA: &str = "/data";

/// Where a component finds its configuration, in its container.
pub(super) const CONFIGURATION: &str = "/configuration/configuration.yaml";

/// A stack of containers as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainersSpec {
    /// Its timers.
    pub profile: Profile,
    /// Changes to its configuration, later ones over earlier ones.
    pub overrides: Vec<Override>,
    /// Its parts.
    pub selection: Selection,
    /// Be reached where the design says instead of at ports that are free.
    pub design_ports: bool,
    /// Where images come from.
    pub images: ImageSource,
    /// What stands before the names of pulled images.
    pub image_prefix: Option<String>,
}

/// A container as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its name, and so its address in the network.
    pub(super) name: String,
    pub(super) image: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// What stands in [`CONFIGURATION`], if anything.
    pub(super) configuration: Option<String>,
    /// Bytes that it may not exceed.
    pub(super) memory: u64,
    /// What it is reached by from outside, and its port inside.
    pub(super) sockets: Vec<(Socket, u16)>,
}

/// What every container of a run depends on.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) run: String,
    pub(super) spec: ContainersSpec,
    pub(super) images: BTreeMap<Program, String>,
}

impl Layout {
    /// The name of a component's container, which is its address in the network of the run.
    pub(super) fn name(&self, component: Component) -> String {
        format!("{}-{component}", self.run)
    }

    /// The container of `component`, which signs in to the store with `keys`.
    pub(super) fn wanted(&self, component: Component, keys: &KeyPair) -> Result<Wanted, ContainersError> {
        let missing = |what| ContainersError::Incomplete { component, what };
        let image = self.images.get(&Program::of(component)).ok_or(missing("image"))?.clone();
        let limit = resources()?.remove(&component).and_then(|resources| bytes(&resources.limits.memory));
        let surroundings = self.surroundings(component);
        let plan = Plan { profile: self.spec.profile, overrides: &self.spec.overrides, surroundings: &surroundings };
        // JSON is YAML: the servers read what was parsed and changed, not what was written by hand.
        let configuration = configuration(component, plan)?.map(|value| format!("{value:#}"));
        let sockets = &surroundings.sockets;
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        let (arguments, environment): (Vec<String>, Vec<(&str, String)>) = match component {
            Component::Minio => (
                ["server", DATA, "--address", &format!(":{}", sockets.http), "--quiet"].map(str::to_owned).to_vec(),
                vec![
                    ("MINIO_ROOT_USER", id.clone()),
                    ("MINIO_ROOT_PASSWORD", secret.clone()),
                    ("MINIO_BROWSER", "off".to_owned()),
                    ("MINIO_UPDATE", "off".to_owned()),
                    ("HOME", "/tmp".to_owned()),
                ],
            ),
            _ => (
                vec![format!("-config.file={CONFIGURATION}"), "-config.expand-env=true".to_owned()],
                [("S3_ACCESS_KEY_ID", id.clone()), ("S3_SECRET_ACCESS_KEY", secret.clone())]
                    .into_iter()
                    .chain(go_memory_limit(component, &self.spec.overrides).map(|limit| ("GOMEMLIMIT", limit)))
                    .collect(),
            ),
        };
        let mut environment: Vec<(String, String)> =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if component == Component::Minio {
            // How the client in this container signs in, without a key in its arguments.
            let host = format!("http://{id}:{secret}@127.0.0.1:{}", sockets.http);
            environment.push((format!("MC_HOST_{ALIAS}"), host));
        }
        Ok(Wanted {
            name: self.name(component),
            image,
            arguments,
            environment,
            configuration,
            memory: limit.ok_or(missing("memory limit"))?,
            sockets: reached_by(component, sockets),
        })
    }

    /// Where `component` runs: in a network of the run's own, in which names of containers are addresses.
    fn surroundings(&self, component: Component) -> Surroundings {
        let of = |component, port: u16| format!("{}:{port}", self.name(component));
        let gossip = [Component::LokiWrite, Component::LokiRead, Component::LokiBackend];
        let inside = Sockets::of_its_own;
        Surroundings {
            listen: "0.0.0.0",
            // The address that the network gives it, which programs find by themselves.
            advertise: "",
            sockets: inside(component),
            loki_gossip: gossip.into_iter().map(|component| of(component, inside(component).gossip)).collect(),
            loki_backend: of(Component::LokiBackend, inside(Component::LokiBackend).http),
            store: Store { endpoint: of(Component::Minio, inside(Component::Minio).http), tls: false },
            data: DATA.to_owned(),
        }
    }
}

/// What a component is reached by from outside.
fn reached_by(component: Component, sockets: &Sockets) -> Vec<(Socket, u16)> {
    let http = (Socket::Http, sockets.http);
    match component {
        Component::LokiWrite => vec![http, (Socket::Grpc, sockets.grpc)],
        Component::Tempo => vec![http, (Socket::OtlpGrpc, sockets.otlp_grpc), (Socket::OtlpHttp, sockets.otlp_http)],
        _ => vec![http],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::blueprint::{Credentials, references};

    fn layout() -> Layout {
        Layout {
            run: "lgtm-verify-1".to_owned(),
            spec: ContainersSpec {
                profile: Profile::Fast,
                overrides: vec!["loki.ingester.chunk_idle_period=10m".parse().unwrap()],
                selection: Selection::ALL,
                design_ports: false,
                images: ImageSource::Built,
                image_prefix: None,
            },
            images: references(ImageSource::Built, None).unwrap(),
        }
    }

    #[test]
    fn every_component_has_its_image_its_keys_and_the_design_s_memory() {
        let (layout, credentials) = (layout(), Credentials::random().unwrap());
        let table = [
            (Component::Minio, "lgtm-verify/minio:", 1024),
            (Component::LokiWrite, "lgtm-verify/loki:", 1536),
            (Component::LokiRead, "lgtm-verify/loki:", 1536),
            (Component::LokiBackend, "lgtm-verify/loki:", 1536),
            (Component::LokiStoreReader, "lgtm-verify/loki:", 1024),
            (Component::Tempo, "lgtm-verify/tempo:", 1024),
            (Component::Mimir, "lgtm-verify/mimir:", 1536),
        ];
        for (component, image, mebibytes) in table {
            let keys = credentials.of(component);
            let wanted = layout.wanted(component, keys).unwrap();
            assert!(wanted.image.starts_with(image), "{}", wanted.image);
            assert_eq!(wanted.memory, mebibytes << 20, "{component}");
            assert_eq!(wanted.name, format!("lgtm-verify-1-{component}"));
            assert!(wanted.environment.iter().any(|(_, value)| *value == keys.secret_access_key), "{component}");
            let shown = format!("{:?}{:?}", wanted.arguments, wanted.configuration);
            assert!(credentials.secrets().all(|secret| !shown.contains(secret)), "{component}");
        }
    }

    #[test]
    fn components_find_each_other_by_the_names_of_their_containers() {
        let (layout, credentials) = (layout(), Credentials::random().unwrap());
        let text = |component| layout.wanted(component, &credentials.root).unwrap().configuration.unwrap();
        for component in [Component::LokiWrite, Component::Tempo, Component::Mimir] {
            assert!(text(component).contains("\"lgtm-verify-1-minio:9000\""), "{component}");
        }
        for member in ["loki-write", "loki-read", "loki-backend"] {
            assert!(text(Component::LokiRead).contains(&format!("\"lgtm-verify-1-{member}:7946\"")), "{member}");
        }
        assert!(text(Component::LokiRead).contains("http://lgtm-verify-1-loki-backend:3100"));
        assert!(text(Component::LokiWrite).contains("\"chunk_idle_period\": \"10m\""));
    }

    #[test]
    fn only_what_a_run_talks_to_is_reached_from_outside() {
        let (layout, credentials) = (layout(), Credentials::random().unwrap());
        let ports = |component| -> Vec<u16> {
            let sockets = layout.wanted(component, &credentials.root).unwrap().sockets;
            sockets.into_iter().map(|(_, port)| port).collect()
        };
        assert_eq!(ports(Component::Minio), [9000]);
        assert_eq!(ports(Component::LokiWrite), [3100, 9095]);
        assert_eq!(ports(Component::LokiRead), [3100]);
        assert_eq!(ports(Component::Tempo), [3200, 4317, 4318]);
        assert_eq!(ports(Component::Mimir), [8080]);
    }

    #[test]
    fn a_component_without_an_image_is_named() {
        let mut layout = layout();
        layout.images.clear();
        let keys = KeyPair::random("x").unwrap();
        assert_eq!(layout.wanted(Component::Tempo, &keys).unwrap_err().to_string(), "tempo has no image");
    }
}
