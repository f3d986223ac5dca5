//! A dump before every step of a service that has a database.

use std::time::Duration;

use bus::{Class, History, Outcome, Taken};
use job::{BackupTarget, Body, Claim, Plan, State, Transience};

use crate::ports::{CreateError, JobPhase, JobReport, NewJob, PortError, RunningJob};
use crate::work::{Executor, aborted, cancelled};

/// How long a finished Job of ours stays readable: its outcome must outlive a long absence.
pub(crate) const TTL_SECONDS: i32 = 3_600;

/// After this long without the Job we no longer know whether it ran: it may have run and expired.
const FORGOTTEN: Duration = Duration::from_secs(1_800);

/// A pod that has not ended this long after its Job was deleted does not end by itself.
const HANGS: Duration = Duration::from_secs(1_800);

/// What to do about the dumps that the `CronJob` has made so far.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    /// This dump began after our step did; it holds everything that we could lose.
    Share { job: String, dump_started_ms: i64 },
    /// Somebody else's dump runs, or one began so recently that its file would be overwritten.
    Wait(Duration),
    /// Make our own.
    Create,
}

/// Decides from the Jobs that are there.
fn choose(
    jobs: &[RunningJob],
    step_began_ms: i64,
    now_ms: i64,
    spacing: Duration,
    poll: Duration,
) -> Choice {
    let shared = jobs
        .iter()
        .filter(|job| job.phase == JobPhase::Complete && job.started_ms > step_began_ms)
        .max_by_key(|job| job.started_ms);
    if let Some(job) = shared {
        return Choice::Share {
            job: job.name.clone(),
            dump_started_ms: job.started_ms,
        };
    }
    let dumps = |job: &RunningJob| matches!(job.phase, JobPhase::Running | JobPhase::Ending { .. });
    if jobs.iter().any(dumps) {
        return Choice::Wait(poll);
    }
    let newest = jobs.iter().map(|job| job.started_ms).max();
    match newest.and_then(|newest| until_next(newest, now_ms, spacing)) {
        Some(wait) => Choice::Wait(wait),
        None => Choice::Create,
    }
}

/// How long no other dump may begin yet after one that began then.
fn until_next(started_ms: i64, now_ms: i64, spacing: Duration) -> Option<Duration> {
    let free_at = started_ms.saturating_add(millis(spacing));
    let wait = u64::try_from(free_at.saturating_sub(now_ms)).ok()?;
    (wait > 0).then(|| Duration::from_millis(wait))
}

/// The Job's name: at most 63 characters, the same whenever this backup is tried again, and never
/// that of an older dump, also after a new plan has begun the step anew.
fn job_name(history: &History, attempt: u32) -> String {
    let State {
        id, step, replans, ..
    } = &history.state;
    match replans {
        0 => format!("bowline-{id}-{step}-{attempt}"),
        _ => format!("bowline-{id}-plan{}-{step}-{attempt}", replans + 1),
    }
}

impl Executor {
    /// Takes the backup target, and then shares a dump or states the intent to make one.
    pub(crate) async fn begin_backup(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        let target = target(plan)?;
        if let Some(claim) = Claim::backup(&history.state)
            && let Taken::Waiting { retry, .. } =
                bus::take(self.log.as_ref(), &claim, history, Class::Forward).await?
        {
            return Ok(Outcome::Wait(retry));
        }
        let jobs = self.backups.jobs(target).await?;
        let choice = choose(
            &jobs,
            history.state.step_began_ms,
            self.log.now_ms(),
            self.config.backup_spacing,
            self.config.backup_poll,
        );
        Ok(match choice {
            Choice::Share {
                job,
                dump_started_ms,
            } => Outcome::Append(Body::BackedUp {
                job,
                dump_started_ms,
                shared: true,
            }),
            Choice::Wait(wait) => Outcome::Wait(wait),
            Choice::Create => {
                let attempt = history
                    .state
                    .backup
                    .as_ref()
                    .map_or(1, |backup| backup.attempt + 1);
                Outcome::Append(Body::BackingUp {
                    attempt,
                    job: job_name(history, attempt),
                    keeps_turn: false,
                })
            }
        })
    }

    /// Makes or adopts the Job, and waits for its end. A failed backup aborts the upgrade.
    pub(crate) async fn finish_backup(
        &self,
        history: &History,
        plan: &Plan,
    ) -> Result<Outcome, PortError> {
        let target = target(plan)?;
        let Some(backup) = &history.state.backup else {
            return Err(PortError::new("the log names no backup Job"));
        };
        let place = format!("backup Job {}/{}", target.namespace, backup.job);
        let waited_ms = self.log.now_ms().saturating_sub(history.state.since_ms);
        let limit = plan.limits.backup_seconds;
        let late = waited_ms > i64::from(limit).saturating_mul(1_000);
        match self
            .backups
            .job(target, &backup.job, history.id.as_str())
            .await?
        {
            JobReport::Foreign => Ok(aborted(
                history,
                format!("{place} exists and is not ours; delete or rename it"),
                Transience::Lasting,
            )),
            // Also what was deleted below, and is gone by now.
            JobReport::Absent if late => Ok(aborted(
                history,
                format!("{place} was not seen to finish within {limit} s; nothing was changed"),
                Transience::Transient,
            )),
            JobReport::Absent if waited_ms > millis(FORGOTTEN) => Ok(aborted(
                history,
                format!("{place} is not there, and nobody saw whether it ran"),
                Transience::Transient,
            )),
            JobReport::Absent => {
                if let Some(wait) = self.wait_for_dumps(history, target).await? {
                    return Ok(wait);
                }
                let job = NewJob {
                    name: backup.job.clone(),
                    upgrade: history.id.to_string(),
                    deadline_seconds: plan.limits.backup_seconds,
                };
                match self.backups.create(target, &job).await {
                    Ok(()) => Ok(Outcome::Wait(self.config.backup_poll)),
                    Err(CreateError::Lasting(why)) => Ok(aborted(
                        history,
                        format!("{place} could not be created: {why}"),
                        Transience::Lasting,
                    )),
                    Err(CreateError::Port(error)) => Err(error),
                }
            }
            JobReport::Found(found) => match found.phase {
                JobPhase::Complete => Ok(Outcome::Append(Body::BackedUp {
                    job: found.name,
                    dump_started_ms: found.started_ms,
                    shared: false,
                })),
                JobPhase::Failed(why) => Ok(aborted(
                    history,
                    format!("{place} failed: {why}; nothing was changed"),
                    Transience::Lasting,
                )),
                JobPhase::Running if late => self.end_dump(history, target, &found).await,
                JobPhase::Ending { since_ms } if self.hangs(since_ms) => Ok(aborted(
                    history,
                    format!(
                        "{place} was deleted and its pod does not end, so no other dump can begin; \
                         see what keeps the pod, then `bowline retry {}`",
                        history.id
                    ),
                    Transience::Lasting,
                )),
                JobPhase::Running | JobPhase::Ending { .. } => {
                    Ok(Outcome::Wait(self.config.backup_poll))
                }
            },
        }
    }

    /// A person cancelled while the backup was due: answered when nothing dumps any more.
    pub(crate) async fn cancel_backup(
        &self,
        history: &History,
        target: &BackupTarget,
        name: &str,
    ) -> Result<Outcome, PortError> {
        let report = self.backups.job(target, name, history.id.as_str()).await?;
        let JobReport::Found(found) = report else {
            return Ok(cancelled(history));
        };
        match found.phase {
            JobPhase::Complete | JobPhase::Failed(_) => Ok(cancelled(history)),
            JobPhase::Running => self.end_dump(history, target, &found).await,
            // It stays listed, so that the others go on waiting for it.
            JobPhase::Ending { since_ms } if self.hangs(since_ms) => Ok(cancelled(history)),
            JobPhase::Ending { .. } => Ok(Outcome::Wait(self.config.backup_poll)),
        }
    }

    /// Deletes the Job of a dump that nobody wants any more, and waits until it is gone.
    ///
    /// All that tells the others that a dump runs, and when it began, is its Job. So it is not
    /// deleted before the next one may begin; it may end by itself meanwhile.
    async fn end_dump(
        &self,
        history: &History,
        target: &BackupTarget,
        job: &RunningJob,
    ) -> Result<Outcome, PortError> {
        let (now_ms, config) = (self.log.now_ms(), &self.config);
        if let Some(wait) = until_next(job.started_ms, now_ms, config.backup_spacing) {
            return Ok(Outcome::Wait(wait.min(config.backup_poll)));
        }
        self.backups
            .delete(target, &job.name, history.id.as_str())
            .await?;
        Ok(Outcome::Wait(config.backup_poll))
    }

    fn hangs(&self, deleted_ms: i64) -> bool {
        self.log.now_ms().saturating_sub(deleted_ms) > millis(HANGS)
    }

    /// The wait before a Job may be made. A backup that is renewed under the CI turn has not asked
    /// for its target yet; the others have it, and a schedule may have begun a dump since.
    async fn wait_for_dumps(
        &self,
        history: &History,
        target: &BackupTarget,
    ) -> Result<Option<Outcome>, PortError> {
        if let Some(claim) = Claim::backup(&history.state)
            && let Taken::Waiting { retry, .. } =
                bus::take(self.log.as_ref(), &claim, history, Class::Forward).await?
        {
            return Ok(Some(Outcome::Wait(retry)));
        }
        let jobs = self.backups.jobs(target).await?;
        let (now_ms, config) = (self.log.now_ms(), &self.config);
        Ok(
            match choose(
                &jobs,
                now_ms,
                now_ms,
                config.backup_spacing,
                config.backup_poll,
            ) {
                Choice::Wait(wait) => Some(Outcome::Wait(wait)),
                Choice::Share { .. } | Choice::Create => None,
            },
        )
    }

    /// The intent to renew a backup that grew too old while its upgrade waited for the turn.
    pub(crate) fn renewed_backup(&self, history: &History, plan: &Plan) -> Option<Outcome> {
        plan.backup.as_ref()?;
        // One that was renewed under the turn is as fresh as it gets.
        let backup = history
            .state
            .backup
            .as_ref()
            .filter(|backup| !backup.keeps_turn)?;
        let age_ms = self.log.now_ms().saturating_sub(backup.dump_started_ms?);
        if age_ms <= i64::from(plan.limits.backup_max_age_seconds).saturating_mul(1_000) {
            return None;
        }
        let attempt = backup.attempt + 1;
        Some(Outcome::Append(Body::BackingUp {
            attempt,
            job: job_name(history, attempt),
            keeps_turn: true,
        }))
    }
}

fn target(plan: &Plan) -> Result<&BackupTarget, PortError> {
    plan.backup
        .as_ref()
        .ok_or_else(|| PortError::new("the plan names no backup"))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, started_ms: i64, phase: JobPhase) -> RunningJob {
        RunningJob {
            name: name.to_owned(),
            started_ms,
            phase,
        }
    }

    fn check(jobs: &[RunningJob], expected: &Choice) {
        let spacing = Duration::from_secs(60);
        let poll = Duration::from_secs(5);
        assert_eq!(&choose(jobs, 100_000, 200_000, spacing, poll), expected);
    }

    #[test]
    fn without_any_dump_one_is_made() {
        check(&[], &Choice::Create);
    }

    #[test]
    fn a_dump_that_began_before_the_step_does_not_count() {
        check(&[job("old", 100_000, JobPhase::Complete)], &Choice::Create);
    }

    #[test]
    fn a_dump_that_began_within_the_step_is_shared() {
        check(
            &[job("a", 100_001, JobPhase::Complete)],
            &Choice::Share {
                job: "a".to_owned(),
                dump_started_ms: 100_001,
            },
        );
    }

    #[test]
    fn a_failed_dump_is_never_shared() {
        check(
            &[job("a", 120_000, JobPhase::Failed("x".to_owned()))],
            &Choice::Create,
        );
    }

    #[test]
    fn a_running_dump_is_waited_for() {
        check(
            &[job("a", 199_000, JobPhase::Running)],
            &Choice::Wait(Duration::from_secs(5)),
        );
    }

    #[test]
    fn a_deleted_dump_is_waited_for_until_its_pods_are_gone() {
        check(
            &[job("a", 110_000, JobPhase::Ending { since_ms: 190_000 })],
            &Choice::Wait(Duration::from_secs(5)),
        );
    }

    #[test]
    fn two_dumps_do_not_begin_in_the_same_minute() {
        check(
            &[job("a", 180_000, JobPhase::Failed("x".to_owned()))],
            &Choice::Wait(Duration::from_secs(40)),
        );
    }
}
