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

/// Whose runs need a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vantage {
    /// Runs from anywhere.
    Anywhere,
    /// Runs from outside the cluster alone. A pod goes through Services, and is given keys and authority by its own manifest.
    Outside,
}

/// One right that this client makes use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Who needs it.
    pub role: GrantRole,
    /// From where.
    pub from: Vantage,
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
    from: Vantage,
    scope: Scope,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    names: &'static [&'static str],
) -> Grant {
    Grant { role, from, scope, group, resource, verbs, names }
}

/// Every right that [`super::Cluster`] makes use of, and no other. Roles are rendered from it.
pub const GRANTS: &[Grant] = {
    use GrantRole::{Fault, Observer};
    use Scope::{Both, Cluster, Stack};
    use Vantage::{Anywhere, Outside};
    &[
        // Which cluster this is.
        grant(Observer, Outside, Cluster, "", "namespaces", &["get"], &["kube-system"]),
        // Whether the stack's namespace is being removed. A pod goes with its own.
        grant(Observer, Outside, Stack, "", "namespaces", &["get"], &[]),
        // Port-forwards. Newer API servers (seen with 1.37) ask for both rights, older ones for `get`.
        grant(Observer, Outside, Both, "", "services", &["get"], &[]),
        grant(Observer, Outside, Both, "", "pods/portforward", &["create", "get"], &[]),
        // Workloads, what became of their pods, and what they logged.
        grant(Observer, Anywhere, Both, "", "pods", &["list"], &[]),
        grant(Observer, Anywhere, Both, "apps", "deployments", &["list"], &[]),
        grant(Observer, Anywhere, Both, "apps", "statefulsets", &["list"], &[]),
        grant(Observer, Anywhere, Both, "", "events", &["list"], &[]),
        grant(Observer, Anywhere, Both, "", "pods/log", &["get"], &[]),
        // What a run reads about the stack, and the harness' own keys to the store.
        grant(Observer, Outside, Stack, "", "configmaps", &["get"], &["lgtm-verify-ca", "lgtm-verify-stack"]),
        grant(Observer, Outside, Stack, "", "secrets", &["get"], &["lgtm-verify-s3-secret"]),
        // What is written down where everybody reads it, to be searched for credentials.
        grant(Observer, Outside, Stack, "", "configmaps", &["list"], &[]),
        // Memory: the metrics API where there is one, else each node's kubelet, which alone tells of disks. No scenario that runs in a
        // pod looks at either.
        grant(Observer, Outside, Both, "metrics.k8s.io", "pods", &["list"], &[]),
        grant(Observer, Outside, Cluster, "", "nodes/proxy", &["get"], &[]),
        // Stop, start, replace.
        grant(Fault, Anywhere, Both, "apps", "deployments/scale", &["patch"], &[]),
        grant(Fault, Anywhere, Both, "apps", "statefulsets/scale", &["patch"], &[]),
        grant(Fault, Anywhere, Both, "", "pods", &["delete", "watch"], &[]),
        // Other keys to the store.
        grant(
            Fault,
            Anywhere,
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
    fn a_pod_has_no_rights_beyond_its_namespaces() {
        for grant in GRANTS.iter().filter(|grant| grant.from == Vantage::Anywhere) {
            assert_ne!(grant.scope, Scope::Cluster, "{grant:?}");
        }
    }

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
