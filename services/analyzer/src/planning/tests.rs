//! Levels, steps and bounds of plans.

use risk::Note;
use terraform::Owner;

use super::*;
use crate::chart::{Deploys, Route, Stop};

fn rules() -> Rules {
    let settings = runtime::Settings::default();
    crate::rules(&settings)
}

fn sites(service: &str, from: &str, count: usize, to: &str) -> Sites {
    let owner = Owner {
        kind: "Deployment".to_owned(),
        name: Some("app".to_owned()),
        namespace: Some("ns".to_owned()),
        container: Some("app".to_owned()),
        image_repository: "acme/app".to_owned(),
        ..Owner::default()
    };
    Sites {
        service: service.to_owned(),
        from: from.to_owned(),
        left: Vec::new(),
        notes: Vec::new(),
        index: std::sync::Arc::default(),
        options: terraform::Options::default(),
        sites: (0..count)
            .map(|n| terraform::Site {
                path: format!("stacks/{service}/{n}.tf"),
                address: "kubernetes_deployment.app.spec.template.spec.container[app].image"
                    .to_owned(),
                line: 1,
                span: 0..from.len(),
                before: from.to_owned(),
                after: to.to_owned(),
                tag: from.to_owned(),
                around: Some((String::new(), String::new())),
                service: service.to_owned(),
                images: Vec::new(),
                owner: vec![owner.clone()],
            })
            .collect(),
    }
}

fn note(version: &str, body: &str) -> Note {
    Note {
        version: version.to_owned(),
        title: None,
        body: body.to_owned(),
        url: format!("https://github.com/o/r/releases/tag/{version}"),
    }
}

/// A way with a note for each tag and the target.
fn way(tags: &[&str], to: &str, body: &str) -> Way {
    Way {
        source_url: "https://github.com/o/r".to_owned(),
        notes: tags
            .iter()
            .chain([&to])
            .map(|tag| note(tag, body))
            .collect(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Way::default()
    }
}

fn stop(version: &str, app: &str) -> Stop {
    Stop {
        version: version.to_owned(),
        app: app.to_owned(),
    }
}

/// The way of a chart from 1.0.0, which brings app version v2.0.0.
fn chart_way(between: &[Stop], to: Stop, body: &str) -> Way {
    let tags: Vec<&str> = between.iter().map(|stop| stop.version.as_str()).collect();
    let mut way = way(&tags, &to.version, body);
    way.chart = Some(Deploys {
        image: "ghcr.io/acme/app".to_owned(),
        route: Route {
            from_app: "v2.0.0".to_owned(),
            between: between.to_vec(),
            to,
        },
    });
    way
}

fn release(atomic: bool) -> Sites {
    let mut found = sites("x", "1.0.0", 1, "1.2.0");
    found.sites[0].owner = vec![Owner {
        kind: "HelmRelease".to_owned(),
        name: Some("app".to_owned()),
        namespace: Some("ns".to_owned()),
        image_repository: "app-chart".to_owned(),
        atomic: Some(atomic),
        timeout_seconds: Some(6_000),
        ..Owner::default()
    }];
    found
}

#[test]
fn a_chart_goes_by_its_own_versions_and_tells_what_each_brings() {
    let between = [stop("1.1.0", "v2.1.0")];
    let way = chart_way(&between, stop("1.2.0", "v2.2.0"), "breaking change");
    let plan = plan(&rules(), "r", "h", &release(true), "1.2.0", &way).unwrap();
    assert_eq!(plan.from_app.as_deref(), Some("v2.0.0"));
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            (
                step.to.as_str(),
                step.app.as_deref(),
                step.sites[0].after.as_str(),
            )
        })
        .collect();
    let expected = [
        ("1.1.0", Some("v2.1.0"), "1.1.0"),
        ("1.2.0", Some("v2.2.0"), "1.2.0"),
    ];
    assert_eq!(steps, expected);
    let target = &plan.targets[0];
    assert_eq!(
        (
            target.kind.as_str(),
            target.name.as_str(),
            target.image.as_str()
        ),
        ("HelmRelease", "app", "ghcr.io/acme/app")
    );
}

#[test]
fn a_jump_of_the_chart_and_one_of_its_app_both_call_for_caution() {
    for (to, app, expected) in [
        ("1.0.1", "v2.0.1", job::Level::Safe),
        ("1.0.1", "3.0.0", job::Level::Caution),
        ("2.0.0", "v2.0.1", job::Level::Caution),
    ] {
        let way = chart_way(&[], stop(to, app), "fixes");
        let found = Sites {
            sites: release(true).sites,
            ..sites("x", "1.0.0", 1, to)
        };
        let plan = plan(&rules(), "r", "h", &found, to, &way).unwrap();
        assert_eq!(plan.risk.level, expected, "{to} with {app}");
    }
}

#[test]
fn helms_own_time_is_added_to_the_patience_with_ci_twice_if_it_undoes_itself() {
    let configured = rules().limits.ci_patience_seconds;
    for (atomic, more) in [(false, 6_000), (true, 12_000)] {
        let way = chart_way(&[], stop("1.2.0", "v2.0.1"), "fixes");
        let plan = plan(&rules(), "r", "h", &release(atomic), "1.2.0", &way).unwrap();
        assert_eq!(plan.limits.ci_patience_seconds, configured + more);
    }
}

fn planned(service: &str, from: &str, to: &str, way: &Way) -> Result<Plan, SkipReason> {
    plan(
        &rules(),
        "infra",
        "head",
        &sites(service, from, 1, to),
        to,
        way,
    )
}

#[track_caller]
fn check(
    (service, from, to): (&str, &str, &str),
    way: &Way,
    level: job::Level,
    steps: &[&str],
    window: u32,
) {
    let plan = planned(service, from, to, way).unwrap();
    assert_eq!(plan.risk.level, level, "{from} -> {to}: {:?}", plan.risk);
    let versions: Vec<&str> = plan.steps.iter().map(|step| step.to.as_str()).collect();
    assert_eq!(versions, steps, "{from} -> {to}");
    assert_eq!(plan.windows.forward_seconds, window, "{from} -> {to}");
    assert!(!plan.risk.reasons.is_empty());
}

#[test]
fn safe_and_unknown_go_direct_and_caution_goes_through_every_release() {
    use job::Level::{Caution, Safe, Unknown};
    let tags = ["1.1.0", "1.2.0"];
    let quiet = |to| way(&tags, to, "Fixes.");
    let loud = |to| way(&tags, to, "The old API was REMOVED.");
    let silent = Way {
        without: Some("no source".to_owned()),
        ..Way::default()
    };
    check(
        ("app", "1.0.0", "1.3.0"),
        &quiet("1.3.0"),
        Safe,
        &["1.3.0"],
        120,
    );
    check(("app", "1.0.0", "1.3.0"), &silent, Unknown, &["1.3.0"], 120);
    let all = ["1.1.0", "1.2.0", "1.3.0"];
    check(
        ("app", "1.0.0", "1.3.0"),
        &loud("1.3.0"),
        Caution,
        &all,
        600,
    );
    let all = ["1.1.0", "1.2.0", "2.0.0"];
    check(
        ("app", "1.0.0", "2.0.0"),
        &quiet("2.0.0"),
        Caution,
        &all,
        600,
    );
    // Nobody knows the releases in between, and a major jump is risky all the same.
    check(("app", "1.0.0", "2.0.0"), &silent, Caution, &["2.0.0"], 600);
    // Below 1.0 the second number is a minor one.
    check(
        ("app", "0.9.0", "0.10.0"),
        &way(&[], "0.10.0", "Fixes."),
        Safe,
        &["0.10.0"],
        120,
    );
    let all = ["1.1.0", "1.2.0", "1.3.0"];
    check(
        ("immich", "1.0.0", "1.3.0"),
        &quiet("1.3.0"),
        Caution,
        &all,
        600,
    );
    check(
        ("immich", "1.0.0", "1.3.0"),
        &silent,
        Caution,
        &["1.3.0"],
        600,
    );
}

#[test]
fn a_source_may_be_named_as_people_write_the_image() {
    let mut settings = runtime::Settings::default();
    let source = ("acme/app".to_owned(), "fork/app".to_owned());
    settings.sources.extend([source]);
    let rules = crate::rules(&settings);
    let entry = crate::entry(&rules, "docker.io/acme/app").unwrap();
    assert_eq!((entry.host, entry.path), ("github.com", "fork/app"));
}

#[test]
fn each_step_begins_where_the_one_before_ends() {
    let way = way(&["1.1.0", "1.2.0"], "2.0.0", "Fixes.");
    let plan = planned("app", "1.0.0", "2.0.0", &way).unwrap();
    let moves: Vec<(&str, &str)> = plan
        .steps
        .iter()
        .map(|step| (step.sites[0].before.as_str(), step.sites[0].after.as_str()))
        .collect();
    assert_eq!(
        moves,
        [("1.0.0", "1.1.0"), ("1.1.0", "1.2.0"), ("1.2.0", "2.0.0")]
    );
    assert_eq!(
        (plan.from.as_str(), plan.to(), plan.releases),
        ("1.0.0", "2.0.0", 3)
    );
}

#[test]
fn more_than_forty_steps_are_refused_with_a_way_out() {
    let tags: Vec<String> = (1..=40).map(|n| format!("1.{n}.0")).collect();
    let all: Vec<&str> = tags.iter().map(String::as_str).collect();
    let ask = |tags: &[&str]| planned("app", "1.0.0", "2.0.0", &way(tags, "2.0.0", "Fixes."));
    assert_eq!(ask(&all[..39]).unwrap().steps.len(), 40);
    let reason = ask(&all).unwrap_err();
    assert_eq!(
        job::describe(&job::Body::Skipped(reason)),
        "the way from 1.0.0 to 2.0.0 has 41 steps, and more than 40 are not made in one upgrade; \
         ask for a version in between first"
    );
}

#[test]
fn a_service_that_may_not_be_touched_is_refused() {
    let mut rules = rules();
    let policy = ServicePolicy {
        allow: false,
        ..ServicePolicy::plain("app", false)
    };
    rules.services.insert("app".to_owned(), policy);
    let found = sites("app", "1.0.0", 1, "1.1.0");
    let reason = plan(&rules, "r", "h", &found, "1.1.0", &Way::default()).unwrap_err();
    assert!(job::describe(&job::Body::Skipped(reason)).contains("services.app.allow"));
}

#[test]
fn a_backup_without_a_namespace_is_taken_in_the_services_own() {
    let mut rules = rules();
    let policy = ServicePolicy {
        backup: Some(Backup {
            namespace: None,
            cronjob: "postgresql-backup".to_owned(),
            engine: "postgresql".to_owned(),
            database: String::new(),
        }),
        ..ServicePolicy::plain("app", false)
    };
    rules.services.insert("app".to_owned(), policy);
    let found = sites("app", "1.0.0", 1, "1.1.0");
    let plan = plan(&rules, "r", "h", &found, "1.1.0", &Way::default()).unwrap();
    assert_eq!(plan.backup.unwrap().namespace, "ns");
}

#[test]
fn monitors_are_those_a_person_named_or_those_of_the_hosts() {
    let named = |names: &[&str]| ServicePolicy {
        monitors: Some(names.iter().map(|&name| name.to_owned()).collect()),
        ..ServicePolicy::plain("app", false)
    };
    let with_url = |url: &str| ServicePolicy {
        url: Some(url.to_owned()),
        ..ServicePolicy::plain("app", false)
    };
    let by = |names: &[&str], hosts: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Some(Monitors {
            names: owned(names),
            hosts: owned(hosts),
        })
    };
    for (policy, kuma, expected) in [
        (ServicePolicy::plain("app", false), false, None),
        (ServicePolicy::plain("app", false), true, by(&[], &[])),
        (named(&["App"]), true, by(&["App"], &[])),
        (named(&["App"]), false, None),
        (named(&[]), true, None),
        (
            with_url("https://app.example.org:8443/health"),
            true,
            by(&[], &["app.example.org"]),
        ),
    ] {
        let mut rules = rules();
        rules.kuma = kuma;
        rules.services.insert("app".to_owned(), policy.clone());
        let found = sites("app", "1.0.0", 1, "1.1.0");
        let plan = plan(&rules, "r", "h", &found, "1.1.0", &Way::default()).unwrap();
        assert_eq!(plan.monitors, expected, "{policy:?} {kuma}");
    }
}

#[test]
fn a_service_may_settle_slowly_and_vouch_for_itself() {
    let mut rules = rules();
    rules.insecure_tls = true;
    let slow = ServicePolicy {
        settle_seconds: Some(900),
        insecure_tls: Some(false),
        ..ServicePolicy::plain("app", false)
    };
    rules.services.insert("slow".to_owned(), slow);
    for (service, settle, insecure) in [("slow", 900, false), ("app", 120, true)] {
        let found = sites(service, "1.0.0", 1, "1.1.0");
        let plan = plan(&rules, "r", "h", &found, "1.1.0", &Way::default()).unwrap();
        assert_eq!(
            (plan.limits.settle_seconds, plan.policy.insecure_tls),
            (settle, insecure)
        );
    }
}

/// As many bytes as the longest plan can have, its frame included.
fn weight(plan: &Plan) -> usize {
    format!("{plan:?}").len()
}

#[test]
fn the_loudest_notes_still_fit_into_one_message() {
    // Every character takes four bytes.
    let line = "𝕏".repeat(500);
    let long = format!("Breaking {line}\nremoved {line}\nrenamed {line}\n").repeat(6);
    let tags: Vec<String> = (1..=39).map(|n| format!("1.{n}.0")).collect();
    let all: Vec<&str> = tags.iter().map(String::as_str).collect();
    let mut way = way(&all, "2.0.0", &long);
    for note in &mut way.notes {
        note.version = format!("{}{line}", note.version);
        note.url = format!("https://example.org/{line}");
    }
    let found = sites("app", "1.0.0", 12, "2.0.0");
    let plan = plan(&rules(), "infra", "head", &found, "2.0.0", &way).unwrap();
    assert_eq!(plan.risk.excerpts.len(), MAX_EXCERPTS);
    assert!(
        plan.risk
            .excerpts
            .iter()
            .all(|excerpt| excerpt.url.is_empty())
    );
    let excerpts = plan.risk.excerpts.iter().map(|excerpt| &excerpt.version);
    for text in plan.risk.reasons.iter().chain(excerpts) {
        assert!(text.chars().count() <= MAX_TEXT, "{text}");
    }
    assert!(weight(&plan) < 256 * 1024, "{}", weight(&plan));
}

#[test]
fn too_many_places_for_as_many_steps_are_refused() {
    let tags: Vec<String> = (1..=30).map(|n| format!("1.{n}.0")).collect();
    let all: Vec<&str> = tags.iter().map(String::as_str).collect();
    let found = sites("app", "1.0.0", 200, "2.0.0");
    let way = way(&all, "2.0.0", "Fixes.");
    let reason = plan(&rules(), "r", "h", &found, "2.0.0", &way).unwrap_err();
    assert_eq!(
        job::describe(&job::Body::Skipped(reason)),
        "31 steps at 200 places are too many for one upgrade; ask for a version in between first"
    );
}
