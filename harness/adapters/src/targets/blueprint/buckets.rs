use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use harness_core::ports::Versioning;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    Credentials, Override, Program, RenderError,
    log::redact,
    overrides::Change,
    render::{fill_in, yaml},
};

/// The name under which `mc` knows the store.
const ALIAS: &str = "stack";

/// The buckets as wanted.
pub(in crate::targets) const BUCKETS: &str = include_str!("../../../../../stack/buckets/buckets.yaml");

/// What a component's user may do, in its own bucket.
pub(in crate::targets) const POLICY: &str = include_str!("../../../../../stack/buckets/policy.json");

/// How long one command of `mc` may take.
const MC_LIMIT: Duration = Duration::from_secs(60);

/// One bucket, as `stack/buckets/buckets.yaml` wants it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bucket {
    name: String,
    versioning: Versioning,
    #[serde(default)]
    lifecycle: Vec<Rule>,
}

/// One lifecycle rule. It has no way to expire a live object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    noncurrent_expire_days: Option<u32>,
    abort_incomplete_days: Option<u32>,
}

/// Why the buckets are not as they should be.
#[derive(Debug, Error)]
pub(in crate::targets) enum BucketsError {
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("the policy of {bucket} cannot be filled in")]
    Policy { bucket: String, source: minijinja::Error },
    #[error("{path}")]
    File { path: PathBuf, source: io::Error },
    #[error("mc {what} failed: {said}")]
    Mc { what: String, said: String },
}

/// Makes buckets, users and policies in a new store. Uses MinIO's own client: users and policies are not S3.
pub(in crate::targets) struct Maker<'a> {
    pub(in crate::targets) mc: &'a Path,
    /// `host:port` of the store.
    pub(in crate::targets) store: String,
    pub(in crate::targets) credentials: &'a Credentials,
    /// A folder for the client's own files.
    pub(in crate::targets) folder: &'a Path,
}

impl Maker<'_> {
    /// Everything that a new store needs: buckets as wanted, and for each program a user that opens its bucket only. Returns how
    /// long the store keeps incomplete uploads, as it says itself.
    pub(in crate::targets) async fn make(&self, overrides: &[Override]) -> Result<Option<String>, BucketsError> {
        fs::create_dir_all(self.folder)
            .map_err(|source| BucketsError::File { path: self.folder.to_owned(), source })?;
        let buckets = wanted(overrides)?;
        let names = buckets.iter().map(|bucket| format!("{ALIAS}/{}", bucket.name));
        self.run(std::iter::once("mb".to_owned()).chain(names).collect(), None).await?;
        let all = buckets.iter().map(|bucket| self.settle(bucket));
        futures::future::try_join_all(all).await?;
        let settings = self.run(["admin", "config", "get", ALIAS, "api"].map(str::to_owned).to_vec(), None).await?;
        Ok(incomplete_upload_expiry(&settings))
    }

    async fn settle(&self, bucket: &Bucket) -> Result<(), BucketsError> {
        let place = format!("{ALIAS}/{}", bucket.name);
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        match bucket.versioning {
            Versioning::Enabled => drop(self.run(words(&["version", "enable", &place]), None).await?),
            Versioning::Suspended => drop(self.run(words(&["version", "suspend", &place]), None).await?),
            Versioning::Off => {}
        }
        if !bucket.lifecycle.is_empty() {
            self.run(words(&["ilm", "rule", "import", &place]), Some(lifecycle(&bucket.lifecycle).to_string())).await?;
        }
        if let Some(program) = owner(&bucket.name)
            && let Some(pair) = self.credentials.programs.get(&program)
        {
            let path = self.folder.join(format!("{}.policy.json", bucket.name));
            let policy = policy(&bucket.name)?;
            fs::write(&path, policy).map_err(|source| BucketsError::File { path: path.clone(), source })?;
            let keys = format!("{}\n{}\n", pair.access_key_id, pair.secret_access_key);
            self.run(words(&["admin", "user", "add", ALIAS]), Some(keys)).await?;
            let file = path.to_string_lossy();
            self.run(words(&["admin", "policy", "create", ALIAS, &bucket.name, &file]), None).await?;
            let attach = ["admin", "policy", "attach", ALIAS, &bucket.name, "--user", &pair.access_key_id];
            self.run(words(&attach), None).await?;
        }
        Ok(())
    }

    /// Runs `mc` and returns what it prints. Keys go through its environment and its standard input, never through its arguments.
    async fn run(&self, arguments: Vec<String>, input: Option<String>) -> Result<String, BucketsError> {
        let what = arguments.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
        let failed = |said: String| BucketsError::Mc {
            what: what.clone(),
            said: redact(said.trim(), self.credentials.secrets()),
        };
        let root = &self.credentials.root;
        let host = format!("http://{}:{}@{}", root.access_key_id, root.secret_access_key, self.store);
        let mut child = Command::new(self.mc)
            .arg("--config-dir")
            .arg(self.folder)
            .args(&arguments)
            .env_clear()
            // Without one it looks for a home in ways that not every machine has.
            .env("HOME", self.folder)
            .env(format!("MC_HOST_{ALIAS}"), host)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take()
            && let Some(input) = input
        {
            stdin.write_all(input.as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        }
        let answer = tokio::time::timeout(MC_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| failed(format!("no end after {} s", MC_LIMIT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        Err(failed(String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned()))
    }
}

/// The value of `stale_uploads_expiry` among MinIO's `api` settings, `api … stale_uploads_expiry=24h …`.
fn incomplete_upload_expiry(settings: &str) -> Option<String> {
    settings.split_whitespace().find_map(|word| word.strip_prefix("stale_uploads_expiry=")).map(str::to_owned)
}

/// The buckets, as the overrides leave them.
fn wanted(overrides: &[Override]) -> Result<Vec<Bucket>, BucketsError> {
    let mut buckets: Vec<Bucket> = yaml("buckets/buckets.yaml", BUCKETS)?;
    for change in overrides {
        if let Change::Versioning { bucket: name, state } = &change.change {
            for bucket in buckets.iter_mut().filter(|bucket| bucket.name == *name) {
                bucket.versioning = *state;
            }
        }
    }
    Ok(buckets)
}

fn owner(bucket: &str) -> Option<Program> {
    match bucket {
        "loki-chunks" => Some(Program::Loki),
        "tempo-traces" => Some(Program::Tempo),
        "mimir-blocks" => Some(Program::Mimir),
        _ => None,
    }
}

fn policy(bucket: &str) -> Result<String, BucketsError> {
    fill_in(POLICY, json!({"bucket": bucket}))
        .map_err(|source| BucketsError::Policy { bucket: bucket.to_owned(), source })
}

/// As `PutBucketLifecycleConfiguration` has it, in `mc`'s JSON.
fn lifecycle(rules: &[Rule]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let mut found = json!({"ID": rule.id, "Status": "Enabled", "Filter": {"Prefix": ""}});
            if let Some(days) = rule.noncurrent_expire_days {
                found["NoncurrentVersionExpiration"] = json!({"NoncurrentDays": days});
            }
            if let Some(days) = rule.abort_incomplete_days {
                found["AbortIncompleteMultipartUpload"] = json!({"DaysAfterInitiation": days});
            }
            found
        })
        .collect();
    json!({"Rules": rules})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::blueprint::overrides::BUCKETS as NAMES;

    #[test]
    fn every_bucket_has_an_owner_and_no_rule_deletes_live_objects() {
        let buckets = wanted(&[]).unwrap();
        assert_eq!(buckets.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), NAMES);
        for bucket in &buckets {
            assert!(owner(&bucket.name).is_some(), "{bucket:?}");
            assert!(!lifecycle(&bucket.lifecycle).to_string().contains("\"Expiration\""), "{bucket:?}");
        }
        assert_eq!(buckets.iter().filter(|bucket| !bucket.lifecycle.is_empty()).count(), 1);
        let versioned = buckets.iter().map(|bucket| bucket.versioning).collect::<Vec<_>>();
        assert_eq!(versioned, [Versioning::Enabled, Versioning::Enabled, Versioning::Off]);
    }

    #[test]
    fn a_bucket_can_be_left_without_versions() {
        let buckets = wanted(&["buckets.loki-chunks.versioning=suspended".parse().unwrap()]).unwrap();
        assert_eq!(buckets.first().map(|bucket| bucket.versioning), Some(Versioning::Suspended));
        assert_eq!(buckets.last().map(|bucket| bucket.versioning), Some(Versioning::Off));
    }

    #[test]
    fn the_store_says_how_long_it_keeps_incomplete_uploads() {
        let settings = "api requests_max=0 stale_uploads_expiry=24h stale_uploads_cleanup_interval=6h";
        assert_eq!(incomplete_upload_expiry(settings).as_deref(), Some("24h"));
        assert_eq!(incomplete_upload_expiry("api requests_max=0"), None);
    }

    #[test]
    fn a_policy_names_its_bucket_and_no_other() {
        for bucket in NAMES {
            let policy: Value = serde_json::from_str(&policy(bucket).unwrap()).unwrap();
            let resources: Vec<&str> = policy["Statement"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|statement| statement["Resource"].as_array().unwrap())
                .map(|resource| resource.as_str().unwrap())
                .collect();
            assert_eq!(resources, [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]);
        }
    }
}
