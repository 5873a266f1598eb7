use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Component, Listed, PortError, Reader, StoreKeys};

/// Whose credentials a request to the object store carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "principal", content = "component")]
pub enum Principal {
    /// The harness' own, which may look into every bucket of the stack.
    Harness,
    /// A component's, which should open its own bucket only.
    Component(Component),
}

/// One entry of a bucket's listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSummary {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// As the store gives it, without quotes.
    pub etag: String,
    /// Milliseconds since the Unix epoch, by the store's clock.
    pub modified_ms: i64,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The key.
    pub key: String,
    /// The version's id.
    pub version: String,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
    /// Whether it is what a plain read returns.
    pub latest: bool,
}

/// A bucket's versioning state (S3 `GetBucketVersioning`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versioning {
    /// Every overwrite and delete keeps the version before.
    Enabled,
    /// Was enabled once; new writes replace.
    Suspended,
    /// Never enabled.
    Off,
}

/// One rule of a bucket's lifecycle (S3 `GetBucketLifecycleConfiguration`), as far as criteria speak of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LifecycleRule {
    /// The rule's id.
    pub id: String,
    /// Whether the rule is in force.
    pub enabled: bool,
    /// Key prefix that the rule is limited to; empty for all keys.
    pub prefix: String,
    /// Days after which a live object expires.
    pub expire_days: Option<i32>,
    /// Whether live objects expire on a date.
    pub expires_by_date: bool,
    /// Whether the rule is limited to objects with certain tags or sizes.
    pub limited: bool,
    /// Days after which a noncurrent version expires.
    pub noncurrent_expire_days: Option<i32>,
    /// Days after which an incomplete upload is aborted.
    pub abort_incomplete_days: Option<i32>,
}

/// Requests that reached the store, as it tells them itself; those alike are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreRequest {
    /// Whose access key signed it; `None`: nobody's that is known.
    pub principal: Option<Principal>,
    /// The address that it was sent to, as its sender has it: `minio.minio.svc:443`.
    pub host: String,
    /// The bucket; empty where it is about none.
    pub bucket: String,
}

/// Looks into buckets, and makes others beside them. Every method names bucket and key in its error.
#[async_trait]
pub trait Objects: Send + Sync {
    /// All objects whose key begins with `prefix`, pages followed to the end.
    async fn list(&self, principal: Principal, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, PortError>;

    /// One object, whole.
    async fn get(&self, principal: Principal, bucket: &str, key: &str) -> Result<Bytes, PortError>;

    /// Writes one object.
    async fn put(&self, principal: Principal, bucket: &str, key: &str, body: Bytes) -> Result<(), PortError>;

    /// Deletes one object; with `version`, that version for good.
    async fn delete(
        &self,
        principal: Principal,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError>;

    /// The keys that begin with `prefix`, listed by `reader` with the keys of `principal`, or with its access key and a secret that is not
    /// its own. [`PortError::Denied`] where the store denies it; [`PortError::Unsupported`]: the program is not there, or does not
    /// speak S3.
    async fn listed_by(
        &self,
        reader: Reader,
        principal: Principal,
        keys: StoreKeys,
        bucket: &str,
        prefix: &str,
    ) -> Result<Listed, PortError>;

    /// The requests that reach the store from now on, until each of `principals` has sent one or `lasting` is over.
    /// [`PortError::Unsupported`]: the store tells nobody, or the program that asks it is not there.
    async fn requests(&self, principals: &[Principal], lasting: Duration) -> Result<Vec<StoreRequest>, PortError>;

    /// All versions and delete markers of keys that begin with `prefix`.
    async fn versions(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectVersion>, PortError>;

    /// The names of all buckets.
    async fn buckets(&self) -> Result<Vec<String>, PortError>;

    /// Creates a bucket; one that is there already and one's own is fine.
    async fn create_bucket(&self, bucket: &str) -> Result<(), PortError>;

    /// Deletes a bucket, which has to be empty of all versions.
    async fn delete_bucket(&self, bucket: &str) -> Result<(), PortError>;

    /// The bucket's versioning state.
    async fn versioning(&self, bucket: &str) -> Result<Versioning, PortError>;

    /// Has the bucket keep versions from now on.
    async fn enable_versioning(&self, bucket: &str) -> Result<(), PortError>;

    /// The bucket's lifecycle rules; empty where there is no configuration.
    async fn lifecycle(&self, bucket: &str) -> Result<Vec<LifecycleRule>, PortError>;

    /// Replaces the bucket's lifecycle rules. Rules that are limited to tags or sizes, or expire on a date, can be read but not
    /// written.
    async fn put_lifecycle(&self, bucket: &str, rules: &[LifecycleRule]) -> Result<(), PortError>;

    /// What tells the access key of `principal` from others without saying it: two principals have the same if and only if they
    /// sign in by the same key.
    fn fingerprint(&self, principal: Principal) -> Result<String, PortError>;

    /// How long the store keeps incomplete uploads before it removes them by itself, in every bucket, where it is known to.
    async fn incomplete_upload_expiry(&self) -> Option<String>;
}
