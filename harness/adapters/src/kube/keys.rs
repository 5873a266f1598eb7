use std::collections::BTreeMap;

use harness_core::ports::{Component, Stop, StoreKeys};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::{Patch, PatchParams};
use rand::{TryRng, rngs::SysRng};
use serde_json::{Value, json};

use super::{
    Call, Cluster, KubeError,
    finder::{self, MANAGER},
};
use crate::targets::blueprint::Program;

const KEY: &str = "S3_SECRET_ACCESS_KEY";

/// Where a secret keeps the component's own key while it has a wrong one: a run that is killed leaves it to be found by the next.
const OWN: &str = "own.S3_SECRET_ACCESS_KEY";

/// Programs whose keys can be changed.
const PROGRAMS: [Program; 3] = [Program::Loki, Program::Tempo, Program::Mimir];

fn secret_name(program: Program) -> String {
    format!("{}-s3-secret", program.name())
}

/// What is to be patched into a secret's data so that it holds those keys; `None` where it does already. A wrong key never takes the
/// place of the own one that is kept.
fn change(data: &BTreeMap<String, ByteString>, keys: StoreKeys, wrong: &str) -> Result<Option<Value>, String> {
    match (keys, data.get(OWN)) {
        (StoreKeys::Wrong, Some(_)) | (StoreKeys::Own, None) => Ok(None),
        (StoreKeys::Own, Some(own)) => Ok(Some(json!({KEY: own, OWN: null}))),
        (StoreKeys::Wrong, None) => {
            let own = data.get(KEY).ok_or_else(|| format!("it has no {KEY}"))?;
            Ok(Some(json!({KEY: ByteString(wrong.as_bytes().to_vec()), OWN: own})))
        }
    }
}

fn random() -> Result<String, KubeError> {
    let mut random = [0; 20];
    SysRng.try_fill_bytes(&mut random).map_err(KubeError::Random)?;
    Ok(hex::encode(random))
}

impl Cluster {
    pub(super) async fn rekeyed(&self, component: Component, keys: StoreKeys) -> Result<(), KubeError> {
        let program = Program::of(component);
        if !PROGRAMS.contains(&program) {
            return Err(KubeError::NoKeys { component });
        }
        self.change_keys(program, keys).await?;
        Ok(())
    }

    /// Whether there was anything to change.
    async fn change_keys(&self, program: Program, keys: StoreKeys) -> Result<bool, KubeError> {
        let name = secret_name(program);
        let secret: Secret = self.server.get(&self.namespace, &name).await?;
        let data = secret.data.unwrap_or_default();
        let malformed = |reason| KubeError::Malformed { what: format!("secret {}/{name}", self.namespace), reason };
        let Some(change) = change(&data, keys, &random()?).map_err(malformed)? else { return Ok(false) };
        // With the version that was read: who changed it meanwhile would have its change undone.
        let patch = json!({"metadata": {"resourceVersion": secret.metadata.resource_version}, "data": change});
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let call = Call { verb: "patch", resource: "secrets", object: format!("{}/{name}", self.namespace) };
        let api = self.server.api::<Secret>(&self.namespace);
        self.server.ask(call, api.patch(&name, &parameters, &Patch::Merge(patch))).await?;
        Ok(true)
    }

    /// Undoes what a run left behind that was killed: gives every program its own keys back and replaces the pods that may have
    /// started with the wrong ones, and starts what was scaled to nothing unless it is declared so. Returns what was done, in words. Needs what faults need.
    pub async fn restore(&self) -> Result<Vec<String>, KubeError> {
        let mut done = Vec::new();
        for program in PROGRAMS {
            let restored = match self.change_keys(program, StoreKeys::Own).await {
                // A stack of another make has no such secret, and so none that was changed.
                Err(KubeError::NotFound { .. }) => continue,
                restored => restored?,
            };
            if !restored {
                continue;
            }
            done.push(format!("gave {} its own key to the store back", program.name()));
            for component in Component::ALL.into_iter().filter(|&component| Program::of(component) == program) {
                match self.replaced(component, Stop::Graceful).await {
                    Ok(_) => done.push(format!("replaced {component}, which may have had the wrong key")),
                    // Nothing of it runs, or there is none of it: nothing has the wrong key.
                    Err(KubeError::NoWorkload { .. } | KubeError::NothingRuns { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for namespace in [self.namespace.as_str(), super::STORE_NAMESPACE] {
            for found in finder::workloads(&self.server, namespace).await? {
                if found.replicas == 0 && !found.declares_replicas {
                    self.scale(&found, 1).await?;
                    done.push(format!("started {}, which had been scaled down", found.full_name()));
                }
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(entries: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
    }

    /// What a merge patch makes of a secret's data.
    fn patched(mut data: BTreeMap<String, ByteString>, patch: Value) -> BTreeMap<String, ByteString> {
        for (key, value) in patch.as_object().unwrap() {
            match value {
                Value::Null => data.remove(key),
                value => data.insert(key.clone(), serde_json::from_value(value.clone()).unwrap()),
            };
        }
        data
    }

    #[test]
    fn a_wrong_key_and_back_leaves_the_secret_as_it_was() {
        let own = data(&[(KEY, "own"), ("S3_BUCKET", "loki-chunks")]);
        let wrong = patched(own.clone(), change(&own, StoreKeys::Wrong, "wrong").unwrap().unwrap());
        assert_eq!(wrong, data(&[(KEY, "wrong"), (OWN, "own"), ("S3_BUCKET", "loki-chunks")]));
        // Twice is once: the own key is not lost to a second wrong one.
        assert_eq!(change(&wrong, StoreKeys::Wrong, "other").unwrap(), None);
        let again = patched(wrong.clone(), change(&wrong, StoreKeys::Own, "other").unwrap().unwrap());
        assert_eq!(again, own);
        assert_eq!(change(&again, StoreKeys::Own, "other").unwrap(), None);
    }

    #[test]
    fn a_secret_without_the_key_is_refused() {
        assert_eq!(change(&data(&[]), StoreKeys::Wrong, "wrong").unwrap_err(), "it has no S3_SECRET_ACCESS_KEY");
        assert_eq!(change(&data(&[]), StoreKeys::Own, "wrong").unwrap(), None);
    }

    #[test]
    fn wrong_keys_differ_and_fit_the_store() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 40);
    }
}
