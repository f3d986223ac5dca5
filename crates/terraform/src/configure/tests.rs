use super::*;
use crate::{MemTree, Refound, Tree, edit, refind};

const TEXT: &str = r#"resource "kubernetes_deployment" "x" {
  spec {
    template {
      spec {
        init_container {
          name  = "migrate"
          image = "acme/app:1.2.0"
        }
        container {
          name  = "web"
          image = "acme/app:1.2.0" # the app
          env {
            name  = "OLD"
            value = "größer"
          }
          resources {
            limits = {
              memory = "1Gi"
            }
          }
        }
        container {
          name  = "other"
          image = "acme/other:1.2.0"
          env {
            name  = "OLD"
            value = "1"
          }
        }
      }
    }
  }
}
"#;

fn tree(text: &str) -> MemTree {
    MemTree([("stacks/x/main.tf".to_owned(), text.into())].into())
}

fn sites(text: &str, change: &Change) -> Result<Vec<Site>, String> {
    let images = ["docker.io/acme/app".to_owned()];
    Index::of(&tree(text)).configure(&Options::default(), "x", &images, change)
}

/// The text after the change; and that the way back leads to the text before.
fn changed(text: &str, change: &Change) -> String {
    let before = tree(text);
    let sites = sites(text, change).unwrap();
    let edits = edit(&before, &sites).unwrap();
    let mut after = before.clone();
    for edit in edits {
        after.0.insert(edit.path, edit.after);
    }
    let options = Options::default();
    let keys: Vec<SiteKey> = sites.iter().map(SiteKey::from).collect();
    if !keys.is_empty() {
        assert!(matches!(
            refind(&before, &options, &keys),
            Refound::Ready(_)
        ));
        assert_eq!(refind(&after, &options, &keys), Refound::AlreadyThere);
        let back: Vec<SiteKey> = keys.into_iter().map(SiteKey::reversed).collect();
        let Refound::Ready(back) = refind(&after, &options, &back) else {
            panic!("no way back")
        };
        let mut again = after.clone();
        for edit in edit(&after, &back).unwrap() {
            again.0.insert(edit.path, edit.after);
        }
        assert_eq!(again, before);
    }
    String::from_utf8(after.read("stacks/x/main.tf").unwrap()).unwrap()
}

#[test]
fn a_variable_is_renamed_in_the_containers_of_the_image_alone() {
    let change = Change::RenameVariable {
        from: "OLD".into(),
        to: "NEW".into(),
    };
    let after = changed(TEXT, &change);
    assert_eq!(after, TEXT.replacen("\"OLD\"", "\"NEW\"", 1));
    assert_eq!(changed(&after, &change), after, "what is so already stays");
    let unknown = Change::RenameVariable {
        from: "GONE".into(),
        to: "NEW".into(),
    };
    let why = sites(TEXT, &unknown).unwrap_err();
    assert!(why.contains("sets GONE"), "{why}");
}

#[test]
fn a_variable_is_set_beside_the_others_unless_it_is() {
    let change = Change::SetVariable {
        name: "MODE".into(),
        value: "safe".into(),
    };
    let block = "          env {\n            name  = \"MODE\"\n            value = \"safe\"\n          }\n";
    let last = "            value = \"größer\"\n          }\n";
    let expected = TEXT.replace(last, &format!("{last}{block}"));
    let after = changed(TEXT, &change);
    assert_eq!(after, expected);
    assert_eq!(changed(&after, &change), after);
    // Without others it follows the image; the lines end as they do there.
    let bare = TEXT
        .replace(
            &format!("          env {{\n            name  = \"OLD\"\n{last}"),
            "",
        )
        .replace('\n', "\r\n");
    let after = changed(&bare, &change);
    assert!(
        after.contains("# the app\r\n          env {\r\n"),
        "{after}"
    );
    assert!(!after.replace("\r\n", "").contains('\n'), "{after}");
}

#[test]
fn a_memory_limit_is_raised_and_never_lowered() {
    let to = |limit: &str| {
        changed(
            TEXT,
            &Change::RaiseMemory {
                limit: limit.into(),
            },
        )
    };
    assert_eq!(to("2Gi"), TEXT.replace("1Gi", "2Gi"));
    assert_eq!(to("512Mi"), TEXT);
    assert_eq!(to("1024Mi"), TEXT);
    let without = TEXT.replace("memory = \"1Gi\"", "cpu = \"1\"");
    let why = sites(
        &without,
        &Change::RaiseMemory {
            limit: "2Gi".into(),
        },
    )
    .unwrap_err();
    assert!(why.contains("memory limit"), "{why}");
}

#[test]
fn quantities_are_read_as_kubernetes_writes_them() {
    let table = [
        ("1Gi", Some(1 << 30)),
        ("1024Mi", Some(1 << 30)),
        ("1G", Some(1_000_000_000)),
        ("128974848", Some(128_974_848)),
        ("1.5Gi", None),
        ("", None),
        ("many", None),
    ];
    for (text, expected) in table {
        assert_eq!(bytes(text), expected, "{text}");
    }
}
