//! What has to be true at the end, judged by git, the stub cluster and the stub Slack.

use anyhow::{Result, bail, ensure};
use testkit::git::LogEntry;
use testkit::lab::{Lab, Stack};

use super::{ANNOUNCED, Answers, WINDOW};

/// One expectation and what is wrong with it, if anything.
pub(super) struct Verdict {
    pub(super) expected: &'static str,
    pub(super) fault: Option<String>,
}

type Check = fn(&Lab, &Answers) -> Result<()>;

const EXPECTATIONS: [(&str, Check); 9] = [
    (
        "a SAFE patch (phpipam) is one commit, backed up, and live",
        patch,
    ),
    (
        "a CAUTION upgrade with a database (linkwarden) goes through four releases, one commit each",
        steps,
    ),
    (
        "each commit of a service with a database names a backup Job that the cluster ran",
        backups,
    ),
    (
        "a version whose pods crash (dawarich 1.0.0) is reverted; the last good one is live",
        rollback,
    ),
    ("a duplicate in another body shape opens nothing", duplicate),
    ("a database image is skipped by its pattern", skipped),
    (
        "the sixth (paperless-ngx) is pushed only after the window reopened",
        held,
    ),
    (
        "no commit touches another service's lines; nothing else was pushed",
        no_foreign_line,
    ),
    (
        "Slack was told of each start, success and rollback, with upgrade and fact",
        announced,
    ),
];

pub(super) fn judge(lab: &Lab, answers: &Answers) -> Vec<Verdict> {
    let verdicts = EXPECTATIONS.iter().map(|(expected, check)| Verdict {
        expected,
        fault: check(lab, answers).err().map(|error| format!("{error:#}")),
    });
    verdicts.collect()
}

fn of<'a>(commits: &'a [LogEntry], service: &str) -> Vec<&'a LogEntry> {
    let subject = format!("upgrade: {service} ");
    commits
        .iter()
        .filter(|commit| commit.subject.contains(&subject))
        .collect()
}

fn subjects_are(lab: &Lab, service: &str, expected: &[&str]) -> Result<()> {
    let commits = lab.commits();
    let found: Vec<_> = of(&commits, service)
        .iter()
        .map(|commit| commit.subject.clone())
        .collect();
    ensure!(found == expected, "the commits are {found:#?}");
    Ok(())
}

/// On `main` and in ready pods alike.
fn stands_at(lab: &Lab, service: &str, version: &str) -> Result<()> {
    let (written, live) = (lab.written(service), lab.live(service));
    ensure!(
        written.as_deref() == Some(version),
        "main names {written:?}"
    );
    ensure!(live.as_deref() == Some(version), "{live:?} is live");
    Ok(())
}

fn patch(lab: &Lab, _: &Answers) -> Result<()> {
    subjects_are(lab, "phpipam", &["upgrade: phpipam v1.7.0 -> v1.7.4"])?;
    ensure!(
        of(&lab.commits(), "phpipam")
            .iter()
            .all(|commit| commit.message.contains("Risk: SAFE")),
        "it is not SAFE"
    );
    stands_at(lab, "phpipam", "v1.7.4")
}

fn steps(lab: &Lab, _: &Answers) -> Result<()> {
    subjects_are(
        lab,
        "linkwarden",
        &[
            "upgrade: linkwarden v2.9.1 -> v2.9.2",
            "upgrade: linkwarden v2.9.2 -> v2.9.3",
            "upgrade: linkwarden v2.9.3 -> v2.10.0",
            "upgrade: linkwarden v2.10.0 -> v2.10.1",
        ],
    )?;
    let commits = lab.commits();
    for commit in of(&commits, "linkwarden") {
        ensure!(
            commit.message.contains("Risk: CAUTION"),
            "{} is not CAUTION",
            commit.subject
        );
        ensure!(
            lab.applier.applied().contains(&commit.sha),
            "{} was not applied",
            commit.subject
        );
    }
    stands_at(lab, "linkwarden", "v2.10.1")
}

fn backups(lab: &Lab, _: &Answers) -> Result<()> {
    let jobs = lab.cluster.jobs();
    for commit in lab.commits() {
        let service = commit
            .subject
            .strip_prefix("upgrade: ")
            .and_then(|rest| rest.split(' ').next());
        let Some(stack) = service.and_then(Stack::of) else {
            continue;
        };
        let Some((namespace, ..)) = stack.backup else {
            continue;
        };
        let named = jobs.iter().any(|job| {
            job.namespace == namespace
                && commit
                    .message
                    .contains(&format!("Job {namespace}/{} ", job.name))
        });
        ensure!(named, "{} names none of {jobs:?}", commit.subject);
    }
    ensure!(jobs.len() >= 4, "only {} Jobs were made", jobs.len());
    Ok(())
}

fn rollback(lab: &Lab, _: &Answers) -> Result<()> {
    subjects_are(
        lab,
        "dawarich",
        &[
            "upgrade: dawarich 0.37.1 -> 0.37.2",
            "upgrade: dawarich 0.37.2 -> 1.0.0",
            "Revert \"upgrade: dawarich 0.37.2 -> 1.0.0\"",
        ],
    )?;
    let commits = lab.commits();
    let found = of(&commits, "dawarich");
    let [_, failed, revert] = found.as_slice() else {
        bail!("not three commits")
    };
    let words = format!("This reverts commit {}.", failed.sha);
    ensure!(
        revert.message.contains(&words),
        "the revert says {}",
        revert.message
    );
    let before = lab
        .git
        .show(&format!("{}~1", failed.sha), "stacks/dawarich/main.tf");
    let after = lab.git.show(&revert.sha, "stacks/dawarich/main.tf");
    ensure!(
        before.is_some() && before == after,
        "the file is not what it was before"
    );
    stands_at(lab, "dawarich", "0.37.2")
}

fn duplicate(lab: &Lab, answers: &Answers) -> Result<()> {
    let answered = &answers.duplicate;
    ensure!(
        answered.decision() == "duplicate",
        "the webhook answered {answered:?}"
    );
    ensure!(
        answered.id() == answers.first,
        "it named another upgrade: {answered:?}"
    );
    ensure!(
        of(&lab.commits(), "phpipam").len() == 1,
        "phpipam was pushed twice"
    );
    Ok(())
}

fn skipped(lab: &Lab, answers: &Answers) -> Result<()> {
    let answered = &answers.skipped;
    ensure!(
        answered.decision() == "skipped" && answered.reason().contains("*postgres*"),
        "the webhook answered {answered:?}"
    );
    let seed = lab
        .commits()
        .first()
        .map(|commit| format!("{}~1", commit.sha))
        .unwrap_or_default();
    let same = |path: &str| lab.git.show(&seed, path) == lab.git.show("main", path);
    ensure!(
        same("stacks/dbaas/main.tf"),
        "the databases' stack was changed"
    );
    Ok(())
}

fn held(lab: &Lab, _: &Answers) -> Result<()> {
    subjects_are(
        lab,
        "paperless-ngx",
        &["upgrade: paperless-ngx 2.16.4 -> 2.17.0"],
    )?;
    let commits = lab.commits();
    let time = |commit: &LogEntry| -> Result<u64> {
        let folder = lab.git.bare_path();
        let time = testkit::git::git(&folder, ["log", "-1", "--format=%ct", &commit.sha], b"")?;
        Ok(String::from_utf8(time)?.trim().parse()?)
    };
    let (Some(first), Some(sixth)) = (
        commits.first(),
        of(&commits, "paperless-ngx").first().copied(),
    ) else {
        bail!("a commit is missing");
    };
    // The window opened with the first admission, some seconds before its commit.
    let waited = time(sixth)?.saturating_sub(time(first)?);
    ensure!(
        waited + 8 >= WINDOW.as_secs(),
        "it came {waited} s after the first commit"
    );
    for (service, ..) in ANNOUNCED.iter().take(5) {
        let own = of(&commits, service);
        ensure!(
            own.first()
                .is_some_and(|own| time(own).ok() <= time(sixth).ok()),
            "{service} came later"
        );
    }
    stands_at(lab, "paperless-ngx", "2.17.0")
}

fn no_foreign_line(lab: &Lab, _: &Answers) -> Result<()> {
    let commits = lab.commits();
    let mut known = 0;
    for (service, ..) in ANNOUNCED {
        let Some(stack) = Stack::of(service) else {
            bail!("no stack {service}")
        };
        for commit in of(&commits, service) {
            known += 1;
            let (paths, lines) = lab.changes(&commit.sha)?;
            ensure!(
                paths == [stack.path()],
                "{} touches {paths:?}",
                commit.subject
            );
            ensure!(lines.len() == 2, "{} changes {lines:#?}", commit.subject);
        }
    }
    ensure!(
        known == commits.len(),
        "{} commits are of nobody",
        commits.len() - known
    );
    Ok(())
}

fn announced(lab: &Lab, _: &Answers) -> Result<()> {
    let texts: Vec<String> = lab
        .slack
        .messages()
        .iter()
        .map(|message| message.visible())
        .collect();
    for (service, ..) in ANNOUNCED {
        let end = if service == "dawarich" {
            "rolled back"
        } else {
            "done"
        };
        for word in ["starting", end] {
            let told = texts.iter().any(|text| {
                text.contains(&format!("*{service}*"))
                    && text.contains(word)
                    && text.contains("` fact ")
            });
            ensure!(told, "nobody was told that {service} is {word}");
        }
    }
    Ok(())
}
