//! Shapes that must be refused, and traps around those that are edited.

use crate::{Answer, MemTree, Options, Refused, SiteKey, Tree, Wanted, edit, find, refind};
use crate::{EditError, Refound};

const DEPLOYMENT: &str = r#"
resource "kubernetes_deployment" "app" {
  spec {
    template {
      spec {
        container {
          image = IMAGE
        }
      }
    }
  }
LIFECYCLE}
"#;

fn deployment(image: &str) -> String {
    DEPLOYMENT.replace("IMAGE", image).replace("LIFECYCLE", "")
}

fn tree(files: &[(&str, &str)]) -> MemTree {
    MemTree(
        files
            .iter()
            .map(|(path, text)| ((*path).into(), (*text).into()))
            .collect(),
    )
}

fn ask(files: &[(&str, &str)], tag: &str) -> Answer {
    let wanted = Wanted::Image {
        repository: "docker.io/acme/app".into(),
        tag: tag.into(),
        digest: None,
    };
    find(&tree(files), &Options::default(), &wanted)
}

#[track_caller]
fn refused(files: &[(&str, &str)]) -> Refused {
    let answer = ask(files, "1.3.0");
    assert_eq!(answer.sites, []);
    assert_eq!(answer.refused.len(), 1, "{answer:?}");
    answer.refused[0].reason.clone()
}

#[track_caller]
fn refused_image(image: &str) -> Refused {
    refused(&[("stacks/x/main.tf", &deployment(image))])
}

#[test]
fn an_image_without_a_version_is_neither_pinned_nor_changed() {
    assert_eq!(refused_image("\"acme/app\""), Refused::NoTag);
    assert_eq!(refused_image("\"acme/app:latest\""), Refused::Floating);
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(
        refused_image(&format!("\"acme/app@{digest}\"")),
        Refused::DigestOnly
    );
    assert_eq!(
        refused_image(&format!("\"acme/app:1.2.0@{digest}\"")),
        Refused::DigestPinned
    );
}

#[test]
fn a_tag_that_cannot_be_followed_is_refused_with_its_expression() {
    let unresolvable = |expression: &str| Refused::Unresolvable {
        expression: expression.into(),
    };
    assert_eq!(
        refused_image("\"acme/app:${data.x.y.tag}\""),
        unresolvable("data.x.y.tag")
    );
    assert_eq!(
        refused_image("\"acme/app:${var.gone}\""),
        unresolvable("var.gone")
    );
    let shared = "variable \"v\" {\n  default = \"1.2.0\"\n}\n";
    // Declared twice, as in an override file.
    let main = deployment("\"acme/app:${var.v}\"");
    let files = [
        ("stacks/x/main.tf", main.as_str()),
        ("stacks/x/a.tf", shared),
        ("stacks/x/b.tf", shared),
    ];
    assert_eq!(refused(&files), unresolvable("var.v"));
}

#[test]
fn what_overrides_a_default_is_edited_and_what_cannot_be_read_is_told() {
    let main = "variable \"v\" {\n  default = \"1.2.0\"\n}\n".to_owned()
        + &deployment("\"acme/app:${var.v}\"");
    for (path, text, address) in [
        (
            "stacks/x/terragrunt.hcl",
            "inputs = {\n  v = \"1.2.5\"\n}\n",
            "inputs.v",
        ),
        ("stacks/x/prod.auto.tfvars", "v = \"1.2.5\"\n", "v"),
        ("terraform.tfvars", "v = \"1.2.5\"\n", "v"),
    ] {
        let answer = ask(&[("stacks/x/main.tf", &main), (path, text)], "1.3.0");
        let [site] = answer.sites.as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!((site.path.as_str(), site.address.as_str()), (path, address));
        assert_eq!(
            (site.before.as_str(), site.service.as_str()),
            ("1.2.5", "x")
        );
    }
    let broken = ("stacks/x/terragrunt.hcl", "inputs = { v = \"1\"\n");
    assert_eq!(
        refused(&[("stacks/x/main.tf", &main), broken]),
        Refused::Unresolvable {
            expression: "var.v, which stacks/x/terragrunt.hcl names, and that could not be read"
                .into()
        }
    );
    // Another stack's input of the same name is another variable.
    let other = ("stacks/y/terragrunt.hcl", "inputs = { v = \"9\" }\n");
    assert_eq!(
        ask(&[("stacks/x/main.tf", &main), other], "1.3.0")
            .sites
            .len(),
        1
    );
}

#[test]
fn an_encrypted_file_that_could_override_is_named() {
    let main = "variable \"v\" { default = \"1.2.0\" }\n".to_owned()
        + &deployment("\"acme/app:${var.v}\"");
    let encrypted = ("stacks/x/secrets.auto.tfvars", "\0GITCRYPT\0abc");
    let answer = ask(&[("stacks/x/main.tf", &main), encrypted], "1.3.0");
    assert_eq!(answer.sites.len(), 1);
    assert_eq!(
        answer.problems,
        ["stacks/x/secrets.auto.tfvars: is encrypted and could override variable v"]
    );
}

#[test]
fn every_form_of_ignore_changes_is_respected() {
    for entry in [
        "all",
        "[spec]",
        "[\"spec\"]",
        "[spec[0].template]",
        "[metadata, spec.0.template]",
    ] {
        let text = DEPLOYMENT.replace("IMAGE", "\"acme/app:1.2.0\"").replace(
            "LIFECYCLE",
            &format!("  lifecycle {{\n    ignore_changes = {entry}\n  }}\n"),
        );
        let reason = refused(&[("stacks/x/main.tf", &text)]);
        assert!(
            matches!(reason, Refused::IgnoredByLifecycle { .. }),
            "{entry}: {reason}"
        );
    }
}

#[test]
fn a_module_that_nobody_of_the_stacks_calls_belongs_to_no_service() {
    let outside = deployment("\"acme/app:1.2.0\"");
    assert_eq!(
        refused(&[("modules/x/main.tf", &outside)]),
        Refused::OutsideStacks
    );
}

#[test]
fn a_local_and_a_whole_image_in_a_variable_are_followed() {
    let address = |text: &str| {
        let answer = ask(&[("stacks/x/main.tf", text)], "1.3.0");
        assert_eq!(answer.refused, []);
        let after = edit(&tree(&[("stacks/x/main.tf", text)]), &answer.sites).unwrap();
        assert_eq!(
            String::from_utf8(after[0].after.clone()).unwrap(),
            text.replace("1.2.0", "1.3.0")
        );
        answer.sites[0].address.clone()
    };
    let local =
        "locals {\n  image = \"acme/app:1.2.0\"\n}\n".to_owned() + &deployment("local.image");
    assert_eq!(address(&local), "local.image");
    let whole = "variable \"image\" {\n  default = \"docker.io/acme/app:1.2.0\"\n}\n".to_owned()
        + &deployment("var.image");
    assert_eq!(address(&whole), "variable.image.default");
}

#[test]
fn a_file_that_does_not_parse_is_a_problem_with_its_position() {
    let good = deployment("\"acme/app:1.2.0\"");
    let answer = ask(
        &[
            ("stacks/x/main.tf", &good),
            ("stacks/y/main.tf", "a = 1\nb = {\n"),
        ],
        "1.3.0",
    );
    assert_eq!(answer.sites.len(), 1);
    assert_eq!(answer.problems.len(), 1);
    assert!(
        answer.problems[0].starts_with("stacks/y/main.tf:"),
        "{:?}",
        answer.problems
    );
}

#[test]
fn names_match_whole_and_normalised() {
    for (image, sites) in [
        ("docker.io/acme/app:1.2.0", 1),
        ("index.docker.io/acme/app:1.2.0", 1),
        ("acme/app-web:1.2.0", 0),
        ("ghcr.io/acme/app:1.2.0", 0),
        ("host:5000/acme/app:1.2.0", 0),
    ] {
        let text = deployment(&format!("\"{image}\""));
        assert_eq!(
            ask(&[("stacks/x/main.tf", &text)], "1.3.0").sites.len(),
            sites,
            "{image}"
        );
    }
}

#[test]
fn positions_are_accepted_for_named_containers_too() {
    let text = deployment("\"acme/app:1.2.0\"").replace("image =", "name = \"web\"\nimage =");
    let key = |container: &str| SiteKey {
        path: "stacks/x/main.tf".into(),
        address: format!("kubernetes_deployment.app.spec.template.spec.{container}.image"),
        before: "1.2.0".into(),
        after: "1.3.0".into(),
    };
    let tree = tree(&[("stacks/x/main.tf", &text)]);
    for container in ["container[web]", "container[0]"] {
        let found = refind(&tree, &Options::default(), &[key(container)]);
        assert!(matches!(found, Refound::Ready(_)), "{container}: {found}");
    }
    let found = refind(&tree, &Options::default(), &[key("container[1]")]);
    assert!(matches!(found, Refound::Missing { .. }), "{found}");
}

#[test]
fn an_edit_of_other_bytes_is_refused() {
    let text = deployment("\"acme/app:1.2.0\"");
    let files = tree(&[("stacks/x/main.tf", &text)]);
    let mut sites = ask(&[("stacks/x/main.tf", &text)], "1.3.0").sites;
    sites[0].span.start -= 1;
    assert!(matches!(
        edit(&files, &sites),
        Err(EditError::Changed { .. })
    ));
    sites[0].span.start += 1;
    sites.push(sites[0].clone());
    assert!(matches!(
        edit(&files, &sites),
        Err(EditError::Overlap { .. })
    ));
    sites.truncate(1);
    // What would not read back as the planned value is caught after the splice.
    sites[0].after = "1.3.0\" #".into();
    assert!(matches!(
        edit(&files, &sites),
        Err(EditError::NotAsPlanned { .. })
    ));
    assert!(matches!(
        edit(&tree(&[]), &sites),
        Err(EditError::Missing { .. })
    ));
    assert_eq!(files.read("stacks/x/main.tf").unwrap(), text.as_bytes());
}

#[test]
fn a_container_of_a_dynamic_block_is_edited_unless_any_container_is_ignored() {
    let text = |entry: &str| {
        format!(
            "resource \"kubernetes_pod\" \"app\" {{\n  spec {{\n    dynamic \"container\" {{\n      \
             for_each = var.names\n      content {{\n        name  = container.value\n        \
             image = \"acme/app:1.2.0\"\n      }}\n    }}\n  }}\n  lifecycle {{\n    \
             ignore_changes = [{entry}]\n  }}\n}}\n"
        )
    };
    let answer = ask(&[("stacks/x/main.tf", &text("metadata"))], "1.3.0");
    assert_eq!(
        answer.sites[0].address,
        "kubernetes_pod.app.spec.dynamic.container[0].image"
    );
    assert_eq!(answer.sites[0].owner[0].container, None);
    let reason = refused(&[("stacks/x/main.tf", &text("spec[0].container[3].image"))]);
    assert!(
        matches!(reason, Refused::IgnoredByLifecycle { .. }),
        "{reason}"
    );
}
