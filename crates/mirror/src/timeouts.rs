//! How long the host may keep us waiting.

use std::sync::OnceLock;
use std::time::Duration;

use crate::error::Error;

/// The network time-outs of libgit2, which has none of its own accord.
///
/// They hold for the whole process: the first [`Mirror`](crate::Mirror) that is opened sets them,
/// and a later one that asks for others gets [`Error::TimeoutsAlreadySet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection to come about.
    pub connect: Duration,
    /// For each single read or write after that.
    pub transfer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            transfer: Duration::from_secs(60),
        }
    }
}

static SET: OnceLock<Result<Timeouts, String>> = OnceLock::new();

/// Makes sure that time-outs are set, and to `wanted` if that is given.
pub(crate) fn ensure(wanted: Option<Timeouts>) -> Result<(), Error> {
    let set = SET.get_or_init(|| {
        let timeouts = wanted.unwrap_or_default();
        set(timeouts)
            .map(|()| timeouts)
            .map_err(|error| error.message().to_owned())
    });
    match set {
        Ok(set) if wanted.is_none_or(|wanted| wanted == *set) => Ok(()),
        Ok(set) => Err(Error::TimeoutsAlreadySet { set: *set }),
        Err(text) => Err(Error::local("set the network time-outs", text)),
    }
}

#[expect(
    unsafe_code,
    reason = "libgit2 keeps its time-outs in process-wide variables"
)]
fn set(timeouts: Timeouts) -> Result<(), git2::Error> {
    let milliseconds = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: these write plain C integers without a lock. They run once, under the `OnceLock`, and
    // every use of the network in this crate goes through a `Mirror`, whose opening waits for it.
    unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds(timeouts.connect))?;
        git2::opts::set_server_timeout_in_milliseconds(milliseconds(timeouts.transfer))
    }
}
