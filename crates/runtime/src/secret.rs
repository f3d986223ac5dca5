//! Secrets: from the environment or from a file of their own, never printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// A text that nobody sees by accident. It cannot be read from the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Why a secret that was announced is not there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("failed to read the {name} from {}", file.display())]
    Unreadable {
        /// What the secret is.
        name: String,
        /// Where it should be.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nothing but white space: an empty credential fails later, and silently.
    #[error("the {name} from {origin} is empty")]
    Empty {
        /// What the secret is.
        name: String,
        /// The variable or the file.
        origin: String,
    },
}

/// The environment, as far as it holds secrets.
#[derive(Clone, Default)]
pub struct SecretSource {
    variables: BTreeMap<String, String>,
}

impl SecretSource {
    /// The `BOWLINE_SECRET_…` variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Variables given by hand.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |(name, _): &(String, String)| name.starts_with("BOWLINE_SECRET_");
        Self {
            variables: variables.into_iter().filter(ours).collect(),
        }
    }

    /// Reads a secret: from the variable if it is set, else from the file if one is named.
    ///
    /// `name` is what it is called in messages. Line ends after it are cut off. Nothing is returned
    /// only when neither is given; an empty value is an error.
    pub fn read(
        &self,
        name: &str,
        file: Option<&Path>,
        variable: &str,
    ) -> Result<Option<Secret>, SecretError> {
        let (text, origin) = if let Some(text) = self.variables.get(variable) {
            (text.clone(), variable.to_owned())
        } else if let Some(file) = file {
            let text = fs::read_to_string(file).map_err(|source| SecretError::Unreadable {
                name: name.to_owned(),
                file: file.to_path_buf(),
                source,
            })?;
            (text, file.display().to_string())
        } else {
            return Ok(None);
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(SecretError::Empty {
                name: name.to_owned(),
                origin,
            });
        }
        Ok(Some(Secret::new(text)))
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_set()
            .entries(self.variables.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLE: &str = "BOWLINE_SECRET_CI_TOKEN";

    fn source(value: Option<&str>) -> SecretSource {
        SecretSource::of(value.map(|value| (VARIABLE.to_owned(), value.to_owned())))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn nothing_shows_a_secret() {
        let secret = source(Some("hush"))
            .read("token", None, VARIABLE)
            .unwrap()
            .unwrap();
        let shown = format!("{secret} {secret:?} {:?}", source(Some("hush")));
        assert!(!shown.contains("hush"), "{shown}");
        assert_eq!(secret.expose(), "hush");
    }

    #[test]
    fn the_line_end_of_a_file_is_no_part_of_the_secret() {
        let file = file(" hush \r\n");
        let secret = source(None)
            .read("token", Some(file.path()), VARIABLE)
            .unwrap();
        assert_eq!(secret, Some(Secret::new(" hush ")));
    }

    #[test]
    fn the_variable_goes_before_the_file() {
        let file = file("of the file");
        let secret = source(Some("of the variable")).read("token", Some(file.path()), VARIABLE);
        assert_eq!(secret.unwrap(), Some(Secret::new("of the variable")));
    }

    #[test]
    fn an_empty_secret_is_an_error_that_says_where() {
        let error = source(Some("\n"))
            .read("CI token", None, VARIABLE)
            .unwrap_err();
        let expected = "the CI token from BOWLINE_SECRET_CI_TOKEN is empty";
        assert_eq!(error.to_string(), expected);
        let file = file("\n");
        assert!(
            source(None)
                .read("CI token", Some(file.path()), VARIABLE)
                .is_err()
        );
    }

    #[test]
    fn a_missing_file_is_an_error_and_no_file_is_none() {
        let error = source(None).read("CI token", Some(Path::new("/nowhere/token")), VARIABLE);
        assert!(error.unwrap_err().to_string().contains("/nowhere/token"));
        assert_eq!(source(None).read("CI token", None, VARIABLE).unwrap(), None);
    }
}
