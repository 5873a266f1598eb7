use crate::ports::{LifecycleRule, PortError, Ports, Principal};

/// How the names of scratch buckets begin, and of no other bucket: that of kept results may begin as objects of ours do.
const PREFIX: &str = "lgtm-verify-scratch-";

/// The longest name that a bucket may have (S3's rules for bucket names).
const LONGEST_NAME: usize = 63;

/// What a bucket of the harness' own is like while a control looks at it. By default it is empty and has no settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scratch {
    /// Whether it keeps versions.
    pub versioned: bool,
    /// Its lifecycle rules.
    pub lifecycle: Vec<LifecycleRule>,
    /// Keys of objects in it.
    pub keys: Vec<String>,
}

/// The name of the scratch bucket of `scenario` in the run `run`; it holds for no other scenario and no other run.
pub(super) fn name(run: &str, scenario: &str) -> String {
    let mut name: String = format!("{}{scenario}", names_of(run)).chars().map(allowed).take(LONGEST_NAME).collect();
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// How the names of all scratch buckets of `run` begin.
fn names_of(run: &str) -> String {
    format!("{PREFIX}{run}-").chars().map(allowed).collect()
}

fn allowed(character: char) -> char {
    match character.to_ascii_lowercase() {
        allowed @ ('a'..='z' | '0'..='9') => allowed,
        _ => '-',
    }
}

/// Whether `bucket` is a scratch bucket of another run than `run`.
fn is_left_over(run: &str, bucket: &str) -> bool {
    bucket.starts_with(PREFIX) && !bucket.starts_with(&names_of(run))
}

/// Removes the scratch buckets that interrupted runs have left.
pub(super) async fn remove_left_overs(ports: &Ports, run: &str) -> Result<(), PortError> {
    for bucket in ports.objects.buckets().await?.iter().filter(|bucket| is_left_over(run, bucket)) {
        remove(ports, bucket).await?;
    }
    Ok(())
}

/// Makes the bucket called `name`, as `scratch` wants it.
pub(super) async fn make(ports: &Ports, name: &str, scratch: &Scratch) -> Result<(), PortError> {
    let objects = &ports.objects;
    objects.create_bucket(name).await?;
    if scratch.versioned {
        objects.enable_versioning(name).await?;
    }
    if !scratch.lifecycle.is_empty() {
        objects.put_lifecycle(name, &scratch.lifecycle).await?;
    }
    for key in &scratch.keys {
        objects.put(Principal::Harness, name, key, "scratch".into()).await?;
    }
    Ok(())
}

/// Removes the bucket called `name` with all that is in it; one that is gone already, or that another scenario removes at the same
/// time, is fine.
pub(super) async fn remove(ports: &Ports, name: &str) -> Result<(), PortError> {
    match empty_and_delete(ports, name).await {
        Err(PortError::NotFound { .. }) => Ok(()),
        removed => removed,
    }
}

async fn empty_and_delete(ports: &Ports, name: &str) -> Result<(), PortError> {
    for version in ports.objects.versions(name, "").await? {
        ports.objects.delete(Principal::Harness, name, &version.key, Some(&version.version)).await?;
    }
    ports.objects.delete_bucket(name).await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stage::BUCKETS;

    const RUN: &str = "20261123-181530-3fa9c2";

    #[test]
    fn a_name_tells_run_and_scenario() {
        for (run, scenario, expected) in [
            (RUN, "bucket-lifecycle", "lgtm-verify-scratch-20261123-181530-3fa9c2-bucket-lifecycle"),
            ("R1", "a b_c", "lgtm-verify-scratch-r1-a-b-c"),
            ("r1", "ends-", "lgtm-verify-scratch-r1-ends"),
        ] {
            assert_eq!(name(run, scenario), expected);
        }
    }

    #[test]
    fn only_what_other_runs_have_left_is_left_over() {
        let left = |bucket: &str| is_left_over(RUN, bucket);
        assert!(left(&name("20261122-000000-000000", "bucket-lifecycle")));
        assert!(left("lgtm-verify-scratch-x"));
        assert!(!left("lgtm-verify-results"));
        assert!(!left(&name(RUN, "bucket-lifecycle")));
        assert!(!left("lgtm"));
        for (bucket, _) in BUCKETS {
            assert!(!left(bucket), "{bucket}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_a_bucket_may_have(run in ".{0,40}", scenario in ".{0,80}") {
            let name = name(&run, &scenario);
            prop_assert!((3..=63).contains(&name.len()), "{name}");
            prop_assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{name}");
            prop_assert!(!name.ends_with('-') && name.starts_with("lgtm-verify"), "{name}");
        }
    }
}
