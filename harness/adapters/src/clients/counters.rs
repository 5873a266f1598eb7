//! What a client counts of itself: its page of metrics. Must not know which of them matter.

use reqwest::Client;

use crate::{causes, http};

/// Reads one program's metrics over HTTP.
pub(super) struct Counters {
    client: Client,
    url: String,
}

/// One reading.
pub(super) struct Reading {
    page: String,
}

impl Counters {
    /// Those of the program that serves them at `http://127.0.0.1:PORT/metrics`.
    pub(super) fn at(port: u16) -> Result<Self, String> {
        let client = http::client().map_err(|error| error.to_string())?;
        Ok(Self { client, url: format!("http://127.0.0.1:{port}/metrics") })
    }

    /// What they are now.
    pub(super) async fn read(&self) -> Result<Reading, String> {
        let told = |error: reqwest::Error| causes(&error.without_url());
        let response = self.client.get(&self.url).send().await.map_err(told)?;
        let page = response.error_for_status().map_err(told)?.text().await.map_err(told)?;
        Ok(Reading { page })
    }
}

impl Reading {
    /// The sum over all series of the metric called `name`; `None` where there is none.
    pub(super) fn total(&self, name: &str) -> Option<f64> {
        let values: Vec<f64> = self.samples(name).filter_map(|(_, value)| value.parse().ok()).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// The samples of the metrics called `names`, for evidence; one that is 0 says nothing unless its metric has no other.
    pub(super) fn told(&self, names: &[&str]) -> String {
        let told = names.iter().flat_map(|name| {
            let some = self.total(name) != Some(0.0);
            let lines = self.samples(name).filter(move |(_, value)| !some || *value != "0");
            lines.map(|(series, value)| format!("{series} {value}")).collect::<Vec<_>>()
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Series and values of one metric. The value stands behind the last space: no client here tells times.
    fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.page.lines().filter_map(|line| line.trim().rsplit_once(' ')).filter(move |(series, _)| {
            series.strip_prefix(name).is_some_and(|labels| labels.is_empty() || labels.starts_with('{'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_of_its_series_and_no_other_metric() {
        let page = "# TYPE sent_total counter\nsent_total{host=\"a b\",x=\"}\"} 3\nsent_total{host=\"c\"} 1e+1\n\
                    sent_total_more 7\nplain 2\nnone{a=\"b\"} 0\n";
        let reading = Reading { page: page.to_owned() };
        assert_eq!(reading.total("sent_total"), Some(13.0));
        assert_eq!(reading.total("plain"), Some(2.0));
        assert_eq!(reading.total("sent"), None);
        assert_eq!(reading.told(&["plain", "none", "sent"]), "plain 2; none{a=\"b\"} 0");
    }
}
