use bowline_tests::{LIMIT, in_lab, in_queue, log_of};
use bus::{Log as _, circuit};
use job::{Body, Claim, UpgradeId};
use testkit::kubernetes::Behaviour;
use testkit::lab::{Lab, Options};

use crate::EBOOKS;

const WEBUI: (&str, &str) = ("ghcr.io/open-webui/open-webui", "v0.7.3");
const PHPIPAM: (&str, &str) = ("phpipam/phpipam-www", "v1.7.1");

/// When each fact of this name was stated, by upgrade.
async fn at(lab: &Lab, id: &str, name: &str) -> anyhow::Result<i64> {
    let view = lab.view(id).await?;
    let fact = view.facts.iter().find(|fact| fact.name == name);
    fact.map(|fact| fact.at_ms)
        .ok_or_else(|| anyhow::anyhow!("{id} has no {name}"))
}

async fn told(lab: &Lab, service: &str, id: &str) -> anyhow::Result<()> {
    lab.said(&[service, "starting", id], LIMIT).await?;
    lab.said(&[service, "done", id], LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_max_in_flight_are_started_and_the_next_when_one_is_over() {
    let options = Options {
        more: "[executor]\nmax_in_flight = 1\n".to_owned(),
        turns: false,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let first = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let started = |view: &testkit::lab::View| view.facts.iter().any(|f| f.name == "started");
        lab.wait(&first, "started", started, LIMIT).await?;
        let second = lab.upgrade(WEBUI.0, WEBUI.1).await?;
        lab.ended(&first, "Succeeded", LIMIT).await?;
        lab.ended(&second, "Succeeded", LIMIT).await?;
        let (over, next) = (
            at(lab, &first, "succeeded").await?,
            at(lab, &second, "started").await?,
        );
        assert!(
            next >= over,
            "started at {next}, the first was over at {over}"
        );
        assert_eq!(lab.commits().len(), 2);
        assert_eq!(lab.live("open-webui").as_deref(), Some(WEBUI.1));
        told(lab, "ebooks", &first).await?;
        told(lab, "open-webui", &second).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_service_waits_for_approval_and_then_until_it_is_alone() {
    let options = Options {
        services: vec![("open-webui", "critical = true")],
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let critical = lab.upgrade(WEBUI.0, WEBUI.1).await?;
        let waits = |view: &testkit::lab::View| view.phase == "AwaitingApproval";
        lab.wait(&critical, "waits for approval", waits, LIMIT)
            .await?;
        lab.said(&["open-webui", "awaits approval", &critical], LIMIT)
            .await?;
        let other = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let started = |view: &testkit::lab::View| view.facts.iter().any(|f| f.name == "started");
        lab.wait(&other, "started", started, LIMIT).await?;
        let (log, id) = (log_of(lab).await?, UpgradeId::parse(&critical)?);
        let history = log.read(&id).await?;
        let approved = Body::Approved {
            by: "alice".to_owned(),
        };
        log.append(&id, history.as_ref(), approved).await?;
        lab.ended(&other, "Succeeded", LIMIT).await?;
        lab.ended(&critical, "Succeeded", LIMIT).await?;
        let (over, next) = (
            at(lab, &other, "succeeded").await?,
            at(lab, &critical, "started").await?,
        );
        assert!(
            next >= over,
            "started at {next}, the other was over at {over}"
        );
        assert_eq!(lab.live("open-webui").as_deref(), Some(WEBUI.1));
        told(lab, "open-webui", &critical).await?;
        told(lab, "ebooks", &other).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_undos_stop_new_starts_until_a_person_lets_them_go_on() {
    in_lab(Options::default(), async |lab| {
        for (image, tag) in [EBOOKS, WEBUI] {
            let crashing = format!("{image}:{tag}");
            lab.cluster.image_behaviour(&crashing, Behaviour::CrashLoop);
        }
        let ebooks = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let webui = lab.upgrade(WEBUI.0, WEBUI.1).await?;
        lab.ended(&ebooks, "RolledBack", LIMIT).await?;
        lab.ended(&webui, "RolledBack", LIMIT).await?;
        for (service, id) in [("ebooks", &ebooks), ("open-webui", &webui)] {
            for words in ["starting", "rolling back", "rolled back"] {
                lab.said(&[service, words, id], LIMIT).await?;
            }
        }
        lab.said(&["CRITICAL", "no upgrade starts", &ebooks, &webui], LIMIT)
            .await?;

        let next = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
        let planned = |view: &testkit::lab::View| view.phase == "Planned";
        lab.wait(&next, "is planned", planned, LIMIT).await?;
        // It has met the circuit: it queues for the slot only when it was asked to start.
        in_queue(lab, &next, Claim::slot).await?;
        assert_eq!(lab.commits().len(), 4);
        assert_eq!(lab.view(&next).await?.phase, "Planned");

        assert_eq!(circuit::close_all(&log_of(lab).await?).await?, ["default"]);
        lab.ended(&next, "Succeeded", LIMIT).await?;
        assert_eq!(lab.live("phpipam").as_deref(), Some(PHPIPAM.1));
        told(lab, "phpipam", &next).await
    })
    .await;
}
