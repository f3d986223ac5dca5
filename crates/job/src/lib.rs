//! The life of one upgrade: facts, the state they fold to, and who acts next.
//!
//! **Invariant:** this crate decides and never does. It knows no clock (time arrives inside facts),
//! no network and no other crate of ours. [`step`] judges every fact before it is appended and
//! folds every fact that was; [`State::command`] says what the next owner has to do.

mod begin;
mod claim;
mod command;
mod describe;
mod fact;
mod id;
mod owner;
mod plan;
mod request;
mod state;
mod step;

pub use claim::{Claim, fence, in_flight, key, needs};
pub use command::Command;
pub use describe::describe;
pub use fact::{
    Baseline, Body, Cause, CiRun, Fact, MonitorState, SkipReason, TargetBaseline, Transience, Why,
    fact_names,
};
pub use id::{InvalidId, UpgradeId};
pub use owner::Owner;
pub use plan::{
    BackupTarget, Excerpt, Level, Limits, Monitors, Plan, PlanStep, Policy, Risk, Site, Target,
    Windows,
};
pub use request::{Request, Source};
pub use state::{Backup, End, Pending, Phase, Push, State, StepRecord, Stopped};
pub use step::{Illegal, Step, fold, step};

#[cfg(test)]
mod tests;
