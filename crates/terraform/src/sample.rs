//! The upgrades of the first bulk run, over the sample tree.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{
    Answer, DirTree, Edit, MemTree, Options, Owner, Refound, Refused, SiteKey, Tree, Wanted, diff,
    edit, find, refind,
};

fn tree() -> DirTree {
    DirTree::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/data/homelab")).unwrap()
}

fn image(repository: &str, tag: &str) -> Wanted {
    Wanted::Image {
        repository: version::normalise(repository),
        tag: tag.into(),
        digest: None,
    }
}

fn ask(wanted: &Wanted) -> Answer {
    find(&tree(), &Options::default(), wanted)
}

/// The changed lines of a diff, trimmed.
fn changed(diff: &str) -> Vec<String> {
    diff.lines()
        .filter(|line| line.starts_with(['+', '-']))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Copies the tree and applies the diff with git: the result must be the planned bytes.
fn git_applies(edits: &[Edit]) {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree();
    for path in tree.paths() {
        let target = folder.path().join(&path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, tree.read(&path).unwrap()).unwrap();
    }
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["config", "core.autocrlf", "false"]);
    std::fs::write(folder.path().join("plan.diff"), diff(edits)).unwrap();
    git(folder.path(), &["apply", "--check", "plan.diff"]);
    git(folder.path(), &["apply", "plan.diff"]);
    for path in tree.paths() {
        let planned = edits
            .iter()
            .find(|edit| edit.path == path)
            .map(|edit| edit.after.clone());
        let found = std::fs::read(folder.path().join(&path)).unwrap();
        assert_eq!(
            found,
            planned.unwrap_or_else(|| tree.read(&path).unwrap()),
            "{path}"
        );
    }
}

struct Case {
    service: &'static str,
    image: &'static str,
    from: &'static str,
    to: &'static str,
    path: &'static str,
    addresses: &'static [&'static str],
    lines: &'static [&'static str],
}

const CASES: [Case; 12] = [
    Case {
        service: "ebooks",
        image: "ghcr.io/advplyr/audiobookshelf",
        from: "2.32.1",
        to: "2.33.1",
        path: "stacks/ebooks/main.tf",
        addresses: &[
            "kubernetes_deployment.audiobookshelf.spec.template.spec.container[audiobookshelf].image",
        ],
        lines: &[
            "- image = \"ghcr.io/advplyr/audiobookshelf:2.32.1\"",
            "+ image = \"ghcr.io/advplyr/audiobookshelf:2.33.1\"",
        ],
    },
    Case {
        service: "owntracks",
        image: "owntracks/recorder",
        from: "0.9.9",
        to: "1.0.1",
        path: "stacks/owntracks/main.tf",
        addresses: &[
            "kubernetes_deployment.owntracks.spec.template.spec.container[owntracks].image",
        ],
        lines: &[
            "- image = \"owntracks/recorder:0.9.9\"",
            "+ image = \"owntracks/recorder:1.0.1\"",
        ],
    },
    Case {
        service: "open-webui",
        image: "ghcr.io/open-webui/open-webui",
        from: "v0.7.2",
        to: "v0.8.12",
        path: "stacks/open-webui/main.tf",
        addresses: &[
            "kubernetes_stateful_set.open_webui.spec.template.spec.container[open-webui].image",
        ],
        lines: &[
            "- image = \"ghcr.io/open-webui/open-webui:v0.7.2\"",
            "+ image = \"ghcr.io/open-webui/open-webui:v0.8.12\"",
        ],
    },
    Case {
        service: "immich",
        image: "ghcr.io/immich-app/immich-server",
        from: "v2.7.4",
        to: "v2.7.5",
        path: "stacks/immich/variables.tf",
        addresses: &["variable.immich_version.default"],
        lines: &["- default = \"v2.7.4\"", "+ default = \"v2.7.5\""],
    },
    Case {
        service: "coturn",
        image: "coturn/coturn",
        from: "4.6.3-r1",
        to: "4.10.0-r1",
        path: "stacks/coturn/main.tf",
        addresses: &["kubernetes_daemonset.coturn.spec.template.spec.container[coturn].image"],
        lines: &[
            "- image = \"coturn/coturn:4.6.3-r1\" // -r1 is the packaging revision",
            "+ image = \"coturn/coturn:4.10.0-r1\" // -r1 is the packaging revision",
        ],
    },
    Case {
        service: "url",
        image: "shlinkio/shlink",
        from: "4.3.4",
        to: "5.0.2",
        path: "stacks/url/main.tf",
        addresses: &["kubernetes_deployment.shlink.spec.template.spec.container[shlink].image"],
        lines: &[
            "- image = \"shlinkio/shlink:4.3.4\"",
            "+ image = \"shlinkio/shlink:5.0.2\"",
        ],
    },
    Case {
        service: "phpipam",
        image: "phpipam/phpipam-www",
        from: "v1.7.0",
        to: "v1.7.4",
        path: "stacks/phpipam/main.tf",
        addresses: &["kubernetes_deployment.phpipam.spec.template.spec.container[web].image"],
        lines: &[
            "- image = \"phpipam/phpipam-www:v1.7.0\"",
            "+ image = \"phpipam/phpipam-www:v1.7.4\"",
        ],
    },
    Case {
        service: "onlyoffice",
        image: "onlyoffice/documentserver",
        from: "8.2.3",
        to: "9.3.1",
        path: "stacks/onlyoffice/main.tf",
        addresses: &[
            "kubernetes_deployment.onlyoffice.spec.template.spec.container[onlyoffice-document-server].image",
        ],
        lines: &[
            "- image = \"onlyoffice/documentserver:8.2.3\"",
            "+ image = \"onlyoffice/documentserver:9.3.1\"",
        ],
    },
    Case {
        service: "paperless-ngx",
        image: "ghcr.io/paperless-ngx/paperless-ngx",
        from: "2.16.4",
        to: "2.20.14",
        path: "stacks/paperless-ngx/main.tf",
        addresses: &[
            "kubernetes_deployment.paperless.spec.template.spec.container[paperless-ngx].image",
        ],
        lines: &[
            "- image = \"ghcr.io/paperless-ngx/paperless-ngx:2.16.4\"",
            "+ image = \"ghcr.io/paperless-ngx/paperless-ngx:2.20.14\"",
        ],
    },
    Case {
        service: "linkwarden",
        image: "ghcr.io/linkwarden/linkwarden",
        from: "v2.9.1",
        to: "v2.14.0",
        path: "stacks/linkwarden/main.tf",
        addresses: &[
            "kubernetes_deployment.linkwarden.spec.template.spec.container[linkwarden].image",
        ],
        lines: &[
            "- image = \"ghcr.io/linkwarden/linkwarden:v2.9.1\"",
            "+ image = \"ghcr.io/linkwarden/linkwarden:v2.14.0\"",
        ],
    },
    Case {
        service: "matrix",
        image: "matrixdotorg/synapse",
        from: "v1.125.0",
        to: "v1.151.0",
        path: "stacks/matrix/main.tf",
        addresses: &[
            "kubernetes_deployment.synapse.spec.template.spec.init_container[generate-config].image",
            "kubernetes_deployment.synapse.spec.template.spec.container[synapse].image",
        ],
        lines: &[
            "- image = \"matrixdotorg/synapse:v1.125.0\" # keep in step with the main container",
            "+ image = \"matrixdotorg/synapse:v1.151.0\" # keep in step with the main container",
            "- image = \"matrixdotorg/synapse:v1.125.0\"",
            "+ image = \"matrixdotorg/synapse:v1.151.0\"",
        ],
    },
    Case {
        service: "dawarich",
        image: "freikin/dawarich",
        from: "0.37.1",
        to: "1.6.1",
        path: "stacks/dawarich/main.tf",
        addresses: &["variable.dawarich_version.default"],
        lines: &[
            "-variable \"dawarich_version\" { default = \"0.37.1\" }",
            "+variable \"dawarich_version\" { default = \"1.6.1\" }",
        ],
    },
];

#[test]
fn the_twelve_upgrades_change_exactly_their_lines_and_git_takes_the_diff() {
    for case in CASES {
        let answer = ask(&image(case.image, case.to));
        assert_eq!(answer.problems, [""; 0], "{}", case.service);
        assert_eq!(answer.refused, [], "{}", case.service);
        let addresses: Vec<_> = answer
            .sites
            .iter()
            .map(|site| site.address.as_str())
            .collect();
        assert_eq!(addresses, case.addresses);
        for site in &answer.sites {
            let found = (
                site.path.as_str(),
                site.service.as_str(),
                site.before.as_str(),
            );
            assert_eq!(found, (case.path, case.service, case.from));
            assert!(
                site.images.contains(&version::normalise(case.image)),
                "{site:?}"
            );
        }
        let edits = edit(&tree(), &answer.sites).unwrap();
        let text = diff(&edits);
        let mut lines = vec![
            format!("--- a/{}", case.path),
            format!("+++ b/{}", case.path),
        ];
        lines.extend(case.lines.iter().map(|line| (*line).to_owned()));
        assert_eq!(changed(&text), lines);
        git_applies(&edits);
    }
}

#[test]
fn one_plan_over_all_twelve_is_one_diff() {
    let sites: Vec<_> = CASES
        .iter()
        .flat_map(|case| ask(&image(case.image, case.to)).sites)
        .collect();
    let edits = edit(&tree(), &sites).unwrap();
    assert_eq!((sites.len(), edits.len()), (13, 12));
    git_applies(&edits);
}

#[test]
fn a_chart_moves_by_its_release_and_only_there() {
    let wanted = Wanted::Chart {
        name: "authentik".into(),
        version: "2026.2.3".into(),
    };
    let answer = ask(&wanted);
    assert_eq!(answer.refused, []);
    let [site] = answer.sites.as_slice() else {
        panic!("{answer:?}")
    };
    assert_eq!(site.address, "helm_release.authentik.version");
    assert_eq!(
        (site.before.as_str(), site.service.as_str()),
        ("2026.2.2", "authentik")
    );
    let expected = Owner {
        kind: "HelmRelease".into(),
        name: Some("goauthentik".into()),
        namespace: Some("authentik".into()),
        image_repository: "authentik".into(),
        chart_repository: Some("https://charts.goauthentik.io/".into()),
        atomic: Some(true),
        timeout_seconds: Some(6000),
        ..Owner::default()
    };
    assert_eq!(site.owner, [expected]);
    git_applies(&edit(&tree(), &answer.sites).unwrap());
}

#[test]
fn owners_are_resolved_from_the_files() {
    let owner_of =
        |repository: &str, tag: &str| ask(&image(repository, tag)).sites[0].owner.clone();
    let labels = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let paperless = owner_of("ghcr.io/paperless-ngx/paperless-ngx", "2.20.14");
    assert_eq!(
        paperless,
        [Owner {
            kind: "Deployment".into(),
            name: Some("paperless-ngx".into()),
            namespace: Some("paperless-ngx".into()),
            match_labels: labels("app", "paperless-ngx"),
            container: Some("paperless-ngx".into()),
            init: false,
            image_repository: "ghcr.io/paperless-ngx/paperless-ngx".into(),
            replicas: Some(1),
            ingress_hosts: vec!["paperless.example.org".into()],
            memory_limit: Some("1Gi".into()),
            readiness_probe: Some(false),
            strategy: Some("Recreate".into()),
            ..Owner::default()
        }]
    );
    let immich = owner_of("ghcr.io/immich-app/immich-server", "v2.7.5");
    let names: Vec<_> = immich
        .iter()
        .map(|owner| owner.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["immich-server", "immich-machine-learning"]);
    assert_eq!(immich[0].ingress_hosts, ["immich.example.org"]);
    assert_eq!(immich[1].ingress_hosts, [""; 0]);
    let phpipam = owner_of("phpipam/phpipam-www", "v1.7.4").remove(0);
    assert_eq!(phpipam.ingress_hosts, ["ipam.example.org"]);
    assert_eq!(phpipam.match_labels, labels("component", "phpipam-web"));
    assert_eq!(phpipam.name.as_deref(), Some("phpipam-web"));
    let linkwarden = owner_of("ghcr.io/linkwarden/linkwarden", "v2.14.0").remove(0);
    assert_eq!(linkwarden.namespace.as_deref(), Some("linkwarden"));
    assert_eq!(linkwarden.ingress_hosts, ["links.example.org"]);
    let shlink = owner_of("shlinkio/shlink", "5.0.2").remove(0);
    assert_eq!(
        (shlink.replicas, shlink.ingress_hosts),
        (Some(2), vec!["url.example.org".into()])
    );
    let synapse = ask(&image("matrixdotorg/synapse", "v1.151.0")).sites;
    assert_eq!(
        (synapse[0].owner[0].init, synapse[1].owner[0].init),
        (true, false)
    );
    let webui = owner_of("ghcr.io/open-webui/open-webui", "v0.8.12").remove(0);
    assert_eq!(
        (webui.kind.as_str(), webui.match_labels.len()),
        ("StatefulSet", 2)
    );
    assert_eq!(webui.ingress_hosts, ["chat.example.org"]);
}

#[test]
fn a_shared_variable_names_every_image_it_moves() {
    let answer = ask(&image(
        "ghcr.io/immich-app/immich-machine-learning",
        "v2.7.5",
    ));
    assert_eq!(
        answer.sites[0].images,
        [
            "ghcr.io/immich-app/immich-machine-learning",
            "ghcr.io/immich-app/immich-server"
        ]
    );
    // Not the geocoder with the same number in a variable of its own.
    let answer = ask(&image("freikin/dawarich", "1.6.1"));
    assert_eq!(answer.sites[0].images, ["docker.io/freikin/dawarich"]);
    assert_eq!(answer.sites[0].owner.len(), 2);
}

#[test]
fn an_ignored_container_is_refused_and_its_neighbour_is_not() {
    let answer = ask(&image("ghcr.io/rybbit-io/rybbit-backend", "v1.7.0"));
    assert_eq!(answer.sites, []);
    let by = "spec[0].template[0].spec[0].container[0].image".to_owned();
    assert_eq!(answer.refused[0].reason, Refused::IgnoredByLifecycle { by });
    assert_eq!(answer.refused[0].current.as_deref(), Some("v1.6.0"));
    let answer = ask(&image("ghcr.io/rybbit-io/rybbit-client", "v1.7.0"));
    assert_eq!((answer.sites.len(), answer.refused.len()), (1, 0));
}

#[test]
fn two_lines_of_an_image_in_one_stack_stay_apart() {
    let of = |tag: &str| {
        let answer = ask(&image("mysql", tag));
        let sites: Vec<_> = answer
            .sites
            .iter()
            .map(|site| site.before.clone())
            .collect();
        let refused: Vec<_> = answer
            .refused
            .iter()
            .map(|site| site.reason.clone())
            .collect();
        (sites, refused)
    };
    let other = |moved: &str| Refused::OtherLine {
        moved: moved.into(),
    };
    assert_eq!(of("8.4.5"), (vec!["8.4.4".into()], vec![other("8.4.4")]));
    assert_eq!(
        of("8.4.4"),
        (vec![], vec![Refused::AlreadyAt, other("8.4.4")])
    );
    let (sites, refused) = of("8.0.42");
    assert_eq!(sites, ["8.0.41"]);
    assert!(
        matches!(refused.as_slice(), [Refused::NotNewer(_)]),
        "{refused:?}"
    );
}

#[test]
fn what_is_not_newer_or_of_another_style_is_refused() {
    let reason = |tag: &str| {
        ask(&image("phpipam/phpipam-www", tag)).refused[0]
            .reason
            .clone()
    };
    assert_eq!(reason("v1.7.0"), Refused::AlreadyAt);
    assert!(matches!(reason("v1.6.9"), Refused::NotNewer(_)));
    assert!(matches!(reason("1.7.4"), Refused::Style(_)));
    assert!(matches!(reason("latest"), Refused::Style(_)));
    assert_eq!(reason("v1.7.4\"}"), Refused::BadTarget);
}

#[test]
fn sites_are_found_again_until_somebody_else_changes_them() {
    let before = tree();
    let sites = ask(&image("matrixdotorg/synapse", "v1.151.0")).sites;
    let keys: Vec<SiteKey> = sites.iter().map(SiteKey::from).collect();
    let back: Vec<SiteKey> = keys.iter().cloned().map(SiteKey::reversed).collect();
    let again = |tree: &dyn Tree, keys: &[SiteKey]| refind(tree, &Options::default(), keys);
    assert_eq!(again(&before, &keys), Refound::Ready(sites.clone()));
    assert_eq!(again(&before, &back), Refound::AlreadyThere);

    let [change] = &edit(&before, &sites).unwrap()[..] else {
        panic!()
    };
    let mut after = MemTree::default();
    for path in before.paths() {
        after.0.insert(path.clone(), before.read(&path).unwrap());
    }
    after.0.insert(change.path.clone(), change.after.clone());
    assert_eq!(again(&after, &keys), Refound::AlreadyThere);
    let Refound::Ready(undo) = again(&after, &back) else {
        panic!()
    };
    assert_eq!(edit(&after, &undo).unwrap()[0].after, change.before);

    let text = String::from_utf8(change.after.clone()).unwrap();
    let with = |text: String| {
        let mut tree = after.clone();
        tree.0.insert(change.path.clone(), text.into_bytes());
        again(&tree, &back)
    };
    // Only one of the two, and a third value.
    assert!(matches!(
        with(text.replacen("v1.151.0", "v1.125.0", 1)),
        Refound::Mixed { .. }
    ));
    assert!(matches!(
        with(text.replacen("v1.151.0", "v1.152.0", 1)),
        Refound::ChangedByOther { found, .. } if found == "v1.152.0"
    ));
    // Another container above it moves the position, not the site.
    let sidecar = "container {\n          name  = \"log\"\n          image = \"busybox:v1.151.0\"\n        }\n        container {\n          name  = \"synapse\"";
    let moved = text.replace("container {\n          name  = \"synapse\"", sidecar);
    assert!(matches!(with(moved), Refound::Ready(sites) if sites.len() == 2));
    assert!(matches!(
        with(text.replace("\"synapse\"", "\"other\"")),
        Refound::Missing { .. }
    ));
}
