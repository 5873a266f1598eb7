use std::fmt::Write as _;

use serde_json::json;

use super::{Alteration, Files, Question, Tree, documents, findings_of};

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::read(files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect::<Files>())
}

/// What stands where it is no YAML.
fn broken(text: &str) -> Vec<String> {
    findings_of(&tree(&[("a.yaml", text)]), Question::MemoryLimits)["memory limit"]
        .iter()
        .filter(|finding| finding.contains("no YAML"))
        .cloned()
        .collect()
}

#[test]
fn documents_begin_where_they_begin() {
    let text = "# only words\n---\na: 1\n---\n\n---\nb: 2\n";
    let found: Vec<(usize, &str)> = documents(text).iter().map(|(line, text)| (*line, text.trim())).collect();
    assert_eq!(found, [(3, "a: 1"), (7, "b: 2")]);
    assert!(documents("").is_empty());
}

#[test]
fn what_is_no_yaml_is_told_with_its_line() {
    for (text, line) in
        [("a: [1\nb: 2\n", 2), ("a: 1\n---\nb: 1\nb: 2\n", 4), ("a: 1\n---\nb: {c\n", 3), ("a: *nowhere\n", 1)]
    {
        let found = broken(text);
        assert_eq!(found.len(), 1, "{text:?}");
        assert!(found[0].starts_with(&format!("a.yaml:{line}: no YAML: ")), "{text:?}: {found:?}");
    }
    for text in ["", "# nothing\n", "a: &x {b: 1}\nc: *x\n", "a: 1\n---\nb: 2\n"] {
        assert_eq!(broken(text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn an_empty_tree_is_objected_to_and_not_crashed_on() {
    for question in
        [Question::Depends, Question::Discovery, Question::Persistence, Question::Encrypted, Question::ServiceMonitor]
    {
        let findings = findings_of(&tree(&[]), question);
        assert!(findings.values().any(|findings| !findings.is_empty()), "{question:?}");
    }
}

#[test]
fn values_of_ten_thousand_lines_are_read_and_their_places_found() {
    let mut text = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: loki}\nspec:\n  chartRef: {name: loki}\n  values:\n".to_owned();
    for number in 0..10_000 {
        writeln!(text, "    filler{number}: {number}").unwrap();
    }
    text.push_str("    read:\n      replicas: 2\n");
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: loki}\nspec: {url: oci://registry/loki}\n";
    let tree = tree(&[("release.yaml", &text), ("source.yaml", source)]);
    let findings = findings_of(&tree, Question::Replicas);
    assert!(findings["one replica"].contains(&"release.yaml:10008: 2 replicas".to_owned()), "{findings:?}");
}

#[test]
fn a_change_is_made_where_it_is_said_or_not_at_all() {
    let tree = tree(&[("a.yaml", "kind: Secret\nmetadata: {name: s}\nlist: [{x: 1}]\n")]);
    let set = |at: &str, value| Alteration::Set { kind: "Secret".into(), name: "s".into(), at: at.into(), value };
    let altered = |alteration: Alteration| tree.altered(&[alteration]).map(|tree| tree.objects[0].value.clone());
    let whole = json!({"kind": "Secret", "metadata": {"name": "s"}, "list": [{"x": 1}]});
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value);
        Some(value)
    };
    assert_eq!(altered(set("/new/a~1b", Some(json!(1)))), with(&|value| value["new"] = json!({"a/b": 1})));
    assert_eq!(altered(set("/list/0/x", Some(json!(2)))), with(&|value| value["list"][0]["x"] = json!(2)));
    assert_eq!(altered(set("/list", None)), with(&|value| drop(value.as_object_mut().unwrap().remove("list"))));
    assert_eq!(altered(set("/none", None)), with(&|_| ()));
    let other = Alteration::Set { kind: "Secret".into(), name: "t".into(), at: "/x".into(), value: None };
    assert!(tree.altered(&[other]).is_none());
    assert!(tree.altered(&[Alteration::WithoutFile { file: "b.yaml".into() }]).is_none());
    assert!(tree.altered(&[Alteration::WithoutFile { file: "a.yaml".into() }]).unwrap().objects.is_empty());
    let tampered = |from: &str| {
        let change = Alteration::Tampered { file: "a.yaml".into(), from: from.into(), to: "Y".into() };
        tree.altered(&[change]).map(|tree| tree.files["a.yaml"].clone())
    };
    assert_eq!(tampered("Secret").unwrap().lines().next(), Some("kind: Y"));
    assert_eq!(tampered("nowhere"), None);
}
