//! What release notes and registries say, and what an upgrade makes of it.

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_lab};
use testkit::forgejo::Forgejo;
use testkit::github::Release;
use testkit::gitlab::GitLab;
use testkit::lab::{Lab, Options, View};

use crate::EBOOKS;

/// What each commit moved, oldest first.
fn moved(lab: &Lab) -> Vec<String> {
    let commits = lab.commits();
    let subjects = commits.iter().map(|commit| &commit.subject);
    subjects
        .map(|subject| subject.replace("upgrade: ", ""))
        .collect()
}

/// A release on GitHub, and its image.
fn release(lab: &Lab, project: &str, image: &str, tag: &str, body: &str) {
    lab.github.add_release(project, tag, body);
    lab.registry.push_image(image, tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weighed_rule_reads_a_promise_and_a_demand_for_what_they_are() {
    let options = Options {
        more: "[risk]\nrule = \"weighed\"\n".to_owned(),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let promise = "There are no breaking changes in this release.\n\n* fix: a crash";
        let (project, image) = ("phpipam/phpipam", "phpipam/phpipam-www");
        release(lab, project, image, "v1.7.5", promise);
        let demand = "* You must set WEBUI_URL from now on, or the server does not start.";
        let (project, image) = ("open-webui/open-webui", "open-webui/open-webui");
        release(lab, project, image, "v0.7.4", demand);

        let promised = lab.upgrade("phpipam/phpipam-www", "v1.7.5").await?;
        let view = lab.ended(&promised, "Succeeded", LIMIT).await?;
        assert_eq!((view.risk.as_str(), view.steps), ("SAFE", 1));
        assert_eq!(moved(lab), ["phpipam v1.7.0 -> v1.7.5"]);

        let image = "ghcr.io/open-webui/open-webui";
        let demanded = lab.upgrade(image, "v0.7.4").await?;
        let view = lab.ended(&demanded, "Succeeded", LIMIT * 2).await?;
        assert_eq!((view.risk.as_str(), view.steps), ("CAUTION", 2));
        let planned = view.facts.iter().find(|fact| fact.name == "planned");
        let planned = planned.context("a plan")?;
        ensure!(planned.text.contains("CAUTION"), "{}", planned.text);
        let open_webui = ["open-webui v0.7.2 -> v0.7.3", "open-webui v0.7.3 -> v0.7.4"];
        assert_eq!(
            moved(lab).get(1..),
            Some(&open_webui.map(str::to_owned)[..])
        );
        lab.said(&["open-webui", "CAUTION", "WEBUI_URL"], LIMIT)
            .await?;
        lab.read_all();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_limits_or_is_down_is_waited_for_and_no_step_is_lost() {
    in_lab(Options::default(), async |lab| {
        lab.registry.fail_next(429, Some(2), 1_000);
        let image = "ghcr.io/linkwarden/linkwarden";
        let id = lab.upgrade(image, "v2.10.0").await?;
        // Who asks meanwhile is told why.
        let delayed = |view: &View| {
            let trouble = view.trouble.as_ref();
            trouble.is_some_and(|trouble| trouble.why.contains("answered"))
        };
        lab.wait(&id, "is delayed", delayed, LIMIT).await?;
        lab.registry.fail_no_more();
        lab.registry.fail_next(503, None, 2);
        let view = lab.ended(&id, "Succeeded", LIMIT * 2).await?;
        ensure!(view.trouble.is_none(), "{view:?}");
        let steps = [
            "linkwarden v2.9.1 -> v2.9.2",
            "linkwarden v2.9.2 -> v2.9.3",
            "linkwarden v2.9.3 -> v2.10.0",
        ];
        assert_eq!(moved(lab), steps);
        lab.read_all();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_knows_the_releases_the_registry_tells_the_steps_of_a_major_jump() {
    let options = Options {
        sources: vec![("docker.io/owntracks/recorder", "nobody/nothing")],
        ..Options::default()
    };
    in_lab(options, async |lab| {
        for tag in ["latest", "1.0.0-rc1", "1.0.0-alpine", "1.0", "1.0.2"] {
            lab.registry.push_image("owntracks/recorder", tag);
        }
        let id = lab.upgrade("owntracks/recorder", "1.0.1").await?;
        let view = lab.ended(&id, "Succeeded", LIMIT * 2).await?;
        assert_eq!(view.risk, "CAUTION");
        let steps = ["owntracks 0.9.9 -> 1.0.0", "owntracks 1.0.0 -> 1.0.1"];
        assert_eq!(moved(lab), steps);
        lab.said(&["owntracks", "starting", "nobody/nothing"], LIMIT)
            .await?;
        lab.read_all();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_on_gitlab_and_forgejo_decide_as_those_on_github_do() {
    let start = || anyhow::Ok((GitLab::start()?, Forgejo::start()?));
    let Ok((gitlab, forgejo)) = start() else {
        panic!("the git hosts did not start")
    };
    let options = Options {
        sources: vec![
            (
                "docker.io/phpipam/phpipam-www",
                "gitlab.example.org/tools/net/phpipam",
            ),
            (
                "docker.io/freikin/dawarich",
                "code.example.org/maps/dawarich",
            ),
        ],
        more: format!(
            "[forges.\"gitlab.example.org\"]\nkind = \"gitlab\"\nurl = \"{}\"\n\n\
             [forges.\"code.example.org\"]\nkind = \"forgejo\"\nurl = \"{}\"\n",
            gitlab.url(),
            forgejo.url()
        ),
        ..Options::default()
    };
    let advisory = "* security: CVE-2026-41414, a forged request is refused";
    for tag in ["v1.7.0", "v1.7.1", "v1.7.3"] {
        gitlab.add_release("tools/net/phpipam", tag, advisory);
    }
    forgejo.add_release("maps/dawarich", "0.37.1", "* fix: a crash");
    forgejo.add_release(
        "maps/dawarich",
        "0.37.2",
        "BREAKING: tracks are kept elsewhere",
    );
    in_lab(options, async |lab| {
        gitlab.limit_next(2);
        let safe = lab.upgrade("phpipam/phpipam-www", "v1.7.3").await?;
        let view = lab.ended(&safe, "Succeeded", LIMIT).await?;
        assert_eq!(view.risk, "SAFE");
        let commits = lab.commits();
        let message = &commits[0].message;
        for expected in ["CVE-2026-41414", "tools/net/phpipam"] {
            ensure!(message.contains(expected), "{message}");
        }

        let risky = lab.upgrade("freikin/dawarich", "0.37.2").await?;
        let view = lab.ended(&risky, "Succeeded", LIMIT).await?;
        assert_eq!(view.risk, "CAUTION");
        lab.said(&["dawarich", "CAUTION", "tracks are kept elsewhere"], LIMIT)
            .await?;
        ensure!(lab.github.requests() == 0, "GitHub was asked");
        lab.read_all();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_not_there_is_never_committed() {
    in_lab(Options::default(), async |lab| {
        let (image, _) = EBOOKS;
        // The project has tagged it, and its image is still being built.
        let tagged = Release {
            tag: "v2.33.9".to_owned(),
            ..Release::default()
        };
        lab.github.publish("advplyr/audiobookshelf", tagged);
        let asked = lab.ask(image, "2.33.9").await?;
        let view = lab.ended(&asked, "Skipped", LIMIT).await?;
        assert_eq!(
            view.reason,
            "its registry has no image ghcr.io/advplyr/audiobookshelf:2.33.9"
        );
        let announced = lab.upgrade(image, "2.33.9").await?;
        let view = lab.ended(&announced, "Aborted", LIMIT).await?;
        let why = "its registry has no image ghcr.io/advplyr/audiobookshelf:2.33.9, although it was \
                   announced";
        ensure!(view.reason.contains(why), "{}", view.reason);
        lab.said(&["audiobookshelf", "2.33.9", "aborted", why], LIMIT)
            .await?;
        lab.registry
            .push_image_for("advplyr/audiobookshelf", "2.33.9", &["linux/arm64"], None);
        let again = lab.ask(image, "2.33.9").await?;
        let view = lab.ended(&again, "Skipped", LIMIT).await?;
        ensure!(
            view.reason.contains("no image for linux/amd64"),
            "{}",
            view.reason
        );
        ensure!(lab.commits().is_empty(), "{:#?}", lab.commits());
        lab.read_all();
        Ok(())
    })
    .await;
}
