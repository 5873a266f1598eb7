/// Who asks the API server for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantRole {
    /// Who only looks.
    Observer,
    /// Who also breaks the stack on purpose and mends it; has an observer's rights too.
    Fault,
}

/// Where a right holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In the namespace of the stack and in that of the store.
    Both,
    /// In the namespace of the stack.
    Stack,
    /// In the whole cluster (a ClusterRole).
    Cluster,
}

/// One right that this client makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Who needs it.
    pub role: GrantRole,
    /// Where.
    pub scope: Scope,
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource, with its subresource.
    pub resource: &'static str,
    /// What is done with it.
    pub verbs: &'static [&'static str],
    /// The objects that the right is limited to; empty for all.
    pub names: &'static [&'static str],
}

const fn grant(
    role: GrantRole,
    scope: Scope,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    names: &'static [&'static str],
) -> Grant {
    Grant { role, scope, group, resource, verbs, names }
}

/// Every right that [`super::Cluster`] makes use of, and no other. Roles are rendered from it.
pub const GRANTS: &[Grant] = {
    use GrantRole::{Fault, Observer};
    use Scope::{Both, Cluster, Stack};
    &[
        // Which cluster this is.
        grant(Observer, Cluster, "", "namespaces", &["get"], &["kube-system"]),
        // Port-forwards. Newer API servers (seen with 1.37) ask for both rights, older ones for `get`.
        grant(Observer, Both, "", "services", &["get"], &[]),
        grant(Observer, Both, "", "pods/portforward", &["create", "get"], &[]),
        // Workloads, what became of their pods, and what they logged.
        grant(Observer, Both, "", "pods", &["list", "watch"], &[]),
        grant(Observer, Both, "apps", "deployments", &["list"], &[]),
        grant(Observer, Both, "apps", "statefulsets", &["list"], &[]),
        grant(Observer, Both, "", "events", &["list"], &[]),
        grant(Observer, Both, "", "pods/log", &["get"], &[]),
        // What a run reads about the stack, and the harness' own keys to the store.
        grant(Observer, Stack, "", "configmaps", &["get"], &["lgtm-verify-ca", "lgtm-verify-stack"]),
        grant(Observer, Stack, "", "secrets", &["get"], &["lgtm-verify-s3-secret"]),
        // Memory: the metrics API where there is one, else each node's kubelet. The latter right opens more than metrics; without it,
        // and without a metrics API, memory is said to be unknown.
        grant(Observer, Both, "metrics.k8s.io", "pods", &["list"], &[]),
        grant(Observer, Cluster, "", "nodes/proxy", &["get"], &[]),
        // Stop, start, replace.
        grant(Fault, Both, "apps", "deployments/scale", &["patch"], &[]),
        grant(Fault, Both, "apps", "statefulsets/scale", &["patch"], &[]),
        grant(Fault, Both, "", "pods", &["delete"], &[]),
        // Other keys to the store.
        grant(
            Fault,
            Stack,
            "",
            "secrets",
            &["get", "patch"],
            &["loki-s3-secret", "tempo-s3-secret", "mimir-s3-secret"],
        ),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_may_read_every_secret_or_change_what_runs() {
        for grant in GRANTS {
            assert!(grant.resource != "secrets" || !grant.names.is_empty(), "{grant:?}");
            let writes = grant.verbs.iter().any(|verb| !["get", "list", "watch"].contains(verb));
            let forwards = grant.resource == "pods/portforward";
            assert!(!writes || forwards || grant.role == GrantRole::Fault, "{grant:?}");
            assert!(!grant.verbs.contains(&"*") && grant.resource != "*" && grant.group != "*", "{grant:?}");
        }
    }
}
