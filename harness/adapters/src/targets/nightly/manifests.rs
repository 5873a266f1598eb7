use std::fmt;

use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    kube::{GRANTS, Grant, GrantRole, STORE_NAMESPACE, Scope, Vantage},
    targets::{blueprint::fill_in, kind::PullPolicy},
};

const ROLES: &str = include_str!("../../../../../nightly/roles.yaml");
const JOBS: &str = include_str!("../../../../../nightly/jobs.yaml");

/// Why there is no manifest.
#[derive(Debug, Error)]
#[error("nightly/{file} cannot be filled in")]
pub struct NightlyError {
    /// The template.
    file: &'static str,
    /// What is wrong with it.
    source: minijinja::Error,
}

/// A job, by what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Drives the pipelines and looks into the bucket; asks nothing of the cluster's API.
    Loader,
    /// Also looks at workloads.
    Observer,
    /// Also breaks and mends them.
    Fault,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Loader, Self::Observer, Self::Fault];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loader => "loader",
            Self::Observer => "observer",
            Self::Fault => "fault",
        }
    }

    /// The tag of the scenarios that it runs, if none is given.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Loader => "main",
            Self::Observer => "kubernetes",
            Self::Fault => "faults",
        }
    }

    /// When it runs, if nothing is given: an hour apart, and no run is given an hour.
    pub fn schedule(self) -> &'static str {
        match self {
            Self::Loader => "0 2 * * *",
            Self::Observer => "0 3 * * *",
            Self::Fault => "0 4 * * *",
        }
    }

    /// The name of its account, of its roles and of its CronJob.
    fn account(self) -> String {
        format!("lgtm-verify-{}", self.name())
    }

    fn may(self, grant: &Grant) -> bool {
        let role = match self {
            Self::Loader => false,
            Self::Observer => grant.role == GrantRole::Observer,
            Self::Fault => true,
        };
        role && grant.from == Vantage::Anywhere
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the manifests depend on.
#[derive(Debug, Clone)]
pub struct Nightly {
    /// The namespace of the stack, in which the jobs run.
    pub namespace: String,
    /// The image of the harness.
    pub image: String,
    /// When the node asks a registry for it.
    pub pull_policy: PullPolicy,
    /// Each job's schedule and tag, where they are not its own: the last of several counts.
    pub schedules: Vec<(Job, String)>,
    /// Likewise.
    pub tags: Vec<(Job, String)>,
}

impl Nightly {
    /// Every object, as one text of YAML documents. The same text removes them.
    ///
    /// # Errors
    /// A template that cannot be filled in.
    pub fn manifests(&self) -> Result<String, NightlyError> {
        let given =
            |all: &[(Job, String)], job: Job| all.iter().rev().find(|(of, _)| *of == job).map(|(_, text)| text.clone());
        let jobs: Vec<Value> = Job::ALL
            .into_iter()
            .map(|job| {
                let roles = self.roles(job);
                json!({
                    "account": job.account(),
                    "token": !roles.is_empty(),
                    "roles": roles,
                    "schedule": given(&self.schedules, job).unwrap_or_else(|| job.schedule().to_owned()),
                    "tag": given(&self.tags, job).unwrap_or_else(|| job.tag().to_owned()),
                })
            })
            .collect();
        let context = json!({
            "namespace": self.namespace,
            "image": self.image,
            "pull_policy": self.pull_policy.to_string(),
            "jobs": jobs,
        });
        let files = [("roles.yaml", ROLES), ("jobs.yaml", JOBS)];
        let texts = files.map(|(file, template)| {
            fill_in(template, context.clone()).map_err(|source| NightlyError { file, source }).map(|text| text + "\n")
        });
        texts.into_iter().collect()
    }

    /// The roles of a job: a namespace and its rules each, as JSON, which is YAML on one line.
    fn roles(&self, job: Job) -> Vec<Value> {
        let of = |namespace: &str, scopes: &[Scope]| {
            let granted = GRANTS.iter().filter(|grant| scopes.contains(&grant.scope) && job.may(grant));
            let rules: Vec<String> = granted.map(|grant| rule(grant).to_string()).collect();
            (!rules.is_empty()).then(|| json!({"namespace": namespace, "rules": rules}))
        };
        [of(&self.namespace, &[Scope::Both, Scope::Stack]), of(STORE_NAMESPACE, &[Scope::Both])]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn rule(grant: &Grant) -> Value {
    let mut rule = json!({"apiGroups": [grant.group], "resources": [grant.resource], "verbs": grant.verbs});
    if !grant.names.is_empty() {
        rule["resourceNames"] = json!(grant.names);
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::blueprint::yaml;

    fn nightly() -> Nightly {
        Nightly {
            namespace: "observed".to_owned(),
            image: "example/lgtm-verify:1".to_owned(),
            pull_policy: PullPolicy::Never,
            schedules: vec![(Job::Loader, "*/2 * * * *".to_owned())],
            tags: vec![(Job::Fault, "mended".to_owned())],
        }
    }

    fn objects() -> Vec<Value> {
        let text = nightly().manifests().unwrap();
        text.split("\n---\n")
            .skip_while(|text| text.starts_with('#'))
            .map(|text| yaml("nightly", text).unwrap())
            .collect()
    }

    fn of(kind: &str, account: &str) -> Vec<Value> {
        let wanted = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == account;
        objects().into_iter().filter(wanted).collect()
    }

    #[test]
    fn every_object_is_labelled_and_none_is_the_cluster_s() {
        let mut kinds = std::collections::BTreeMap::<String, usize>::new();
        for object in objects() {
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/part-of"], "lgtm-verify", "{object}");
            let namespace = object["metadata"]["namespace"].as_str().unwrap();
            assert!(["observed", STORE_NAMESPACE].contains(&namespace), "{object}");
            *kinds.entry(object["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let expected = [("CronJob", 3), ("Role", 4), ("RoleBinding", 4), ("ServiceAccount", 3)];
        assert_eq!(kinds, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
    }

    #[test]
    fn every_right_of_a_pod_is_rendered_once_where_it_holds_and_no_other() {
        for job in Job::ALL {
            let roles = of("Role", &job.account());
            for (namespace, scopes) in
                [("observed", &[Scope::Both, Scope::Stack][..]), (STORE_NAMESPACE, &[Scope::Both])]
            {
                let expected: Vec<Value> =
                    GRANTS.iter().filter(|grant| scopes.contains(&grant.scope) && job.may(grant)).map(rule).collect();
                let rendered: Vec<&Value> = roles
                    .iter()
                    .filter(|role| role["metadata"]["namespace"] == namespace)
                    .flat_map(|role| role["rules"].as_array().unwrap())
                    .collect();
                assert_eq!(rendered, expected.iter().collect::<Vec<_>>(), "{job} in {namespace}");
            }
        }
        let inside = GRANTS.iter().filter(|grant| grant.from == Vantage::Anywhere);
        assert!(inside.clone().all(|grant| Job::Fault.may(grant) && grant.scope != Scope::Cluster));
        assert!(inside.clone().count() < GRANTS.len());
    }

    #[test]
    fn nobody_has_a_wildcard_the_loader_nothing_and_the_observer_writes_nothing() {
        let rules = |job: Job| -> Vec<Value> {
            of("Role", &job.account()).iter().flat_map(|role| role["rules"].as_array().unwrap().clone()).collect()
        };
        let words = |rule: &Value, key: &str| -> Vec<String> {
            let list = rule[key].as_array().unwrap();
            list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        assert!(rules(Job::Loader).is_empty());
        assert!(of("RoleBinding", "lgtm-verify-loader").is_empty());
        for rule in rules(Job::Observer) {
            assert!(
                words(&rule, "verbs").iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str())),
                "{rule}"
            );
            assert!(!words(&rule, "resources").contains(&"secrets".to_owned()), "{rule}");
        }
        for rule in Job::ALL.into_iter().flat_map(rules) {
            for key in ["apiGroups", "resources", "verbs"] {
                assert!(words(&rule, key).iter().all(|word| !word.contains('*')), "{rule}");
            }
            for resource in ["services", "pods/portforward", "configmaps", "nodes/proxy", "namespaces"] {
                assert!(!words(&rule, "resources").contains(&resource.to_owned()), "{rule}");
            }
        }
    }

    #[test]
    fn a_pod_is_as_restricted_as_can_be_and_has_a_token_only_where_it_has_rights() {
        for job in Job::ALL {
            let [cron] = &of("CronJob", &job.account())[..] else { panic!("{job}") };
            assert_eq!(cron["spec"]["concurrencyPolicy"], "Forbid");
            let work = &cron["spec"]["jobTemplate"]["spec"];
            assert_eq!((&work["backoffLimit"], work["activeDeadlineSeconds"].is_u64()), (&json!(0), true));
            let pod = &work["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], json!(job != Job::Loader));
            assert_eq!((&pod["restartPolicy"], &pod["serviceAccountName"]), (&json!("Never"), &json!(job.account())));
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            let container = &pod["containers"][0];
            let security = json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], security);
            assert_eq!(
                (&container["resources"]["requests"]["cpu"], &container["resources"]["limits"]["memory"]),
                (&json!("50m"), &json!("256Mi"))
            );
            assert_eq!(
                (&container["image"], &container["imagePullPolicy"]),
                (&json!("example/lgtm-verify:1"), &json!("Never"))
            );
        }
    }

    #[test]
    fn schedules_and_tags_are_each_job_s_own_unless_given() {
        let of_job = |job: Job| {
            let cron = of("CronJob", &job.account()).remove(0);
            let container = &cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&cron["spec"]["schedule"]), text(&container["args"][4]))
        };
        assert_eq!(of_job(Job::Loader), ("*/2 * * * *".to_owned(), "main".to_owned()));
        assert_eq!(of_job(Job::Observer), ("0 3 * * *".to_owned(), "kubernetes".to_owned()));
        assert_eq!(of_job(Job::Fault), ("0 4 * * *".to_owned(), "mended".to_owned()));
    }
}
