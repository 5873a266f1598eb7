use std::collections::BTreeMap;

use serde::Deserialize;

use crate::targets::blueprint::words;

/// When a node asks a registry for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// Whenever a container starts.
    Always,
    /// When it has none.
    IfNotPresent,
    /// Never: the image has been loaded.
    Never,
}

words!(
    PullPolicy, "pull policy",
    Self::Always => "Always", Self::IfNotPresent => "IfNotPresent", Self::Never => "Never"
);

/// Ids by reference, in what `crictl images --output json` prints of a node.
pub(super) fn on_node(printed: &str) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        images: Vec<Image>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Image {
        id: String,
        #[serde(default)]
        repo_tags: Vec<String>,
    }
    let answer: Answer = serde_json::from_str(printed).unwrap_or(Answer { images: Vec::new() });
    answer
        .images
        .into_iter()
        .flat_map(|image| {
            let id = image.id;
            image.repo_tags.into_iter().map(move |tag| (tag, id.clone()))
        })
        .map(|(tag, id)| (tag.strip_prefix("docker.io/").unwrap_or(&tag).to_owned(), id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_has_is_read_by_the_short_name() {
        let printed = r#"{"images":[{"id":"sha256:1","repoTags":["docker.io/lgtm-verify/mc:v1"]},{"id":"sha256:2"}]}"#;
        assert_eq!(on_node(printed), BTreeMap::from([("lgtm-verify/mc:v1".to_owned(), "sha256:1".to_owned())]));
        assert!(on_node("no json").is_empty());
    }

    #[test]
    fn pull_policies_are_found_by_name() {
        assert_eq!(PullPolicy::IfNotPresent.to_string().parse(), Ok(PullPolicy::IfNotPresent));
    }
}
