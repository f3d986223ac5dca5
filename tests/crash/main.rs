//! `kill -9` of real processes at the worst moments: the end state is the same as without, with one
//! commit, one Job, and every announcement.

mod cancelled;
mod long;
mod matrix;
mod poison;
mod scenarios;
mod stopping;

use std::time::Duration;

use anyhow::ensure;
use bowline_tests::{LIMIT, in_lab, stop_in_window};
use testkit::lab::{Lab, Options, View};

/// The repository's lock of a killed executor has to expire first.
const AFTER_LOCK: Duration = Duration::from_secs(90);
const PHPIPAM: (&str, &str) = ("phpipam/phpipam-www", "v1.7.4");

/// Short windows, and what is lost with a process comes again soon.
fn quick() -> Options {
    let second = Duration::from_secs(1);
    Options {
        windows: (second, second, second),
        ack_wait: second,
        ..Options::default()
    }
}

/// The end state of an undisturbed upgrade of phpipam.
async fn as_if_nothing_had_happened(lab: &Lab, id: &str) -> anyhow::Result<()> {
    let commits = lab.commits();
    ensure!(commits.len() == 1, "{commits:#?}");
    assert_eq!(commits[0].subject, "upgrade: phpipam v1.7.0 -> v1.7.4");
    assert!(commits[0].message.contains(&format!("Upgrade-Id: {id}/1")));
    let (paths, lines) = lab.changes(&commits[0].sha)?;
    assert_eq!(paths, ["stacks/phpipam/main.tf"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lab.cluster.jobs().len(), 1, "{:?}", lab.cluster.jobs());
    assert_eq!(lab.applier.applied(), [commits[0].sha.clone()]);
    assert_eq!(lab.live("phpipam").as_deref(), Some("v1.7.4"));
    lab.said(&["phpipam", "starting", id, "fact 4"], LIMIT)
        .await?;
    lab.said(&["phpipam", "done", id, "fact "], LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_killed_between_push_and_pushed_adopts_its_commit() {
    in_lab(Options::default(), async |lab| {
        // The push lands, and its answer does not come until the file is there.
        let gate = lab.folder().join("gate");
        let hook = format!(
            "#!/bin/sh\nwhile [ ! -e '{}' ]; do sleep 0.05; done\n",
            gate.display()
        );
        lab.git.set_hook("post-receive", &hook);
        let id = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
        lab.until("the push lands", || lab.commits().len() == 1, LIMIT)
            .await?;
        let pushing = |view: &View| view.phase == "Pushing";
        lab.wait(&id, "has no answer to its push", pushing, LIMIT)
            .await?;

        lab.kill9("executor")?;
        lab.git.remove_hook("post-receive");
        std::fs::write(&gate, "")?;
        lab.spawn("executor")?;
        lab.ended(&id, "Succeeded", AFTER_LOCK).await?;
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_loses_its_mirror_in_the_middle_of_a_push_pushes_once() {
    // Whether the push that it was killed in landed or not.
    for (hook, end) in [("post-receive", "exit 0"), ("pre-receive", "exit 1")] {
        in_lab(Options::default(), async |lab| {
            let (met, gate) = (lab.folder().join("met"), lab.folder().join("gate"));
            let script = format!(
                "#!/bin/sh\ntouch '{}'\nwhile [ ! -e '{}' ]; do sleep 0.05; done\n{end}\n",
                met.display(),
                gate.display()
            );
            lab.git.set_hook(hook, &script);
            let id = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
            lab.until("the push comes", || met.exists(), LIMIT).await?;
            lab.kill9("executor")?;
            lab.git.remove_hook(hook);
            std::fs::write(&gate, "")?;
            std::fs::remove_dir_all(lab.folder().join("data-executor"))?;
            lab.spawn("executor")?;
            lab.ended(&id, "Succeeded", AFTER_LOCK).await?;
            as_if_nothing_had_happened(lab, &id).await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_killed_during_the_backup_adopts_its_job() {
    in_lab(Options::default(), async |lab| {
        // It looks once after it has made the Job, and dies.
        lab.cluster.job_delay(Duration::from_secs(1));
        lab.arm("FinishBackup.carried")?;
        let id = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
        lab.killed_by("FinishBackup.carried", LIMIT).await?;
        ensure!(lab.cluster.jobs().len() == 1, "{:?}", lab.cluster.jobs());
        let backing_up = |view: &View| view.phase == "BackingUp";
        lab.wait(&id, "is backed up", backing_up, LIMIT).await?;
        lab.revive()?;
        lab.ended(&id, "Succeeded", AFTER_LOCK).await?;
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_killed_inside_the_window_goes_on_with_it() {
    in_lab(Options::default(), async |lab| {
        let id = lab.upgrade(PHPIPAM.0, PHPIPAM.1).await?;
        stop_in_window(lab, &id).await?;
        lab.kill9("verifier")?;
        lab.spawn("verifier")?;
        lab.ended(&id, "Succeeded", LIMIT).await?;
        as_if_nothing_had_happened(lab, &id).await
    })
    .await;
}
