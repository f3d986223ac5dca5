//! Where notes come from, asked of stub git hosts and registries as the analyzer asks.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

use std::sync::Arc;

use analyzer::notes::{Sources, Way, way};
use analyzer::{Cache, Forges, Own, Published, Registered};
use runtime::settings::{Forge, ForgeKind, Registry as Access, Settings};
use testkit::forgejo::Forgejo;
use testkit::github::{GitHub, Release};
use testkit::registry::Registry;

struct Bench {
    github: GitHub,
    forgejo: Forgejo,
    registry: Registry,
    forges: Forges,
    images: Registered,
}

fn bench() -> Bench {
    runtime::tls::install();
    let (github, forgejo) = (GitHub::start().unwrap(), Forgejo::start().unwrap());
    let registry = Registry::start().unwrap();
    let mut settings = Settings::default();
    settings.github.url = github.url();
    let forge = Forge {
        kind: ForgeKind::Forgejo,
        url: Some(forgejo.url()),
        token_file: None,
    };
    settings.forges.insert("code.example.org".to_owned(), forge);
    let access = Access {
        url: Some(registry.address()),
        ..Access::default()
    };
    for host in ["docker.io", "ghcr.io"] {
        settings.registries.insert(host.to_owned(), access.clone());
    }
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    Bench {
        forges: Forges::new(&settings, &cache).unwrap(),
        images: Registered::new(&settings, &cache).unwrap(),
        github,
        forgejo,
        registry,
    }
}

impl Bench {
    async fn way(&self, image: &str, from: &str, to: &str) -> Way {
        let sources = Sources {
            releases: &self.forges,
            images: Some(&self.images),
        };
        way(sources, image, None, from, to).await.unwrap()
    }
}

fn told(way: &Way) -> Vec<(&str, &str)> {
    let notes = way.notes.iter();
    notes
        .map(|note| (note.version.as_str(), note.body.trim()))
        .collect()
}

const IMAGE: &str = "ghcr.io/acme/thing";
const PROJECT: &str = "acme/thing";

#[tokio::test]
async fn without_releases_the_changelog_tells() {
    let bench = bench();
    bench.github.add_repository(PROJECT);
    let text = "# Changes\n\n## 1.2.10\nc\n\n## 1.2.2\nb\n\n## 1.2.1\na\n";
    bench.github.put_file(PROJECT, "docs/CHANGELOG.md", text);
    let way = bench.way(IMAGE, "1.2.1", "1.2.10").await;
    assert_eq!(told(&way), [("1.2.2", "b"), ("1.2.10", "c")]);
    assert_eq!(
        way.notes[0].url,
        "https://github.com/acme/thing/blob/HEAD/docs/CHANGELOG.md#L6"
    );
    assert_eq!(way.tags, ["1.2.2"]);
    assert_eq!(way.without, None);
    assert_eq!(
        way.tried,
        [
            "github.com/acme/thing: no releases",
            "docs/CHANGELOG.md: 2 sections"
        ]
    );
}

#[tokio::test]
async fn releases_that_only_lead_to_the_changelog_are_followed() {
    let bench = bench();
    let body = "See the [changelog](CHANGELOG.md) for what is new.";
    for tag in ["v1.1.0", "v1.2.0"] {
        bench.github.add_release(PROJECT, tag, body);
    }
    let text = "## v1.2.0\nbreaking: all of it\n## v1.1.0\nb\n";
    bench.github.put_file(PROJECT, "CHANGELOG.md", text);
    let way = bench.way(IMAGE, "1.0.0", "1.2.0").await;
    assert_eq!(
        told(&way),
        [
            ("v1.1.0", format!("{body}\n\nb\n").trim()),
            ("v1.2.0", format!("{body}\n\nbreaking: all of it\n").trim())
        ]
    );
    assert_eq!(way.tags, ["1.1.0"]);
}

#[tokio::test]
async fn a_file_that_is_gone_from_the_branch_is_read_in_the_versions_own_tree() {
    let bench = bench();
    bench.github.add_repository(PROJECT);
    bench
        .github
        .put_file(PROJECT, "CHANGELOG.md", "## 9.0.0\nlater\n");
    bench.github.put_file_at(
        PROJECT,
        "release/1.2",
        "CHANGES",
        "1.2\n===\nb\n\n1.1\n===\na\n",
    );
    let way = bench.way(IMAGE, "1.0", "1.2").await;
    assert_eq!(told(&way), [("1.1", "a"), ("1.2", "b")]);
}

#[tokio::test]
async fn without_any_file_the_annotations_of_tags_tell() {
    let bench = bench();
    bench.github.add_repository(PROJECT);
    bench.github.tag(PROJECT, "v1.1.0", Some("Fixes a leak."));
    bench.github.tag(PROJECT, "v1.2.0", None);
    let way = bench.way(IMAGE, "1.0.0", "1.2.0").await;
    assert_eq!(told(&way), [("v1.1.0", "Fixes a leak.")]);
    assert_eq!(way.tags, ["1.1.0"], "a plain tag is the target");
    assert_eq!(way.tried.last().unwrap(), "the annotation of 1 tag");
}

#[tokio::test]
async fn a_monorepo_is_read_for_the_part_that_the_image_is_named_after() {
    let bench = bench();
    let project = "acme/thing";
    for (tag, body) in [
        ("web@1.1.0", "breaking for browsers"),
        ("server@1.1.0", "a fix"),
        ("server@1.2.0", "more"),
        ("web@1.2.0", "breaking again"),
    ] {
        bench.github.add_release(project, tag, body);
    }
    let way = bench
        .way("ghcr.io/acme/thing-server", "1.0.0", "1.2.0")
        .await;
    assert_eq!(
        told(&way),
        [("server@1.1.0", "a fix"), ("server@1.2.0", "more")]
    );
    assert_eq!(way.tags, ["1.1.0"]);
}

#[tokio::test]
async fn a_backport_that_comes_late_stands_where_its_version_belongs() {
    let bench = bench();
    let day = |text: &str| text.parse().ok();
    for (tag, created_at) in [
        ("v1.1.0", day("2026-01-01T00:00:00Z")),
        ("v2.0.0", day("2026-02-01T00:00:00Z")),
        ("v1.1.1", day("2026-03-01T00:00:00Z")),
        ("v2.1.0", day("2026-04-01T00:00:00Z")),
        ("v1.0.9", day("2026-05-01T00:00:00Z")),
    ] {
        let release = Release {
            tag: tag.to_owned(),
            body: Some(format!("What {tag} mends, in a sentence of some length.")),
            created_at,
            ..Release::default()
        };
        bench.github.publish(PROJECT, release);
    }
    let way = bench.way(IMAGE, "1.1.0", "2.1.0").await;
    let versions: Vec<&str> = way.notes.iter().map(|note| note.version.as_str()).collect();
    assert_eq!(versions, ["v1.1.1", "v2.0.0", "v2.1.0"]);
    assert_eq!(way.tags, ["1.1.1", "2.0.0"]);
}

#[tokio::test]
async fn tags_of_every_spelling_name_the_releases_of_the_image() {
    for spell in [
        |version: &str| format!("v{version}"),
        |version: &str| format!("thing-{version}"),
        |version: &str| format!("release/{version}"),
        |version: &str| format!("thing@{version}"),
        |version: &str| format!("release-{version}"),
    ] {
        let bench = bench();
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            let body = "A fix of the login, and nothing else of note.";
            bench.github.add_release(PROJECT, &spell(version), body);
        }
        let way = bench.way(IMAGE, "1.0.0", "1.2.0").await;
        let told: Vec<String> = way.notes.iter().map(|note| note.version.clone()).collect();
        assert_eq!(told, [spell("1.1.0"), spell("1.2.0")]);
        assert_eq!(way.tags, ["1.1.0"], "{}", spell("1.1.0"));
    }
}

#[tokio::test]
async fn a_release_that_points_at_its_candidate_brings_the_candidates_notes() {
    let bench = bench();
    let publish = |tag: &str, body: &str, prerelease| {
        let release = Release {
            tag: tag.to_owned(),
            body: Some(body.to_owned()),
            prerelease,
            ..Release::default()
        };
        bench.github.publish(PROJECT, release);
    };
    publish("v1.1.0rc1", "Tables are rebuilt.", true);
    publish("v1.1.0", "No significant changes since 1.1.0rc1.", false);
    publish("v1.2.0rc1", "Early.", true);
    publish("v1.2.0", "Its own notes, of some length.", false);
    let way = bench.way(IMAGE, "1.0.0", "1.2.0").await;
    let versions: Vec<&str> = way.notes.iter().map(|note| note.version.as_str()).collect();
    assert_eq!(versions, ["v1.1.0rc1", "v1.1.0", "v1.2.0"]);
    assert_eq!(way.tags, ["1.1.0"]);
}

#[tokio::test]
async fn the_images_label_leads_to_its_source_unless_it_is_inherited() {
    let bench = bench();
    let repository = "someone/gadget-image";
    let source = "https://code.example.org/gadget/gadget";
    let both = ["linux/amd64"];
    bench
        .registry
        .push_image_for(repository, "1.1.0", &both, Some(source));
    bench.forgejo.add_release("gadget/gadget", "v1.1.0", "new");
    let way = bench
        .way("docker.io/someone/gadget-image", "1.0.0", "1.1.0")
        .await;
    assert_eq!(told(&way), [("v1.1.0", "new")]);
    assert_eq!(way.source_url, "https://code.example.org/gadget/gadget");

    let inherited = "https://github.com/alpinelinux/docker-alpine";
    bench
        .registry
        .push_image_for("someone/widget", "1.1.0", &both, Some(inherited));
    let way = bench
        .way("docker.io/someone/widget", "1.0.0", "1.1.0")
        .await;
    assert!(way.notes.is_empty());
    assert_eq!(
        way.without.as_deref(),
        Some("none of these repositories exists: github.com/someone/widget")
    );
    assert!(
        way.tried
            .iter()
            .any(|line| line.contains("is not the image's own")),
        "{:?}",
        way.tried
    );
}

#[tokio::test]
async fn a_platform_without_an_image_is_no_image() {
    use analyzer::Images as _;
    let bench = bench();
    bench
        .registry
        .push_image_for("acme/thing", "1.0.0", &["linux/arm64"], None);
    bench.registry.push_image("acme/thing", "1.1.0");
    let look = async |image, tag| bench.images.look(image, tag).await.unwrap();
    for (tag, expected) in [
        ("1.0.0", Published::NotFor("linux/amd64".to_owned())),
        ("1.1.0", Published::Here),
        ("1.2.0", Published::Nothing),
    ] {
        assert_eq!(look("ghcr.io/acme/thing", tag).await, expected, "{tag}");
    }
    // On Docker Hub each look into an index would be a pull.
    let on_hub = look("docker.io/acme/thing", "1.0.0").await;
    assert_eq!(on_hub, Published::Here);
    let asked = bench.registry.request_log();
    let asked = asked.iter().filter(|url| url.ends_with("/manifests/1.0.0"));
    // HEAD without a token and with one, GET; and HEAD alone.
    assert_eq!(asked.count(), 4);
}

#[tokio::test]
async fn a_registry_that_wants_a_login_is_given_one_or_named() {
    use analyzer::Images as _;
    runtime::tls::install();
    let registry = Registry::start().unwrap();
    registry.require_login("reader", "s3cret");
    registry.push_image("acme/thing", "1.0.0");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    for (password_file, expected) in [(Some(file), true), (None, false)] {
        let mut settings = Settings::default();
        let access = Access {
            url: Some(registry.address()),
            user: "reader".to_owned(),
            password_file,
        };
        settings
            .registries
            .insert("registry.example.org".to_owned(), access);
        let cache: Arc<dyn Cache> = Arc::new(Own::default());
        let images = Registered::new(&settings, &cache).unwrap();
        let found = images
            .look("registry.example.org/acme/thing", "1.0.0")
            .await;
        match found {
            Ok(found) => assert!(found == Published::Here && expected),
            Err(error) => {
                assert!(!expected && error.lasting, "{error}");
                assert!(error.what.contains("[registries]"), "{error}");
                assert!(!error.what.contains("s3cret"), "{error}");
            }
        }
    }
}
