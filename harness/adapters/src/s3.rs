//! The object store by S3. Must not know what the objects mean.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
        LifecycleExpiration, LifecycleRule as WireRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
        VersioningConfiguration,
    },
};
use bytes::Bytes;
use harness_core::ports::{
    LifecycleRule, Listed, ObjectSummary, ObjectVersion, Objects, PortError, Principal, Reader, StoreKeys,
    StoreRequest, Versioning,
};

use crate::clients::{ClientPrograms, Mc, Traced};
use crate::http::{CONNECT_TIMEOUT, TOTAL_TIMEOUT};
use crate::targets::blueprint::Program;
use crate::trust::Authority;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::{Builder, tls};
use sha2::{Digest, Sha256};

/// What S3 says where it is the key that is at fault: what it opens, whether there is such a key or its user is disabled, its secret.
pub(crate) const DENIALS: [&str; 3] = ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"];

/// Hex digits of a fingerprint.
const FINGERPRINT: usize = 12;

/// An access key and its secret. Can't be printed.
#[derive(Clone)]
pub struct Keys {
    access: String,
    secret: String,
}

impl Keys {
    /// The access key `access` with its secret.
    pub fn new(access: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { access: access.into(), secret: secret.into() }
    }
}

/// A client of one object store, one for each principal. Addresses are path style; nothing is sent twice.
#[derive(Clone)]
pub struct S3 {
    clients: BTreeMap<Principal, Client>,
    fingerprints: BTreeMap<Principal, String>,
    incomplete_upload_expiry: Option<String>,
    keys: BTreeMap<Principal, Keys>,
    mc: Result<Mc, String>,
}

impl S3 {
    /// Says which programs of others can be had; without this none is known.
    #[must_use]
    pub fn read_by(mut self, programs: &ClientPrograms) -> Self {
        self.mc = match programs.get(&Program::Mc) {
            Some(Ok(program)) => self.mc.map(|mc| Mc { program: program.clone(), ..mc }),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not asked for when the run began".to_owned()),
        };
        self
    }

    /// Says how long the store keeps incomplete uploads by itself: no call of S3 tells it.
    #[must_use]
    pub fn keeping_incomplete_uploads(mut self, expiry: Option<String>) -> Self {
        self.incomplete_upload_expiry = expiry;
        self
    }

    /// A client of the store at `endpoint` (`http://host:port`, or `https://` and then with a certificate of `authority`, or of one
    /// that the system knows where there is none) with the keys of each principal.
    pub fn new(
        endpoint: &str,
        region: &str,
        authority: Option<&Authority>,
        keys: BTreeMap<Principal, Keys>,
    ) -> Result<Self, PortError> {
        let http = http_client(authority)?;
        let fingerprints = keys.iter().map(|(principal, keys)| (*principal, fingerprint(&keys.access))).collect();
        let client = |keys: Keys| {
            let config = aws_sdk_s3::Config::builder()
                .http_client(http.clone())
                .behavior_version(BehaviorVersion::latest())
                .endpoint_url(endpoint)
                .region(Region::new(region.to_owned()))
                .credentials_provider(Credentials::new(keys.access, keys.secret, None, None, "lgtm-verify"))
                .force_path_style(true)
                // Stores that are not Amazon's don't all know the newer checksums.
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts())
                .build();
            Client::from_conf(config)
        };
        Ok(Self {
            keys: keys.clone(),
            mc: Ok(Mc {
                program: Program::Mc.name().into(),
                endpoint: endpoint.to_owned(),
                authority: authority.cloned(),
            }),
            clients: keys.into_iter().map(|(principal, keys)| (principal, client(keys))).collect(),
            fingerprints,
            incomplete_upload_expiry: None,
        })
    }

    fn client(&self, principal: Principal) -> Result<&Client, PortError> {
        self.clients.get(&principal).ok_or_else(|| no_keys(principal))
    }
}

fn no_keys(principal: Principal) -> PortError {
    let reason = match principal {
        Principal::Harness => "no S3 keys for the harness".to_owned(),
        Principal::Component(component) => format!("no S3 keys of {component}"),
    };
    PortError::Unsupported { reason }
}

/// Enough of the digest of an access key to tell a few of them apart.
fn fingerprint(access: &str) -> String {
    hex::encode(Sha256::digest(access)).chars().take(FINGERPRINT).collect()
}

fn http_client(authority: Option<&Authority>) -> Result<SharedHttpClient, PortError> {
    let builder = Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
    let Some(authority) = authority else { return Ok(builder.build_https()) };
    let trusted = tls::TrustStore::empty().with_pem_certificate(authority.pem());
    let context = tls::TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| PortError::Unsupported { reason: crate::causes(&error) })?;
    Ok(builder.tls_context(context).build_https())
}

fn timeouts() -> TimeoutConfig {
    // Half a second more than the attempt has, so that it is the attempt that tells.
    let operation = TOTAL_TIMEOUT.saturating_add(Duration::from_millis(500));
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(TOTAL_TIMEOUT)
        .operation_timeout(operation)
        .build()
}

#[async_trait]
impl Objects for S3 {
    async fn listed_by(
        &self,
        reader: Reader,
        principal: Principal,
        keys: StoreKeys,
        bucket: &str,
        prefix: &str,
    ) -> Result<Listed, PortError> {
        if reader != Reader::Mc {
            return Err(PortError::Unsupported { reason: format!("{reader} does not speak S3") });
        }
        let missing = |reason: &String| PortError::Unsupported { reason: format!("{reader} is missing: {reason}") };
        let mc = self.mc.as_ref().map_err(missing)?;
        let Keys { access, secret } = self.keys.get(&principal).ok_or_else(|| no_keys(principal))?;
        let wrong = fingerprint(secret);
        let secret = match keys {
            StoreKeys::Own => secret,
            StoreKeys::Wrong => &wrong,
        };
        let keys = mc.list((access, secret), bucket, prefix).await?;
        Ok(Listed { keys, call: format!("mc {} ls {bucket}/{prefix}", Program::Mc.version()) })
    }

    async fn requests(&self, principals: &[Principal], lasting: Duration) -> Result<Vec<StoreRequest>, PortError> {
        let missing =
            |reason: &String| PortError::Unsupported { reason: format!("{} is missing: {reason}", Reader::Mc) };
        let mc = self.mc.as_ref().map_err(missing)?;
        let Keys { access, secret } = self.keys.get(&Principal::Harness).ok_or_else(|| no_keys(Principal::Harness))?;
        let awaited = self.keys.iter().filter(|(principal, _)| principals.contains(principal));
        let awaited = awaited.map(|(_, keys)| keys.access.clone()).collect();
        let traced = mc.trace((access, secret), lasting, awaited).await?;
        let request = |Traced { access_key, host, bucket }| {
            let principal =
                self.keys.iter().find(|(_, keys)| keys.access == access_key).map(|(principal, _)| *principal);
            StoreRequest { principal, host, bucket }
        };
        Ok(traced.into_iter().map(request).collect())
    }

    async fn list(&self, principal: Principal, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, PortError> {
        let mut pages = self.client(principal)?.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut summaries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure(&target(bucket, prefix), &error))?;
            for object in page.contents.unwrap_or_default() {
                summaries.push(ObjectSummary {
                    key: object.key.unwrap_or_default(),
                    size: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                    etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
                    modified_ms: object.last_modified.and_then(|time| time.to_millis().ok()).unwrap_or(0),
                });
            }
        }
        Ok(summaries)
    }

    async fn get(&self, principal: Principal, bucket: &str, key: &str) -> Result<Bytes, PortError> {
        let object = self
            .client(principal)?
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| failure(&target(bucket, key), &error))?;
        let body = object
            .body
            .collect()
            .await
            .map_err(|error| PortError::Unreachable { target: target(bucket, key), reason: crate::causes(&error) })?;
        Ok(body.into_bytes())
    }

    async fn put(&self, principal: Principal, bucket: &str, key: &str, body: Bytes) -> Result<(), PortError> {
        self.client(principal)?
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| failure(&target(bucket, key), &error))?;
        Ok(())
    }

    async fn delete(
        &self,
        principal: Principal,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), PortError> {
        self.client(principal)?
            .delete_object()
            .bucket(bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
            .map_err(|error| failure(&target(bucket, key), &error))?;
        Ok(())
    }

    async fn versions(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectVersion>, PortError> {
        let client = self.client(Principal::Harness)?;
        let mut versions = Vec::new();
        let (mut next_key, mut next_version) = (None, None);
        loop {
            let page = client
                .list_object_versions()
                .bucket(bucket)
                .prefix(prefix)
                .set_key_marker(next_key.take())
                .set_version_id_marker(next_version.take())
                .send()
                .await
                .map_err(|error| failure(&target(bucket, prefix), &error))?;
            versions.extend(page.versions.unwrap_or_default().into_iter().map(|version| ObjectVersion {
                key: version.key.unwrap_or_default(),
                version: version.version_id.unwrap_or_default(),
                delete_marker: false,
                latest: version.is_latest.unwrap_or(false),
            }));
            versions.extend(page.delete_markers.unwrap_or_default().into_iter().map(|marker| ObjectVersion {
                key: marker.key.unwrap_or_default(),
                version: marker.version_id.unwrap_or_default(),
                delete_marker: true,
                latest: marker.is_latest.unwrap_or(false),
            }));
            if page.is_truncated != Some(true) {
                break;
            }
            (next_key, next_version) = (page.next_key_marker, page.next_version_id_marker);
            if next_key.is_none() {
                return Err(PortError::Refused {
                    target: target(bucket, prefix),
                    reason: "the listing of versions breaks off without saying where to go on".to_owned(),
                });
            }
        }
        Ok(versions)
    }

    async fn buckets(&self) -> Result<Vec<String>, PortError> {
        let mut pages = self.client(Principal::Harness)?.list_buckets().into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure("the list of buckets", &error))?;
            names.extend(page.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name));
        }
        Ok(names)
    }

    async fn create_bucket(&self, bucket: &str) -> Result<(), PortError> {
        match self.client(Principal::Harness)?.create_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Err(error) => Err(failure(bucket, &error)),
        }
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), PortError> {
        self.client(Principal::Harness)?
            .delete_bucket()
            .bucket(bucket)
            .send()
            .await
            .map_err(|error| failure(bucket, &error))?;
        Ok(())
    }

    async fn versioning(&self, bucket: &str) -> Result<Versioning, PortError> {
        let answer = self
            .client(Principal::Harness)?
            .get_bucket_versioning()
            .bucket(bucket)
            .send()
            .await
            .map_err(|error| failure(bucket, &error))?;
        Ok(match answer.status {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
            _ => Versioning::Off,
        })
    }

    async fn enable_versioning(&self, bucket: &str) -> Result<(), PortError> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.client(Principal::Harness)?
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(enabled)
            .send()
            .await
            .map_err(|error| failure(bucket, &error))?;
        Ok(())
    }

    async fn lifecycle(&self, bucket: &str) -> Result<Vec<LifecycleRule>, PortError> {
        let answer = self.client(Principal::Harness)?.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        match answer {
            Ok(answer) => Ok(answer.rules.unwrap_or_default().iter().map(rule).collect()),
            Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => Ok(Vec::new()),
            Err(error) => Err(failure(bucket, &error)),
        }
    }

    async fn put_lifecycle(&self, bucket: &str, rules: &[LifecycleRule]) -> Result<(), PortError> {
        let invalid = |reason: String| PortError::Unsupported { reason: format!("lifecycle of {bucket}: {reason}") };
        let rules = rules.iter().map(wire_rule).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        let configuration = BucketLifecycleConfiguration::builder()
            .set_rules(Some(rules))
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        self.client(Principal::Harness)?
            .put_bucket_lifecycle_configuration()
            .bucket(bucket)
            .lifecycle_configuration(configuration)
            .send()
            .await
            .map_err(|error| failure(bucket, &error))?;
        Ok(())
    }

    fn fingerprint(&self, principal: Principal) -> Result<String, PortError> {
        self.fingerprints.get(&principal).cloned().ok_or_else(|| no_keys(principal))
    }

    async fn incomplete_upload_expiry(&self) -> Option<String> {
        self.incomplete_upload_expiry.clone()
    }
}

/// `bucket/key`, as errors name an object.
fn target(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

/// What the store's error means for `target`.
fn failure<E>(target: &str, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let target = target.to_owned();
    let Some(response) = error.raw_response() else {
        return PortError::Unreachable { target, reason: crate::causes(error) };
    };
    let status = response.status().as_u16();
    match (error.code(), error.message()) {
        (Some("NoSuchKey" | "NoSuchBucket" | "NoSuchVersion"), _) => PortError::NotFound { target },
        (Some(code), message) if DENIALS.contains(&code) => {
            let message = message.unwrap_or("no message");
            PortError::Denied { target, reason: format!("status {status}, {code}: {message}") }
        }
        (None, _) if status == 403 => PortError::Denied { target, reason: "status 403".to_owned() },
        (Some(code), message) => PortError::Refused {
            target,
            reason: format!("status {status}, {code}: {}", message.unwrap_or("no message")),
        },
        (None, _) if status == 404 => PortError::NotFound { target },
        (None, _) => PortError::Refused { target, reason: format!("status {status}") },
    }
}

fn rule(wire: &WireRule) -> LifecycleRule {
    #[expect(deprecated, reason = "stores may still answer with the prefix outside of the filter")]
    let outer = wire.prefix();
    let filter = wire.filter();
    let inner = filter.and_then(|filter| filter.prefix().or_else(|| filter.and().and_then(|and| and.prefix())));
    LifecycleRule {
        id: wire.id().unwrap_or_default().to_owned(),
        enabled: *wire.status() == ExpirationStatus::Enabled,
        prefix: inner.or(outer).unwrap_or_default().to_owned(),
        expire_days: wire.expiration().and_then(LifecycleExpiration::days),
        expires_by_date: wire.expiration().is_some_and(|expiration| expiration.date().is_some()),
        limited: filter.is_some_and(|filter| {
            let both = filter.and();
            filter.tag().is_some()
                || filter.object_size_greater_than().is_some()
                || filter.object_size_less_than().is_some()
                || both.is_some_and(|both| {
                    !both.tags().is_empty()
                        || both.object_size_greater_than().is_some()
                        || both.object_size_less_than().is_some()
                })
        }),
        noncurrent_expire_days: wire
            .noncurrent_version_expiration()
            .and_then(NoncurrentVersionExpiration::noncurrent_days),
        abort_incomplete_days: wire
            .abort_incomplete_multipart_upload()
            .and_then(AbortIncompleteMultipartUpload::days_after_initiation),
    }
}

/// An error is the reason why the rule cannot be written.
fn wire_rule(rule: &LifecycleRule) -> Result<WireRule, String> {
    if rule.limited || rule.expires_by_date {
        return Err(format!("rule {:?} has limits or a date, which are only read", rule.id));
    }
    let status = if rule.enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled };
    WireRule::builder()
        .id(&rule.id)
        .status(status)
        .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .set_expiration(rule.expire_days.map(|days| LifecycleExpiration::builder().days(days).build()))
        .set_noncurrent_version_expiration(
            rule.noncurrent_expire_days
                .map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build()),
        )
        .set_abort_incomplete_multipart_upload(
            rule.abort_incomplete_days
                .map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()),
        )
        .build()
        .map_err(|error| format!("rule {:?}: {error}", rule.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_rules_keep_what_they_say() {
        for sent in [
            LifecycleRule { id: "a".to_owned(), enabled: true, expire_days: Some(30), ..LifecycleRule::default() },
            LifecycleRule {
                id: "b".to_owned(),
                prefix: "fake/".to_owned(),
                noncurrent_expire_days: Some(7),
                abort_incomplete_days: Some(1),
                ..LifecycleRule::default()
            },
        ] {
            let wire = wire_rule(&sent).unwrap();
            assert_eq!(rule(&wire), sent);
        }
    }

    #[test]
    fn a_rule_is_written_whole_or_not_at_all() {
        let plain = LifecycleRule { id: "a".to_owned(), ..LifecycleRule::default() };
        assert!(wire_rule(&plain).is_ok());
        for cut in [LifecycleRule { limited: true, ..plain.clone() }, LifecycleRule { expires_by_date: true, ..plain }]
        {
            assert_eq!(wire_rule(&cut).unwrap_err(), "rule \"a\" has limits or a date, which are only read");
        }
    }

    #[test]
    fn who_has_no_keys_is_named() {
        let s3 = S3::new("http://localhost:1", "us-east-1", None, BTreeMap::new()).unwrap();
        let principal = Principal::Component(harness_core::ports::Component::Tempo);
        let Err(error) = s3.client(principal) else { panic!("a client without keys") };
        assert_eq!(error.to_string(), "not possible on this target: no S3 keys of tempo");
    }
}
