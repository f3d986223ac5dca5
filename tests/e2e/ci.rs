//! Trouble between the push and what CI makes of it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bowline_tests::{LIMIT, in_changing_lab, in_lab, in_queue};
use job::Claim;
use testkit::lab::{Lab, Options, View};
use testkit::woodpecker::State;

use crate::EBOOKS;

const OWNTRACKS: (&str, &str) = ("owntracks/recorder", "1.0.0");

/// CI is given up after three seconds.
fn impatient() -> Options {
    Options {
        ci_appear_within: Duration::from_secs(1),
        ci_patience: Duration::from_secs(3),
        ..Options::default()
    }
}

fn has_fact(name: &'static str) -> impl Fn(&View) -> bool {
    move |view| view.facts.iter().any(|fact| fact.name == name)
}

/// The state of each run of CI, oldest first.
fn states(lab: &Lab) -> Vec<State> {
    lab.woodpecker.runs().iter().map(|run| run.status).collect()
}

/// The upgrade is pushed and nothing else, the old version is live, and a person was called.
async fn left_to_a_person(lab: &Lab, id: &str, why: &str) -> anyhow::Result<()> {
    let commits = lab.commits();
    ensure!(commits.len() == 1, "{commits:#?}");
    assert_eq!(lab.applier.applied(), Vec::<String>::new());
    assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
    lab.said(&["ebooks", "2.33.1 starting", id], LIMIT).await?;
    lab.said(&["CRITICAL", "ebooks", "needs a person", why, id], LIMIT)
        .await?;
    Ok(())
}

async fn succeeded(lab: &Lab, id: &str) -> anyhow::Result<()> {
    assert_eq!(lab.live("ebooks").as_deref(), Some("2.33.1"));
    lab.said(&["ebooks", "starting", id], LIMIT).await?;
    lab.said(&["ebooks", "2.32.1 → 2.33.1 done", id], LIMIT)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_whose_token_is_refused_ends_and_says_so() {
    in_lab(Options::default(), async |lab| {
        let secret = ("BOWLINE_SECRET_CI_TOKEN", "expired-token");
        let (code, log) = lab.run_with("verifier", secret).await?;
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("CI refused the token (401)"), "{log}");
        assert!(log.contains("ci.token_file"), "{log}");
        assert!(!log.contains("expired-token"), "{log}");

        // The other verifier was not disturbed.
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        succeeded(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_restarts_while_ci_runs_and_nothing_is_done_twice() {
    in_changing_lab(Options::default(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("CI runs", || states(lab) == [State::Running], LIMIT)
            .await?;
        lab.nats.kill().await?;
        lab.applier.hold(false);
        lab.until("CI has ended", || states(lab) == [State::Success], LIMIT)
            .await?;
        lab.nats.restart().await?;
        lab.ended(&id, "Succeeded", LIMIT).await?;

        assert_eq!(lab.commits().len(), 1);
        assert_eq!(states(lab), [State::Success]);
        succeeded(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_never_ends_is_left_to_a_person() {
    in_lab(impatient(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Stuck", LIMIT).await?;
        assert_eq!(states(lab), [State::Running]);
        left_to_a_person(lab, &id, "CI did not report in 3 s").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_a_run_is_left_to_a_person() {
    in_lab(impatient(), async |lab| {
        lab.applier.lost_next();
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "Stuck", LIMIT).await?;
        assert_eq!(states(lab), []);
        left_to_a_person(lab, &id, "not applied").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_run_is_no_failure_and_the_newer_one_applies_both() {
    in_lab(Options::default(), async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("CI runs", || states(lab) == [State::Running], LIMIT)
            .await?;
        let stranger = lab.git.someone_else();
        let theirs = stranger.commit("README.md", b"# homelab, tidied\n", "tidy the README");
        let replaced = || states(lab) == [State::Killed, State::Running];
        lab.until("the newer run has taken its place", replaced, LIMIT)
            .await?;
        lab.applier.hold(false);
        lab.ended(&id, "Succeeded", LIMIT).await?;

        assert_eq!(lab.applier.applied(), [theirs]);
        let commits = lab.commits();
        ensure!(commits.len() == 2, "{commits:#?}");
        succeeded(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_replaced_in_vain_is_started_again() {
    let options = Options {
        settle: Duration::from_secs(2),
        restart_superseded: true,
        ..Options::default()
    };
    in_lab(options, async |lab| {
        lab.applier.hold(true);
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.until("CI runs", || states(lab) == [State::Running], LIMIT)
            .await?;
        lab.applier.green_but_not_applied_next();
        let stranger = lab.git.someone_else();
        stranger.commit("README.md", b"# homelab, tidied\n", "tidy the README");
        let replaced = || states(lab) == [State::Killed, State::Running];
        lab.until("the newer run has taken its place", replaced, LIMIT)
            .await?;
        lab.applier.hold(false);
        lab.ended(&id, "Succeeded", LIMIT).await?;

        let runs = lab.woodpecker.runs();
        let parents: Vec<u64> = runs.iter().map(|run| run.parent).collect();
        assert_eq!(parents, [0, 0, 1], "{runs:?}");
        assert_eq!(lab.applier.applied(), [runs[0].commit.clone()]);
        assert_eq!(lab.commits().len(), 2);
        succeeded(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_gating_workflow_counts_whichever_colour_the_others_have() {
    in_lab(Options::default(), async |lab| {
        lab.applier.others_red_next();
        let good = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&good, "Succeeded", LIMIT).await?;
        assert_eq!(states(lab), [State::Failure]);
        succeeded(lab, &good).await?;

        // Here `lint` is green, and `default` is not.
        lab.applier.red_next();
        let bad = lab.upgrade(OWNTRACKS.0, OWNTRACKS.1).await?;
        lab.ended(&bad, "RolledBack", LIMIT).await?;
        let ended = [State::Failure, State::Failure, State::Success];
        assert_eq!(states(lab), ended);
        assert_eq!(lab.commits().len(), 3);
        assert_eq!(lab.written("owntracks").as_deref(), Some("0.9.9"));
        assert_eq!(lab.live("owntracks").as_deref(), Some("0.9.9"));
        lab.said(&["owntracks", "starting", &bad], LIMIT).await?;
        let words = [
            "owntracks",
            "rolling back to 0.9.9",
            "`default` failed",
            &bad,
        ];
        lab.said(&words, LIMIT).await?;
        lab.said(&["owntracks", "rolled back", &bad], LIMIT).await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_ci_that_applied_nothing_is_undone() {
    let options = Options {
        settle: Duration::from_secs(2),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        lab.applier.green_but_not_applied_next();
        let id = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        lab.ended(&id, "RolledBack", LIMIT).await?;

        let commits = lab.commits();
        ensure!(commits.len() == 2, "{commits:#?}");
        assert_eq!(lab.applier.applied(), [commits[1].sha.clone()]);
        assert_eq!(states(lab), [State::Success, State::Success]);
        assert_eq!(lab.written("ebooks").as_deref(), Some("2.32.1"));
        assert_eq!(lab.live("ebooks").as_deref(), Some("2.32.1"));
        lab.said(&["ebooks", "2.33.1 starting", &id], LIMIT).await?;
        let words = ["ebooks", "rolling back to 2.32.1", "CI was green, yet", &id];
        lab.said(&words, LIMIT).await?;
        lab.said(&["ebooks", "rolled back, 2.32.1 is live", &id], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_takes_the_turn_over_from_a_run_that_hangs() {
    let short = Duration::from_millis(1_500);
    let options = Options {
        windows: (short, Duration::from_secs(120), short),
        settle: Duration::from_secs(2),
        undo_patience: Duration::from_secs(1),
        ci_patience: Duration::from_secs(600),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let first = lab.upgrade(OWNTRACKS.0, OWNTRACKS.1).await?;
        lab.wait(&first, "is watched", has_fact("healthy_since"), LIMIT)
            .await?;
        // The second one's run hangs and holds the turn.
        lab.applier.hold(true);
        let second = lab.upgrade(EBOOKS.0, EBOOKS.1).await?;
        let hangs = || states(lab) == [State::Success, State::Running];
        lab.until("the second one's run hangs", hangs, LIMIT)
            .await?;
        lab.wait(&second, "is pushed", has_fact("pushed"), LIMIT)
            .await?;
        // Now the first one has to be undone.
        lab.site("owntracks")?.answer(500);
        lab.until("the revert is pushed", || lab.commits().len() == 3, LIMIT)
            .await?;
        let replaced = || states(lab) == [State::Success, State::Killed, State::Running];
        lab.until("the revert's run has replaced it", replaced, LIMIT)
            .await?;
        lab.site("owntracks")?.answer(200);
        lab.applier.hold(false);
        lab.ended(&first, "RolledBack", LIMIT).await?;
        lab.ended(&second, "Succeeded", LIMIT).await?;

        let commits = lab.commits();
        let subjects: Vec<_> = commits.iter().map(|one| one.subject.as_str()).collect();
        let expected = [
            "upgrade: owntracks 0.9.9 -> 1.0.0",
            "upgrade: ebooks 2.32.1 -> 2.33.1",
            "Revert \"upgrade: owntracks 0.9.9 -> 1.0.0\"",
        ];
        assert_eq!(subjects, expected);
        let applied = lab.applier.applied();
        assert_eq!(applied, [commits[0].sha.clone(), commits[2].sha.clone()]);
        assert_eq!(lab.live("owntracks").as_deref(), Some("0.9.9"));
        lab.said(&["owntracks", "starting", &first], LIMIT).await?;
        lab.said(&["owntracks", "rolling back", "500", &first], LIMIT)
            .await?;
        lab.said(&["owntracks", "rolled back", &first], LIMIT)
            .await?;
        succeeded(lab, &second).await
    })
    .await;
}

/// Each in one step that is watched for long, and none with a backup.
const TWO: [(&str, &str, &str, &str); 2] = [
    ("owntracks", OWNTRACKS.0, "0.9.9", OWNTRACKS.1),
    ("coturn", "coturn/coturn", "4.6.3-r1", "4.7.0-r1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn two_rollbacks_at_once_both_end_where_they_began_one_after_the_other() {
    two_rollbacks(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rollbacks_at_once_both_end_where_they_began_without_turns() {
    two_rollbacks(false).await;
}

/// Both are asked to go back while nobody is there to do it; then they compete for the branch and
/// for CI.
async fn two_rollbacks(turns: bool) {
    let short = Duration::from_secs(1);
    let options = Options {
        turns,
        windows: (short, Duration::from_secs(600), short),
        settle: Duration::from_secs(2),
        ..Options::default()
    };
    in_lab(options, async |lab| {
        let mut ids = Vec::new();
        for (_, image, _, to) in TWO {
            ids.push(lab.upgrade(image, to).await?);
        }
        for id in &ids {
            lab.wait(id, "is watched", has_fact("healthy_since"), LIMIT)
                .await?;
        }
        lab.kill9("executor")?;
        for (service, ..) in TWO {
            lab.site(service)?.answer(500);
        }
        let undoing = |view: &View| view.phase == "RollbackRequested";
        for id in &ids {
            lab.wait(id, "has to be undone", undoing, LIMIT).await?;
        }
        for id in &ids {
            let view = lab.view(id).await?;
            ensure!(undoing(&view), "{}", testkit::lab::told(&view));
        }
        for (service, ..) in TWO {
            lab.site(service)?.answer(200);
        }
        ensure!(lab.commits().len() == 2, "{:#?}", lab.commits());
        // What CI makes of a revert waits until the other one has asked for its place.
        lab.applier.hold(true);
        lab.spawn("executor")?;
        let good = State::Success;
        if turns {
            let first = || states(lab) == [good, good, State::Running];
            lab.until("the first revert's run goes", first, LIMIT)
                .await?;
            let commits = lab.commits();
            let revert = commits.last().context("no commit")?;
            let waits = |id: &&String| !revert.message.contains(&format!("{id}/1"));
            let second = ids.iter().find(waits).context("it reverts both")?;
            in_queue(lab, second, |state| Some(Claim::turn(state))).await?;
            ensure!(lab.commits() == commits, "{:#?}", lab.commits());
        } else {
            let both = || states(lab) == [good, good, State::Killed, State::Running];
            lab.until("the second revert's run goes", both, LIMIT)
                .await?;
        }
        lab.applier.hold(false);
        for id in &ids {
            lab.ended(id, "RolledBack", LIMIT).await?;
        }

        let commits = lab.commits();
        ensure!(commits.len() == 4, "{commits:#?}");
        let tree = |rev: String| {
            let revision = format!("{rev}^{{tree}}");
            testkit::git::git(&lab.git.bare_path(), ["rev-parse", &revision], b"")
        };
        let (oldest, newest) = (&commits[0], commits.last().context("four")?);
        assert_eq!(
            tree(newest.sha.clone())?,
            tree(format!("{}~1", oldest.sha))?
        );
        if turns {
            assert_eq!(states(lab), [good; 4], "no run replaced another");
        }
        for ((service, _, version, _), id) in TWO.iter().zip(&ids) {
            let trailer = format!("Bowline-Reverts: {id}/1");
            let mut reverts = commits.iter().filter(|one| one.message.contains(&trailer));
            let revert = reverts.next().context("no revert")?;
            ensure!(reverts.next().is_none(), "reverted twice: {commits:#?}");
            assert_eq!(lab.changes(&revert.sha)?.0.len(), 1);
            assert_eq!(lab.live(service).as_deref(), Some(*version));
            lab.said(&[service, "starting", id], LIMIT).await?;
            lab.said(&[service, "rolling back", id], LIMIT).await?;
            lab.said(&[service, "rolled back", version, id], LIMIT)
                .await?;
        }
        // Two of them so soon after each other stop what would come next.
        lab.said(&["CRITICAL", "had to be undone", "resume --all"], LIMIT)
            .await?;
        Ok(())
    })
    .await;
}
