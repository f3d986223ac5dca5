//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// Values under keys with such words in them are never shown.
const SENSITIVE: [&str; 5] = ["secret", "token", "password", "webhook", "credential"];

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    key: String,
    message: String,
    origin: Option<String>,
}

impl Fault {
    /// A fault of the value at `key`. The message does not repeat the key and shows no secret.
    #[must_use]
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        let (key, mut message) = (key.into(), message.into());
        let shows_value = message.starts_with("invalid ");
        let last = key.rsplit('.').next().unwrap_or_default().to_lowercase();
        if shows_value && SENSITIVE.iter().any(|word| last.contains(word)) {
            "the value is of the wrong kind (it is not shown)".clone_into(&mut message);
        }
        if message.starts_with("unknown field") && SENSITIVE.iter().any(|word| last.contains(word))
        {
            message.push_str("; secrets come only from a `…_file` key or from BOWLINE_SECRET_…");
        }
        Self {
            key,
            message,
            origin: None,
        }
    }

    /// The same, saying which layer the value came from.
    #[must_use]
    pub(super) fn from(self, origin: Option<String>) -> Self {
        Self { origin, ..self }
    }

    /// The key path it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)?;
        match &self.origin {
            Some(origin) => write!(formatter, " (from {origin})"),
            None => Ok(()),
        }
    }
}

/// All that is wrong; shown one a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one, unless the same key, or the section it lies in, is known to be at fault.
    pub fn push(&mut self, fault: Fault) {
        let covered = |known: &Fault| {
            !known.key.is_empty()
                && fault
                    .key
                    .strip_prefix(known.key.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if !self.0.iter().any(covered) {
            self.0.push(fault);
        }
    }

    /// Adds a fault of a key.
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.push(Fault::new(key, message));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_under_a_sensitive_key_is_not_shown() {
        let message = "invalid type: string \"hush\", expected u16";
        assert!(
            !Fault::new("ci.token_file", message)
                .to_string()
                .contains("hush")
        );
        assert!(Fault::new("ci.turn", message).to_string().contains("hush"));
    }

    #[test]
    fn an_unknown_secret_names_the_ways_to_give_one() {
        let fault = Fault::new("ci.token", "unknown field `token`");
        assert!(fault.to_string().contains("BOWLINE_SECRET_"));
    }

    #[test]
    fn a_key_is_reported_once() {
        let mut faults = Faults::default();
        faults.add("rate", "wrong");
        faults.add("rate", "wrong again");
        faults.add("rate.limit", "wrong as well");
        faults.add("rates", "another");
        assert_eq!(faults.to_string(), "rate: wrong\nrates: another");
    }
}
