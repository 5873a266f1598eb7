//! The files that the stack is deployed from.

use serde_json::{Value, json};

use super::{Scene, Told, disclosures::CANARY};
use crate::{
    observation::{Evidence, EvidenceKind, Facts},
    ports::{Decrypted, PortError},
    secret::{Form, Searcher},
    tree::{Alteration, Program, Question, Tree, findings_of},
};

/// Facts: what objects to the question, by rule.
pub(super) async fn tree(scene: &mut Scene<'_>, question: Question, altered: &[Alteration]) -> Told {
    match read(scene, altered).await {
        Ok(tree) => {
            let findings = findings_of(&tree, question);
            scene.facts(findings.into_iter().map(|(rule, findings)| (rule.to_owned(), json!(findings))).collect())
        }
        Err(error) => Told::Failed(error),
    }
}

/// Facts: those of [`Question::Encrypted`], `decrypts` (what the key does not open, or is not as it was when it was encrypted) and `closed` (what can be read without it).
/// `swapped`: each is told of the other.
pub(super) async fn secrets(scene: &mut Scene<'_>, altered: &[Alteration], swapped: bool) -> Told {
    let tree = match read(scene, altered).await {
        Ok(tree) => tree,
        Err(error) => return Told::Failed(error),
    };
    let secrets = match secrets_of(&tree) {
        Ok(secrets) => secrets,
        Err(error) => return Told::Failed(error),
    };
    let declared = findings_of(&tree, Question::Encrypted);
    let is_objected_to = declared.values().any(|findings| !findings.is_empty());
    let (mut shut, mut open) = (Vec::new(), Vec::new());
    for (file, text) in secrets {
        for with_key in [true, false] {
            match (scene.ports.deployment.decrypt(text, with_key != swapped).await, with_key) {
                (Ok(Decrypted::Refused(reason)), true) => shut.push(format!("{file}: {reason}")),
                (Ok(Decrypted::Text(_)), false) => open.push(format!("{file}: can be read without a key")),
                (Ok(_), _) => {}
                // What is wrong on the face of it is so whether or not anybody can open it.
                (Err(PortError::Unsupported { reason }), _) if is_objected_to => {
                    shut.push(format!("{file}: not opened: {reason}"));
                }
                (Err(error), _) => return Told::Failed(error),
            }
        }
    }
    let declared = declared.into_iter().map(|(rule, findings)| (rule.to_owned(), json!(findings)));
    scene.facts(declared.chain([("decrypts".to_owned(), json!(shut)), ("closed".to_owned(), json!(open))]).collect())
}

/// Facts: `disclosed` (files with a credential of the secrets, in any form).
pub(super) async fn disclosures(scene: &mut Scene<'_>, planted: Option<Form>) -> Told {
    let tree = match read(scene, &[]).await {
        Ok(tree) => tree,
        Err(error) => return Told::Failed(error),
    };
    let secrets = match secrets_of(&tree) {
        Ok(secrets) => secrets,
        Err(error) => return Told::Failed(error),
    };
    let mut credentials = vec![CANARY.to_owned()];
    for (file, text) in secrets {
        match scene.ports.deployment.decrypt(text, true).await {
            Ok(Decrypted::Text(text)) => credentials.extend(credentials_in(&text)),
            Ok(Decrypted::Refused(reason)) => {
                return Told::Failed(PortError::Refused { target: file.to_owned(), reason });
            }
            Err(error) => return Told::Failed(error),
        }
    }
    let searcher = Searcher::new(credentials.iter().map(String::as_str));
    let mut disclosed = Vec::new();
    for (file, text) in &tree.files {
        let text = match planted {
            Some(form) => [text.as_bytes(), b"\n", &form.of(CANARY), b"\n"].concat(),
            None => text.as_bytes().to_vec(),
        };
        disclosed.extend(searcher.find(&text).iter().map(|form| format!("{file}: a credential, {form}")));
    }
    scene.facts(Facts::from([("disclosed".to_owned(), json!(disclosed))]))
}

/// The tree with these changes; what was read is told as evidence by name, for it may have secrets in it.
async fn read(scene: &mut Scene<'_>, altered: &[Alteration]) -> Result<Tree, PortError> {
    let tree = scene.ports.deployment.tree().await?;
    let mut evidence = Evidence::new(EvidenceKind::Configuration, scene.keeper.unix_ns());
    evidence.request = Some("read what the stack is deployed from".to_owned());
    evidence.excerpt = Some(tree.describe());
    scene.evidence.push(evidence);
    let nothing = || PortError::Unsupported { reason: format!("the tree has nothing to be changed by {altered:?}") };
    tree.altered(altered).ok_or_else(nothing)
}

/// The secrets' files, by the names that the design gives them. One that is not there cannot be looked into.
fn secrets_of(tree: &Tree) -> Result<Vec<(&str, &str)>, PortError> {
    let files = Program::ALL.map(|program| format!("apps/monitoring/{}/app/secret.sops.yaml", program.name()));
    let read = |file: String| match tree.files.get_key_value(&file) {
        Some((file, text)) => Ok((file.as_str(), text.as_str())),
        None => Err(PortError::NotFound { target: file }),
    };
    files.into_iter().map(read).collect()
}

/// The values of a decrypted secret that are credentials.
fn credentials_in(text: &str) -> Vec<String> {
    let secret: Value = serde_saphyr::from_str(text).unwrap_or_default();
    let value = |key: &str| secret.pointer(&format!("/stringData/{key}")).and_then(Value::as_str).map(str::to_owned);
    ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"].into_iter().filter_map(value).collect()
}
