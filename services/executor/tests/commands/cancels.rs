//! A person's cancel is answered before the normal command, wherever the executor is.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bus::{Class, Log, Memory, Outcome, Taken, Work as _};
use executor::{
    Backups, CreateError, JobReport, Landed, NewJob, PortError, Refound, Repository, RunningJob,
};
use job::{BackupTarget, Baseline, Body, Claim, Command, Phase, Site};

use crate::common;

/// A repository and a cluster where everything would succeed, and what was done to them.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<Vec<&'static str>>>);

impl Outside {
    fn note(&self, what: &'static str) {
        self.0.lock().expect("whole").push(what);
    }
}

#[async_trait]
impl Repository for Outside {
    async fn fetch(&self) -> Result<String, PortError> {
        Ok("b".repeat(40))
    }
    async fn refind(&self, _: &str, _: &[Site]) -> Result<Refound, PortError> {
        Ok(Refound::Ready)
    }
    async fn at_or_beyond(&self, _: &str, _: &[Site]) -> Result<bool, PortError> {
        Ok(false)
    }
    async fn build(&self, _: &str, _: &[Site], _: &str, _: i64) -> Result<String, PortError> {
        self.note("built");
        Ok("c".repeat(40))
    }
    async fn push(&self, _: &str, _: &str) -> Result<Landed, PortError> {
        self.note("pushed");
        Ok(Landed::Yes)
    }
    async fn find_trailer(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: &str,
    ) -> Result<Option<String>, PortError> {
        Ok(None)
    }
    async fn subject(&self, _: &str) -> Result<String, PortError> {
        Ok(String::new())
    }
}

#[async_trait]
impl Backups for Outside {
    async fn jobs(&self, _: &BackupTarget) -> Result<Vec<RunningJob>, PortError> {
        Ok(Vec::new())
    }
    async fn job(&self, _: &BackupTarget, _: &str, _: &str) -> Result<JobReport, PortError> {
        Ok(JobReport::Absent)
    }
    async fn create(&self, _: &BackupTarget, _: &NewJob) -> Result<(), CreateError> {
        self.note("backed up");
        Ok(())
    }
    async fn delete(&self, _: &BackupTarget, _: &str, _: &str) -> Result<(), PortError> {
        self.note("deleted a Job");
        Ok(())
    }
}

/// The facts that lead to this phase, on a way of two steps with a backup before each.
fn way(to: Phase) -> Vec<Body> {
    let (base, commit) = ("b".repeat(40), "c".repeat(40));
    let mut plan = common::plan("1.0.0", &["1.0.1", "1.0.2"]);
    plan.backup = Some(common::target());
    plan.policy.approval = to == Phase::Approved;
    let planned = vec![Body::Admitted, Body::Planned(plan)];
    let backing_up = Body::BackingUp {
        attempt: 1,
        job: "dump".to_owned(),
        keeps_turn: false,
    };
    let backed_up = Body::BackedUp {
        job: "dump".to_owned(),
        dump_started_ms: 1,
        shared: false,
    };
    let baselined = || vec![Body::Ready, Body::Baselined(Baseline::default())];
    let backup = vec![Body::Started, backing_up.clone(), backed_up];
    let more = match to {
        Phase::Planned => vec![],
        Phase::Approved => vec![vec![Body::Approved {
            by: "bob".to_owned(),
        }]],
        Phase::Started => vec![vec![Body::Started]],
        Phase::BackingUp => vec![vec![Body::Started, backing_up]],
        Phase::BackedUp => vec![backup],
        Phase::SteppedBack => vec![
            backup,
            vec![Body::Ready, Body::SteppedBack("paused".to_owned())],
        ],
        Phase::Baselined => vec![backup, baselined()],
        Phase::Verified => vec![
            backup,
            baselined(),
            vec![
                Body::Pushing {
                    base,
                    commit_at: 1,
                    commit: commit.clone(),
                },
                Body::Pushed { commit },
                Body::CiAbsent,
                Body::Applied {
                    images: std::collections::BTreeMap::new(),
                },
                Body::Verified {
                    report: String::new(),
                },
            ],
        ],
        other => unreachable!("{other:?} is not the executor's"),
    };
    planned
        .into_iter()
        .chain(more.into_iter().flatten())
        .collect()
}

#[tokio::test]
async fn a_cancel_is_answered_before_anything_is_backed_up_or_pushed() {
    for (phase, normal, live) in [
        (Phase::Planned, Command::TakeSlots, "1.0.0"),
        (Phase::Approved, Command::TakeSlots, "1.0.0"),
        (Phase::Started, Command::BeginBackup, "1.0.0"),
        (Phase::BackingUp, Command::FinishBackup, "1.0.0"),
        (Phase::BackedUp, Command::TakeTurn, "1.0.0"),
        (Phase::SteppedBack, Command::TakeTurn, "1.0.0"),
        (Phase::Baselined, Command::BuildCommit, "1.0.0"),
        (Phase::Verified, Command::BeginBackup, "1.0.1"),
    ] {
        let log: Arc<dyn Log> = Arc::new(Memory::new(bus::Settings::new("test"), 1));
        let outside = Outside::default();
        let executor = common::executor_with(&log, outside.clone(), Arc::new(outside.clone()));
        let history = common::upgrade(&log, "1.0.2", way(phase)).await;
        let state = &history.state;
        assert_eq!((state.phase, state.command()), (phase, Some(normal)));
        let claims = [
            Claim::slot(state),
            Claim::backup(state),
            Some(Claim::turn(state)),
        ];
        let needed = claims
            .into_iter()
            .flatten()
            .filter(|claim| job::needs(claim, state.step, state));
        let needed: Vec<Claim> = needed.collect();
        for claim in &needed {
            let taken = bus::take(log.as_ref(), claim, &history, Class::Forward).await;
            assert_eq!(taken.expect("a record"), Taken::Held);
        }

        let by = "alice".to_owned();
        let history = common::append(&log, &history, Body::CancelRequested { by }).await;
        let command = history.state.command().expect("somebody acts");
        // Also when the answer was lost.
        for _ in 0..2 {
            let outcome = executor.carry_out(&history, command).await;
            let Ok(Outcome::Append(Body::Cancelled { at })) = outcome else {
                panic!("{outcome:?} to {command:?} while {phase:?}");
            };
            assert_eq!(at, live, "{phase:?}");
        }
        let at = live.to_owned();
        common::append(&log, &history, Body::Cancelled { at }).await;
        assert!(!needed.is_empty(), "{phase:?}");
        for claim in &needed {
            let holder = bus::holder(log.as_ref(), claim).await.expect("a record");
            assert_eq!(holder, None, "{phase:?}");
        }
        let done = outside.0.lock().expect("whole");
        assert!(done.is_empty(), "{done:?} while {phase:?}");
    }
}
