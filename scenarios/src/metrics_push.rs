//! Samples written by remote write are accepted and visible within the bound; what breaks the protocol's rules is refused and stays
//! away.

use harness_core::{
    ports::Component,
    scenario::Scenario,
    signal::Signal,
    stage::{Claim, Resource},
    stimulus::Route,
};

use crate::{shapes, written_here};

pub(crate) fn all() -> Result<Vec<Scenario>, String> {
    [
        ("metrics-rw1", "AC-lgtm-003-02/rw1", Route::RemoteWriteV1),
        ("metrics-rw2", "AC-lgtm-003-02/rw2", Route::RemoteWriteV2),
    ]
    .into_iter()
    .map(|(name, clause, route)| visible(name, clause, route))
    .collect()
}

fn visible(name: &'static str, clause: &'static str, route: Route) -> Result<Scenario, String> {
    let scenario = Scenario::new(name, written_here!(), &[clause], move |stage| async move {
        let samples = shapes::samples_and_refused_ones(&stage, name)?;
        let visible = stage.expect(clause, &samples, vec![samples.by_query(), samples.by_promql()], false).await?;
        stage.absent(&visible).await?;
        stage.push(route, &samples).await?;
        stage.watch(&visible).await?;
        Ok(())
    })?;
    Ok(scenario
        .about(Signal::Metrics)
        .tagged(&["main", "pipelines", "visible"])
        .claiming(&[Claim::read(Resource::Mimir)])
        .needing(&[Component::Mimir]))
}
