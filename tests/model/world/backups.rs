//! The backup Jobs of one `CronJob`.

use async_trait::async_trait;
use executor::{Backups, CreateError, JobPhase, JobReport, NewJob, PortError, RunningJob};
use job::BackupTarget;

use super::World;
use crate::ops::{BackupScript, Outside};

/// How long the pod of a deleted Job goes on: the usual grace of a pod.
const GRACE_MS: i64 = 30_000;

/// A Job, and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Dump {
    pub(crate) name: String,
    pub(crate) started_ms: i64,
    script: BackupScript,
    /// It was deleted then, before it was through; its pod still has to end.
    deleted_ms: Option<i64>,
    /// Nobody can see it any more since then.
    gone_ms: Option<i64>,
}

impl Dump {
    fn phase(&self, now_ms: i64) -> JobPhase {
        let over = |seconds: u64| {
            now_ms >= self.started_ms + i64::try_from(seconds).expect("small") * 1_000
        };
        match self.script {
            BackupScript::Succeeds(seconds) if over(seconds) => JobPhase::Complete,
            BackupScript::AnswerLost if over(30) => JobPhase::Complete,
            BackupScript::Fails(seconds) if over(seconds) => {
                JobPhase::Failed("BackoffLimitExceeded".to_owned())
            }
            _ => match self.deleted_ms {
                Some(since_ms) => JobPhase::Ending { since_ms },
                None => JobPhase::Running,
            },
        }
    }

    /// Whether one of ours made it.
    pub(crate) fn ours(&self) -> bool {
        self.name.starts_with("bowline-")
    }

    /// When it was through, or its pod had ended.
    pub(crate) fn ended_ms(&self) -> i64 {
        let seconds = match self.script {
            BackupScript::Succeeds(seconds) | BackupScript::Fails(seconds) => Some(seconds),
            BackupScript::AnswerLost => Some(30),
            BackupScript::Vanishes | BackupScript::Hangs | BackupScript::Refused => None,
        };
        let through =
            seconds.map(|seconds| self.started_ms + i64::try_from(seconds).expect("small") * 1_000);
        [through, self.gone_ms]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Whether it was whole then; what was taken away in the middle never is.
    pub(crate) fn complete(&self, at_ms: i64) -> bool {
        let at_ms = self.gone_ms.map_or(at_ms, |gone_ms| at_ms.min(gone_ms));
        self.phase(at_ms) == JobPhase::Complete
    }

    fn report(&self, now_ms: i64) -> RunningJob {
        RunningJob {
            name: self.name.clone(),
            started_ms: self.started_ms,
            phase: self.phase(now_ms),
        }
    }
}

impl World {
    fn new_dump(&self, name: &str, script: BackupScript) {
        let started_ms = self.now_ms();
        self.tell(format!("Job {name}: {script:?}"));
        self.things().dumps.push(Dump {
            name: name.to_owned(),
            started_ms,
            script,
            deleted_ms: None,
            gone_ms: None,
        });
    }

    /// The `CronJob` runs by its schedule.
    pub(crate) fn scheduled(&self) {
        let count = self.things().dumps.len();
        self.new_dump(&format!("by-schedule-{count}"), BackupScript::Succeeds(40));
    }

    fn seen(&self, now_ms: i64) -> Vec<Dump> {
        let mut things = self.things();
        for dump in &mut things.dumps {
            let vanishes_ms = dump.started_ms + 10_000;
            if dump.script == BackupScript::Vanishes && now_ms > vanishes_ms {
                dump.gone_ms = Some(vanishes_ms);
            }
            if let Some(deleted_ms) = dump.deleted_ms {
                let ended_ms = dump.ended_ms().min(deleted_ms + GRACE_MS);
                if now_ms >= ended_ms {
                    dump.gone_ms.get_or_insert_with(|| ended_ms.max(deleted_ms));
                }
            }
        }
        let there = things.dumps.iter().filter(|dump| dump.gone_ms.is_none());
        there.cloned().collect()
    }
}

#[async_trait]
impl Backups for World {
    async fn jobs(&self, _target: &BackupTarget) -> Result<Vec<RunningJob>, PortError> {
        self.call(Outside::Jobs).await.map_err(PortError::new)?;
        let now_ms = self.now_ms();
        Ok(self
            .seen(now_ms)
            .iter()
            .map(|dump| dump.report(now_ms))
            .collect())
    }

    async fn job(
        &self,
        _target: &BackupTarget,
        name: &str,
        _upgrade: &str,
    ) -> Result<JobReport, PortError> {
        self.call(Outside::Jobs).await.map_err(PortError::new)?;
        let now_ms = self.now_ms();
        let found = self.seen(now_ms).into_iter().find(|dump| dump.name == name);
        Ok(found.map_or(JobReport::Absent, |dump| {
            JobReport::Found(dump.report(now_ms))
        }))
    }

    async fn create(&self, _target: &BackupTarget, job: &NewJob) -> Result<(), CreateError> {
        self.call(Outside::Jobs).await.map_err(PortError::new)?;
        let now_ms = self.now_ms();
        if self.seen(now_ms).iter().any(|dump| dump.name == job.name) {
            return Ok(());
        }
        let script = self.things().backup_scripts.pop_front();
        let script = script.unwrap_or(BackupScript::Succeeds(30));
        if script == BackupScript::Refused {
            return Err(CreateError::Lasting("there is no CronJob".to_owned()));
        }
        self.new_dump(&job.name, script);
        if script == BackupScript::AnswerLost {
            return Err(PortError::new("no answer to the creation").into());
        }
        self.call(Outside::Jobs).await.map_err(PortError::new)?;
        Ok(())
    }

    async fn delete(
        &self,
        _target: &BackupTarget,
        name: &str,
        _upgrade: &str,
    ) -> Result<(), PortError> {
        self.call(Outside::Jobs).await.map_err(PortError::new)?;
        let now_ms = self.now_ms();
        let mut things = self.things();
        let there = things
            .dumps
            .iter_mut()
            .filter(|dump| dump.gone_ms.is_none());
        for dump in there.filter(|dump| dump.name == name) {
            dump.deleted_ms.get_or_insert(now_ms);
        }
        Ok(())
    }
}
