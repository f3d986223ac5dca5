//! `bowline plan` as a person calls it: the real binary on a checkout of the sample repository.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

#[path = "../common/mod.rs"]
mod common;
mod outside;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::Said;
use testkit::github::GitHub;

const SAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/testkit/data/homelab"
);

/// The twelve upgrades of the sample, and the file that each of them touches.
const UPGRADES: [(&str, &str, &str); 12] = [
    ("ghcr.io/advplyr/audiobookshelf", "2.33.1", "ebooks/main.tf"),
    ("owntracks/recorder", "1.0.1", "owntracks/main.tf"),
    (
        "ghcr.io/open-webui/open-webui",
        "v0.8.12",
        "open-webui/main.tf",
    ),
    (
        "ghcr.io/immich-app/immich-server",
        "v2.7.5",
        "immich/variables.tf",
    ),
    ("coturn/coturn", "4.10.0-r1", "coturn/main.tf"),
    ("shlinkio/shlink", "5.0.2", "url/main.tf"),
    ("phpipam/phpipam-www", "v1.7.4", "phpipam/main.tf"),
    ("onlyoffice/documentserver", "9.3.1", "onlyoffice/main.tf"),
    (
        "ghcr.io/paperless-ngx/paperless-ngx",
        "2.20.14",
        "paperless-ngx/main.tf",
    ),
    (
        "ghcr.io/linkwarden/linkwarden",
        "v2.14.0",
        "linkwarden/main.tf",
    ),
    ("matrixdotorg/synapse", "v1.151.0", "matrix/main.tf"),
    ("freikin/dawarich", "1.6.1", "dawarich/main.tf"),
];

/// A checkout of the sample repository in a folder of its own.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Checkout {
        let checkout = Checkout {
            folder: tempfile::tempdir().unwrap(),
        };
        copy(Path::new(SAMPLE), &checkout.path());
        checkout.git(&["init", "--quiet"]);
        checkout.git(&["add", "--all"]);
        checkout.git(&["commit", "--quiet", "--message", "sample"]);
        checkout
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("infra")
    }

    /// What git says; it has to succeed.
    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn plan(&self, arguments: &[&str]) -> Said {
        self.plan_with(arguments, None)
    }

    fn plan_with(&self, arguments: &[&str], token: Option<&str>) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
        command
            .env_clear()
            .arg("plan")
            .args(arguments)
            .args(["--repo".as_ref(), self.path().as_os_str()])
            .stdin(Stdio::null());
        if let Some(token) = token {
            command.env("BOWLINE_SECRET_GITHUB_TOKEN", token);
        }
        Said::from(command.output().unwrap())
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(self.git(&["status", "--porcelain", "--ignored"]), "");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Nothing but the reason, on stderr.
#[track_caller]
fn check_failure(said: &Said, code: i32, reason: &str) {
    assert_eq!((said.code, said.out.as_str()), (Some(code), ""), "{said:?}");
    assert!(
        said.err.contains(reason),
        "{reason:?} is not in {}",
        said.err
    );
}

#[test]
fn each_of_the_twelve_upgrades_is_one_diff_that_git_takes() {
    let checkout = Checkout::new();
    for (image, tag, file) in UPGRADES {
        let said = checkout.plan(&[image, tag, "--output", "diff", "--offline"]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{image}");
        let path = format!("stacks/{file}");
        let heads = said.out.lines().filter(|line| line.starts_with("--- "));
        assert_eq!(
            heads.collect::<Vec<_>>(),
            [format!("--- a/{path}")],
            "{image}"
        );
        checkout.assert_untouched();

        let patch = checkout.folder.path().join("patch");
        std::fs::write(&patch, &said.out).unwrap();
        let patch = patch.to_str().unwrap();
        checkout.git(&["apply", "--check", patch]);
        checkout.git(&["apply", patch]);
        let lines = if file == "matrix/main.tf" { 2 } else { 1 };
        assert_eq!(
            checkout.git(&["diff", "--numstat"]),
            format!("{lines}\t{lines}\t{path}\n"),
            "{image}"
        );
        let again = checkout.plan(&[image, tag, "--output", "diff", "--offline"]);
        check_failure(
            &again,
            3,
            "refused: the repository has this version already",
        );
        checkout.git(&["checkout", "--quiet", "--", "."]);
    }
}

#[test]
fn the_screen_shows_sites_risk_steps_and_diff() {
    let checkout = Checkout::new();
    let said = checkout.plan(&["ghcr.io/immich-app/immich-server", "v2.7.5", "--offline"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let expected = r#"immich: v2.7.4 -> v2.7.5

sites:
  stacks/immich/variables.tf:10  variable.immich_version.default
      moves ghcr.io/immich-app/immich-machine-learning, ghcr.io/immich-app/immich-server
      runs in Deployment immich/immich-server, container immich-server, 1 replica, no readiness
              probe, memory limit 4Gi, https://immich.example.org
      runs in Deployment immich/immich-machine-learning, container machine-learning, 1 replica, no
              readiness probe, memory limit 6Gi

risk: CAUTION
  this service is always taken through every version
  no release notes were read (--offline)

steps: every release in between, which the notes would tell; then v2.7.5

--- a/stacks/immich/variables.tf
+++ b/stacks/immich/variables.tf
@@ -7,7 +7,7 @@
   description = "Release of Immich, see https://github.com/immich-app/immich/releases"
   type        = string
   # default   = "v2.6.3"
-  default     = "v2.7.4"
+  default     = "v2.7.5"
 }
 
 variable "pgvector_version" {
"#;
    assert_eq!(said.out, expected);
    checkout.assert_untouched();
}

#[test]
fn without_notes_a_small_jump_is_unknown() {
    let checkout = Checkout::new();
    let said = checkout.plan(&["phpipam/phpipam-www", "v1.7.4", "--offline"]);
    let expected = "\nrisk: UNKNOWN\n  no release notes were read (--offline)\n\nsteps: v1.7.4\n";
    assert!(said.out.contains(expected), "{}", said.out);
}

#[test]
fn a_chart_version_given_by_hand_is_moved() {
    let checkout = Checkout::new();
    let chart = ["--chart", "authentik", "2026.2.3", "--output", "diff"];
    let said = checkout.plan(&chart);
    assert_eq!(said.code, Some(0), "{said:?}");
    let changed = |sign| said.out.lines().filter(move |line| line.starts_with(sign));
    assert_eq!(
        changed("-").collect::<Vec<_>>(),
        [
            "--- a/stacks/authentik/main.tf",
            "-  version    = \"2026.2.2\""
        ]
    );
    assert_eq!(
        changed("+").next_back(),
        Some("+  version    = \"2026.2.3\"")
    );
    assert_eq!(said.err, "");
    check_failure(
        &checkout.plan(&["--chart", "nothing", "1.0.0"]),
        3,
        "no Terraform file names this image",
    );
}

#[test]
fn a_refusal_is_code_3_and_says_where_and_why() {
    let checkout = Checkout::new();
    for (image, tag, reason) in [
        (
            "ghcr.io/rybbit-io/rybbit-backend",
            "v1.7.0",
            "refused: stacks/rybbit/main.tf:25 (v1.6.0): lifecycle.ignore_changes has \
             `spec[0].template[0].spec[0].container[0].image`, so the edit would change nothing \
             that runs; remove that entry to have it upgraded\n",
        ),
        (
            "ghcr.io/nobody/nothing",
            "1.0.0",
            "refused: no Terraform file names this image; 20 .tf files were searched for ",
        ),
        (
            "coturn/coturn",
            "4.6.3-r1",
            "refused: the repository has this version already\n",
        ),
        (
            "coturn/coturn",
            "4.5.0-r1",
            "refused: stacks/coturn/main.tf:32 (4.6.3-r1): the new tag is not newer (`4.5.0-r1` \
             is not newer than `4.6.3-r1`); nothing to do\n",
        ),
        (
            "coturn/coturn",
            "4.10.0",
            "refused: stacks/coturn/main.tf:32 (4.6.3-r1): the new tag is of another style \
             (`4.10.0` is not written like `4.6.3-r1`",
        ),
        ("coturn/coturn", "latest", "is a floating tag"),
    ] {
        for output in ["diff", "text"] {
            let said = checkout.plan(&[image, tag, "--output", output, "--offline"]);
            check_failure(&said, 3, reason);
        }
    }
    checkout.assert_untouched();
}

#[test]
fn wrong_usage_is_code_2_and_says_what_is_wrong() {
    let checkout = Checkout::new();
    for (arguments, reason) in [
        (&["coturn/coturn", "4.7.0\"}"][..], "the tag is malformed"),
        (&["coturn/coturn", "4.7.0\n"], "the tag is malformed"),
        (&["coturn/coturn", "4.7.0'"], "the tag is malformed"),
        (&["coturn/coturn", "${x}"], "the tag is malformed"),
        (&["coturn/coturn", "a/b"], "the tag is malformed"),
        (&["coturn/coturn", ""], "the tag is malformed"),
        (&["coturn/coturn"], "<TAG>"),
        (&["", "4.7.0"], "the image reference is empty"),
        (&["Coturn/Coturn", "4.7.0"], "lower-case"),
        (&["https://ghcr.io/a/b", "4.7.0"], "has no scheme"),
        (
            &["coturn/coturn:4.6.3-r1", "4.7.0-r1"],
            "holds a tag or a digest already",
        ),
        (&["--chart", "authentik"], "2 values required"),
        (&["--chart", "authentik", "2026\"}"], "is no chart version"),
        (&["--chart", "a\nb", "2026"], "is no name of a chart"),
        (
            &["--chart", "authentik", "2026.2.3", "coturn/coturn", "1"],
            "cannot be used with",
        ),
        (
            &["coturn/coturn", "1", "--output", "yaml"],
            "invalid value 'yaml'",
        ),
    ] {
        check_failure(&checkout.plan(arguments), 2, reason);
    }
    checkout.assert_untouched();
}

#[test]
fn a_missing_checkout_is_code_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_bowline"))
        .args(["plan", "a/b", "1.0.0", "--repo", "/nowhere/at/all"])
        .output()
        .unwrap();
    check_failure(&output.into(), 2, "/nowhere/at/all is not a folder");
}

#[test]
fn a_wrong_configuration_is_code_2_with_all_its_faults() {
    let checkout = Checkout::new();
    let file = checkout.folder.path().join("bowline.toml");
    let config = file.to_str().unwrap();
    let ask = || checkout.plan(&["coturn/coturn", "4.7.0-r1", "--config", config]);
    std::fs::write(&file, "nope = 1\n[github]\ntimeout = 'soon'\n").unwrap();
    let said = ask();
    check_failure(&said, 2, "nope: unknown field `nope`");
    assert!(said.err.contains("github.timeout"), "{}", said.err);
    std::fs::remove_file(&file).unwrap();
    check_failure(&ask(), 2, "bowline.toml");
}

/// A configuration that leads to the stub.
fn configured(checkout: &Checkout, github: &GitHub, more: &str) -> String {
    let file = checkout.folder.path().join("bowline.toml");
    let text = format!(
        "mode = 'observe'\nrepository.url = 'https://git.example.org/acme/infra.git'\n\
         github.url = '{}'\n{more}",
        github.url()
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_base_image_of_several_services_is_refused() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    for service in ["one", "two"] {
        let folder = checkout.path().join("stacks").join(service);
        std::fs::create_dir_all(&folder).unwrap();
        let pod = "resource \"kubernetes_pod\" \"p\" {\n  metadata {\n    name = \"p\"\n  }\n  spec {\n    \
                   container {\n      image = \"mikefarah/yq:4.44.1\"\n    }\n  }\n}\n";
        std::fs::write(folder.join("main.tf"), pod).unwrap();
    }
    let config = configured(&checkout, &github, "");
    let plan =
        |config: &str| checkout.plan(&["mikefarah/yq", "4.44.3", "--offline", "--config", config]);
    let reason = "refused: docker.io/mikefarah/yq is a base image that 2 services use (one, two); \
                  name it in repository.allow_bases";
    check_failure(&plan(&config), 3, reason);
    let config = configured(
        &checkout,
        &github,
        "repository.allow_bases = ['mikefarah/yq']\n",
    );
    check_failure(
        &plan(&config),
        3,
        "several services run this image (one, two)",
    );
}

#[test]
fn a_service_that_may_not_be_touched_is_refused() {
    let (checkout, github) = (Checkout::new(), GitHub::start().unwrap());
    let config = configured(&checkout, &github, "[services.coturn]\nallow = false\n");
    for output in ["diff", "text"] {
        let arguments = [
            "coturn/coturn",
            "4.10.0-r1",
            "--config",
            &config,
            "--output",
            output,
        ];
        let reason = "refused: service coturn may not be touched (services.coturn.allow)";
        check_failure(&checkout.plan(&arguments), 3, reason);
    }
    assert_eq!(github.requests(), 0);
}

#[test]
fn what_another_updater_moves_can_be_taken_over() {
    let checkout = Checkout::new();
    let image = "ghcr.io/rybbit-io/rybbit-backend";
    let said = checkout.plan(&[image, "v1.7.0", "--adopt"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for words in [
        "Without these entries Terraform decides about ghcr.io/rybbit-io/rybbit-backend again",
        "stacks/rybbit/main.tf: spec[0].template[0].spec[0].container[0].image",
        "take the workload away from the other updater",
    ] {
        assert!(said.out.contains(words), "{}", said.out);
    }
    let diff = checkout.plan(&[image, "v1.7.0", "--adopt", "--output", "diff"]);
    let removed = diff
        .out
        .lines()
        .filter(|line| line.starts_with('-'))
        .count();
    let added = diff
        .out
        .lines()
        .filter(|line| line.starts_with("+ "))
        .count();
    assert_eq!((removed, added), (2, 0), "{}", diff.out);
    let nothing = checkout.plan(&["coturn/coturn", "4.10.0-r1", "--adopt"]);
    assert_eq!(nothing.code, Some(3), "{nothing:?}");
    assert!(nothing.err.contains("nothing to take over"), "{nothing:?}");
    checkout.assert_untouched();
}

#[test]
fn settings_that_go_with_the_version_are_in_its_diff() {
    let checkout = Checkout::new();
    let github = GitHub::start().unwrap();
    let changes = "[services.paperless-ngx]\nchanges = [{ to = '2.17.0', memory = '2Gi' }]\n";
    let config = configured(&checkout, &github, changes);
    let image = "ghcr.io/paperless-ngx/paperless-ngx";
    let arguments = [image, "2.20.14", "--config", &config, "--output", "diff"];
    let said = checkout.plan(&arguments);
    assert_eq!(said.code, Some(0), "{said:?}");
    let added: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.starts_with("+ "))
        .collect();
    assert_eq!(added.len(), 2, "{}", said.out);
    assert!(added[1].contains("2Gi"), "{}", said.out);
}
