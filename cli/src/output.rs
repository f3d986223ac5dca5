//! What is printed: text for people or JSON for programs, and the one place that writes it.

mod table;
mod time;
mod words;

use std::io::{ErrorKind, Write as _};

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::failure::Failure;
pub(crate) use table::{Table, short_ids};
pub(crate) use time::{duration, rfc3339, span};
pub(crate) use words::{or_dash, paragraph, plain};

/// Text fits this many characters.
pub(crate) const WIDTH: usize = 100;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs; docs/json.md names the fields.
    Json,
    /// One unified diff that `git apply` takes; only `plan` makes one.
    Diff,
}

/// Where answers go, and the time and place they are told in.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    /// What to print.
    pub(crate) format: Format,
    /// When the command was started.
    pub(crate) now: Timestamp,
    /// Where its reader is.
    pub(crate) zone: TimeZone,
}

impl Out {
    /// For this process.
    ///
    /// # Errors
    /// The command makes no diff.
    pub(crate) fn new(format: Format, makes_diff: bool) -> Result<Out, Failure> {
        if format == Format::Diff && !makes_diff {
            return Err(Failure::usage(
                "only `bowline plan` prints a diff; use --output text or --output json",
            ));
        }
        Ok(Out {
            format,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        })
    }

    /// Prints the text, or the JSON on one line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn answer<T: Serialize>(
        &self,
        text: impl FnOnce(&Out) -> String,
        json: impl FnOnce() -> T,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Text | Format::Diff => write(&text(self)),
            Format::Json => {
                let mut line = serde_json::to_string(&json()).map_err(|error| {
                    Failure::failed(format!("the answer is not expressible as JSON: {error}"))
                })?;
                line.push('\n');
                write(&line)
            }
        }
    }

    /// A time in milliseconds since the Unix epoch, as long ago: `3 min`.
    pub(crate) fn ago(&self, at_ms: i64) -> String {
        if at_ms == 0 {
            return "-".to_owned();
        }
        span(self.now.as_millisecond().saturating_sub(at_ms) / 1_000)
    }

    /// A time in milliseconds since the Unix epoch, as how soon it comes: `in 3 min`.
    pub(crate) fn left(&self, at_ms: i64) -> String {
        match at_ms.saturating_sub(self.now.as_millisecond()) / 1_000 {
            seconds if seconds > 0 => format!("in {}", span(seconds)),
            _ => "now".to_owned(),
        }
    }

    /// A time in milliseconds since the Unix epoch, on the reader's clock.
    pub(crate) fn local(&self, at_ms: i64, format: &str) -> String {
        Timestamp::from_millisecond(at_ms).map_or_else(
            |_| "?".to_owned(),
            |at| at.to_zoned(self.zone.clone()).strftime(format).to_string(),
        )
    }

    /// The reader's time zone, in letters.
    pub(crate) fn zone_name(&self) -> String {
        self.local(self.now.as_millisecond(), "%Z")
    }
}

/// Writes an answer to stdout.
///
/// # Errors
/// It cannot be written. A reader that has seen enough is no failure, but an end.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::reader_gone()),
        Err(error) => Err(Failure::failed(format!(
            "failed to write to stdout: {error}"
        ))),
        Ok(()) => Ok(()),
    }
}

/// Says something beside the answer, on stderr. If nobody listens there, nobody is told.
pub(crate) fn note(text: &str) {
    let _heard = writeln!(std::io::stderr().lock(), "bowline: {text}");
}

/// An `Out` for tests: 2026-11-23 14:00:00 UTC.
#[cfg(test)]
pub(crate) fn fixed() -> Out {
    Out {
        format: Format::Text,
        now: Timestamp::from_second(1_795_442_400).expect("a time"),
        zone: TimeZone::UTC,
    }
}
