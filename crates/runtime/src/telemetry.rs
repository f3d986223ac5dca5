//! Logs. They go to standard error, so that standard output stays for answers.

use std::io::{self, IsTerminal as _};
use std::sync::Once;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::settings::{Log, LogFormat};

static STARTED: Once = Once::new();

/// Starts logging. Only the first call in a process has an effect.
///
/// # Errors
///
/// The filter cannot be understood.
pub fn init(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(&log.filter)?;
    STARTED.call_once(|| {
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal());
        // An error means that a test or a host program has set its own: then that one stays.
        let _already_set = match log.format {
            LogFormat::Text => lines.try_init(),
            LogFormat::Json => lines.json().flatten_event(true).try_init(),
        };
    });
    Ok(())
}

/// Whether a filter can be understood.
pub(crate) fn check_filter(filter: &str) -> Result<(), ParseError> {
    EnvFilter::try_new(filter).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_is_no_error() {
        let mut log = Log::default();
        init(&log).unwrap();
        log.format = LogFormat::Json;
        init(&log).unwrap();
    }

    #[test]
    fn a_filter_of_levels_and_targets_is_understood() {
        check_filter("info,bus=debug").unwrap();
        assert!(check_filter("bus=loud").is_err());
    }
}
