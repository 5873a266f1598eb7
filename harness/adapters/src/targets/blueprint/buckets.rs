use std::time::Duration;

use async_trait::async_trait;
use harness_core::ports::Versioning;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    Credentials, KeyPair, Override, Program, RenderError,
    log::redact,
    overrides::{BUCKETS as NAMES, Change},
    render::{fill_in, yaml},
};

/// The name under which `mc` knows the store.
pub(in crate::targets) const ALIAS: &str = "stack";

/// The buckets as wanted.
pub(in crate::targets) const BUCKETS: &str = include_str!("../../../../../stack/buckets/buckets.yaml");

/// What a component's user may do, in its own bucket.
pub(in crate::targets) const POLICY: &str = include_str!("../../../../../stack/buckets/policy.json");

/// What the harness' own user may do, where it is not the store's owner.
const HARNESS_POLICY: &str = include_str!("../../../../../stack/buckets/harness-policy.json");

/// The bucket for what runs leave behind.
const RESULTS: &str = "lgtm-verify-results";

/// What MinIO says of a policy that a user has already, or has not any more.
pub(in crate::targets) const ATTACHED_ALREADY: &str = "already in effect";

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
pub enum BucketsError {
    /// A file of ours.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A policy of ours.
    #[error("the policy {name} cannot be filled in")]
    Policy {
        /// The policy.
        name: String,
        /// What is wrong with it.
        source: minijinja::Error,
    },
    /// MinIO's client.
    #[error("mc {what} failed: {said}")]
    Mc {
        /// The first words of the command.
        what: String,
        /// What it said, or why it could not be run.
        said: String,
    },
}

/// Runs MinIO's client, which knows the store as [`ALIAS`] and signs in as its owner.
#[async_trait]
pub(in crate::targets) trait Mc: Send + Sync {
    /// What `mc ARGUMENTS` prints when it is given `input`, or what it said when it failed. Keys must go through its environment and
    /// `input` alone.
    async fn run(&self, arguments: &[String], input: Option<&str>) -> Result<String, String>;
}

/// Makes buckets, users and policies in a store; what is there already is left or brought up to date. Uses MinIO's own client:
/// users and policies are not S3.
pub(in crate::targets) struct Maker<'a> {
    pub(in crate::targets) mc: &'a dyn Mc,
    pub(in crate::targets) credentials: &'a Credentials,
}

impl Maker<'_> {
    /// Everything that a store needs: buckets as wanted, and for each program a user that opens its bucket only. Returns how long
    /// the store keeps incomplete uploads, as it says itself.
    pub(in crate::targets) async fn make(&self, overrides: &[Override]) -> Result<Option<String>, BucketsError> {
        let buckets = wanted(overrides)?;
        self.make_buckets(buckets.iter().map(|bucket| bucket.name.as_str())).await?;
        let all = buckets.iter().map(|bucket| self.settle(bucket));
        futures::future::try_join_all(all).await?;
        let settings = self.run(&["admin", "config", "get", ALIAS, "api"], None).await?;
        Ok(incomplete_upload_expiry(&settings))
    }

    /// A user for the harness, which opens every bucket of the stack and its own, and the bucket for results.
    pub(in crate::targets) async fn make_harness(&self, pair: &KeyPair) -> Result<(), BucketsError> {
        let policy = filled("lgtm-verify", HARNESS_POLICY, json!({"buckets": NAMES}))?;
        self.make_user(pair, "lgtm-verify", &policy).await?;
        self.make_buckets([RESULTS]).await
    }

    async fn make_buckets(&self, names: impl IntoIterator<Item = &str>) -> Result<(), BucketsError> {
        let places: Vec<String> = names.into_iter().map(|name| format!("{ALIAS}/{name}")).collect();
        let words: Vec<&str> =
            ["mb", "--ignore-existing"].into_iter().chain(places.iter().map(String::as_str)).collect();
        self.run(&words, None).await.map(drop)
    }

    async fn settle(&self, bucket: &Bucket) -> Result<(), BucketsError> {
        let place = format!("{ALIAS}/{}", bucket.name);
        match bucket.versioning {
            Versioning::Enabled => drop(self.run(&["version", "enable", &place], None).await?),
            Versioning::Suspended => drop(self.run(&["version", "suspend", &place], None).await?),
            Versioning::Off => {}
        }
        if !bucket.lifecycle.is_empty() {
            let rules = lifecycle(&bucket.lifecycle).to_string();
            self.run(&["ilm", "rule", "import", &place], Some(&rules)).await?;
        }
        if let Some(program) = owner(&bucket.name)
            && let Some(pair) = self.credentials.programs.get(&program)
        {
            self.make_user(pair, &bucket.name, &policy(&bucket.name)?).await?;
        }
        Ok(())
    }

    /// A user with `pair`, who may do what `policy` (named `name`) says.
    async fn make_user(&self, pair: &KeyPair, name: &str, policy: &str) -> Result<(), BucketsError> {
        let keys = format!("{}\n{}\n", pair.access_key_id, pair.secret_access_key);
        self.run(&["admin", "user", "add", ALIAS], Some(&keys)).await?;
        self.run(&["admin", "policy", "create", ALIAS, name, "/dev/stdin"], Some(policy)).await?;
        let attach = ["admin", "policy", "attach", ALIAS, name, "--user", &pair.access_key_id];
        match self.run(&attach, None).await {
            Err(BucketsError::Mc { said, .. }) if said.contains(ATTACHED_ALREADY) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Runs `mc` and returns what it prints.
    async fn run(&self, words: &[&str], input: Option<&str>) -> Result<String, BucketsError> {
        let what = words.iter().take(3).copied().collect::<Vec<_>>().join(" ");
        let arguments: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        tokio::time::timeout(MC_LIMIT, self.mc.run(&arguments, input))
            .await
            .unwrap_or_else(|_| Err(format!("no end after {} s", MC_LIMIT.as_secs())))
            .map_err(|said| BucketsError::Mc { what, said: redact(said.trim(), self.credentials.secrets()) })
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

/// Who keeps what where.
const OWNERS: [(&str, Program); 3] =
    [("loki-chunks", Program::Loki), ("tempo-traces", Program::Tempo), ("mimir-blocks", Program::Mimir)];

fn owner(bucket: &str) -> Option<Program> {
    OWNERS.iter().find(|(owned, _)| *owned == bucket).map(|(_, owner)| *owner)
}

/// The bucket of a program, whose name is that of its user's policy too.
pub(in crate::targets) fn bucket_of(program: Program) -> Option<&'static str> {
    OWNERS.iter().find(|(_, owner)| *owner == program).map(|(bucket, _)| *bucket)
}

fn policy(bucket: &str) -> Result<String, BucketsError> {
    filled(bucket, POLICY, json!({"bucket": bucket}))
}

fn filled(name: &str, template: &str, context: Value) -> Result<String, BucketsError> {
    fill_in(template, context).map_err(|source| BucketsError::Policy { name: name.to_owned(), source })
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
    use std::sync::{Mutex, PoisonError};

    use super::*;

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

    #[test]
    fn the_harness_opens_the_buckets_of_the_stack_and_its_own_and_no_other() {
        let text = filled("lgtm-verify", HARNESS_POLICY, json!({"buckets": NAMES})).unwrap();
        let policy: Value = serde_json::from_str(&text).unwrap();
        let mut expected: Vec<String> = NAMES
            .iter()
            .flat_map(|bucket| [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")])
            .collect();
        expected.push("arn:aws:s3:::lgtm-verify-*".to_owned());
        assert_eq!(policy["Statement"][0]["Resource"], json!(expected));
        assert_eq!(policy["Statement"][1], json!({"Effect": "Allow", "Action": ["admin:ServerTrace"]}));
        assert!(RESULTS.starts_with("lgtm-verify-"));
    }

    /// Writes down what it is asked to run; `answer` is what each command gets.
    struct Scribe {
        heard: Mutex<Vec<String>>,
        answer: fn(&[String]) -> Result<String, String>,
    }

    #[async_trait]
    impl Mc for Scribe {
        async fn run(&self, arguments: &[String], _input: Option<&str>) -> Result<String, String> {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(arguments.join(" "));
            (self.answer)(arguments)
        }
    }

    #[tokio::test]
    async fn no_secret_is_an_argument_and_what_is_there_already_is_no_error() {
        let attached = |words: &[String]| match words.get(2).map(String::as_str) {
            Some("attach") => Err("The specified policy change is already in effect.".to_owned()),
            _ => Ok(String::new()),
        };
        let mc = Scribe { heard: Mutex::default(), answer: attached };
        let credentials = Credentials::random().unwrap();
        let maker = Maker { mc: &mc, credentials: &credentials };
        maker.make(&[]).await.unwrap();
        maker.make_harness(&credentials.root).await.unwrap();
        let heard = mc.heard.into_inner().unwrap().join("\n");
        for secret in credentials.secrets() {
            assert!(!heard.contains(secret), "{heard}");
        }
        for bucket in NAMES {
            assert!(heard.contains(&format!("admin policy attach {ALIAS} {bucket} --user")), "{heard}");
        }
    }

    #[tokio::test]
    async fn a_refusal_names_the_command_and_no_secret() {
        let mc = Scribe { heard: Mutex::default(), answer: |_| Err("no such host\n".to_owned()) };
        let credentials = Credentials::random().unwrap();
        let error = Maker { mc: &mc, credentials: &credentials }.make(&[]).await.unwrap_err();
        assert_eq!(error.to_string(), "mc mb --ignore-existing stack/loki-chunks failed: no such host");
    }
}
