//! The API matrix of the stack: each row's protocol, spoken at any row's address, and by any client. Must not judge the answers beyond
//! their form.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use harness_core::{
    observation::{Evidence, EvidenceKind},
    ports::{
        Clock, Component, Doorstep, Interface, Interfaces, PortError, Presented, PushAnswer, PushOutcome, Reception,
        Spoken,
    },
    signal::Signal,
    stage::bucket_of,
    stimulus::encode::EncodeError,
};
use serde_json::Value;

use crate::{
    causes,
    certificates::{Certificates, Identity},
    faults::Door,
    greeting::{GreetingError, Guise, Language, greet},
    http::{Exchange, Http},
    loki::Loki,
    mimir::Mimir,
    outcome,
    tempo::Tempo,
    trust::Authority,
};

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The base address that leads there: `http://127.0.0.1:40123`.
    pub url: String,
    /// Host and port by the name that the stack has for them.
    pub name: String,
}

impl Address {
    /// An address whose host and port are those of the URL.
    pub fn of_url(url: &str) -> Self {
        let place = url.split_once("://").map_or(url, |(_, place)| place);
        Self { url: url.to_owned(), name: place.to_owned() }
    }
}

/// The rows of a stack's API matrix.
pub struct StackInterfaces {
    http: Http,
    rows: BTreeMap<Interface, Address>,
    /// The harness' certificate of the declared authority, where it has one.
    identity: Option<Identity>,
}

impl StackInterfaces {
    /// The rows at these addresses; those that speak TLS have a certificate of `authority`, or of one that the system knows.
    pub fn new(
        rows: BTreeMap<Interface, Address>,
        authority: Option<&Authority>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        Ok(Self { http: Http::trusting(authority, clock)?, rows, identity: None })
    }

    /// The same, with a certificate of the declared authority to show.
    pub fn recognised_by(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }

    fn row(&self, at: Interface) -> Result<&Address, PortError> {
        let missing = || PortError::Unsupported { reason: format!("the stack has no address for {at}") };
        self.rows.get(&at).ok_or_else(missing)
    }

    /// `path` below `url` answers 200 with a JSON object that has `member`.
    async fn json(&self, component: Component, url: &str, path: &str, member: &str) -> (bool, Exchange) {
        let exchange = self.http.send(EvidenceKind::Query, component, self.http.get(&format!("{url}{path}"))).await;
        let answered = exchange.reply.as_ref().is_ok_and(|reply| {
            let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
            reply.status == 200 && body.is_some_and(|body| body.get(member).is_some())
        });
        (answered, exchange)
    }

    /// A request that nobody signed is denied, in S3's form.
    async fn unsigned(&self, url: &str) -> (bool, Exchange) {
        let request = self.http.get(&format!("{url}/{}?list-type=2", bucket_of(Signal::Logs)));
        let exchange = self.http.send(EvidenceKind::Listing, Component::Minio, request).await;
        let answered = exchange.reply.as_ref().is_ok_and(|reply| {
            let body = String::from_utf8_lossy(&reply.body);
            reply.status == 403 && body.contains("<Error>") && body.contains("<Code>AccessDenied</Code>")
        });
        (answered, exchange)
    }
}

#[async_trait]
impl Interfaces for StackInterfaces {
    async fn speak(&self, interface: Interface, at: Interface) -> Result<Spoken, PortError> {
        let address = self.row(at)?;
        let url = address.url.as_str();
        let http = self.http.clone();
        let spoken = match interface {
            Interface::LogQueries => asked(self.json(Component::LokiRead, url, "/loki/api/v1/labels", "status").await),
            Interface::TraceQueries => asked(self.json(Component::Tempo, url, "/api/search?limit=1", "traces").await),
            Interface::SampleQueries => {
                asked(self.json(Component::Mimir, url, "/prometheus/api/v1/query?query=vector(1)", "data").await)
            }
            Interface::LogPushes => pushed(Loki::new(http, url, url, url, None).push_grpc(&[]).await)?,
            Interface::SpanPushes => pushed(Tempo::new(http, url, url, url).push_grpc(&[]).await)?,
            Interface::SamplePushes => pushed(Mimir::new(http, url).push_v1(&[]).await)?,
            Interface::ObjectStore => {
                let spoken = asked(self.unsigned(url).await);
                // The client takes no certificate that it cannot verify.
                Spoken { verified_tls: spoken.answered && url.starts_with("https://"), ..spoken }
            }
        };
        Ok(Spoken { address: address.name.clone(), ..spoken })
    }

    fn address(&self, of: Interface) -> Result<String, PortError> {
        Ok(self.row(of)?.name.clone())
    }

    async fn connect(&self, at: Doorstep, presenting: Presented) -> Result<(Reception, Evidence), PortError> {
        let unusable = |reason: String| PortError::Unsupported { reason };
        let none = || unusable("the harness has no certificate of the declared authority".to_owned());
        let shown = match presenting {
            Presented::PlainText | Presented::NoCertificate => None,
            Presented::ForeignCertificate => Some(Identity::of_nobody().map_err(|error| unusable(causes(&error)))?),
            Presented::DeclaredCertificate => Some(self.identity.clone().ok_or_else(none)?),
        };
        let guise = if presenting == Presented::PlainText { Guise::PlainText } else { Guise::Tls(shown.as_ref()) };
        match at {
            Doorstep::Row(interface) => {
                let address = self.row(interface)?;
                let place = Address::of_url(&address.url).name;
                self.received(&address.name, &place, language(interface), presenting, guise).await
            }
            Doorstep::OpenToAll => {
                let shown = Certificates::make(&["127.0.0.1"]).map_err(|error| unusable(causes(&error)))?;
                let door = Door::open(&shown.server, &shown.server_key).map_err(|error| unusable(causes(&error)))?;
                let place = door.address().to_string();
                self.received(&place, &place, Language::Http1, presenting, guise).await
            }
        }
    }
}

impl StackInterfaces {
    async fn received(
        &self,
        name: &str,
        place: &str,
        language: Language,
        presenting: Presented,
        guise: Guise<'_>,
    ) -> Result<(Reception, Evidence), PortError> {
        let mut evidence = Evidence::new(EvidenceKind::Query, self.http.clock().unix_ns());
        evidence.request = Some(format!("connect to {name}, presenting {}", presenting.describe()));
        let (reception, told) = greet(place, language, guise).await.map_err(|error| match error {
            GreetingError::Identity(reason) => PortError::Unsupported { reason },
            error => PortError::Unreachable { target: name.to_owned(), reason: causes(&error) },
        })?;
        evidence.excerpt = Some(told);
        Ok((reception, evidence))
    }
}

fn language(interface: Interface) -> Language {
    match interface {
        Interface::LogPushes | Interface::SpanPushes => Language::Http2,
        Interface::LogQueries
        | Interface::TraceQueries
        | Interface::SamplePushes
        | Interface::SampleQueries
        | Interface::ObjectStore => Language::Http1,
    }
}

fn asked((answered, exchange): (bool, Exchange)) -> Spoken {
    let mut evidence = exchange.evidence;
    if let Err(reason) = exchange.reply {
        evidence.excerpt = Some(format!("no answer: {reason}"));
    }
    Spoken { address: String::new(), answered, verified_tls: false, evidence }
}

/// A push without records: the service answers it, and nothing is left behind.
fn pushed(answer: Result<PushAnswer, EncodeError>) -> Result<Spoken, PortError> {
    let answer = answer.map_err(|error| PortError::Unsupported { reason: error.to_string() })?;
    let mut evidence = answer.evidence;
    evidence.excerpt.get_or_insert_with(|| outcome::in_words(&answer.outcome));
    let answered = answer.outcome == PushOutcome::Acked;
    Ok(Spoken { address: String::new(), answered, verified_tls: false, evidence })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
        sync::Mutex,
        time::Duration,
    };

    use harness_core::poll::{Ended, Schedule, Step, until};

    use super::*;
    use crate::{
        SystemClock,
        certificates::Flaw,
        loopback,
        process::{Start, alone, spawn},
        targets::{
            blueprint::{Program, Silent, build},
            local::Folders,
        },
    };

    /// Which of a server's ports speak TLS, and whether they demand a certificate of their clients.
    #[derive(Clone, Copy)]
    struct Speaks {
        http: bool,
        grpc: bool,
        otlp: bool,
        demands: bool,
    }

    const ALL_DEMANDING: Speaks = Speaks { http: true, grpc: true, otlp: true, demands: true };
    const IN_THE_CLEAR: Speaks = Speaks { http: false, grpc: false, otlp: false, demands: false };

    /// A server by its own configuration: store and all else in `folder`, and what its ports speak.
    fn configuration(program: Program, folder: &Path, [http, grpc, otlp]: [u16; 3], speaks: Speaks) -> String {
        let folder = folder.display();
        let shown = format!("cert_file: {folder}/server.crt, key_file: {folder}/server.key");
        let demanded = if speaks.demands { format!(", client_ca_file: {folder}/authority.crt") } else { String::new() };
        let required = if speaks.demands { ", client_auth_type: RequireAndVerifyClientCert" } else { "" };
        let tls = |name: &str, wanted: bool| {
            if wanted { format!(", {name}: {{{shown}{demanded}{required}}}") } else { String::new() }
        };
        let server = format!(
            "server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, \
             grpc_listen_port: {grpc}{}{}}}",
            tls("http_tls_config", speaks.http),
            tls("grpc_tls_config", speaks.grpc)
        );
        match program {
            Program::Loki => format!(
                "auth_enabled: false\n{server}\n\
                 common: {{path_prefix: {folder}, replication_factor: 1, instance_addr: 127.0.0.1, ring: {{kvstore: {{store: inmemory}}}}, \
                 storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}}}\n\
                 schema_config: {{configs: [{{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, \
                 index: {{prefix: index_, period: 24h}}}}]}}\n"
            ),
            Program::Tempo => format!(
                "{server}\n\
                 distributor: {{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{otlp}'{}}}}}}}}}}}\n\
                 storage: {{trace: {{backend: local, local: {{path: {folder}/blocks}}, wal: {{path: {folder}/wal}}}}}}\n",
                if speaks.otlp { format!(", tls: {{{shown}{demanded}}}") } else { String::new() }
            ),
            _ => format!(
                "multitenancy_enabled: false\n{server}\n\
                 common: {{storage: {{backend: filesystem, filesystem: {{dir: {folder}/blocks}}}}}}\n\
                 blocks_storage: {{tsdb: {{dir: {folder}/tsdb}}, bucket_store: {{sync_dir: {folder}/sync}}}}\n\
                 compactor: {{data_dir: {folder}/compactor, sharding_ring: {ring}}}\n\
                 ruler_storage: {{filesystem: {{dir: {folder}/rules}}}}\ndistributor: {{ring: {ring}}}\n\
                 ingester: {{ring: {single}}}\nstore_gateway: {{sharding_ring: {single}}}\n\
                 frontend: {{address: 127.0.0.1}}\nmemberlist: {{bind_addr: [127.0.0.1], bind_port: 0}}\n\
                 activity_tracker: {{filepath: {folder}/activity.log}}\n",
                ring = "{instance_addr: 127.0.0.1, kvstore: {store: inmemory}}",
                single = "{instance_addr: 127.0.0.1, kvstore: {store: inmemory}, replication_factor: 1}",
            ),
        }
    }

    async fn built(program: Program) -> PathBuf {
        let built = alone(move || async move {
            let folders = Folders::from_environment().map_err(|error| error.to_string())?;
            build(&[program], &folders.cache, &SystemClock::start(), &Silent).await.map_err(|error| causes(&error))
        });
        built.await.unwrap().get(&program).unwrap().clone()
    }

    /// What `ask` brings of a real server that shows `certificates`; its ports are those of HTTP, gRPC and OTLP.
    async fn with_server<T, A, F>(program: Program, certificates: &Certificates, speaks: Speaks, ask: A) -> T
    where
        T: Send + 'static,
        A: FnOnce([u16; 3]) -> F + Send + 'static,
        F: Future<Output = Result<T, String>> + Send,
    {
        let server = built(program).await;
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("authority.crt", &certificates.authority),
            ("server.crt", &certificates.server),
            ("server.key", &certificates.server_key),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let mut taken = std::collections::BTreeSet::new();
        let ports = [0, 1, 2].map(|_| {
            let port = loopback::free_port(&taken).unwrap();
            taken.insert(port);
            port
        });
        let file = folder.path().join("server.yaml");
        fs::write(&file, configuration(program, folder.path(), ports, speaks)).unwrap();
        let log = folder.path().join("log");
        alone(move || async move {
            let arguments = vec![format!("-config.file={}", file.display()).into()];
            let start = Start { program: &server, arguments, environment: Vec::new(), log: log.clone() };
            let mut process = spawn(start).map_err(|error| causes(&error))?;
            let told = ask(ports).await;
            process.kill().await.map_err(|error| error.to_string())?;
            told.map_err(|error| format!("{error}\n{}", fs::read_to_string(&log).unwrap_or_default()))
        })
        .await
        .unwrap()
    }

    /// Until `look` says yes, for a minute.
    async fn eventually<F: Future<Output = Step<()>>>(
        clock: &dyn Clock,
        look: impl FnMut() -> F,
    ) -> Result<(), String> {
        let schedule = Schedule { first: Duration::from_millis(100), share: 0.0 };
        match until(clock, schedule, clock.now().after(Duration::from_secs(60)), look).await {
            Ended::Ready(()) => Ok(()),
            Ended::TimedOut(last) | Ended::Never(last) => Err(last),
        }
    }

    /// How every client is received at `rows` of a real server that demands certificates.
    async fn received(program: Program, rows: Vec<(Interface, usize)>) -> Vec<(Interface, Vec<&'static str>)> {
        let (certificates, identity) = Certificates::mutual(&["127.0.0.1"]).unwrap();
        with_server(program, &certificates, ALL_DEMANDING, move |ports| async move {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
            let url = |place: usize| format!("https://127.0.0.1:{}", ports.get(place).unwrap());
            let addresses = rows.iter().map(|(row, place)| (*row, Address::of_url(&url(*place)))).collect();
            let interfaces =
                StackInterfaces::new(addresses, None, Arc::clone(&clock)).unwrap().recognised_by(Some(identity));
            let mut seen = Vec::new();
            for (row, _) in rows {
                let listens = eventually(clock.as_ref(), || async {
                    match interfaces.connect(Doorstep::Row(row), Presented::DeclaredCertificate).await {
                        Ok((Reception::Answered, _)) => Step::Ready(()),
                        other => Step::NotYet(format!("{row}: {other:?}")),
                    }
                });
                listens.await?;
                let mut words = Vec::new();
                for presented in Presented::ALL {
                    let received = interfaces.connect(Doorstep::Row(row), presented).await;
                    let (reception, _) = received.map_err(|error| error.to_string())?;
                    words.push(reception.describe());
                }
                seen.push((row, words));
            }
            Ok(seen)
        })
        .await
    }

    /// What the harness makes of a real server's port that shows `certificates` when it asks at `scheme` for `row`; once the port is open, and
    /// where `answered` is expected, once the server answers.
    async fn asked_by_tls(
        (program, row, place, speaks): (Program, Interface, usize, Speaks),
        certificates: &Certificates,
        scheme: &'static str,
        answered: bool,
    ) -> String {
        let authority = Authority::from_pem(certificates.authority.clone()).unwrap();
        with_server(program, certificates, speaks, move |ports| async move {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
            let port = ports.get(place).unwrap();
            let rows = BTreeMap::from([(row, Address::of_url(&format!("{scheme}://127.0.0.1:{port}")))]);
            let interfaces = StackInterfaces::new(rows, Some(&authority), Arc::clone(&clock)).unwrap();
            let mut told = String::new();
            eventually(clock.as_ref(), || async {
                match tokio::net::TcpStream::connect(("127.0.0.1", *port)).await {
                    Ok(_) => Step::Ready(()),
                    Err(error) => Step::NotYet(error.to_string()),
                }
            })
            .await?;
            let asked = Mutex::new(String::new());
            eventually(clock.as_ref(), || async {
                let spoken = interfaces.speak(row, row).await.unwrap();
                let excerpt = spoken.evidence.excerpt.unwrap_or_default();
                let words = if spoken.answered { "answered".to_owned() } else { excerpt };
                words.clone_into(&mut asked.lock().unwrap());
                if spoken.answered || !answered { Step::Ready(()) } else { Step::NotYet(words) }
            })
            .await?;
            asked.lock().unwrap().clone_into(&mut told);
            Ok(told)
        })
        .await
    }

    #[tokio::test]
    async fn a_server_is_asked_only_where_its_certificate_is_right() {
        let http = Speaks { http: true, ..IN_THE_CLEAR };
        let ports = [
            (Program::Loki, Interface::LogQueries, 0, http),
            // Its own parts speak gRPC in the clear to each other.
            (Program::Loki, Interface::LogPushes, 1, Speaks { grpc: true, ..IN_THE_CLEAR }),
            (Program::Tempo, Interface::TraceQueries, 0, http),
            (Program::Tempo, Interface::SpanPushes, 2, Speaks { otlp: true, ..IN_THE_CLEAR }),
            (Program::Mimir, Interface::SampleQueries, 0, http),
            (Program::Mimir, Interface::SamplePushes, 0, http),
        ];
        let good = Certificates::make(&["127.0.0.1"]).unwrap();
        for port in ports {
            let (program, row, place, _) = port;
            assert_eq!(asked_by_tls(port, &good, "https", true).await, "answered", "{row}");
            for (flaw, reason) in [
                // The other one has the same name, and another key.
                (Flaw::OtherAuthority, "BadSignature"),
                (Flaw::OtherName, "not valid for name"),
                (Flaw::Expired, "expired"),
            ] {
                let flawed = Certificates::flawed(&["127.0.0.1"], flaw).unwrap();
                let told = asked_by_tls(port, &flawed, "https", false).await;
                assert!(told.contains(reason), "{row}, {flaw:?}: {told}");
            }
            let plain_server = (program, row, place, IN_THE_CLEAR);
            let told = asked_by_tls(plain_server, &good, "https", false).await;
            assert!(told != "answered" && !told.is_empty(), "{row} in the clear: {told}");
            let told = asked_by_tls(port, &good, "http", false).await;
            assert_ne!(told, "answered", "{row}, asked in the clear");
        }
    }

    #[tokio::test]
    async fn servers_with_tls_of_their_own_answer_only_who_shows_a_certificate() {
        let rows = [
            (Program::Loki, vec![(Interface::LogQueries, 0), (Interface::LogPushes, 1)]),
            (Program::Tempo, vec![(Interface::TraceQueries, 0), (Interface::SpanPushes, 2)]),
            (Program::Mimir, vec![(Interface::SampleQueries, 0), (Interface::SamplePushes, 0)]),
        ];
        for (program, rows) in rows {
            for (row, words) in received(program, rows).await {
                assert_eq!(words, ["refused", "refused", "refused", "answered"], "{row}");
            }
        }
    }

    #[tokio::test]
    async fn a_port_that_is_open_to_all_refuses_nobody() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let interfaces = StackInterfaces::new(BTreeMap::new(), None, clock).unwrap();
        for presented in [Presented::PlainText, Presented::NoCertificate, Presented::ForeignCertificate] {
            let (reception, evidence) = interfaces.connect(Doorstep::OpenToAll, presented).await.unwrap();
            assert_eq!(reception, Reception::Answered, "{evidence:?}");
        }
        let unknown = interfaces.connect(Doorstep::OpenToAll, Presented::DeclaredCertificate).await;
        assert!(matches!(unknown, Err(PortError::Unsupported { .. })));
    }
}
