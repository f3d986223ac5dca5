//! The log that the services share, and the one loop that carries an upgrade on.
//!
//! **Invariant:** only this crate sees async-nats, and only [`Log::append`] writes facts: every
//! append names the last sequence that its author has read, so that of two writers one loses.
//!
//! One append is the state change, the audit record and the next owner's work. [`run_owner`] takes
//! each delivered fact, reads the upgrade's whole log, lets a [`Work`] carry out the command that
//! [`job`] derives from it, appends the answer, and only then acknowledges. Everything may be
//! delivered twice, at any time.

mod log;

mod error;
mod history;
mod settings;
mod subject;

mod append;
mod records;
mod store;

mod jetstream;

mod memory;

mod fault;
pub mod metrics;
pub mod trace;

mod hands;
mod suspects;
mod work;

pub mod circuit;
mod claims;
mod controls;
mod flight;
mod lock;
mod trouble;
mod window;

pub use circuit::CircuitSettings;
pub use claims::{Class, Taken, holder, queue, release, step_down, take, take_over};
pub use controls::{
    Limits, Pause, Scope, forget_limits, limits, pause, paused, pauses, resume, set_limits,
};
pub use error::{AppendError, PutError, Unavailable};
pub use flight::board;
pub use history::{Entry, History};
pub use jetstream::{ANNOUNCER, JetStream};
pub use lock::Lease;
pub use log::{Backlog, Bucket, Delivery, Follow, Followed, Handle, Inbox, Log};
pub use memory::{Faults, Memory, Rates, VirtualClock};
pub use settings::{Clock, Settings, SystemClock};
pub use trouble::{Trouble, trouble};
pub use window::{Admission, Window, WindowSettings, admit, reopen, window};
pub use work::{Outcome, Work, WorkError, run_owner};

#[cfg(test)]
mod tests;
