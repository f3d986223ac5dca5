//! How a command fails: an exit code and a sentence.

use std::process::ExitCode;

/// The exit code for whatever is none of the others.
pub(crate) const FAILED: u8 = 1;
/// The exit code for wrong usage and wrong configuration; clap's own.
pub(crate) const USAGE: u8 = 2;
/// The exit code for what Bowline refused or skipped.
pub(crate) const REFUSED: u8 = 3;

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `watch ID` and `upgrade --wait`: the upgrade succeeded, and so did every
     part if it was split
  1  failed; for `watch ID` and `upgrade --wait`: it ended otherwise, needs a person, was
     only spooled, or its end was not seen because nobody reads the output any more
  2  wrong usage or configuration; nothing was asked for
  3  refused or skipped by Bowline, with its reason; nothing was changed";

/// What a command ends with.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// The end of a command that did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// For people, on stderr; empty if there is nothing to say.
    pub(crate) message: String,
}

impl Failure {
    /// Something did not work.
    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure {
            code: FAILED,
            message: message.into(),
        }
    }

    /// It was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure {
            code: USAGE,
            message: message.into(),
        }
    }

    /// Bowline refused it.
    pub(crate) fn refused(message: impl Into<String>) -> Failure {
        Failure {
            code: REFUSED,
            message: message.into(),
        }
    }

    /// Whoever read the answer has seen enough, which is nobody's fault.
    pub(crate) fn reader_gone() -> Failure {
        Failure {
            code: 0,
            message: String::new(),
        }
    }

    /// Whether whoever read the answer has seen enough.
    pub(crate) fn is_reader_gone(&self) -> bool {
        *self == Failure::reader_gone()
    }
}

/// Takes an answer that nobody reads to its end for one that was read: what it tells of is done.
pub(crate) fn read_or_not(told: Result<(), Failure>) -> Result<(), Failure> {
    match told {
        Err(failure) if failure.is_reader_gone() => Ok(()),
        told => told,
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::failed(format!("{error:#}"))
    }
}
