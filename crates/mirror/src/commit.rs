//! The name of a commit.

use std::fmt;
use std::str::FromStr;

use git2::Oid;

/// The full object name of a commit, 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(String);

/// A text that is no full object name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a full commit name: {0:?}")]
pub struct NotACommit(String);

impl Commit {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(oid: Oid) -> Self {
        Self(oid.to_string())
    }

    pub(crate) fn oid(&self) -> Result<Oid, git2::Error> {
        Oid::from_str(&self.0)
    }
}

impl FromStr for Commit {
    type Err = NotACommit;

    fn from_str(text: &str) -> Result<Self, NotACommit> {
        let digits = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 40 && digits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotACommit(text.to_owned()))
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Commit {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lower_case_names_are_commits() {
        let full = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(full.parse::<Commit>().unwrap().as_str(), full);
        for text in [
            "",
            "HEAD",
            "0123456",
            &full.to_uppercase(),
            &format!("{full}0"),
        ] {
            text.parse::<Commit>().unwrap_err();
        }
    }
}
