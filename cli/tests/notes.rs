//! `bowline notes` as a person calls it.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::process::{Command, Output};

use testkit::github::GitHub;
use testkit::registry::Registry;

fn notes(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bowline"))
        .env_clear()
        .arg("notes")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> (&str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

const CHANGELOG: &str = "\
# Changelog

## [Unreleased]
- breaking: everything

## 1.2.10
### Removed
- an unused helper of the tests

## 1.2.2
There are no breaking changes.
- Fixes CVE-2026-1234.

## 1.2.1
- old
";

#[test]
fn a_file_is_read_without_asking_anybody_and_both_levels_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CHANGELOG.md");
    std::fs::write(&file, CHANGELOG).unwrap();
    let path = file.to_str().unwrap();
    let output = notes(&["acme/app", "1.2.1", "1.2.10", "--changelog", path]);
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), err), (Some(0), ""));
    for expected in [
        "docker.io/acme/app: 1.2.1 -> 1.2.10\n",
        "CHANGELOG.md: 2 sections\n",
        "risk: CAUTION by the plain rule, SAFE by the weighed one; the plain one decides\n",
        "1.2.2 \"breaking\": There are no breaking changes.\n",
        "1.2.2 (it says that there is none): There are no breaking changes.\n",
        "security: CVE-2026-1234\n",
        "\nsteps: 1.2.2, 1.2.10\n",
    ] {
        assert!(out.contains(expected), "{expected:?} is not in\n{out}");
    }
    assert!(!out.contains("everything"), "{out}");

    let missing = notes(&["acme/app", "1.2.1", "1.2.10", "--changelog", "/nowhere"]);
    let (out, err) = text(&missing);
    assert_eq!((missing.status.code(), out), (Some(1), ""));
    assert!(err.contains("failed to read /nowhere"), "{err}");
    let wrong = notes(&["acme/app", "1.2.1", "${x}", "--changelog", path]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[test]
fn sources_are_asked_and_the_rule_of_the_configuration_decides() {
    let (github, registry) = (GitHub::start().unwrap(), Registry::start().unwrap());
    for (tag, body) in [
        ("v1.1.0", "- removed an unused helper of the tests"),
        ("v1.2.0", "- You must now set SITE_SECRET."),
    ] {
        github.add_release("acme/app", tag, body);
    }
    registry.push_image("acme/app", "1.2.0");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bowline.toml");
    let config = format!(
        "mode = 'observe'\nrepository.url = 'https://git.example.org/acme/infra.git'\n\
         github.url = '{}'\nrisk.rule = 'weighed'\n[registries.'docker.io']\nurl = '{}'\n",
        github.url(),
        registry.address()
    );
    std::fs::write(&file, config).unwrap();
    let config = file.to_str().unwrap();
    let arguments = [
        "acme/app", "1.0.0", "1.2.0", "--config", config, "--output", "json",
    ];
    let output = notes(&arguments);
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), err), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(out).unwrap();
    assert_eq!(
        (
            &json["level"],
            &json["plain"],
            &json["weighed"],
            &json["rule"]
        ),
        (
            &"CAUTION".into(),
            &"CAUTION".into(),
            &"CAUTION".into(),
            &"weighed".into()
        )
    );
    assert_eq!(
        json["announced"][0]["quote"],
        "- You must now set SITE_SECRET."
    );
    assert_eq!(json["steps"], serde_json::json!(["1.2.0"]));
    assert_eq!(json["missing"], serde_json::json!(["1.1.0"]));
    let reasons = json["reasons"].to_string();
    assert!(
        reasons.contains("taken for harmless, because it announces nothing"),
        "{reasons}"
    );
    assert!(
        reasons.contains("no image was found for 1.1.0"),
        "{reasons}"
    );
}
