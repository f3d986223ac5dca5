//! What is moved, and what is said when nothing is.

use terraform::MemTree;

use super::*;

const DEPLOYMENT: &str = r#"
resource "kubernetes_deployment" "app" {
  spec {
    template {
      spec {
        container {
          name  = "app"
          image = "IMAGE"
        }
      }
    }
  }
LIFECYCLE
}
"#;

fn deployment(image: &str, ignored: bool) -> String {
    let lifecycle = if ignored {
        "  lifecycle {\n    ignore_changes = all\n  }"
    } else {
        ""
    };
    DEPLOYMENT
        .replace("IMAGE", image)
        .replace("LIFECYCLE", lifecycle)
}

fn ask(
    files: &[(&str, String)],
    tag: &str,
    status: &str,
    only: Option<&str>,
) -> Result<Sites, String> {
    let tree = MemTree(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.clone().into_bytes()))
            .collect(),
    );
    let wanted = Wanted::Image {
        repository: "docker.io/acme/app".to_owned(),
        tag: tag.to_owned(),
        digest: None,
    };
    find(&tree, &Options::default(), &wanted, status, only)
        .map_err(|reason| job::describe(&job::Body::Skipped(reason)))
}

#[track_caller]
fn check(files: &[(&str, String)], status: &str, expected: Result<&str, &str>) {
    match (ask(files, "1.3.0", status, None), expected) {
        (Ok(found), Ok(service)) => assert_eq!(found.service, service),
        (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

#[test]
fn sites_are_judged_as_one() {
    let old = || deployment("acme/app:1.2.0", false);
    let stuck = || deployment("acme/app:1.2.0", true);
    let new = || deployment("acme/app:1.3.0", false);
    check(&[("stacks/x/main.tf", old())], "", Ok("x"));
    check(
        &[("stacks/x/main.tf", old()), ("stacks/x/b.tf", old())],
        "",
        Ok("x"),
    );
    check(
        &[("stacks/x/main.tf", old()), ("stacks/y/main.tf", old())],
        "",
        Err("several services run this image (x, y), and each gets"),
    );
    check(
        &[("stacks/x/main.tf", old()), ("stacks/x/b.tf", stuck())],
        "",
        Err("stacks/x/b.tf:8 (1.2.0): lifecycle.ignore_changes has `all`"),
    );
    // In a folder below, the other half of the same service.
    check(
        &[
            ("stacks/x/main.tf", old()),
            ("stacks/x/worker/main.tf", stuck()),
        ],
        "",
        Err("stacks/x/worker/main.tf:8"),
    );
    // Another service's business, also where its name begins alike.
    check(
        &[("stacks/x/main.tf", old()), ("stacks/xy/main.tf", stuck())],
        "",
        Ok("x"),
    );
    check(
        &[("stacks/x/main.tf", old()), ("stacks/x/b.tf", new())],
        "",
        Err("the same stack runs this image at 1.3.0 as well"),
    );
    check(
        &[("stacks/x/main.tf", stuck())],
        "",
        Err("remove that entry"),
    );
    let other = deployment("acme/other:1.2.0", false);
    check(
        &[("stacks/x/main.tf", other)],
        "",
        Err("no Terraform file names this image; 1 .tf files were searched for docker.io/acme/app"),
    );
    check(
        &[("stacks/x/main.tf", new())],
        "",
        Err("has this version already"),
    );
    check(
        &[("stacks/x/main.tf", new())],
        "update",
        Err("the deployed tag was pushed again"),
    );
    check(
        &[("stacks/x/main.tf", "resource {".to_owned())],
        "",
        Err("not readable: stacks/x/main.tf"),
    );
}

#[test]
fn one_named_service_is_asked_alone() {
    let files = [
        ("stacks/x/main.tf", deployment("acme/app:1.2.0", false)),
        ("stacks/y/main.tf", deployment("acme/app:1.2.0", true)),
    ];
    assert_eq!(ask(&files, "1.3.0", "", Some("x")).unwrap().service, "x");
    let why = ask(&files, "1.3.0", "", Some("y")).unwrap_err();
    assert!(why.starts_with("stacks/y/main.tf:8 (1.2.0):"), "{why}");
    assert!(!why.contains("stacks/x"), "{why}");
}

#[test]
fn older_and_other_tags_are_refused_in_words() {
    let files = [("stacks/x/main.tf", deployment("acme/app:1.2.0", false))];
    let why = |tag| ask(&files, tag, "", None).unwrap_err();
    assert_eq!(
        why("1.1.0"),
        "stacks/x/main.tf:8 (1.2.0): the new tag is not newer (`1.1.0` is not newer than \
         `1.2.0`); nothing to do"
    );
    assert!(
        why("v1.3.0").contains("of another style"),
        "{}",
        why("v1.3.0")
    );
    assert!(why("1.3.0\"}").contains("is no tag"), "{}", why("1.3.0\"}"));
}

#[test]
fn a_reason_stays_short_in_a_large_tree() {
    let names: Vec<String> = (0..500).map(|n| format!("stacks/s{n}/main.tf")).collect();
    let files: Vec<(&str, String)> = names
        .iter()
        .map(|name| (name.as_str(), deployment("acme/app:1.2.0", true)))
        .collect();
    let why = ask(&files, "1.3.0", "", None).unwrap_err();
    assert!(why.ends_with("; and 492 more"), "{why}");
    assert!(why.len() < 5_000, "{}", why.len());
}
