//! The rows of the API matrix: each protocol is spoken where the design says, and not at the address of another row; and only to clients that
//! show a certificate.

use harness_core::{
    catalogue::Target,
    observation::Look,
    ports::{Component, Doorstep, Interface, Presented, Reception},
    scenario::Scenario,
    stage::{Claim, Resource},
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::written_here;

/// A row: its scenario and clause, its protocol, its address in the cluster (design.md, "API"), and another row's address, where the
/// protocol is not spoken.
struct Row {
    name: &'static str,
    clause: &'static str,
    /// The clause that its clients show certificates, and the scenario of that.
    mutual: (&'static str, &'static str),
    interface: Interface,
    address: &'static str,
    elsewhere: Interface,
    needs: &'static [Component],
    reads: &'static [Resource],
}

const ROWS: [Row; 6] = [
    Row {
        name: "loki-answers-queries",
        clause: "API-1/endpoint",
        mutual: ("loki-queries-ask-for-certificates", "API-mtls-1/client-refused"),
        interface: Interface::LogQueries,
        address: "loki-gateway.monitoring.svc:3100",
        elsewhere: Interface::LogPushes,
        needs: &[Component::LokiRead],
        reads: &[Resource::Loki],
    },
    Row {
        name: "loki-takes-grpc",
        clause: "API-2/endpoint",
        mutual: ("loki-grpc-asks-for-certificates", "API-mtls-2/client-refused"),
        interface: Interface::LogPushes,
        address: "loki-gateway.monitoring.svc:9095",
        elsewhere: Interface::LogQueries,
        needs: &[Component::LokiWrite],
        reads: &[Resource::Loki],
    },
    Row {
        name: "tempo-answers-otlp",
        clause: "API-3/endpoint",
        mutual: ("tempo-otlp-asks-for-certificates", "API-mtls-3/client-refused"),
        interface: Interface::SpanPushes,
        address: "tempo.monitoring.svc:4317",
        elsewhere: Interface::TraceQueries,
        needs: &[Component::Tempo],
        reads: &[Resource::Tempo],
    },
    Row {
        name: "tempo-answers-queries",
        clause: "API-4/endpoint",
        mutual: ("tempo-queries-ask-for-certificates", "API-mtls-4/client-refused"),
        interface: Interface::TraceQueries,
        address: "tempo.monitoring.svc:3200",
        elsewhere: Interface::SpanPushes,
        needs: &[Component::Tempo],
        reads: &[Resource::Tempo],
    },
    Row {
        name: "mimir-answers-remote-write",
        clause: "API-5/endpoint",
        mutual: ("mimir-remote-write-asks-for-certificates", "API-mtls-5/client-refused"),
        interface: Interface::SamplePushes,
        address: "mimir-gateway.monitoring.svc:8080",
        elsewhere: Interface::TraceQueries,
        needs: &[Component::Mimir, Component::Tempo],
        reads: &[Resource::Mimir, Resource::Tempo],
    },
    Row {
        name: "mimir-answers-queries",
        clause: "API-6/endpoint",
        mutual: ("mimir-queries-ask-for-certificates", "API-mtls-6/client-refused"),
        interface: Interface::SampleQueries,
        address: "mimir-gateway.monitoring.svc:8080",
        elsewhere: Interface::TraceQueries,
        needs: &[Component::Mimir, Component::Tempo],
        reads: &[Resource::Mimir, Resource::Tempo],
    },
];

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    ROWS.iter().map(spoken).chain(ROWS.iter().map(certified)).chain([object_store()]).collect()
}

/// The store answers over TLS that is verified, and denies a request that nobody signed in S3's own form. A row in plain HTTP, where
/// another server answers, shows that the check can say no. In containers
/// the store speaks plain HTTP: there is nothing to look at.
fn object_store() -> Result<Scenario, String> {
    const CLAUSE: &str = "API-7/endpoint";
    let scenario = Scenario::new("store-answers-s3", written_here!(), &[CLAUSE], |stage| async move {
        let rules = vec![
            Rule::new("S3 spoken", "answered", Check::Is(json!(true))),
            Rule::new("verified TLS", "verified tls", Check::Is(json!(true))),
        ];
        let clause = stage.expect_state(CLAUSE, rules)?;
        let look = |at| Look::Interface { interface: Interface::ObjectStore, at, receivers_of: None };
        let must_break = ["S3 spoken", "verified TLS"];
        stage.control(&clause, "a row in plain HTTP", &must_break, look(Interface::TraceQueries)).await?;
        stage.look_once(&clause, look(Interface::ObjectStore)).await?;
        Ok(())
    })?;
    Ok(scenario
        .tagged(&["interfaces"])
        .claiming(&[Claim::read(Resource::S3), Claim::read(Resource::Tempo)])
        .needing(&[Component::Tempo])
        .only_on(&[Target::Local, Target::Kind, Target::Cluster]))
}

/// Who shows a certificate of the declared authority is answered at the row's address, and nobody else. A port that answers everybody shows
/// that the check can say no, and the certificate of another authority, passed off as the declared one's.
fn certified(row: &Row) -> Result<Scenario, String> {
    let Row { mutual: (name, clause), interface, needs, reads, .. } = *row;
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let word = |presented| match presented {
            Presented::DeclaredCertificate => Reception::Answered,
            Presented::PlainText | Presented::NoCertificate | Presented::ForeignCertificate => Reception::Refused,
        };
        let rule = |presented: Presented| {
            let name = presented.describe();
            Rule::new(name, name, Check::Is(json!(word(presented).describe())))
        };
        let clause = stage.expect_state(clause, Presented::ALL.map(rule).to_vec())?;
        let refused = [Presented::PlainText, Presented::NoCertificate, Presented::ForeignCertificate];
        let everybody = Look::ClientCertificates { at: Doorstep::OpenToAll, clients: own(&refused) };
        let names = refused.map(Presented::describe);
        stage.control(&clause, "a port that answers everybody", &names, everybody).await?;
        let stranger = vec![(Presented::DeclaredCertificate, Presented::ForeignCertificate)];
        let stranger = Look::ClientCertificates { at: Doorstep::Row(interface), clients: stranger };
        let declared = [Presented::DeclaredCertificate.describe()];
        stage
            .control(
                &clause,
                "the certificate of another authority, as if it were the declared one's",
                &declared,
                stranger,
            )
            .await?;
        let look = Look::ClientCertificates { at: Doorstep::Row(interface), clients: own(&Presented::ALL) };
        stage.look_once(&clause, look).await?;
        Ok(())
    })?;
    let claims: Vec<Claim> = reads.iter().map(|resource| Claim::read(*resource)).collect();
    Ok(scenario.tagged(&["interfaces", "certificates"]).claiming(&claims).needing(needs))
}

/// Clients that present what they are called by.
fn own(clients: &[Presented]) -> Vec<(Presented, Presented)> {
    clients.iter().map(|presented| (*presented, *presented)).collect()
}

fn spoken(row: &Row) -> Result<Scenario, String> {
    let Row { name, clause, interface, address, elsewhere, needs, reads, .. } = *row;
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let mut rules = vec![Rule::new("protocol spoken", "answered", Check::Is(json!(true)))];
        // Locally the port that the system gave stands for the address: no name of the cluster resolves there.
        if matches!(stage.target(), Target::Kind | Target::Cluster) {
            rules.push(Rule::new("address", "address", Check::Is(json!(address))));
        }
        let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let clause = stage.expect_state(clause, rules)?;
        let look = |at| Look::Interface { interface, at, receivers_of: None };
        stage.control(&clause, "the address of another row", &names, look(elsewhere)).await?;
        stage.look_once(&clause, look(interface)).await?;
        Ok(())
    })?;
    let claims: Vec<Claim> = reads.iter().map(|resource| Claim::read(*resource)).collect();
    Ok(scenario.tagged(&["interfaces"]).claiming(&claims).needing(needs))
}
