//! Programs of others read what was sent, each at the address that the API matrix has for it and not at another.

use harness_core::{
    catalogue::Target,
    observation::{Look, listing_fact},
    ports::{Component, Interface, Reader, StoreKeys},
    scenario::Scenario,
    signal::Signal,
    stage::{BUCKETS, Claim, Resource, Stage, StageError, Stimulus},
    stimulus::Route,
    verdict::{Check, Rule},
};
use serde_json::json;

use crate::{shapes, written_here};

/// Where programs can be started: not in a pod.
const TARGETS: [Target; 3] = [Target::Local, Target::Containers, Target::Kind];

/// A row that answers queries: its scenario and clause, what is sent to be read, and another row, at whose address it must not be found.
struct Row {
    name: &'static str,
    clause: &'static str,
    signal: Signal,
    route: Route,
    stimulus: fn(&Stage, &str) -> Result<Stimulus, StageError>,
    at: Interface,
    elsewhere: Interface,
    needs: &'static [Component],
    reads: &'static [Resource],
}

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    let rows = [
        Row {
            name: "logs-read-by-curl",
            clause: "API-1/client",
            signal: Signal::Logs,
            route: Route::LokiHttpJson,
            stimulus: shapes::log_entries,
            at: Interface::LogQueries,
            elsewhere: Interface::TraceQueries,
            needs: &[Component::LokiWrite, Component::LokiRead, Component::Tempo],
            reads: &[Resource::Loki, Resource::Tempo],
        },
        Row {
            name: "traces-read-by-curl",
            clause: "API-4/client",
            signal: Signal::Traces,
            route: Route::OtlpGrpc,
            stimulus: shapes::spans,
            at: Interface::TraceQueries,
            elsewhere: Interface::SampleQueries,
            needs: &[Component::Tempo, Component::Mimir],
            reads: &[Resource::Tempo, Resource::Mimir],
        },
        Row {
            name: "metrics-read-by-curl",
            clause: "API-6/client",
            signal: Signal::Metrics,
            route: Route::RemoteWriteV1,
            stimulus: shapes::samples,
            at: Interface::SampleQueries,
            elsewhere: Interface::TraceQueries,
            needs: &[Component::Mimir, Component::Tempo],
            reads: &[Resource::Mimir, Resource::Tempo],
        },
    ];
    rows.into_iter().map(read).chain([listed()]).collect()
}

fn read(row: Row) -> Result<Scenario, String> {
    let Row { name, clause, signal, route, stimulus, at, elsewhere, needs, reads } = row;
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let records = stimulus(&stage, name)?;
        let by_curl = records.read_by(Reader::Curl, at);
        let found = stage.expect(clause, &records, vec![by_curl.clone()], false).await?;
        stage.absent(&found).await?;
        stage.push(route, &records).await?;
        stage.seen(&found, vec![by_curl]).await?;
        let another = records.read_by(Reader::Curl, elsewhere);
        stage.control(found.clause(), "the address of another row", &["missing"], another).await?;
        stage.decide(found.clause())?;
        Ok(())
    })?;
    let claims: Vec<Claim> = reads.iter().map(|resource| Claim::read(*resource)).collect();
    Ok(scenario
        .about(signal)
        .tagged(&["clients", "interfaces"])
        .claiming(&claims)
        .needing(needs)
        .read_by(Reader::Curl)
        .only_on(&TARGETS))
}

/// Each owner's own keys list its bucket; its access key with another secret does not.
fn listed() -> Result<Scenario, String> {
    const CLAUSE: &str = "API-7/client";
    let scenario = Scenario::new("buckets-listed-by-mc", written_here!(), &[CLAUSE], |stage| async move {
        let probe = stage.probe_key("listed");
        let name = |(bucket, owner): &(&str, Component)| format!("{owner} lists {bucket}");
        let rules =
            BUCKETS.iter().map(|place| Rule::new(&name(place), &listing_fact(place.1), Check::Is(json!([probe]))));
        let clause = stage.expect_state(CLAUSE, rules.collect())?;
        let look = |keys| Look::Listings {
            reader: Reader::Mc,
            owners: BUCKETS.iter().map(|(bucket, owner)| (*owner, (*bucket).to_owned())).collect(),
            keys,
            probe: probe.clone(),
        };
        let names: Vec<String> = BUCKETS.iter().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        stage.control(&clause, "another secret", &names, look(StoreKeys::Wrong)).await?;
        stage.look_once(&clause, look(StoreKeys::Own)).await?;
        Ok(())
    })?;
    let buckets = BUCKETS.iter().map(|(bucket, _)| Claim::write(Resource::Bucket(bucket)));
    let claims: Vec<Claim> = [Claim::read(Resource::S3)].into_iter().chain(buckets).collect();
    Ok(scenario.tagged(&["clients", "interfaces"]).claiming(&claims).read_by(Reader::Mc).only_on(&TARGETS))
}
