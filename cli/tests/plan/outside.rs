//! What git hosts, registries and chart repositories say of the way.

use testkit::charts::Charts;
use testkit::github::GitHub;
use testkit::registry::Registry;

use super::{Checkout, check_failure, configured};

#[test]
fn release_notes_give_risk_findings_and_steps() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    let notes = [
        ("4.9.9", "Old."),
        ("v5.0.0", "The endpoint was **removed**, see the guide."),
        ("v5.0.1", "Fixes."),
        ("v5.0.2", "Fixes CVE-2026-1234."),
        ("v5.1.0", "Database migration!"),
    ];
    for (tag, body) in notes {
        github.add_release("shlinkio/shlink", tag, body);
    }
    let registry = Registry::start().unwrap();
    for tag in ["5.0.0", "5.0.1", "5.0.2"] {
        registry.push_image("shlinkio/shlink", tag);
    }
    let known = format!("[registries.'docker.io']\nurl = '{}'\n", registry.address());
    let config = configured(&checkout, &github, &known);
    let arguments = ["shlinkio/shlink", "5.0.2", "--config", config.as_str()];
    let said = checkout.plan_with(&arguments, Some(github.token()));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let expected = "
risk: CAUTION
  the major version changes
  the notes of v5.0.0 say \"removed\"
  no image was found for 4.9.9, so these are no steps
  v5.0.0 `removed`: The endpoint was **removed**, see the guide.

steps: 5.0.0, 5.0.1, 5.0.2

--- a/stacks/url/main.tf
";
    assert!(said.out.contains(expected), "{}", said.out);
    checkout.assert_untouched();

    // The diff needs no notes, so it asks nobody for them.
    let before = github.requests();
    let diff = checkout.plan_with(&[&arguments[..], &["--output", "diff"]].concat(), None);
    assert!(diff.out.starts_with("--- a/stacks/url/main.tf\n"));
    assert_eq!(github.requests(), before);
}

#[test]
fn notes_out_of_reach_leave_the_plan_and_are_said() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    let registry = Registry::start().unwrap();
    registry.push_image("owntracks/recorder", "1.0.1");
    let known = format!("[registries.'docker.io']\nurl = '{}'\n", registry.address());
    let config = configured(&checkout, &github, &known);
    let arguments = ["owntracks/recorder", "1.0.1", "--config", config.as_str()];
    let said = checkout.plan_with(&arguments, Some("ghp_wrong"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out
            .contains("risk: CAUTION\n  the major version changes\n")
            && said
                .out
                .contains("has notes cannot be seen: GitHub does not accept the token"),
        "{}",
        said.out
    );
    assert!(!said.out.contains("ghp_wrong"), "{}", said.out);
}

#[test]
fn a_tag_that_the_registry_lacks_is_refused() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    let registry = Registry::start().unwrap();
    registry.push_image("owntracks/recorder", "1.0.1");
    let known = format!("[registries.'docker.io']\nurl = '{}'\n", registry.address());
    let config = configured(&checkout, &github, &known);
    let said = checkout.plan(&["owntracks/recorder", "1.0.2", "--config", config.as_str()]);
    let reason = "refused: its registry has no image docker.io/owntracks/recorder:1.0.2";
    check_failure(&said, 3, reason);
}

#[test]
fn an_image_that_a_chart_deploys_is_planned_as_the_charts_version() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    let charts = Charts::start().unwrap();
    for (version, app) in [
        ("2026.2.2", "2026.2.2"),
        ("2026.2.3", "2026.2.3"),
        ("2026.2.5", "2026.2.4"),
    ] {
        charts.add("authentik", version, app);
        let tag = format!("version/{app}");
        github.add_release("goauthentik/authentik", &tag, "The flag was removed.");
    }
    let image = "ghcr.io/goauthentik/server";
    let known = format!("[charts]\n\"{image}\" = \"{} authentik\"\n", charts.url());
    let config = configured(&checkout, &github, &known);
    let plan = |more: &[&str]| {
        let config = ["--config", config.as_str()];
        checkout.plan_with(&[more, &config].concat(), Some(github.token()))
    };
    let heads = "authentik: chart 2026.2.2 (app 2026.2.2) -> chart 2026.2.5 (app 2026.2.4)\n";
    let rest = "\nsteps: 2026.2.3, 2026.2.5\n\n--- a/stacks/authentik/main.tf\n";
    for arguments in [
        &[image, "2026.2.4"][..],
        &["--chart", "authentik", "2026.2.5"],
    ] {
        let said = plan(arguments);
        assert_eq!(
            (said.code, said.err.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
        assert!(said.out.starts_with(heads), "{}", said.out);
        assert!(said.out.contains("risk: CAUTION\n"), "{}", said.out);
        assert!(said.out.contains(rest), "{}", said.out);
    }
    let said = plan(&[image, "2026.2.4", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let apps = serde_json::json!({ "from": "2026.2.2", "to": "2026.2.4" });
    assert_eq!((&json["to"], &json["app"]), (&"2026.2.5".into(), &apps));
    let diff = plan(&[image, "2026.2.4", "--output", "diff"]);
    assert!(
        diff.out.contains("\n+  version    = \"2026.2.5\"\n"),
        "{diff:?}"
    );

    let nearest = plan(&[image, "2026.2.9"]);
    check_failure(
        &nearest,
        3,
        "no version of chart authentik newer than 2026.2.2 brings app version 2026.2.9",
    );
    let offline = plan(&[image, "2026.2.4", "--offline"]);
    check_failure(
        &offline,
        3,
        "leave out --offline, or plan a version of the chart with --chart",
    );
    let rest = "chart authentik deploys it, and its repository could not be asked: ";
    charts.fail_next(503, "down", 1);
    check_failure(&plan(&[image, "2026.2.4"]), 1, rest);
    charts.fail_next(503, "down", 1);
    let without = plan(&["--chart", "authentik", "2026.2.5"]);
    assert_eq!(without.code, Some(0), "{without:?}");
    assert!(
        without
            .out
            .contains("\n  the chart's repository could not be asked: "),
        "{}",
        without.out
    );
    checkout.assert_untouched();
}
