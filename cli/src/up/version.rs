//! Which nats-server may run, and on which store.

use std::path::{Path, PathBuf};

use semver::Version;

/// The oldest server that has all that the log needs.
const OLDEST: Version = Version::new(2, 14, 0);

/// Why a server may not run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unfit {
    #[error("{} does not say a version of nats-server; is it one?", .0.display())]
    NoServer(PathBuf),
    #[error(
        "{} is nats-server {found}, but Bowline needs {OLDEST} or newer: {}",
        .program.display(), super::find::HOW_TO_GET
    )]
    TooOld { program: PathBuf, found: String },
    #[error(
        "the store in {} was last written by nats-server {store}, and {} is {found}, which is \
         older and may not understand it: take {store} or newer",
        .folder.display(), .program.display()
    )]
    OlderThanStore {
        program: PathBuf,
        found: String,
        folder: PathBuf,
        store: String,
    },
    #[error(
        "{} holds `{text}`, which is no version: it should say which nats-server last wrote the \
         store beside it. Put its version there, such as 2.15.1",
        .record.display()
    )]
    NoRecord { record: PathBuf, text: String },
}

/// Reads what `nats-server --version` prints, and refuses what is too old.
pub(super) fn of_program(program: &Path, printed: &str) -> Result<Version, Unfit> {
    let found = printed
        .split_once("nats-server:")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .and_then(|word| Version::parse(word.trim_start_matches('v')).ok())
        .ok_or_else(|| Unfit::NoServer(program.to_owned()))?;
    if found < OLDEST {
        return Err(Unfit::TooOld {
            program: program.to_owned(),
            found: found.to_string(),
        });
    }
    Ok(found)
}

/// Refuses a store that a newer server has written; `record` is what the file of that name says.
pub(super) fn check_store(
    program: &Path,
    found: &Version,
    record: &Path,
    text: &str,
) -> Result<(), Unfit> {
    let store = Version::parse(text.trim()).map_err(|_said_below| Unfit::NoRecord {
        record: record.to_owned(),
        text: text.trim().chars().take(40).collect(),
    })?;
    if *found < store {
        return Err(Unfit::OlderThanStore {
            program: program.to_owned(),
            found: found.to_string(),
            folder: record.parent().unwrap_or(record).to_owned(),
            store: store.to_string(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(printed: &str) -> Result<String, String> {
        of_program(Path::new("/bin/x"), printed)
            .map(|version| version.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_version_is_read_and_an_old_one_refused() {
        for (printed, expected) in [
            ("nats-server: v2.15.1\n", Ok("2.15.1")),
            ("nats-server: v2.14.0", Ok("2.14.0")),
            ("nats-server: v3.0.0-RC.1", Ok("3.0.0-RC.1")),
            (
                "nats-server: v2.13.9\n",
                Err("/bin/x is nats-server 2.13.9,"),
            ),
            ("nats-server: v2.14.0-RC.2", Err("needs 2.14.0 or newer")),
            (
                "nats-server: v2.9.0",
                Err("run `cargo xtask setup` in a checkout"),
            ),
            ("nats-server: dev", Err("/bin/x does not say a version")),
            ("GNU bash 5", Err("is it one?")),
            ("", Err("is it one?")),
        ] {
            match (program(printed), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("{printed}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_store_is_read_by_the_version_that_wrote_it_or_a_newer_one() {
        let found = Version::new(2, 15, 1);
        let record = Path::new("/data/nats/version");
        for (text, refusal) in [
            ("2.15.1\n", None),
            ("2.14.0", None),
            (
                "2.15.2",
                Some("the store in /data/nats was last written by nats-server 2.15.2"),
            ),
            ("3.0.0", Some("take 3.0.0 or newer")),
            ("", Some("/data/nats/version holds ``")),
            ("two", Some("holds `two`, which is no version")),
        ] {
            let checked = check_store(Path::new("/bin/x"), &found, record, text);
            match (checked, refusal) {
                (Ok(()), None) => {}
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
                (checked, _) => panic!("{text}: {checked:?}"),
            }
        }
    }
}
