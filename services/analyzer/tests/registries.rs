//! What a plan makes of what a registry says, and how registries differ.
#![expect(clippy::unwrap_used, reason = "a test may end like this")]

mod common;

use std::sync::Arc;

use analyzer::{
    Analyzer, Cache, Home, Images, Own, PortError, Published, Registered, Release, Releases,
    Repository,
};
use async_trait::async_trait;
use bus::{History, Log, Memory, Outcome, VirtualClock, Work as _};
use job::{Body, Command, SkipReason, Transience};
use runtime::settings::{Registry as Access, Settings};
use terraform::{Options, Tree};
use testkit::registry::Registry;

/// One service, and a project with a release that breaks nothing.
struct Outside;

#[async_trait]
impl Repository for Outside {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), PortError> {
        Ok(common::newest())
    }
}

#[async_trait]
impl Releases for Outside {
    async fn all(&self, _: &Home) -> Result<Option<Vec<Release>>, PortError> {
        let release = |tag: &str| Release {
            tag: tag.to_owned(),
            title: None,
            body: "A fix of the login, and nothing else that anybody would see.".to_owned(),
            url: String::new(),
            prerelease: false,
        };
        Ok(Some(["1.2.1", "1.3.0", "2.0.0"].map(release).into()))
    }
}

/// A registry that answers everything alike.
#[derive(Clone)]
struct Answers(Result<Published, (&'static str, bool)>);

#[async_trait]
impl Images for Answers {
    async fn look(&self, _: &str, _: &str) -> Result<Published, PortError> {
        self.0.clone().map_err(|(what, lasting)| PortError {
            what: what.to_owned(),
            retry_after: None,
            lasting,
        })
    }

    async fn tags(&self, image: &str) -> Result<Vec<String>, PortError> {
        self.look(image, "").await.map(|_| Vec::new())
    }

    async fn source(&self, _: &str, _: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

/// What is answered to the request after so many minutes in vain.
async fn planned(tag: &str, status: &str, answers: Answers, minutes: u64) -> String {
    let settings = bus::Settings {
        clock: Arc::new(VirtualClock::starting_at(1_700_000_000_000)),
        ..bus::Settings::new("test")
    };
    let log: Arc<dyn Log> = Arc::new(Memory::new(settings, 1));
    let analyzer = Analyzer::new(
        analyzer::rules(&Settings::default()),
        Options::default(),
        Arc::clone(&log),
        Arc::new(Outside),
        Arc::new(Outside),
    );
    let analyzer = analyzer.with_images(Arc::new(answers));
    let request = common::request(tag, status);
    let id = request.id("test");
    let opened = log.append(&id, None, Body::Requested(request)).await;
    let opened = opened.unwrap();
    let admitted = log.append(&id, Some(&opened), Body::Admitted).await;
    let history: History = admitted.unwrap();
    for _ in 0..minutes {
        // As often as the loop tries at most.
        let failed = analyzer.carry_out(&history, Command::Plan).await;
        assert!(failed.is_err(), "{failed:?}");
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    match analyzer.carry_out(&history, Command::Plan).await {
        Ok(Outcome::Append(Body::Planned(plan))) => {
            // Where nothing is risky people are told no reasons, and of this all the same.
            let unseen = plan
                .risk
                .reasons
                .iter()
                .any(|why| why.contains("cannot be seen"));
            assert_eq!(
                plan.summary.starts_with("Note: whether"),
                unseen,
                "{}",
                plan.summary
            );
            format!("{}: {}", plan.risk.level, plan.risk.reasons.join("; "))
        }
        Ok(Outcome::Append(Body::Skipped(SkipReason::Refused(why)))) => format!("refused: {why}"),
        Ok(Outcome::Append(Body::Aborted {
            why,
            transience: Transience::Transient,
            ..
        })) => format!("again later: {why}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("waits: {}", error.message),
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_registry_says_of_the_target_decides() {
    let image = "docker.io/acme/app:1.3.0";
    let (down, shut) = (("it is down", false), ("it wants a login", true));
    let advice = "if docker.io is asked at the wrong address, the right one is given under \
                  [registries]";
    let safe = "SAFE: minor update; the notes of 2 releases announce no breakage";
    let here = || Ok(Published::Here);
    let other = || Ok(Published::NotFor("linux/amd64".to_owned()));
    for (tag, status, answer, minutes, expected) in [
        ("1.3.0", "new", here(), 0, safe.to_owned()),
        (
            "1.3.0",
            "",
            Ok(Published::Nothing),
            0,
            format!("refused: its registry has no image {image}"),
        ),
        (
            "1.3.0",
            "new",
            Ok(Published::Nothing),
            0,
            format!("again later: its registry has no image {image}, although it was announced"),
        ),
        (
            "1.3.0",
            "",
            other(),
            0,
            format!("refused: {image} has no image for linux/amd64 (kubernetes.platform)"),
        ),
        (
            "1.3.0",
            "",
            Err(shut),
            0,
            format!("refused: whether {image} exists cannot be seen: it wants a login"),
        ),
        (
            "1.3.0",
            "new",
            Err(shut),
            0,
            format!(
                "{safe}; whether {image} exists cannot be seen: it wants a login; DIUN has seen it"
            ),
        ),
        (
            "1.3.0",
            "new",
            Err(down),
            14,
            "waits: it is down".to_owned(),
        ),
        (
            "1.3.0",
            "new",
            Err(down),
            16,
            format!(
                "{safe}; whether {image} exists cannot be seen: it is down; {advice}; DIUN has seen it"
            ),
        ),
        (
            "1.3.0",
            "",
            Err(down),
            16,
            format!("refused: whether {image} exists cannot be seen: it is down; {advice}"),
        ),
        (
            "2.0.0",
            "new",
            Err(shut),
            0,
            "again later: the upgrade goes step by step, and which of the tags in between exist \
             cannot be seen: it wants a login"
                .to_owned(),
        ),
    ] {
        let told = planned(tag, status, Answers(answer.clone()), minutes).await;
        assert_eq!(told, expected, "{tag} {status:?} {answer:?} {minutes}");
    }
}

/// A client that asks this registry for `registry.example.org`.
fn client(registry: &Registry, login: Option<(&str, &str)>) -> Registered {
    runtime::tls::install();
    let folder = tempfile::tempdir().unwrap();
    let mut access = Access {
        url: Some(registry.address()),
        ..Access::default()
    };
    if let Some((user, password)) = login {
        let file = folder.path().join("password");
        std::fs::write(&file, password).unwrap();
        access.user = user.to_owned();
        access.password_file = Some(file);
    }
    let mut settings = Settings::default();
    let host = "registry.example.org".to_owned();
    settings.registries.insert(host, access);
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    Registered::new(&settings, &cache).unwrap()
}

const IMAGE: &str = "registry.example.org/acme/thing";

fn registry() -> Registry {
    let registry = Registry::start().unwrap();
    for tag in ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
        registry.push_image("acme/thing", tag);
    }
    registry
}

#[tokio::test]
async fn a_list_goes_on_where_the_registry_was_asked() {
    let registry = registry();
    // Nobody is there; the token would go to whoever is.
    registry.call("http://127.0.0.1:9");
    let tags = client(&registry, None).tags(IMAGE).await.unwrap();
    assert_eq!(tags.len(), 5, "three of them on the first page");
}

#[tokio::test]
async fn a_registry_behind_another_is_asked_with_its_own_token() {
    let (front, behind) = (Registry::start().unwrap(), registry());
    front.lead_to(&behind);
    let images = client(&front, Some(("reader", "s3cret")));
    let looked = images.look(IMAGE, "1.4.0").await.unwrap();
    assert_eq!(looked, Published::Here);
    assert_eq!(images.tags(IMAGE).await.unwrap().len(), 5);
    let missing = images.look(IMAGE, "9.0.0").await.unwrap();
    assert_eq!(missing, Published::Nothing);
}

#[tokio::test]
async fn a_registry_without_head_or_without_tokens_is_asked_as_it_wants() {
    let registry = registry();
    registry.refuse_head();
    registry.require_basic_login("reader", "s3cret");
    let images = client(&registry, Some(("reader", "s3cret")));
    let looked = images.look(IMAGE, "1.4.0").await.unwrap();
    assert_eq!(looked, Published::Here);
    let error = client(&registry, Some(("reader", "wrong")));
    let error = error.look(IMAGE, "1.4.0").await.unwrap_err();
    assert!(
        error.lasting && error.what.contains("[registries]"),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_for_people_is_no_image() {
    let registry = registry();
    registry.answer_with_pages();
    let error = client(&registry, None).look(IMAGE, "1.4.0").await;
    let error = error.unwrap_err();
    assert!(
        error.lasting && error.what.contains("a page for people"),
        "{error}"
    );
}

#[tokio::test]
async fn a_limit_is_waited_for_whatever_status_it_has() {
    let registry = registry();
    registry.fail_next(403, Some(7), 1);
    let images = client(&registry, None);
    let error = images.look(IMAGE, "1.4.0").await.unwrap_err();
    let wait = error.retry_after.map(|wait| wait.as_secs());
    assert_eq!((wait, error.lasting), (Some(7), false), "{error}");
    let asked = registry.request_log().len();
    images.look(IMAGE, "1.3.0").await.unwrap_err();
    assert_eq!(registry.request_log().len(), asked, "it is left alone");
}

#[tokio::test]
async fn a_front_and_what_stands_behind_it_each_get_a_token_of_their_own() {
    let (front, behind) = (Registry::start().unwrap(), registry());
    front.lead_to(&behind);
    front.guard_the_way();
    let images = client(&front, None);
    for _ in 0..2 {
        let looked = images.look(IMAGE, "1.4.0").await.unwrap();
        assert_eq!(looked, Published::Here);
    }
}

#[tokio::test]
async fn a_label_is_fetched_once() {
    let registry = registry();
    let source = "https://github.com/acme/thing";
    let platforms = ["linux/amd64"];
    registry.push_image_for("acme/thing", "2.0.0", &platforms, Some(source));
    let images = client(&registry, None);
    for (tag, expected) in [("2.0.0", Some(source)), ("1.0.0", None)] {
        for _ in 0..2 {
            let found = images.source(IMAGE, tag).await.unwrap();
            assert_eq!(found.as_deref(), expected);
        }
        let asked = registry.request_log();
        let path = format!("/v2/acme/thing/manifests/{tag}");
        let asked = asked.iter().filter(|url| **url == path).count();
        // With a token, and the first time also without one.
        assert_eq!(asked, if tag == "2.0.0" { 2 } else { 1 });
    }
}

/// A client that asks this registry for Docker Hub's, and for what stands beside it.
fn docker_hub(registry: &Registry) -> Registered {
    let mut settings = Settings::default();
    let access = Access {
        url: Some(registry.address()),
        ..Access::default()
    };
    settings.registries.insert("docker.io".to_owned(), access);
    runtime::tls::install();
    let cache: Arc<dyn Cache> = Arc::new(Own::default());
    let images = Registered::new(&settings, &cache).unwrap();
    images.with_hub(&registry.address())
}

const HUB_IMAGE: &str = "docker.io/acme/thing";

#[tokio::test]
async fn docker_hub_tells_the_platforms_without_a_pull() {
    let registry = registry();
    registry.push_image_for("acme/thing", "2.0.0", &["linux/arm64"], None);
    let images = docker_hub(&registry);
    for (tag, expected) in [
        ("1.4.0", Published::Here),
        ("2.0.0", Published::NotFor("linux/amd64".to_owned())),
        ("3.0.0", Published::Nothing),
    ] {
        assert_eq!(
            images.look(HUB_IMAGE, tag).await.unwrap(),
            expected,
            "{tag}"
        );
    }
    let asked = registry.request_log();
    let manifests = asked.iter().filter(|url| url.contains("/manifests/"));
    // With a token, and the first time also without one.
    assert_eq!(manifests.count(), 4, "{asked:?}");
}

#[tokio::test]
async fn what_docker_hub_does_not_tell_is_believed_and_only_a_limit_is_waited_for() {
    for (status, asked_again) in [(404, true), (403, false), (500, false)] {
        let registry = registry();
        registry.push_image_for("acme/thing", "2.0.0", &["linux/arm64"], None);
        registry.fail_hub(status, None);
        let images = docker_hub(&registry);
        for tag in ["1.4.0", "2.0.0"] {
            let looked = images.look(HUB_IMAGE, tag).await.unwrap();
            assert_eq!(looked, Published::Here, "{status} {tag}");
        }
        let asked = registry.request_log();
        let asked = asked.iter().filter(|url| url.contains("/namespaces/"));
        assert_eq!(asked.count(), if asked_again { 2 } else { 1 }, "{status}");
    }
    let registry = registry();
    registry.fail_hub(429, Some(7));
    let images = docker_hub(&registry);
    let error = images.look(HUB_IMAGE, "1.4.0").await.unwrap_err();
    let wait = error.retry_after.map(|wait| wait.as_secs());
    assert_eq!((wait, error.lasting), (Some(7), false), "{error}");
}
