//! A second process of a component against a store of the harness' own, which has nothing behind its door.

use std::{collections::BTreeSet, ffi::OsString, fs, path::Path, time::Duration};

use harness_core::{
    poll::{Ended, Schedule, Step, until},
    ports::{Clock, Component, PortError, ShownCertificate, Trial},
};

use super::{LocalStack, StackSpec};
use crate::{
    SystemClock, causes,
    certificates::{Certificates, Flaw},
    faults::Door,
    loopback,
    process::{self, Start, alone},
    targets::blueprint::{Plan, Program, Sockets, Store, Surroundings, configuration, redact, store_speaks_tls},
};

/// How long a component may take until it is known what it makes of a store: Mimir asks for the first time after a second.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked.
const SCHEDULE: Schedule = Schedule { first: Duration::from_millis(100), share: 0.0 };

/// The name under which the door is reached.
const NAMES: [&str; 1] = ["127.0.0.1"];

/// Words of a log line that is about a certificate.
const CERTIFICATE_WORDS: [&str; 2] = ["x509", "certificate"];

/// Starts it, waits until it has asked the store for something or turned back and said why, and ends it.
pub(super) async fn start(
    stack: &LocalStack,
    component: Component,
    shown: ShownCertificate,
    plain: bool,
) -> Result<Trial, PortError> {
    let refused = |reason: String| PortError::Refused { target: format!("a second {component}"), reason };
    let told = |error: &dyn std::error::Error| refused(causes(error));
    let certificates = match shown {
        ShownCertificate::Good => Certificates::make(&NAMES),
        ShownCertificate::OtherAuthority => Certificates::flawed(&NAMES, Flaw::OtherAuthority),
        ShownCertificate::OtherName => Certificates::flawed(&NAMES, Flaw::OtherName),
        ShownCertificate::Expired => Certificates::flawed(&NAMES, Flaw::Expired),
    };
    let certificates = certificates.map_err(|error| told(&error))?;
    let door = Door::open(&certificates.server, &certificates.server_key).map_err(|error| told(&error))?;
    let folder = tempfile::tempdir().map_err(|error| told(&error))?;
    let authority = folder.path().join("authority.crt");
    fs::write(&authority, &certificates.authority).map_err(|error| told(&error))?;
    let spec = StackSpec::load(stack.folder()).map_err(|error| told(&error))?;
    let surroundings = surroundings(
        component,
        folder.path(),
        Store { endpoint: door.address().to_string(), tls: store_speaks_tls(&spec.overrides) && !plain },
    )
    .ok_or_else(|| refused("no port of 127.0.0.1 is free for it".to_owned()))?;
    let plan = Plan { profile: spec.profile, overrides: &spec.overrides, surroundings: &surroundings };
    let written = configuration(component, plan).map_err(|error| told(&error))?;
    let written = written.ok_or_else(|| refused("it has no configuration".to_owned()))?;
    let file = folder.path().join("configuration.yaml");
    fs::write(&file, format!("{written:#}")).map_err(|error| told(&error))?;
    fs::create_dir_all(&surroundings.data).map_err(|error| told(&error))?;
    let keys = stack.keys(component);
    let program = spec.program(component, Program::of(component)).map_err(|error| told(&error))?.to_owned();
    let mut argument = OsString::from("-config.file=");
    argument.push(&file);
    let arguments = vec![argument, "-config.expand-env=true".into()];
    let environment = vec![
        ("S3_ACCESS_KEY_ID", keys.access_key_id.clone()),
        ("S3_SECRET_ACCESS_KEY", keys.secret_access_key.clone()),
        ("SSL_CERT_FILE", authority.display().to_string()),
    ];
    let log = folder.path().join("log");
    let logged = log.clone();
    let living = move || async move {
        let start = Start { program: &program, arguments, environment, log: log.clone() };
        let mut process = process::spawn(start).map_err(|error| causes(&error))?;
        let clock = SystemClock::start();
        let settled = until(&clock, SCHEDULE, clock.now().after(LIMIT), || {
            let gone = matches!(process.try_wait(), Ok(Some(_)));
            let visits = door.visits();
            let turned_back = !visits.turned_back.is_empty() && complaint(&log).is_some();
            let settled = gone || turned_back || visits.encrypted + visits.clear > 0;
            async move { if settled { Step::Ready(()) } else { Step::NotYet(String::new()) } }
        });
        // Settled or waited for long enough: what it makes of the store is told by who came.
        let (Ended::Ready(()) | Ended::TimedOut(_) | Ended::Never(_)) = settled.await;
        process.kill().await.map_err(|error| format!("it could not be ended: {error}"))?;
        Ok(door.visits())
    };
    let visits = alone(living).await.map_err(refused)?;
    Ok(Trial {
        encrypted: visits.encrypted,
        clear: visits.clear,
        turned_back: visits.turned_back,
        complaint: complaint(&logged).map(|line| redact(&line, stack.secrets())),
    })
}

/// The last line of a log about a certificate.
fn complaint(log: &Path) -> Option<String> {
    let lines = process::tail(log, 0).unwrap_or_default();
    lines.into_iter().rev().find(|line| {
        let line = line.to_lowercase();
        CERTIFICATE_WORDS.iter().any(|word| line.contains(word))
    })
}

/// A place of its own, beside no other process of the stack.
fn surroundings(component: Component, folder: &Path, store: Store) -> Option<Surroundings> {
    let mut taken = BTreeSet::new();
    let mut port = || {
        let port = loopback::free_port(&taken)?;
        taken.insert(port);
        Some(port)
    };
    let sockets = Sockets { http: port()?, grpc: port()?, gossip: port()?, otlp_grpc: port()?, otlp_http: port()? };
    Some(Surroundings {
        listen: "127.0.0.1",
        advertise: "127.0.0.1",
        loki_gossip: vec![format!("127.0.0.1:{}", sockets.gossip)],
        loki_backend: format!("127.0.0.1:{}", sockets.http),
        sockets,
        store,
        data: folder.join(component.name()).display().to_string(),
    })
}
