//! The harness as jobs of a cluster: its image, their manifests, and what a run has used of its limit.

use std::{path::Path, str::FromStr};

use harness_adapters::{
    causes,
    targets::{
        kind::make_image,
        nightly::{Job, Nightly},
    },
};

use super::CliError;

/// A value for one job, `loader=…`, or for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerJob {
    jobs: Vec<Job>,
    value: String,
}

impl FromStr for PerJob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let job = |name: &str| Job::ALL.into_iter().find(|job| job.name() == name);
        let (jobs, value) = match text.split_once('=') {
            Some((name, value)) => {
                let job = job(name).ok_or_else(|| format!("{name:?} is none of loader, observer, fault"))?;
                (vec![job], value)
            }
            None => (Job::ALL.to_vec(), text),
        };
        if value.is_empty() {
            Err(format!("{text:?} has no value"))
        } else {
            Ok(Self { jobs, value: value.to_owned() })
        }
    }
}

impl PerJob {
    /// The value of each job that has one.
    pub fn spread(all: Vec<Self>) -> Vec<(Job, String)> {
        all.into_iter().flat_map(|one| one.jobs.into_iter().map(move |job| (job, one.value.clone()))).collect()
    }
}

/// The manifests of the nightly jobs, as YAML.
///
/// # Errors
/// [`CliError::Bug`]: a template cannot be filled in.
pub fn manifests(nightly: &Nightly) -> Result<String, CliError> {
    nightly.manifests().map_err(|error| CliError::Bug(causes(&error)))
}

/// Makes an image of `program`, which is this harness, in Docker; returns its reference.
///
/// # Errors
/// [`CliError::SetUp`]: no Docker, or a file that cannot be read.
pub async fn image(program: &Path) -> Result<String, CliError> {
    Ok(make_image(program).await?)
}

/// The most memory that this process has had at a time, in KiB, where the system tells.
pub fn peak_memory() -> Option<u64> {
    Some(harness_adapters::own_cost()?.peak_memory / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_one_job_or_of_all() {
        let spread = |texts: &[&str]| PerJob::spread(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(spread(&["fault=0 1 * * *"]), [(Job::Fault, "0 1 * * *".to_owned())]);
        assert_eq!(spread(&["main"]), Job::ALL.map(|job| (job, "main".to_owned())));
        for text in ["", "loader=", "other=1"] {
            assert!(text.parse::<PerJob>().is_err(), "{text:?}");
        }
    }
}
