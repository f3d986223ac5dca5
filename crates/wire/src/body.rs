use job::Body;
use v1::fact::Body as Wire;

use crate::{DecodeError, enums, v1};

impl From<&Body> for Wire {
    fn from(body: &Body) -> Self {
        match body.clone() {
            Body::Requested(request) => Wire::Requested((&request).into()),
            Body::Held => Wire::Held(v1::Held {}),
            Body::Admitted => Wire::Admitted(v1::Admitted {}),
            Body::Planned(plan) => Wire::Planned(v1::Planned {
                plan: Some((&plan).into()),
            }),
            Body::Approved { by } => Wire::Approved(v1::Approved { by }),
            Body::Started => Wire::Started(v1::Started {}),
            Body::BackingUp {
                attempt,
                job,
                keeps_turn,
            } => Wire::BackingUp(v1::BackingUp {
                attempt,
                job,
                keeps_turn,
            }),
            Body::BackedUp {
                job,
                dump_started_ms,
                shared,
            } => Wire::BackedUp(v1::BackedUp {
                job,
                dump_started_ms,
                shared,
            }),
            Body::Ready => Wire::Ready(v1::Ready {}),
            Body::SteppedBack(why) => Wire::SteppedBack(v1::SteppedBack { why }),
            Body::Baselined(baseline) => Wire::Baselined((&baseline).into()),
            Body::Pushing {
                base,
                commit_at,
                commit,
            } => Wire::Pushing(v1::Pushing {
                base,
                commit_at,
                commit,
            }),
            Body::Pushed { commit } => Wire::Pushed(v1::Pushed { commit }),
            Body::CiPassed(job::CiRun {
                number,
                workflow,
                url,
            }) => Wire::CiPassed(v1::CiPassed {
                number,
                workflow,
                url,
            }),
            Body::CiAbsent => Wire::CiAbsent(v1::CiAbsent {}),
            Body::CiRestarting { number } => Wire::CiRestarting(v1::CiRestarting { number }),
            Body::Applied { images } => Wire::Applied(v1::Applied {
                images: images.into_iter().collect(),
            }),
            Body::HealthySince { since_ms } => Wire::HealthySince(v1::HealthySince { since_ms }),
            Body::FailingSince { since_ms, evidence } => {
                Wire::FailingSince(v1::FailingSince { since_ms, evidence })
            }
            Body::Observed {
                seconds,
                paused,
                why,
            } => Wire::Observed(v1::Observed {
                seconds,
                paused_seconds: paused,
                why,
            }),
            Body::Verified { report } => Wire::Verified(v1::Verified { report }),
            Body::ResourceRaised { what } => Wire::ResourceRaised(v1::ResourceRaised { what }),
            Body::RollbackRequested { cause, evidence } => {
                let cause = v1::Cause::from(cause).into();
                Wire::RollbackRequested(v1::RollbackRequested { cause, evidence })
            }
            Body::Reverting {
                base,
                commit_at,
                commit,
            } => Wire::Reverting(v1::Reverting {
                base,
                commit_at,
                commit,
            }),
            Body::Reverted { commit } => Wire::Reverted(v1::Reverted { commit }),
            Body::Replan(why) => Wire::Replan(v1::Replan { why }),
            Body::Split { children } => Wire::Split(v1::Split { children }),
            Body::CancelRequested { by } => Wire::CancelRequested(v1::CancelRequested { by }),
            Body::RetryRequested { by } => Wire::RetryRequested(v1::RetryRequested { by }),
            Body::Nudged => Wire::Nudged(v1::Nudged {}),
            Body::Tried => Wire::Tried(v1::Tried {}),
            Body::Succeeded { report } => Wire::Succeeded(v1::Succeeded { report }),
            Body::Skipped(reason) => Wire::Skipped((&reason).into()),
            Body::Aborted {
                at,
                why,
                transience,
            } => {
                let transience = v1::Transience::from(transience).into();
                Wire::Aborted(v1::Aborted {
                    at,
                    why,
                    transience,
                })
            }
            Body::RolledBack { to, report } => Wire::RolledBack(v1::RolledBack { to, report }),
            Body::Cancelled { at } => Wire::Cancelled(v1::Cancelled { at }),
            Body::Superseded { by } => Wire::Superseded(v1::Superseded { by }),
            Body::Resolved { to, by } => Wire::Resolved(v1::Resolved { to, by }),
            Body::Stuck(why) => Wire::Stuck(v1::Stuck { why }),
            Body::Parked(why) => Wire::Parked(v1::Parked { why }),
        }
    }
}

impl TryFrom<Wire> for Body {
    type Error = DecodeError;

    fn try_from(body: Wire) -> Result<Self, DecodeError> {
        Ok(match body {
            Wire::Requested(request) => Body::Requested(request.try_into()?),
            Wire::Held(v1::Held {}) => Body::Held,
            Wire::Admitted(v1::Admitted {}) => Body::Admitted,
            Wire::Planned(v1::Planned { plan }) => Body::Planned(
                plan.ok_or(DecodeError::Missing("planned.plan"))?
                    .try_into()?,
            ),
            Wire::Approved(v1::Approved { by }) => Body::Approved { by },
            Wire::Started(v1::Started {}) => Body::Started,
            Wire::BackingUp(v1::BackingUp {
                attempt,
                job,
                keeps_turn,
            }) => Body::BackingUp {
                attempt,
                job,
                keeps_turn,
            },
            Wire::BackedUp(v1::BackedUp {
                job,
                dump_started_ms,
                shared,
            }) => Body::BackedUp {
                job,
                dump_started_ms,
                shared,
            },
            Wire::Ready(v1::Ready {}) => Body::Ready,
            Wire::SteppedBack(v1::SteppedBack { why }) => Body::SteppedBack(why),
            Wire::Baselined(baseline) => Body::Baselined(baseline.try_into()?),
            Wire::Pushing(v1::Pushing {
                base,
                commit_at,
                commit,
            }) => Body::Pushing {
                base,
                commit_at,
                commit,
            },
            Wire::Pushed(v1::Pushed { commit }) => Body::Pushed { commit },
            Wire::CiPassed(v1::CiPassed {
                number,
                workflow,
                url,
            }) => Body::CiPassed(job::CiRun {
                number,
                workflow,
                url,
            }),
            Wire::CiAbsent(v1::CiAbsent {}) => Body::CiAbsent,
            Wire::CiRestarting(v1::CiRestarting { number }) => Body::CiRestarting { number },
            Wire::Applied(v1::Applied { images }) => Body::Applied {
                images: images.into_iter().collect(),
            },
            Wire::HealthySince(v1::HealthySince { since_ms }) => Body::HealthySince { since_ms },
            Wire::FailingSince(v1::FailingSince { since_ms, evidence }) => {
                Body::FailingSince { since_ms, evidence }
            }
            Wire::Observed(v1::Observed {
                seconds,
                paused_seconds,
                why,
            }) => Body::Observed {
                seconds,
                paused: paused_seconds,
                why,
            },
            Wire::Verified(v1::Verified { report }) => Body::Verified { report },
            Wire::ResourceRaised(v1::ResourceRaised { what }) => Body::ResourceRaised { what },
            Wire::RollbackRequested(v1::RollbackRequested { cause, evidence }) => {
                Body::RollbackRequested {
                    cause: enums::cause(cause)?,
                    evidence,
                }
            }
            Wire::Reverting(v1::Reverting {
                base,
                commit_at,
                commit,
            }) => Body::Reverting {
                base,
                commit_at,
                commit,
            },
            Wire::Reverted(v1::Reverted { commit }) => Body::Reverted { commit },
            Wire::Replan(v1::Replan { why }) => Body::Replan(why),
            Wire::Split(v1::Split { children }) => Body::Split { children },
            Wire::CancelRequested(v1::CancelRequested { by }) => Body::CancelRequested { by },
            Wire::RetryRequested(v1::RetryRequested { by }) => Body::RetryRequested { by },
            Wire::Nudged(v1::Nudged {}) => Body::Nudged,
            Wire::Tried(v1::Tried {}) => Body::Tried,
            Wire::Succeeded(v1::Succeeded { report }) => Body::Succeeded { report },
            Wire::Skipped(skipped) => Body::Skipped(skipped.try_into()?),
            Wire::Aborted(v1::Aborted {
                at,
                why,
                transience,
            }) => Body::Aborted {
                at,
                why,
                transience: enums::transience(transience)?,
            },
            Wire::RolledBack(v1::RolledBack { to, report }) => Body::RolledBack { to, report },
            Wire::Cancelled(v1::Cancelled { at }) => Body::Cancelled { at },
            Wire::Superseded(v1::Superseded { by }) => Body::Superseded { by },
            Wire::Resolved(v1::Resolved { to, by }) => Body::Resolved { to, by },
            Wire::Stuck(v1::Stuck { why }) => Body::Stuck(why),
            Wire::Parked(v1::Parked { why }) => Body::Parked(why),
        })
    }
}
