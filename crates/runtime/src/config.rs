//! Layered configuration: built-in defaults < file < environment < flags.
//!
//! The defaults are the type's own (`serde(default)`). Loading does not stop at the first fault:
//! whatever cannot be read is reported with its key path and left out, and the rest is read on.

mod faults;
mod layers;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use faults::{Fault, Faults};
use layers::Layered;

/// The start of every variable that we read.
const PREFIX: &str = "BOWLINE_";

/// Where the layers above the defaults come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The TOML file, if one was named.
    pub file: Option<PathBuf>,
    /// Variables of the environment, by name; only `BOWLINE_…` and a few that others have named are
    /// looked at.
    pub environment: Vec<(String, String)>,
    /// Key path and value of each `--set`.
    pub overrides: Vec<(String, String)>,
}

impl Sources {
    /// The sources of this process: the given file and flags, and its environment.
    #[must_use]
    pub fn of_process(file: Option<&Path>, overrides: Vec<(String, String)>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| layers::is_ours(name))
            .collect();
        Self {
            file: file.map(Path::to_path_buf),
            environment,
            overrides,
        }
    }
}

/// What was read, and what was wrong with it.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The configuration without its faulty keys; nothing when not even that can be read.
    pub value: Option<T>,
    /// All faults; `value` is to be used only when there are none.
    pub faults: Faults,
}

/// Reads all layers.
#[must_use]
pub fn load<T: DeserializeOwned>(sources: &Sources) -> Loaded<T> {
    let mut faults = Faults::default();
    let mut layered = Layered::read(sources, &mut faults);
    // Each round either succeeds or leaves out one key, so it comes to an end.
    loop {
        let table = Value::Table(layered.table.clone());
        let error = match serde_path_to_error::deserialize::<_, T>(table) {
            Ok(value) => {
                return Loaded {
                    value: Some(value),
                    faults,
                };
            }
            Err(error) => error,
        };
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        if layered.retry_as_text(&path) {
            continue;
        }
        let message = error.into_inner().to_string();
        let origin = layered.origin(&path);
        faults.push(Fault::new(path.join("."), first_line(&message)).from(origin));
        if !layered.remove(&path) {
            return Loaded {
                value: None,
                faults,
            };
        }
    }
}

/// The parser's later lines only repeat where it was; the key path says so already.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// Puts a value at a key path, with tables made on the way; false when something else is there.
fn insert(table: &mut Table, path: &[String], value: Value) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut table = table;
    for parent in parents {
        let entry = table
            .entry(parent)
            .or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = entry else {
            return false;
        };
        table = inner;
    }
    table.insert(last.clone(), value);
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        mode: String,
        rate: Rate,
        statuses: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Rate {
        limit: u32,
        name: String,
        #[serde(with = "humantime_serde")]
        window: Duration,
    }

    impl Default for Sample {
        fn default() -> Self {
            Self {
                mode: "observe".into(),
                rate: Rate::default(),
                statuses: vec!["new".into()],
            }
        }
    }

    impl Default for Rate {
        fn default() -> Self {
            Self {
                limit: 5,
                name: String::new(),
                window: Duration::from_secs(6 * 3600),
            }
        }
    }

    fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Sample {
        let loaded = load_from(file, environment, flags);
        assert!(loaded.faults.is_empty(), "{}", loaded.faults);
        loaded.value.unwrap()
    }

    fn load_from(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Loaded<Sample> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bowline.toml");
        std::fs::write(&path, file).unwrap();
        let owned = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        };
        load(&Sources {
            file: Some(path),
            environment: owned(environment),
            overrides: owned(flags),
        })
    }

    fn faults(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
        load_from(file, environment, flags)
            .faults
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn no_layer_gives_the_defaults() {
        assert_eq!(sources("", &[], &[]), Sample::default());
    }

    #[test]
    fn a_later_layer_wins_and_leaves_the_neighbours() {
        let file = "[rate]\nlimit = 1\nname = 'file'\nwindow = '1h'";
        let environment = [
            ("BOWLINE_RATE__LIMIT", "2"),
            ("BOWLINE_RATE__NAME", "environment"),
        ];
        let rate = sources(file, &environment, &[("rate.limit", "3")]).rate;
        assert_eq!((rate.limit, rate.name.as_str()), (3, "environment"));
        assert_eq!(rate.window, Duration::from_secs(3600));
    }

    #[test]
    fn lists_and_top_level_keys_can_be_set_from_outside() {
        let sample = sources(
            "",
            &[("BOWLINE_MODE", "auto"), ("BOWLINE_STATUSES__", "x")],
            &[("statuses", r#"["new", "update"]"#)],
        );
        assert_eq!((sample.mode.as_str(), sample.statuses.len()), ("auto", 2));
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_a_text_where_one_is_wanted() {
        let sample = sources("", &[("BOWLINE_RATE__NAME", "1.10")], &[]);
        assert_eq!(sample.rate.name, "1.10");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let environment = [
            ("BOWLINE_INGEST_SERVICE_HOST", "10.0.0.1"),
            ("BOWLINE_SECRET_CI__TOKEN", "hush"),
            ("PATH", "/bin"),
        ];
        assert_eq!(sources("", &environment, &[]), Sample::default());
    }

    #[test]
    fn all_faults_come_at_once_with_key_path_and_origin() {
        let file = "colour = 'red'\nstatuses = 3\n[rate]\nlimt = 1\nwindow = 'soon'";
        let found = faults(
            file,
            &[("BOWLINE_RATE__LIMIT", "many")],
            &[("rate.size", "1")],
        );
        assert_eq!(found.len(), 6, "{found:#?}");
        for key in [
            "colour:",
            "statuses:",
            "rate.limt:",
            "rate.window:",
            "rate.limit:",
        ] {
            assert_eq!(
                found.iter().filter(|fault| fault.starts_with(key)).count(),
                1,
                "{found:#?}"
            );
        }
        let limit = found
            .iter()
            .find(|fault| fault.starts_with("rate.limit:"))
            .unwrap();
        assert!(limit.ends_with("(from BOWLINE_RATE__LIMIT)"), "{limit}");
        let size = found
            .iter()
            .find(|fault| fault.starts_with("rate.size:"))
            .unwrap();
        assert!(size.ends_with("(from --set rate.size)"), "{size}");
    }

    #[test]
    fn an_unknown_key_names_the_known_ones() {
        let found = faults("[rate]\nlimt = 1", &[], &[]);
        assert!(
            found[0].contains("unknown field `limt`, expected one of `limit`"),
            "{found:?}"
        );
        assert!(found[0].contains("bowline.toml"), "{found:?}");
    }

    #[test]
    fn a_broken_file_says_where_and_shows_nothing_of_it() {
        let found = faults("mode = 'auto'\ntoken = \"hush-hush", &[], &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("line 2"), "{found:?}");
        assert!(!found[0].contains("hush-hush"), "{found:?}");
    }

    #[test]
    fn a_missing_file_is_a_fault() {
        let sources = Sources {
            file: Some("/nowhere/bowline.toml".into()),
            ..Sources::default()
        };
        let loaded = load::<Sample>(&sources);
        assert!(loaded.faults.to_string().contains("/nowhere/bowline.toml"));
    }

    #[test]
    fn a_section_set_as_a_value_is_one_fault() {
        assert_eq!(
            faults("rate = 3", &[("BOWLINE_RATE__LIMIT", "2")], &[]).len(),
            1
        );
    }
}
