//! What must hold for any input.

use proptest::prelude::*;

use crate::{MemTree, Options, Refound, SiteKey, Tree, Wanted, edit, find, refind};

fn wanted(tag: &str) -> Wanted {
    Wanted::Image {
        repository: "docker.io/acme/app".into(),
        tag: tag.into(),
        digest: None,
    }
}

/// A line that may stand anywhere inside a block.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("# image = \"acme/app:1.2.3\"".to_owned()),
        Just("// image = \"acme/app:1.2.3\"".to_owned()),
        Just("/* ä\n image = \"acme/app:1.2.3\"\n */".to_owned()),
        Just("env {\n  value = \"acme/app:1.2.3\"\n}".to_owned()),
        Just("port { container_port = 80 } # größer als 1.2.3 →".to_owned()),
        Just(String::new()),
    ]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let container = (prop::collection::vec(noise(), 0..4), any::<bool>(), 0_u8..3);
    let containers = prop::collection::vec(container, 1..5);
    (containers, any::<bool>(), any::<bool>()).prop_map(|(containers, crlf, last)| {
        let mut text = String::from("variable \"v\" { default = \"1.2.3\" }\n");
        text.push_str("resource \"kubernetes_deployment\" \"x\" {\n");
        for (noise, init, form) in containers {
            text.push_str(if init {
                "init_container {\n"
            } else {
                "container {\n"
            });
            text.push_str(&noise.join("\n"));
            text.push_str(match form {
                0 => "\nimage = \"acme/app:1.2.3\" # 1.2.3\n}\n",
                1 => "\nimage   = \"docker.io/acme/app:${var.v}\"\n}\n",
                _ => "\nimage = \"other/app:1.2.3\"\n}\n",
            });
        }
        text.push('}');
        if last {
            text.push('\n');
        }
        if crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        }
        .into_bytes()
    })
}

fn one(bytes: Vec<u8>) -> MemTree {
    MemTree([("stacks/x/main.tf".to_owned(), bytes)].into())
}

proptest! {
    #[test]
    fn an_edit_and_its_inverse_give_the_same_bytes(bytes in file()) {
        let tree = one(bytes.clone());
        let answer = find(&tree, &Options::default(), &wanted("1.10.0"));
        prop_assert_eq!(&answer.problems, &[""; 0]);
        let edits = edit(&tree, &answer.sites).unwrap();
        let Some(done) = edits.first() else { return Ok(()) };
        // Outside the sites every byte is as it was.
        let mut rest_before = Vec::new();
        let mut rest_after = Vec::new();
        let (mut at, mut shift) = (0, 0);
        for site in &answer.sites {
            rest_before.extend_from_slice(&bytes[at..site.span.start]);
            rest_after.extend_from_slice(&done.after[at + shift..site.span.start + shift]);
            at = site.span.end;
            shift += "1.10.0".len() - "1.2.3".len();
        }
        rest_before.extend_from_slice(&bytes[at..]);
        rest_after.extend_from_slice(&done.after[at + shift..]);
        prop_assert_eq!(rest_before, rest_after);

        let tree = one(done.after.clone());
        let keys: Vec<_> =
            answer.sites.iter().map(|site| SiteKey::from(site).reversed()).collect();
        let Refound::Ready(undo) = refind(&tree, &Options::default(), &keys) else {
            return Err(TestCaseError::fail("not found again"));
        };
        prop_assert_eq!(&edit(&tree, &undo).unwrap()[0].after, &bytes);
        // And a second request finds nothing left to do.
        prop_assert_eq!(find(&tree, &Options::default(), &wanted("1.10.0")).sites, vec![]);
    }

    #[test]
    fn a_damaged_file_never_panics(bytes in file(), at in any::<prop::sample::Index>(), junk in prop::collection::vec(any::<u8>(), 0..6)) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes.splice(at..(at + junk.len() / 2).min(bytes.len()), junk);
        let tree = one(bytes);
        let answer = find(&tree, &Options::default(), &wanted("1.10.0"));
        if let Ok(edits) = edit(&tree, &answer.sites) {
            prop_assert!(edits.len() <= 1);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[\\PC\r\n]{0,200}", hcl in "(variable|resource|module|\"|\\{|\\}|\\[|\\]|\\$\\{|<<EOT|\n|=| |image|var\\.|x|:|@|/\\*|#){0,80}") {
        for bytes in [text.clone(), hcl.clone()] {
            let files = [
                ("stacks/x/main.tf".to_owned(), bytes.clone().into_bytes()),
                ("stacks/x/terragrunt.hcl".to_owned(), bytes.clone().into_bytes()),
                ("stacks/x/a.tfvars".to_owned(), bytes.into_bytes()),
            ];
            let tree = MemTree(files.into());
            prop_assert_eq!(find(&tree, &Options::default(), &wanted("1.10.0")).sites, vec![]);
            prop_assert_eq!(tree.paths().len(), 3);
        }
    }
}

#[test]
fn deep_nesting_is_a_problem_not_a_crash() {
    for deep in [
        "(".repeat(50_000),
        "a {\n".repeat(50_000),
        "[".repeat(50_000),
        "!".repeat(50_000),
    ] {
        for text in [
            format!("x = {deep}"),
            deep,
            format!("x = \"{}\"", "${\"".repeat(20_000)),
        ] {
            let answer = find(
                &one(text.into_bytes()),
                &Options::default(),
                &wanted("1.10.0"),
            );
            assert_eq!(answer.problems.len(), 1);
        }
    }
}
