use std::collections::BTreeMap;
use std::time::Duration;

use job::{Body, Cause, Phase};
use runtime::Secret;
use testkit::woodpecker::{Outcome, Policy, State};

use super::stage::{Stage, TIMEOUT, repository};
use crate::ports::{Ci as _, Unknown};
use crate::{CheckError, Repository, Woodpecker};

fn at_once(outcome: Outcome) -> Policy {
    Policy::Auto {
        outcome,
        after: Duration::ZERO,
    }
}

/// What `FollowCi` answers to a run that ends like this, with the old or the new image live.
async fn follow(outcome: Outcome, live: &str) -> Body {
    let mut stage = Stage::new();
    stage.ci.set_policy(at_once(outcome));
    stage.push().await;
    if live != "1" {
        stage.apply(live);
        let cluster = stage.cluster.clone();
        super::window::eventually(|| {
            cluster.live_image("web", "app", "app").as_deref() == Some("acme/app:2")
        })
        .await;
    }
    stage.tick().await.expect("an answer")
}

fn failed(body: &Body, evidence: &str) {
    let Body::RollbackRequested {
        cause: Cause::CiFailed,
        evidence: found,
    } = body
    else {
        panic!("{body:?}")
    };
    assert!(found.contains(evidence), "{found}");
}

#[tokio::test]
async fn only_the_gating_workflow_counts() {
    let Body::CiPassed(run) = follow(Outcome::OthersFail, "1").await else {
        panic!("not passed")
    };
    assert_eq!((run.number, run.workflow.as_str()), (1, "default"));
    assert!(run.url.ends_with("/repos/17/pipeline/1"), "{}", run.url);
    let red = follow(Outcome::Failure, "1").await;
    failed(
        &red,
        "pipeline #1: `default` failed in step `clone` (exit code 1)",
    );
    failed(
        &red,
        "web/Deployment/app/app runs acme/app:1, not acme/app:2",
    );
    failed(&follow(Outcome::Error, "1").await, "`default` failed");
    failed(
        &follow(Outcome::DefaultSkipped, "1").await,
        "`default` was skipped",
    );
    failed(
        &follow(Outcome::DefaultMissing, "1").await,
        "it has no workflow `default`",
    );
}

#[tokio::test]
async fn a_red_run_whose_version_is_live_and_healthy_needs_a_person() {
    let body = follow(Outcome::Failure, "2").await;
    assert!(
        matches!(&body, Body::Stuck(why) if why.contains("live and healthy")),
        "{body:?}"
    );
}

#[tokio::test]
async fn a_superseded_run_is_waited_for_and_then_the_newer_one_counts() {
    let mut stage = Stage::new();
    stage.ci.agent_stop_takes(Duration::from_millis(400));
    stage.push().await;
    assert!(stage.ci.set_running("a"));
    stage.ci.push("b", "master", "another's");
    assert!(stage.ci.finish(
        "b",
        &[("default", State::Success), ("lint", State::Success)]
    ));
    // Killed, yet its agent still applies: the newer run says nothing yet.
    assert_eq!(stage.tick().await, None);
    let passed = stage.until("the newer run counts", |_| true).await;
    assert!(
        matches!(&passed, Body::CiPassed(run) if run.number == 2),
        "{passed:?}"
    );
    // Another's green run is no proof that ours was tried: no undo.
    stage.advance(99);
    assert_eq!(stage.tick().await, None);
    stage.advance(2);
    let body = stage.tick().await;
    assert!(
        matches!(&body, Some(Body::Stuck(why)) if why.starts_with("not applied")),
        "{body:?}"
    );
}

#[tokio::test]
async fn an_old_server_does_not_say_what_superseded_a_run() {
    let mut stage = Stage::new();
    stage.ci.old();
    stage.ci.agent_stop_takes(Duration::ZERO);
    stage.push().await;
    assert!(stage.ci.set_running("a"));
    stage.ci.add_finished("x", "release", "push");
    stage.ci.push("b", "master", "another's");
    let green = [("default", State::Success), ("lint", State::Success)];
    assert!(stage.ci.finish("b", &green));
    let passed = stage.until("the newer run counts", |_| true).await;
    assert!(
        matches!(&passed, Body::CiPassed(run) if run.number == 3),
        "{passed:?}"
    );
}

/// Ours was superseded by `b`, which changed this, was green and did not bring our version.
async fn replaced_in_vain(changed: &str) -> Stage {
    let mut stage = Stage::with(1, |plan| {
        plan.steps[0].sites.push(job::Site {
            path: "stacks/app/main.tf".to_owned(),
            address: "app.image".to_owned(),
            before: "1".to_owned(),
            after: "2".to_owned(),
        });
    });
    stage.ci.agent_stop_takes(Duration::ZERO);
    stage.push().await;
    assert!(stage.ci.set_running("a"));
    stage.ci.push("b", "master", "another's");
    stage.ci.changed("b", &[changed]);
    let green = [("default", State::Success), ("lint", State::Success)];
    assert!(stage.ci.finish("b", &green));
    let passed = stage.until("the newer run counts", |_| true).await;
    assert!(matches!(&passed, Body::CiPassed(run) if run.number == 2));
    stage.advance(101);
    stage
}

#[tokio::test]
async fn a_run_that_was_replaced_in_vain_is_started_again_once() {
    let mut stage = replaced_in_vain("README.md").await;
    let again = Some(Body::CiRestarting { number: 1 });
    assert_eq!(stage.tick().await, again);
    assert_eq!(stage.phase(), Phase::Pushed);
    stage.ci.set_policy(at_once(Outcome::Success));
    assert_eq!(stage.tick().await, None);
    let passed = stage.tick().await;
    assert!(
        matches!(&passed, Some(Body::CiPassed(run)) if run.number == 3),
        "{passed:?}"
    );
    let parents: Vec<u64> = stage.ci.runs().iter().map(|run| run.parent).collect();
    assert_eq!(parents, [0, 0, 1]);
    // It was our own that changed nothing now.
    stage.advance(101);
    let body = stage.tick().await;
    assert!(
        matches!(
            &body,
            Some(Body::RollbackRequested {
                cause: Cause::NotApplied,
                ..
            })
        ),
        "{body:?}"
    );
}

#[tokio::test]
async fn a_run_is_not_started_again_over_a_later_change_or_a_filter() {
    let mut stage = replaced_in_vain("stacks/app/variables.tf").await;
    let body = stage.tick().await;
    assert!(
        matches!(&body, Some(Body::Stuck(why)) if why.starts_with("not applied")),
        "{body:?}"
    );
    let mut stage = replaced_in_vain("README.md").await;
    assert!(matches!(
        stage.tick().await,
        Some(Body::CiRestarting { .. })
    ));
    stage.ci.filter_next_restarts(1);
    let body = stage.tick().await;
    assert!(
        matches!(&body, Some(Body::Stuck(why)) if why.ends_with("no workflow matches")),
        "{body:?}"
    );
}

#[tokio::test]
async fn our_own_green_run_that_changes_nothing_is_undone_after_the_settle_time() {
    let mut stage = Stage::new();
    stage.ci.set_policy(at_once(Outcome::Success));
    stage.push().await;
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
    stage.advance(99);
    assert_eq!(stage.tick().await, None);
    stage.advance(2);
    let body = stage.tick().await;
    let not_applied = matches!(
        &body,
        Some(Body::RollbackRequested { cause: Cause::NotApplied, evidence })
            if evidence.contains("runs acme/app:1")
    );
    assert!(not_applied, "{body:?}");
}

#[tokio::test]
async fn a_run_that_never_comes_is_given_up_and_the_live_image_decides() {
    for (policy, live) in [(Policy::Lost, true), (Policy::NoWorkflow, false)] {
        let mut stage = Stage::new();
        stage.ci.set_policy(policy);
        stage.push().await;
        assert_eq!(stage.tick().await, None);
        // A row without a workflow is deleted soon after it came.
        stage.advance(301);
        assert_eq!(stage.until("no run", |_| true).await, Body::CiAbsent);
        assert_eq!(stage.tick().await, None);
        if live {
            stage.apply("2");
            assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
        } else {
            stage.advance(698);
            assert_eq!(stage.tick().await, None);
            stage.advance(2);
            assert!(matches!(stage.tick().await, Some(Body::Stuck(_))));
        }
    }
}

#[tokio::test]
async fn a_run_that_never_ends_is_waited_for_to_the_end_of_the_patience() {
    for (policy, live) in [(Policy::Blocked, false), (Policy::Manual, true)] {
        let mut stage = Stage::new();
        stage.ci.set_policy(policy);
        stage.push().await;
        stage.advance(998);
        assert_eq!(stage.tick().await, None);
        if live {
            stage.apply("2");
        }
        stage.advance(2);
        match stage.tick().await {
            Some(Body::CiAbsent) => assert!(live),
            Some(Body::Stuck(why)) => {
                assert!(!live);
                assert!(why.starts_with("CI did not report in 1000 s"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_unknown_and_says_why() {
    let ci = testkit::woodpecker::Woodpecker::start("acme/infra").unwrap();
    crate::choose_cryptography();
    let client = |change: fn(&mut Repository)| {
        let mut repository = repository(&ci);
        change(&mut repository);
        let repositories = BTreeMap::from([("r".to_owned(), repository)]);
        Woodpecker::new(repositories, TIMEOUT).unwrap()
    };
    let ask = async |change: fn(&mut Repository)| {
        client(change)
            .pipelines("r", 0)
            .await
            .map(|rows| rows.len())
    };
    let unknown = |text: &str| Err(Unknown(text.to_owned()));
    assert_eq!(ask(|_| ()).await, Ok(0));
    let refused = "CI refused the token (401): check `ci.token_file` or `BOWLINE_SECRET_CI_TOKEN`";
    assert_eq!(
        ask(|r| r.token = Secret::new("wrong")).await,
        unknown(refused)
    );
    let nobody = "CI knows no repository `acme/other`, or the token may not see it";
    assert_eq!(
        ask(|r| r.name = "acme/other".to_owned()).await,
        unknown(nobody)
    );
    ci.html_next(1);
    let page = "CI answered with text/html, not JSON: check its address";
    assert_eq!(ask(|_| ()).await, unknown(page));
    ci.fail_next(500, 1);
    assert_eq!(
        ask(|_| ()).await,
        unknown("CI answered 500 Internal Server Error")
    );
    let away = ask(|r| r.url = "http://127.0.0.1:9".to_owned()).await;
    assert!(
        matches!(&away, Err(Unknown(why)) if why.starts_with("CI did not answer")),
        "{away:?}"
    );
    assert_eq!(client(|_| ()).pipeline("r", 99).await, Ok(None));
}

#[tokio::test]
async fn a_wrong_token_is_refused_at_the_start_and_whatever_else_is_only_unknown() {
    let ci = testkit::woodpecker::Woodpecker::start("acme/infra").unwrap();
    crate::choose_cryptography();
    let check = async |change: fn(&mut Repository)| {
        let mut repository = repository(&ci);
        change(&mut repository);
        let repositories = BTreeMap::from([("r".to_owned(), repository)]);
        let ci = Woodpecker::new(repositories, TIMEOUT).unwrap();
        match ci.check().await {
            Ok(()) => "good",
            Err(CheckError::Refused(_)) => "refused",
            Err(CheckError::Unknown(_)) => "unknown",
        }
    };
    assert_eq!(check(|_| ()).await, "good");
    assert_eq!(check(|r| r.token = Secret::new("wrong")).await, "refused");
    ci.fail_next(403, 1);
    assert_eq!(check(|_| ()).await, "refused");
    assert_eq!(check(|r| r.name = "acme/other".to_owned()).await, "unknown");
    assert_eq!(
        check(|r| r.url = "http://127.0.0.1:9".to_owned()).await,
        "unknown"
    );
    ci.fail_next(500, 1);
    assert_eq!(check(|_| ()).await, "unknown");
    ci.html_next(1);
    assert_eq!(check(|_| ()).await, "unknown");
}

#[tokio::test]
async fn a_token_that_expires_is_unknown_and_no_failure() {
    let mut stage = Stage::new();
    stage.ci.set_policy(at_once(Outcome::Success));
    stage.push().await;
    stage.ci.fail_next(401, 1);
    assert_eq!(stage.tick().await, None);
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
}

#[tokio::test]
async fn unknown_extends_the_wait_and_is_no_absence() {
    let mut stage = Stage::new();
    stage.ci.set_policy(at_once(Outcome::Success));
    stage.push().await;
    stage.advance(400);
    stage.ci.html_next(1);
    assert_eq!(stage.tick().await, None);
    assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
}

#[tokio::test]
async fn our_commit_is_found_behind_many_others() {
    let ci = testkit::woodpecker::Woodpecker::start("acme/infra").unwrap();
    crate::choose_cryptography();
    ci.push("a", "master", "ours");
    for n in 0..120 {
        ci.add_finished(&format!("other{n}"), "master", "push");
    }
    ci.add_finished("a", "release", "push");
    ci.add_finished("a", "master", "cron");
    let repositories = BTreeMap::from([("r".to_owned(), repository(&ci))]);
    let client = Woodpecker::new(repositories, TIMEOUT).unwrap();
    let rows = client.pipelines("r", 0).await.unwrap();
    assert_eq!(crate::ci::ours(&rows, "a").map(|row| row.number), Some(1));
}

#[tokio::test]
async fn an_undo_goes_the_same_way_and_never_asks_for_another() {
    for (outcome, expected) in [(Outcome::Success, "passed"), (Outcome::Failure, "stuck")] {
        let mut stage = Stage::new();
        stage.ci.set_policy(at_once(Outcome::Success));
        stage.push().await;
        assert!(matches!(stage.tick().await, Some(Body::CiPassed(_))));
        stage.apply("2");
        assert!(matches!(stage.tick().await, Some(Body::Applied { .. })));
        stage.say(Body::CancelRequested {
            by: "kim".to_owned(),
        });
        let asked = Body::RollbackRequested {
            cause: Cause::Cancelled,
            evidence: "cancelled by kim after the push".to_owned(),
        };
        assert_eq!(stage.tick().await, Some(asked));
        stage.ci.set_policy(at_once(outcome));
        stage.revert();
        match stage.tick().await {
            Some(Body::CiPassed(_)) => assert_eq!(expected, "passed"),
            Some(Body::Stuck(_)) => assert_eq!(expected, "stuck"),
            other => panic!("{other:?}"),
        }
        if expected == "passed" {
            stage.advance(101);
            assert!(matches!(stage.tick().await, Some(Body::Stuck(_))));
            assert_eq!(stage.phase(), Phase::Stuck);
        }
    }
}
