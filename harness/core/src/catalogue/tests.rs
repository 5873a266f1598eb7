use std::time::Duration;

use proptest::prelude::*;

use super::*;

const FILE: &str = "logs.md";
const LOCK: &str = "criteria.lock";

/// Two criteria with a clause each, one that includes, one undefined, one finding. Line 1 is the title.
const VALID: &str = "\
# Logs

For readers.

## AC-lgtm-001-02 ~1 Logs are stored
- level: shall
- source: design.md 152 157
- requirement: REQ-lgtm-d4f8c2a1-001

Lines are stored.

A second paragraph:
- an item: with a colon

### AC-lgtm-001-02/grpc ~2 Over gRPC
- targets: kind local
- bound: 5m

All of them.

### AC-lgtm-001-02/index ~1 With their index
- targets: local

Seen.

## AC-lgtm-001-04 ~1 Not said
- level: undefined
- source: design.md 200

Not said anywhere.

## REQ-lgtm-d4f8c2a1-001 ~1 Logs
- level: should
- source: design.md 15
- includes: AC-lgtm-001-02 AC-lgtm-001-04

Everything about logs.

## DF-01 Slow index
- source: design.md 152
- related: AC-lgtm-001-02/index REQ-lgtm-d4f8c2a1-001

Sixteen minutes.
";

fn parse(text: &str) -> Result<Catalogue, Vec<CatalogueError>> {
    Catalogue::parse(&[(FILE, text)])
}

fn messages(errors: Vec<CatalogueError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_valid_file_says_all_that_it_says() {
    let catalogue = parse(VALID).unwrap();
    let ids: Vec<_> = catalogue.criteria.iter().map(|criterion| criterion.id.as_str()).collect();
    assert_eq!(ids, ["AC-lgtm-001-02", "AC-lgtm-001-04", "REQ-lgtm-d4f8c2a1-001"]);

    let criterion = catalogue.criterion(&"AC-lgtm-001-02".parse().unwrap()).unwrap();
    assert_eq!((criterion.revision, criterion.title.as_str(), criterion.level), (1, "Logs are stored", Level::Shall));
    assert_eq!(criterion.source.to_string(), "design.md 152 157");
    assert_eq!(criterion.requirements, ["REQ-lgtm-d4f8c2a1-001".parse().unwrap()]);
    assert_eq!(criterion.text, "Lines are stored.\n\nA second paragraph:\n- an item: with a colon");
    assert_eq!(criterion.location.to_string(), "logs.md:5");

    let clause = catalogue.clause(&"AC-lgtm-001-02/grpc".parse().unwrap()).unwrap();
    assert_eq!((clause.revision, clause.title.as_str(), clause.text.as_str()), (2, "Over gRPC", "All of them."));
    assert_eq!(clause.targets, [Target::Local, Target::Kind]);
    assert!(clause.applies_to(Target::Kind) && !clause.applies_to(Target::Tree));
    assert_eq!(clause.bound, Some(Duration::from_secs(300)));
    assert_eq!(catalogue.clauses().count(), 2);

    let finding = catalogue.findings.first().unwrap();
    assert_eq!((finding.id.as_str(), finding.title.as_str(), finding.related.len()), ("DF-01", "Slow index", 2));
    let json = serde_json::to_string(&catalogue.criteria).unwrap();
    assert!(json.contains("\"bound\":\"5m\""), "{json}");
    assert_eq!(serde_json::from_str::<Vec<Criterion>>(&json).unwrap(), catalogue.criteria);
}

/// Each row spoils the valid file in one place and names every error that follows, with file and line.
#[test]
fn every_mistake_is_named_with_its_line() {
    let rows: &[(&str, &str, &[&str])] = &[
        (
            "## AC-lgtm-001-04 ~1",
            "## AC-lgtm-001-02 ~1",
            &[
                "logs.md:26: AC-lgtm-001-02 stands already at logs.md:5",
                "logs.md:32: REQ-lgtm-d4f8c2a1-001 refers to AC-lgtm-001-04, which the catalogue does not have, did you mean AC-lgtm-001-02?",
            ],
        ),
        (
            "001-02/index ~1",
            "001-02/grpc ~1",
            &[
                "logs.md:21: AC-lgtm-001-02/grpc stands already at logs.md:15",
                "logs.md:39: DF-01 refers to AC-lgtm-001-02/index, which the catalogue does not have, did you mean AC-lgtm-001-02/grpc?",
            ],
        ),
        (
            "- includes: AC-lgtm-001-02",
            "- includes: AC-lgtm-001-03",
            &[
                "logs.md:32: REQ-lgtm-d4f8c2a1-001 refers to AC-lgtm-001-03, which the catalogue does not have, did you mean AC-lgtm-001-04?",
            ],
        ),
        (
            "- requirement: REQ-lgtm-d4f8c2a1-001",
            "- requirement: ADR-001",
            &["logs.md:5: AC-lgtm-001-02 refers to ADR-001, which the catalogue does not have"],
        ),
        (
            "- requirement: REQ-lgtm-d4f8c2a1-001",
            "- requirement: REQ-001",
            &[
                "logs.md:8: attribute \"requirement\": \"REQ-001\" is no criterion id, expected the shape AC-lgtm-001-02, \
             REQ-lgtm-d4f8c2a1-001, NFR-lgtm-d4f8c2a1-OPS-001, ADR-001, API-1 or TREE-layout, found \"REQ-001\"",
            ],
        ),
        (
            "- includes: AC-lgtm-001-02 ",
            "- includes: REQ-lgtm-d4f8c2a1-001 ",
            &["logs.md:32: REQ-lgtm-d4f8c2a1-001 includes itself: REQ-lgtm-d4f8c2a1-001 > REQ-lgtm-d4f8c2a1-001"],
        ),
        (
            "- requirement: REQ",
            "- includes: REQ",
            &[
                "logs.md:5: AC-lgtm-001-02 includes itself: AC-lgtm-001-02 > REQ-lgtm-d4f8c2a1-001 > AC-lgtm-001-02",
                "logs.md:32: REQ-lgtm-d4f8c2a1-001 includes itself: REQ-lgtm-d4f8c2a1-001 > AC-lgtm-001-02 > REQ-lgtm-d4f8c2a1-001",
            ],
        ),
        ("/grpc ~2", "/grpc ~0", &["logs.md:15: AC-lgtm-001-02/grpc has revision 0, revisions begin with 1"]),
        (
            "/index ~1",
            "/index 1",
            &[
                "logs.md:21: malformed heading \"AC-lgtm-001-02/index 1 With their index\": expected a revision such as ~1 behind the id",
                "logs.md:39: DF-01 refers to AC-lgtm-001-02/index, which the catalogue does not have, did you mean AC-lgtm-001-02/grpc?",
            ],
        ),
        (
            "/grpc ~2",
            "/grpc ~99999999999",
            &[
                "logs.md:15: malformed heading \"AC-lgtm-001-02/grpc ~99999999999 Over gRPC\": expected a whole number behind ~",
            ],
        ),
        (
            "~2 Over gRPC",
            "~2",
            &["logs.md:15: malformed heading \"AC-lgtm-001-02/grpc ~2\": expected a title behind the revision"],
        ),
        (
            "## DF-01 Slow index",
            "## DF-01",
            &["logs.md:39: malformed heading \"DF-01\": expected a title behind the id"],
        ),
        (
            "## DF-01",
            "## DF-1",
            &[
                "logs.md:39: malformed heading \"DF-1 Slow index\": \"DF-1\" is no design finding id, expected the shape DF-01",
            ],
        ),
        (
            "### AC-lgtm-001-02/grpc",
            "### grpc",
            &[
                "logs.md:15: malformed heading \"grpc ~2 Over gRPC\": \"grpc\" is no clause id, expected the shape AC-lgtm-001-02/http-json",
            ],
        ),
        (
            "### AC-lgtm-001-02/grpc",
            "#### AC-lgtm-001-02/grpc",
            &[
                "logs.md:15: malformed heading \"#### AC-lgtm-001-02/grpc ~2 Over gRPC\": expected \"## \" or \"### \" and an id at the beginning of the line",
                "logs.md:16: attribute \"targets\" stands behind the beginning of the text, move it up to the heading",
                "logs.md:17: attribute \"bound\" stands behind the beginning of the text, move it up to the heading",
            ],
        ),
        (
            "Not said anywhere.",
            " ## ADR-001 ~1 Hidden",
            &[
                "logs.md:26: AC-lgtm-001-04 has no text",
                "logs.md:30: malformed heading \" ## ADR-001 ~1 Hidden\": expected \"## \" or \"### \" and an id at the beginning of the line",
            ],
        ),
        (
            "### AC-lgtm-001-02/grpc",
            "### AC-lgtm-001-04/grpc",
            &["logs.md:15: clause AC-lgtm-001-04/grpc does not stand below its criterion AC-lgtm-001-04"],
        ),
        (
            "For readers.",
            "### ADR-001/early ~1 Early\n- targets: tree\n\nText.",
            &["logs.md:3: clause ADR-001/early does not stand below its criterion ADR-001"],
        ),
        (
            "Sixteen minutes.",
            "Sixteen.\n\n### AC-lgtm-001-02/late ~1 Late\n- targets: tree\n\nText.",
            &["logs.md:45: clause AC-lgtm-001-02/late does not stand below its criterion AC-lgtm-001-02"],
        ),
        (
            "- level: shall",
            "- levle: shall",
            &[
                "logs.md:5: AC-lgtm-001-02 has no attribute \"level\"",
                "logs.md:6: unknown attribute \"levle\" of a criterion, did you mean \"level\"?",
            ],
        ),
        (
            "- bound: 5m",
            "- source: design.md 3",
            &["logs.md:17: unknown attribute \"source\" of a clause, did you mean \"bound\"?"],
        ),
        ("- bound: 5m", "- targets: tree", &["logs.md:17: attribute \"targets\" is given twice"]),
        (
            "- bound: 5m",
            "- bound 5m",
            &[
                "logs.md:17: malformed attribute \"- bound 5m\", expected \"- key: value\"; a text must not begin with a list",
            ],
        ),
        (
            "- bound: 5m",
            "  cluster",
            &[
                "logs.md:17: malformed attribute \"  cluster\", expected \"- key: value\"; a text must not begin with a list",
            ],
        ),
        (
            "All of them.",
            "All of them.\n- bound: 5m",
            &["logs.md:20: attribute \"bound\" stands behind the beginning of the text, move it up to the heading"],
        ),
        (
            "- bound: 5m",
            "- bound: five",
            &[
                "logs.md:17: attribute \"bound\": expected a time such as 5m or 3s (expected number at 0), found \"five\"",
            ],
        ),
        ("- bound: 5m", "- bound: 0s", &["logs.md:17: attribute \"bound\": expected a time above zero, found \"0s\""]),
        (
            "- targets: kind local",
            "- targets: kind moon",
            &[
                "logs.md:16: attribute \"targets\": unknown target \"moon\", expected tree, local, containers, kind or cluster, found \"kind moon\"",
            ],
        ),
        (
            "- targets: kind local",
            "- targets: kind kind",
            &["logs.md:16: attribute \"targets\": kind is given twice, found \"kind kind\""],
        ),
        ("- targets: kind local\n", "", &["logs.md:15: AC-lgtm-001-02/grpc has no attribute \"targets\""]),
        (
            "- level: should",
            "- level: must",
            &["logs.md:33: attribute \"level\": expected shall, should, may or undefined, found \"must\""],
        ),
        ("- source: design.md 152 157\n", "", &["logs.md:5: AC-lgtm-001-02 has no attribute \"source\""]),
        (
            "- source: design.md 152 157",
            "- source: design.md 0",
            &[
                "logs.md:7: attribute \"source\": expected a document and its lines such as \"design.md 152 157\", found \"design.md 0\"",
            ],
        ),
        (
            "- related: AC-lgtm-001-02/index REQ-lgtm-d4f8c2a1-001\n",
            "",
            &["logs.md:39: DF-01 has no attribute \"related\""],
        ),
        ("All of them.", "", &["logs.md:15: AC-lgtm-001-02/grpc has no text"]),
        (
            "- includes: AC-lgtm-001-02 AC-lgtm-001-04\n",
            "",
            &["logs.md:32: REQ-lgtm-d4f8c2a1-001 has neither clauses nor included criteria, so nothing can decide it"],
        ),
        (
            "- level: shall",
            "- level: undefined",
            &["logs.md:5: AC-lgtm-001-02 is undefined and cannot have clauses or included criteria"],
        ),
    ];
    for (good, bad, expected) in rows {
        assert_eq!(VALID.matches(good).count(), 1, "{good:?} is not there exactly once");
        let spoilt = VALID.replace(good, bad);
        assert_eq!(messages(parse(&spoilt).unwrap_err()), *expected, "{bad}");
    }
}

#[test]
fn errors_of_all_files_come_at_once_in_their_order() {
    let other =
        VALID.replace("lgtm-001", "lgtm-002").replace("REQ-lgtm-d4f8c2a1-001", "ADR-001").replace("DF-01", "DF-02");
    assert!(Catalogue::parse(&[("b.md", VALID), ("a.md", &other)]).is_ok());
    let errors =
        Catalogue::parse(&[("b.md", VALID), ("a.md", &other.replace("5m", "x")), ("c.md", VALID)]).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| error.location.to_string()).collect();
    assert_eq!(places, ["a.md:17", "c.md:5", "c.md:15", "c.md:21", "c.md:26", "c.md:32", "c.md:39"]);
}

/// The lock of the valid file.
fn locked() -> String {
    parse(VALID).unwrap().accept((LOCK, "")).unwrap()
}

fn load(text: &str, lock: &str) -> Result<Catalogue, Vec<CatalogueError>> {
    Catalogue::load(&[(FILE, text)], (LOCK, lock))
}

#[test]
fn what_is_accepted_loads() {
    let lock = locked();
    assert_eq!(lock.lines().count(), 5);
    assert!(load(VALID, &lock).is_ok());
    assert!(load(VALID, &format!("# Only grows.\n\n{lock}GONE~3 0123456789abcdef\n")).is_ok());
}

#[test]
fn a_wrapped_paragraph_is_the_same_text() {
    let lock = locked();
    assert!(load(&VALID.replace("All of them.", "All\nof them."), &lock).is_ok());
    assert!(load(&VALID.replace("- bound: 5m", "- bound: 300s"), &lock).is_ok());
    assert!(load(&VALID.replace("- targets: kind local", "- targets: local kind"), &lock).is_ok());
}

#[test]
fn a_changed_meaning_asks_for_a_higher_revision() {
    let rows = [
        ("All of them.", "Most of them.", 15, "AC-lgtm-001-02/grpc", 2),
        ("Over gRPC", "Over HTTP", 15, "AC-lgtm-001-02/grpc", 2),
        ("- bound: 5m", "- bound: 6m", 15, "AC-lgtm-001-02/grpc", 2),
        ("- targets: kind local", "- targets: local", 15, "AC-lgtm-001-02/grpc", 2),
        ("- level: should", "- level: may", 32, "REQ-lgtm-d4f8c2a1-001", 1),
        ("Lines are stored.", "Lines may be stored.", 5, "AC-lgtm-001-02", 1),
    ];
    for (good, bad, line, id, revision) in rows {
        let text = VALID.replace(good, bad);
        let [error] = <[_; 1]>::try_from(load(&text, &locked()).unwrap_err()).unwrap();
        assert_eq!(error.location, Location::new(FILE, line), "{bad}");
        let message = error.to_string();
        let (begin, end) = (format!("{id} changed under revision {revision} "), format!("to ~{}", revision + 1));
        assert!(message.contains(&begin) && message.ends_with(&end), "{message}");
        assert_eq!(parse(&text).unwrap().accept((LOCK, &locked())).unwrap_err(), [error]);
    }
}

#[test]
fn a_raised_revision_asks_to_be_accepted_and_cannot_be_taken_back() {
    let raised = VALID.replace("All of them.", "Most of them.").replace("/grpc ~2", "/grpc ~3");
    assert_eq!(
        messages(load(&raised, &locked()).unwrap_err()),
        [
            "logs.md:15: AC-lgtm-001-02/grpc~3 is not in the lock: read it, then accept it with `lgtm-verify list --accept`"
        ]
    );
    let lock = parse(&raised).unwrap().accept((LOCK, &locked())).unwrap();
    assert!(load(&raised, &lock).is_ok());
    assert_eq!(
        messages(load(VALID, &lock).unwrap_err()),
        ["logs.md:15: AC-lgtm-001-02/grpc has revision 2, but revision 3 was accepted already: revisions only rise"]
    );
}

#[test]
fn a_lock_that_cannot_be_read_names_its_lines() {
    let lock = locked();
    let first = lock.lines().next().unwrap();
    for (line, message) in [
        ("ADR-001 0123456789abcdef", "malformed line"),
        ("ADR-001~1 0123456789abcde", "malformed line"),
        ("ADR-001~1 0123456789ABCDEF", "malformed line"),
        ("ADR-001~0 0123456789abcdef", "malformed line"),
        ("~1 0123456789abcdef", "malformed line"),
        (first, "AC-lgtm-001-02~1 is locked already in line 1; the lock only grows at its end"),
    ] {
        let spoilt = format!("{lock}{line}\n");
        for errors in [load(VALID, &spoilt).unwrap_err(), parse(VALID).unwrap().accept((LOCK, &spoilt)).unwrap_err()] {
            let [error] = <[_; 1]>::try_from(errors).unwrap();
            assert_eq!(error.location, Location::new(LOCK, 6));
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}

#[test]
fn the_lock_is_silent_about_entries_that_are_wrong_in_themselves() {
    let spoilt = VALID.replace("- bound: 5m", "- bound: x").replace("Seen.", "Seen twice.");
    let errors = load(&spoilt, &locked()).unwrap_err();
    let places: Vec<_> = errors.iter().map(|error| error.location.line).collect();
    assert_eq!(places, [17, 21]);
}

#[test]
fn scenarios_cover_clauses_that_exist_and_can_be_decided() {
    let catalogue = parse(VALID).unwrap();
    let covers = |id: &str| vec![id.parse::<ClauseId>().unwrap()];
    assert_eq!(catalogue.check_scenarios(&[("grpc", "logs.rs:7", covers("AC-lgtm-001-02/grpc"))]), []);
    let errors = catalogue.check_scenarios(&[
        ("typing error", "src/logs.rs:7", covers("AC-lgtm-001-02/grcp")),
        ("invention", "src/logs.rs:30", covers("AC-lgtm-001-04/anything")),
        ("elsewhere", "src/tree.rs", covers("TREE-layout/somewhere")),
    ]);
    assert_eq!(
        messages(errors),
        [
            "src/logs.rs:7: scenario typing error covers AC-lgtm-001-02/grcp, which the catalogue does not have, did you mean AC-lgtm-001-02/grpc?",
            "src/logs.rs:30: scenario invention covers AC-lgtm-001-04/anything, but AC-lgtm-001-04 is undefined: nothing can decide it",
            "src/tree.rs:1: scenario elsewhere covers TREE-layout/somewhere, which the catalogue does not have",
        ]
    );
}

#[test]
fn the_nearest_id_is_offered_where_one_resembles() {
    let catalogue = parse(VALID).unwrap();
    assert_eq!(catalogue.nearest("ac-lgtm-001-02/GRPC").as_deref(), Some("AC-lgtm-001-02/grpc"));
    assert_eq!(catalogue.nearest("AC-lgtm-001-2").as_deref(), Some("AC-lgtm-001-02"));
    assert_eq!(catalogue.nearest("zzz"), None);
    assert_eq!(Catalogue::default().nearest("AC-lgtm-001-02"), None);
}

/// One step in the life of a catalogue: which clause changes, its new text, and whether its revision is raised.
type Step = (usize, String, bool);

/// A file with one criterion and a clause for each revision and text.
fn written(clauses: &[(u32, String)]) -> String {
    let mut text = "## ADR-001 ~1 Decided\n- level: shall\n- source: design.md 1\n\nText.\n".to_owned();
    for (index, (revision, body)) in clauses.iter().enumerate() {
        text.push_str(&format!("\n### ADR-001/c{index} ~{revision} Clause\n- targets: tree\n\n{body}\n"));
    }
    text
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..5usize, "[a-z]{1,4}( [a-z]{1,4}){0,2}", any::<bool>()), 1..20)
}

proptest! {
    #[test]
    fn accepting_only_appends_and_twice_is_once(steps in steps()) {
        let mut clauses = vec![(1, "first".to_owned())];
        let mut lock = String::new();
        for (index, body, raise) in steps {
            let before = clauses.clone();
            let changed = match clauses.get_mut(index) {
                Some((revision, old)) => {
                    let changed = *old != body;
                    *old = body;
                    *revision += u32::from(raise);
                    changed
                }
                None => {
                    clauses.push((1, body));
                    false
                }
            };
            let text = written(&clauses);
            let catalogue = parse(&text).unwrap();
            let known = !lock.is_empty();
            match catalogue.accept((LOCK, &lock)) {
                Ok(grown) => {
                    prop_assert!(raise || !changed || !known);
                    prop_assert!(grown.starts_with(&lock));
                    prop_assert_eq!(catalogue.accept((LOCK, &grown)).unwrap(), grown.clone());
                    prop_assert!(load(&text, &grown).is_ok());
                    lock = grown;
                }
                Err(errors) => {
                    prop_assert!(changed && !raise);
                    let unexpected =
                        errors.iter().find(|error| !matches!(error.kind, CatalogueErrorKind::ChangedText { .. }));
                    prop_assert_eq!(unexpected, None);
                    clauses = before;
                }
            }
        }
    }

    #[test]
    fn no_text_and_no_lock_upsets_the_reader(text in "([#~ \\-:/a-zA-Z0-9\\n]|## |### |AC-lgtm-001-02|/grpc|- level: ){0,200}", lock in "\\PC{0,200}") {
        let _ = load(&text, &lock);
        if let Ok(catalogue) = parse(&text) {
            let _ = catalogue.accept((LOCK, &lock));
        }
    }
}
